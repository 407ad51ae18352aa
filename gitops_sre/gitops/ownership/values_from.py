"""Values that a HelmRelease takes from ConfigMaps (`valuesFrom`), which its inline values then win over.

Source: Flux's HelmRelease reference: `valuesFrom` in order, `spec.values` last.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from gitops_sre.gitops.files import AtCommit, documents, indexes, join, value, values
from gitops_sre.gitops.kustomize import Layer
from gitops_sre.gitops.ownership.parts import Part, below, things
from gitops_sre.model.target import ObjectField
from gitops_sre.yamltext import Path

_KEY = "values.yaml"
"""Where Flux looks for values when `valuesKey` does not say."""


def parts(files: AtCommit, release: Part, layers: Sequence[Layer]) -> Iterator[Part]:
    """The texts that a HelmRelease takes values from, weakest first: those that the kustomizations around it make.

    Secrets are passed over. Raises YamlTextError when a text cannot be read.
    """
    for at in indexes(release.view, "spec", "valuesFrom"):
        path: Path = ("spec", "valuesFrom", at)
        if value(release.view, *path, "kind") != "ConfigMap" or value(release.view, *path, "targetPath"):
            continue
        name, key = value(release.view, *path, "name"), value(release.view, *path, "valuesKey") or _KEY
        for layer in reversed(layers):
            yield from _generated(files, layer, name, key)
            yield from _written(files, layer, name, key)


def _generated(files: AtCommit, layer: Layer, name: str, key: str) -> Iterator[Part]:
    """Files of the generator that makes a ConfigMap."""
    folder = posixpath.dirname(layer.file)
    for at in indexes(layer.document, "configMapGenerator"):
        if value(layer.document, "configMapGenerator", at, "name") != name:
            continue
        for entry in values(layer.document, "configMapGenerator", at, "files"):
            said, _, file = entry.rpartition("=")
            path = join(folder, file)
            if path is not None and (said or posixpath.basename(file)) == key and files.text(path) is not None:
                reason = f"{path} becomes the ConfigMap {name}, from which the release takes its values"
                yield from (Part(path, 0, document, (), reason) for document in documents(files, path)[:1])


def _written(files: AtCommit, layer: Layer, name: str, key: str) -> Iterator[Part]:
    """ConfigMaps that stand as manifests, with values in a block of YAML."""
    at = ObjectField("ConfigMap", "", name, ())
    for file in layer.resources:
        for thing in things(files, file, at):
            prefix: Path = ("data", key, "|yaml", 0)
            view = below(thing.manifest.view, prefix)
            if view:
                reason = f"the ConfigMap {name} in {file}, from which the release takes its values"
                yield Part(file, thing.manifest.number, view, (*thing.manifest.prefix, *prefix), reason)
