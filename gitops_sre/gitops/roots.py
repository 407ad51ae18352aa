"""What reads a file when no GitOps object says so: the outermost kustomizations, the chart, or the plain folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from gitops_sre.gitops.files import KUSTOMIZATIONS, MANIFESTS, Files, join
from gitops_sre.model.target import Source
from gitops_sre.yamltext import YamlTextError

_TOKEN = re.compile(r"[^\s'\",\[\]{}=]+")
_COMMENT = re.compile(r"(?m)(?:^|\s)#.*$")
_OBJECT = re.compile(r"^\s*\"?kind\"?\s*:", re.M)
_PARTS_OF_A_CHART = ("templates/", "crds/", "charts/")


class Readers:
    """Which kustomizations may read a file: those whose text names it, or a folder that leads to it. Found by their
    text, so that only few are parsed afterwards. `paths` are all files of the repository."""

    def __init__(self, files: Files, paths: Iterable[str]) -> None:
        self._files = files
        self._paths = frozenset(paths)
        self._readers = _readers(files, self._paths)

    def reached(self, path: str) -> frozenset[str]:
        """The folders of all kustomizations that lead to a file."""
        found: set[str] = set()
        waiting = [*self._readers.get(path, ())]
        while waiting:
            folder = waiting.pop()
            if folder not in found:
                found.add(folder)
                waiting += self._readers.get(folder, ())
        return frozenset(found)

    def roots(self, changed: Iterable[str]) -> tuple[tuple[Source, str], ...]:
        """Sources whose rendering may read the changed files: the kustomizations that no other one includes; or the
        chart around a file, or the manifest itself, with the file."""
        found: dict[tuple[Source, str], None] = {}
        for path in changed:
            reached = sorted(self.reached(path))
            outermost = [(Source("", each, kind="kustomize"), "") for each in reached if not self._readers.get(each)]
            alone = ((source, path) for source in _alone(self._files, self._paths, path))
            found.update(dict.fromkeys(outermost or alone))
        return tuple(found)


def _readers(files: Files, everything: frozenset[str]) -> Mapping[str, frozenset[str]]:
    """File or kustomization folder -> folders of the kustomizations whose text names it."""
    folders = {posixpath.dirname(path) for path in everything if posixpath.basename(path) in KUSTOMIZATIONS}
    found: dict[str, set[str]] = {}
    for folder in folders:
        file = next(path for name in KUSTOMIZATIONS if (path := posixpath.join(folder, name)) in everything)
        found.setdefault(file, set()).add(folder)
        for entry in set(_TOKEN.findall(_COMMENT.sub("", _text(files, file)))):
            named = join(folder, entry)
            if named is not None and named != folder and (named in everything or named in folders):
                found.setdefault(named, set()).add(folder)
    return {path: frozenset(each) for path, each in found.items()}


def _alone(files: Files, everything: frozenset[str], path: str) -> Iterator[Source]:
    chart = _chart(everything, path)
    if chart is not None:
        inner = posixpath.relpath(path, chart or ".")
        values = inner not in ("Chart.yaml", "values.yaml") and not inner.startswith(_PARTS_OF_A_CHART)
        own = (path,) if values and path.endswith((".yaml", ".yml")) else ()
        yield Source("", chart, kind="helm", value_files=own, release_name=posixpath.basename(chart) or "release")
    elif path.endswith(MANIFESTS) and _OBJECT.search(_text(files, path)):
        yield Source("", posixpath.dirname(path), kind="directory", recurse=False, include=posixpath.basename(path))


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
