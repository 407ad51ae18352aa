"""From diagnosis to a proven, judged change: plan, edits, change, proof, verdict, record. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from gitops_sre.engine import hands, investigate, room
from gitops_sre.engine import messages as m
from gitops_sre.engine.circumstances import observed
from gitops_sre.engine.world import World
from gitops_sre.gitops import edit, proof
from gitops_sre.model.change import Change, FieldEdit, Proof
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.model.plan import Declared, NeedsHuman, Plan, VerificationPlan
from gitops_sre.model.pull import PullKind
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.model.verdict import Level, Verdict
from gitops_sre.perception import golden
from gitops_sre.policy import gate
from gitops_sre.policy.documents import PolicyError, read
from gitops_sre.policy.situation import Situation
from gitops_sre.reasoning import capacity, planner
from gitops_sre.verification import assess

MOST_ALERTS = 20
"""Alerts that a record names, the earliest: a storm must not make a commit message that no forge takes."""


@dataclass(frozen=True)
class Remedy:
    """What planning a change came to: the change with its proof and verdict."""

    proof: Proof
    verdict: Verdict
    record: ActionRecord
    judged: Situation


def decide(incident: Incident, world: World) -> m.Event:
    """Does a typed action fit the diagnosis?"""
    at = world.clock.now()
    if isinstance(incident.target, NoTarget):
        return m.OnlyReport(at, f"no unique workload: {incident.target.reason}")
    plan = planned(incident, at, world)
    if isinstance(plan, NeedsHuman):
        return m.HumanNeeded(at, plan.reason)
    return m.Planned(at, plan.reason, plan)


def planned(incident: Incident, at: datetime, world: World) -> Plan | NeedsHuman:
    """The one action that is admissible now, or why there is none. No language model has a part in it."""
    target = incident.target
    if incident.diagnosis is None or not isinstance(target, Target):
        return NeedsHuman("there is no diagnosis to act on")
    return planner.plan(
        incident.diagnosis,
        target,
        world.settings.decision,
        verification_plan(incident, target, at, world),
        _room(incident.diagnosis, target, world),
    )


def _room(diagnosis: Diagnosis, target: Target, world: World) -> Declared | None:
    """What Git gives the workload, where a remedy may be to give it more; None where that cannot be read."""
    if diagnosis.top.cause not in capacity.CAUSES:
        return None
    base = world.repository.head()
    try:
        return None if isinstance(base, Unavailable) else room.declared(target, world.locator, base)
    except OSError:  # what a repository raises when git, its disk or its network fail
        return None


def verification_plan(incident: Incident, target: Target, at: datetime, world: World) -> VerificationPlan:
    """How success will be known, with the SLIs as they were before the incident and as they are now."""
    timing = world.settings.timing
    slis, traffic = golden.slis(target, world.settings)
    # Until the range of a rate lies wholly after going live, it still counts what happened before.
    settle = max(timing.settle, timing.rate_window)
    live_by: Literal["cluster", "statuses"] = "cluster" if world.settings.kubernetes.enabled else "statuses"
    plan = VerificationPlan(slis, settle, timing.window, timing.deadline, traffic=traffic, live_by=live_by)
    scope = investigate.scope_of(incident, target, at, world)
    before = world.metrics.ask(assess.queries(plan, scope.baseline_start, scope.baseline_end, timing.step))
    during = world.metrics.ask(assess.queries(plan, at - timedelta(seconds=timing.window), at, timing.step))
    return replace(plan, baseline=assess.readings(plan, before), incident=assess.worst(plan, during))


def judge(incident: Incident, world: World) -> m.Event:
    """Build the change, prove it and hold it against policy."""
    at = world.clock.now()
    plan = incident.plan
    if plan is None:
        return m.Forbidden(at, "there is no plan")
    remedy = prepare(incident, plan, at, world)
    if isinstance(remedy, Unavailable):
        return m.Nothing(at, remedy.reason)
    if isinstance(remedy, Refused):
        return m.Forbidden(at, remedy.reason)
    level = remedy.verdict.level
    kind = m.Allowed if level >= Level.L2 else m.OnlyReport if level is Level.L1 else m.Forbidden
    return kind(at, f"{level.name}: {remedy.verdict.why}", remedy.proof, remedy.verdict, remedy.record, remedy.judged)


def prepare(incident: Incident, plan: Plan, at: datetime, world: World) -> Remedy | Refused | Unavailable:
    """The change for a plan on the present head of the base branch, with proof and verdict."""
    base = world.repository.head()
    if isinstance(base, Unavailable):
        return base
    made = hands.make(plan, world.repository, world.locator, base, world.settings.policy.path)
    if isinstance(made, Refused):
        return made
    shown = show(made.change, plan, world)
    if isinstance(shown, Unavailable):
        return shown
    try:
        policies = read(world.repository, base, world.settings.policy.path)
    except PolicyError as error:
        return Refused(str(error))
    judged = observed(incident, plan, shown, at, world)
    verdict = gate.judge(judged, policies)
    lasting = lengthened(plan, verdict.window)
    return Remedy(shown, verdict, record(incident, lasting, made.change.edits, base, verdict, "fix"), judged)


def lengthened(plan: Plan, window: float) -> Plan:
    """The plan with a verification that lasts as long as policy asks for (seconds); never shorter than it was."""
    before = plan.verification
    more = max(0.0, window - before.window)
    return replace(plan, verification=replace(before, window=before.window + more, deadline=before.deadline + more))


def show(change: Change, plan: Plan, world: World) -> Proof | Unavailable:
    """Render before and after: what the change does, exactly."""
    seen = world.seen_cluster()
    if isinstance(seen, Unavailable):
        return seen
    applications, workloads = seen
    return proof.prove(
        repository=world.repository,
        renderer=world.renderer,
        locator=world.locator,
        change=change,
        target=plan.target,
        applications=applications,
        workloads=workloads,
        environment_of=world.environment_of,
    )


def record(
    incident: Incident, plan: Plan, edits: tuple[FieldEdit, ...], base: str, verdict: Verdict, kind: PullKind
) -> ActionRecord:
    """What the head commit will say for ever."""
    return ActionRecord(
        incident=incident.id,
        kind=kind,
        attempt=incident.attempt,
        alerts=tuple(sorted(incident.alerts, key=lambda alert: alert.starts_at)[:MOST_ALERTS]),
        opened_at=incident.opened_at,
        plan=plan,
        edits=edits,
        base=base,
        verdict=verdict,
        refuted=incident.refuted,
    )


def invert(incident: Incident, world: World) -> tuple[ActionRecord, Proof] | Refused | Unavailable:
    """The exact inverse of the recorded fix on the present head: authorised by the fix's own verdict, so no gate."""
    fix = incident.record
    if fix is None:
        return Refused("there is no recorded action to take back")
    base = world.repository.head()
    if isinstance(base, Unavailable):
        return base
    change = edit.apply(world.repository, base, fix.inverse, world.settings.policy.path)
    if isinstance(change, Refused):
        return Refused(f"the revert does not apply: {change.reason}")
    shown = show(change, fix.plan, world)
    if isinstance(shown, Unavailable):
        return shown
    return record(incident, fix.plan, change.edits, base, fix.verdict, "revert"), shown
