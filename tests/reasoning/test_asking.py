"""Which question would tell most."""

from __future__ import annotations

import math

import pytest

from gitops_sre.model.diagnosis import Diagnosis, Hypothesis
from gitops_sre.model.evidence import Evidence
from gitops_sre.reasoning.asking import CHANCE, next_questions
from gitops_sre.reasoning.weights import Weights, load_weights
from tests.builders import NOW

WEIGHTS = load_weights()


def weights(**of_cpu: float) -> Weights:
    bias = dict.fromkeys(WEIGHTS.bias, 0.0)
    return Weights(
        60, {"cpu": "linear"}, {"cpu": {"resource_exhaustion": of_cpu["weight"]}}, bias, {"cpu": "CPU of {service}"}, {}
    )


def believed(*hypotheses: tuple[str, str, float], evidence: tuple[Evidence, ...] = ()) -> Diagnosis:
    found = [Hypothesis(cause, service, posterior, posterior) for cause, service, posterior in hypotheses]  # type: ignore[arg-type]  # causes by name
    return Diagnosis(tuple(found), evidence)


def seen(signal: str, service: str) -> Evidence:
    return Evidence(f"{signal}/{service}", signal, service, "high", "", NOW, score=1.0)


def test_between_two_causes_the_signal_that_tells_them_apart_is_asked_for() -> None:
    torn = believed(("resource_exhaustion", "cart", 0.5), ("code_defect", "cart", 0.5))
    first = next_questions(torn, WEIGHTS)[0]
    assert (first.service, first.signal in ("cpu", "saturation", "pattern", "trace_gap")) == ("cart", True)
    assert "cart" in first.text


def test_what_is_known_is_not_asked_again() -> None:
    torn = believed(("resource_exhaustion", "cart", 0.5), ("code_defect", "cart", 0.5))
    first = next_questions(torn, WEIGHTS)[0]
    known = Diagnosis(torn.hypotheses, (seen(first.signal, "cart"),))
    assert all(each.signal != first.signal for each in next_questions(known, WEIGHTS))


def test_nothing_is_left_to_ask_when_there_is_no_doubt() -> None:
    assert next_questions(believed(("resource_exhaustion", "cart", 1.0)), WEIGHTS) == ()
    assert next_questions(believed(("no_fault", "cart", 1.0)), WEIGHTS) == ()


def test_a_signal_that_says_nothing_of_the_causes_is_worth_no_question() -> None:
    assert next_questions(believed(("network", "cart", 0.5), ("no_fault", "", 0.5)), weights(weight=2.0)) == ()


def test_the_bits_are_the_mutual_information_of_answer_and_cause() -> None:
    torn = believed(("resource_exhaustion", "cart", 0.5), ("no_fault", "", 0.5))
    (only,) = next_questions(torn, weights(weight=3.0))
    clear = CHANCE * math.exp(3) / (CHANCE * math.exp(3) + 1 - CHANCE)
    joint = {(h, a): 0.5 * (p if a else 1 - p) for h, p in ((0, clear), (1, CHANCE)) for a in (True, False)}
    answers = {a: joint[0, a] + joint[1, a] for a in (True, False)}
    told = sum(p * math.log2(p / (0.5 * answers[a])) for (_, a), p in joint.items())
    assert only.bits == pytest.approx(told)


def test_a_certain_diagnosis_names_no_questions_and_a_doubtful_one_does() -> None:
    torn = believed(("resource_exhaustion", "cart", 0.4), ("code_defect", "cart", 0.3), ("network", "db", 0.3))
    assert 0 < len(next_questions(torn, WEIGHTS)) <= 3
    assert len({each.signal for each in next_questions(torn, WEIGHTS)}) == len(next_questions(torn, WEIGHTS))
