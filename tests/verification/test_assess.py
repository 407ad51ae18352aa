"""Did the SLO recover? Three states, and silence is none of the good ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
LATENCY = Sli("latency", "p99", 0.5, unit="s")
AVAILABILITY = Sli("availability", "avail", 0.99, "below")
PLAN = VerificationPlan(
    (ERRORS,),
    settle=5,
    window=10,
    deadline=60,
    baseline=(Reading("errors", 0.001),),
    incident=(Reading("errors", 0.2),),
    traffic="requests",
)
BUSY = 50.0
ORDER = {"recovered": 2, "inconclusive": 1, "not_recovered": 0}


def answer(name: str, values: Sequence[float], warnings: tuple[str, ...] = (), seconds: float = 10) -> Answer:
    """One reading a second of what was asked over some seconds."""
    samples = tuple((float(n), value) for n, value in enumerate(values))
    series = (Series.of((), samples),) if samples else ()
    return Answer(Query(name, name, after(0), after(seconds), 1), series, warnings)


def judged(values: Sequence[float], traffic: Sequence[float] = (BUSY,) * 10, seconds: float = 10) -> str:
    answers = [answer("errors", values, seconds=seconds), answer(TRAFFIC, traffic, seconds=seconds)]
    return assess(PLAN, answers, after(0), after(seconds)).state


def reason(values: Sequence[float], traffic: Sequence[float] = (BUSY,) * 10, plan: VerificationPlan = PLAN) -> str:
    return assess(plan, [answer("errors", values), answer(TRAFFIC, traffic)], after(0), after(10)).reason


def test_good_readings_over_the_whole_window_are_recovery() -> None:
    assert judged([0.0] * 10) == "recovered"


def test_bad_readings_are_not_recovered() -> None:
    result = assess(PLAN, [answer("errors", [0.2] * 10), answer(TRAFFIC, [BUSY])], after(0), after(10))
    assert result.state == "not_recovered"
    assert not result.worse
    assert "20.00%" in result.reason


def test_half_and_half_is_neither() -> None:
    assert judged([0.0, 0.2] * 5) == "inconclusive"
    assert "50% of 10 readings are bad" in reason([0.0, 0.2] * 5)


def test_good_on_the_whole_but_bad_at_the_end_is_not_recovery() -> None:
    assert judged([0.0] * 9 + [0.2]) == "inconclusive"
    assert "bad again" in reason([0.0] * 9 + [0.2])


@pytest.mark.parametrize("values", [[0.0] * 4, [0.2] * 4])
def test_before_the_window_has_passed_nothing_is_claimed(values: list[float]) -> None:
    result = assess(PLAN, [answer("errors", values, seconds=4), answer(TRAFFIC, [BUSY], seconds=4)], after(0), after(4))
    assert (result.state, result.reason) == ("inconclusive", "4 of 10 seconds watched")


def test_before_the_window_has_passed_a_blind_spot_is_named_already() -> None:
    result = assess(PLAN, [Unavailable("502"), answer(TRAFFIC, [BUSY], seconds=4)], after(0), after(4))
    assert result.reason == "4 of 10 seconds watched; errors: 502"


def test_clearly_worse_decides_at_once() -> None:
    answers = [answer("errors", [0.6] * 4, seconds=4), answer(TRAFFIC, [BUSY], seconds=4)]
    result = assess(PLAN, answers, after(0), after(4))
    assert (result.state, result.worse) == ("not_recovered", True)


def test_two_terrible_readings_are_too_few_to_decide_at_once() -> None:
    assert judged([0.9] * 2, seconds=2) == "inconclusive"


def test_clearly_worse_is_measured_in_what_the_objective_allows() -> None:
    plan = replace(PLAN, slis=(AVAILABILITY,), incident=(Reading("availability", 0.985),))
    little = [answer("availability", [0.982] * 4, seconds=4), answer(TRAFFIC, [BUSY], seconds=4)]
    assert not assess(plan, little, after(0), after(4)).worse
    much = [answer("availability", [0.9] * 4, seconds=4), answer(TRAFFIC, [BUSY], seconds=4)]
    assert assess(plan, much, after(0), after(4)).worse


@pytest.mark.parametrize("traffic", [[], [0.0] * 10, [math.nan] * 10])
def test_without_traffic_nothing_is_concluded(traffic: list[float]) -> None:
    assert judged([0.0] * 10, traffic) == "inconclusive"
    assert judged([0.2] * 10, traffic) == "inconclusive"


def test_without_traffic_no_single_sli_is_shown_as_recovered() -> None:
    result = assess(PLAN, [answer("errors", [0.0] * 10), answer(TRAFFIC, [0.0])], after(0), after(10))
    assert [each.state for each in result.slis] == ["inconclusive"]


@pytest.mark.parametrize("values", [[], [math.nan] * 10, [math.inf] * 10])
def test_no_numbers_are_no_recovery(values: list[float]) -> None:
    assert judged(values) == "inconclusive"
    assert "no reading" in reason(values)


@pytest.mark.parametrize("value", [0.0, 0.2])
def test_where_most_readings_are_missing_the_rest_decides_nothing(value: float) -> None:
    assert judged([value] * 4 + [math.nan] * 6) == "inconclusive"
    assert "only 4 of 11 readings" in reason([value] * 4 + [math.nan] * 6)


def test_a_partial_answer_concludes_nothing() -> None:
    answers = [answer("errors", [0.0] * 10, ("2 of 3 stores answered",)), answer(TRAFFIC, [BUSY])]
    result = assess(PLAN, answers, after(0), after(10))
    assert (result.state, "2 of 3 stores" in result.reason) == ("inconclusive", True)


def test_a_source_that_does_not_answer_concludes_nothing() -> None:
    result = assess(PLAN, [Unavailable("502"), answer(TRAFFIC, [BUSY])], after(0), after(10))
    assert (result.state, "502" in result.reason) == ("inconclusive", True)
    result = assess(PLAN, [answer("errors", [0.0] * 10), Unavailable("502")], after(0), after(10))
    assert (result.state, result.reason) == ("inconclusive", "traffic: 502")


def test_what_was_not_answered_at_all_concludes_nothing() -> None:
    assert assess(PLAN, [answer(TRAFFIC, [BUSY])], after(0), after(10)).state == "inconclusive"
    assert assess(PLAN, [answer("errors", [0.0] * 10)], after(0), after(10)).state == "inconclusive"


def test_every_sli_must_be_back() -> None:
    plan = replace(PLAN, slis=(ERRORS, AVAILABILITY))
    good = [answer("errors", [0.0] * 10), answer("availability", [1.0] * 10), answer(TRAFFIC, [BUSY])]
    assert assess(plan, good, after(0), after(10)).state == "recovered"
    bad = [good[0], answer("availability", [0.5] * 10), good[2]]
    assert assess(plan, bad, after(0), after(10)).state == "not_recovered"


def test_one_blind_sli_holds_success_back_but_not_the_failure_of_another() -> None:
    plan = replace(PLAN, slis=(ERRORS, AVAILABILITY))
    blind = Unavailable("timed out")
    good: list[Answer | Unavailable] = [answer("errors", [0.0] * 10), blind, answer(TRAFFIC, [BUSY])]
    result = assess(plan, good, after(0), after(10))
    assert (result.state, result.reason) == ("inconclusive", "availability: timed out")
    bad: list[Answer | Unavailable] = [answer("errors", [0.2] * 10), blind, answer(TRAFFIC, [BUSY])]
    assert assess(plan, bad, after(0), after(10)).state == "not_recovered"


def test_a_plan_without_slis_is_never_recovered() -> None:
    assert assess(replace(PLAN, slis=()), [answer(TRAFFIC, [BUSY])], after(0), after(10)).state == "inconclusive"


def test_within_the_objective_but_far_from_the_baseline_is_not_back() -> None:
    plan = replace(PLAN, incident=(Reading("errors", 0.03),))
    assert "nearer to the incident" in reason([0.019] * 10, plan=plan)
    assert assess(plan, [answer("errors", [0.005] * 10), answer(TRAFFIC, [BUSY])], after(0), after(10)).state == (
        "recovered"
    )


def test_an_sli_that_was_never_bad_need_not_come_back() -> None:
    plan = replace(PLAN, slis=(LATENCY,), baseline=(Reading("latency", 0.1),), incident=(Reading("latency", 0.12),))
    answers = [answer("latency", [0.13] * 10), answer(TRAFFIC, [BUSY])]
    assert assess(plan, answers, after(0), after(10)).state == "recovered"


def test_a_baseline_that_was_bad_itself_does_not_make_bad_look_good() -> None:
    plan = replace(PLAN, baseline=(Reading("errors", 0.2),))
    assert assess(plan, [answer("errors", [0.2] * 10), answer(TRAFFIC, [BUSY])], after(0), after(10)).state == (
        "not_recovered"
    )


def test_a_handful_of_good_requests_may_be_luck() -> None:
    # 1 request/s for 10 s: even with 20% failing, none of 10 fails one time in ten.
    assert judged([0.0] * 10, [1.0] * 10) == "inconclusive"
    assert "10 requests are too few" in reason([0.0] * 10, [1.0] * 10)
    assert judged([0.0] * 10, [10.0] * 10) == "recovered"


def test_without_a_traffic_query_the_readings_alone_decide() -> None:
    plan = replace(PLAN, traffic="")
    assert assess(plan, [answer("errors", [0.0] * 10)], after(0), after(10)).state == "recovered"


VALUES = st.floats(0, 1) | st.sampled_from([math.nan, math.inf, 0.0, 0.02, 0.2])


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 39))
def test_one_more_bad_reading_never_makes_it_better(bad: list[bool], position: int) -> None:
    worse = [*bad]
    worse[position % len(bad)] = True
    values = [0.2 if each else 0.0 for each in bad]
    worsened = [0.2 if each else 0.0 for each in worse]
    assert ORDER[judged(worsened)] <= ORDER[judged(values)]


@given(st.lists(st.floats(0, 1), min_size=10, max_size=20), st.floats(0, 1))
def test_readings_that_are_all_higher_never_make_it_better(values: list[float], more: float) -> None:
    assert ORDER[judged([value + more for value in values])] <= ORDER[judged(values)]


@given(st.permutations(range(10)))
def test_the_order_of_series_does_not_matter(order: list[int]) -> None:
    values = [0.0] * 8 + [0.2, 0.0]
    series = tuple(Series.of((("part", str(n)),), ((float(n), values[n]),)) for n in order)
    mixed = Answer(Query("errors", "errors", after(0), after(10), 1), series)
    result = assess(PLAN, [mixed, answer(TRAFFIC, [BUSY])], after(0), after(10))
    assert result.state == judged(values)


@given(st.lists(st.sampled_from([math.nan, math.inf, -math.inf]), max_size=20), st.floats(0, 100))
def test_what_is_no_number_is_never_success(values: list[float], seconds: float) -> None:
    assert judged(values, seconds=seconds) == "inconclusive"


@given(st.lists(VALUES, max_size=20), st.lists(VALUES, max_size=20), st.floats(0, 9.9))
def test_success_is_never_claimed_before_the_window_has_passed(
    values: list[float], traffic: list[float], seconds: float
) -> None:
    assert judged(values, traffic, seconds) != "recovered"


@given(st.lists(VALUES, max_size=20), st.sampled_from(["warnings", "unavailable", "absent"]))
def test_an_sli_that_is_not_fully_answered_is_never_success(values: list[float], how: str) -> None:
    plan = replace(PLAN, slis=(ERRORS, AVAILABILITY))
    gone: dict[str, list[Answer | Unavailable]] = {
        "warnings": [answer("availability", [1.0] * 10, ("partial",))],
        "unavailable": [Unavailable("502")],
        "absent": [],
    }
    answers = [answer("errors", values), *gone[how], answer(TRAFFIC, [BUSY])]
    assert assess(plan, answers, after(0), after(10)).state != "recovered"


def test_wilson_bounds_are_those_of_the_textbook() -> None:
    low, high = wilson(3, 10, 1.96)
    assert (round(low, 3), round(high, 3)) == (0.108, 0.603)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_wilson_bounds_hold_the_share(bad: float, total: float) -> None:
    low, high = wilson(min(bad, total), total)
    share = min(bad, total) / total if total else 0.5
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


def test_readings_are_means_and_none_without_numbers() -> None:
    assert readings(PLAN, [answer("errors", [0.1, 0.3])]) == (Reading("errors", 0.2),)
    assert readings(PLAN, [answer("errors", [math.nan])]) == (Reading("errors", None),)
    assert readings(PLAN, [Unavailable("502")]) == (Reading("errors", None),)


def test_each_sli_and_the_traffic_are_asked_once() -> None:
    assert [query.id for query in queries(PLAN, after(0), after(9), 1)] == ["errors", TRAFFIC]


def test_the_incident_is_measured_by_its_worst_reading() -> None:
    plan = replace(PLAN, slis=(ERRORS, AVAILABILITY))
    answers = [answer("errors", [0.0, 0.3, 0.1]), answer("availability", [1.0, 0.7, 0.9])]
    assert worst(plan, answers) == (Reading("errors", 0.3), Reading("availability", 0.7))
    assert worst(plan, [answer("errors", [])])[0] == Reading("errors", None)
