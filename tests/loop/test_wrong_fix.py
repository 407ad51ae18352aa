"""A fix that did not help is taken back, exactly once, and then a person is called."""

from __future__ import annotations

import math

from gitops_sre.model.incident import State
from tests.loop.conftest import Founder


def test_a_fix_that_does_not_help_is_reverted_once_and_escalated_after_a_second_diagnosis(found: Founder) -> None:
    place = found("L4")
    place.deploy_beside_a_fault()
    before = place.read(place.file)
    bot = place.bot()

    incident = place.until(bot, State.ESCALATED)

    fix, revert = place.pulls
    assert place.states == ["merged", "merged"]
    assert "revert" in revert.head
    assert place.read(place.file) == before
    assert incident.attempt == 2
    assert incident.refuted
    assert [entry.event for entry in bot.world.store.ledger(incident.id)].count("Diagnosed") == 2
    assert [place.outcomes(pull) for pull in (fix, revert)] == [["escalated"], ["escalated"]]
    assert len(place.reports) == 1
    assert incident.report_url


def test_when_somebody_has_changed_the_line_the_revert_is_not_forced(found: Founder) -> None:
    place = found("L4")
    place.deploy_beside_a_fault()
    bot = place.bot()
    place.until(bot, State.VERIFYING)

    # The cluster does not see this commit before the verdict is reached.
    place.knobs.poll = math.inf
    place.turn(bot)
    place.put_tag("v9.1.0", "carol")
    incident = place.until(bot, State.ESCALATED)

    assert "revert does not apply" in incident.reason
    assert place.tag == "v9.1.0"
    assert place.states == ["merged"]
    assert len(place.reports) == 1


def test_a_freeze_that_began_after_the_merge_does_not_hold_the_revert_back(found: Founder) -> None:
    place = found("L4")
    place.deploy_beside_a_fault()
    bot = place.bot()
    place.until(bot, State.VERIFYING)

    ladder = ".gitops-sre/policies/ladder.yaml"
    place.commit({ladder: place.read(ladder).replace(b"L4", b"L1")}, "alice")
    place.until(bot, State.ESCALATED)

    assert place.states == ["merged", "merged"]
    assert place.tag == "v9.0.0"
