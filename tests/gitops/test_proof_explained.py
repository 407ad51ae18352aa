"""Whether a rendered difference follows from the edits: values swapped, inserted, removed, moved together, renamed."""

from __future__ import annotations

import pytest

from gitops_sre.gitops.explain import FieldDiff, explanation
from gitops_sre.model.change import Change, FieldEdit, FileEdit

HEX, OTHER = "ab" * 32, "cd" * 32


def swap(before: str | None, after: str | None, raw: tuple[str, str] = ("", "")) -> FieldEdit:
    return FieldEdit("f.yaml", 0, ("a",), before, after, raw[0] or before or "", raw[1] or after or "")


def follows(
    before: str | None, after: str | None, *edits: FieldEdit, path: str = "spec.x", files: tuple[FileEdit, ...] = ()
) -> bool:
    return explanation(Change("b", edits, files)).follows(FieldDiff(path, before, after))


@pytest.mark.parametrize(
    ("before", "after", "edits"),
    [
        ("v2", "v1", [swap("v2", "v1")]),
        ("shop/web:v2", "shop/web:v1", [swap("v2", "v1")]),
        ("shop/web:v2-alpine", "shop/web:v1-alpine", [swap("v2", "v1")]),
        ("shop/web:v1.3", "shop/web:v1.2", [swap("1.3", "1.2")]),  # the chart writes the `v`
        ("shop/web:v2@sha256:aa", "shop/web:v1@sha256:bb", [swap("v2", "v1"), swap("sha256:aa", "sha256:bb")]),
        ("reg.example.com/a:1", "mirror.example.com/a:1", [swap("reg.example.com/a", "mirror.example.com/a")]),
        ("url=http://x/v2?mode=v2", "url=http://x/v1?mode=v1", [swap("v2", "v1")]),
        ("info", "debug", [swap("level=info", "level=debug")]),  # a literal of a generator
        (None, "5", [swap(None, "5")]),
        (None, "soft", [swap(None, "", ("", "affinity:\n  kind: soft\n  weight: 3"))]),  # nested in what is inserted
        ("shop/web:v2", "shop/web:v1", [swap(None, "v1", ("", "newTag: v1"))]),
        ("shop/web", "shop/web:v1", [swap(None, "v1", ("", "newTag: v1"))]),
        ("shop/web:v2", "shop/web@sha256:aa", [swap(None, "sha256:aa")]),
        ("shop/web:v9", "shop/web:v1", [swap("v9", None, ("newTag: v9", ""))]),  # what the override had covered
        ("5", None, [swap("5", None)]),
        ("shop/web:v2@sha256:aa", "shop/web:v1", [swap("v2", "v1"), swap("sha256:aa", None)]),
    ],
)
def test_what_the_edits_account_for(before: str | None, after: str | None, edits: list[FieldEdit]) -> None:
    assert follows(before, after, *edits)


@pytest.mark.parametrize(
    ("before", "after", "edits"),
    [
        ("shop/web:v2", "shop/web:v3", [swap("v2", "v1")]),
        ("shop/web:v2", "shop/api:v1", [swap("v2", "v1")]),
        ("shop/web:v10", "shop/web:v20", [swap("v1", "v2")]),
        ("10", "20", [swap("1", "2")]),
        (None, "6", [swap(None, "5")]),
        ("5", None, [swap("5", "6")]),
        (None, "5", [swap("4", "5")]),  # a value that changes explains no field that was not there
        ("shop/web:v2", "shop/api:v1", [swap(None, "v1")]),
        ("shop/web:v9", "shop/api:v1", [swap("v9", None)]),
        ("1.2", "1.1", [swap("1.2", "1.10")]),  # a reader took the version for a number
        (HEX, OTHER, [swap("v2", "v1")]),
    ],
)
def test_what_they_do_not_account_for(before: str | None, after: str | None, edits: list[FieldEdit]) -> None:
    assert not follows(before, after, *edits)


def test_a_checksum_that_restarts_pods_follows_only_as_an_annotation() -> None:
    path = "spec.template.metadata.annotations.checksum/config"
    assert follows(HEX, OTHER, swap("v2", "v1"), path=path)
    assert not follows(HEX, "anything", swap("v2", "v1"), path=path)
    assert not follows(HEX, OTHER, swap("v2", "v1"), path="data.sum")


def test_a_whole_file_in_a_config_map_follows_from_an_edit_inside_it() -> None:
    one, two = (
        '{"flags": {"new": {"on": "off"}, "old": {"on": "off"}}}\n',
        '{"flags": {"new": {"on": "on"}, "old": {"on": "off"}}}\n',
    )
    file = FileEdit("flags.json", one, two)
    assert follows(one, two, swap("off", "on"), path="data.flags.json", files=(file,))
    assert follows(one.rstrip(), two.rstrip(), swap("off", "on"), path="data.flags.json", files=(file,))
    stray = two.replace('"old": {"on": "off"}', '"old": {"on": "maybe"}')
    assert not follows(one, stray, swap("off", "on"), path="data.flags.json", files=(file,))


def test_a_block_scalar_follows_from_an_edit_inside_it() -> None:
    before = "data:\n  app.yaml: |\n    level: info\n    other: info\n"
    file = FileEdit("f.yaml", before, before.replace("level: info", "level: debug"))
    edit = FieldEdit("f.yaml", 0, ("data", "app.yaml", "|yaml", 0, "level"), "info", "debug", "info", "debug")
    assert follows("level: info\nother: info\n", "level: debug\nother: info\n", edit, files=(file,))


def test_a_new_name_of_a_generated_object_is_accounted_for_in_every_reference() -> None:
    known = explanation(Change("b", (swap("a", "b"),), ()), [("conf-7t88m9hk2c", "conf-4gf6bhd2c9")])
    assert known.follows(FieldDiff("spec.volumes[0].configMap.name", "conf-7t88m9hk2c", "conf-4gf6bhd2c9"))
    assert not known.follows(FieldDiff("spec.volumes[0].configMap.name", "conf-7t88m9hk2c", "conf-other"))
