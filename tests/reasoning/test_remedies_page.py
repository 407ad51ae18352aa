"""docs/remedies.md says what planner, remedies and capacity do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from gitops_sre.action import ACTIONS
from gitops_sre.model.change_feed import ChangeKind, FieldChange
from gitops_sre.model.diagnosis import Cause, Diagnosis, Hypothesis
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.plan import Declared, Plan, Sli, VerificationPlan
from gitops_sre.reasoning.planner import COMPARABLE, WORSE_RATIO, WORSE_SIGMAS, plan
from gitops_sre.reasoning.remedies import PERSON
from gitops_sre.settings import DecisionSettings
from tests.builders import NOW, target
from tests.reasoning.cases import change, symptom

PAGE = (Path(__file__).parents[2] / "docs" / "remedies.md").read_text()
VERIFICATION = VerificationPlan((Sli("error_ratio", "up", 0.02),), 1, 5, 30)


def moved(path: tuple[str | int, ...], before: str | None, after: str | None, kind: ChangeKind) -> FieldChange:
    return FieldChange("f.yaml", 0, path, before, after, kind)


IMAGE = moved(("images", 0), "shop/checkout:v1", "shop/checkout:v2", "image")
SETTING = moved(("data", "POOL"), "40", "2", "config")
LIMIT = moved(("resources", "limits", "memory"), "1Gi", "64Mi", "resources")
CHANGES: dict[tuple[str, str], tuple[FieldChange, ...]] = {
    ("new_deploy", "one image"): (IMAGE,),
    ("new_deploy", "an image together with settings, limits or replicas"): (IMAGE, SETTING),
    ("new_deploy", "several images, or an image whose version before is not known or moves"): (
        moved(("images", 0), "shop/checkout:latest", "shop/checkout:v2", "image"),
    ),
    ("flag_flip", "one flag with on and off, or the state or variant of one that is defined"): (
        moved(("data", "FEATURE_A"), "off", "on", "flag"),
    ),
    ("config_change", "one setting"): (SETTING,),
    ("config_change", "limits, requests, replicas, several values, new or removed ones, a whole text"): (LIMIT,),
    ("resource_exhaustion", "limits, requests or replicas, within the hour before"): (LIMIT,),
    ("config_change", "what cannot be compared value by value"): (),
}


def rows(heading: str) -> list[tuple[str, str, str]]:
    """Cause, condition and action of the table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"
    ]
    return [(cause.strip("`"), condition, action) for cause, condition, action in cells]


def answer(*hypotheses: Hypothesis, evidence: tuple[Evidence, ...] = ()) -> str:
    """The action, or `a person`."""
    declared = Declared(4, "", "checkout", {"cpu": "1"})
    found = plan(Diagnosis(hypotheses, evidence), target(), DecisionSettings(), VERIFICATION, declared)
    return found.action if isinstance(found, Plan) else "a person"


def named(cell: str) -> str:
    link = re.match(r"\[(\w+)\]\(actions/(\w+)\.md\)", cell)
    assert link is None or (link[1] == link[2] and link[1] in ACTIONS)
    return link[1] if link else cell.partition(":")[0]


@pytest.mark.parametrize(("cause", "what", "action"), rows("With a change that is known"))
def test_a_known_change_leads_to_what_the_page_says(cause: Cause, what: str, action: str) -> None:
    fields = CHANGES[cause, what]
    kind: ChangeKind = fields[0].kind if fields else "other"
    made = replace(change(60, kind=kind), fields=fields, lead=60)
    hypotheses = [Hypothesis(cause, "checkout", 0.9, 0.1, change=made)]
    if cause == "resource_exhaustion":
        hypotheses = [Hypothesis(cause, "checkout", 0.9, 0.1), replace(hypotheses[0], posterior=0.05)]
    assert answer(*hypotheses) == named(action)


def test_every_known_kind_of_change_is_on_the_page() -> None:
    assert {(cause, what) for cause, what, _ in rows("With a change that is known")} == CHANGES.keys()


@pytest.mark.parametrize(("cause", "condition", "action"), rows("Without one"))
def test_without_a_change_the_page_names_action_or_person(cause: Cause, condition: str, action: str) -> None:
    cpu = Evidence("cpu/checkout", "cpu", "checkout", "high", "cpu", NOW, 97.0, unit="percent", score=9.0)
    evidence = (symptom("traffic", "checkout", "high"), cpu) if condition else ()
    assert answer(Hypothesis(cause, "checkout", 0.9, 0.1), evidence=evidence) == named(action)
    assert condition or action == f"a person: {PERSON[cause]}"


def test_every_cause_and_no_other_is_on_the_page() -> None:
    assert {cause for cause, _, _ in rows("Without one")} == set(get_args(Cause))


def test_actions_that_nothing_leads_to_are_named() -> None:
    reached = {named(row[2]) for heading in ("With a change that is known", "Without one") for row in rows(heading)}
    assert {name for name in ACTIONS if f"`{name}`" in PAGE.split("autoscaler")[1]} == ACTIONS.keys() - reached


def test_numbers_of_the_guards_are_those_of_the_planner() -> None:
    assert (COMPARABLE, WORSE_SIGMAS, WORSE_RATIO) == (0.25, 3.0, 1.25)
    assert "a quarter of the leading one's" in PAGE
    assert "3 standard deviations of the version before, and a quarter more" in PAGE
