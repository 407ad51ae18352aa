"""Autoscalers: they own the number of replicas, or the resources, of the workload that they target.

Source: Kubernetes, "Horizontal Pod Autoscaling" (`scaleTargetRef`); KEDA, "ScaledObject specification"; Kubernetes
autoscaler, "Vertical Pod Autoscaler" (`updatePolicy.updateMode`, `resourcePolicy.containerPolicies`).
"""

from __future__ import annotations

from collections.abc import Iterator

from gitops_sre.gitops.fights.rendered import WORKLOADS, resources_part, sets_replicas
from gitops_sre.gitops.fights.scan import Fight, Object, Scan
from gitops_sre.model.change import FieldEdit

_HORIZONTAL = {
    "HorizontalPodAutoscaler": ("scaleTargetRef", "minReplicas", "maxReplicas"),
    "ScaledObject": ("scaleTargetRef", "minReplicaCount", "maxReplicaCount"),
}
_BLOCKS = ("autoscaling", "autoscaler", "hpa", "horizontalPodAutoscaler", "keda")
"""Keys under which charts let an autoscaler own what stands beside them."""
_PASSIVE = "Off"


def detect(scan: Scan) -> Iterator[Fight]:
    """Fights for edited replicas and resources."""
    for edit in scan.edits:
        if sets_replicas(scan, edit):
            yield from _horizontal(scan, edit)
            yield from _in_values(scan, edit)
        elif resources_part(edit) is not None:
            yield from _vertical(scan, edit)


def _horizontal(scan: Scan, edit: FieldEdit) -> Iterator[Fight]:
    for kind, (ref, low, high) in _HORIZONTAL.items():
        for each in scan.objects(kind, kind):
            if _targets(scan, each, edit, ref):
                yield Fight("autoscaler", each.file, each.number, ("spec", ref, "name"), each.line,
                            f"{each} owns the replicas of {each.value('spec', ref, 'name')} and sets them again",
                            f"edit spec.{low} or spec.{high} in {each.file}")  # fmt: skip


def _in_values(scan: Scan, edit: FieldEdit) -> Iterator[Fight]:
    owner = scan.edited(edit)
    if owner.kind in WORKLOADS:
        return
    for block in _BLOCKS:
        switch = (*edit.path[:-1], block, "enabled")
        if owner.value(*switch) == "true":
            yield Fight("autoscaler", edit.file, edit.document, switch, owner.document[switch].line,
                        f"{block}.enabled beside it is true: the chart's autoscaler owns the replicas",
                        f"edit the minimum or maximum below {block} in {edit.file}")  # fmt: skip


def _vertical(scan: Scan, edit: FieldEdit) -> Iterator[Fight]:
    part, _ = resources_part(edit) or ("", "")
    for each in scan.objects("VerticalPodAutoscaler", "VerticalPodAutoscaler"):
        mode = each.value("spec", "updatePolicy", "updateMode") or "Auto"
        if mode != _PASSIVE and _targets(scan, each, edit, "targetRef") and not _left_alone(each, part):
            yield Fight("autoscaler", each.file, each.number, ("spec", "targetRef", "name"), each.line,
                        f"{each} (updateMode {mode}) sets the {part} of new pods of "
                        f"{each.value('spec', 'targetRef', 'name')}",
                        f"edit minAllowed and maxAllowed of spec.resourcePolicy in {each.file}")  # fmt: skip


def _left_alone(autoscaler: Object, part: str) -> bool:
    """Whether every container policy leaves this part of the resources alone."""
    at = ("spec", "resourcePolicy", "containerPolicies")
    policies = [autoscaler.within(*at, number) for number in autoscaler.items(*at)]
    if not policies:
        return False
    modes = [
        {key: policy[key,].value for key in ("mode", "controlledValues") if (key,) in policy} for policy in policies
    ]
    return all(m.get("mode") == _PASSIVE or (part == "limits" and m.get("controlledValues") == "RequestsOnly")
               for m in modes)  # fmt: skip


def _targets(scan: Scan, autoscaler: Object, edit: FieldEdit, ref: str) -> bool:
    """Whether an autoscaler of the target's own source, or of its namespace, scales the edited workload."""
    namespace = scan.target.workload.namespace
    stated = bool(namespace) and autoscaler.namespace == namespace
    if autoscaler.namespace not in ("", namespace) and namespace:
        return False
    if autoscaler.file not in scan.inputs and not stated:
        return False
    kind, name = _workload(scan, edit)
    theirs = autoscaler.value("spec", ref, "kind") or "Deployment"
    return autoscaler.value("spec", ref, "name") == name and (not kind or kind == theirs)


def _workload(scan: Scan, edit: FieldEdit) -> tuple[str, str]:
    """Kind and name, before any prefix, of the workload whose field is edited."""
    owner = scan.edited(edit)
    if owner.kind in WORKLOADS:
        return owner.kind, owner.name
    if edit.path[0] == "replicas":
        return "", owner.value("replicas", edit.path[1], "name")
    return scan.target.workload.kind, scan.target.workload.name
