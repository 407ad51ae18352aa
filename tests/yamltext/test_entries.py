"""Entries come and go with their comments, in the file's own style, and leave every other byte."""

from __future__ import annotations

import pytest

from gitops_sre import yamltext
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import Path, YamlTextError

TEXT = """\
# licence

apiVersion: apps/v1
spec:
    # how many
    replicas: 3

    # where
    # to
    zone: a # now
      # - b
    list:
    - name: x
      value: "1"

    # the second
    - name: y
status: {}
empty:
flow: {a: 1, b: [x, y]}
"""


def put(text: str, path: Path, value: str, raw: str = "", position: int | None = None) -> str:
    """Insert, and see that the inverse takes it out again."""
    made = yamltext.rewrite(text, [FieldEdit("f", 0, path, None, value, "", raw, position)])
    assert yamltext.rewrite(made.text, [made.edits[0].inverted()]).text == text
    return made.text


def take(text: str, path: Path) -> tuple[str, FieldEdit]:
    """Remove, and see that the inverse puts it back."""
    value, raw = yamltext.get(text, 0, path), yamltext.source(text, 0, path).raw
    made = yamltext.rewrite(text, [FieldEdit("f", 0, path, "" if value is None else value, None, raw, "")])
    assert yamltext.rewrite(made.text, [made.edits[0].inverted()]).text == text
    return made.text, made.edits[0]


@pytest.mark.parametrize(
    ("path", "value", "after", "lines"),
    [
        (("spec", "paused"), "true", "    - name: y\n", "    paused: true\n"),
        (("spec", "list", 0, "extra"), "on", '      value: "1"\n', '      extra: "on"\n'),
        (("spec", "list", 2), "z", "    - name: y\n", "    - z\n"),
        (("empty", "a", "b"), "v", "empty:\n", "    a:\n        b: v\n"),
        (("empty", 0, "name"), "v", "empty:\n", "- name: v\n"),
        (("metadata", "labels", "x.io/at"), "2024", TEXT[-1:], 'metadata:\n    labels:\n        x.io/at: "2024"\n'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_new_value_takes_the_indentation_of_the_file(
    path: Path, value: str, after: str, lines: str, end: str
) -> None:
    at = TEXT.rindex(after) + len(after) if after != TEXT[-1:] else len(TEXT)
    expected = TEXT[:at] + lines + TEXT[at:]
    assert put(TEXT.replace("\n", end), path, value) == expected.replace("\n", end)


def test_flow_collections_keep_their_style() -> None:
    assert "flow: {a: 1, b: [x, y], c: v}\n" in put(TEXT, ("flow", "c"), "v")
    assert "b: [x, y, z]}\n" in put(TEXT, ("flow", "b", 2), "z")
    assert "status: {a: {b: v}}\n" in put(TEXT, ("status", "a", "b"), "v")
    assert put('{\n\t"a": 1\n}', ("b", "c"), "v") == '{\n\t"a": 1,\n\t"b": {"c": "v"}\n}'
    assert take('{"a":1,"b":2}', ("b",))[0] == '{"a":1}'
    assert take("{ a: 1 }\n", ("a",))[0] == "{ }\n"


def test_a_file_without_a_last_line_end_stays_so() -> None:
    assert put("a: 1", ("b",), "2") == "a: 1\nb: 2"
    assert take("a: 1\nb: 2", ("b",))[0] == "a: 1"
    assert put("\ufeffa: 1", ("b",), "2") == "\ufeffa: 1\nb: 2"


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        (("apiVersion",), "apiVersion: apps/v1"),
        (("spec", "replicas"), "# how many\nreplicas: 3"),
        (("spec", "zone"), "\n# where\n# to\nzone: a # now\n  # - b"),
        (("spec", "list", 0), '- name: x\n  value: "1"'),
        (("spec", "list", 0, "name"), "name: x"),
        (("spec", "list", 1), "\n# the second\n- name: y"),
        (("status",), "status: {}"),
        (("flow", "a"), "a: 1"),
    ],
)
@pytest.mark.parametrize("tail", ["\n", ""])
def test_an_entry_goes_with_its_own_comments(path: Path, raw: str, tail: str) -> None:
    text, made = take(TEXT[:-1] + tail, path)
    assert made.before_raw == raw
    assert "# licence\n" in text
    assert len(text) < len(TEXT)


def test_the_only_entry_comes_back_at_its_own_depth() -> None:
    text = "a:\n  b:\n    c: 1\nd:\n- x\ne:\n    - y\nf:\n"
    assert take(text, ("d", 0))[0] == text.replace("- x\n", "")
    assert take(text, ("e", 0))[0] == text.replace("    - y\n", "")

    assert put(text, ("f", 0), "z").endswith("f:\n- z\n")
    assert put(text.replace("d:\n-", "d:\n    -"), ("f", 0), "z").endswith("f:\n    - z\n")


def test_an_inverse_still_fits_after_the_neighbours_changed() -> None:
    _, made = take(TEXT, ("spec", "list", 1))
    fewer, _ = take(TEXT, ("spec", "list", 0))
    assert "    list:\n\n    # the second\n    - name: y\n" in fewer
    shorter = "spec:\n  list:\n  - name: q\n"
    again = yamltext.rewrite(shorter, [made.inverted()])
    assert again.text == "spec:\n  list:\n  - name: q\n\n  # the second\n  - name: y\n"
    assert again.edits[0].path == ("spec", "list", 1)


@pytest.mark.parametrize(
    ("text", "edit", "says"),
    [
        ("a: 1\n", (("a",), None, "2"), "holds '1' now"),
        ("a: 1\n", (("a",), "2", None), "expected '2'"),
        ("a: 1\n", (("b",), "2", None), "b is gone"),
        ("a: 1\n", (("a",), "1", None), "nothing would be left"),
        ("- a: 1\n", ((0, "a"), "1", None), "nothing would be left"),
        ("a: x\n", (("a", "b"), None, "2"), "a is no mapping"),
        ("a: [x]\n", (("a", "b"), None, "2"), "a is no mapping"),
        ("a: &t {b: 1}\nc: *t\n", (("c", "b"), "1", None), "stands behind an alias of line 1"),
        ("a: &t {b: 1}\nc: *t\n", (("a", "d"), None, "2"), "would also change c.d"),
        ("a: &t {b: 1, e: 2}\nc: *t\n", (("a", "b"), "1", None), "would also change c.b"),
        ("a: ~\n", (("a", "b"), None, "2"), "a is no mapping"),
        ("a: 1\n", (("a",), "1", "1"), "nothing to change"),
        ("a: &t 1\nb: *t\n", (("a",), "1", "2"), "also change b"),
        ("a: 1\n", (("a",), None, None), "neither a value before nor one after"),
        ("a: {b: 1, # why\n  c: 2}\n", (("a", "d"), None, "2"), "comments stand between"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_exactly_is_refused(
    text: str, edit: tuple[Path, str | None, str | None], says: str
) -> None:
    with pytest.raises(YamlTextError, match=says.replace(".", r"\.")):
        yamltext.rewrite(text, [FieldEdit("f", 0, *edit, "", "")])


def test_a_source_that_holds_more_than_its_entry_is_refused() -> None:
    with pytest.raises(YamlTextError, match="would also change c"):
        yamltext.rewrite("a: 1\n", [FieldEdit("f", 0, ("b",), None, "2", "", "b: 2\nc: 3")])


def test_edits_follow_one_another() -> None:
    text = "a:\n- x\n- 'y'\n- z\n"
    edits = [
        FieldEdit("f", 0, ("a", 0), "x", None, "", ""),
        FieldEdit("f", 0, ("a", 0), "y", "q", "", ""),
        FieldEdit("f", 0, ("b",), None, "1", "", ""),
    ]
    made = yamltext.rewrite(text, edits)
    assert made.text == "a:\n- 'q'\n- z\nb: 1\n"
    assert yamltext.rewrite(made.text, [each.inverted() for each in reversed(made.edits)]).text == text
