"""Replicas, or the bounds of the autoscaler that owns them."""

from __future__ import annotations

import pytest

from gitops_sre.model.outcome import Refused
from tests.action.located import Answers, changes, draft, edits, reason, unset, value

PLAIN: Answers = {("Deployment", "spec.replicas"): (value("2"),)}


def hpa(low: str, high: str) -> Answers:
    least = (value(low, "minReplicas") if low else unset("minReplicas"),)
    scaler = "HorizontalPodAutoscaler"
    return {(scaler, "spec.minReplicas"): least, (scaler, "spec.maxReplicas"): (value(high, "maxReplicas"),)}


def keda(low: str, high: str) -> Answers:
    bounds = {"spec.minReplicaCount": low, "spec.maxReplicaCount": high}
    return {("ScaledObject", path): (value(text) if text else unset(),) for path, text in bounds.items()}


@pytest.mark.parametrize(
    ("answers", "parameters", "expected"),
    [
        (PLAIN, {"replicas": "5"}, [("2", "5")]),
        ({("Deployment", "spec.replicas"): (unset(),)}, {"replicas": "1"}, [(None, "1")]),
        (PLAIN | hpa("2", "5"), {"replicas": "3"}, [("2", "3")]),
        (PLAIN | hpa("2", "5"), {"replicas": "9"}, [("2", "9"), ("5", "9")]),
        (PLAIN | hpa("", "5"), {"replicas": "2"}, [(None, "2")]),
        (hpa("2", "5"), {"max": "20"}, [("5", "20")]),
        (hpa("2", "5"), {"min": "1", "max": "4"}, [("2", "1"), ("5", "4")]),
        (keda("", ""), {"max": "120"}, [(None, "120")]),
        (keda("3", "8"), {"min": "0"}, [("3", "0")]),
    ],
)
def test_the_owner_gets_the_numbers(
    answers: Answers, parameters: dict[str, str], expected: list[tuple[str | None, str]]
) -> None:
    assert changes(draft("scale", answers, **parameters)) == expected


@pytest.mark.parametrize(
    ("answers", "parameters", "why"),
    [
        (PLAIN, {}, "give replicas, or min and max"),
        (PLAIN, {"replicas": "3", "max": "4"}, "not both"),
        (PLAIN, {"replicas": "0"}, "less than 1 replicas"),
        (PLAIN, {"replicas": "1001"}, "more than 1000 replicas"),
        (PLAIN, {"replicas": "-1"}, "is not a number of replicas"),
        (PLAIN, {"replicas": "2"}, "already says 2 replicas"),
        (PLAIN, {"max": "4"}, "no autoscaler of Deployment production/web"),
        (PLAIN, {"size": "4"}, "takes no size"),
        ({}, {"replicas": "4"}, "no place in apps/web makes Deployment production/web"),
        (hpa("2", "5"), {"min": "6"}, "at least 6 and at most 5"),
        (hpa("2", "5"), {"min": "0"}, "can stop the workload"),
        (hpa("2", "5"), {"min": "2"}, "already keeps 2 to 5 replicas"),
        (hpa("${MIN}", "5"), {"replicas": "4"}, "is no number"),
        (hpa("2", "5") | keda("1", "3"), {"replicas": "4"}, "remove one of them first"),
        (PLAIN | {("ScaledObject", "spec.maxReplicaCount"): Refused("2 places")}, {"replicas": "4"}, "2 places"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(answers: Answers, parameters: dict[str, str], why: str) -> None:
    assert why in reason(draft("scale", answers, **parameters))


def test_what_has_no_replicas_is_not_scaled() -> None:
    assert "DaemonSet has no replicas" in reason(draft("scale", PLAIN, kind="DaemonSet", replicas="3"))


def test_it_says_that_an_autoscaler_owns_the_number() -> None:
    (edit,) = edits(draft("scale", PLAIN | hpa("2", "5"), replicas="3"))
    assert "a HorizontalPodAutoscaler owns the replicas of Deployment production/web" in edit.reason
