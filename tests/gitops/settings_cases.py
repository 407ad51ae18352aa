"""Workloads, ConfigMaps and targets in memory, for the tests of where settings are decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_sre.adapters.render import ToolRenderer
from gitops_sre.gitops.configuration import setting_owners
from gitops_sre.model.change import Field
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source, Target, WorkloadRef
from gitops_sre.yamltext import YamlTextError

Place = tuple[str, tuple[str | int, ...]]


@dataclass(frozen=True)
class Tree:
    """Files in memory."""

    files: Mapping[str, str]

    def text(self, path: str) -> str | None:
        return self.files.get(path)

    def under(self, folder: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self.files if not folder or path.startswith(f"{folder}/")))


def workload(name: str, containers: str, *, kind: str = "Deployment", namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"""\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}{where}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
{containers}"""


def reads(config: str, name: str = "web") -> str:
    return f"      - name: {name}\n        image: web:v1\n        envFrom: [{{configMapRef: {{name: {config}}}}}]\n"


def sets(variable: str, value: str, name: str = "web") -> str:
    return f"      - name: {name}\n        image: web:v1\n        env: [{{name: {variable}, value: {value}}}]\n"


def config(name: str, data: str, namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{where}}}\ndata:\n{data}"


def aim(path: str, name: str = "web", *, kind: str = "Deployment", values: tuple[str, ...] = ()) -> Target:
    ref = WorkloadRef(kind, "production" if name else "", name) if name else WorkloadRef("", "", "")
    source = Source("", path, value_files=values, release_name=name, namespace="production")
    return Target(name, "production", "standard", ref, "argocd/web", source)


def owners(files: Mapping[str, str], target: Target, key: str) -> list[tuple[Field, ...]]:
    return setting_owners(Tree(files), target, key)


def places(found: list[tuple[Field, ...]]) -> list[list[Place]]:
    return [[(field.file, field.path) for field in fields] for fields in found]


def the(found: list[tuple[Field, ...]]) -> Place:
    assert [len(each) for each in found] == [1], places(found)
    return found[0][0].file, found[0][0].path


def refusal(files: Mapping[str, str], target: Target, key: str) -> str:
    with pytest.raises(YamlTextError) as caught:
        owners(files, target, key)
    return str(caught.value)


def rendered(folder: Path, files: Mapping[str, str], target: Target) -> str:
    """What kustomize or Helm makes of the files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    objects = ToolRenderer().render(folder, target.source)
    assert not isinstance(objects, Unavailable), objects.reason
    return json.dumps(objects)


def base(*, generator: str = "", body: str = reads("web-config")) -> dict[str, str]:
    return {"base/kustomization.yaml": f"resources: [web.yaml]\n{generator}", "base/web.yaml": workload("web", body)}


GENERATOR = "configMapGenerator:\n- name: web-config\n{}  literals: [LOG=old]\n"
MERGED = GENERATOR.format("  behavior: merge\n")
OVER = "over/kustomization.yaml"
ENV = ("spec", "template", "spec", "containers", 0, "env", 0, "value")
REPLACED = GENERATOR.format("  behavior: replace\n")
DATA = "  LOG: old\n"
FROM_KEY = """\
      - name: web
        image: web:v1
        env: [{name: LOG, valueFrom: {configMapKeyRef: {name: web-config, key: log}}}]
"""


def plain(name: str, data: str, *, namespace: str = "") -> dict[str, str]:
    return {f"m/{name}.yaml": workload(name, reads(f"{name}-config"), namespace=namespace),
            f"m/{name}-config.yaml": config(f"{name}-config", data, namespace)}  # fmt: skip
