"""L4: the bot merges its own proven fix and sees it through."""

from __future__ import annotations

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
    assert (place.tag, place.running) == (place.good, place.good)
    assert incident.live_at is not None
    assert incident.assessment is not None
    assert incident.assessment.state == "recovered"
    assert place.outcomes(place.pull()) == ["resolved"]
    assert len(place.merges) == 1
    assert place.kubernetes.writes == ()
