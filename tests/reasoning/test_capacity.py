"""More room: one bounded step, and only where demand has risen and a resource is used up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.action import ACTIONS
from gitops_sre.model.change_feed import ChangeKind
from gitops_sre.model.diagnosis import Cause, Diagnosis, Hypothesis
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.plan import Declared, NeedsHuman, Plan, Sli, VerificationPlan
from gitops_sre.reasoning.capacity import more
from gitops_sre.reasoning.planner import plan
from gitops_sre.reasoning.remedies import Remedy
from gitops_sre.settings import DecisionSettings
from tests.builders import NOW, target
from tests.reasoning.cases import change, symptom

VERIFICATION = VerificationPlan((Sli("error_ratio", "up", 0.02),), 1, 5, 30)
BUSY = symptom("traffic", "checkout", "high")
DECLARED = Declared(3, "", "checkout", {"cpu": "1", "memory": "360Mi"})
MIB = 2.0**20


def used(signal: str, value: float, unit: str, score: float | None = 9.0, service: str = "checkout") -> Evidence:
    return Evidence(f"{signal}/{service}", signal, service, "high", signal, NOW, value, unit=unit, score=score)


def blamed(cause: Cause) -> Hypothesis:
    return Hypothesis(cause, "checkout", 0.9, 0.1)


def given(cause: Cause, *evidence: Evidence, declared: Declared | None = DECLARED) -> Remedy:
    found = more(blamed(cause), evidence, declared)
    assert isinstance(found, Remedy), found
    assert ACTIONS[found.action].spec.problem(found.parameters) == ""
    return found


def refused(cause: Cause, *evidence: Evidence, declared: Declared | None = DECLARED) -> str:
    found = more(blamed(cause), evidence, declared)
    assert isinstance(found, NeedsHuman), found
    return found.reason


@pytest.mark.parametrize(("now", "then"), [(1, 2), (2, 3), (3, 4), (4, 6), (10, 15)])
def test_a_spike_gets_half_as_many_replicas_more_and_one_at_least(now: int, then: int) -> None:
    found = given("traffic_spike", BUSY, used("cpu", 96, "percent"), declared=replace(DECLARED, replicas=now))
    assert (found.action, found.parameters, found.culprit) == ("scale", {"replicas": str(then)}, "")


@pytest.mark.parametrize(
    ("evidence", "limits", "parameters"),
    [
        (used("memory", 350 * MIB, "bytes"), {"memory": "360Mi"}, {"memory_limit": "540Mi"}),
        (used("memory", 92, "percent"), {"memory": "1Gi"}, {"memory_limit": "1536Mi"}),
        (used("cpu", 0.25, "cores", None), {"cpu": "250m"}, {"cpu_limit": "375m"}),
        (used("cpu", 0.97, "cores"), {"cpu": "1"}, {"cpu_limit": "1500m"}),
    ],
    ids=["bytes", "percent", "live cores", "whole cores"],
)
def test_what_more_requests_have_used_up_gets_half_as_much_more(
    evidence: Evidence, limits: dict[str, str], parameters: dict[str, str]
) -> None:
    found = given("resource_exhaustion", BUSY, evidence, declared=replace(DECLARED, limits=limits))
    assert (found.action, found.parameters) == ("set_resources", {"container": "checkout", **parameters})


CPU = used("cpu", 96, "percent")


@pytest.mark.parametrize(
    ("cause", "evidence", "declared", "says"),
    [
        ("traffic_spike", (CPU,), DECLARED, "nothing shows more requests"),
        ("resource_exhaustion", (CPU,), DECLARED, "nothing shows more requests"),
        ("resource_exhaustion", (CPU, replace(BUSY, score=2.0)), DECLARED, "nothing shows more requests"),
        ("traffic_spike", (BUSY, CPU), None, "could not be read"),
        ("traffic_spike", (BUSY, CPU), Declared(None, "HorizontalPodAutoscaler"), "a HorizontalPodAutoscaler decides"),
        ("traffic_spike", (BUSY, CPU), Declared(None), "how many replicas"),
        ("traffic_spike", (BUSY, CPU), Declared(0), "how many replicas"),
        ("traffic_spike", (BUSY, used("cpu", 60, "percent")), DECLARED, "is used up"),
        ("traffic_spike", (BUSY, used("cpu", 96, "percent", service="cart")), DECLARED, "is used up"),
        ("resource_exhaustion", (BUSY, CPU), replace(DECLARED, limits={}), "a limit that the repository declares"),
        ("resource_exhaustion", (BUSY, CPU), replace(DECLARED, limits={"cpu": "1.5"}), "a limit that the repository"),
        ("resource_exhaustion", (BUSY, used("memory", 99 * MIB, "bytes")), DECLARED, "a limit that the repository"),
        ("resource_exhaustion", (BUSY, CPU, used("memory", 99, "percent")), DECLARED, "cpu and memory have both"),
    ],
)
def test_in_doubt_a_person_is_needed(
    cause: Cause, evidence: tuple[Evidence, ...], declared: Declared | None, says: str
) -> None:
    assert says in refused(cause, *evidence, declared=declared)


def planned(cause: Cause, *others: Hypothesis, declared: Declared | None = DECLARED) -> Plan | NeedsHuman:
    diagnosis = Diagnosis((blamed(cause), *others), (BUSY, CPU))
    return plan(diagnosis, target(), DecisionSettings(), VERIFICATION, declared)


def less(kind: ChangeKind, lead: float = 60, sha: str = "c") -> Hypothesis:
    made = replace(change(lead, kind=kind, sha=sha), lead=lead)
    return Hypothesis("config_change", "checkout", 0.05, 0.1, change=made)


@pytest.mark.parametrize("cause", ["resource_exhaustion", "traffic_spike"])
def test_the_planner_gives_more_room(cause: Cause) -> None:
    found = planned(cause)
    assert isinstance(found, Plan)
    assert (found.culprit, found.confidence) == ("", 0.9)


@pytest.mark.parametrize("kind", ["resources", "scale"])
def test_a_change_of_limits_or_replicas_just_before_is_looked_at_first(kind: ChangeKind) -> None:
    found = planned("resource_exhaustion", less(kind))
    assert isinstance(found, NeedsHuman)
    assert "take it back by hand" in found.reason  # the change of this test has no values


@pytest.mark.parametrize(
    "other", [less("resources", 5000), less("resources", -60), less("config"), replace(less("scale"), refuted=True)]
)
def test_other_changes_do_not_stand_for_what_runs_out(other: Hypothesis) -> None:
    found = planned("resource_exhaustion", other)
    assert isinstance(found, Plan)
    assert found.action == "set_resources"


def test_several_such_changes_need_a_person() -> None:
    found = planned("resource_exhaustion", less("scale"), less("resources", sha="d"))
    assert isinstance(found, NeedsHuman)
    assert "cccccccccccc, dddddddddddd" in found.reason
