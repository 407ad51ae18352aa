"""Conditions: typed when compiled, closed when evaluated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gitops_sre.model.outcome import Inconclusive
from gitops_sre.policy.cel import MAX_LENGTH, ConditionError, Facts, compiled, prepared
from tests.builders import NOW

FACTS = Facts(
    action="rollback_image",
    service="checkout",
    environment="staging",
    tier="standard",
    kube_namespace="shop",
    confidence=0.9,
    fleet_share=0.25,
    objects=1,
    replicas=2,
    files=1,
    lines=1,
    hour_utc=9,
    weekday=0,
    reversible=True,
    labels={"team": "shop"},
    owner="shop",
    now=NOW,
    evidence_kinds=2,
    cause="new_deploy",
    cluster="eu-1",
    service_share=0.5,
    cpu_step=1.0,
    memory_step=2.0,
    replicas_step=1.5,
    alert_age=60.0,
)


def holds(text: str, facts: Facts) -> bool | Inconclusive:
    """What a condition says of facts."""
    condition = compiled(text)
    return condition.holds(prepared(facts, condition.names))


@pytest.mark.parametrize("name", Facts.__annotations__)
def test_every_fact_is_a_variable_of_its_type(name: str) -> None:
    assert holds(f"{name} == {name}", FACTS) is True


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("objects >", 1, 10, "mismatched input"),
        ("", 1, 1, "mismatched input"),
        ("objects == '2'", 1, 9, "found no matching overload for '_==_' applied to '(int, string)'"),
        ("confidence > 1", 1, 12, "(double, int)"),
        ("true &&\n  nope", 2, 3, "undeclared reference to 'nope'"),
        ('environment == "ä" && x', 1, 23, "undeclared reference to 'x'"),
        ("namespace == 'shop'", 1, 1, "reserved identifier: namespace"),
        ("objects + 1", 1, 1, "yields INT, but a condition must yield BOOL"),
        ("dyn(true)", 1, 1, "yields DYN"),
        ("(" * 200 + "true" + ")" * 200, 0, 0, "recursion limit"),
        ("true || " * MAX_LENGTH, 0, 0, "longer than 4096 characters"),
    ],
)
def test_what_does_not_compile_names_its_place(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compiled(text)
    assert said in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "INVALID_ARGUMENT" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("labels['owner'] == 'x'", 'Key not found in map : "owner"'),
        ("1 / (objects - 1) == 0", "divide by zero"),
        ("service.matches('(')", "invalid regular expression"),
        ("objects + 9223372036854775807 > 0", "overflow"),
    ],
)
def test_a_failed_evaluation_is_inconclusive_and_never_true_or_false(text: str, said: str) -> None:
    answer = holds(text, FACTS)
    assert isinstance(answer, Inconclusive)
    assert said in answer.reason


def test_a_value_that_does_not_fit_is_inconclusive() -> None:
    assert isinstance(holds("objects > 1", FACTS._replace(objects=2**64)), Inconclusive)


def test_short_circuits_spare_a_missing_label() -> None:
    assert holds("'owner' in labels && labels.owner == 'x'", FACTS) is False


def test_threads_share_a_compiled_condition() -> None:
    condition = compiled("objects == 1 && labels.team == 'shop'")
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda i: condition.holds(prepared(FACTS._replace(objects=i % 2), condition.names)), range(2000))
        )
    assert answers == [bool(i % 2) for i in range(2000)]
