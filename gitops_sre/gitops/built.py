"""Kubernetes objects of one build: who is who, and what differs between two builds, field by field."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitops_sre.gitops.explain import FieldDiff
from gitops_sre.model.change import ObjectDiff
from gitops_sre.model.live import Workload
from gitops_sre.model.target import WorkloadRef
from gitops_sre.ports import Manifest
from gitops_sre.redact import under

SCALED_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "Rollout", "DaemonSet"})
_CLUSTER_WIDE = frozenset({
    "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
    "StorageClass", "PriorityClass", "IngressClass", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
    "APIService", "RuntimeClass", "CSIDriver", "ClusterIssuer",
})  # fmt: skip
ORIGIN = "config.kubernetes.io/origin"
"""The annotation in which kustomize's `buildMetadata: [originAnnotations]` names the file of an object."""

_HASHED = re.compile(r"(.+)-[2456789bcdfghkmt]{10}")
"""kustomize's suffix of generated objects: ten letters and digits that spell no word (its `hasher` package)."""
_HASHED_KINDS = frozenset({"ConfigMap", "Secret"})
_ITEM_KEYS = ("name", "key", "mountPath", "containerPort", "port", "id", "topologyKey")
"""Fields that identify an item of a list, tried in this order."""
_SHOWN = 200
"""Characters of a value in a diff line."""


@dataclass(frozen=True)
class Identity:
    """What the API server tells objects apart by; the version of the API is no part of it."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Difference:
    """One object that a change alters, adds (`before` is None) or removes (`after` is None). A generated object whose
    name changed with its content is one that is altered. `origin` is the file that it came from, where known."""

    identity: Identity
    application: str
    before: Manifest | None
    after: Manifest | None
    fields: tuple[FieldDiff, ...]
    origin: str = ""
    path: str = ""
    declared: str = ""
    """Where the source lies that it was rendered from, and the file that declares its application."""

    @property
    def namespace(self) -> str:
        """Where it is, empty for what belongs to the whole cluster or names no place."""
        return self.identity.namespace

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """The old and the new name, where the name changed."""
        return tuple(
            (each.before, each.after) for each in self.fields if each.path == "metadata.name"
            and each.before is not None and each.after is not None
        )  # fmt: skip

    def is_workload(self, ref: WorkloadRef) -> bool:
        """Whether this object is that workload; what a reference leaves empty fits any."""
        mine = (self.identity.kind, self.identity.namespace, self.identity.name)
        asked = (ref.kind, ref.namespace if self.identity.namespace else "", ref.name)
        return all(not wanted or wanted == held for wanted, held in zip(asked, mine, strict=True))

    def replicas(self, workloads: Sequence[Workload]) -> int:
        """Replicas that run it, or that its manifest asks for when it is not running; 0 for what has no pods."""
        running = next((each.replicas for each in workloads if self.is_workload(each.ref)), None)
        if running is not None or self.identity.kind not in SCALED_KINDS:
            return running or 0
        declared = part(self.after or self.before or {}, "spec", "replicas")
        return declared if isinstance(declared, int) else 1

    def shown(self, workloads: Sequence[Workload]) -> ObjectDiff:
        """The noun of the proof; values of Secrets are not in it."""
        it = self.identity
        lines = tuple(_line(self, field) for field in self.fields)
        if self.before is None or self.after is None:
            lines = ("(added)" if self.before is None else "(removed)",)
        replicas = self.replicas(workloads)
        return ObjectDiff(it.kind, it.namespace, it.name, self.application, lines, replicas, self.origin)

    def hides(self, field: FieldDiff) -> bool:
        """Whether a field's values are nobody's to see: those of a Secret, and what its name or form says is secret."""
        if self.identity.kind == "Secret" and field.path.startswith(("data", "stringData")):
            return True
        names = [field.path.rpartition(".")[2]]
        if field.path.endswith("].value"):
            item = f"{field.path.removesuffix('.value')}.name"
            names += [dict(leaves(each)).get(item, "") for each in (self.before, self.after) if each is not None]
        values = [text for text in (field.before, field.after) if text is not None]
        return any(under({name: value})[name] != value for name in names for value in values)


def part(manifest: Manifest, *path: str) -> Any:
    """What stands at a path of an object, or None; never raises on an unexpected shape."""
    found: Any = manifest
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def identity(manifest: Manifest, namespace: str) -> Identity:
    """Who an object is; where it names no namespace, the build's holds."""
    kind, group = str(manifest.get("kind", "")), str(manifest.get("apiVersion", "")).rpartition("/")[0]
    name = part(manifest, "metadata", "name") or part(manifest, "metadata", "generateName") or ""
    said = str(part(manifest, "metadata", "namespace") or namespace)
    return Identity(group, kind, "" if kind in _CLUSTER_WIDE else said, str(name))


def by_identity(manifests: Sequence[Manifest], namespace: str) -> tuple[dict[Identity, Manifest], set[Identity]]:
    """The objects of a build by identity, and the identities that come more than once."""
    found: dict[Identity, Manifest] = {}
    twice: set[Identity] = set()
    for each in manifests:
        mine = identity(each, namespace)
        if mine in found:
            twice.add(mine)
        found[mine] = each
    return found, twice


def differences(
    application: str, before: Mapping[Identity, Manifest], after: Mapping[Identity, Manifest]
) -> Iterator[Difference]:
    """What differs between two builds; a generated object under a new name is set against its old self."""
    pairs = dict(_renamed(before, after))
    replaced = set(pairs.values())
    for mine in {**before, **after}:
        if mine in replaced:
            continue
        old, new = before.get(mine), after.get(pairs.get(mine, mine))
        one, two = _unmarked(old), _unmarked(new)
        if found := tuple(fields(one, two)):
            origin = _origin(new if new is not None else old)
            yield Difference(pairs.get(mine, mine), application, one, two, found, origin)


def _renamed(
    before: Mapping[Identity, Manifest], after: Mapping[Identity, Manifest]
) -> Iterator[tuple[Identity, Identity]]:
    """Generated objects of the old build and their successors: same kind, place and name up to the hash."""
    gone, come = _stems(before, after), _stems(after, before)
    return ((old[0], come[stem][0]) for stem, old in gone.items() if len(old) == 1 and len(come.get(stem, ())) == 1)


def _stems(
    mine: Mapping[Identity, Manifest], other: Mapping[Identity, Manifest]
) -> dict[tuple[str, str, str], list[Identity]]:
    found: dict[tuple[str, str, str], list[Identity]] = {}
    for each in mine:
        hashed = _HASHED.fullmatch(each.name)
        if each not in other and each.kind in _HASHED_KINDS and hashed:
            found.setdefault((each.kind, each.namespace, hashed[1]), []).append(each)
    return found


def _unmarked(manifest: Manifest | None) -> Manifest | None:
    """An object without the annotation that the proof's own build added."""
    annotations = part(manifest or {}, "metadata", "annotations")
    if manifest is None or not isinstance(annotations, Mapping) or ORIGIN not in annotations:
        return manifest
    metadata = {key: held for key, held in manifest["metadata"].items() if key != "annotations"}
    if kept := {key: held for key, held in annotations.items() if key != ORIGIN}:
        metadata["annotations"] = kept
    return {**manifest, "metadata": metadata}


def _origin(manifest: Manifest | None) -> str:
    """The file of an object, or the kustomization that generates it, as the builder wrote it."""
    text = part(manifest or {}, "metadata", "annotations", ORIGIN)
    found = re.search(r"^(?:path|configuredIn): (.+)$", text, re.M) if isinstance(text, str) else None
    return found[1].strip("'\"") if found else ""


class _Gone:
    """Nothing stands there."""


_GONE = _Gone()


def fields(before: Manifest | None, after: Manifest | None) -> Iterator[FieldDiff]:
    """The leaves that differ. Items of a list are matched by what identifies them, so that one more item does not
    make all that follow it differ."""
    one = _GONE if before is None else before
    two = _GONE if after is None else after
    return _compared(one, two, "")


def _compared(one: Any, two: Any, path: str) -> Iterator[FieldDiff]:
    sides = [each for each in (one, two) if each is not _GONE and each is not None]
    if any(sides) and all(isinstance(each, Mapping) for each in sides):
        mine, other = (each if isinstance(each, Mapping) else {} for each in (one, two))
        for key in {**mine, **other}:
            below = f"{path}.{key}" if path else str(key)
            yield from _compared(mine.get(key, _GONE), other.get(key, _GONE), below)
    elif any(sides) and all(isinstance(each, list) for each in sides):
        yield from _lists(one if isinstance(one, list) else [], two if isinstance(two, list) else [], path)
    else:
        old, new = dict(_leaves(one, path)), dict(_leaves(two, path))
        yield from (FieldDiff(at, old.get(at), new.get(at)) for at in {**old, **new} if old.get(at) != new.get(at))


def _lists(one: Sequence[Any], two: Sequence[Any], path: str) -> Iterator[FieldDiff]:
    for at, old, new in _paired(one, two):
        yield from _compared(old, new, f"{path}[{at}]")


def _paired(one: Sequence[Any], two: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
    """Items that belong together, with the position to show (the new one, where there is one)."""
    for key in _ITEM_KEYS:
        mine, other = _keyed(one, key), _keyed(two, key)
        if mine is None or other is None:
            continue
        common = [each for each in mine if each in other]
        if common == [each for each in other if each in mine]:  # else the order changed, which may matter
            for each in {**mine, **other}:
                at = other[each] if each in other else mine[each]
                yield at, one[mine[each]] if each in mine else _GONE, two[other[each]] if each in other else _GONE
            return
    yield from _aligned(one, two)


def _keyed(items: Sequence[Any], key: str) -> dict[str, int] | None:
    """Positions by a field of the items; None when it does not tell them apart."""
    found = {str(each[key]): at for at, each in enumerate(items) if isinstance(each, Mapping) and key in each}
    return found if len(found) == len(items) else None


def _aligned(one: Sequence[Any], two: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
    mine, other = ([json.dumps(each, sort_keys=True, default=str) for each in side] for side in (one, two))
    for tag, start, end, first, last in difflib.SequenceMatcher(None, mine, other, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for step in range(max(end - start, last - first)):
            old = one[start + step] if start + step < end else _GONE
            new = two[first + step] if first + step < last else _GONE
            yield (first if new is not _GONE else start) + step, old, new


def leaves(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Every field of an object with its value as text."""
    return _leaves(manifest, "")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for at, child in enumerate(value):
            yield from _leaves(child, f"{path}[{at}]")
    elif value is not _GONE:
        yield path, _text(value)


def _text(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, (bool, list, Mapping)) else str(value)


def _line(difference: Difference, field: FieldDiff) -> str:
    if difference.hides(field):
        return f"{field.path}: (hidden) -> (hidden)"
    one, two = ("(none)" if text is None else _short(text) for text in (field.before, field.after))
    return f"{field.path}: {one} -> {two}"


def _short(text: str) -> str:
    text = text.replace("\n", "\\n")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
