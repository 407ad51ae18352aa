"""What people say in comments, as events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from gitops_sre.engine import messages as m
from gitops_sre.engine.lifecycle import TABLE
from gitops_sre.engine.step import approvals
from gitops_sre.model.command import LASTING, Command, Hold
from gitops_sre.model.incident import Incident
from gitops_sre.model.pull import Review


def heard(incident: Incident, command: Command, at: datetime) -> m.Asked | None:
    """The event that an order is, None when it only wants an answer or changes nothing in the present state."""
    make = _EVENTS.get(command.order.verb)
    if make is None or not command.writer or command.id in incident.obeyed:
        return None
    event = make(incident, command, at)
    return event if event is not None and type(event) in TABLE[incident.state] else None


def forgotten(incident: Incident, commands: Sequence[Command], at: datetime) -> m.Asked | None:
    """The hold that stands in the comments although the incident's memory of it is gone: all else that comments ask for
    is done once, but a hold has to be remembered."""
    last = next((one for one in reversed(commands) if one.writer and one.order.verb in LASTING), None)
    if last is None or not last.answered or last.order.verb != "hold" or incident.hold is not None:
        return None
    return heard(incident, last, at) if hold(last).holds(at) else None


def hold(command: Command) -> Hold:
    """The hold that somebody asked for. It counts from when that was said: read late, it is not longer for it."""
    until = command.at + command.order.span if command.order.span is not None else None
    return Hold(command.login, command.at, until)


def _hold(_: Incident, command: Command, at: datetime) -> m.Asked:
    return m.HoldAsked(at, f"{command.login} asked to wait", command.login, command.id, hold(command))


def _resume(_: Incident, command: Command, at: datetime) -> m.Asked:
    return m.ResumeAsked(at, f"{command.login} ended the hold", command.login, command.id)


def _approve(incident: Incident, command: Command, at: datetime) -> m.Asked | None:
    """An approving review of the present head, unless it was said before that head stood there: since then it waits."""
    pull = incident.fix
    if pull is None or command.number != pull.number or command.at < incident.since:
        return None
    review = Review(command.login, "approved", pull.head, command.at, writer=True)
    if not approvals(replace(pull, reviews=(review,)), incident.verdict):
        return None
    return m.ApprovalSaid(
        at, f"{command.login} approved {pull.head[:12]} in a comment", command.login, command.id, review
    )


def _close(_: Incident, command: Command, at: datetime) -> m.Asked:
    return m.CloseAsked(at, f"{command.login} asked to close it: that means no", command.login, command.id)


def _revert(_: Incident, command: Command, at: datetime) -> m.Asked:
    return m.RevertAsked(at, f"{command.login} asked to take it back", command.login, command.id)


def _retry(_: Incident, command: Command, at: datetime) -> m.Asked:
    return m.RetryAsked(at, f"{command.login} asked to look at it anew", command.login, command.id)


_EVENTS: Mapping[str, Callable[[Incident, Command, datetime], m.Asked | None]] = {
    "hold": _hold,
    "resume": _resume,
    "approve-level": _approve,
    "close": _close,
    "revert": _revert,
    "retry": _retry,
}
