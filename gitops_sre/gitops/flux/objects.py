"""Kubernetes objects as the repository's files set them: every value with the place that it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from gitops_sre import yamltext
from gitops_sre.gitops.files import MANIFESTS, AtCommit, Files, documents
from gitops_sre.model.change import Field, Role
from gitops_sre.yamltext import OPENED, Path, Scalar, YamlTextError

GROUP = "toolkit.fluxcd.io/"
"""What the API group of every Flux object ends with."""


@dataclass(frozen=True)
class Held:
    """A value and where it stands. `by` says what put it over an earlier one, or is empty."""

    file: str
    scalar: Scalar
    by: str = ""

    @property
    def value(self) -> str:
        """The value as text; null is empty."""
        return "" if self.scalar.type == "null" else self.scalar.value

    def field(self, role: Role, reason: str) -> Field:
        """The place as the owner of a value."""
        s = self.scalar
        why = f"{reason}; {self.by}" if self.by else reason
        return Field(self.file, s.document, s.path, role, s.value, s.raw, why)


Tree = Mapping[Path, Held]
"""What an object says: its value by the path in the object (which is not the path in the file that set it)."""


@dataclass(frozen=True, eq=False)
class Object:
    """One object. `file` and `document` are where it is declared; a value of the tree may come from elsewhere."""

    file: str
    document: int
    kind: str
    namespace: str
    name: str
    tree: Tree

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @cached_property
    def group(self) -> str:
        """The API group, without version."""
        return self.value("apiVersion").rpartition("/")[0]

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace and name."""
        return self.kind, self.namespace, self.name

    def value(self, *path: str | int) -> str:
        """The value at a path, or the empty string."""
        held = self.tree.get(path)
        return held.value if held else ""

    def children(self, *path: str | int) -> tuple[str | int, ...]:
        """The keys, or positions, at a path."""
        size = len(path)
        return tuple(dict.fromkeys(p[size] for p in self.tree if p[:size] == path and len(p) > size))

    def below(self, *path: str | int) -> Tree:
        """The tree at a path."""
        return under(self.tree, path)

    def files(self) -> frozenset[str]:
        """Every file that sets something of it."""
        return frozenset({self.file, *(held.file for held in self.tree.values())})


def under(tree: Tree, path: Path) -> Tree:
    """The part of a tree below a path, as a tree."""
    size = len(path)
    return {p[size:]: held for p, held in tree.items() if p[:size] == path and len(p) > size}


def read(files: Files, path: str) -> tuple[Object, ...]:
    """The objects of a file. Raises YamlTextError that names the file."""
    return tuple(_objects(path, files))


def _objects(path: str, files: Files) -> Iterator[Object]:
    for number, document in enumerate(documents(files, path)):
        tree = held_in(path, document)
        found = Object(path, number, "", "", "", tree)
        kind, name = found.value("kind"), found.value("metadata", "name")
        if kind and name:
            yield replace(found, kind=kind, name=name, namespace=found.value("metadata", "namespace"))


def readable(files: Files, path: str) -> tuple[Object, ...]:
    """The objects of a file, none where it cannot be read: for looking around, where one bad file decides nothing."""
    try:
        return read(files, path)
    except YamlTextError:
        return ()


def held_in(file: str, document: Mapping[Path, Scalar]) -> Tree:
    """A document as a tree. What an alias repeats is held by the anchored scalar, which is the place to edit."""
    anchored: dict[int, Scalar] = {}
    return {
        path: Held(file, scalar if scalar.style == "empty" else anchored.setdefault(scalar.start, scalar))
        for path, scalar in document.items()
    }


def mentioning(files: Files, text: str, folder: str = "") -> tuple[str, ...]:
    """Manifest files below a folder whose bytes hold a text: nothing is parsed."""
    if isinstance(files, AtCommit):
        found = files.repository.mentioning(files.commit, text, [folder] if folder else [])
        return tuple(path for path in found if path.endswith(MANIFESTS))
    return tuple(path for path in files.under(folder) if path.endswith(MANIFESTS) and text in (files.text(path) or ""))


def naming(files: Files, word: str, folder: str = "") -> tuple[str, ...]:
    """Manifest files below a folder in which a word ends a name: `web` in `shop/web:v1`, not in `webhook`."""
    ends = re.compile(rf"(?<![\w.-]){re.escape(word)}(?:/?[\"'\s,}}\])]|[:@$]|$)")
    return tuple(path for path in mentioning(files, word, folder) if ends.search(files.text(path) or ""))


def opened(tree: Tree, path: Path) -> tuple[Tree, ...]:
    """The documents in a value that is YAML itself, each value with its place in the file; none when it is not.

    What stands in quotes instead of a block scalar can be read and not edited: its places lead nowhere.
    """
    within = under(tree, (*path, OPENED))
    if within:
        return tuple(under(within, (number,)) for number in dict.fromkeys(place[0] for place in within))
    held = tree.get(path)
    try:
        found = yamltext.scalars(held.value, opened=True) if held is not None else ()
    except YamlTextError:
        return ()
    trees: dict[int, dict[Path, Held]] = {}
    for each in found:
        if held is not None and each.path:
            outer = held.scalar
            place = (*outer.path, OPENED, each.document, *each.path)
            scalar = replace(each, document=outer.document, path=place, line=outer.line)
            trees.setdefault(each.document, {})[each.path] = Held(held.file, scalar, held.by)
    return tuple(trees.values())


def merged(base: Tree, over: Tree) -> Tree:
    """Values laid over others as Helm and strategic merges of custom resources do it: maps key by key, a list or a
    scalar in place of what was there, null takes it away."""
    replaced = {path[: next((at for at, part in enumerate(path) if isinstance(part, int)), len(path))] for path in over}
    inner = {path[:size] for path in over for size in range(1, len(path))}
    kept = {
        path: held
        for path, held in base.items()
        if path not in inner and not any(path[:size] in replaced for size in range(1, len(path) + 1))
    }
    return kept | {path: held for path, held in over.items() if held.scalar.type != "null"}
