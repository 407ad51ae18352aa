"""Carrying out intents: the only writing part of the engine. Doing it twice is the same as doing it once; a language
model is asked once at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from gitops_sre.delivery import text
from gitops_sre.engine import autonomy, consult, limits, remedy, watch
from gitops_sre.engine import messages as m
from gitops_sre.engine.world import World
from gitops_sre.gitops import customs
from gitops_sre.model.change import Proof
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Done, Outdated, Refused, Unavailable
from gitops_sre.model.pull import Cover, PullRequest, Report
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.verdict import Level


def perform(incident: Incident, intent: m.Intent, world: World) -> m.Event:
    """Carry one intent out; what came of it, as an event."""
    try:
        if isinstance(intent, m.Unqueue):
            return _unqueue(incident, intent, world)
        return _HOW[type(intent)](incident, world)
    except OSError as error:  # the repository's local copy could not be read
        return m.Nothing(world.clock.now(), f"Git: {error}")


def _propose_fix(incident: Incident, world: World) -> m.Event:
    at = world.clock.now()
    record, proof, verdict = incident.record, incident.proof, incident.verdict
    if record is None or proof is None or verdict is None:
        # Memory of the change is gone (it is not kept on the forge before it is proposed): make it again.
        return m.BaseMoved(at, "the change has to be made again")
    actions = world.forge.actions()
    if isinstance(actions, Unavailable):
        return m.Nothing(at, f"GitHub: {actions.reason}")
    waits = limits.waits_for(record, actions, world.settings.limits, at)
    if waits:
        return m.Nothing(at, waits)
    made = world.forge.propose(record, proof.change.files, proof, verdict, _cover(incident, record, proof, world))
    if isinstance(made, Unavailable):
        return m.Nothing(at, f"GitHub: {made.reason}")
    if isinstance(made, Outdated):
        return m.BaseMoved(at, made.reason)
    if isinstance(made, Refused):
        return _ended_meanwhile(incident, world, at) or m.Denied(at, made.reason)
    return _seen(incident, made, at) if _told_again(incident, made, world) else m.Nothing(at, "GitHub does not answer")


def _ended_meanwhile(incident: Incident, world: World, at: datetime) -> m.Event | None:
    """What somebody did with the pull request while it was to be made again."""
    now = world.forge.look(incident.fix.number) if incident.fix is not None else None
    return watch.ended(now, at) if isinstance(now, PullRequest) else None


def _told_again(incident: Incident, made: PullRequest, world: World) -> bool:
    """Say on a pull request that was made again that it is another commit now."""
    before = incident.fix
    if before is None or made.head == before.head or made.state != "open" or not made.ours:
        return True
    key = f"{incident.id}/again-{made.head[:12]}"
    return isinstance(world.forge.comment(made.number, key, text.made_again(incident, made)), Done)


def _cover(incident: Incident, record: ActionRecord, proof: Proof, world: World) -> Cover:
    """What people see of the pull request of a fix or of its revert."""
    template = customs.template(world.repository, record.base)
    fix = record.kind == "fix"
    body = text.fix_body(incident, template) if fix else text.revert_body(incident, proof, template)
    return Cover(body, text.full(incident), _asked(record, world))


def _asked(record: ActionRecord, world: World) -> tuple[str, ...]:
    """Who is asked for a review: those whom policy names; for a draft, of which GitHub tells nobody, those who own the
    files as well. For all else GitHub asks the owners itself."""
    verdict = record.verdict
    files = tuple(dict.fromkeys(edit.file for edit in record.edits))
    owners = customs.owners(world.repository, record.base, files) if verdict.level is Level.L2 else ()
    approvers = verdict.approvers if verdict.level is Level.L3 and record.kind == "fix" else ()
    return tuple(dict.fromkeys((*approvers, *owners)))


def _seen(incident: Incident, pull: PullRequest, at: datetime) -> m.Event:
    over = watch.ended(pull, at)
    if over is not None:
        return over
    what = f"pull request #{pull.number}"
    if incident.verdict is not None and incident.verdict.level is Level.L4:
        return m.MayMerge(at, f"{what} may merge by itself", pull)
    return m.Opened(at, f"{what} waits for a person", pull)


def _merge_fix(incident: Incident, world: World) -> m.Event:
    at = world.clock.now()
    if incident.fix is None:
        return m.Nothing(at, "there is no pull request to merge")
    event = _merge(incident.fix, world, at, m.Merged)
    if not isinstance(event, m.Denied):
        return event
    moved = watch.base_moved(incident, world)
    if moved:
        return m.BaseMoved(at, f"{moved}: #{incident.fix.number} has to be made again")
    world.forge.comment(incident.fix.number, f"{incident.id}/refused", text.not_merged(event.why))
    return event


def _unqueue(incident: Incident, intent: m.Unqueue, world: World) -> m.Event:
    at = world.clock.now()
    if incident.fix is None:
        return m.Nothing(at, "there is no pull request to hold")
    left = world.forge.unqueue(incident.fix)
    if isinstance(left, Unavailable):
        return m.Nothing(at, f"GitHub: {left.reason}")
    if isinstance(intent.then, m.Lapsed | m.Lowered):
        key = f"{incident.id}/waits-{incident.fix.head[:12]}"
        said = world.forge.comment(incident.fix.number, key, text.waits_again(intent.then.why))
        if isinstance(said, Unavailable):
            return m.Nothing(at, f"GitHub: {said.reason}")
    return intent.then or m.Nothing(at, "held")


def _merge(pull: PullRequest, world: World, at: datetime, landed: type[m.PullEvent]) -> m.Event:
    """Merge, and look again: what is there then is what happened."""
    result = world.forge.merge(pull)
    if isinstance(result, Unavailable):
        return m.Nothing(at, f"merge of #{pull.number}: {result.reason}")
    now = world.forge.look(pull.number)
    if isinstance(now, PullRequest) and now.state == "merged":
        return landed(at, f"pull request #{now.number} landed as {now.merge_sha[:12]}", now)
    if isinstance(result, Done) or (isinstance(now, PullRequest) and (now.state != "open" or not now.ours)):
        return m.Nothing(at, f"pull request #{pull.number} changed meanwhile")
    return m.Denied(at, f"GitHub refuses to merge #{pull.number}: {result.reason}")


def _propose_revert(incident: Incident, world: World) -> m.Event:
    at = world.clock.now()
    made = remedy.invert(incident, world)
    if isinstance(made, Unavailable):
        return m.Nothing(at, made.reason)
    if isinstance(made, Refused):
        return m.Denied(at, made.reason)
    record, proof = made
    cover = _cover(incident, record, proof, world)
    pull = world.forge.propose(record, proof.change.files, proof, record.verdict, cover)
    if isinstance(pull, Unavailable | Outdated):
        return m.Nothing(at, f"GitHub: {pull.reason}")
    if isinstance(pull, Refused):
        return m.Denied(at, f"the revert: {pull.reason}")
    return m.RevertOpened(at, f"revert #{pull.number} proposed", pull)


def _merge_revert(incident: Incident, world: World) -> m.Event:
    at = world.clock.now()
    if incident.revert is None:
        return m.Nothing(at, "there is no revert to merge")
    return _merge(incident.revert, world, at, m.RevertMerged)


def _remind(incident: Incident, world: World) -> m.Event:
    at = world.clock.now()
    if incident.fix is None:
        return m.Nothing(at, "there is no pull request to remind of")
    said = world.forge.comment(incident.fix.number, f"{incident.id}/reminder", text.reminder(incident))
    if isinstance(said, Unavailable):
        return m.Nothing(at, f"GitHub: {said.reason}")
    return m.Reminded(at, "the reviewers were reminded")


def _file(report: Callable[[Incident], Report]) -> Callable[[Incident, World], m.Event]:
    def file(incident: Incident, world: World) -> m.Event:
        at = world.clock.now()
        url = world.forge.report(report(incident))
        if isinstance(url, Unavailable):
            return m.Nothing(at, f"GitHub: {url.reason}")
        return m.Filed(at, incident.reason, url)

    return file


def _conclude(incident: Incident, world: World) -> m.Event:
    """The outcome on every pull request of the incident. A fix that is still open is closed, since nobody would verify
    it any more; a revert that GitHub held back stays open for the person who was called."""
    at = world.clock.now()
    last = next(reversed(world.store.ledger(incident.id)), None)
    lowered = [each for each in autonomy.ceilings(world.store) if incident.id in each.incidents]
    outcome = text.outcome(incident, f"{last.sequence}:{last.hash}" if last is not None else "", lowered)
    for pull in incident.pulls:
        now = world.forge.look(pull.number)
        if isinstance(now, Unavailable):
            return m.Nothing(at, f"GitHub: {now.reason}")
        if now.state == "open" and not now.ours:
            said = world.forge.comment(now.number, f"{incident.id}/hands-off", text.hands_off(now))
            if isinstance(said, Unavailable):
                return m.Nothing(at, f"GitHub: {said.reason}")
        waits_for_a_person = incident.revert is not None and pull.number == incident.revert.number
        if now.state == "open" and now.ours and not waits_for_a_person:
            closed = world.forge.close(now, text.closing(incident))
            if isinstance(closed, Unavailable):
                return m.Nothing(at, f"GitHub: {closed.reason}")
        left = world.forge.conclude(now, incident.state.value, outcome)
        if isinstance(left, Unavailable):
            return m.Nothing(at, f"GitHub: {left.reason}")
    return m.Concluded(at, incident.reason)


_HOW: Mapping[type[m.Intent], Callable[[Incident, World], m.Event]] = {
    m.Consult: consult.ask,
    m.ProposeFix: _propose_fix,
    m.MergeFix: _merge_fix,
    m.ProposeRevert: _propose_revert,
    m.MergeRevert: _merge_revert,
    m.Remind: _remind,
    m.FileReport: _file(text.report),
    m.CallHuman: _file(text.escalation),
    m.Conclude: _conclude,
}
