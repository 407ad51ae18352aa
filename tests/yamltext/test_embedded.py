"""YAML within block scalars is read and edited in place."""

from __future__ import annotations

import pytest

from gitops_sre import yamltext
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import OPENED, Path

APPLICATION = """\
spec:
  source:
    helm:
      values: |
        # the app
        image:
          tag: v1  # pinned

        hosts:
          - a.example.com
        config: |
          level: info
          ---
          - x
  project: default
"""
VALUES: Path = ("spec", "source", "helm", "values")
TAG: Path = (*VALUES, OPENED, 0, "image", "tag")


def edit(path: Path, before: str | None, after: str | None, raw: str = "") -> FieldEdit:
    return FieldEdit("f", 0, path, before, after, "", raw)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_leaves_stand_instead_of_the_block_and_the_block_can_still_be_read(end: str) -> None:
    text = APPLICATION.replace("\n", end)
    deeper = (*VALUES, OPENED, 0, "config", OPENED)
    assert [scalar.path for scalar in yamltext.scalars(text)] == [
        TAG, (*VALUES, OPENED, 0, "hosts", 0), (*deeper, 0, "level"), (*deeper, 1, 0), ("spec", "project"),
    ]  # fmt: skip
    assert all(text[scalar.start : scalar.end] == scalar.raw for scalar in yamltext.scalars(text))
    assert yamltext.locate(text, 0, TAG).line == 7
    assert (yamltext.get(text, 0, VALUES) or "").startswith("# the app\nimage:\n  tag: v1")
    assert len(yamltext.scalars(text, opened=True)) == 7
    assert yamltext.leaves(text) == {scalar.place: scalar.value for scalar in yamltext.scalars(text)}


@pytest.mark.parametrize(
    ("path", "before", "after", "old", "new"),
    [
        (TAG, "v1", "1.10", "tag: v1", 'tag: "1.10"'),
        ((*VALUES, OPENED, 0, "config", OPENED, 0, "level"), "info", "warn", "level: info", "level: warn"),
        ((*VALUES, OPENED, 0, "image", "name"), None, "web", "# pinned\n", "# pinned\n          name: web\n"),
        ((*VALUES, OPENED, 0, "hosts", 1), None, "b", ".com\n", ".com\n          - b\n"),
        ((*VALUES, OPENED, 0, "config", OPENED, 1, 1), None, "z", "- x\n", "- x\n          - z\n"),
        ((*VALUES, OPENED, 0, "replicas"), None, "3", "- x\n", "- x\n        replicas: 3\n"),
        ((*VALUES, OPENED, 0, "hosts", 0), "a.example.com", None, "          - a.example.com\n", ""),
    ],
)
def test_an_edit_splices_the_bytes_in_the_block(
    path: Path, before: str | None, after: str | None, old: str, new: str
) -> None:
    made = yamltext.rewrite(APPLICATION, [edit(path, before, after)])
    assert made.text == APPLICATION.replace(old, new)
    if before is not None and after is not None:
        assert yamltext.differing(APPLICATION, made.text) == ((0, path),)
    assert yamltext.rewrite(made.text, [each.inverted() for each in made.edits]).text == APPLICATION


def test_the_whole_block_may_be_replaced() -> None:
    whole = yamltext.get(APPLICATION, 0, VALUES)
    made = yamltext.rewrite(APPLICATION, [edit(VALUES, whole, "image:\n  tag: v2\n")])
    assert "      values: |\n        image:\n          tag: v2\n  project" in made.text
    assert yamltext.rewrite(made.text, [made.edits[0].inverted()]).text == APPLICATION


@pytest.mark.parametrize(
    "block",
    ["|\n  a: {{ .x }}\n", "|2\n  a: 1\n", "|\n  just text\n", "|\n  a: 1\n  a: 2\n", "|\n  #!/bin/sh\n  set -e\n",
     "|\n  A=1\n  B=2\n", ">\n  a: 1\n", "|\n  # a: 1\n", "|\n  {}\n", "|\n  [section]\n  key = 1\n"],
)  # fmt: skip
def test_what_is_no_plain_yaml_stays_one_block(block: str) -> None:
    text = f"v: {block}w: 1\n"
    assert [scalar.path for scalar in yamltext.scalars(text)] == [("v",), ("w",)]
    assert yamltext.leaves(text).keys() == {(0, ("v",)), (0, ("w",))}


def test_blocks_in_blocks_are_opened_only_so_deep() -> None:
    text = "a: 1\n"
    for _ in range(8):
        text = "b: |\n" + "".join(f"  {line}\n" for line in text.splitlines())
    (scalar,) = yamltext.scalars(text)
    assert scalar.path.count(OPENED) == 3
    assert scalar.style == "block"
