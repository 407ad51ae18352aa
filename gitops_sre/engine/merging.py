"""Looking at a fix that is being merged. A check or a merge queue may take its time, and what allowed the merge must
still hold when it comes: the approval, the fault itself, and what the bot's own record lets it do."""

from __future__ import annotations

from datetime import datetime

from gitops_sre.engine import messages as m
from gitops_sre.engine import track, watch
from gitops_sre.engine.circumstances import told_by_record
from gitops_sre.engine.step import approved
from gitops_sre.engine.world import World
from gitops_sre.model.incident import Incident
from gitops_sre.model.pull import PullRequest
from gitops_sre.model.verdict import Level
from gitops_sre.policy import gate


def look(incident: Incident, world: World) -> m.Event:
    """The fix's pull request as it stands now, and whether it may merge still."""
    pull = watch.standing(incident, world)
    if isinstance(pull, m.Event) and not isinstance(pull, m.BaseMoved):
        return pull
    at = world.clock.now()
    then = pull if isinstance(pull, m.BaseMoved) else _wavered(incident, pull, at, world)
    return m.Wavered(at, then.why, then) if then is not None else m.Nothing(at, "the pull request is being merged")


def _wavered(incident: Incident, pull: PullRequest, at: datetime, world: World) -> m.Event | None:
    """What became of the reasons to merge; None while all of them hold."""
    verdict, plan = incident.verdict, incident.plan
    if verdict is None or plan is None:
        return None
    if verdict.level is Level.L3 and approved(pull, verdict) is None:
        return m.Lapsed(at, "the approval does not stand any more", pull)
    entries = world.store.ledger(events=track.EVENTS)
    told = gate.lowered(verdict, told_by_record(plan, incident.proof, at, world, entries))
    if told.level < verdict.level:
        return m.Lowered(at, f"at most {told.level.name} now: {told.why}", pull, told)
    if (at - incident.since).total_seconds() <= plan.verification.settle:
        return None  # the fault was seen a moment ago
    now = watch.slo_now(incident, world, at)
    if now.state == "recovered":
        return m.Moot(at, f"the SLO has recovered by itself before the merge: {now.reason}", pull)
    return None
