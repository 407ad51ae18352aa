"""Objects of a kustomization with everything that its layers say about them, weakest first.

Order of authority, strongest first, in each layer: `replicas:` > `patchesJson6902` > `patches` (the last of them) >
`patchesStrategicMerge` > components (last first) > what is included. Source: the order in which kustomize runs its
built-in transformers, and that an overlay runs after its bases.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gitops_sre import yamltext
from gitops_sre.gitops.files import KUSTOMIZATIONS, AtCommit, Document, documents, indexes, join, value
from gitops_sre.gitops.kustomize import Layer
from gitops_sre.gitops.ownership.parts import Part, Thing, below, stands, things
from gitops_sre.model.change import Field
from gitops_sre.model.target import ObjectField
from gitops_sre.yamltext import Path, Scalar

_REPLICA_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})
"""Kinds whose count `replicas:` sets; others pass it by."""
_REPLICAS = ("spec", "replicas")
_MAX_READERS = 500


@dataclass(frozen=True)
class Placed:
    """An object and the kustomizations that it passes through, the outermost first."""

    thing: Thing
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class _Patch:
    """A patch of a layer: its text as documents, and the entry that brings it in."""

    file: str
    number: int
    view: Document
    prefix: Path
    target: Mapping[str, str]
    origin: str
    closed: bool = False


def placed(files: AtCommit, layer: Layer, at: ObjectField) -> list[Placed]:
    """The objects of a kustomization that a field's address names. Raises YamlTextError."""
    inner = _unaffixed(layer, at)
    found = [Placed(thing, ()) for path in layer.resources for thing in things(files, path, inner)]
    for include in (*layer.bases, *layer.components):
        found += placed(files, include, inner)
    return [layered(files, layer, each, {at.name, inner.name}) for each in found]


def owners(files: AtCommit, found: Placed, path: tuple[str, ...]) -> tuple[Field, ...]:
    """The fields that decide a field of an object, or where it would be inserted. Where the place is read by other
    kustomizations too, one of the outermost overlay's own is taken if it has one. Raises YamlTextError."""
    thing, overlay = found.thing, found.layers[0]
    deciding = thing.deciding(path)
    where = deciding[0].file if deciding else thing.manifest.file
    others = readers(files, found, where)
    if not others:
        return deciding or thing.insertable(path)
    shared = f"{len(others)} more kustomizations read {where}: {', '.join(others[:5])}"
    if where != overlay.file and (own := _own_place(found, overlay, path)):
        return tuple(replace(field, reason=f"{field.reason}; {shared}") for field in own)
    fields = deciding or thing.insertable(path)
    return tuple(replace(field, reason=f"{field.reason}, the only place; {shared}") for field in fields)


def readers(files: AtCommit, found: Placed, file: str) -> list[str]:
    """Folders of further kustomizations that read a file, themselves or through others: an edit reaches them too."""
    own = {folder for layer in found.layers for folder in _folders(layer)}
    queue = [posixpath.dirname(file) if posixpath.basename(file) in KUSTOMIZATIONS else file]
    passed = {queue[0]}
    while queue and len(passed) < _MAX_READERS:
        for folder in _includers(files, queue.pop()):
            if folder not in passed:
                passed.add(folder)
                queue.append(folder)
    return sorted(passed - own - {file})


def _folders(layer: Layer) -> Iterator[str]:
    """A layer's folder and those of its components."""
    yield posixpath.dirname(layer.file)
    for component in layer.components:
        yield from _folders(component)


def _includers(files: AtCommit, wanted: str) -> Iterator[str]:
    """Folders of the kustomizations that name a file or folder."""
    last = posixpath.basename(wanted)
    for path in files.repository.mentioning(files.commit, last) if last else ():
        if posixpath.basename(path) in KUSTOMIZATIONS:
            here, document = posixpath.dirname(path), next(iter(documents(files, path)), {})
            if any(join(here, scalar.value) == wanted for scalar in document.values() if scalar.value):
                yield here


def _own_place(found: Placed, overlay: Layer, path: tuple[str, ...]) -> tuple[Field, ...]:
    """Where the overlay itself can set a field over a base: a patch of its own for the object, or `replicas:`."""
    thing = found.thing
    if path == _REPLICAS and thing.kind in _REPLICA_KINDS:
        reason = f"`replicas:` of {overlay.file} sets it for this overlay alone"
        at = ("replicas", len(indexes(overlay.document, "replicas")))
        return (
            Field(overlay.file, 0, (*at, "name"), "name", thing.name, "", reason, present=False),
            Field(overlay.file, 0, (*at, "count"), "value", "", "", reason, present=False),
        )
    folder = posixpath.dirname(overlay.file)
    for part in reversed(thing.parts[thing.own + 1 :]):
        if not part.pointed and (part.file == overlay.file or posixpath.dirname(part.file) == folder):
            return tuple(part.field(spot, f"{part.reason}, for this overlay alone") for spot in part.spots(path))
    return ()


def layered(files: AtCommit, layer: Layer, found: Placed, names: set[str]) -> Placed:
    """An object with what this layer says about it put over the rest. `names` are those that it bears there."""
    thing = found.thing
    names = names | {thing.name}
    parts = [*thing.parts]
    for component in layer.components:
        if component not in found.layers:
            parts += _said(files, component, thing, names)
    parts += _own(files, layer, thing, names)
    return Placed(replace(thing, parts=tuple(parts)), (layer, *found.layers))


def _said(files: AtCommit, layer: Layer, thing: Thing, names: set[str]) -> Iterator[Part]:
    """What a component, and those that it includes, say about an object."""
    for inner in (*layer.bases, *layer.components):
        yield from _said(files, inner, thing, names)
    yield from _own(files, layer, thing, names)


def _own(files: AtCommit, layer: Layer, thing: Thing, names: set[str]) -> Iterator[Part]:
    """What a layer's own entries say about an object, in the order in which they are applied."""
    for patch in _patches(files, layer):
        if _applies(patch, thing, names):
            yield _as_part(patch, layer)
    if thing.kind in _REPLICA_KINDS:
        for at in sorted(indexes(layer.document, "replicas")):
            count = layer.document.get(("replicas", at, "count"))
            if value(layer.document, "replicas", at, "name") in names and count is not None:
                reason = f"`replicas:` of {layer.file} sets it, over everything it includes"
                yield Part(layer.file, 0, {_REPLICAS: count}, (), reason, pointed=True)


def _patches(files: AtCommit, layer: Layer) -> Iterator[_Patch]:
    folder, document = posixpath.dirname(layer.file), layer.document
    for at in sorted(indexes(document, "patchesStrategicMerge")):
        yield from _opened(files, layer, folder, ("patchesStrategicMerge", at), {})
    for section in ("patches", "patchesJson6902"):
        for at in sorted(indexes(document, section)):
            target = {str(path[0]): each.value for path, each in below(document, (section, at, "target")).items()}
            for key in ("path", "patch"):
                if stands(document, (section, at, key)):
                    yield from _opened(files, layer, folder, (section, at, key), target)


def _opened(files: AtCommit, layer: Layer, folder: str, place: Path, target: Mapping[str, str]) -> Iterator[_Patch]:
    """The documents of a patch: those of the file that is named, or of the text that stands there."""
    text = value(layer.document, *place)
    path = join(folder, text) if text and text.isprintable() else None
    if path is not None and files.text(path) is not None:
        for number, document in enumerate(documents(files, path)):
            yield _Patch(path, number, document, (), target, f"the patch {path}")
        return
    origin = f"a patch in {layer.file}"
    if not stands(layer.document, (*place, "|yaml")):
        yield from _closed(layer, text, target, origin)
        return
    for number in sorted(indexes(layer.document, *place, "|yaml")):
        prefix = (*place, "|yaml", number)
        yield _Patch(layer.file, 0, below(layer.document, prefix), prefix, target, origin)


def _closed(layer: Layer, text: str, target: Mapping[str, str], origin: str) -> Iterator[_Patch]:
    """An inline patch that is no block of YAML: it is read, and refused where it turns out to decide."""
    views: dict[int, dict[Path, Scalar]] = {}
    for scalar in yamltext.scalars(text):
        views.setdefault(scalar.document, {})[scalar.path] = scalar
    yield from (_Patch(layer.file, 0, view, (), target, origin, closed=True) for view in views.values())


def _applies(patch: _Patch, thing: Thing, names: set[str]) -> bool:
    """Whether a patch is for an object: its entry's target says so, or else its own kind and name."""
    if not patch.target:
        return value(patch.view, "kind") == thing.kind and value(patch.view, "metadata", "name") in names
    kind, name = patch.target.get("kind", ""), patch.target.get("name", "")
    if kind and not re.fullmatch(kind, thing.kind):
        return False
    return not name or any(re.fullmatch(name, each) for each in names)


def _as_part(patch: _Patch, layer: Layer) -> Part:
    reason = f"{patch.origin} sets it, over what {layer.file} includes"
    selectors = [key for key in ("labelSelector", "annotationSelector") if key in patch.target]
    if selectors:
        reason = f"{reason} (by a {selectors[0]}, which the proof must confirm)"
    if not indexes(patch.view):
        removes = tuple(path[:-1] for path in patch.view if path[-1] == "$patch")
        return Part(patch.file, patch.number, patch.view, patch.prefix, reason, removes=removes, closed=patch.closed)
    view: dict[Path, Scalar] = {}
    removed: list[Path] = []
    for at in sorted(indexes(patch.view)):
        pointer = _pointer(value(patch.view, at, "path"))
        if value(patch.view, at, "op") == "remove":
            removed.append(pointer)
        view |= {(*pointer, *rest): scalar for rest, scalar in below(patch.view, (at, "value")).items()}
    return Part(
        patch.file, patch.number, view, patch.prefix, reason, pointed=True, removes=tuple(removed), closed=patch.closed
    )


def _pointer(text: str) -> Path:
    """A JSON pointer (RFC 6901) as a path; numbers are positions."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _unaffixed(layer: Layer, at: ObjectField) -> ObjectField:
    """The address before this layer's prefix, suffix and namespace."""
    name = at.name
    prefix, suffix = value(layer.document, "namePrefix"), value(layer.document, "nameSuffix")
    if prefix and name.startswith(prefix):
        name = name.removeprefix(prefix)
    if suffix and name.endswith(suffix):
        name = name.removesuffix(suffix)
    namespace = "" if value(layer.document, "namespace") else at.namespace
    return replace(at, name=name, namespace=namespace)
