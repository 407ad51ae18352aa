"""Any value of any noun: a hypothesis strategy from its type, every field filled, defaults too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

# What looks like another type, what databases and JSON choke on, and the rest.
WORDS = st.sampled_from(("", "null", "1", "true", "2026-03-01T12:00:00Z", "\ud800", "\x00", "\u202eü")) | st.text(
    max_size=9
)
ZONES = st.sampled_from((UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-8))))
PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    datetime: st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2999, 1, 1), timezones=ZONES),  # noqa: DTZ001
    NoneType: st.none(),
    # What a model says is JSON, whatever else it is.
    object: st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
        max_leaves=4,
    ),
}


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation."""
    plain = PLAIN.get(kind)
    if plain is not None:
        return plain
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType or str(origin) == "typing.Union":
        return st.one_of(*map(anything, inner))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is Mapping:
        return st.dictionaries(anything(inner[0]), anything(inner[1]), max_size=2)
    if origin is tuple:
        repeated = inner[-1] is Ellipsis
        return st.lists(anything(inner[0]), max_size=2).map(tuple) if repeated else st.tuples(*map(anything, inner))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    assert isinstance(kind, type), f"no strategy for {kind}"
    assert is_dataclass(kind), f"no strategy for {kind}"
    fields = {name: anything(hint) for name, hint in get_type_hints(kind).items()}
    return st.builds(kind, **fields)
