"""What a person does to a pull request of the bot counts."""

from __future__ import annotations

import pytest

from gitops_sre.engine import autonomy
from gitops_sre.model.incident import State
from gitops_sre.model.verdict import Level
from tests.loop.conftest import Founder


@pytest.mark.parametrize("memory", ["kept", "deleted"])
def test_a_pull_request_that_a_person_closed_is_never_opened_again(found: Founder, memory: str) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.close_by("carol", place.pull().number)
    if memory == "deleted":
        bot = place.bot("new.db")
    incident = place.until(bot, State.REJECTED)
    for _ in range(3):
        place.turn(bot)

    assert "closed" in incident.reason or memory == "deleted"
    assert place.states == ["closed"]
    assert place.merges == []
    assert place.outcomes(place.pull()) == ["rejected"]


def test_after_the_end_a_new_database_opens_nothing_for_the_same_alert(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)
    place.close_by("carol", place.pull().number)
    place.until(bot, State.REJECTED)

    late = place.bot("new.db")
    for _ in range(3):
        place.turn(late)

    assert place.states == ["closed"]
    (known,) = late.world.store.recent()
    assert known.state is State.REJECTED


def test_a_person_who_pushes_to_the_branch_takes_it_over(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.put_tag("v9.0.1", "carol", branch=place.pull().head)
    place.until(bot, State.SUPERSEDED)
    place.turn(bot)

    assert place.states == ["open"]
    assert place.outcomes(place.pull()) == ["superseded"]
    said = [comment.body for comment in place.repo.comments_of(place.pull().number)]
    assert len(said) == 1
    assert "theirs now" in said[0]


def test_a_person_who_merges_early_is_as_good_as_an_approval(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.as_person("carol", "PUT", f"/pulls/{place.pull().number}/merge", {})
    place.until(bot, State.RESOLVED)

    assert place.states == ["merged"]


def test_when_a_person_takes_the_fix_back_the_bot_yields(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.VERIFYING)

    place.put_tag("v9.0.0", "carol")
    incident = place.until(bot, State.ESCALATED)
    for _ in range(4):
        place.turn(bot, 2)

    assert "somebody has put back by hand what #" in incident.reason
    assert place.states == ["merged"]
    assert place.tag == "v9.0.0"
    assert [each.id for each in bot.world.store.recent()] == [incident.id]
    (lost,) = autonomy.ceilings(bot.world.store)
    assert (lost.action, lost.level, lost.incidents) == ("rollback_image", Level.L3, (incident.id,))


def test_a_later_release_is_not_taken_for_a_person_who_took_the_fix_back(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.VERIFYING)

    place.put_tag("v9.0.1", "carol")
    incident = place.until(bot, State.ESCALATED)

    assert "can no longer be told" in incident.reason
    assert autonomy.ceilings(bot.world.store) == ()


def test_where_the_branch_is_protected_against_it_the_bot_stops_and_calls_a_person(found: Founder) -> None:
    place = found("L4")
    place.servers.github.protect("main", required_reviews=1, repo=place.name)
    place.deploy_bad()

    incident = place.until(place.bot(), State.ESCALATED)

    assert "GitHub refuses to merge" in incident.reason
    assert place.merges == []
    assert len(place.reports) == 1
    said = [comment.body for comment in place.repo.comments_of(place.pull().number) if "Not merged" in comment.body]
    assert len(said) == 1
    assert "approving review is required" in said[0]


def test_the_next_bad_release_is_an_incident_of_its_own(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()
    first = place.until(bot, State.RESOLVED)

    place.tick(5)
    place.deploy_bad("v9.1.0")
    second = place.until(bot, State.RESOLVED)

    assert second.id != first.id
    assert second.diagnosis is not None
    assert second.diagnosis.top.cause == "new_deploy"
