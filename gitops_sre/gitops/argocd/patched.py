"""Applications as kustomizations apply them: an overlay may patch what a base declares, and then the patch decides."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from gitops_sre.gitops import kustomize
from gitops_sre.gitops.argocd.manifests import KINDS, Manifest
from gitops_sre.gitops.files import KUSTOMIZATIONS, AtCommit, Files, join, kustomization_in
from gitops_sre.gitops.flux import patches
from gitops_sre.gitops.flux.objects import held_in
from gitops_sre.gitops.index import inclusions
from gitops_sre.gitops.kustomize import Layer
from gitops_sre.yamltext import YamlTextError

_Built = tuple[Manifest, ...]


def applied(files: Files, declared: Sequence[Manifest]) -> Iterator[Manifest]:
    """The objects as they are applied: once for each topmost kustomization that patches one, else as declared.

    An object that is a patch itself declares nothing and is left out.
    """
    by_file: dict[str, list[Manifest]] = {}
    for each in declared:
        by_file.setdefault(each.object.file, []).append(each)
    layers = tuple(_patching(files, by_file))
    used_as_patch = {path for layer in layers for path in _patch_files(layer)}
    inner = {each.file for layer in layers for each in _below(layer)}
    found: dict[tuple[str, int], list[Manifest]] = {}
    for layer in layers:
        if layer.file not in inner:
            for made in _built(files, layer, by_file):
                found.setdefault((made.object.file, made.object.document), []).append(made)
    for each in declared:
        if each.object.file in used_as_patch:
            continue
        variants = found.get((each.object.file, each.object.document), [])
        changed = [made for made in variants if made.object.tree != each.object.tree]
        yield from variants if changed else [each]


def _patching(files: Files, by_file: Mapping[str, Sequence[Manifest]]) -> Iterator[Layer]:
    """Kustomizations that may patch one of the objects: they name the kind, or a patch file that does."""
    for path in _reading(files, by_file):
        text = files.text(path) or ""
        if "atch" not in text or not _names_kind(path, text, by_file):
            continue
        try:
            layer = kustomize.read(files, posixpath.dirname(path))
        except YamlTextError:
            continue
        if not layer.inputs.isdisjoint(by_file):
            yield layer


def _reading(files: Files, by_file: Mapping[str, Sequence[Manifest]]) -> Iterable[str]:
    """Kustomization files that may read one of some files: from the index, where there is one."""
    if not isinstance(files, AtCommit):
        return [path for path in files.under("") if posixpath.basename(path) in KUSTOMIZATIONS]
    index = inclusions(files.repository)
    folders = sorted({folder for file in by_file for folder in index.readers(files.commit, file)})
    return [path for folder in folders if (path := kustomization_in(files, folder)) is not None]


def _names_kind(path: str, text: str, by_file: Mapping[str, Sequence[Manifest]]) -> bool:
    words = (word.strip("\"',") for word in text.split())
    files = (join(posixpath.dirname(path), word) for word in words if word.endswith((".yaml", ".yml", ".json")))
    return any(kind in text for kind in KINDS) or any(file in by_file for file in files)


def _patch_files(layer: Layer) -> set[str]:
    return set(layer.patches).union(*(_patch_files(each) for each in (*layer.bases, *layer.components)))


def _below(layer: Layer) -> Iterator[Layer]:
    for each in (*layer.bases, *layer.components):
        yield each
        yield from _below(each)


def _built(files: Files, layer: Layer, by_file: Mapping[str, Sequence[Manifest]], given: _Built = ()) -> _Built:
    """The objects that a layer applies. A component works on what is there before it (`given`)."""
    found = [*given]
    for base in layer.bases:
        found += _built(files, base, by_file)
    found += [each for path in layer.resources for each in by_file.get(path, ())]
    for component in layer.components:
        found = [*_built(files, component, by_file, tuple(found))]
    try:
        own = patches.of(files, held_in(layer.file, layer.document), posixpath.dirname(layer.file))
    except YamlTextError as error:
        return tuple(replace(each, applied_by=layer.file, unsure=str(error)) for each in found)
    return tuple(replace(each, object=patches.applied(each.object, own), applied_by=layer.file) for each in found)
