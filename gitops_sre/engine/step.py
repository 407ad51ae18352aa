"""(Incident, Event) -> (Incident, Intents): pure and total. Time comes in as `Event.at`.

An event that the table does not name for the present state, or that its guard refuses, changes nothing. Intents are
what the resulting state wants done; they are wanted again on every pass until an event moves the incident on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gitops_sre.engine import messages as m
from gitops_sre.engine.lifecycle import TABLE
from gitops_sre.model.incident import TERMINAL, Incident, State
from gitops_sre.model.pull import PullRequest, Review
from gitops_sre.model.verdict import Level, Verdict


def step(incident: Incident, event: m.Event) -> tuple[Incident, tuple[m.Intent, ...]]:
    """The next incident and what it wants done."""
    target = TABLE[incident.state].get(type(event))
    if target is None or not _may(incident, event):
        return incident, wants(incident, event)
    after = replace(incident, **_absorbed(incident, event))
    if target is not incident.state:
        after = replace(after, state=target, since=event.at, reason=event.why or after.reason)
    return after, wants(after, event)


def wants(incident: Incident, event: m.Event) -> tuple[m.Intent, ...]:
    """What an incident wants done in the world, given what was just seen."""
    state = incident.state
    if state in TERMINAL:
        return () if incident.finished else (m.Conclude(),)
    if state is State.DIAGNOSED and isinstance(event, m.Asking):
        return (m.Consult(),)
    if state is State.MERGING and isinstance(event, m.Wavered):
        return (m.Unqueue(event.then),)
    if state is State.MERGING and incident.held(event.at):
        return (m.Unqueue(),)
    if state is State.REVERTING:
        return _revert_wants(incident)
    if state is State.AWAITING_APPROVAL:
        return (m.Remind(),) if isinstance(event, m.RemindDue) and not incident.reminded else ()
    return _WANTED.get(state, ())


_WANTED: Mapping[State, tuple[m.Intent, ...]] = {
    State.PROPOSED: (m.ProposeFix(),),
    State.MERGING: (m.MergeFix(),),
    State.ESCALATING: (m.CallHuman(),),
    State.REPORTING: (m.FileReport(),),
}


def _revert_wants(incident: Incident) -> tuple[m.Intent, ...]:
    if incident.revert is None:
        return (m.ProposeRevert(),)
    # At L2 people merge: the bot only proposes the revert. From L3 on the fix's verdict authorises its inverse.
    return (m.MergeRevert(),) if incident.verdict is not None and incident.verdict.level >= Level.L3 else ()


def _may(incident: Incident, event: m.Event) -> bool:
    """Guards that hold whatever the observer believes: the last word before a merge is here."""
    level = incident.verdict.level if incident.verdict is not None else Level.DENIED
    if isinstance(event, m.MayMerge):
        return level is Level.L4
    if isinstance(event, m.Approved):
        return event.pull is not None and approved(event.pull, incident.verdict, event.approver) is not None
    if isinstance(event, m.Lowered):
        return event.verdict is not None and event.verdict.level < level
    if isinstance(event, m.Allowed):
        return event.verdict is not None and event.verdict.level >= Level.L2 and event.record is not None
    return True


def approved(pull: PullRequest, verdict: Verdict | None, login: str = "") -> Review | None:
    """The approval (by `login`, when given) that lets this head merge at L3 together with as many others as the verdict
    asks for."""
    given = approvals(pull, verdict)
    if verdict is None or len(given) < max(1, verdict.quorum):
        return None
    return next((review for review in given if login.lower() in ("", review.login.lower())), None)


def approvals(pull: PullRequest, verdict: Verdict | None) -> tuple[Review, ...]:
    """The reviews that count at L3, one a person: approving, by somebody allowed, on this very commit, and none while
    somebody who may write objects. Logins have no letter case on GitHub."""
    if verdict is None or verdict.level is not Level.L3 or pull.draft:
        return ()
    writers = [review for review in pull.reviews if review.writer and review.commit == pull.head]
    if any(review.state == "changes_requested" for review in writers):
        return ()
    allowed = {approver.lower() for approver in verdict.approvers}
    counted: dict[str, Review] = {}
    for review in writers:
        who = review.login.lower()
        if review.state == "approved" and (not allowed or who in allowed):
            counted.setdefault(who, review)
    return tuple(counted.values())


def _absorbed(incident: Incident, event: m.Event) -> dict[str, Any]:
    """The fields that an event sets."""
    obeyed = {"obeyed": (*incident.obeyed, event.command)} if isinstance(event, m.Asked) else {}
    for kind, absorb in _ABSORB.items():
        if isinstance(event, kind):
            return {**absorb(incident, event), **obeyed}
    return obeyed


def _triaged(_: Incident, event: m.Triaged) -> dict[str, Any]:
    return {"target": event.target, "severity": event.severity}


def _diagnosed(incident: Incident, event: m.Diagnosed) -> dict[str, Any]:
    return {"diagnosis": event.diagnosis, "target": event.target or incident.target}


def _no_fault(_: Incident, event: m.NoFault) -> dict[str, Any]:
    return {"diagnosis": event.diagnosis}


def _asking(incident: Incident, _: m.Event) -> dict[str, Any]:
    return {"asked": incident.attempt}


def _consulted(_: Incident, event: m.Consulted) -> dict[str, Any]:
    return {"opinion": event.opinion}


def _planned(_: Incident, event: m.Planned) -> dict[str, Any]:
    return {"plan": event.plan}


def _judged(_: Incident, event: m.Judged) -> dict[str, Any]:
    # The record's plan may be verified for longer: policy has a say in that.
    plan = {"plan": event.record.plan} if event.record is not None else {}
    return {"proof": event.proof, "verdict": event.verdict, "record": event.record, **plan}


def _revert_pull(_: Incident, event: m.PullEvent) -> dict[str, Any]:
    return {"revert": event.pull}


def _merged(_: Incident, event: m.Merged) -> dict[str, Any]:
    return {"fix": event.pull, "merged_at": (event.pull.merged_at if event.pull else None) or event.at}


def _fix_pull(incident: Incident, event: m.PullEvent) -> dict[str, Any]:
    return {"fix": event.pull or incident.fix}


def _base_moved(_: Incident, __: m.Event) -> dict[str, Any]:
    """What was agreed to was another commit: whoever said so in a comment is asked anew."""
    return {"said": (), "reminded": False}


def _lapsed(incident: Incident, event: m.Lapsed) -> dict[str, Any]:
    """What was said in comments counted with the reviews, and is as void as they are."""
    return {"fix": event.pull or incident.fix, "said": (), "reminded": False}


def _lowered(incident: Incident, event: m.Lowered) -> dict[str, Any]:
    return {"fix": event.pull or incident.fix, "verdict": event.verdict or incident.verdict}


def _reminded(_: Incident, __: m.Event) -> dict[str, Any]:
    return {"reminded": True}


def _live(incident: Incident, event: m.WentLive) -> dict[str, Any]:
    return {"live_at": event.live_at or event.at} if incident.state is State.SYNCING else {}


def _assessed(_: Incident, event: m.Assessed) -> dict[str, Any]:
    return {"assessment": event.assessment}


def _reinvestigate(incident: Incident, _: m.Event) -> dict[str, Any]:
    """A fresh attempt: the failed hypothesis is refuted, the pull requests become history."""
    key = incident.plan.hypothesis if incident.plan else ""
    return {
        "attempt": incident.attempt + 1,
        "refuted": (*incident.refuted, key) if key else incident.refuted,
        "past_pulls": incident.past_pulls + tuple(pull for pull in (incident.fix, incident.revert) if pull),
        "opinion": None,
        "plan": None,
        "proof": None,
        "verdict": None,
        "record": None,
        "fix": None,
        "revert": None,
        "merged_at": None,
        "live_at": None,
        "reminded": False,
        "hold": None,
        "said": (),
        "taken_back_by": "",
        "concluded": False,
        "shadow": "",
    }


def _hold(_: Incident, event: m.HoldAsked) -> dict[str, Any]:
    return {"hold": event.hold}


def _resume(_: Incident, __: m.Event) -> dict[str, Any]:
    return {"hold": None}


def _approval_said(incident: Incident, event: m.ApprovalSaid) -> dict[str, Any]:
    return {"said": (*incident.said, event.review)} if event.review is not None else {}


def _taken_back(_: Incident, event: m.RevertAsked) -> dict[str, Any]:
    return {"taken_back_by": event.by, "concluded": False}


def _retried(incident: Incident, event: m.Event) -> dict[str, Any]:
    """A fresh attempt at a person's word: nothing is refuted by that."""
    return {**_reinvestigate(incident, event), "refuted": incident.refuted}


def _filed(_: Incident, event: m.Filed) -> dict[str, Any]:
    return {"report_url": event.url}


def _compared(_: Incident, event: m.Compared) -> dict[str, Any]:
    return {"shadow": event.shadow}


def _concluded(_: Incident, __: m.Event) -> dict[str, Any]:
    return {"concluded": True}


_ABSORB: Mapping[type[m.Event], Callable[[Incident, Any], dict[str, Any]]] = {
    m.Triaged: _triaged,
    m.Diagnosed: _diagnosed,
    m.NoFault: _no_fault,
    m.Asking: _asking,
    m.Consulted: _consulted,
    m.Planned: _planned,
    m.Judged: _judged,
    m.RevertOpened: _revert_pull,
    m.RevertMerged: _revert_pull,
    m.RevertClosed: _revert_pull,
    m.Merged: _merged,
    m.Lapsed: _lapsed,
    m.Lowered: _lowered,
    m.PullEvent: _fix_pull,
    m.BaseMoved: _base_moved,
    m.Reminded: _reminded,
    m.WentLive: _live,
    m.Assessed: _assessed,
    m.Reinvestigate: _reinvestigate,
    m.HoldAsked: _hold,
    m.ResumeAsked: _resume,
    m.ApprovalSaid: _approval_said,
    m.RevertAsked: _taken_back,
    m.RetryAsked: _retried,
    m.Filed: _filed,
    m.Compared: _compared,
    m.Concluded: _concluded,
}
