"""How far a change moves the values that decide how much a workload gets, and how much of a service it touches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from gitops_sre.gitops.built import SCALED_KINDS, Difference
from gitops_sre.gitops.target import NAMES
from gitops_sre.model.live import Workload
from gitops_sre.model.quantity import amount
from gitops_sre.model.target import Target

_RESOURCE = re.compile(r"\.resources\.(?:limits|requests)\.(cpu|memory)$")
_REPLICAS = re.compile(r"spec\.(?:replicas|minReplicas|maxReplicas|minReplicaCount|maxReplicaCount)")
"""Of workloads, HorizontalPodAutoscalers and KEDA's ScaledObjects."""
_NAMED = ("cpu", "memory", "replicas")


def steps(differences: Sequence[Difference]) -> tuple[tuple[str, float | None], ...] | None:
    """The largest factor between old and new of each, see `BlastRadius.steps`; None when nothing differs."""
    if not differences:
        return None
    found: dict[str, float | None] = dict.fromkeys(_NAMED, 1.0)
    for name, factor in (step for each in differences for step in _of(each)):
        before = found[name]
        found[name] = None if before is None or factor is None else max(before, factor)
    return tuple(found.items())


def _of(difference: Difference) -> Iterator[tuple[str, float | None]]:
    if difference.before is None or difference.after is None:
        # A workload that comes or goes is no step of any size.
        yield from ((name, None) for name in _NAMED if difference.identity.kind in SCALED_KINDS)
        return
    for field in difference.fields:
        name = _name(field.path)
        if name:
            yield name, _factor(field.before, field.after)


def _name(path: str) -> str:
    found = _RESOURCE.search(path)
    if found is not None:
        return found[1]
    return "replicas" if _REPLICAS.fullmatch(path) else ""


def _factor(before: str | None, after: str | None) -> float | None:
    """How many times as much, or as little."""
    if before is None or after is None:
        return None
    try:
        one, two = amount(before), amount(after)
    except ValueError:
        return None
    return float(max(one / two, two / one)) if one and two else None


def service_share(
    differences: Iterable[Difference],
    target: Target,
    workloads: Sequence[Workload],
    environment_of: Callable[[str], tuple[str, str]],
) -> float | None:
    """Touched replicas of the target's service / all that it has in the target's environment; None when none run, or
    nothing was shown."""
    mine = [
        each
        for each in workloads
        if environment_of(each.ref.namespace)[0] == target.environment
        and (each.ref == target.workload or _is(target.service, each))
    ]
    total = sum(each.replicas for each in mine)
    shown = tuple(differences)
    touched = sum(each.replicas for each in mine if any(different.is_workload(each.ref) for different in shown))
    return touched / total if total and shown else None


def _is(service: str, workload: Workload) -> bool:
    labels = dict(workload.labels)
    return service in (workload.ref.name, *(labels.get(name) for name in NAMES))
