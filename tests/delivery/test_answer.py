"""What is said to people who give orders."""

from __future__ import annotations

import pytest

from gitops_sre.delivery.answer import answer
from gitops_sre.delivery.commands import parse
from gitops_sre.model.command import Command, Hold
from gitops_sre.model.incident import State
from gitops_sre.model.verdict import Level
from tests import builders as b


def command(text: str, *, writer: bool = True) -> Command:
    order = parse(f"/sre {text}")
    assert order is not None
    return Command(1, 7, "alice", b.NOW, order, writer=writer, answered=False)


def test_a_stranger_gets_a_sign_and_no_words() -> None:
    said = answer(command("explain", writer=False), b.incident(), taken=False, waits="")
    assert (said.reaction, said.body) == ("-1", "")


def test_an_order_that_is_not_known_is_quoted_harmlessly_with_the_list() -> None:
    said = answer(command("@everyone <b>"), b.incident(), taken=False, waits="")
    assert said.reaction == "confused"
    assert "`/sre @everyone <b>`" in said.body
    assert "`/sre why-not`" in said.body


@pytest.mark.parametrize("verb", ["hold", "resume", "revert", "close", "retry", "approve-level"])
@pytest.mark.parametrize("state", list(State))
def test_an_order_without_effect_says_how_things_stand(verb: str, state: State) -> None:
    said = answer(command(verb), b.incident(state, Level.L3), taken=False, waits="the moon")
    assert said.reaction == "confused"
    assert len(said.body) > 20


def test_why_not_names_what_it_waits_for_and_what_policy_says() -> None:
    incident = b.incident(State.AWAITING_APPROVAL, Level.L3)
    said = answer(command("why-not"), incident, taken=False, waits="pull request #7 waits for alice")
    assert said.reaction == "+1"
    assert "waits for alice" in said.body
    assert "opened" in said.body


def test_a_hold_says_when_it_ends() -> None:
    until = answer(
        command("hold"), b.incident(State.MERGING, hold=Hold("alice", b.NOW, b.after(60))), taken=True, waits=""
    )
    assert "2026-03-01 12:01:00 UTC" in until.body
    forever = answer(command("hold"), b.incident(State.MERGING, hold=Hold("alice", b.NOW)), taken=True, waits="")
    assert "/sre resume" in forever.body


def test_explain_tells_when_there_is_nothing_to_tell_yet() -> None:
    said = answer(command("explain"), b.incident(), taken=False, waits="metrics do not answer")
    assert "no diagnosis yet: metrics do not answer" in said.body
