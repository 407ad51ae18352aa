"""L4: the bot merges its own proven fix and sees it through."""

from __future__ import annotations

import math

import pytest

from gitops_sre.model.incident import State
from tests.loop.conftest import Founder


def test_a_bad_image_is_rolled_back_and_the_incident_resolved(found: Founder) -> None:
    place = found("L4")
    culprit = place.deploy_bad()
    bot = place.bot()

    incident = place.until(bot, State.RESOLVED)

    assert incident.plan is not None
    assert incident.plan.culprit == culprit
    assert place.states == ["merged"]
    assert len(place.merges) == 1
    assert (place.tag, place.running) == (place.good, place.good)
    assert incident.live_at is not None
    assert incident.assessment is not None
    assert incident.assessment.state == "recovered"
    assert place.outcomes(place.pull()) == ["resolved"]
    assert place.reports == []
    assert place.kubernetes.writes == ()


def test_every_transition_stands_in_a_ledger_that_verifies(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()

    incident = place.until(bot, State.RESOLVED)

    ledger = bot.world.store.ledger(incident.id)
    said = [(entry.event, entry.source, entry.target) for entry in ledger]
    assert said == [(each.event, each.source, each.target) for _, each in place.told]
    path = [target for _, source, target in said if target != source]
    assert path == [
        "investigating", "diagnosed", "planned", "proposed", "merging", "syncing", "verifying", "resolved",
    ]  # fmt: skip
    assert bot.world.store.verify() is None


@pytest.mark.parametrize("why", ["the sync never ends", "the branch is not looked at any more"])
def test_a_fix_that_never_goes_live_is_no_success_however_healthy_all_looks(found: Founder, why: str) -> None:
    place = found("L4")
    place.deploy_beside_a_fault()
    if why == "the sync never ends":
        place.knobs.stuck.add(f"{place.environment}-{place.service}")
    else:
        place.knobs.poll = math.inf  # one more look, and then no other
    bot = place.bot()
    place.until(bot, State.SYNCING)
    assert len(place.merges) == 1

    place.signals.heal()
    incident = place.until(bot, State.ESCALATED)

    assert incident.live_at is None
    assert "syncing for more than 20 s" in incident.reason
    assert not place.signals.fails(place.clock.at)
    assert place.outcomes(place.pull()) == ["escalated"]
    assert len(place.reports) == 1


def test_a_later_commit_that_took_the_fix_back_is_not_taken_for_it(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.SYNCING)
    assert place.states == ["merged"]

    # The reconciler sees the fix and the person's commit at once: the fix itself never runs.
    place.put_tag("v9.9.9")
    incident = place.until(bot, State.ESCALATED)

    assert incident.live_at is None
    assert (place.tag, place.running) == ("v9.9.9", "v9.9.9")
    assert place.states == ["merged"]


def test_when_base_moves_before_the_pull_request_the_change_is_made_again_on_the_new_base(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    moved: list[str] = []
    place.when[State.PROPOSED] = lambda: moved.append(
        place.commit({place.file: b"# a note from carol\n" + place.read(place.file)}, "carol")
    )

    incident = place.until(place.bot(), State.RESOLVED)

    assert incident.record is not None
    assert incident.record.base == moved[0]
    assert place.states == ["merged"]
    assert place.read(place.file).startswith(b"# a note from carol\n")
    assert place.tag == place.good


def test_a_commit_elsewhere_does_not_hold_the_fix_up(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    place.when[State.PROPOSED] = lambda: place.commit({"README.md": b"# other\n"}, "carol")

    place.until(place.bot(), State.RESOLVED)

    assert place.states == ["merged"]
    assert place.read("README.md") == b"# other\n"
