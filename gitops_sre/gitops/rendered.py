"""Rendered objects before and after a change, and what differs between them, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gitops_sre.gitops.explain import FieldDiff
from gitops_sre.model.change import Change, ObjectDiff
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source, WorkloadRef
from gitops_sre.ports import Locator, Manifest, Renderer, Repository

SCALED_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "Rollout", "DaemonSet"})
_CLUSTER_WIDE = frozenset({
    "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
    "StorageClass", "PriorityClass", "IngressClass", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
    "APIService", "RuntimeClass", "CSIDriver", "ClusterIssuer",
})  # fmt: skip
_SHOWN = 200
"""Characters of a value in a diff line."""
_PARALLEL = 4

Leaf = tuple[str, str]
"""A field path and its value as text."""


@dataclass(frozen=True)
class Difference:
    """One object that a change alters, adds (`before` is None) or removes (`after` is None)."""

    kind: str
    namespace: str
    name: str
    application: str
    before: Manifest | None
    after: Manifest | None
    fields: tuple[FieldDiff, ...]

    def is_workload(self, ref: WorkloadRef) -> bool:
        """Whether this object is that workload."""
        return (self.kind, self.namespace, self.name) == (ref.kind, ref.namespace, ref.name)

    def replicas(self, workloads: Sequence[Workload]) -> int:
        """Replicas that run it, or that its manifest asks for when it is not running; 0 for what has no pods."""
        running = next((each.replicas for each in workloads if self.is_workload(each.ref)), None)
        if running is not None or self.kind not in SCALED_KINDS:
            return running or 0
        declared = ((self.after or self.before or {}).get("spec") or {}).get("replicas")
        return declared if isinstance(declared, int) else 1

    def shown(self, workloads: Sequence[Workload]) -> ObjectDiff:
        """The noun of the proof; values of Secrets are not in it."""
        lines = tuple(_line(self.kind, field) for field in self.fields)
        if self.before is None or self.after is None:
            lines = ("(added)" if self.before is None else "(removed)",)
        return ObjectDiff(
            self.kind, self.namespace, self.name, self.application, lines, replicas=self.replicas(workloads)
        )


@dataclass(frozen=True)
class Rendering:
    """What rendering every affected application came to."""

    differences: tuple[Difference, ...]
    failures: tuple[tuple[str, Unavailable], ...]
    """Application and why it could not be rendered."""
    applications: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    application: str
    source: Source


def render(
    repository: Repository,
    renderer: Renderer,
    locator: Locator,
    change: Change,
    sources: Mapping[str, Sequence[Source]],
) -> Rendering:
    """Render each affected source at the base and with the change, in throw-away folders.

    `sources` maps an application's key to its sources in this repository. Raises OSError when the repository cannot
    be read.
    """
    changed = {file.path for file in change.files}
    inputs = {source: locator.inputs(change.base, source) for each in sources.values() for source in each}
    jobs = [_Job(key, source) for key, each in sources.items() for source in each if inputs[source] & changed]
    needed = sorted(changed.union(*(inputs[job.source] for job in jobs)))
    with TemporaryDirectory(prefix="proof-") as folder:
        tree = Path(folder, "tree")
        repository.export(change.base, tree, needed)
        before = _all(renderer, tree, jobs)
        for file in change.files:
            tree.joinpath(file.path).write_bytes(file.after.encode())
        after = _all(renderer, tree, jobs)
    failures: list[tuple[str, Unavailable]] = []
    found: list[Difference] = []
    for job, one, two in zip(jobs, before, after, strict=True):
        if isinstance(one, Unavailable) or isinstance(two, Unavailable):
            failures += [(job.application, result) for result in (one, two) if isinstance(result, Unavailable)][:1]
        else:
            found += _differences(job, one, two)
    return Rendering(tuple(found), tuple(failures), tuple(dict.fromkeys(job.application for job in jobs)))


def sources_of(applications: Sequence[Application], target_key: str, target: Source) -> dict[str, list[Source]]:
    """Sources of every application in the target's repository; a commit that is pinned by SHA or tag stays put."""
    found = {
        app.key: [
            replace(
                source,
                release_name=source.release_name or app.name,
                namespace=source.namespace or app.destination_namespace,
            )
            for source in app.sources
            if _same_repository(source.repo_url, target.repo_url) and source.path and not _pinned(source.revision)
        ]
        for app in applications
    }
    if not found.get(target_key):
        found[target_key] = [target]
    return found


def _same_repository(one: str, other: str) -> bool:
    return _plain_url(one) == _plain_url(other)


def _plain_url(url: str) -> str:
    """Host and path: the same repository is written with several schemes and endings."""
    rest = url.partition("://")[2] or url.replace(":", "/", 1)
    return rest.rpartition("@")[2].lower().rstrip("/").removesuffix(".git")


def _pinned(revision: str) -> bool:
    return revision.startswith("refs/tags/") or (len(revision) == 40 and all(c in "0123456789abcdef" for c in revision))


def _all(renderer: Renderer, tree: Path, jobs: Sequence[_Job]) -> list[tuple[Manifest, ...] | Unavailable]:
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        return list(pool.map(lambda job: renderer.render(tree, job.source), jobs))


def _differences(job: _Job, before: Sequence[Manifest], after: Sequence[Manifest]) -> Iterator[Difference]:
    one, two = _by_identity(job, before), _by_identity(job, after)
    for identity in {**one, **two}:
        old, new = one.get(identity), two.get(identity)
        fields = tuple(_fields(old or {}, new or {}))
        if fields:
            _, kind, namespace, name = identity
            yield Difference(kind, namespace, name, job.application, old, new, fields)


def _by_identity(job: _Job, objects: Sequence[Manifest]) -> dict[tuple[str, str, str, str], Manifest]:
    """Objects by group, kind, namespace and name; where none is given, the application's namespace holds."""
    found = {}
    for each in objects:
        metadata = each.get("metadata") or {}
        kind, group = str(each.get("kind", "")), str(each.get("apiVersion", "")).rpartition("/")[0]
        namespace = "" if kind in _CLUSTER_WIDE else str(metadata.get("namespace") or job.source.namespace)
        found[group, kind, namespace, str(metadata.get("name") or metadata.get("generateName", ""))] = each
    return found


def _fields(before: Manifest, after: Manifest) -> Iterator[FieldDiff]:
    one, two = dict(_leaves(before, "")), dict(_leaves(after, ""))
    return (FieldDiff(path, one.get(path), two.get(path)) for path in {**one, **two} if one.get(path) != two.get(path))


def _leaves(value: Any, path: str) -> Iterator[Leaf]:
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for at, child in enumerate(value):
            yield from _leaves(child, f"{path}[{at}]")
    else:
        yield path, json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _line(kind: str, field: FieldDiff) -> str:
    if kind == "Secret" and field.path.startswith(("data", "stringData")):
        return f"{field.path}: (hidden) -> (hidden)"
    one, two = ("(none)" if text is None else _short(text) for text in (field.before, field.after))
    return f"{field.path}: {one} -> {two}"


def _short(text: str) -> str:
    text = text.replace("\n", "\\n")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
