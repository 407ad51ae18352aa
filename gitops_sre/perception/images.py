"""Changed tags as whole image references, so that a change says which image went from what to what."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gitops_sre.model.change_feed import FieldChange
from gitops_sre.model.image import Image

Values = Mapping[tuple[int, tuple[str | int, ...]], str]
"""Scalars of a file by (document, path)."""

PARTS = frozenset({"newTag", "newName", "digest", "tag"})
"""Keys of kustomize's `images:` entries and of Helm's image maps that hold a part of a reference."""
WHOLE = "image"


def joined(
    changes: Sequence[FieldChange], before: Values, after: Values
) -> tuple[list[FieldChange], list[FieldChange]]:
    """Changes of whole references, at the path of their entry, made of the changes to its parts; and all other changes.

    A part whose entry does not name the image (the name stands in another file) is among the others.
    """
    wholes: dict[tuple[int, tuple[str | int, ...]], FieldChange] = {}
    others: list[FieldChange] = []
    for change in changes:
        entry = change.path[:-1]
        known = [reference(values, change.document, entry) for values in (before, after)] if _part(change) else [None]
        if any(known):
            wholes[change.document, entry] = replace(change, path=entry, before=known[0], after=known[1])
        else:
            others.append(change)
    return list(wholes.values()), others


def reference(values: Values, document: int, entry: tuple[str | int, ...]) -> str | None:
    """`name:tag`, `name@digest` or `name:tag@digest` of an image entry; None when it names no image or no version."""

    def get(*keys: str) -> str:
        return next((values[document, (*entry, key)] for key in keys if values.get((document, (*entry, key)))), "")

    name = get("newName", "name") or posixpath.join(get("registry"), get("repository"))
    image = Image(name, get("newTag", "tag"), get("digest"))
    return str(image) if name and image.version else None


def named(changes: Iterable[FieldChange], live: Sequence[str]) -> tuple[FieldChange, ...]:
    """Lone tags completed with the name of the one running image that bears the tag, before or after."""
    return tuple(_named(change, live) for change in changes)


def _part(change: FieldChange) -> bool:
    return len(change.path) > 1 and change.path[-1] in PARTS | {"repository", "registry"}


def _named(change: FieldChange, live: Sequence[str]) -> FieldChange:
    if not change.path or change.path[-1] not in ("newTag", "tag") or not (change.before and change.after):
        return change
    images = [Image.read(each) for each in live]
    names = {image.name for image in images if image.tag in (change.before, change.after)}
    if len(names) != 1:
        return change
    name = names.pop()
    return replace(change, before=f"{name}:{change.before}", after=f"{name}:{change.after}")
