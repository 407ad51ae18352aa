"""An Application's spec: where its manifests come from and where they go."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from gitops_sre.sandbox.kubernetes.resources import Key, Manifest

FOLDER = "argocd"

SourceType = Literal["Kustomize", "Helm", "Directory"]


class SpecError(Exception):
    """An Application's manifest cannot be read; the message names the file."""


@dataclass(frozen=True)
class Source:
    """One source. `path` and `value_files` are relative to the repository's root."""

    kind: SourceType
    path: str
    value_files: tuple[str, ...] = ()
    release: str = ""
    recurse: bool = False


@dataclass(frozen=True)
class Spec:
    """An Application as its manifest declares it; `manifest` is what stands in Git."""

    name: str
    namespace: str
    destination: str
    source: Source
    auto_sync: bool
    manifest: Manifest

    @property
    def key(self) -> Key:
        """The identity of the Application object."""
        return Key("Application", self.namespace, self.name)


def specs(root: Path) -> tuple[Spec, ...]:
    """Every Application in the `argocd` folder of a checkout, by name. Raises SpecError."""
    found = []
    for path in sorted((root / FOLDER).rglob("*.yaml")):
        try:
            documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
            applications = [d for d in documents if isinstance(d, dict) and d.get("kind") == "Application"]
            found += [_spec(document, root) for document in applications]
        except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise SpecError(f"{path.relative_to(root)}: no Application: {error!r}") from error
    return tuple(sorted(found, key=lambda spec: spec.name))


def _spec(manifest: Manifest, root: Path) -> Spec:
    spec, metadata = manifest["spec"], manifest["metadata"]
    automated = (spec.get("syncPolicy") or {}).get("automated")
    return Spec(
        name=metadata["name"],
        namespace=metadata.get("namespace", "argocd"),
        destination=spec["destination"].get("namespace", "default"),
        source=_source(spec["source"], metadata["name"], root),
        auto_sync=automated is not None and automated.get("enabled", True),
        manifest=manifest,
    )


def _source(source: Manifest, name: str, root: Path) -> Source:
    """As Argo CD detects it: explicit settings first, then what the folder holds."""
    path = posixpath.normpath(source["path"])
    folder = root / path
    if "helm" in source or (folder / "Chart.yaml").is_file():
        helm = source.get("helm") or {}
        files = tuple(posixpath.normpath(posixpath.join(path, file)) for file in helm.get("valueFiles", ()))
        return Source("Helm", path, files, helm.get("releaseName", name))
    names = ("kustomization.yaml", "kustomization.yml", "Kustomization")
    if "directory" not in source and any((folder / file).is_file() for file in names):
        return Source("Kustomize", path)
    return Source("Directory", path, recurse=bool((source.get("directory") or {}).get("recurse")))
