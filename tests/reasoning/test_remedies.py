"""Each kind of change is undone by the narrowest action that does so exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.action import ACTIONS
from gitops_sre.model.change_feed import ChangeKind, FieldChange
from gitops_sre.model.plan import NeedsHuman
from gitops_sre.model.target import SourceKind
from gitops_sre.reasoning.remedies import Remedy, undo
from tests.reasoning.cases import change

SHA = "c" * 40
Path = tuple[str | int, ...]


def field(
    path: Path, before: str | None, after: str | None, kind: ChangeKind = "config", name: str = ""
) -> FieldChange:
    return FieldChange("f.yaml", 0, path, before, after, kind, name)


def undone(*fields: FieldChange, kind: ChangeKind = "config", source: SourceKind = "kustomize") -> Remedy:
    found = undo(replace(change(kind=kind), fields=fields), source)
    assert isinstance(found, Remedy), found
    assert ACTIONS[found.action].spec.problem(found.parameters) == ""
    assert found.culprit == SHA
    return found


LITERAL: Path = ("configMapGenerator", 0, "literals", 1)
VARIABLE: Path = ("spec", "template", "spec", "containers", 0, "env", 1, "value")


@pytest.mark.parametrize(
    ("moved", "source", "key"),
    [
        (field(LITERAL, "POOL=40", "POOL=2", name="POOL"), "kustomize", "POOL"),
        (field(LITERAL, "POOL='40'", 'POOL="2"', name="POOL"), "kustomize", "POOL"),
        (field(VARIABLE, "40", "2", name="POOL"), "directory", "POOL"),
        (field(("data", "POOL"), "40", "2"), "directory", "POOL"),
        (field(("env", "POOL"), "40", "2"), "helm", "env.POOL"),
    ],
    ids=["literal", "quoted literal", "variable", "ConfigMap", "Helm value"],
)
def test_one_setting_gets_its_value_back_where_it_is_still_the_culprits(
    moved: FieldChange, source: SourceKind, key: str
) -> None:
    found = undone(moved, source=source)
    assert (found.action, found.parameters) == ("set_config", {"key": key, "value": "40", "was": "2"})
    assert found.what == f"cccccccccccc moved {key} from 40 to 2"


@pytest.mark.parametrize(
    ("moved", "parameters"),
    [
        (field(("data", "FEATURE_A"), "off", "on", "flag"), {"flag": "FEATURE_A", "value": "off", "was": "on"}),
        (field(("data", "f.json", "flags", "a", "defaultVariant"), "old", "new", "flag"),
         {"flag": "a", "value": "old", "was": "new"}),
        (field(("spec", "flagSpec", "flags", "a", "state"), "ENABLED", "DISABLED", "flag"),
         {"flag": "a", "value": "enabled", "was": "DISABLED"}),
    ],
    ids=["switch", "variant", "state"],
)  # fmt: skip
def test_one_flag_is_set_back(moved: FieldChange, parameters: dict[str, str]) -> None:
    found = undone(moved, kind="flag")
    assert (found.action, found.parameters) == ("set_flag", parameters)


def test_a_flag_with_other_words_than_on_and_off_is_a_setting() -> None:
    assert undone(field(("data", "FEATURE_A"), "10%", "50%", "flag"), kind="flag").action == "set_config"


@pytest.mark.parametrize(
    "fields",
    [
        (field(("data", "POOL"), "40", "2"), field(("data", "TIMEOUT"), "5", "9")),
        (field(("data", "POOL"), None, "2"),),
        (field(("data", "POOL"), "40", None),),
        (field(("data", "app.conf"), "a\nb", "a\nc"),),
        (field(("data", "app.yaml", "server", "timeout"), "5", "9"),),
        (field(VARIABLE, "40", "2"),),
        (field(("spec", "replicas"), "4", "1", "scale"),),
        (field(("resources", "limits", "memory"), "1Gi", "64Mi", "resources"),),
        (field(("spec", "flagSpec", "flags", "a", "targeting"), "x", "y", "flag"),),
    ],
    ids=[
        "two settings", "a new one", "a removed one", "a whole text", "inside a file", "a variable without a name",
        "replicas", "resources", "a flag's rules",
    ],
)  # fmt: skip
def test_everything_else_is_undone_as_the_commit_did_it(fields: tuple[FieldChange, ...]) -> None:
    found = undone(*fields, kind=fields[0].kind)
    assert (found.action, found.parameters) == ("revert_change", {"culprit": SHA})


IMAGE = field(("images", 0), "shop/checkout:v1", "shop/checkout:v2", "image")


@pytest.mark.parametrize("kind", ["config", "flag", "resources", "scale", "infrastructure"])
def test_an_image_that_came_with_settings_is_undone_together_with_them(kind: ChangeKind) -> None:
    found = undone(IMAGE, field(("data", "POOL"), "40", "2", kind), kind="image")
    assert found.action == "revert_change"
    assert found.what == "cccccccccccc changed images, POOL of checkout"


def test_what_merely_comes_with_an_image_does_not_hinder_its_rollback() -> None:
    label = field(("labels", "version"), "v1", "v2", "other")
    assert undone(IMAGE, label, kind="image").action == "rollback_image"


def test_a_change_without_values_needs_a_person() -> None:
    found = undo(replace(change(kind="other"), fields=()), "kustomize")
    assert isinstance(found, NeedsHuman)
    assert "value by value" in found.reason


def test_values_of_many_fields_are_not_repeated() -> None:
    fields = [field(("data", f"K{n}"), f"secret-{n}", "x") for n in range(5)]
    assert undone(*fields).what == "cccccccccccc changed K0, K1, K2 and 2 more of checkout"
