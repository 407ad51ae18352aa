"""Helm charts: what a rendering reads, and which values file decides an image.

Values merge key by key; a later file wins and a list replaces a list. Source: Helm's documentation of values files.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gitops_sre.gitops.files import Files, as_field, documents, indexes, join, value
from gitops_sre.gitops.versions import is_registry
from gitops_sre.model.change import Field
from gitops_sre.model.image import Image
from gitops_sre.model.target import Source, Target
from gitops_sre.yamltext import Path, Scalar, YamlTextError

_NAME_KEYS = ("repository", "name", "image")
_TAG_KEYS = ("tag", "imageTag")
_DIGEST_KEYS = ("digest", "imageDigest")


@dataclass(frozen=True)
class _Set:
    """A value and the file that sets it."""

    file: str
    scalar: Scalar


def inputs(files: Files, source: Source) -> frozenset[str]:
    """The chart, its local dependencies and the value files."""
    found = {*files.under(source.path), *source.value_files}
    chart = posixpath.join(source.path, "Chart.yaml")
    try:
        document = next(iter(documents(files, chart)), {})
    except YamlTextError:
        return frozenset(found)
    for at in indexes(document, "dependencies"):
        place = value(document, "dependencies", at, "repository")
        local = join(source.path, place.removeprefix("file://")) if place.startswith("file://") else None
        found.update(files.under(local) if local else ())
    return frozenset(found)


def owners(files: Files, target: Target, image: str) -> list[tuple[Field, ...]]:
    """The values that decide an image: one owner, none, or several that cannot be told apart. Raises YamlTextError."""
    merged = _merged(files, target.source)
    candidates = [*_maps(merged, image), *_references(merged, image)]
    exact = [fields for fields, full in candidates if full]
    found = exact or [fields for fields, _ in candidates]
    mine = [fields for fields in found if {target.service, target.workload.name} & set(fields[0].path)]
    return mine if len(mine) == 1 else found


def _merged(files: Files, source: Source) -> Mapping[Path, _Set]:
    """The effective values with the file that sets each, in increasing precedence."""
    merged: dict[Path, _Set] = {}
    chart = posixpath.join(source.path, "values.yaml")
    for file in (*((chart,) if files.text(chart) is not None else ()), *source.value_files):
        document = next(iter(documents(files, file)), {})
        replaced = {prefix for path in document for prefix in _lists(path)}
        merged = {path: held for path, held in merged.items() if not replaced.intersection(_lists(path))}
        merged |= {path: _Set(file, scalar) for path, scalar in document.items()}
    return merged


def _lists(path: Path) -> Iterator[Path]:
    return (path[:at] for at, part in enumerate(path) if isinstance(part, int))


def _maps(merged: Mapping[Path, _Set], image: str) -> Iterator[tuple[tuple[Field, ...], bool]]:
    """Maps that name an image and hold its tag or digest beside it; the flag says that the full name matched."""
    registries = {held.scalar.value for path, held in merged.items() if path[:1] == ("global",) and is_registry(path)}
    for path, held in merged.items():
        if path[-1] not in _NAME_KEYS:
            continue
        beside = path[:-1]
        registry = merged.get((*beside, "registry"))
        prefixes = {registry.scalar.value} if registry else {"", *registries}
        full = image in {posixpath.join(prefix, held.scalar.value) for prefix in prefixes}
        if not held.scalar.value or not (full or image.endswith(f"/{held.scalar.value}")):
            continue
        fields = tuple(_beside(merged, beside, image))
        if fields:
            yield fields, full


def _beside(merged: Mapping[Path, _Set], beside: Path, image: str) -> Iterator[Field]:
    for keys, role in ((_TAG_KEYS, "tag"), (_DIGEST_KEYS, "digest")):
        for key in keys:
            held = merged.get((*beside, key))
            if held is not None and (role == "tag" or held.scalar.value):
                yield as_field(held.file, held.scalar, role, f"{held.file} sets {image} last of the value files")
                break


def _references(merged: Mapping[Path, _Set], image: str) -> Iterator[tuple[tuple[Field, ...], bool]]:
    """Whole references in one scalar: `image: name:tag`."""
    for path, held in merged.items():
        key, text = str(path[-1]), held.scalar.value
        name = Image.read(text).name
        if key.lower().endswith("image") and name != text and (image == name or image.endswith(f"/{name}")):
            reason = f"{held.file} sets {image} last of the value files"
            yield (as_field(held.file, held.scalar, "image", reason),), image == name
