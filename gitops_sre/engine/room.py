"""How much room Git gives a workload now. Reads only."""

from __future__ import annotations

from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Declared
from gitops_sre.model.target import ObjectField, Target
from gitops_sre.ports import Locator

AUTOSCALERS = (("HorizontalPodAutoscaler", "maxReplicas"), ("ScaledObject", "maxReplicaCount"))


def declared(target: Target, locator: Locator, commit: str) -> Declared:
    """What one place of the source decides at a commit; what several might, or none, is left out. Raises OSError when
    the repository cannot be read."""
    ref = target.workload
    pod = ("spec", "jobTemplate", "spec", "template") if ref.kind == "CronJob" else ("spec", "template")
    inside = (*pod, "spec", "containers", f"[name={ref.name}]", "resources", "limits")
    limits = {name: _value(target, locator, commit, ref.kind, *inside, name) for name in ("cpu", "memory")}
    scaler = next(
        (kind for kind, most in AUTOSCALERS if _value(target, locator, commit, kind, "spec", most) is not None), ""
    )
    count = None if scaler else _value(target, locator, commit, ref.kind, "spec", "replicas")
    return Declared(
        int(count) if count and count.isdecimal() else None,
        scaler,
        ref.name,
        {name: text for name, text in limits.items() if text},
    )


def _value(target: Target, locator: Locator, commit: str, kind: str, *path: str) -> str | None:
    """What stands at the one place that decides a field; None where there is no such object or place."""
    ref = target.workload
    found = locator.object_fields(commit, target, ObjectField(kind, ref.namespace, ref.name, path))
    if isinstance(found, Refused) or not found:
        return None
    return next((field.value for field in found if field.present), "")
