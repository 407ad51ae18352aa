"""From alerts to incidents: flaps, false alarms and storms."""

from __future__ import annotations

from gitops_sre.model.incident import State
from tests.loop.conftest import Founder


def test_an_alert_that_resolved_before_anybody_looked_is_dismissed(found: Founder) -> None:
    place = found("L4")
    place.deploy_beside_a_fault()
    bot = place.bot()
    (received,) = bot.sweep()
    assert received.state is State.RECEIVED

    place.tick()
    place.signals.heal()
    incident = place.until(bot, State.DISMISSED)

    assert "resolved" in incident.reason
    assert (place.pulls, place.branches, place.reports) == ([], [], [])


def test_an_alert_without_a_fault_is_dismissed(found: Founder) -> None:
    place = found("L4")
    place.pager.stuck = True

    incident = place.until(place.bot(), State.DISMISSED)

    assert incident.diagnosis is not None
    assert incident.diagnosis.top.cause == "no_fault"
    assert (place.pulls, place.branches, place.reports) == ([], [], [])


def test_a_storm_of_one_services_alerts_is_one_incident_and_one_pull_request(found: Founder) -> None:
    place = found("L4")
    place.pager.storm = 200
    place.deploy_bad()
    bot = place.bot()

    incident = place.until(bot, State.RESOLVED)

    assert [each.id for each in bot.world.store.recent()] == [incident.id]
    assert place.states == ["merged"]


def test_a_storm_that_grows_while_the_fix_is_under_way_opens_no_second_one(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.pager.storm = 50
    place.turn(bot)
    place.turn(bot)

    assert len(bot.world.store.recent()) == 1
    assert place.states == ["open"]
