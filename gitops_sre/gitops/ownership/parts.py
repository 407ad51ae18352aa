"""Where a field of a rendered object can stand in the texts that make the object: manifests, patches, values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitops_sre.gitops.files import AtCommit, Document, documents, indexes, value
from gitops_sre.model.change import Field
from gitops_sre.model.target import ObjectField
from gitops_sre.yamltext import Path, Scalar, YamlTextError

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "CronJob", "Job"})
SCALERS: Mapping[str, Path] = {
    "HorizontalPodAutoscaler": ("spec", "scaleTargetRef"),
    "ScaledObject": ("spec", "scaleTargetRef"),
    "VerticalPodAutoscaler": ("spec", "targetRef"),
    "Canary": ("spec", "targetRef"),
}
"""Kinds that are looked up by the workload that they scale, not by a name of their own, and where they name it."""

_SELECTOR = re.compile(r"\[([^=\]]+)=([^\]]*)\]")


@dataclass(frozen=True)
class Spot:
    """A path in a text: with its scalar, or with what else stands there."""

    path: Path
    scalar: Scalar | None = None
    filled: bool = False
    """Whether a collection stands there."""


@dataclass(frozen=True)
class Part:
    """A text that says something about an object. `view` are its scalars by their path in the object; what is not
    there would be inserted below `prefix`. `pointed` views name list items by number (JSON patches)."""

    file: str
    number: int
    view: Document
    prefix: Path
    reason: str
    pointed: bool = False
    removes: tuple[Path, ...] = ()
    """Paths that a patch takes away."""
    closed: bool = False
    """Whether it can be read and not edited: a text within quotes."""

    def spots(self, path: tuple[str, ...], exact: Sequence[Path] = ()) -> list[Spot]:
        """Where a field stands or would stand. `exact` are its paths in the object's manifest."""
        return [_spot(self.view, each) for each in exact] if self.pointed else spots(self.view, path)

    def field(self, spot: Spot, reason: str = "") -> Field:
        """A spot as the owner of a value."""
        why = reason or self.reason
        if spot.scalar is None:
            return Field(self.file, self.number, (*self.prefix, *spot.path), "value", "", "", why, present=spot.filled)
        scalar = spot.scalar
        return Field(self.file, self.number, scalar.path, "value", scalar.value, scalar.raw, why)


@dataclass(frozen=True)
class Thing:
    """An object with all that is said about it; later parts win. `own` is the part that is its manifest: those before
    it are what the manifest refers to."""

    kind: str
    name: str
    parts: tuple[Part, ...]
    own: int = 0

    @property
    def manifest(self) -> Part:
        """The text that brings the object into being."""
        return self.parts[self.own]

    def exact(self, path: tuple[str, ...]) -> list[Path]:
        """A field's paths in the manifest."""
        return [spot.path for spot in self.manifest.spots(path)]

    def deciding(self, path: tuple[str, ...]) -> tuple[Field, ...]:
        """The fields of the strongest part that sets a field; none when no part does."""
        exact = self.exact(path)
        for part in reversed(self.parts):
            found = [spot for spot in part.spots(path, exact) if spot.scalar is not None or spot.filled]
            if found and part.closed:
                raise YamlTextError(
                    f"{part.file}: an inline patch in quotes sets {'.'.join(path)}; make it a block (|-)"
                )
            if found:
                return tuple(part.field(spot) for spot in found)
            _not_removed(part, exact)
        return ()

    def insertable(self, path: tuple[str, ...]) -> tuple[Field, ...]:
        """Where the field would stand in the manifest. Raises YamlTextError when a list has no such item."""
        found = self.manifest.spots(path)
        if not found:
            part = self.manifest
            raise YamlTextError(
                f"{part.file}: {self.kind} {self.name} has no {'.'.join(path)}{_items(part.view, path)}"
            )
        return tuple(self.manifest.field(spot, f"{self.manifest.reason}, which does not set it yet") for spot in found)


def spots(view: Document, path: tuple[str, ...], at: Path = ()) -> list[Spot]:
    """Where a path of an object is in a text. `[name=app]` is the item of that name, `[]` every item; a list without
    such an item gives nothing."""
    for number, part in enumerate(path):
        if part == "[]":
            return [
                spot for item in sorted(indexes(view, *at)) for spot in spots(view, path[number + 1 :], (*at, item))
            ]
        if selector := _SELECTOR.fullmatch(part):
            keys = selector[1].split(".")
            named = [item for item in indexes(view, *at) if value(view, *at, item, *keys) == selector[2]]
            return [spot for item in named for spot in spots(view, path[number + 1 :], (*at, item))]
        at = (*at, part)
        if part == "|yaml":
            at = (*at, 0)
    return [_spot(view, at)]


def stands(view: Document, path: Path) -> bool:
    """Whether anything stands at a path or below it."""
    return any(each[: len(path)] == path for each in view)


def below(document: Document, prefix: Path) -> Document:
    """What stands below a path, by the rest of its path."""
    size = len(prefix)
    return {path[size:]: scalar for path, scalar in document.items() if path[:size] == prefix}


def things(files: AtCommit, file: str, at: ObjectField) -> Iterator[Thing]:
    """The objects of a manifest file that a field's address names. Raises YamlTextError."""
    text = files.text(file) or ""
    if at.name not in text or at.kind not in text:
        return  # before it is parsed, which takes far longer and may fail for reasons that do not matter here
    for number, document in enumerate(documents(files, file)):
        for root in _roots(document):
            view = below(document, root)
            if is_named(view, at):
                kind, name = value(view, "kind"), value(view, "metadata", "name")
                yield Thing(kind, name, (Part(file, number, view, root, f"{kind} {name} in {file}"),))


def is_named(view: Document, at: ObjectField) -> bool:
    """Whether an object is the one that a field's address names; see SCALERS for kinds that scale others."""
    kind, namespace = value(view, "kind"), value(view, "metadata", "namespace")
    if not _is_kind(kind, at.kind) or (namespace and at.namespace and namespace != at.namespace):
        return False
    if kind in SCALERS:
        return value(view, *SCALERS[kind], "name") == at.name
    return not at.name or value(view, "metadata", "name") == at.name


def _is_kind(kind: str, wanted: str) -> bool:
    return kind == wanted if wanted else kind in WORKLOADS


def _roots(document: Document) -> Iterator[Path]:
    if value(document, "kind").endswith("List"):
        yield from (("items", item) for item in indexes(document, "items"))
    else:
        yield ()


def _spot(view: Document, path: Path) -> Spot:
    scalar = view.get(path)
    return Spot(path, scalar, filled=scalar is None and stands(view, path))


def _not_removed(part: Part, exact: Sequence[Path]) -> None:
    for removed in part.removes:
        if any(path[: len(removed)] == removed for path in exact):
            raise YamlTextError(f"{part.file}: a patch removes {'.'.join(map(str, removed))}; edit that patch by hand")


def _items(view: Document, path: tuple[str, ...]) -> str:
    """Which items the first list of a path has instead, for people."""
    at: Path = ()
    for part in path:
        if selector := _SELECTOR.fullmatch(part):
            names = [value(view, *at, item, *selector[1].split(".")) for item in indexes(view, *at)]
            return f"; it has {', '.join(filter(None, names)) or 'none'}"
        at = (*at, part)
    return ""
