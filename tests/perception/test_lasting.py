"""Whether users still feel anything now."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception.lasting import lasting

STEP, ONSET = 30, 100
RNG = np.random.default_rng(3)


def measure(
    bad: range, end: int = 140, service: str = "cart", signal: SignalName = "latency", pod: str = ""
) -> Measure:
    """A level of 0.1, tripled in the samples `bad`."""
    values = [0.1 * (1 + 0.02 * float(RNG.standard_normal())) * (3 if n in bad else 1) for n in range(end)]
    return Measure(signal, service, array("d", (STEP * n for n in range(end))), array("d", values), pod=pod)


def seen(*measures: Measure, asked: int = 140, onset: int = ONSET, focus: str = "") -> dict[str, str]:
    found = lasting(measures, 0.0, STEP * asked - 1.0, float(STEP * onset), focus)
    return {item.subject: item.symptom for item in found}


def test_what_is_still_slow_lasts_and_what_has_come_back_does_not() -> None:
    assert seen(measure(range(ONSET, 140)), measure(range(ONSET, 120), service="web")) == {
        "cart": "high",
        "web": "normal",
    }


def test_either_of_errors_and_latency_is_enough() -> None:
    well = measure(range(0))
    assert seen(well, measure(range(ONSET, 140), signal="errors")) == {"cart": "high"}


def test_the_service_whose_users_complain_is_told_apart() -> None:
    found = seen(measure(range(ONSET, 140)), measure(range(ONSET, 120), service="web"), focus="web")
    assert found == {"cart": "high", "web": "normal", "": "normal"}


def test_one_bad_pod_of_two_is_felt() -> None:
    pods = [measure(range(ONSET, 140) if pod == "b" else range(0), pod=pod) for pod in ("a", "b")]
    assert seen(*pods) == {"cart": "high"}


@pytest.mark.parametrize(("end", "onset"), [(100, ONSET), (140, 0), (140, 3), (140, 140), (0, ONSET)], ids=str)
def test_without_samples_before_and_now_nothing_is_said(end: int, onset: int) -> None:
    assert seen(measure(range(ONSET, 140), end=end), onset=onset) == {}


def test_a_row_with_little_history_beside_one_with_much_says_nothing() -> None:
    few = measure(range(0), signal="errors")
    few = Measure("errors", "cart", few.times[::12], few.values[::12])
    (found,) = lasting([measure(range(ONSET, 140)), few], 0.0, STEP * 140 - 1.0, float(STEP * ONSET))
    assert (found.symptom, found.score is not None and found.score > 0) == ("high", True)


def test_other_signals_are_not_felt() -> None:
    assert seen(measure(range(ONSET, 140), signal="cpu")) == {}


@given(st.integers(101, 139))
def test_nothing_that_comes_after_the_question_counts(asked: int) -> None:
    rows = [measure(range(ONSET, 140))]
    later = Measure("latency", "cart", rows[0].times[:asked], rows[0].values[:asked])
    assert lasting(rows, 0.0, STEP * asked - 1.0, 3000.0) == lasting([later], 0.0, STEP * asked - 1.0, 3000.0)


def test_a_row_with_hardly_any_past_says_nothing() -> None:
    long, short = (
        Measure("latency", "web", array("d", times), array("d", np.ones(len(times))), stat=stat)
        for stat, times in (("p50", np.arange(0.0, 3600.0, 15.0)), ("p99", np.arange(1800.0, 3600.0, 15.0)))
    )
    found = lasting([long, short], 0.0, 3600.0, 2400.0, "web")
    assert found
    assert all(item.score == 0 for item in found)
