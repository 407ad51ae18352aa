"""Making a change again: the base branch has moved on under a pull request that waits."""

from __future__ import annotations

from gitops_sre.engine import messages as m
from gitops_sre.engine import remedy, watch
from gitops_sre.engine.world import World
from gitops_sre.gitops import edit
from gitops_sre.model.change import Change
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.verdict import Level


def judge(incident: Incident, world: World) -> m.Event:
    """Judge the change on the present base. With a pull request already there, only while it is still open, still the
    bot's and still needed."""
    if incident.fix is None or incident.record is None:
        return remedy.judge(incident, world)
    at = world.clock.now()
    pull = world.forge.look(incident.fix.number)
    if isinstance(pull, Unavailable):
        return m.Nothing(at, f"GitHub: {pull.reason}")
    over = watch.ended(pull, at)
    if over is not None:
        return over
    if _is_there(incident.record, world):
        return m.Moot(at, f"{pull.base} already has what #{pull.number} would bring", pull)
    event = remedy.judge(incident, world)
    if not isinstance(event, m.Allowed):
        return event
    now = watch.slo_now(incident, world, at)
    if now.state == "recovered":
        return m.Moot(at, f"{pull.base} has changed and the SLO has recovered: {now.reason}", pull)
    if now.state == "inconclusive" and event.verdict is not None and event.verdict.level is Level.L4:
        return m.Nothing(at, f"{pull.base} has changed; telemetry cannot confirm the fault now: {now.reason}")
    return event


def _is_there(record: ActionRecord, world: World) -> bool:
    """Whether every edited place on the base branch already says what the fix would make it say."""
    base = world.repository.head()
    if isinstance(base, Unavailable):
        return False
    return isinstance(edit.apply(world.repository, base, record.inverse, world.settings.policy.path), Change)
