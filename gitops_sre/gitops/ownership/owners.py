"""From the address of a field to the place that owns it, in whatever layout the source has.

Kinds that scale others (HorizontalPodAutoscaler, ScaledObject, VerticalPodAutoscaler, Canary) are looked up by the
workload that they scale. In a path, `[name=app]` is the item of a list that bears that name, and `[]` every item.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from gitops_sre import yamltext
from gitops_sre.gitops import environments, kustomize
from gitops_sre.gitops.files import KUSTOMIZATIONS, AtCommit, kind_of, kustomization_in, manifests, plain_source
from gitops_sre.gitops.ownership import inflated, layers, values, values_from
from gitops_sre.gitops.ownership.layers import Placed
from gitops_sre.gitops.ownership.parts import SCALERS, WORKLOADS, Thing, things
from gitops_sre.gitops.ownership.values import VALUES_OF, Release
from gitops_sre.model.change import Field
from gitops_sre.model.target import ObjectField, Target
from gitops_sre.yamltext import YamlTextError

_FROM_VALUES = WORKLOADS | {"", *SCALERS}
"""Kinds that charts make, whose fields may come from values."""


def owners(files: AtCommit, target: Target, at: ObjectField) -> list[tuple[Field, ...]]:
    """The strongest places that decide a field: one owner, none when the source makes no such object, or several that
    cannot be told apart. An owner has one field for each place that the path names.

    A field that is not set has `present` False; those with role `name` say in `value` what must stand beside it.
    Raises YamlTextError when the place cannot be read or edited, with the reason and what a person can do.
    """
    target = replace(target, source=plain_source(target.source))
    if kind_of(files, target.source) == "helm":
        release = values.of_chart(files, target)
        return values.owners(files, release, at, values.in_files(release.values, target.environment))
    found = _placed(files, target, at)
    if found:
        return _distinct(files, (_owner(files, each, at.path) for each in found))
    return _distinct(files, _by_values(files, target, at)) if at.kind in _FROM_VALUES else []


def _placed(files: AtCommit, target: Target, at: ObjectField) -> list[Placed]:
    """The objects that an address names, in the layout of a source."""
    folder = target.source.path
    if kustomization_in(files, folder):
        return layers.placed(files, kustomize.read(files, folder), at)
    nested = [kustomize.read(files, each) for each in _nested(files, folder)]
    read = frozenset[str]().union(*(layer.inputs for layer in nested))
    outer = [layer for layer in nested if not any(layer.file in each.inputs for each in nested if each != layer)]
    here = [layer for layer in outer if _of(layer.file, target)] or outer
    found = [each for layer in here for each in layers.placed(files, layer, at)]
    plain = [path for path in manifests(files, folder) if path not in read and _of(path, target)]
    return found + [Placed(thing, ()) for thing in _plain(files, plain, at)]


def _plain(files: AtCommit, paths: Sequence[str], at: ObjectField) -> Iterator[Thing]:
    """Objects of plain manifests. A file that cannot be read matters only when nothing else is found."""
    unread: YamlTextError | None = None
    found = False
    for path in paths:
        try:
            for thing in things(files, path, at):
                found = True
                yield thing
        except YamlTextError as error:
            unread = unread or error
    if unread is not None and not found:
        raise unread


def _nested(files: AtCommit, folder: str) -> list[str]:
    """Folders below that have a kustomization."""
    return [posixpath.dirname(path) for path in files.under(folder) if posixpath.basename(path) in KUSTOMIZATIONS]


def _of(path: str, target: Target) -> bool:
    """Whether a file can be of the target's environment."""
    return environments.fits(path.removeprefix(target.source.path), target.environment)


def _owner(files: AtCommit, found: Placed, path: tuple[str, ...]) -> tuple[Field, ...]:
    if found.layers:
        return layers.owners(files, found, path)
    return found.thing.deciding(path) or found.thing.insertable(path)


def _by_values(files: AtCommit, target: Target, at: ObjectField) -> Iterator[tuple[Field, ...]]:
    """The values of the releases in a source that the workload can be of; one that bears its name before others."""
    releases = list(_releases(files, target))
    named = [each for each in releases if at.name in each[1].known]
    prefixed = [each for each in releases if any(at.name.startswith(f"{name}-") for name in each[1].known)]
    for placed, release in named or prefixed:
        if release.values is placed.thing and (over := inflated.patched(files, placed.layers, at)):
            yield over
            continue
        owner = partial(_owner, files, replace(placed, thing=release.values))
        yield from values.owners(files, release, at, owner)


def _releases(files: AtCommit, target: Target) -> Iterator[tuple[Placed, Release]]:
    if kustomization_in(files, target.source.path):
        yield from inflated.releases(files, kustomize.read(files, target.source.path))
    for kind in VALUES_OF:
        for found in _placed(files, target, ObjectField(kind, "", "", ())):
            referred = tuple(values_from.parts(files, found.thing.manifest, found.layers))
            yield from ((found, release) for release in values.of_object(files, found.thing, referred))


def _distinct(files: AtCommit, found: Iterable[tuple[Field, ...]]) -> list[tuple[Field, ...]]:
    """Owners once each, those without a place left out."""
    owners = dict.fromkeys(fields for fields in found if fields)
    return [tuple(_with_source(files, field) for field in fields) for fields in owners]


def _with_source(files: AtCommit, field: Field) -> Field:
    """A map or list with its source text, by which it can be taken out."""
    if not field.present or field.raw or field.value:
        return field
    text = files.text(field.file) or ""
    if yamltext.get(text, field.document, field.path) is not None:
        return field  # a scalar that is empty
    return replace(field, raw=yamltext.source(text, field.document, field.path).raw)
