"""What is checked about a rendered change, a function each. Only Refused forbids; all but Done caps the level."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_sre.gitops import fights, schema
from gitops_sre.gitops.built import Difference, Identity, leaves, part
from gitops_sre.gitops.explain import Explanation, FieldDiff
from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.rendered import Rendering
from gitops_sre.model.change import Change
from gitops_sre.model.outcome import Done, Inconclusive, Outcome, Refused, Unavailable
from gitops_sre.model.target import Target, WorkloadRef
from gitops_sre.ports import Manifest, Repository

_MAKERS = frozenset({"HelmRelease", "Application", "ApplicationSet", "HelmChart"})
"""Kinds from which a controller makes other objects, by a chart that may lie elsewhere."""
_FETCHED = frozenset({"OCIRepository", "GitRepository", "HelmRepository", "Bucket"})
"""Kinds that bring in what lies elsewhere."""

_IMMUTABLE = {
    "Deployment": r"spec\.selector",
    "ReplicaSet": r"spec\.selector",
    "DaemonSet": r"spec\.selector",
    "Rollout": r"spec\.selector",
    "StatefulSet": r"spec\.(?!(?:replicas|ordinals|template|updateStrategy|revisionHistoryLimit|minReadySeconds|"
                   r"persistentVolumeClaimRetentionPolicy)\b)",
    "Job": r"spec\.(?:selector|template|completionMode)",
    "PersistentVolumeClaim": r"spec\.(?!resources\.requests|volumeAttributesClassName)",
    "PersistentVolume": r"spec\.(?!capacity|accessModes|persistentVolumeReclaimPolicy|storageClassName|mountOptions)",
    "Service": r"spec\.clusterIPs?\b",
    "StorageClass": r"(?:provisioner|parameters|reclaimPolicy|volumeBindingMode)\b",
    "RoleBinding": r"roleRef\b",
    "ClusterRoleBinding": r"roleRef\b",
    "IngressClass": r"spec\.controller\b",
    "PriorityClass": r"value\b",
    "Secret": r"type\b",
}  # fmt: skip
"""Fields that the API server refuses to change on an object that exists (Kubernetes' `Validate...Update` functions;
Argo Rollouts for its own kind). An apply that changes one fails until somebody deletes the object."""
_RECREATED = {
    "helm.sh/hook": "", "argocd.argoproj.io/hook": "", "argocd.argoproj.io/sync-options": "Replace=true",
    "kustomize.toolkit.fluxcd.io/force": "enabled",
}  # fmt: skip
"""Annotations of objects that are made anew instead of changed, and what their value must hold."""

_REFERENCE = re.compile(
    r"Ref|envFrom|volumes|configMap|secret|[bB]ackend|destination|annotations|[sS]ervice|host|sources", re.ASCII
)
"""Field paths that name another object."""


@dataclass(frozen=True)
class Seen:
    """Everything that the checks look at. `place` gives the environment of an object; `offline` says that what
    renders the files was gathered from the repository alone."""

    repository: Repository
    change: Change
    target: Target
    rendering: Rendering
    explained: Explanation
    place: Callable[[Difference], str]
    offline: bool = False


def renders(seen: Seen) -> Outcome:
    """Everything that reads the changed files was rendered, and whole."""
    it = seen.rendering
    if it.failures:
        application, why = it.failures[0]
        more = f" (and {len(it.failures) - 1} more)" if len(it.failures) > 1 else ""
        return Unavailable(f"{application}: {why.reason}{more}")
    if seen.offline and not it.applications:
        return Inconclusive(f"nothing in the repository is known to render {', '.join(_files(seen.change))}")
    if it.notes:
        more = f" (and {len(it.notes) - 1} more)" if len(it.notes) > 1 else ""
        return Inconclusive(f"{': '.join(it.notes[0])}{more}")
    if remote := next(_elsewhere(seen), None):
        what = "the chart" if remote.identity.kind in ("HelmRelease", "HelmChart") else "what it brings in"
        return Inconclusive(f"{remote.identity}: {what} is not in this repository; rendered values only")
    return Done(f"{len(it.applications)} applications read the changed files: {', '.join(it.applications)}")


def reaches(seen: Seen) -> Outcome:
    """The target's own workload, or an object that it reads or is driven by, must come to hold intended values.

    Where only a folder is known, any object of it may; that others change instead forbids nothing.
    """
    it, target = seen.rendering, seen.target
    if failed := next((why for key, why in it.failures if _key(key) == target.application), None):
        return failed
    mine = [each for each in it.differences if each.is_workload(target.workload)]
    related = [each for each in it.differences if _related(each, seen)]
    if found := _held(mine, seen) or _held(related, seen):
        return found
    name = str(target.workload).strip(" /") or target.source.path
    if it.differences and not target.workload.name:  # nobody said which of them is to be reached
        return Inconclusive(f"no rendered object of {name or 'the repository'} comes to hold the intended values")
    if mine:
        return Refused(f"{name} changes, but its new values are not the intended ones")
    if found := _held(list(_elsewhere(seen)), seen):
        return Inconclusive(f"{found.note}; what comes of that is not in this repository")
    if it.failures:
        return it.failures[0][1]
    if it.notes or (seen.offline and not it.applications):
        return Inconclusive(f"whether the edit reaches {name} cannot be seen: it was not rendered whole")
    return Refused(f"the edit does not reach {name}: something else decides the value")


def only_expected(seen: Seen) -> Outcome:
    """Every changed field must follow from the edited values."""
    strange = [
        f"{each.identity} {field.path}"
        for each in seen.rendering.differences
        if not _intended(each, seen)
        for field in each.fields
        if each.before is None or each.after is None or not seen.explained.follows(field)
    ]
    if strange:
        return Inconclusive(f"{len(strange)} fields do not follow from the edit: {'; '.join(strange[:3])}")
    return Done() if seen.rendering.differences else Inconclusive("no rendered object changes")


def nothing_twice(seen: Seen) -> Outcome:
    """No build holds one object twice: which of them counts is then a matter of luck."""
    new = [each for each, already in seen.rendering.twice if not already]
    if new:
        return Refused(f"{new[0]} would come twice in one build")
    old = [each for each, _ in seen.rendering.twice]
    return Inconclusive(f"{old[0]} comes twice in one build, with or without the change") if old else Done()


def nothing_pruned(seen: Seen) -> Outcome:
    """No object disappears, unless the edit takes away what names it: the controller would delete it."""
    gone = [each for each in seen.rendering.differences if each.after is None and not _intended(each, seen)]
    if not gone:
        return Done()
    return Refused(f"{len(gone)} objects would be deleted: {', '.join(str(each.identity) for each in gone[:3])}")


def applies(seen: Seen) -> Outcome:
    """No field changes that the API server holds fast."""
    for each in seen.rendering.differences:
        if (held := held_fast(each)) is not None:
            return Refused(f"{each.identity} {held.path} cannot change on an object that exists; the apply would fail")
    return Done()


def held_fast(each: Difference) -> FieldDiff | None:
    """The first field of a changed object that the API server does not let change; None when there is none."""
    if each.before is None or each.after is None or _made_anew(each.after):
        return None
    fixed = _IMMUTABLE.get(each.identity.kind)
    held = next((field for field in each.fields if fixed and re.match(fixed, field.path)), None)
    if held is None and each.before.get("immutable") is True and not each.renamed:
        held = next((field for field in each.fields if field.path.startswith(("data", "binaryData"))), None)
    return held


def satisfies_schema(seen: Seen) -> Outcome:
    """The worst word on the changed objects."""
    outcomes = [schema.valid(each.before, each.after) for each in seen.rendering.differences if each.after is not None]
    for kind in (Refused, Inconclusive):
        if worst := next((outcome for outcome in outcomes if isinstance(outcome, kind)), None):
            return worst
    return Done(f"{len(outcomes)} objects") if outcomes else Inconclusive("no rendered object to look at")


def stays_in_environment(seen: Seen) -> Outcome:
    """Objects of other environments than the target's do not change."""
    places = [(place, each) for each in seen.rendering.differences if (place := seen.place(each))]
    mine = (place for place, each in places if each.is_workload(seen.target.workload))
    home = seen.target.environment or next(mine, "")
    away = {place: each for place, each in places if place != home}
    if not away:
        return Done(f"only {home}" if home else "")
    named = "; ".join(f"{place} ({each.identity})" for place, each in sorted(away.items())[:4])
    return Inconclusive(f"the files are shared: {named} would change with {home or 'the target'}")


def unopposed(seen: Seen) -> Outcome:
    """Nothing would undo the edit, or the same change holds it off."""
    return fights.unopposed(AtCommit(seen.repository, seen.change.base), seen.target, seen.change.edits)


def _files(change: Change) -> tuple[str, ...]:
    return tuple(file.path for file in change.files)


def _held(differences: list[Difference], seen: Seen) -> Done | None:
    """The first object that comes to hold an intended value, or that comes or goes as intended."""
    for each in differences:
        if _intended(each, seen):
            return Done(f"{each.identity} {'is added' if each.before is None else 'is removed'}")
        for field in each.fields:
            if each.before is not None and each.after is not None and seen.explained.follows(field):
                return Done(_said(each, field))
    return None


def _said(difference: Difference, field: FieldDiff) -> str:
    one, two = ("(none)" if text is None else text[:200] for text in (field.before, field.after))
    value = "(hidden)" if difference.hides(field) else f"{one} -> {two}"
    origin = f", from {difference.origin}" if difference.origin else ""
    return f"{difference.identity} {field.path}: {value}{origin}"


def _intended(difference: Difference, seen: Seen) -> bool:
    """An object that comes or goes because the edit itself names it, or its file."""
    if (difference.before is None) == (difference.after is None):
        return False
    words = seen.explained.came if difference.before is None else seen.explained.went
    names = {difference.identity.name, *([posixpath.basename(difference.origin)] if difference.origin else ())}
    return any(posixpath.basename(word) in names for word in words)


def _elsewhere(seen: Seen) -> Iterator[Difference]:
    """Changed objects from which a controller makes others, which were not rendered here."""
    for each in seen.rendering.differences:
        it = each.identity
        if it.kind in _MAKERS | _FETCHED and (it.kind, f"{it.namespace}/{it.name}") not in seen.rendering.makers:
            yield each


def _key(label: str) -> str:
    """`namespace/name` of an application; of several of one name, the label adds the path."""
    return label.partition(" (")[0]


def _made_anew(manifest: Manifest) -> bool:
    annotations = part(manifest, "metadata", "annotations")
    held: Mapping[str, Any] = annotations if isinstance(annotations, Mapping) else {}
    return any(key in held and wanted in str(held[key]) for key, wanted in _RECREATED.items())


def _related(difference: Difference, seen: Seen) -> bool:
    """Whether the target's workload reads an object, is driven by it, or is what the object's controller applies."""
    it, target = difference.identity, seen.target
    if f"{it.namespace}/{it.name}" == target.application and it.kind in _MAKERS | {"Kustomization"}:
        return True
    known = seen.rendering.objects.get(difference.application, {})
    workload = next((each for each in known if _is(each, target.workload)), None)
    if workload is None or difference.after is None:
        return False
    if _linked(it, difference.after, workload, known[workload]):
        return True
    return any(
        _linked(it, difference.after, other, held) and _linked(other, held, workload, known[workload])
        for other, held in known.items()
        if other not in (it, workload)
    )


def _is(identity: Identity, ref: WorkloadRef) -> bool:
    return Difference(identity, "", None, None, ()).is_workload(ref)


def _linked(one: Identity, first: Manifest, other: Identity, second: Manifest) -> bool:
    """Whether one object names the other, or is a Service that selects its pods."""
    return any(
        _names(manifest, to.name) or _selects(manifest, target)
        for manifest, to, target in ((first, other, second), (second, one, first))
    )


def _names(manifest: Manifest, name: str) -> bool:
    return any(
        name in (value, value.partition(".")[0], value.rpartition("/")[2])
        for path, value in leaves(manifest)
        if name in value and _REFERENCE.search(path)
    )


def _selects(service: Manifest, workload: Manifest) -> bool:
    selector = part(service, "spec", "selector")
    labels = part(workload, "spec", "template", "metadata", "labels")
    if service.get("kind") != "Service" or not isinstance(selector, Mapping) or not isinstance(labels, Mapping):
        return False
    return bool(selector) and all(labels.get(key) == held for key, held in selector.items())
