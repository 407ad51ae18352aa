"""Which Helm value decides a field of an object, by the names that charts give to it.

A name is believed only where there is something to believe it by: the value stands there already, the map that it
belongs to stands there, or the chart is in the repository and names the key. Sources of the names: `helm create`'s
scaffold (replicaCount, autoscaling, resources, podAnnotations) and the common library of bjw-s (controllers).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from gitops_sre import yamltext
from gitops_sre.gitops import environments
from gitops_sre.gitops.files import AtCommit, documents, value
from gitops_sre.gitops.ownership.parts import Part, Thing, below, stands
from gitops_sre.model.change import Field
from gitops_sre.model.target import ObjectField, Source, Target
from gitops_sre.yamltext import YamlTextError

Key = tuple[str, ...]
Owner = Callable[[Key], tuple[Field, ...]]
"""Where a value of a release stands, or would be inserted."""

VALUES_OF: dict[str, tuple[Key, ...]] = {
    "HelmRelease": (("spec", "values"),),
    "Application": (
        ("spec", "source", "helm", "valuesObject"),
        ("spec", "source", "helm", "values", "|yaml"),
    ),
}
"""Objects that stand for a release of a chart, and where they hold its values."""

_MAIN = frozenset({"main", "app", "server", "application"})
"""Names that charts give to a workload's own container."""
_GROUPS = frozenset({"resources", "podAnnotations"})
"""Maps whose keys a chart passes on whatever they are: where one stands, its keys are the chart's."""
_SWITCHED = frozenset({"HorizontalPodAutoscaler", "ScaledObject"})
"""Kinds that a chart makes only when a switch (`enabled`) beside the value says so."""


@dataclass(frozen=True)
class Release:
    """A release of a chart: its values, weakest first, and what is known of the chart. `known` are the names that its
    main workload may bear."""

    what: str
    values: Thing
    known: frozenset[str]
    chart: str = ""
    folder: str = ""
    """The chart's folder, where it is in the repository."""


def of_object(files: AtCommit, thing: Thing, referred: tuple[Part, ...] = ()) -> Iterator[Release]:
    """The release that a HelmRelease or an Application stands for, once for each place that holds its values.
    `referred` are texts that it takes values from, weakest first."""
    view = thing.manifest.view
    for prefix in VALUES_OF.get(thing.kind, ()):
        parts = tuple(_rooted(part, prefix) for part in thing.parts)
        chart = value(view, "spec", "chart", "spec", "chart") or value(view, "spec", "source", "chart")
        folder = posixpath.normpath(chart) if files.text(posixpath.join(chart, "Chart.yaml")) is not None else ""
        names = {thing.name, value(view, "spec", "releaseName"), value(parts[0].view, "fullnameOverride")}
        if referred or any(part.view for part in parts):
            values = Thing("values", thing.name, (*referred, *parts), own=len(referred))
            what = f"{thing.kind} {thing.name}"
            yield Release(what, values, frozenset(names - {""}), posixpath.basename(chart), folder)


def of_chart(files: AtCommit, target: Target) -> Release:
    """The release of a chart in the repository, with its values files in order. Raises YamlTextError."""
    source = target.source
    defaults = posixpath.join(source.path, "values.yaml")
    paths = [*((defaults,) if files.text(defaults) is not None else ()), *_value_files(files, source, target)]
    parts = []
    for path in dict.fromkeys(paths):
        view = next(iter(documents(files, path)), {})
        parts.append(Part(path, 0, view, (), f"{path} sets it, over the values read before"))
    if not parts:
        raise YamlTextError(f"{source.path}: the chart has no values file to write to; add one")
    chart = value(next(iter(documents(files, posixpath.join(source.path, "Chart.yaml"))), {}), "name")
    names = {source.release_name, target.application.rpartition("/")[2], chart, target.service}
    names |= {value(part.view, "fullnameOverride") for part in parts}
    values = Thing("values", chart, tuple(parts))
    return Release(f"chart {source.path}", values, frozenset(names - {""}), chart, source.path)


def in_files(values: Thing, environment: str) -> Owner:
    """How the values of a chart with values files are found: in the file that sets them and is read last, or over
    what is written for everybody in the file of the environment."""
    last = values.parts[-1]

    def owner(key: Key) -> tuple[Field, ...]:
        found = values.deciding(key)
        if found and (found[0].file == last.file or not _for_everybody(found[0].file, values, environment)):
            return found
        over = f", over {found[0].file}" if found else ""
        return tuple(last.field(spot, f"{last.file} is read last{over}") for spot in last.spots(key))

    return owner


def owners(files: AtCommit, release: Release, at: ObjectField, owner: Owner) -> list[tuple[Field, ...]]:
    """The values that decide a field: one owner, none, or several that cannot be told apart. Raises YamlTextError that
    names the keys that were looked for."""
    keys = list(_keys(release, at))
    if not keys:
        return []
    standing = [key for key in keys if release.values.deciding(key)]
    if at.kind in _SWITCHED:
        standing = [key for key in standing if _switched_on(release, key)]
        return [owner(key) for key in standing]
    if standing:
        return [owner(key) for key in standing]
    believed = [key for key in keys if _believed(files, release, key)]
    if not believed:
        looked = ", ".join(".".join(key) for key in keys)
        raise YamlTextError(
            f"{release.values.parts[-1].file}: {release.what} sets no {'.'.join(at.path)}, and its chart is not"
            f" there to say how it calls that (looked for {looked}); write the chart's key once by hand"
        )
    return [owner(believed[0])]


def _rooted(part: Part, prefix: Key) -> Part:
    path = tuple(each for key in prefix for each in ((key, 0) if key == "|yaml" else (key,)))
    return replace(part, view=below(part.view, path), prefix=(*part.prefix, *path))


def _value_files(files: AtCommit, source: Source, target: Target) -> Sequence[str]:
    """The values files of a source; where nothing names them, those of the environment beside the chart's own."""
    if source.value_files or not target.environment:
        return source.value_files
    beside = [path for path in files.under(source.path) if posixpath.dirname(path) == source.path.rstrip("/")]
    named = [path for path in beside if "values" in posixpath.basename(path) and path.endswith((".yaml", ".yml"))]
    return [
        path for path in named if environments.of(posixpath.basename(path)) in environments.wanted(target.environment)
    ]


def _for_everybody(file: str, values: Thing, environment: str) -> bool:
    """Whether a values file is for more than this environment, and the last one is for it."""
    if file == values.manifest.file:
        return True
    mine = environments.wanted(environment)
    return environments.of(values.parts[-1].file) in mine and environments.of(file) not in mine


def _keys(release: Release, at: ObjectField) -> Iterator[Key]:
    """The names by which charts call a field, for the component that the workload is of the release."""
    components = _components(release, at.name)
    own = at.name in release.known
    container = _container(at)
    sidecar = container and not _own_container(release, at, components)
    for tail in _tails(at):
        if sidecar:
            yield (container, *tail)
            continue
        if own:
            yield tail
            yield ("deployment", *tail)
        for component in components:
            yield (component, *tail)
    yield from _controllers(release, at, components, own=own)


def _tails(at: ObjectField) -> Iterator[Key]:
    last = at.path[-1]
    match at.kind:
        case "HorizontalPodAutoscaler":
            yield from (("autoscaling", last), ("hpa", last))
        case "ScaledObject":
            yield from (("keda", last), ("keda", last.replace("Count", "s")), ("autoscaling", last))
        case _ if at.path == ("spec", "replicas"):
            yield from (("replicaCount",), ("replicas",))
        case _ if at.path[-3:-2] == ("resources",):
            yield at.path[-3:]
        case _ if at.path[:-1] == ("spec", "template", "metadata", "annotations"):
            yield ("podAnnotations", last)
        case "CronJob" if at.path == ("spec", "suspend"):
            yield from (("suspend",), ("cronjob", "suspend"))


def _controllers(release: Release, at: ObjectField, components: Sequence[str], *, own: bool) -> Iterator[Key]:
    """The common library's keys: a map of controllers, each with containers."""
    view = release.values.parts[-1].view if len(release.values.parts) == 1 else _together(release.values)
    names = dict.fromkeys(str(path[1]) for path in view if path[0] == "controllers" and len(path) > 2)
    for name in names:
        if not (name in components or (own and (len(names) == 1 or name in {"main", *release.known}))):
            continue
        container = _container(at)
        if at.path == ("spec", "replicas"):
            yield ("controllers", name, "replicas")
        elif container:
            yield ("controllers", name, "containers", container, *at.path[-3:])
        elif at.path[:-1] == ("spec", "template", "metadata", "annotations"):
            yield ("controllers", name, "pod", "annotations", at.path[-1])
        elif at.path == ("spec", "suspend"):
            yield ("controllers", name, "cronjob", "suspend")


def _components(release: Release, workload: str) -> list[str]:
    """How values may call the part of a release that a workload is: `argocd-repo-server` of release argocd is
    repo-server or repoServer."""
    rest = [workload.removeprefix(f"{name}-") for name in sorted(release.known) if workload.startswith(f"{name}-")]
    words = [workload, *rest]
    camel = [re.sub(r"-([a-z0-9])", lambda match: match[1].upper(), word) for word in words]
    return list(dict.fromkeys([*words, *camel, *(word.replace("-", "_") for word in words)]))


def _container(at: ObjectField) -> str:
    found = re.search(r"containers\.\[name=([^\]]+)\]", ".".join(at.path))
    return found[1] if found else ""


def _own_container(release: Release, at: ObjectField, components: Sequence[str]) -> bool:
    """Whether a container is the workload's own, which unnamed `resources` are for, and no sidecar."""
    return _container(at) in _MAIN | release.known | {at.name, release.chart, *components}


def _switched_on(release: Release, key: Key) -> bool:
    """Whether an autoscaler's map is in use. Raises YamlTextError when nothing says so."""
    switch = release.values.deciding((*key[:-1], "enabled"))
    if not switch:
        raise YamlTextError(
            f"{release.values.parts[-1].file}: {'.'.join(key)} stands there and no {'.'.join(key[:-1])}.enabled says"
            " whether it is in use; write that down first"
        )
    return switch[0].value == "true"


def _believed(files: AtCommit, release: Release, key: Key) -> bool:
    """Whether a key that does not stand there yet is the chart's."""
    last = next((number for number, part in enumerate(key) if part in _GROUPS), -1)
    group = key[: last + 1]
    if key[0] == "controllers":
        shape = key[:4] if key[2] == "containers" else (*key[:2], "containers")
        return any(stands(part.view, shape) for part in release.values.parts)
    if group and any(_has_map(files, part, group) for part in release.values.parts):
        return True
    return bool(release.folder) and _named_by_chart(files, release, key, group)


def _has_map(files: AtCommit, part: Part, group: Key) -> bool:
    if stands(part.view, group):
        return True
    return yamltext.get(files.text(part.file) or "", part.number, (*part.prefix, *group)) is not None


def _named_by_chart(files: AtCommit, release: Release, key: Key, group: Key) -> bool:
    """Whether the chart's templates read a key, or those of a chart that it depends on."""
    own = posixpath.join(release.folder, "templates")
    inner = posixpath.join(release.folder, "charts", key[0], "templates")
    for folder, path in ((own, key), (own, group), (inner, key[1:]), (inner, group[1:])):
        pattern = re.compile(rf"\.Values\.{re.escape('.'.join(path))}(?![\w.])") if path else None
        if pattern and any(pattern.search(files.text(each) or "") for each in files.under(folder)):
            return True
    return False


def _together(values: Thing) -> dict[yamltext.Path, yamltext.Scalar]:
    return {path: scalar for part in values.parts for path, scalar in part.view.items()}
