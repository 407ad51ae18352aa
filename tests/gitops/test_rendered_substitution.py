"""Flux's variables, put into objects as the controller does."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_sre.gitops.substitution import substituted
from gitops_sre.yamltext import YamlTextError


@pytest.mark.parametrize(
    ("written", "value", "missing"),
    [
        ("${N}", 3, ()),  # read again as YAML: a number
        ("x-${N}", "x-3", ()),
        ("${T}", "v1", ()),
        ("${EMPTY:=d}", "d", ()),
        ("${EMPTY-d}", None, ()),
        ("${GONE:=d}", "d", ()),
        ("${GONE:-d}", "d", ()),
        ("${GONE=}", None, ()),
        ("${GONE}", "${GONE}", ("GONE",)),
        ("$${T}", "${T}", ()),
        ("$T and ${T", "$T and ${T", ()),
        ("${T/v/w}", "${T/v/w}", ("T/v/w",)),
        ("2026-01-31", "2026-01-31", ()),
    ],
)
def test_a_variable_becomes(written: str, value: Any, missing: tuple[str, ...]) -> None:
    variables = {"N": "3", "T": "v1", "EMPTY": ""}
    (found,), names = substituted([{"kind": "A", "spec": {"a": written}}], variables)
    assert (found["spec"]["a"], names) == (value, missing)


@pytest.mark.parametrize("place", ["labels", "annotations"])
def test_an_object_may_turn_it_off(place: str) -> None:
    off = {"kind": "A", "metadata": {place: {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}}, "a": "${T}"}
    assert substituted([off], {"T": "x"}) == ((off,), ())


def test_a_value_that_breaks_the_yaml_is_refused() -> None:
    with pytest.raises(YamlTextError, match="A x is no YAML once its variables are put in"):
        substituted([{"kind": "A", "metadata": {"name": "x"}, "a": "${T}"}], {"T": "a: b: c"})
