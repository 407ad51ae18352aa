"""What cannot be seen is neither a diagnosis nor a success."""

from __future__ import annotations

import pytest

from gitops_sre.model.incident import State
from tests.loop.conftest import Founder


def test_without_metrics_nothing_is_done_and_at_its_limit_a_person_is_called(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    place.signals.down = "no route to host"
    bot = place.bot()

    waiting = place.until(bot, State.INVESTIGATING)
    for _ in range(3):
        place.turn(bot)
    assert (place.pulls, place.branches, place.reports) == ([], [], [])
    incident = place.until(bot, State.ESCALATED)

    assert (incident.since - waiting.since).total_seconds() >= 20
    assert "no route to host" in incident.reason
    assert (place.pulls, place.branches) == ([], [])
    assert len(place.reports) == 1


def test_metrics_that_come_back_in_time_lead_to_the_fix(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    place.signals.down = "no route to host"
    bot = place.bot()
    place.until(bot, State.INVESTIGATING)

    place.signals.down = ""
    place.until(bot, State.RESOLVED)

    assert place.states == ["merged"]


@pytest.mark.parametrize("how", ["no samples", "no answer"])
def test_silence_after_the_merge_is_never_taken_for_recovery(found: Founder, how: str) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()
    verifying = place.until(bot, State.VERIFYING)

    if how == "no samples":
        assert verifying.live_at is not None
        place.signals.silent_since = verifying.live_at.timestamp()
    else:
        place.signals.down = "connection refused"
    incident = place.until(bot, State.ESCALATED)

    assert "no verdict within 20 s" in incident.reason
    assert "Recovered" not in {said.event for _, said in place.told}
    assert place.states == ["merged"]
    assert place.outcomes(place.pull()) == ["escalated"]


def test_an_approval_merges_nothing_while_telemetry_cannot_confirm_the_fault(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.signals.down = "connection refused"
    place.review("alice")
    for _ in range(3):
        place.turn(bot)
    assert place.states == ["open"]
    place.signals.down = ""
    place.until(bot, State.RESOLVED)

    assert place.states == ["merged"]


def test_a_cluster_that_does_not_answer_after_the_merge_is_waited_for(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.SYNCING)

    with place.no_cluster():
        for _ in range(4):
            place.turn(bot)
    incident = place.until(bot, State.RESOLVED)

    assert incident.live_at is not None
    assert place.states == ["merged"]


def test_a_cluster_that_never_answers_leaves_no_alert_without_a_person(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()

    with place.no_cluster():
        incident = place.until(bot, State.ESCALATED)

    assert "cluster" in incident.reason
    assert (place.pulls, place.branches) == ([], [])
    assert len(place.reports) == 1


def test_a_source_of_alerts_that_does_not_answer_resolves_nothing(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.pager.down = "connection refused"
    incident = place.turn(bot)

    assert incident is not None
    assert {alert.status for alert in incident.alerts} == {"firing"}
