"""What people's orders do to an incident, and what they never do."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gitops_sre.delivery.commands import parse
from gitops_sre.engine import messages as m
from gitops_sre.engine.steer import forgotten, heard
from gitops_sre.engine.step import step
from gitops_sre.model.command import Command
from gitops_sre.model.incident import TERMINAL, Incident, State
from gitops_sre.model.verdict import Level
from tests import builders as b

AT = b.after(100)
IDS = itertools.count(1)


def command(text: str, *, number: int = 7, at: float = 50, writer: bool = True, login: str = "alice") -> Command:
    """A comment on the fix's pull request."""
    order = parse(f"/sre {text}")
    assert order is not None
    return Command(next(IDS), number, login, b.after(at), order, writer=writer, answered=False)


def after(incident: Incident, text: str, **said: Any) -> Incident:
    """The incident after an order."""
    event = heard(incident, command(text, **said), AT)
    return incident if event is None else step(incident, event)[0]


MERGING = b.incident(State.MERGING)


def test_nothing_is_merged_while_somebody_holds_it() -> None:
    held = after(MERGING, "hold for 2h")
    assert held.hold is not None
    assert held.hold.until == b.after(50) + timedelta(hours=2)
    assert step(held, m.Nothing(AT))[1] == (m.Unqueue(),)
    assert step(held, m.Nothing(AT + timedelta(hours=2)))[1] == (m.MergeFix(),)


def test_a_hold_without_a_time_lasts_until_somebody_resumes() -> None:
    held = after(MERGING, "hold")
    assert held.held(datetime.max.replace(tzinfo=AT.tzinfo))
    assert step(after(held, "resume"), m.Nothing(AT))[1] == (m.MergeFix(),)


def test_a_hold_never_holds_a_revert_back() -> None:
    for state in (State.SYNCING, State.VERIFYING, State.REVERTING):
        assert heard(b.incident(state), command("hold"), AT) is None
    held = after(MERGING, "hold")
    landed, _ = step(held, m.Merged(AT, "by hand", b.pull(state="merged", merge_sha="f" * 40)))
    failing, intents = step(landed, m.NeverLive(AT, "crashes"))
    assert failing.state is State.REVERTING
    assert intents == (m.ProposeRevert(),)


@pytest.mark.parametrize("text", ["hold", "resume", "close", "revert", "retry", "approve-level", "explain", "help"])
@pytest.mark.parametrize("state", list(State))
def test_somebody_without_write_permission_moves_nothing(state: State, text: str) -> None:
    assert heard(b.incident(state), command(text, writer=False), AT) is None


@pytest.mark.parametrize("state", [State.AWAITING_APPROVAL, State.MERGING])
def test_closing_means_no(state: State) -> None:
    said = after(b.incident(state), "close")
    assert said.state is State.REJECTED
    assert "alice" in said.reason


def test_an_order_has_its_effect_once_although_it_is_read_again() -> None:
    order = command("close")
    event = heard(MERGING, order, AT)
    assert event is not None
    closed, _ = step(MERGING, event)
    assert order.id in closed.obeyed
    anew = after(replace(closed, concluded=True), "retry")
    assert heard(replace(anew, state=State.MERGING), order, AT) is None


def test_a_hold_that_memory_has_lost_is_found_in_the_comments() -> None:
    orders = [replace(command("hold", login="bob"), answered=True)]
    found = forgotten(MERGING, orders, AT)
    assert found is not None
    assert step(step(MERGING, found)[0], m.Nothing(AT))[1] == (m.Unqueue(),)
    assert forgotten(MERGING, [*orders, replace(command("resume"), answered=True)], AT) is None
    assert forgotten(step(MERGING, found)[0], orders, AT) is None
    assert forgotten(MERGING, [replace(command("hold 10 min"), answered=True)], b.after(700)) is None


@pytest.mark.parametrize("state", [State.SYNCING, State.VERIFYING, State.RESOLVED])
def test_a_merged_fix_is_taken_back_when_somebody_asks(state: State) -> None:
    said = after(b.incident(state, concluded=True), "revert")
    assert said.state is State.REVERTING
    assert said.taken_back_by == "alice"
    assert not said.finished


def test_what_is_not_merged_is_not_taken_back() -> None:
    for state in set(State) - {State.SYNCING, State.VERIFYING, State.RESOLVED}:
        assert heard(b.incident(state), command("revert"), AT) is None


@pytest.mark.parametrize("state", sorted(TERMINAL - {State.RESOLVED}))
def test_what_has_ended_without_a_fix_is_looked_at_anew(state: State) -> None:
    said = after(b.incident(state, concluded=True), "retry")
    assert (said.state, said.attempt, said.refuted) == (State.INVESTIGATING, 2, ())
    assert said.fix is None


WAITING = b.incident(State.AWAITING_APPROVAL, Level.L3, verdict=b.verdict(Level.L3, ("alice",)))


def test_an_approval_in_a_comment_names_the_head_that_stood_then() -> None:
    said = after(WAITING, "approve-level")
    assert [(review.login, review.commit) for review in said.said] == [("alice", "b" * 40)]


@pytest.mark.parametrize(
    ("incident", "said"),
    [
        (WAITING, {"login": "bob"}),
        (WAITING, {"number": 8}),
        (WAITING, {"at": -1}),
        (replace(WAITING, since=b.after(60)), {"at": 50}),
        (b.incident(State.AWAITING_APPROVAL, Level.L2), {}),
        (b.incident(State.AWAITING_APPROVAL, Level.L3, fix=b.pull(draft=True)), {}),
        (MERGING, {}),
    ],
)
def test_an_approval_that_policy_does_not_count_moves_nothing(incident: Incident, said: dict[str, Any]) -> None:
    assert heard(incident, command("approve-level", **said), AT) is None
