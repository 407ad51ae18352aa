"""L1 and below: an issue and nothing else."""

from __future__ import annotations

import pytest

from gitops_sre.model.incident import State
from tests.loop.conftest import Founder
from tests.loop.place import RULES_FILE, Level


@pytest.mark.parametrize("level", ["L1", None])
def test_where_policy_opens_nothing_an_issue_is_filed_and_nothing_else(found: Founder, level: Level | None) -> None:
    place = found(level)
    place.deploy_bad()
    bot = place.bot()

    incident = place.until(bot, State.REPORTED)
    place.turn(bot)

    assert (place.pulls, place.branches) == ([], [])
    assert place.good in place.report()  # what it would have done
    assert incident.proof is not None
    assert place.tag == "v9.0.0"


def test_a_policy_that_does_not_compile_allows_nothing_and_the_escalation_names_the_place(found: Founder) -> None:
    place = found("L4")
    place.commit(
        {RULES_FILE: place.read(RULES_FILE) + b"    - name: broken\n      when: hour_utc <\n      ceiling: L3\n"}
    )
    place.deploy_bad()

    incident = place.until(place.bot(), State.ESCALATED)

    assert f"{RULES_FILE}:10:23" in incident.reason
    assert f"{RULES_FILE}:10:23" in place.report()
    assert (place.pulls, place.branches) == ([], [])


def test_an_alert_about_no_known_workload_is_reported(found: Founder) -> None:
    place = found("L4")
    place.pager.stuck = True
    place.pager.labels = {"service": "billing"}

    incident = place.until(place.bot(), State.REPORTED)

    assert "service billing in staging is no workload" in incident.reason
    assert "billing" in place.report()
    assert (place.pulls, place.branches) == ([], [])
