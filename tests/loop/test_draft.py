"""L2: a draft that only people merge; the bot verifies, and proposes the revert."""

from __future__ import annotations

from gitops_sre.model.incident import State
from tests.loop.conftest import Founder


def test_the_bot_never_merges_a_draft_whoever_approves_it(found: Founder) -> None:
    place = found("L2")
    place.deploy_bad()
    bot = place.bot()

    place.until(bot, State.AWAITING_APPROVAL)
    assert place.pull().draft
    place.review("alice")
    for _ in range(4):
        place.turn(bot)

    assert place.states == ["open"]
    assert place.pull().draft


def test_a_draft_that_a_person_merged_is_verified(found: Founder) -> None:
    place = found("L2")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.merge_by("bob", place.pull().number)
    incident = place.until(bot, State.RESOLVED)

    assert incident.assessment is not None
    assert incident.assessment.state == "recovered"
    assert place.outcomes(place.pull()) == ["resolved"]


def test_the_revert_of_a_merged_draft_that_did_not_help_is_proposed_and_left_to_people(found: Founder) -> None:
    place = found("L2")
    place.deploy_beside_a_fault()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)
    place.merge_by("bob", place.pull().number)

    place.until(bot, State.REVERTING)
    for _ in range(4):
        place.turn(bot)
    fix, revert = place.pulls
    assert (place.state(fix.number), place.state(revert.number)) == ("merged", "open")
    assert revert.draft
    assert place.tag == place.good

    place.merge_by("alice", revert.number)
    incident = place.until(bot, State.ESCALATED, State.AWAITING_APPROVAL)

    assert place.tag == "v9.0.0"
    assert incident.refuted
