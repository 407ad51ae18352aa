"""What is written down after an incident: every sentence has an entry behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from gitops_sre.learning.postmortem import LATE, postmortem
from gitops_sre.learning.stories import stories
from gitops_sre.model.evidence import Gap
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Reading
from gitops_sre.model.postmortem import Postmortem
from gitops_sre.model.story import Story
from tests import builders as b
from tests.learning.test_kpi import (
    ESCALATED,
    FALSE,
    PLAN,
    RECOVERED,
    Line,
    diagnosed,
    entries,
    labelled,
    merged,
)
from tests.reasoning.consulted import diagnosis


def story(*lines: Line) -> Story:
    (found,) = stories(entries("inc-1", lines))
    return found


def of(*lines: Line) -> Postmortem:
    return postmortem(story(*lines))


def test_a_fix_that_helped() -> None:
    got = of(*diagnosed(), *merged(), *RECOVERED)
    assert got.seconds == 200
    assert "The trouble was known 40 s after it began." in got.worked
    assert "A diagnosis was there 60 s later." in got.worked
    assert "rollback_image of cart was merged by itself, and the SLO recovered." in got.worked
    assert got.failed == ()
    assert any("Find out why nothing stopped abcdef012345" in each for each in got.actions)
    assert any("gitops-sre label inc-1" in each for each in got.actions)


def test_a_fix_that_did_not() -> None:
    got = of(*diagnosed(), *merged(), *FALSE, *ESCALATED, labelled("network"))
    assert "What did not help was taken back by its exact inverse." in got.worked
    assert "1 of 1 merged fixes did not help, or people took them back." in got.failed
    assert "The diagnosis was wrong: new_deploy of cart; it was network." in got.failed
    assert any(each.startswith("A person had to be called") for each in got.failed)
    assert not any("gitops-sre label" in each for each in got.actions)
    assert any("what would have told the causes apart" in each for each in got.actions)


def test_an_alert_that_came_late_is_to_be_mended() -> None:
    got = of(*diagnosed(onset=-LATE), *ESCALATED)
    assert "The alert came 5 min after the trouble began." in got.failed
    assert any("fire earlier" in each for each in got.actions)
    assert not any("was known" in each for each in got.worked)


def test_waiting_for_a_person_is_said() -> None:
    waiting: list[Line] = [
        (62, "Allowed", "proposed", {"level": "L3"}),
        (64, "Opened", "awaiting_approval", {}),
        (3600, "Approved", "merging", {}),
        (3601, "Merged", "syncing", {}),
        (3700, "Recovered", "resolved", {}),
    ]
    got = of(*diagnosed(), PLAN, *waiting)
    assert "59 min went by until a person had decided." in got.failed
    assert any("has earned more" in each for each in got.actions)
    assert "rollback_image of cart was merged after a person agreed, and the SLO recovered." in got.worked


def test_alerts_that_repeat_are_told_once() -> None:
    again: Line = (5, "Alerts", "investigating", {})
    got = of(*diagnosed(), again, again, *ESCALATED)
    assert [step.event for step in got.timeline].count("Alerts") == 1


@pytest.mark.parametrize(
    ("unit", "worse", "value", "spent"),
    [
        ("ratio", "above", 0.5, 0.5 * 200 / (0.02 * 86_400)),
        ("ratio", "above", None, None),
        ("s", "above", 0.5, None),
        ("ratio", "below", 0.5, None),
    ],
)
def test_the_error_budget_that_it_cost(
    unit: str, worse: Literal["above", "below"], value: float | None, spent: float | None
) -> None:
    planned = b.plan()
    sli = replace(planned.verification.slis[0], unit=unit, worse_when=worse, threshold=0.02)
    checked = replace(planned.verification, slis=(sli,), incident=(Reading(sli.name, value),), baseline=())
    kept = b.incident(plan=replace(planned, verification=checked))
    (impact,) = postmortem(story(*diagnosed(), *merged(), *RECOVERED), kept, 86_400).impact
    assert impact.spent == (None if spent is None else pytest.approx(spent))


def test_what_could_not_be_seen_is_to_be_made_visible() -> None:
    gap = Gap("logs", "logs", "cart", Unavailable("no route to host"))
    kept = b.incident(diagnosis=replace(diagnosis(), gaps=(gap, gap)))
    got = postmortem(story(*diagnosed(), *ESCALATED), kept)
    assert "logs of cart could not be seen: no route to host" in got.failed
    assert [each for each in got.actions if "Make logs available" in each] == [
        "Make logs available to the bot (gitops-sre doctor)."
    ]
