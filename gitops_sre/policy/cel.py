"""Conditions in policy documents: the Common Expression Language, typed at compile time and closed at evaluation.

The only importer of the CEL library. Its evaluation errors come back as ordinary, truthy values; here an answer that
is not the boolean `true` or `false` becomes `Inconclusive`, and never counts as "does not apply".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, get_type_hints

from cel_expr_python import cel

from gitops_sre.model.outcome import Inconclusive

MAX_LENGTH = 4096
"""Characters of one expression; longer ones are refused."""

_POSITION = re.compile(r"<input>:(\d+):(\d+): ([^\n]*)")
_STATUS = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")


class Facts(NamedTuple):
    """What a condition may speak of; each field is a variable of that name. `hour_utc` is 0..23, `weekday` 0 (Monday)
    to 6 (Sunday), both in UTC; `confidence` and the shares are 0..1; the counts are of the proven blast radius, the
    steps factors of 1 or more; `alert_age` is in seconds. The namespace is `kube_namespace` because CEL reserves the
    word `namespace`. What is None is not known: a condition that needs it fails."""

    action: str
    service: str
    environment: str
    tier: str
    kube_namespace: str
    confidence: float
    fleet_share: float
    objects: int
    replicas: int
    files: int
    lines: int
    hour_utc: int
    weekday: int
    reversible: bool
    labels: Mapping[str, str]
    owner: str
    now: datetime
    evidence_kinds: int
    cause: str | None = None
    cluster: str | None = None
    service_share: float | None = None
    cpu_step: float | None = None
    memory_step: float | None = None
    replicas_step: float | None = None
    alert_age: float | None = None


_TYPES: Mapping[Any, Any] = {
    str: cel.Type.STRING,
    float: cel.Type.DOUBLE,
    int: cel.Type.INT,
    bool: cel.Type.BOOL,
    datetime: cel.Type.TIMESTAMP,
    Mapping[str, str]: cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
}
_KINDS = {
    name: next(each for each in _TYPES if kind in (each, each | None)) for name, kind in get_type_hints(Facts).items()
}
_NAMES = tuple(_KINDS)
_ENVIRONMENT = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in _KINDS.items()})


@dataclass(frozen=True)
class Prepared:
    """Facts in the library's own form."""

    _activation: Any


def prepared(facts: Facts, names: Sequence[str]) -> Prepared:
    """These of the facts, as conditions want them: only what they speak of, since each value is converted."""
    named = ((name, getattr(facts, name)) for name in names)
    return Prepared(_ENVIRONMENT.Activation({name: value for name, value in named if value is not None}))


class ConditionError(Exception):
    """An expression that does not compile. `line` and `column` count from 1 inside the expression; 0 when the
    compiler names no place."""

    def __init__(self, what: str, line: int = 0, column: int = 0) -> None:
        super().__init__(what)
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Condition:
    """A compiled expression of type bool."""

    text: str
    names: tuple[str, ...]
    """The variables that it may speak of: whose names stand anywhere in the text."""
    _program: Any

    def holds(self, facts: Prepared) -> bool | Inconclusive:
        """Whether it is true of these facts; Inconclusive when evaluating it fails (a missing map key, for one)."""
        value = self._program.eval(facts._activation).value()
        return value if isinstance(value, bool) else Inconclusive(_STATUS.sub("", str(value)))


@lru_cache(maxsize=4096)
def compiled(text: str) -> Condition:
    """Compile an expression over `Facts`. Raises ConditionError: syntax, unknown variable, types, not a bool."""
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"longer than {MAX_LENGTH} characters")
    try:
        program = _ENVIRONMENT.compile(text)
    except RuntimeError as error:
        raise _explained(str(error)) from error
    if program.return_type() != cel.Type.BOOL:
        raise ConditionError(f"yields {program.return_type()}, but a condition must yield BOOL", 1, 1)
    return Condition(text, tuple(name for name in _NAMES if name in text), program)


def _explained(message: str) -> ConditionError:
    """The compiler's first complaint."""
    found = _POSITION.search(message)
    if found is None:
        return ConditionError(_STATUS.sub("", message.partition("\n")[0]))
    return ConditionError(_STATUS.sub("", found[3]), int(found[1]), int(found[2]))
