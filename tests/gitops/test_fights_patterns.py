"""Patterns of strangers are matched as their owners do, or given up, and never take long."""

from __future__ import annotations

import time

import pytest

from gitops_sre.gitops.fights.patterns import path_fits, search, without_calls


@pytest.mark.parametrize(
    ("pattern", "text", "group"),
    [
        ("^main-[a-f0-9]+-(?P<ts>[0-9]+)", "main-abc-17", "17"),
        ("^v(?<ts>[0-9]+)$", "v2", "2"),
        (r"^(?P<ts>\d+)\+\*x$", "4+*x", "4"),
        ("^(?P<ts>x)(?:y)?$", "x", "x"),
    ],
)
def test_go_patterns_match(pattern: str, text: str, group: str) -> None:
    found = search(pattern, text)
    assert found is not None
    assert found["ts"] == group
    assert search(pattern, "none of them") is None


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*$", "(a|a){3,}$", "a*a*a*a*a*a*$", "a" * 501, "(", r"[z-a]", r"\p{L}"]
)
def test_patterns_that_may_take_long_or_are_none_are_given_up_at_once(pattern: str) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"too long|no pattern"):
        search(pattern, "a" * 100 + "!")
    assert time.monotonic() - started < 1


def test_the_dearest_pattern_that_is_allowed_ends_soon() -> None:
    started = time.monotonic()
    assert search("[a-z]*[a-z]*[a-z]*[a-z]*$!", "a" * 60) is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("parts", "path", "fits"),
    [
        (["apps/", "/values.yaml"], "apps/web/values.yaml", True),
        (["apps/", "/values.yaml"], "apps/a/b/values.yaml", False),
        (["apps/", ""], "apps/web", True),
        (["apps/", ""], "apps/", False),
        (["a[1]*/", ""], "a[1]*/x", True),
        (["a*/", ""], "ab/x", False),
        ([""] * 200, "a" * 250, True),
        (["", *"a" * 100, "b"], "a" * 250, False),
    ],
)
def test_paths_with_gaps(parts: list[str], path: str, fits: bool) -> None:
    assert path_fits(parts, path) is fits


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('.a[] | select(.name == "x") | .b', ".a[] .b"),
        (".a[] | select((.b | length) > (1)) | .c | select(.d)", ".a[] .c"),
        (".a | select(((", ".a"),
        (".a", ".a"),
    ],
)
def test_selections_are_taken_out_with_all_their_parentheses(text: str, rest: str) -> None:
    assert without_calls(text, "select").split() == rest.split()
