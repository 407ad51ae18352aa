"""The builds that a source stands for: one kustomization or chart, or, of a folder that is neither, all beneath it.

A folder is built by parts when only a path is known (`apps/web` with `base` and `overlays`), or when Flux builds it:
its outermost kustomizations, each by itself, and the manifests that none of them takes in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from gitops_sre.gitops import environments, kustomize
from gitops_sre.gitops.configuration import chart
from gitops_sre.gitops.configuration.build import Build
from gitops_sre.gitops.configuration.read import Reader, namespaces
from gitops_sre.gitops.files import KUSTOMIZATIONS, Files, detect, manifests, value
from gitops_sre.gitops.kustomize import Layer
from gitops_sre.model.target import Target
from gitops_sre.yamltext import YamlTextError

_VALUES = re.compile(r"values[-._].*\.ya?ml|values/.*\.ya?ml|.*[-._]values\.ya?ml")


def builds(files: Files, target: Target, key: str) -> Iterator[Build]:
    """Each build of a target's source, with what it says of settings. Raises YamlTextError."""
    source, leaf = target.source, key.rpartition(".")[2]
    kind = detect(files, source.path) if source.kind == "unknown" else source.kind
    if kind == "helm":
        for value_files in _value_files(files, target):
            yield chart.read(files, source.path, value_files, key)
        return
    namespace = target.workload.namespace
    if kind == "kustomize":
        yield from _kustomization(files, source.path, key, namespace)
        return
    layers = _outermost(files, source.path)
    for folder, layer in layers.items():
        if environments.fits(folder, target.environment) and _names(files, layer, leaf):
            yield from _kustomization(files, folder, key, namespace)
    taken = {path for layer in layers.values() for path in layer.inputs}
    # Where a cluster says what the folder is, every file of it counts, whatever its name.
    known = target.workload.name
    rest = [path for path in manifests(files, source.path) if path not in taken
            and (known or environments.fits(path, target.environment))]  # fmt: skip
    yield Reader(files, key, namespace).manifests(rest, target.workload.name)


def _kustomization(files: Files, folder: str, key: str, namespace: str) -> Iterator[Build]:
    """A kustomization; where the namespace is unknown and it has several, once for each: names repeat in them."""
    spaces = namespaces(files, kustomize.read(files, folder)) if not namespace else frozenset()
    for space in sorted(spaces) if len(spaces) > 1 else [namespace]:
        yield Reader(files, key, space).kustomization(folder)


def _value_files(files: Files, target: Target) -> Iterator[tuple[str, ...]]:
    """The value files that a chart is rendered with; where nothing says so, each that fits the environment alone."""
    source = target.source
    if source.value_files or target.workload.name:
        yield source.value_files
        return
    skip = len(source.path) + 1 if source.path else 0
    found = [path for path in files.under(source.path) if _VALUES.fullmatch(path[skip:])]
    if target.environment:
        found = [path for path in found if environments.of(path[skip:]) in environments.wanted(target.environment)]
    if not (found and target.environment):
        yield ()
    yield from ((path,) for path in found)


def _outermost(files: Files, folder: str) -> Mapping[str, Layer]:
    """Kustomizations below a folder that no other one there includes."""
    found: dict[str, Layer] = {}
    for path in files.under(folder):
        if posixpath.basename(path) in KUSTOMIZATIONS:
            here = posixpath.dirname(path)
            try:
                layer = kustomize.read(files, here)
            except YamlTextError:
                continue  # what it takes in stays in the rest, and is read by itself
            if value(layer.document, "kind") in ("", "Kustomization") and _builds(layer):
                found[here] = layer
    included = {posixpath.dirname(each.file) for layer in found.values() for each in _beneath(layer)}
    return {here: layer for here, layer in found.items() if here not in included}


def _builds(layer: Layer) -> bool:
    """Whether it is kustomize's file, and not Flux's object of the same kind."""
    return not value(layer.document, "apiVersion").startswith("kustomize.toolkit.fluxcd.io/")


def _beneath(layer: Layer) -> Iterator[Layer]:
    for each in (*layer.bases, *layer.components):
        yield each
        yield from _beneath(each)


def _names(files: Files, layer: Layer, leaf: str) -> bool:
    """Whether anything that a kustomization reads names the setting: cheap, before it is built."""
    return any(leaf in (files.text(path) or "") for path in layer.inputs)
