"""What a verified fix has shown counts when the next incident is diagnosed."""

from __future__ import annotations

from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.incident import State
from tests.loop.conftest import Founder


def before_evidence(diagnosis: Diagnosis | None, cause: str) -> float:
    assert diagnosis is not None
    return sum(each.prior for each in diagnosis.hypotheses if each.cause == cause)


def test_a_verified_fix_makes_its_cause_more_probable_next_time(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()
    first = place.until(bot, State.RESOLVED)

    place.tick(700)
    place.deploy_bad()
    second = place.until(bot, State.PROPOSED, State.RESOLVED)

    assert second.id != first.id
    assert second.diagnosis is not None
    assert second.diagnosis.find(f"precedents/{place.service}") is not None
    assert before_evidence(second.diagnosis, "new_deploy") > before_evidence(first.diagnosis, "new_deploy")
    assert before_evidence(second.diagnosis, "no_fault") == before_evidence(first.diagnosis, "no_fault")
