"""What reads a file when no GitOps object says so: the outermost kustomizations, the chart, or the plain folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from gitops_sre.gitops.files import KUSTOMIZATIONS, MANIFESTS, Files, join, kustomization_in
from gitops_sre.gitops.workspace import Recipe
from gitops_sre.model.target import Source
from gitops_sre.yamltext import YamlTextError

_TOKEN = re.compile(r"[^\s'\",\[\]{}=]+")
_OBJECT = re.compile(r"^\s*\"?kind\"?\s*:", re.M)
_PARTS_OF_A_CHART = ("templates/", "crds/", "charts/")


def roots(files: Files, paths: Iterable[str], changed: Iterable[str]) -> tuple[Source, ...]:
    """Sources whose rendering may read the changed files, outermost only; `paths` are all files of the repository.

    A kustomization is found when its text names the file or a folder that leads to it, so that only few are parsed
    afterwards. What no kustomization reads belongs to the chart around it, or to its own folder.
    """
    everything = frozenset(paths)
    readers = _readers(files, everything)
    found: dict[Source, None] = {}
    for path in changed:
        mine = list(_outermost(path, readers)) or list(_alone(files, everything, path))
        found.update(dict.fromkeys(mine))
    return tuple(found)


def _readers(files: Files, everything: frozenset[str]) -> Mapping[str, frozenset[str]]:
    """File or kustomization folder -> folders of the kustomizations whose text names it."""
    folders = {posixpath.dirname(path) for path in everything if posixpath.basename(path) in KUSTOMIZATIONS}
    found: dict[str, set[str]] = {}
    for folder in folders:
        file = kustomization_in(files, folder)
        for entry in {*_TOKEN.findall(_text(files, file or ""))}:
            path = join(folder, entry)
            if path is not None and path != folder and (path in everything or path in folders):
                found.setdefault(path, set()).add(folder)
        if file is not None:
            found.setdefault(file, set()).add(folder)
    return {path: frozenset(each) for path, each in found.items()}


def _outermost(path: str, readers: Mapping[str, frozenset[str]]) -> Iterator[Source]:
    """Kustomizations that reach the file and that no other one includes."""
    reached: set[str] = set()
    waiting = [*readers.get(path, ())]
    while waiting:
        folder = waiting.pop()
        if folder not in reached:
            reached.add(folder)
            waiting += readers.get(folder, ())
    return (Source("", folder, kind="kustomize") for folder in sorted(reached) if not readers.get(folder))


def _alone(files: Files, everything: frozenset[str], path: str) -> Iterator[Source]:
    chart = _chart(everything, path)
    if chart is not None:
        inner = posixpath.relpath(path, chart or ".")
        values = inner not in ("Chart.yaml", "values.yaml") and not inner.startswith(_PARTS_OF_A_CHART)
        own = (path,) if values and path.endswith((".yaml", ".yml")) else ()
        yield Source("", chart, kind="helm", value_files=own, release_name=posixpath.basename(chart) or "release")
    elif path.endswith(MANIFESTS) and _OBJECT.search(_text(files, path)):
        yield Recipe("", posixpath.dirname(path), kind="directory", recurse=False)


def _chart(everything: frozenset[str], path: str) -> str | None:
    """The chart around a file: of nested ones the outermost, since a part of a chart is rendered with its whole."""
    found = None
    folder = posixpath.dirname(path)
    while True:
        if posixpath.join(folder, "Chart.yaml") in everything:
            found = folder
            if posixpath.basename(posixpath.dirname(folder)) != "charts":
                return found
        elif found is not None and posixpath.basename(folder) != "charts":
            return found
        if not folder:
            return found
        folder = posixpath.dirname(folder)


def _text(files: Files, path: str) -> str:
    try:
        return files.text(path) or "" if path else ""
    except YamlTextError:
        return ""
