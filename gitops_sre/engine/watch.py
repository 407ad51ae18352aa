"""Looking at an action under way: its pull request, the cluster, the SLO. Reads only; each look gives one event."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gitops_sre.engine import messages as m
from gitops_sre.engine.step import approvals, approved
from gitops_sre.engine.world import World
from gitops_sre.gitops.edit import apply
from gitops_sre.model.image import Image
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.live import Live, Liveness, NeverLive, Waiting
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.model.plan import VerificationPlan
from gitops_sre.model.pull import PullRequest, Review
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.verdict import Level
from gitops_sre.model.verification import Assessment
from gitops_sre.verification import announced, assess, live

_FOLLOWING = 50
"""Commits of the branch that are looked at for what was said of one: the latest, and the one itself."""


def overdue(incident: Incident, at: datetime, world: World) -> str:
    """Why the present state's time is up, or an empty string. Limits are settings."""
    timing = world.settings.timing
    people_merge = incident.verdict is not None and incident.verdict.level < Level.L3
    limits = {
        State.RECEIVED: timing.investigate_after + timing.deadline,
        State.INVESTIGATING: timing.deadline,
        State.PLANNED: timing.deadline,
        State.PROPOSED: timing.live,
        State.AWAITING_APPROVAL: timing.approval,
        State.MERGING: timing.live,
        State.SYNCING: timing.live,
        State.REVERTING: timing.approval if people_merge else timing.live,
        State.REVERT_SYNCING: timing.live,
    }
    limit = limits.get(incident.state)
    if limit is None or incident.held(at) or (at - _began(incident)).total_seconds() <= limit:
        return ""
    return f"{incident.state.value.replace('_', ' ')} for more than {limit:g} s"


def _began(incident: Incident) -> datetime:
    """Since when the present state's time runs: a hold that has ended stopped the clock."""
    ended = incident.hold.until if incident.hold is not None else None
    return max(incident.since, ended) if ended is not None else incident.since


def fix(incident: Incident, world: World) -> m.Event:
    """The fix's pull request as it stands now, while it waits for a person."""
    pull = standing(incident, world)
    return pull if isinstance(pull, m.Event) else _approval(incident, pull, world.clock.now(), world)


def standing(incident: Incident, world: World) -> PullRequest | m.Event:
    """The fix's pull request with its reviews and what was said like one, or the event that keeps it from merging."""
    at = world.clock.now()
    if incident.fix is None:
        return m.Nothing(at, "the pull request is about to be opened")
    pull = world.forge.look(incident.fix.number)
    if isinstance(pull, Unavailable):
        return m.Nothing(at, f"GitHub: {pull.reason}")
    over = ended(pull, at)
    if over is not None:
        return over
    if incident.hold is not None and incident.held(at):
        until = f"until {incident.hold.until:%Y-%m-%d %H:%M} UTC" if incident.hold.until else "until `/sre resume`"
        return m.Nothing(at, f"pull request #{pull.number} is held by {incident.hold.by} {until}")
    # What waits for a person is looked at often, what is being merged perhaps for the last time.
    moved = base_moved(incident, world, pull.base_tip if incident.state is State.AWAITING_APPROVAL else "")
    if moved:
        return m.BaseMoved(at, f"{moved}: #{pull.number} has to be made again")
    return replace(pull, reviews=_with_said(pull, incident.said))


def base_moved(incident: Incident, world: World, told: str = "") -> str:
    """Which edited file the base branch has another version of than the one that the change was made on; empty when
    there is none, or that cannot be told now: GitHub itself merges nothing that conflicts.

    `told`: what GitHub said the branch's tip is. Nothing is fetched while the clone has that commit.
    """
    record = incident.record
    if record is None or told == record.base:
        return ""
    if told:
        try:
            return _changed(record, told, world)
        except OSError:  # the clone has not got that commit yet
            pass
    head = world.repository.head()
    return "" if isinstance(head, Unavailable) else _changed(record, head, world)


def _changed(record: ActionRecord, tip: str, world: World) -> str:
    for file in dict.fromkeys(edit.file for edit in record.edits):
        if world.repository.read(tip, file) != world.repository.read(record.base, file):
            return f"{file} has changed on the base branch"
    return ""


def _with_said(pull: PullRequest, said: tuple[Review, ...]) -> tuple[Review, ...]:
    """The reviews, and what was said in comments by those who have given none: a review is the later word."""
    reviewed = {review.login.lower() for review in pull.reviews if review.state != "commented"}
    return (*pull.reviews, *(review for review in said if review.login.lower() not in reviewed))


def ended(pull: PullRequest, at: datetime) -> m.Event | None:
    """The events that end the wait for a pull request, whatever it waits for."""
    if pull.state == "merged":
        return m.Merged(at, f"pull request #{pull.number} landed as {pull.merge_sha[:12]}", pull)
    if pull.state == "closed":
        return m.Closed(at, f"pull request #{pull.number} was closed by {pull.closed_by or 'a person'}", pull)
    if not pull.ours:
        return m.HandsOff(at, f"somebody else pushed to {pull.branch}: it is theirs now", pull)
    return None


def _approval(incident: Incident, pull: PullRequest, at: datetime, world: World) -> m.Event:
    review = approved(pull, incident.verdict)
    given = approvals(pull, incident.verdict)
    by = " and ".join(each.login for each in given)
    if review is None:
        waited = (at - incident.since).total_seconds()
        if not incident.reminded and waited > world.settings.timing.remind:
            return m.RemindDue(at, f"no approval after {waited:g} s")
        so_far = f", of which {by} gave one" if by else ""
        return m.Nothing(at, f"pull request #{pull.number} waits for {_who(incident)}{so_far}")
    now = slo_now(incident, world, at)
    if now.state == "recovered":
        return m.Moot(at, f"approved by {by}, but the SLO has recovered by itself: {now.reason}", pull)
    if now.state == "inconclusive":
        return m.Nothing(at, f"approved by {by}; telemetry cannot confirm the fault now: {now.reason}")
    return m.Approved(at, f"approved by {by}; the fault is still there: {now.reason}", pull, review.login)


def _who(incident: Incident) -> str:
    if incident.verdict is None or incident.verdict.level is Level.L2:
        return "a person to mark it ready and merge it"
    verdict = incident.verdict
    wanted = "an approving review" if verdict.quorum == 1 else f"{verdict.quorum} approving reviews"
    return f"{wanted} by {' or '.join(verdict.approvers) or 'anybody who may write'}"


def slo_now(incident: Incident, world: World, at: datetime) -> Assessment:
    """The SLO over the last window, whether or not anything was done."""
    plan = incident.plan
    if plan is None:
        return Assessment("inconclusive", "there is no plan to verify")
    began = at - timedelta(seconds=plan.verification.window + plan.verification.settle)
    return _assess(plan.verification, began, at, world)


def revert(incident: Incident, world: World) -> m.Event:
    """The revert's pull request as it stands now."""
    at = world.clock.now()
    if incident.revert is None:
        return m.Nothing(at, "the revert is about to be opened")
    pull = world.forge.look(incident.revert.number)
    if isinstance(pull, Unavailable):
        return m.Nothing(at, f"GitHub: {pull.reason}")
    if pull.state == "merged":
        return m.RevertMerged(at, f"the revert #{pull.number} landed as {pull.merge_sha[:12]}", pull)
    if pull.state == "closed":
        return m.RevertClosed(at, f"the revert #{pull.number} was closed by {pull.closed_by or 'a person'}", pull)
    return m.Nothing(at, f"the revert #{pull.number} is open")


def sync(incident: Incident, world: World) -> m.Event:
    """Is the merged commit (the fix's, or the revert's) live?"""
    at = world.clock.now()
    undoing = incident.state is State.REVERT_SYNCING
    pull = incident.revert if undoing else incident.fix
    if pull is None or incident.record is None:
        return m.NeverLive(at, "there is no merged pull request to wait for")
    seen = _liveness(incident.record, pull, undoing=undoing, world=world)
    if isinstance(seen, Live):
        # Argo CD's last sync may be older than the merge when nothing was left to apply.
        by = "and healthy" if world.settings.kubernetes.enabled else f"as GitHub was told at {seen.revision[:12]}"
        return m.WentLive(at, f"{pull.merge_sha[:12]} is live {by}", max(seen.at, pull.merged_at or seen.at))
    if isinstance(seen, NeverLive):
        by_hand = "" if undoing else _undone(incident, world)
        return m.Undone(at, by_hand) if by_hand else m.NeverLive(at, seen.reason)
    return m.Nothing(at, f"waiting for {seen.on}")


def _undone(incident: Incident, world: World) -> str:
    """That the branch holds again what stood there before the fix, at somebody else's hand; or an empty string."""
    record, head = incident.record, world.repository.head()
    if record is None or incident.fix is None or isinstance(head, Unavailable):
        return ""
    if isinstance(apply(world.repository, head, record.edits, world.settings.policy.path), Refused):
        return ""
    return f"somebody has put back by hand what #{incident.fix.number} had changed"


def _liveness(record: ActionRecord, pull: PullRequest, *, undoing: bool, world: World) -> Liveness:
    if not world.settings.kubernetes.enabled:
        return _announced(record, pull, undoing=undoing, world=world)
    target = record.plan.target
    seen = world.seen_cluster(target.workload.namespace)
    if isinstance(seen, Unavailable):
        return Waiting(f"the cluster: {seen.reason}")
    applications, workloads = seen
    head = world.repository.head()
    if isinstance(head, Unavailable):
        return Waiting(f"Git: {head.reason}")
    application = next((each for each in applications if each.key == target.application), None)
    if application is None:
        return NeverLive(f"Application {target.application} is not there any more")
    return live.live(
        application,
        next((each for each in workloads if each.ref == target.workload), None),
        live.Wanted(pull.merge_sha, target.source, expected_images(record, undoing=undoing)),
        world.repository.contains,
    )


def _announced(record: ActionRecord, pull: PullRequest, *, undoing: bool, world: World) -> Liveness:
    """What GitHub has been told of the merge commit, or of a later one that holds it and keeps its values."""
    head = world.repository.head()
    if isinstance(head, Unavailable):
        return Waiting(f"Git: {head.reason}")
    commits = _since(pull.merge_sha, head, world)
    if isinstance(commits, Unavailable):
        return Waiting(f"Git: {commits.reason}")
    gone = _gone(record, head, undoing=undoing, world=world)
    if gone is not None:
        return gone
    return announced.live(world.forge.notices(commits), record.plan.target.application, commits)


def _gone(record: ActionRecord, head: str, *, undoing: bool, world: World) -> NeverLive | None:
    """That the branch no longer holds the values as they landed: the edits that would take them back do not apply."""
    back = apply(world.repository, head, record.edits if undoing else record.inverse, world.settings.policy.path)
    if not isinstance(back, Refused):
        return None
    return NeverLive(f"a later commit changed it again, so what follows cannot be attributed to it: {back.reason}")


def _since(landed: str, head: str, world: World) -> tuple[str, ...] | Unavailable:
    """A commit and those of the branch that followed it, oldest first."""
    try:
        shas = [each.sha for each in world.repository.log(head, limit=_FOLLOWING)]
    except OSError as error:
        return Unavailable(str(error))
    if landed in shas:
        return tuple(reversed(shas[: shas.index(landed) + 1]))
    held = world.repository.contains(head, landed)
    if isinstance(held, Unavailable):
        return held
    return (landed, *reversed(shas)) if held else Unavailable(f"{landed[:12]} is not on the branch yet")


def expected_images(record: ActionRecord, *, undoing: bool) -> tuple[str, ...]:
    """The image references that must be seen running; for a revert, what stood before the fix."""
    name = record.plan.parameters.get("image", "")
    seen = Image(name)
    for edit in record.edits:
        text = edit.before if undoing else edit.after
        if edit.part != "target" or text is None:
            continue
        part = Image.read(text) if text.startswith(name) else Image.read_version(text)
        seen = Image(name, part.tag or seen.tag, part.digest or seen.digest)
    return (str(seen),) if name and seen.version else ()


def slo(incident: Incident, world: World) -> m.Event:
    """Did it help? Watches until the verification's window and, when inconclusive, until its deadline."""
    at = world.clock.now()
    plan, live_at = incident.plan, incident.live_at
    if plan is None or live_at is None:
        return m.TimedOut(at, "there is no plan to verify")
    if why := _untold(incident, world):
        by_hand = _undone(incident, world)
        return m.Undone(at, by_hand) if by_hand else m.NeverLive(at, f"the fix's effect can no longer be told: {why}")
    result = _assess(plan.verification, live_at + timedelta(seconds=plan.verification.settle), at, world)
    if result.state == "recovered":
        return m.Recovered(at, result.reason, result)
    if result.state == "not_recovered":
        return m.NotRecovered(at, result.reason, result)
    if (at - live_at).total_seconds() > plan.verification.deadline:
        return m.TimedOut(at, f"no verdict within {plan.verification.deadline:g} s of going live: {result.reason}")
    return m.Nothing(at, result.reason)


def _untold(incident: Incident, world: World) -> str:
    """Why a live fix is not what users feel any more; empty when it may be. Without a cluster Git alone is asked: what
    GitHub was told once does not say what runs now."""
    if world.settings.kubernetes.enabled or incident.record is None:
        still = sync(incident, world)
        return still.why if isinstance(still, m.NeverLive | m.Undone) else ""
    head = world.repository.head()
    gone = None if isinstance(head, Unavailable) else _gone(incident.record, head, undoing=False, world=world)
    return gone.reason if gone is not None else ""


def _assess(plan: VerificationPlan, began: datetime, at: datetime, world: World) -> Assessment:
    if at <= began:
        return Assessment("inconclusive", f"settling until {began:%H:%M:%S}")
    answers = world.metrics.ask(assess.queries(plan, began, at, world.settings.timing.step))
    return assess.assess(plan, answers, began, at)
