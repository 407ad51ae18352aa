"""kustomize patches as they change objects: strategic merges and JSON patches, in files and inline, with targets.

Only what decides values of Flux's own objects is followed: for custom resources a strategic merge replaces lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_sre.gitops.files import Files, documents, join
from gitops_sre.gitops.flux.objects import Object, Tree, held_in, merged, opened, under
from gitops_sre.yamltext import Path, YamlTextError

_REQUIREMENT = re.compile(r"\s*(!?)([\w./-]+)\s*(?:(==?|!=)\s*([\w.-]*)|\s(in|notin)\s*\(([^)]*)\))?\s*(?:,|$)")


@dataclass(frozen=True)
class Patch:
    """One patch document. An empty target is that of a strategic merge: the object which it names itself."""

    tree: Tree
    target: Mapping[str, str]
    by: str

    @property
    def is_json(self) -> bool:
        """Whether it is a JSON patch (a list of operations)."""
        return any(isinstance(path[0], int) for path in self.tree if path)

    def matches(self, item: Object) -> bool:
        """Whether it changes an object."""
        if not self.target:
            named = self.tree.get(("metadata", "name"))
            kind = self.tree.get(("kind",))
            return bool(named and kind and (named.value, kind.value) == (item.name, item.kind))
        have = {"kind": item.kind, "name": item.name, "namespace": item.namespace, "group": item.group}
        fits = all(
            not self.target.get(key) or re.fullmatch(self.target[key], held) for key, held in have.items() if key
        )
        labels = {str(key): item.value("metadata", "labels", key) for key in item.children("metadata", "labels")}
        return fits and selects(self.target.get("labelSelector", ""), labels)


def of(files: Files, tree: Tree, folder: str) -> list[Patch]:
    """The patches that a kustomization (or a Flux Kustomization's `spec`) declares, in order. Raises YamlTextError."""
    found: list[Patch] = []
    for path in tree:
        match path:
            case ("patchesStrategicMerge", int()):
                found += _loaded(files, tree, path, folder, {})
            case ("patches" | "patchesJson6902", int(), "path" | "patch"):
                target = {str(key[-1]): each.value for key, each in under(tree, (*path[:2], "target")).items()}
                found += _loaded(files, tree, path, folder, target)
    return found


def _loaded(files: Files, tree: Tree, place: Path, folder: str, target: Mapping[str, str]) -> list[Patch]:
    held = tree[place]
    path = join(folder, held.value) if "\n" not in held.value else None
    if path is not None and files.text(path) is not None:
        trees: Sequence[Tree] = [held_in(path, document) for document in documents(files, path)]
        return [Patch(each, target, f"{held.file} applies the patch {path}") for each in trees if each]
    trees = opened(tree, place)
    if not trees and held.value:
        raise YamlTextError(f"{held.file}: line {held.scalar.line}: a patch that cannot be read; edit it by hand")
    return [Patch(each, target, f"a patch in {held.file} sets it") for each in trees if each]


def applied(item: Object, patches: Sequence[Patch]) -> Object:
    """An object after patches."""
    for patch in patches:
        if patch.matches(item):
            tree = _operated(item.tree, patch) if patch.is_json else _overlaid(item.tree, patch)
            item = replace(item, tree=tree)
    return item


def _overlaid(tree: Tree, patch: Patch) -> Tree:
    body = {path: held for path, held in patch.tree.items() if path and path[0] not in ("apiVersion", "kind")}
    body = {path: replace(held, by=patch.by) for path, held in body.items() if path[:2] != ("metadata", "name")}
    return merged(tree, body)


def _operated(tree: Tree, patch: Patch) -> Tree:
    for at in dict.fromkeys(path[0] for path in patch.tree):
        held = patch.tree.get((at, "path"))
        operation = patch.tree.get((at, "op"))
        if held is None or operation is None:
            continue
        place = _pointed(tree, held.value)
        tree = {path: each for path, each in tree.items() if path[: len(place)] != place}
        if operation.value in ("add", "replace"):
            given = {path: each for path, each in patch.tree.items() if path[:2] == (at, "value")}
            tree |= {(*place, *path[2:]): replace(each, by=patch.by) for path, each in given.items()}
    return tree


def _pointed(tree: Tree, pointer: str) -> Path:
    """A JSON pointer as a path; `-` is the end of a list."""
    place: Path = ()
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        items = [path[len(place)] for path in tree if path[: len(place)] == place and len(path) > len(place)]
        positions = [item for item in items if isinstance(item, int)]
        if key == "-":
            place = (*place, max(positions, default=-1) + 1)
        else:
            place = (*place, int(key) if key.isdigit() and (positions or not items) else key)
    return place


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a Kubernetes label selector chooses these labels."""
    return all(fits for fits in _requirements(selector, labels))


def _requirements(selector: str, labels: Mapping[str, str]) -> Iterator[bool]:
    for negated, key, sign, value, word, options in _REQUIREMENT.findall(selector):
        if sign:
            yield (labels.get(key) == value) is (sign != "!=")
        elif word:
            yield (labels.get(key) in [option.strip() for option in options.split(",")]) is (word == "in")
        else:
            yield (key in labels) is not bool(negated)
