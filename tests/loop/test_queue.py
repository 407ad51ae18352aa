"""While a check or a merge queue is waited for, what allowed the merge must go on holding."""

from __future__ import annotations

import json

import pytest

from gitops_sre.engine.bot import Bot
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.verdict import Level
from gitops_sre.ports import Transition
from tests.loop.conftest import Founder
from tests.loop.place import Level as Opened
from tests.loop.place import Place


def standing_in_line(found: Founder, level: Opened) -> tuple[Place, Bot]:
    """A place whose branch takes merges from a queue, with the fix in it."""
    place = found(level)
    place.servers.github.protect("main", merge_queue=True, repo=place.name)
    place.deploy_bad()
    bot = place.bot()
    if level == "L3":
        place.until(bot, State.AWAITING_APPROVAL)
        place.review("alice")
    place.until(bot, State.MERGING)
    assert queued(place)
    return place, bot


def queued(place: Place) -> bool:
    return place.pull().queued_by is not None


def run(place: Place) -> None:
    """The queue does its work."""
    place.servers.github.run_queue(place.name)


def comments(place: Place, word: str) -> list[str]:
    return [each.body for each in place.repo.comments_of(place.pull().number) if word in each.body]


@pytest.mark.parametrize("level", ["L3", "L4"])
def test_what_the_queue_merges_is_seen_through(found: Founder, level: Opened) -> None:
    place, bot = standing_in_line(found, level)
    for _ in range(3):
        place.turn(bot, 2)
        assert queued(place)
    run(place)
    place.until(bot, State.RESOLVED)
    assert (place.states, place.tag, place.running) == (["merged"], place.good, place.good)


@pytest.mark.parametrize("memory", ["kept", "lost"])
def test_an_approval_that_is_taken_back_takes_it_out_of_the_queue_until_there_is_one_again(
    found: Founder, memory: str
) -> None:
    place, bot = standing_in_line(found, "L3")
    place.review("alice", "REQUEST_CHANGES")
    bot = place.bot("new.db") if memory == "lost" else bot
    waits = place.until(bot, State.AWAITING_APPROVAL)
    if memory == "kept":
        assert "approval does not stand" in waits.reason
        assert not queued(place)
        assert len(comments(place, "Not merged yet")) == 1
    place.review("alice")
    place.until(bot, State.MERGING)
    assert queued(place)
    run(place)
    place.until(bot, State.RESOLVED)


def test_what_heals_while_it_stands_in_the_queue_is_not_merged_any_more(found: Founder) -> None:
    place, bot = standing_in_line(found, "L4")
    place.signals.heal()
    healed = place.until(bot, State.SUPERSEDED)
    assert "recovered by itself" in healed.reason
    assert place.states == ["closed"]
    assert not queued(place)
    run(place)
    assert place.merges == []


def fails(bot: Bot, place: Place, number: int) -> None:
    """Another incident's action of that kind is verified and did not help."""
    plan = {"action": "rollback_image", "service": f"other-{number}", "environment": "dev", "tier": "other"}
    for event, source, target, facts in (
        ("Planned", "diagnosed", "planned", plan),
        ("Allowed", "planned", "proposed", {"level": "L4", "tiers": ["other"]}),
        ("NotRecovered", "verifying", "reverting", {}),
    ):
        moved = Transition(event, source, target, json.dumps(facts), place.clock.now())
        bot.world.store.note(f"inc-{number:012x}", moved)


def test_when_the_breaker_opens_meanwhile_a_person_has_the_last_word(found: Founder) -> None:
    place, bot = standing_in_line(found, "L4")
    for number in range(3):
        fails(bot, place, number)
    waits = place.until(bot, State.AWAITING_APPROVAL)
    assert waits.verdict is not None
    assert waits.verdict.level is Level.L2
    assert "breaker: open for rollback_image" in waits.reason
    assert not queued(place)
    assert len(comments(place, "Not merged yet")) == 1
    for _ in range(3):
        place.turn(bot, 2)
    assert (place.states, queued(place)) == (["open"], False)
    place.enqueue_by("alice", place.pull().number)
    run(place)
    place.until(bot, State.RESOLVED)


def test_a_file_that_changes_meanwhile_is_edited_again_and_stands_in_line_again(found: Founder) -> None:
    place, bot = standing_in_line(found, "L4")
    first = place.pull().head_sha
    base = place.commit({place.file: b"# a note from carol\n" + place.read(place.file)}, "carol")
    merging: Incident = place.until(bot, State.MERGING)
    assert merging.record is not None
    assert merging.record.base == base
    assert place.pull().head_sha != first
    place.turn(bot, 1)
    assert queued(place)
    run(place)
    place.until(bot, State.RESOLVED)
    assert place.read(place.file).startswith(b"# a note from carol\n")


def test_a_queue_that_never_comes_to_it_ends_with_a_person(found: Founder) -> None:
    place, bot = standing_in_line(found, "L4")
    late = place.until(bot, State.ESCALATED)
    assert "merging for more than 20 s" in late.reason
    assert "merge queue, at position 1" in late.reason
    assert place.states == ["closed"]
    assert len(place.reports) == 1
    run(place)
    assert place.merges == []
