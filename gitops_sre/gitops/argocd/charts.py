"""Which place decides the version of a chart that Argo CD deploys: `targetRevision` beside `chart:`, or the
dependencies of an umbrella chart, with its lock.

Source: Argo CD, "Helm"; Helm, "Helm Dependency" (`Chart.lock` decides what `helm dependency build` takes, and its
digest is of the dependencies in both files).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from gitops_sre.gitops.argocd.applications import Declared, DeclaredSource, applications
from gitops_sre.gitops.argocd.images import editable, in_scope, of_environment
from gitops_sre.gitops.files import Files, documents
from gitops_sre.gitops.flux.charts import EXACT, matches
from gitops_sre.gitops.flux.objects import Tree, held_in, mentioning
from gitops_sre.gitops.flux.values import edited
from gitops_sre.model.change import Field
from gitops_sre.yamltext import YamlTextError

_FIXED = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?|(refs/tags/)?v?\d+(\.\d+)+([-+][0-9A-Za-z.+-]+)?")
"""A commit, or a tag that looks like a version."""
_STALE = "Chart.lock's digest covers the versions, so all of these are put back together from one commit of the history"


def chart_owners(files: Files, path_scope: str, chart: str, environment: str = "") -> list[tuple[Field, ...]]:
    """Where a chart's version stands for the Applications and umbrella charts of a folder: one tuple of fields that
    move together, or one for each version and environment.

    `chart` is a chart's name, or its URL. Raises YamlTextError when the version is a range or is not set.
    """
    found: list[tuple[str, tuple[Field, ...]]] = []
    problems: list[YamlTextError] = []
    for declared in of_environment(in_scope(applications(files, scope=path_scope), path_scope), environment):
        for source in declared.sources:
            if source.chart and _is(source, declared, chart):
                try:
                    found.append((declared.environment, (_revision(declared, source),)))
                except YamlTextError as error:
                    problems.append(error)
    found += [("", fields) for fields in umbrella_owners(files, path_scope, chart)]
    if problems and not found:
        raise problems[0]
    return _together(found)


def ref_owners(files: Files, path_scope: str, name: str, environment: str = "") -> list[tuple[Field, ...]]:
    """Where the Applications of a folder say which revision of a Git repository they follow: those of that name, or
    with a source whose URL ends with it. Branches are no revisions to go back to and are left out. Raises
    YamlTextError when the place cannot be edited."""
    found: list[tuple[str, tuple[Field, ...]]] = []
    for declared in of_environment(in_scope(applications(files, scope=path_scope), path_scope), environment):
        for source in declared.sources:
            held = source.tree.get(("targetRevision",))
            url = source.source.repo_url.removesuffix("/").removesuffix(".git")
            if held is None or source.chart or not (name in (declared.name, url) or url.endswith(f"/{name}")):
                continue
            if _FIXED.fullmatch(declared.resolve(held).text):
                reason = f"`targetRevision` of {declared}"
                found.append(
                    (declared.environment, (editable(declared, edited(held, declared.resolve, "ref", reason)),))
                )
    return _together(found)


def umbrella_owners(files: Files, path_scope: str, chart: str) -> list[tuple[Field, ...]]:
    """Dependencies of charts below a folder that are this chart. Raises YamlTextError."""
    last = chart.rstrip("/").rpartition("/")[2]
    return [
        fields
        for path in mentioning(files, last, path_scope)
        if posixpath.basename(path) == "Chart.yaml"
        for fields in _dependency(files, path, chart)
    ]


def _is(source: DeclaredSource, declared: Declared, chart: str) -> bool:
    name = declared.resolve(source.tree[("chart",)]).text if ("chart",) in source.tree else source.chart
    full = f"{source.source.repo_url.removeprefix('oci://').rstrip('/')}/{name}"
    return matches(chart, name) or chart.removeprefix("oci://").strip("/") == full


def _revision(declared: Declared, source: DeclaredSource) -> Field:
    held = source.tree.get(("targetRevision",))
    text = declared.resolve(held).text if held else ""
    if held is None or not text:
        raise YamlTextError(f"{declared.file}: {declared} names no version of {source.chart}; pin one")
    if "{{" not in text and not EXACT.fullmatch(text):
        raise YamlTextError(
            f"{held.file}, line {held.scalar.line}: {text!r} is a range of versions, which one runs is decided outside"
            " of Git; pin it to an exact version first"
        )
    return editable(declared, edited(held, declared.resolve, "chart", f"`targetRevision` of {declared}"))


def _dependency(files: Files, path: str, chart: str) -> Iterator[tuple[Field, ...]]:
    for document in documents(files, path):
        tree = held_in(path, document)
        for at in dict.fromkeys(place[1] for place in tree if place[:1] == ("dependencies",) and len(place) > 1):
            name, version = tree.get(("dependencies", at, "name")), tree.get(("dependencies", at, "version"))
            if name is None or not matches(chart, name.value):
                continue
            _not_vendored(files, path, name.value)
            locked = _lock(files, path, name.value)
            exact = version is not None and bool(EXACT.fullmatch(version.value))
            if version is not None and exact:
                first = version.field("chart", f"dependency of the umbrella chart {path}")
                yield (first, *locked)
            elif locked:
                yield locked
            else:
                said = version.value if version else "no version"
                raise YamlTextError(f"{path}: {said!r} of {name.value} is a range without a Chart.lock; pin it")


def _lock(files: Files, path: str, name: str) -> tuple[Field, ...]:
    """The lock's version of a dependency, and its digest."""
    file = posixpath.join(posixpath.dirname(path), "Chart.lock")
    if files.text(file) is None:
        return ()
    tree: Tree = held_in(file, next(iter(documents(files, file)), {}))
    found = []
    for place, held in tree.items():
        if place[:1] == ("dependencies",) and place[2:] == ("name",) and held.value == name:
            version = tree.get((*place[:2], "version"))
            found += [version.field("chart", f"{file} decides what is taken; {_STALE}")] if version else []
    digest = tree.get(("digest",))
    return (*found, digest.field("value", f"of the lock {file}; {_STALE}")) if found and digest else tuple(found)


def _not_vendored(files: Files, path: str, name: str) -> None:
    """A chart that is in the repository itself is what runs, whatever the dependency says."""
    folder = posixpath.join(posixpath.dirname(path), "charts")
    inside = [
        each for each in files.under(folder) if each.removeprefix(f"{folder}/").startswith((f"{name}-", f"{name}/"))
    ]
    if inside:
        raise YamlTextError(f"{path}: {inside[0]} holds the dependency {name} itself; vendor the other version by hand")


def _together(found: list[tuple[str, tuple[Field, ...]]]) -> list[tuple[Field, ...]]:
    """Owners of one environment that hold the same version as one; the same places once."""
    groups: dict[tuple[str, ...], dict[tuple[object, ...], Field]] = {}
    for environment, fields in found:
        group = groups.setdefault((environment, *(each.value for each in fields)), {})
        for each in fields:
            group.setdefault((each.file, each.document, each.path), replace(each))
    distinct = {frozenset(group): tuple(group.values()) for group in groups.values()}
    return list(distinct.values())
