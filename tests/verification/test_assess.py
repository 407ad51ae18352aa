"""Did the SLO recover? Three states, and silence is none of the good ones."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Reading, Sli, VerificationPlan
from gitops_sre.verification.assess import TRAFFIC, assess, queries, readings, wilson, worst
from tests.builders import after

ERRORS = Sli("errors", "err", 0.02)
AVAILABILITY = Sli("availability", "avail", 0.99, "below")
PLAN = VerificationPlan(
    (ERRORS,), settle=5, window=10, deadline=60, incident=(Reading("errors", 0.2),), traffic="requests"
)


def answer(name: str, values: list[float], warnings: tuple[str, ...] = ()) -> Answer:
    samples = tuple((float(n), value) for n, value in enumerate(values))
    series = (Series((), samples),) if samples else ()
    return Answer(Query(name, name, after(0), after(10), 1), series, warnings)


def judged(values: list[float], traffic: list[float] | None = None, seconds: float = 10) -> str:
    answers = [answer("errors", values), answer(TRAFFIC, [5.0] * 10 if traffic is None else traffic)]
    return assess(PLAN, answers, after(0), after(seconds)).state


def test_good_readings_over_the_whole_window_are_recovery() -> None:
    assert judged([0.0] * 10) == "recovered"


def test_bad_readings_are_not_recovered() -> None:
    result = assess(PLAN, [answer("errors", [0.2] * 10), answer(TRAFFIC, [5.0])], after(0), after(10))
    assert result.state == "not_recovered"
    assert not result.worse
    assert "20.00%" in result.reason


def test_half_and_half_is_neither() -> None:
    assert judged([0.0, 0.2] * 5) == "inconclusive"


def test_good_on_the_whole_but_bad_at_the_end_is_not_recovery() -> None:
    assert judged([0.0] * 9 + [0.2]) == "inconclusive"


def test_before_the_window_has_passed_nothing_is_claimed() -> None:
    assert judged([0.0] * 4, seconds=4) == "inconclusive"
    assert judged([0.2] * 4, seconds=4) == "inconclusive"


def test_clearly_worse_decides_at_once() -> None:
    answers = [answer("errors", [0.6] * 4), answer(TRAFFIC, [5.0])]
    result = assess(PLAN, answers, after(0), after(4))
    assert (result.state, result.worse) == ("not_recovered", True)


@pytest.mark.parametrize("traffic", [[], [0.0] * 10, [math.nan] * 10])
def test_without_traffic_nothing_is_concluded(traffic: list[float]) -> None:
    assert judged([0.0] * 10, traffic) == "inconclusive"


@pytest.mark.parametrize("values", [[], [math.nan] * 10, [math.inf] * 10])
def test_no_numbers_are_no_recovery(values: list[float]) -> None:
    assert judged(values) == "inconclusive"


def test_a_partial_answer_concludes_nothing() -> None:
    answers = [answer("errors", [0.0] * 10, ("2 of 3 stores answered",)), answer(TRAFFIC, [5.0])]
    assert assess(PLAN, answers, after(0), after(10)).state == "inconclusive"


def test_a_source_that_does_not_answer_concludes_nothing() -> None:
    result = assess(PLAN, [Unavailable("502"), answer(TRAFFIC, [5.0])], after(0), after(10))
    assert (result.state, "502" in result.reason) == ("inconclusive", True)


def test_every_sli_must_be_back() -> None:
    plan = replace(PLAN, slis=(ERRORS, AVAILABILITY))
    good = [answer("errors", [0.0] * 10), answer("availability", [1.0] * 10), answer(TRAFFIC, [5.0])]
    assert assess(plan, good, after(0), after(10)).state == "recovered"
    bad = [good[0], answer("availability", [0.5] * 10), good[2]]
    assert assess(plan, bad, after(0), after(10)).state == "not_recovered"


def test_a_plan_without_slis_is_never_recovered() -> None:
    assert assess(replace(PLAN, slis=()), [answer(TRAFFIC, [5.0])], after(0), after(10)).state == "inconclusive"


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 39))
def test_one_more_bad_reading_never_makes_it_better(bad: list[bool], position: int) -> None:
    order = {"recovered": 2, "inconclusive": 1, "not_recovered": 0}
    worse = [*bad]
    worse[position % len(bad)] = True
    values = [0.2 if each else 0.0 for each in bad]
    worsened = [0.2 if each else 0.0 for each in worse]
    assert order[judged(worsened)] <= order[judged(values)]


@given(st.permutations(range(10)))
def test_the_order_of_series_does_not_matter(order: list[int]) -> None:
    values = [0.0] * 8 + [0.2, 0.0]
    series = tuple(Series((("part", str(n)),), ((float(n), values[n]),)) for n in order)
    mixed = Answer(Query("errors", "errors", after(0), after(10), 1), series)
    result = assess(PLAN, [mixed, answer(TRAFFIC, [5.0])], after(0), after(10))
    assert result.state == judged(values)


def test_wilson_bounds_are_those_of_the_textbook() -> None:
    low, high = wilson(3, 10, 1.96)
    assert (round(low, 3), round(high, 3)) == (0.108, 0.603)
    assert wilson(0, 0) == (0.0, 1.0)


def test_readings_are_means_and_none_without_numbers() -> None:
    assert readings(PLAN, [answer("errors", [0.1, 0.3])]) == (Reading("errors", 0.2),)
    assert readings(PLAN, [answer("errors", [math.nan])]) == (Reading("errors", None),)


def test_each_sli_and_the_traffic_are_asked_once() -> None:
    assert [query.id for query in queries(PLAN, after(0), after(9), 1)] == ["errors", TRAFFIC]


def test_the_incident_is_measured_by_its_worst_reading() -> None:
    plan = replace(PLAN, slis=(ERRORS, AVAILABILITY))
    answers = [answer("errors", [0.0, 0.3, 0.1]), answer("availability", [1.0, 0.7, 0.9])]
    assert worst(plan, answers) == (Reading("errors", 0.3), Reading("availability", 0.7))
    assert worst(plan, [answer("errors", [])])[0] == Reading("errors", None)
