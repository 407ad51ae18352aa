"""Quantities as Kubernetes reads them, and requests that stay below their limits."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.quantity import amount
from tests.action.located import Answers, changes, draft, reason, unset, value

CONTAINER = "spec.template.spec.containers.[name=web].resources"
MEMORY: Answers = {
    ("Deployment", f"{CONTAINER}.requests.memory"): (value("128Mi"),),
    ("Deployment", f"{CONTAINER}.limits.memory"): (value("256Mi"),),
}
NO_LIMIT: Answers = MEMORY | {("Deployment", f"{CONTAINER}.limits.memory"): (unset(),)}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"), ("2", "2"), ("0.5", "0.5"), (".5", "0.5"), ("100m", "0.1"), ("250u", "0.00025"), ("1n", "1e-9"),
        ("1k", "1000"), ("1Ki", "1024"), ("1.5Gi", "1610612736"), ("2M", "2000000"), ("1e3", "1000"), ("2E3", "2000"),
        ("1E", "1000000000000000000"), ("1Ei", "1152921504606846976"), ("1T", "1000000000000"),
    ],
)  # fmt: skip
def test_a_quantity_is_a_number(text: str, number: str) -> None:
    assert amount(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "-1", "1 Gi", "1GB", "Gi", "1.2.3", "1mi", "0x10", "1e", "1_000", "1Gi\n", "١"])
def test_what_is_no_quantity_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        amount(text)


@given(st.integers(1, 10**6), st.sampled_from(["", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_a_thousandth_is_a_thousandth(number: int, suffix: str) -> None:
    assert amount(f"{number * 1000}{suffix}") == 1000 * amount(f"{number}{suffix}")


@pytest.mark.parametrize(
    ("answers", "parameters", "expected"),
    [
        (MEMORY, {"memory_limit": "512Mi"}, [("256Mi", "512Mi")]),
        (MEMORY, {"memory_request": "256Mi"}, [("128Mi", "256Mi")]),
        (MEMORY, {"memory_request": "1Gi", "memory_limit": "1Gi"}, [("128Mi", "1Gi"), ("256Mi", "1Gi")]),
        (NO_LIMIT, {"memory_request": "1Gi"}, [("128Mi", "1Gi")]),
        (NO_LIMIT, {"memory_limit": "128Mi"}, [(None, "128Mi")]),
    ],
)
def test_the_owner_gets_the_quantity(
    answers: Answers, parameters: dict[str, str], expected: list[tuple[str | None, str]]
) -> None:
    assert changes(draft("set_resources", answers, container="web", **parameters)) == expected


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({}, "give at least one of cpu_request, cpu_limit, memory_request, memory_limit"),
        ({"memory_limit": "512"}, "is not within 1Mi to 8Ti bytes"),
        ({"memory_limit": "512m"}, "is not within 1Mi to 8Ti bytes"),
        ({"cpu_limit": "1Gi"}, "is not within 1m to 512 cores"),
        ({"cpu_limit": "two"}, "is not a Kubernetes quantity of cores"),
        ({"memory_limit": "64Mi"}, "request of 128Mi is above the limit of 64Mi"),
        ({"memory_request": "300M"}, "request of 300M is above the limit of 256Mi"),
        ({"memory_limit": "256Mi"}, "already has these resources"),
        ({"cpu_limit": "1"}, "no place in apps/web makes Deployment production/web with container web"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(parameters: dict[str, str], why: str) -> None:
    assert why in reason(draft("set_resources", MEMORY, container="web", **parameters))


@pytest.mark.parametrize(("mode", "refused"), [("Auto", True), ("Initial", True), ("", True), ("Off", False)])
def test_a_vertical_autoscaler_that_writes_is_respected(mode: str, refused: bool) -> None:
    said = value(mode) if mode else unset()
    answers = MEMORY | {("VerticalPodAutoscaler", "spec.updatePolicy.updateMode"): (said,)}
    answer = draft("set_resources", answers, container="web", memory_limit="512Mi")
    assert ("minAllowed" in reason(answer)) if refused else changes(answer) == [("256Mi", "512Mi")]


def test_a_cronjob_has_its_pod_one_level_deeper() -> None:
    path = "spec.jobTemplate.spec.template.spec.containers.[name=web].resources"
    answers: Answers = {
        ("CronJob", f"{path}.requests.memory"): (unset(),),
        ("CronJob", f"{path}.limits.memory"): (value("1Gi"),),
    }
    answer = draft("set_resources", answers, kind="CronJob", container="web", memory_limit="2Gi")
    assert changes(answer) == [("1Gi", "2Gi")]
