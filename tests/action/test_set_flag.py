"""A flag is turned in its own spelling, or by its definition; what cannot be said exactly is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.model.change import Draft, Field
from gitops_sre.model.outcome import Refused
from tests.action.settings_place import Located, at, draft


def edits(fields: list[Field], value: str, flag: str = "new-cart") -> dict[str, tuple[str | None, str]]:
    """Last name of the path -> value and source text after it."""
    answer = draft("set_flag", Located(fields), flag=flag, value=value)
    assert isinstance(answer, Draft), answer
    return {str(edit.path[-1]): (edit.after, edit.after_raw) for edit in answer.edits}


def refused(fields: list[Field], value: str, flag: str = "new-cart") -> str:
    answer = draft("set_flag", Located(fields), flag=flag, value=value)
    assert isinstance(answer, Refused), answer
    return answer.reason


@pytest.mark.parametrize(
    ("raw", "value", "expected"),
    [
        ("true", "off", "false"),
        ('"true"', "off", '"false"'),
        ("'False'", "on", "'True'"),
        ("TRUE", "off", "FALSE"),
        ("on", "off", "off"),
        ("no", "on", "yes"),
        ("1", "off", "0"),
        ('"0"', "on", '"1"'),
        ("ENABLED", "off", "DISABLED"),
        ("disabled", "on", "enabled"),
        ("true", "false", "false"),
        ("true", "DISABLED", "false"),
    ],
)
def test_a_plain_flag_keeps_its_spelling_and_quotes(raw: str, value: str, expected: str) -> None:
    field = at("data", "X", value=raw.strip("'\""), raw=raw)
    assert edits([field], value) == {"X": (expected.strip("'\""), expected)}


def test_a_literal_keeps_its_name() -> None:
    field = at("configMapGenerator", 0, "literals", 0, value="NEW_CART=on")
    assert edits([field], "off") == {"0": ("NEW_CART=off", "NEW_CART=off")}


@pytest.mark.parametrize(
    ("stands", "value", "says"),
    [
        ("true", "on", "already says true"),
        ("blue", "off", "new-cart is 'blue', which is neither on nor off"),
        ("true", "blue", "use set_config"),
        ("", "on", "neither on nor off"),
        ("5", "on", "neither on nor off"),
    ],
)
def test_what_is_no_switch_is_refused(stands: str, value: str, says: str) -> None:
    assert says in refused([at("data", "X", value=stands)], value)


def definition(
    state: str = "ENABLED", default: str = "on", variants: dict[str, str] | None = None, targeting: str = ""
) -> list[Field]:
    flag = ("flags", "new-cart")
    held = {"on": "true", "off": "false"} if variants is None else variants
    found = [at(*flag, "state", value=state, raw=f'"{state}"'),
             at(*flag, "defaultVariant", value=default, raw=f'"{default}"')]  # fmt: skip
    found += [at(*flag, "variants", name, value=value) for name, value in held.items()]
    return [*found, *([at(*flag, "targeting", "if", 0, value=targeting)] if targeting else [])]


def test_a_definition_gets_the_variant_that_is_named() -> None:
    assert edits(definition(), "off") == {"defaultVariant": ("off", '"off"')}
    three = definition(default="a", variants={"a": "x", "b": "y", "c": "z"})
    assert edits(three, "c") == {"defaultVariant": ("c", '"c"')}


def test_on_and_off_find_the_only_variant_that_says_so() -> None:
    odd = definition(default="new", variants={"new": "true", "old": "false"})
    assert edits(odd, "off") == {"defaultVariant": ("old", '"old"')}
    twice = definition(default="new", variants={"new": "true", "old": "false", "older": "false"})
    assert "has no variant for off (it has new, old, older)" in refused(twice, "off")


def test_a_disabled_flag_that_is_turned_on_is_enabled_too() -> None:
    assert edits(definition("DISABLED", "off"), "on") == {
        "defaultVariant": ("on", '"on"'), "state": ("ENABLED", '"ENABLED"')
    }  # fmt: skip
    assert edits(definition("DISABLED", "on"), "on") == {"state": ("ENABLED", '"ENABLED"')}


def test_the_state_alone_can_be_set_and_beats_targeting() -> None:
    targeted = definition(targeting="x")
    assert edits(targeted, "disabled") == {"state": ("DISABLED", '"DISABLED"')}
    assert "targeting rules decide new-cart" in refused(targeted, "off")


def test_what_stands_so_already_and_what_no_variant_is_are_refused() -> None:
    assert "already says so of new-cart" in refused(definition(), "on")
    assert "has no variant for blue (it has off, on)" in refused(definition(), "blue")
    assert "has no variant for off (it has none)" in refused(definition(variants={}), "off")


def test_several_values_that_are_no_definition_are_refused() -> None:
    assert "is not one flag" in refused([at("a", value="true"), at("b", value="true")], "off")


@pytest.mark.parametrize("value", ["", "-x", "a b", "a\n", "x" * 129, "off\u202e"])
def test_values_out_of_bounds_are_refused(value: str) -> None:
    assert "is not `on`, `off`, or a variant" in refused(definition(), value)


def test_the_locators_refusal_is_passed_on() -> None:
    assert draft("set_flag", Located(Refused("two places")), flag="x", value="on") == Refused("two places")
    assert "secret" in refused(definition(), "off", "password-reset-token")


@pytest.mark.parametrize(
    ("fields", "value", "was", "now"),
    [
        ([at("data", "new-cart", value="on")], "off", "on", "off"),
        (definition(), "off", "on", "off"),
        (definition(), "disabled", "ENABLED", "DISABLED"),
    ],
    ids=["a switch", "a variant", "a state"],
)
def test_a_flag_that_was_changed_again_since_is_left_alone(fields: list[Field], value: str, was: str, now: str) -> None:
    answer = draft("set_flag", Located(fields), flag="new-cart", value=value, was=was)
    assert isinstance(answer, Draft), answer
    since = [replace(each, value=now) if each.value == was else each for each in fields]
    later = draft("set_flag", Located(since), flag="new-cart", value=value, was=was)
    assert isinstance(later, Refused)
    assert f"is {now!r} and no longer {was!r}" in later.reason
