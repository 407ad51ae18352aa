"""Patches of a kustomization: which object each selects, and what it sets there.

They run in the order `patchesStrategicMerge`, `patches`, `patchesJson6902`, each over the ones before.
Sources: kustomize's documentation of `patches` (strategic merge and RFC 6902, `target` selectors as anchored regular
expressions).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from gitops_sre.gitops.configuration.build import Build, of_sheet
from gitops_sre.gitops.configuration.entries import Object, Sheet
from gitops_sre.gitops.files import Document, Files, indexes, join, value
from gitops_sre.gitops.kustomize import Layer
from gitops_sre.yamltext import Path, Scalar, YamlTextError

_REGEX = re.compile(r"[\\^$*+?()\[\]{}|]")
_SELECTORS = ("labelSelector", "annotationSelector", "namespace")
_NEW_ITEM = 1_000_000
"""Stands for the position of an item that a JSON patch appends: beyond every list that the parser reads."""

Read = Callable[[str], tuple[Document, ...]]
"""Reads the documents of a file."""


def patched(
    files: Files,
    read: Read,
    layer: Layer,
    build: Build,
    ranks: Callable[[], int],
    leaf: str,
    held: frozenset[Object] | None,
) -> Build:
    """A build after a kustomization's patches, each of the next rank. `leaf` is the name that is looked for: an inline
    patch that cannot be read and names it raises YamlTextError. `held` are the only objects that count (None: any)."""
    for sheet, target, limit in _patches(files, read, layer, leaf):
        reason = f"a patch in {layer.file}" if sheet.file == layer.file else f"the patch {sheet.file} of {layer.file}"
        rank = ranks()
        if (0, "op") in sheet.leaves:
            for about in _selected(build, target):
                build = _operated(sheet, about, build, rank, reason)
        else:
            for about in _selected(build, target) if any(target) or limit else [sheet.object]:
                if held is None or about in held:
                    _refuse_directives(sheet, about, leaf)
                    build += of_sheet(sheet, about, rank, reason)
        build = _limited(build, rank, f"{reason} {limit}" if limit else "")
    return build


def _limited(build: Build, rank: int, refusal: str) -> Build:
    """A build whose entries from a rank on are refused: whether the patch is for their object cannot be told."""
    if not refusal:
        return build
    made = (
        replace(each, refusal=f"{each.field.file}: {refusal}") if each.rank >= rank else each for each in build.entries
    )
    return replace(build, entries=tuple(made))


def _patches(files: Files, read: Read, layer: Layer, leaf: str) -> Iterator[tuple[Sheet, Object, str]]:
    """Each patch with the kind and name (expressions) that it selects, empty where it says so itself; and what else
    limits it, in words."""
    document, folder = layer.document, posixpath.dirname(layer.file)
    for section in ("patchesStrategicMerge", "patches", "patchesJson6902"):
        for at in indexes(document, section):
            bare = section == "patchesStrategicMerge"
            here: Path = (section, at) if bare else (section, at, "patch")
            target = (value(document, section, at, "target", "kind"), value(document, section, at, "target", "name"))
            others = [key for key in _SELECTORS if value(document, section, at, "target", key)]
            limit = f"selects objects by {others[0]}, which is not followed; edit it by hand" if others else ""
            entry = value(document, *here) if bare else value(document, section, at, "path")
            path = join(folder, entry) if entry else None
            if path is not None and files.text(path) is not None:
                yield from ((Sheet(path, part), target, limit) for part in read(path))
            elif here in document:
                yield from ((sheet, target, limit) for sheet in _inline(layer, here, leaf))


def _inline(layer: Layer, here: Path, leaf: str) -> Iterator[Sheet]:
    """The documents inside a patch that stands in the kustomization itself."""
    inner = [path for path in layer.document if path[: len(here)] == here and len(path) > len(here) + 1]
    for root in dict.fromkeys(path[: len(here) + 2] for path in inner):
        yield Sheet.below(layer.file, layer.document, root)
    if not inner and leaf in value(layer.document, *here):
        raise YamlTextError(f"{layer.file}: an inline patch names {leaf} and cannot be read; edit it by hand")


def _refuse_directives(sheet: Sheet, about: Object, leaf: str) -> None:
    if any(path[-1:] == ("$patch",) for path in sheet.leaves) and leaf in {
        part for path in sheet.leaves for part in path
    }:
        raise YamlTextError(f"{sheet.file}: a `$patch` directive decides what of {about[1]} is left; edit it by hand")


def _selected(build: Build, target: Object) -> list[Object]:
    """The objects that a patch's target selects."""
    kind, name = target
    return [each for each in build.objects if _fits(kind, each[0]) and _fits(name, each[1])]


def _fits(pattern: str, text: str) -> bool:
    if not pattern or pattern == text:
        return True
    try:
        return bool(_REGEX.search(pattern)) and re.fullmatch(pattern, text) is not None
    except re.error:
        return False


def _operated(sheet: Sheet, about: Object, build: Build, rank: int, reason: str) -> Build:
    """A JSON patch, as if its values stood in the object."""
    leaves: dict[Path, Scalar] = {}
    moves = False
    for at in indexes(sheet.leaves):
        operation = value(sheet.leaves, at, "op")
        pointer = _pointer(value(sheet.leaves, at, "path"))
        leaves |= {(*pointer, *path[2:]): held for path, held in sheet.leaves.items() if path[:2] == (at, "value")}
        moves |= operation not in ("replace", "test") and isinstance(pointer[-1], int)
        if operation == "remove" and pointer[:1] == ("data",):
            build = build.without(about, tuple(map(str, pointer[1:])))
    shapes = [pod.leaves for each, pod in build.pods if each == about]
    if len(shapes) == 1:
        leaves = _names(shapes[0], leaves) | leaves
    unclear = tuple(
        (about, f"{sheet.file}: {reason} names a variable by its position alone") for _ in _nameless(leaves)
    )
    build += replace(of_sheet(Sheet(sheet.file, leaves), about, rank, reason), pods=(), unclear=unclear)
    return build + Build(pods=((about, sheet),)) if moves else build


def _pointer(text: str) -> Path:
    """A JSON pointer (RFC 6901) as a path."""
    parts = (part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
    return tuple(_NEW_ITEM if part == "-" else int(part) if part.isdecimal() else part for part in parts) or ("",)


def _names(shape: Document, leaves: Document) -> dict[Path, Scalar]:
    """The names of the list items that the patch's values stand in, as the object below has them."""
    above = {path[:size] for path in leaves for size in range(len(path)) if isinstance(path[size - 1], int)}
    return {path: scalar for path, scalar in shape.items() if path[-1] == "name" and path[:-1] in above}


def _nameless(leaves: Document) -> Iterator[Path]:
    """Values of variables whose name is unknown."""
    for path in leaves:
        if path[-1] == "value" and len(path) > 2 and path[-3] == "env" and (*path[:-1], "name") not in leaves:
            yield path
