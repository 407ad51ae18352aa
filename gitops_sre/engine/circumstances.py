"""What policy is told beside the plan and its proof: the alerts and who delivered them, the evidence, the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gitops_sre.action import ACTIONS
from gitops_sre.engine import autonomy, budget, track
from gitops_sre.engine.ceilings import ceilings, first_time
from gitops_sre.engine.precedents import precedents
from gitops_sre.engine.world import World
from gitops_sre.gitops import target as targets
from gitops_sre.model.change import Proof
from gitops_sre.model.evidence import Doubt, Gap
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Plan
from gitops_sre.model.signal import Alert
from gitops_sre.model.verdict import Reason
from gitops_sre.policy.situation import Around, Origin, Situation, situation
from gitops_sre.ports import LedgerEntry
from gitops_sre.reasoning import planner


def observed(incident: Incident, plan: Plan, shown: Proof, at: datetime, world: World) -> Situation:
    """The situation that policy judges. Raises StoreError."""
    found = incident.diagnosis
    entries = world.store.ledger(events=track.EVENTS)
    target = plan.target
    around = Around(
        at=at,
        labels=common_labels(incident),
        alerts=tuple(_origin(alert, world) for alert in incident.alerts),
        alert_age=_age(incident, at, world),
        evidence=_evidence(incident, plan),
        cluster=world.settings.kubernetes.cluster,
        last_action=track.since_last(entries, plan.action, target.service, target.environment, at),
        open_questions=(*found.gaps, *planner.doubts(found), *_opposed(incident, plan))
        if found
        else (_forgotten(plan),),
        told=told_by_record(plan, shown, at, world, entries),
    )
    return situation(plan, shown, ACTIONS[plan.action].spec, around)


def told_by_record(
    plan: Plan, shown: Proof | None, at: datetime, world: World, entries: Sequence[LedgerEntry]
) -> tuple[Reason, ...]:
    """What lowers an action now whatever policy says: demotions, and the circuit breaker with what is new to it and the
    error budget. `entries` are the ledger's of `track.EVENTS`. Raises StoreError."""
    demoted = autonomy.demoted(plan, shown, autonomy.ceilings(world.store))
    broken = ceilings(plan, track.trials(entries), world.settings.breaker, at)
    known = precedents(world.store, plan.target.environment) if world.settings.breaker.first_time else ()
    new = first_time(plan, known, world.settings.breaker)
    return (*demoted, *broken, *new, *budget.ceiling(plan, at, world))


def _origin(alert: Alert, world: World) -> Origin:
    service, _ = targets.place(alert.labels, world.settings.labels, world.settings.environments)
    return Origin(alert.source, service)


def _age(incident: Incident, at: datetime, world: World) -> float | None:
    """Seconds since the earliest alert began to fire; None where that is in the future by more than clocks differ."""
    age = (at - incident.onset).total_seconds()
    return max(0.0, age) if age >= -world.settings.timing.clock_skew else None


def _evidence(incident: Incident, plan: Plan) -> tuple[str, ...]:
    """Kinds of evidence that speak for the hypothesis that the plan acts on."""
    found = incident.diagnosis
    if found is None:
        return ()
    cited = {name for each in found.hypotheses if each.key == plan.hypothesis for name in each.supports}
    return tuple(sorted({kind for item in found.evidence if item.id in cited for kind in item.kinds}))


def _opposed(incident: Incident, plan: Plan) -> tuple[Doubt, ...]:
    """That a language model sees it otherwise. Its word can call a person to a change, and never spare one."""
    if incident.opinion is None or incident.diagnosis is None:
        return ()
    acted = [each for each in incident.diagnosis.hypotheses if each.key == plan.hypothesis]
    return tuple(Doubt(why) for each in acted if (why := incident.opinion.contradicts(each)))


def _forgotten(plan: Plan) -> Gap:
    """A plan that was found on the forge comes without what was not seen when it was made."""
    why = Unavailable("the diagnosis behind the plan is not remembered")
    return Gap("diagnosis.forgotten", "diagnosis", plan.target.service, why)


def common_labels(incident: Incident) -> dict[str, str]:
    """What all alerts of the incident agree on: what a policy's conditions may read as its labels."""
    first, *others = incident.alerts
    return {name: text for name, text in first.labels.items() if all(a.labels.get(name) == text for a in others)}
