"""Applications and ApplicationSets as files hold them, also where template braces stand unquoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from gitops_sre import yamltext
from gitops_sre.gitops import environments
from gitops_sre.gitops.argocd import loops
from gitops_sre.gitops.argocd.loops import Loop
from gitops_sre.gitops.files import Document, Files
from gitops_sre.gitops.flux.objects import Held, Object, Tree, held_in, mentioning, opened
from gitops_sre.yamltext import Path, YamlTextError

_MAX_CHILDREN = 6
"""Generators of a list that are looked at for an empty `clusters:`."""
GROUP = "argoproj.io/"
KINDS = ("Application", "ApplicationSet")

_KIND = re.compile(
    r"^[ \t-]*[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?Application(?:Set)?[\"']?[ \t]*,?[ \t]*(?:#.*)?\r?$", re.M
)
BRACES = str.maketrans({"{": "\u2983", "}": "\u2984"})
_BRACKETS = {ord("\u2983"): "{", ord("\u2984"): "}"}
"""Unquoted template braces are read as brackets that are text to YAML: one character each, so that every place stays
where it is."""


@dataclass(frozen=True)
class Manifest:
    """One object, and why its file cannot be edited (empty: it can). `applied_by` is the topmost kustomization whose
    patches are in it; `unsure` says which patch could not be read."""

    object: Object
    locked: str = ""
    applied_by: str = ""
    unsure: str = ""
    loops: tuple[Loop | None, ...] = ()
    """The loops of a chart's template around it, outermost first; None for what cannot be followed."""


@dataclass(frozen=True)
class Unread:
    """A file that mentions an Application and could not be read, and why."""

    file: str
    reason: str


def manifests(files: Files, scope: str = "") -> Iterator[Manifest | Unread]:
    """Every Application and ApplicationSet of a repository. Files are found by their bytes; only those are parsed.

    With a `scope`, files that can say nothing about that folder are passed over.
    """
    concerns = _concerning(scope)
    for path in mentioning(files, GROUP):
        try:
            text = files.text(path) or ""
        except YamlTextError as error:
            yield Unread(path, str(error))
            continue
        if concerns(path, text) and _KIND.search(text):
            yield from _in_text(path, text)


def _concerning(scope: str) -> Callable[[str, str], bool]:
    """Whether a file may say something about a folder: it is in it, generates from Git, names each part of its path
    (environments aside, which a patch may set), or a folder above it."""
    parts = scope.split("/")
    named = [part for part in parts if part and not environments.of(part)]
    above = "|".join(re.escape("/".join(parts[:size])) for size in range(1, len(parts))) or "."
    holds = re.compile(rf"path[\"']?:[ \t]*[\"']?(?:\./)?(?:{above}|\.)/?[\"']?[ \t]*,?[ \t]*(?:#.*)?\r?$", re.M)

    def concerns(path: str, text: str) -> bool:
        if not scope or path.startswith(f"{scope}/") or "git:" in text:
            return True
        return all(part in text for part in named) or holds.search(text) is not None

    return concerns


@lru_cache(maxsize=2048)
def _in_text(path: str, text: str) -> tuple[Manifest | Unread, ...]:
    problem: YamlTextError | None = None
    for mask in _MASKS if len(text) <= yamltext.MAX_SIZE else _MASKS[:1]:
        readable = mask(text)
        try:
            parts = _documents(readable)
        except YamlTextError as error:
            problem = problem or error
            continue
        locked = f"{path}: {problem}" if problem else ""
        found = (_object(path, number, part) for number, part in enumerate(parts))
        objects = [_with_empty(item, readable) for item in found if item is not None]
        return tuple(Manifest(item, locked, loops=_loops(text, item) if locked else ()) for item in objects)
    return (Unread(path, f"{path}: {problem}"),)


def _loops(text: str, item: Object) -> tuple[Loop | None, ...]:
    kind = item.tree.get(("kind",))
    return loops.loops_at(text, kind.scalar.start) if kind else ()


def _with_empty(item: Object, text: str) -> Object:
    """The object with the empty mappings that mean something: `automated: {}` and `clusters: {}`."""
    if "{}" not in text:
        return item
    root: Path = ("spec", "template") if item.kind == "ApplicationSet" else ()
    paths = [(*root, "spec", "syncPolicy", "automated"), *_clusters(("spec", "generators"), 2)]
    empty = {
        path: Held(item.file, yamltext.Scalar(item.document, path, "", "{}", 0, 0, 0, "{}", "empty"))
        for path in paths
        if path not in item.tree and yamltext.get(text, item.document, path) is not None
    }
    return replace(item, tree={**item.tree, **empty})


def _clusters(at: Path, depth: int) -> Iterator[Path]:
    for number in range(_MAX_CHILDREN if depth else 4):
        yield (*at, number, "clusters")
        if depth:
            for kind in ("matrix", "merge"):
                yield from _clusters((*at, number, kind, "generators"), depth - 1)


def _object(path: str, number: int, document: Document) -> Object | None:
    item = Object(path, number, "", "", "", unmasked(held_in(path, document)))
    kind, name = item.value("kind"), item.value("metadata", "name") or item.value("metadata", "generateName")
    if kind not in KINDS or not item.value("apiVersion").startswith(GROUP):
        return None
    return replace(item, kind=kind, name=name, namespace=item.value("metadata", "namespace"))


@lru_cache(maxsize=1024)  # clusters often hold the same file
def _documents(text: str) -> tuple[Document, ...]:
    found = yamltext.scalars(text, opened=True)
    count = max((scalar.document for scalar in found), default=-1) + 1
    parts: list[dict[Path, yamltext.Scalar]] = [{} for _ in range(count)]
    for scalar in found:
        parts[scalar.document][scalar.path] = scalar
    return tuple(parts)


def _masked(text: str) -> str:
    return re.sub(r"\{\{.{0,500}?\}\}", lambda found: found[0].translate(BRACES), text)


_MASKS: tuple[Callable[[str], str], ...] = (str, _masked, lambda text: _masked(loops.blanked(text)))
"""Ways to read a file, the exact one first: every later one can only be read, not edited."""


def unmasked(tree: Tree) -> Tree:
    """A tree with its template braces as they are written."""
    return {path: _unmasked(held) for path, held in tree.items()}


def _unmasked(held: Held) -> Held:
    s = held.scalar
    if "\u2983" not in s.raw:
        return held
    return replace(held, scalar=replace(s, value=s.value.translate(_BRACKETS), raw=s.raw.translate(_BRACKETS)))


def embedded(tree: Tree, *path: str | int) -> Tree:
    """The YAML in a block scalar at a path, each value with its place in the file. Raises YamlTextError when it is
    there and cannot be read."""
    held = tree.get(path)
    parts = opened(tree, path)
    if held is None or not held.value.strip() or parts:
        return parts[0] if parts else {}
    parts = opened({path: replace(held, scalar=replace(held.scalar, value=_masked(held.value)))}, path)
    if not parts and any(line.strip() and not line.lstrip().startswith("#") for line in held.value.splitlines()):
        where = f"{held.file}, line {held.scalar.line}"
        raise YamlTextError(f"{where}: the values in this text are no YAML that can be read; edit them by hand")
    return unmasked(parts[0]) if parts else {}
