"""Reconcilers, environments and namespaces: what applies which folder, and where to."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise

from gitops_sre.gitops import environments
from gitops_sre.gitops.argocd.applications import Declared, applications
from gitops_sre.gitops.discovery.nouns import Environment, Finding
from gitops_sre.gitops.files import KUSTOMIZATIONS, AtCommit, inside, plain_path
from gitops_sre.gitops.flux.objects import Held, Object, mentioning, readable
from gitops_sre.gitops.roots import Readers
from gitops_sre.yamltext import YamlTextError

_FLUX = "kustomize.toolkit.fluxcd.io/"
_KIND = re.compile(
    r"^kind:[ \t]*[\"']?(?:Deployment|StatefulSet|DaemonSet|Rollout|CronJob|Job|HelmRelease|Namespace)\b", re.M
)
"""Kinds that the bot can do something about, or that say that their namespace is in use."""
_IN_METADATA = re.compile(r"^metadata:[ \t]*(?:#.*)?\n((?:[ \t]+.*\n?|[ \t]*\n|#.*\n)*)", re.M)
_VALUE = r"[ \t]*[\"']?([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)[\"']?[ \t]*(?:#.*)?$"
_NAMESPACE = re.compile(rf"^[ \t]+namespace:{_VALUE}", re.M)
_NAME = re.compile(rf"^[ \t]+name:{_VALUE}", re.M)
_SET = re.compile(rf"^namespace:{_VALUE}", re.M)
_DIVIDER = re.compile(r"^---", re.M)
_OF_A_CLUSTER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OWN = ("gotk-components.yaml", "gotk-sync.yaml")
"""Flux's own installation."""
_ORDER = ("production", "canary")
"""Named first: of two environments that share a namespace's name, the stricter one is to count."""


@dataclass(frozen=True)
class Into:
    """Where one object has something applied: a folder of this repository (None: something from elsewhere), the
    environment and the namespace (empty: not said), and the place that says it."""

    folder: str | None
    environment: str
    namespace: str
    place: str


@dataclass(frozen=True)
class Applied:
    """What applies which folder. `argocd` and `flux` are the namespaces of the objects that do."""

    argocd: Finding | None
    flux: Finding | None
    plain: tuple[str, ...]
    into: tuple[Into, ...]

    @classmethod
    def read(cls, files: AtCommit) -> Applied:
        """Applications, ApplicationSets and Flux Kustomizations of a commit."""
        declared = applications(files)
        kustomizations = [
            each
            for path in mentioning(files, _FLUX)
            for each in readable(files, path)
            if each.kind == "Kustomization" and each.group == _FLUX.rstrip("/")
        ]
        paths = files.repository.files(files.commit)
        named = (*KUSTOMIZATIONS, "Chart.yaml")
        return cls(
            _namespace(each.object.tree.get(("metadata", "namespace")) for each in declared),
            _namespace(each.tree.get(("metadata", "namespace")) for each in kustomizations),
            tuple(f"{path}:1" for path in paths if posixpath.basename(path) in named),
            (*_by_argocd(declared), *_by_flux(kustomizations)),
        )

    def environments(self, folder: str) -> frozenset[str]:
        """The environments that a folder is applied to: by its own name, else by what applies it or one around it."""
        if own := environments.of(folder):
            return frozenset((own,))
        around = {folder}
        while folder:
            folder = posixpath.dirname(folder)
            around.add(folder)
        return frozenset(each.environment for each in self.into if each.environment and each.folder in around)

    def namespace(self, path: str) -> str:
        """The namespace that what applies a file puts it into, of the nearest folder; empty where none is said."""
        around = [
            (len(each.folder), each.namespace)
            for each in self.into
            if each.namespace and each.folder is not None and inside(path, each.folder)
        ]
        return max(around, default=(0, ""))[1]


def _namespace(found: Iterable[Held | None]) -> Finding | None:
    """The most frequent namespace of some objects; an empty one where there are objects and none says one."""
    held = list(found)
    if not held:
        return None
    said = [each for each in held if each is not None and _OF_A_CLUSTER.fullmatch(each.value)]
    if not said:
        return Finding("", ())
    most = Counter(each.value for each in said).most_common(1)[0][0]
    return Finding(most, tuple(place(each) for each in said if each.value == most))


def place(held: Held) -> str:
    """Where a value stands, as `path:line`."""
    return f"{held.file}:{held.scalar.line}"


def _by_argocd(declared: Iterable[Declared]) -> Iterator[Into]:
    for each in declared:
        held = each.spec.get(("destination", "namespace")) or each.object.tree.get(("kind",))
        at = place(held) if held else f"{each.file}:1"
        into = each.destination.namespace if _OF_A_CLUSTER.fullmatch(each.destination.namespace) else ""
        folders = [source.source.path for source in each.sources if source.local and not source.chart]
        everything: list[str | None] = [*folders] or [None]
        yield from (Into(folder, each.environment, into, at) for folder in everything)


def _by_flux(kustomizations: Iterable[Object]) -> Iterator[Into]:
    for each in kustomizations:
        folder = plain_path(each.value("spec", "path"))
        target = each.tree.get(("spec", "targetNamespace")) or each.tree.get(("spec", "path"))
        into = each.value("spec", "targetNamespace")
        at = place(target) if target else f"{each.file}:1"
        known = into if _OF_A_CLUSTER.fullmatch(into) else ""
        yield Into(folder, environments.of(folder) or environments.of(each.file), known, at)


def environments_of(files: AtCommit, applied: Applied) -> tuple[tuple[Environment, ...], tuple[Finding, ...]]:
    """The environments of a repository with their namespaces, the critical ones first; and namespaces of none."""
    named: dict[str, dict[str, None]] = {}
    spaces: dict[str, dict[str, dict[str, None]]] = {}
    for each in applied.into:
        if each.environment:
            named.setdefault(each.environment, {})[each.place] = None
        if each.namespace:
            spaces.setdefault(each.environment, {}).setdefault(each.namespace, {})[each.place] = None
    for path in applied.plain:
        if environment := environments.of(posixpath.dirname(path)):
            named.setdefault(environment, {})[path] = None
    for told, namespace, at in _in_manifests(files, applied):
        # Its name says more than the folder that it is in.
        own = frozenset((environments.of(namespace),)) & named.keys()
        for environment in own or told & named.keys() or {""}:
            spaces.setdefault(environment, {}).setdefault(namespace, {})[at] = None
    loose = spaces.pop("", {})
    known = {namespace for found in spaces.values() for namespace in found}
    ordered = sorted(named, key=lambda name: (name not in _ORDER, name))
    return (
        tuple(Environment(name, tuple(named[name]), _findings(spaces.get(name, {}))) for name in ordered),
        _findings({namespace: at for namespace, at in loose.items() if namespace not in known}),
    )


def _findings(spaces: Mapping[str, Mapping[str, None]]) -> tuple[Finding, ...]:
    return tuple(Finding(namespace, tuple(spaces[namespace])) for namespace in sorted(spaces))


def _in_manifests(files: AtCommit, applied: Applied) -> Iterator[tuple[frozenset[str], str, str]]:
    """(environments, namespace, place) of every workload, release, namespace and kustomization that says one. By text:
    a repository has thousands of manifests, and what is looked for stands on lines of its own."""
    found: dict[str, list[tuple[str, int]]] = {}
    for path in sorted({*mentioning(files, "namespace:"), *mentioning(files, "kind: Namespace")}):
        if posixpath.basename(path) in _OWN:
            continue
        try:
            text = (files.text(path) or "").replace("\r\n", "\n")
        except YamlTextError:
            continue
        found[path] = list(_spoken(path, text))
    readers = Readers(files, files.repository.files(files.commit))
    setting = {posixpath.dirname(path) for path, said in found.items() if said and _is_kustomization(path)}
    for path, said in found.items():
        told = _environments(path, applied, readers, setting) if said else None
        if told is not None:
            yield from ((told, namespace, f"{path}:{line}") for namespace, line in said)


def _is_kustomization(path: str) -> bool:
    return posixpath.basename(path) in KUSTOMIZATIONS


def _environments(path: str, applied: Applied, readers: Readers, setting: AbstractSet[str]) -> frozenset[str] | None:
    """The environments that what a file says reaches, empty where none is known; None when it reaches nothing, since
    every kustomization that leads there (those in `setting`) sets a namespace of its own."""
    own = posixpath.dirname(path)
    reached = {own, *readers.reached(path)}
    left = {folder for folder in reached if folder not in setting or (folder == own and _is_kustomization(path))}
    if own not in left or (len(reached) > 1 and reached & setting and left == {own}):
        return None
    if named := environments.of(path):
        return frozenset((named,))
    return frozenset(each for folder in left for each in applied.environments(folder))


def _spoken(path: str, text: str) -> Iterator[tuple[str, int]]:
    """(namespace, line) of what a file says."""
    if posixpath.basename(path) in KUSTOMIZATIONS:
        if (found := _SET.search(text)) is not None:
            yield found[1], text.count("\n", 0, found.start()) + 1
        return
    starts = [0, *(match.start() for match in _DIVIDER.finditer(text)), len(text)]
    for start, end in pairwise(starts):
        kind, metadata = _KIND.search(text, start, end), _IN_METADATA.search(text, start, end)
        if kind is None or metadata is None:
            continue
        wanted = _NAME if kind[0].endswith("Namespace") else _NAMESPACE
        found = wanted.search(text, metadata.start(1), metadata.end(1))
        if found is not None:
            yield found[1], text.count("\n", 0, found.start()) + 1
