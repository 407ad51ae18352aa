"""docs/configuration.md: its examples work, and it leaves no setting out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from gitops_sre.adapters.kubernetes import FLUX, KINDS, VERSIONS
from gitops_sre.settings import Settings, load

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SETTINGS = next(example for example in EXAMPLES if example.startswith("github:"))
MANIFESTS = next(example for example in EXAMPLES if "ClusterRole" in example)


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key that a settings file may hold, as `section.key`."""
    for name, field in model.model_fields.items():
        parts = (field.annotation, *get_args(field.annotation))
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        for section in inner:
            yield from keys(section, f"{prefix}{name}.")
        if not inner:
            yield prefix + name


def test_the_table_lists_every_setting_once_and_nothing_else() -> None:
    rows = re.findall(r"^\| `([a-zA-Z_.0-9\[\]]+)` \|", PAGE.partition("## Every setting")[2], re.MULTILINE)
    listed = [row.replace(".NAME", "").replace("[]", "") for row in rows]
    assert sorted(listed) == sorted(keys(Settings))


def test_every_setting_is_explained() -> None:
    assert re.findall(r"^\| `[^`]+` \|.*\| +\|$", PAGE, re.MULTILINE) == []


def test_the_example_is_a_settings_file(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    settings = load(tmp_path / "settings.yaml", {})
    assert settings.github.repository == "acme/infra"
    assert settings.slos[0].error_ratio == 0.001


def test_the_role_only_reads_and_reads_what_is_asked_for() -> None:
    manifests: list[Any] = list(yaml.safe_load_all(MANIFESTS))
    (role,) = (manifest for manifest in manifests if manifest["kind"] == "ClusterRole")
    (binding,) = (manifest for manifest in manifests if manifest["kind"] == "ClusterRoleBinding")
    granted = {(group, name) for rule in role["rules"] for group in rule["apiGroups"] for name in rule["resources"]}
    asked = {("argoproj.io", "applications"), ("events.k8s.io", "events")}
    asked |= set(FLUX.items())
    assert granted == asked | {("apps", plural) for plural in (*KINDS.values(), *VERSIONS)}
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
