"""Flux's objects as nouns."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.gitops.files import plain_path
from gitops_sre.gitops.flux.objects import Object

KUSTOMIZATION = "kustomize.toolkit.fluxcd.io"
_UNNAMED = "default"


@dataclass(frozen=True)
class Reference:
    """A reference to another object; an empty namespace is that of the object which refers."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Kustomization:
    """A Flux Kustomization: a folder that it applies. `path` is `spec.path` as a path of the repository (the folder
    in an artifact, where the source is one that was put together)."""

    object: Object
    path: str
    source: Reference
    target_namespace: str
    suspended: bool
    components: tuple[str, ...]
    substitute_from: tuple[Reference, ...]

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.object.namespace or _UNNAMED}/{self.object.name}"


@dataclass(frozen=True)
class ValuesFrom:
    """One entry of `spec.valuesFrom`. With `target_path` the value is put there; else it is a file of values."""

    kind: str
    name: str
    values_key: str
    target_path: str


@dataclass(frozen=True)
class HelmRelease:
    """A HelmRelease. `chart` is the name in `spec.chart`, or empty with `chart_ref`; `source` is what it comes from."""

    object: Object
    chart: str
    source: Reference
    from_reference: bool
    release_name: str
    suspended: bool
    values_from: tuple[ValuesFrom, ...]


def kustomization(item: Object) -> Kustomization:
    """A Flux Kustomization from its object."""
    spec = "spec"
    return Kustomization(
        item,
        plain_path(item.value(spec, "path")),
        _reference(item, spec, "sourceRef"),
        item.value(spec, "targetNamespace"),
        item.value(spec, "suspend") == "true",
        tuple(item.value(spec, "components", at) for at in item.children(spec, "components")),
        tuple(
            _reference(item, spec, "postBuild", "substituteFrom", at)
            for at in item.children(spec, "postBuild", "substituteFrom")
        ),
    )


def is_kustomization(item: Object) -> bool:
    """Whether it is Flux's Kustomization, not kustomize's."""
    return item.kind == "Kustomization" and item.group == KUSTOMIZATION


def helm_release(item: Object) -> HelmRelease:
    """A HelmRelease from its object."""
    by_reference = bool(item.value("spec", "chartRef", "name"))
    where = ("spec", "chartRef") if by_reference else ("spec", "chart", "spec", "sourceRef")
    target = item.value("spec", "targetNamespace")
    name = item.value("spec", "releaseName") or (f"{target}-{item.name}" if target else item.name)
    return HelmRelease(
        item,
        "" if by_reference else item.value("spec", "chart", "spec", "chart"),
        _reference(item, *where),
        by_reference,
        name,
        item.value("spec", "suspend") == "true",
        tuple(
            ValuesFrom(
                item.value("spec", "valuesFrom", at, "kind"),
                item.value("spec", "valuesFrom", at, "name"),
                item.value("spec", "valuesFrom", at, "valuesKey") or "values.yaml",
                item.value("spec", "valuesFrom", at, "targetPath"),
            )
            for at in item.children("spec", "valuesFrom")
        ),
    )


def refers(reference: Reference, referrer: Object, item: Object) -> bool:
    """Whether a reference means an object; a namespace that no file says may be any."""
    namespace = reference.namespace or referrer.namespace
    same = not namespace or not item.namespace or namespace == item.namespace
    return same and (reference.kind, reference.name) == (item.kind, item.name)


def _reference(item: Object, *path: str | int) -> Reference:
    return Reference(item.value(*path, "kind"), item.value(*path, "namespace"), item.value(*path, "name"))
