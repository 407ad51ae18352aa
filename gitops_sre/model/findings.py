"""What was found out about an incident."""

from __future__ import annotations

from dataclasses import dataclass, field

from gitops_sre.model.change_feed import ChangeRecord, Rollout
from gitops_sre.model.evidence import Evidence, Gap, Scope
from gitops_sre.model.precedent import Precedent
from gitops_sre.model.servicemap import ServiceMap
from gitops_sre.model.telemetry import Measure


@dataclass(frozen=True)
class Findings:
    """Everything that the sources told, before any hypothesis.

    `edges` are the (caller, callee) pairs that reasoning goes by; `service_map` is all that is known of calls, also
    what is too uncertain for that. `changes` are commits to the infra repository, `rollouts` what the cluster saw of
    them. `measures` are the series behind the evidence, kept for pictures. `precedents` are what earlier incidents of
    the environment turned out to be.
    """

    scope: Scope
    evidence: tuple[Evidence, ...]
    gaps: tuple[Gap, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    changes: tuple[ChangeRecord, ...] = ()
    measures: tuple[Measure, ...] = ()
    service_map: ServiceMap = field(default_factory=ServiceMap)
    precedents: tuple[Precedent, ...] = ()
