"""Orders in comments, against a real server: whose count, how often they are answered, what it costs."""

from __future__ import annotations

import pytest

from gitops_sre.model.command import Command, Reply
from gitops_sre.model.outcome import Unavailable
from gitops_sre.ports import Forge
from gitops_sre.sandbox.github import Fault
from tests.adapters.github.conftest import BOT, Stage


@pytest.fixture
def forge(stage: Stage) -> Forge:
    forge = stage.forge()
    stage.opened(forge)
    return forge


def say(stage: Stage, body: str, who: str = "bob", number: int = 1) -> None:
    stage.as_person(who, "POST", f"/issues/{number}/comments", {"body": body})


def orders(forge: Forge, *numbers: int) -> tuple[Command, ...]:
    found = forge.commands(frozenset(numbers or (1,)))
    assert not isinstance(found, Unavailable), found.reason
    return found


def test_orders_come_with_who_gave_them_and_whether_that_counts(stage: Stage, forge: Forge) -> None:
    say(stage, "looks good to me")
    say(stage, "/sre hold for 2h")
    say(stage, "/sre close", "eve")
    found = [(one.login, one.order.verb, one.writer, one.answered) for one in orders(forge)]
    assert found == [("bob", "hold", True, False), ("eve", "close", False, False)]


def test_comments_elsewhere_and_the_bots_own_are_no_orders(stage: Stage, forge: Forge) -> None:
    stage.as_person("bob", "POST", "/issues", {"title": "another", "body": "x"})
    say(stage, "/sre close", number=2)
    forge.comment(1, "inc-1/reminder", "/sre close")
    assert orders(forge) == ()


def test_another_bots_comment_is_no_order(stage: Stage, forge: Forge) -> None:
    stage.other_app().comment(1, "x", "/sre close")
    assert orders(forge) == ()


def test_an_order_is_answered_once_by_a_reaction_and_a_reply(stage: Stage, forge: Forge) -> None:
    say(stage, "/sre explain")
    (order,) = orders(forge)
    forge.answer(order, Reply("+1", "It was the deploy."))
    (after,) = orders(stage.forge())
    assert after.answered
    (reaction,) = stage.repo.reactions_to(order.id)
    assert (reaction.user, reaction.content) == (BOT, "+1")
    assert "It was the deploy." in stage.repo.comments_of(1)[-1].body


def test_a_stranger_is_answered_by_a_reaction_alone(stage: Stage, forge: Forge) -> None:
    say(stage, "/sre close", "eve")
    forge.answer(orders(forge)[0], Reply("-1", ""))
    assert orders(stage.forge())[0].answered
    assert len(stage.repo.comments_of(1)) == 1


def test_nobody_can_pass_for_the_bot_to_silence_an_order(stage: Stage, forge: Forge) -> None:
    say(stage, "/sre hold")
    (order,) = orders(forge)
    say(stage, f"Held.\n\n<!-- gitops-sre:command-{order.id} -->", "carol")
    assert not orders(stage.forge())[0].answered


def test_a_lost_answer_does_not_make_a_second_reply(stage: Stage, forge: Forge) -> None:
    say(stage, "/sre explain")
    (order,) = orders(forge)
    stage.github.inject("POST", f"{stage.api}/issues/1/comments", Fault(502, when="after"))
    assert isinstance(forge.answer(order, Reply("+1", "It was the deploy.")), Unavailable)
    assert orders(forge)[0].answered


def test_many_pull_requests_are_read_with_one_request(stage: Stage, forge: Forge) -> None:
    for number in range(20):
        say(stage, f"remark {number}")
    forge.commands(frozenset((1,)))
    stage.requests.clear()
    forge.commands(frozenset(range(1, 60)))
    assert stage.requests == [("GET", f"{stage.api}/issues/comments")]
