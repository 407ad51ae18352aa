"""Releases that kustomize itself makes of charts: `helmCharts` of a kustomization.

What wins, as kustomize 5.8 builds it: `additionalValuesFiles` over `valuesInline` (with the default `valuesMerge:
override`) over `valuesFile`. Patches run on what the chart makes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from gitops_sre.gitops.files import AtCommit, documents, indexes, join, value, values
from gitops_sre.gitops.kustomize import Layer
from gitops_sre.gitops.ownership.layers import Placed, layered
from gitops_sre.gitops.ownership.parts import WORKLOADS, Part, Thing, below
from gitops_sre.gitops.ownership.values import Release
from gitops_sre.model.change import Field
from gitops_sre.model.target import ObjectField
from gitops_sre.yamltext import Path, YamlTextError


def releases(files: AtCommit, layer: Layer, outer: tuple[Layer, ...] = ()) -> Iterator[tuple[Placed, Release]]:
    """The releases of a kustomization and of those that it includes. Raises YamlTextError."""
    chain = (*outer, layer)
    for at in indexes(layer.document, "helmCharts"):
        release = _release(files, layer, ("helmCharts", at))
        yield Placed(release.values, chain), release
    for inner in (*layer.bases, *layer.components):
        yield from releases(files, inner, chain)


def patched(files: AtCommit, chain: tuple[Layer, ...], at: ObjectField) -> tuple[Field, ...]:
    """The fields of a patch that decides over the chart for a workload; none where no patch does."""
    for kind in [at.kind] if at.kind else sorted(WORKLOADS):
        found = Placed(Thing(kind, at.name, (Part(chain[-1].file, 0, {}, (), ""),)), ())
        for layer in reversed(chain):
            found = layered(files, layer, found, {at.name})
        if fields := found.thing.deciding(at.path):
            return fields
    return ()


def _release(files: AtCommit, layer: Layer, at: Path) -> Release:
    document, folder = layer.document, posixpath.dirname(layer.file)
    name, called = value(document, *at, "name"), value(document, *at, "releaseName")
    if value(document, *at, "valuesMerge") not in ("", "override"):
        raise YamlTextError(f"{layer.file}: the chart {name} merges its values in another order; edit them by hand")
    prefix: Path = (*at, "valuesInline")
    inline = Part(layer.file, 0, below(document, prefix), prefix, f"`helmCharts` of {layer.file} sets it for {name}")
    first = _files(files, folder, [value(document, *at, "valuesFile")])
    thing = Thing(
        "values",
        name,
        (*first, inline, *_files(files, folder, values(document, *at, "additionalValuesFiles"))),
        own=len(first),
    )
    home = join(folder, value(document, "helmGlobals", "chartHome") or "charts")
    chart = posixpath.join(home or "", name)
    local = chart if files.text(posixpath.join(chart, "Chart.yaml")) is not None else ""
    known = frozenset({called or name, value(thing.manifest.view, "fullnameOverride")} - {""})
    return Release(f"the chart {name}", thing, known, name, local)


def _files(files: AtCommit, folder: str, entries: Iterable[str]) -> list[Part]:
    """Values files that a kustomization names and that are in the repository."""
    paths = [path for entry in entries if entry and (path := join(folder, entry)) and files.text(path) is not None]
    return [Part(path, 0, view, (), f"{path} sets it") for path in paths for view in documents(files, path)[:1]]
