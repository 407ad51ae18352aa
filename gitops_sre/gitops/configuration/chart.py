"""The values of a Helm chart, and the flag files that it carries.

Values merge key by key; a later file wins, and a list replaces a list. A subchart's own values lie beneath its name.
Source: Helm's documentation of values files and of subcharts.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from gitops_sre.gitops.configuration.build import Build
from gitops_sre.gitops.configuration.entries import STEP, Entry, Object, Sheet, entries, field, named
from gitops_sre.gitops.files import Document, Files, documents, indexes, join, value
from gitops_sre.yamltext import Path, YamlTextError

RELEASE: Object = ("HelmChart", "")
"""What the values of a source that is a chart belong to."""
_NOT_FLAGS = ("templates/", "crds/", "charts/", "ci/", "tests/")


def read(files: Files, folder: str, value_files: Sequence[str], key: str) -> Build:
    """The values of a chart, with the value files over them. Raises YamlTextError."""
    layers = [(*_first(files, path), prefix) for path, prefix in _defaults(files, folder)]
    layers += [(*_first(files, path), ()) for path in value_files]
    found: list[Entry] = []
    for rank, (path, document, prefix) in enumerate(layers):
        lists = {(*prefix, *part) for place in document for part in _lists(place)}
        found = [entry for entry in found if not any(_within(entry.names, each) for each in lists)]
        reason = f"{path} sets it last of the value files"
        for place, scalar in document.items():
            if names := named(document, place):
                found.append(Entry(RELEASE, (*prefix, *names), field(path, scalar, reason), rank * STEP))
    flags = list(_flag_files(files, folder, key.rpartition(".")[2]))
    objects = tuple(dict.fromkeys(entry.object for entry in flags))
    return Build((*found, *flags), objects=(RELEASE, *objects), consumers=frozenset({RELEASE}))


def mentions(files: Files, folder: str, key: str) -> str:
    """A template of a chart that writes a name itself, or the empty string."""
    word = re.compile(rf"(?<![\w.-]){re.escape(key)}(?![\w-])")
    paths = (
        path for path in files.under(posixpath.join(folder, "templates")) if path.endswith((".yaml", ".yml", ".tpl"))
    )
    return next((path for path in paths if word.search(files.text(path) or "")), "")


def _first(files: Files, path: str) -> tuple[str, Document]:
    return path, next(iter(documents(files, path)), {})


def _defaults(files: Files, folder: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The chart's own value files with the names that lead to them, weakest first: subcharts, then the chart."""
    chart = posixpath.join(folder, "Chart.yaml")
    document = _first(files, chart)[1] if files.text(chart) is not None else {}
    for at in indexes(document, "dependencies"):
        name, alias, place = (value(document, "dependencies", at, part) for part in ("name", "alias", "repository"))
        local = join(folder, place.removeprefix("file://")) if place.startswith("file://") else None
        path = posixpath.join(local or posixpath.join(folder, "charts", name), "values.yaml")
        if files.text(path) is not None:
            yield path, (alias or name,)
    own = posixpath.join(folder, "values.yaml")
    if files.text(own) is not None:
        yield own, ()


def _lists(path: Path) -> Iterator[tuple[str, ...]]:
    return (tuple(map(str, path[:at])) for at, part in enumerate(path) if isinstance(part, int))


def _within(names: tuple[str, ...], above: tuple[str, ...]) -> bool:
    return names[: len(above)] == above


def _flag_files(files: Files, folder: str, leaf: str) -> Iterator[Entry]:
    """Flag definitions that the chart puts into a ConfigMap as they are."""
    for path in files.under(folder):
        inside = path[len(folder) :].lstrip("/")
        text = files.text(path) if path.endswith((".json", ".yaml", ".yml")) else None
        if inside.startswith(_NOT_FLAGS) or not text or "flags" not in text or leaf not in text:
            continue
        try:
            parts = documents(files, path)
        except YamlTextError:
            continue
        for part in parts:
            yield from (
                e for e in entries(Sheet(path, part), ("", path), 0, f"the file {path}") if e.names[:1] == ("flags",)
            )
