"""Which of a chart's values decide an image: maps of name and tag, whole references, YAML inside of block scalars."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gitops_sre.gitops.flux.objects import Held, Tree
from gitops_sre.gitops.flux.variables import Resolved
from gitops_sre.gitops.versions import DIGEST_KEYS, NAME_KEYS, REGISTRY_KEYS, TAG_KEYS, is_registry, plain, same
from gitops_sre.model.change import Field, Role
from gitops_sre.model.image import Image
from gitops_sre.yamltext import Path, YamlTextError

Resolve = Callable[[Held], Resolved]
"""A value after substitution."""


@dataclass(frozen=True)
class Owner:
    """Fields that decide an image together. `version` is tag and digest as they are now; `sure` is False when only a
    part of the image's name stands there."""

    fields: tuple[Field, ...]
    version: tuple[str, str]
    sure: bool = True


def owners(tree: Tree, image: str, resolve: Resolve, reason: str, aliases: tuple[str, ...] = ()) -> list[Owner]:
    """The values that name an image and give its version; without any, those that give the version of the image that
    the chart itself names, where its name or the release's is the image's (`aliases`). Raises YamlTextError."""
    found = list(_all(tree, image, resolve, reason))
    sure = [owner for owner in found if owner.sure]
    return sure or found or list(_unnamed(tree, image, resolve, reason, aliases))


def references(tree: Tree, image: str, resolve: Resolve, reason: str) -> Iterator[Owner]:
    """Whole references to an image, `name:tag`, wherever they stand. Raises YamlTextError."""
    for held in tree.values():
        whole = Image.strict(resolve(held).text)
        if whole is not None and same(image, whole.name):
            yield Owner((edited(held, resolve, "image", reason),), (whole.tag, whole.digest))


def _all(tree: Tree, image: str, resolve: Resolve, reason: str) -> Iterator[Owner]:
    for path, held in tree.items():
        if path and (owner := _at(tree, path, held, image, resolve, reason)) is not None:
            yield owner


def _at(tree: Tree, path: Path, held: Held, image: str, resolve: Resolve, reason: str) -> Owner | None:
    """The owner at a value, where that is an image's reference or its name."""
    text = resolve(held).text
    whole = Image.strict(text) if ":" in text or "@" in text else None
    if whole is not None and same(image, whole.name):
        return Owner((edited(held, resolve, "image", reason),), (whole.tag, whole.digest))
    if path[-1] not in NAME_KEYS or not text:
        return None
    matches, sure = _named(tree, path, text, image, resolve)
    return beside(tree, path[:-1], resolve, reason, sure=sure) if matches else None


def _named(tree: Tree, path: Path, text: str, image: str, resolve: Resolve) -> tuple[bool, bool]:
    """Whether a name is the image's, and whether all of it is."""
    name = text.removeprefix("oci://").strip("/")
    beside = [tree[(*path[:-1], key)] for key in REGISTRY_KEYS if (*path[:-1], key) in tree]
    shared = [held for place, held in tree.items() if place[:1] == ("global",) and is_registry(place)]
    registries = [resolve(held).text.rstrip("/") for held in beside or shared]
    if any(same(image, posixpath.join(registry, name)) for registry in registries if registry) or same(image, name):
        return True, True
    return not beside and plain(image).endswith(f"/{plain(name)}"), False


def beside(tree: Tree, parent: Path, resolve: Resolve, reason: str, *, sure: bool = True) -> Owner | None:
    """Tag and digest of a map. A tag may hold both."""
    fields: list[Field] = []
    parts = {"tag": "", "digest": ""}
    roles: tuple[tuple[tuple[str, ...], Role], ...] = ((TAG_KEYS, "tag"), (DIGEST_KEYS, "digest"))
    for keys, role in roles:
        held = next((held for key in keys if (held := tree.get((*parent, key))) is not None and held.value), None)
        if held is not None:
            fields.append(edited(held, resolve, role, reason))
            version = Image.read_version(resolve(held).text)
            parts = {"tag": version.tag or parts["tag"], "digest": version.digest or parts["digest"]}
            parts |= {"digest": resolve(held).text} if role == "digest" else {}
    return Owner(tuple(fields), (parts["tag"], parts["digest"]), sure) if fields else None


def _unnamed(tree: Tree, image: str, resolve: Resolve, reason: str, aliases: tuple[str, ...]) -> Iterator[Owner]:
    """Tags whose image only the chart names: `image.tag`, where chart or release are called as the image is."""
    last = plain(image).rpartition("/")[2]
    for path in tree:
        if len(path) < 2 or path[-1] not in TAG_KEYS or path[-2] != "image":
            continue
        if any((*path[:-1], key) in tree for key in NAME_KEYS):
            continue
        called = aliases if len(path) == 2 else (str(path[-3]),)
        if last in called:
            why = f"{reason}; the chart names the image, which is called {last} as this is"
            owner = beside(tree, path[:-1], resolve, why, sure=False)
            if owner is not None:
                yield owner


def edited(held: Held, resolve: Resolve, role: Role, reason: str) -> Field:
    """The field to edit for a value: itself, or the variable that gives it. Raises YamlTextError."""
    filled = resolve(held)
    where = f"{held.file}, line {held.scalar.line}: {held.value}"
    if filled.problem or "${" in filled.text:
        raise YamlTextError(f"{where} cannot be edited ({filled.problem or 'no Kustomization fills it in'})")
    if not filled.variables:
        return held.field(role, reason)
    if filled.owner is None:
        names = ", ".join(name for name, _ in filled.variables)
        raise YamlTextError(f"{where} is made of the variables {names}; edit it by hand")
    _, place = filled.owner
    whole = filled.text == place.value
    return place.field(role if whole else _part(role, filled.text, place.value), f"{reason} as {held.value}")


def _part(role: Role, text: str, given: str) -> Role:
    """What a variable holds of a longer text: of a whole reference its tag or digest, else some part."""
    image = Image.read(text)
    if role == "image" and given in (image.tag, image.version):
        return "tag"
    return "digest" if role == "image" and given == image.digest else "value"
