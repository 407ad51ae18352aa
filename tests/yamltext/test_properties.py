"""Whatever YAML stands there: an edit changes exactly what was meant, and its inverse gives every byte back."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from gitops_sre import yamltext
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import OPENED, Place, YamlTextError
from tests.yamltext.generated import KEYS, texts

THOROUGH = settings(
    max_examples=int(os.environ.get("YAML_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
"""Most of a run goes into the pure Python parser; more examples on demand."""
VALUES = st.from_regex(r"[a-zA-Z0-9_./ :#'\"-]{0,9}", fullmatch=True)


def readable(text: str) -> tuple[yamltext.Scalar, ...]:
    try:
        found = yamltext.scalars(text)
    except YamlTextError as error:
        event(f"not read: {str(error)[-40:]}")
        found = ()
    assume(found)
    return found


def edit(place: Place, before: str | None, after: str | None, before_raw: str = "", after_raw: str = "") -> FieldEdit:
    return FieldEdit("f", *place, before, after, before_raw, after_raw)


def undone(text: str, one: FieldEdit) -> yamltext.Rewritten | None:
    """The text edited, after its inverse gave every byte back; None when it was refused."""
    try:
        made = yamltext.rewrite(text, [one])
    except YamlTextError as error:
        event(f"refused: {str(error)[-40:]}")
        return None
    event("made")
    assert yamltext.rewrite(made.text, [each.inverted() for each in reversed(made.edits)]).text == text
    return made


@THOROUGH
@given(texts(), st.data())
def test_a_replaced_value_is_all_that_changes(text: str, data: st.DataObject) -> None:
    scalar, value = data.draw(st.sampled_from(readable(text))), data.draw(VALUES)
    made = undone(text, edit(scalar.place, scalar.value, value))
    if made is not None:
        assert yamltext.get(made.text, *scalar.place) == value
        assert yamltext.differing(text, made.text) == (scalar.place,)
        others = [(each.place, each.raw) for each in yamltext.scalars(text) if each.place != scalar.place]
        assert others == [(each.place, each.raw) for each in yamltext.scalars(made.text) if each.place != scalar.place]


@THOROUGH
@given(texts(), st.data())
def test_a_removed_entry_takes_nothing_else_along_and_comes_back(text: str, data: st.DataObject) -> None:
    places = sorted(
        {(each.document, each.path[:size]) for each in readable(text) for size in range(1, len(each.path) + 1)}, key=str
    )
    place = data.draw(st.sampled_from([(n, p) for n, p in places if p[-1] != OPENED and p[-2:-1] != (OPENED,)]))
    value = yamltext.get(text, *place)
    try:
        raw = yamltext.source(text, *place).raw
    except YamlTextError:
        return
    made = undone(text, edit(place, "" if value is None else value, None, raw))
    if made is not None and isinstance(place[1][-1], str):
        number, path = place
        below = [each for each in yamltext.scalars(made.text) if (each.document, each.path[: len(path)]) == place]
        kept = {
            each.place: each.value
            for each in yamltext.scalars(text)
            if (each.document, each.path[: len(path)]) != place
        }
        now = {each.place: each.value for each in yamltext.scalars(made.text)}
        now = {at: value for at, value in now.items() if at in kept or at != (number, path[:-1])}
        assert not below
        assert now == kept


@THOROUGH
@given(texts(), st.data())
def test_an_inserted_value_stands_where_it_was_meant_and_goes_again(text: str, data: st.DataObject) -> None:
    scalar, value = data.draw(st.sampled_from(readable(text))), data.draw(VALUES.map("v".__add__))
    maps = [size for size, part in enumerate(scalar.path) if isinstance(part, str) and part != OPENED]
    size = data.draw(st.sampled_from([*maps, len(scalar.path)]))
    path = (*scalar.path[:size], *data.draw(st.lists(KEYS.map("n-".__add__), min_size=1, max_size=3)))
    made = undone(text, edit((scalar.document, path), None, value))
    if made is not None:
        before = {each.place: each.raw for each in yamltext.scalars(text)}
        after = {each.place: each.raw for each in yamltext.scalars(made.text)}
        assert yamltext.get(made.text, scalar.document, path) == value
        assert set(after) - set(before) == {(scalar.document, path)}
        assert all(after[place] == raw for place, raw in before.items() if place in after)


@THOROUGH
@given(texts())
def test_the_fast_reader_says_what_the_exact_one_says(text: str) -> None:
    exact = readable(text)
    assert yamltext.leaves(text) == {scalar.place: scalar.value for scalar in exact}
    assert yamltext.scalars(text, fast=True) == exact


@THOROUGH
@given(texts())
def test_every_scalar_put_in_its_own_place_gives_the_same_bytes(text: str) -> None:
    readable(text)
    for scalar in yamltext.scalars(text, opened=True):
        if not scalar.type.startswith("!"):
            assert yamltext.splice_raw(text, [(*scalar.place, scalar.raw)]) == text
