from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.perception.baseline import Sensitivity, Usual, now, run_length, shift, usual
from gitops_sre.perception.promql import duration, quoted, where

LOOSE = Sensitivity(floor=0.01, ratio=2.0)


def series(*values: float) -> list[tuple[float, float]]:
    return [(float(at), value) for at, value in enumerate(values)]


def test_too_few_samples_are_no_baseline() -> None:
    assert usual(series(1, 1, 1, 1), 0, 10) is None
    assert usual(series(1, 1, 1, 1, 1), 0, 10) == Usual(1, 0)


def test_an_earlier_incident_in_the_baseline_moves_it_little() -> None:
    quiet = usual(series(*[0.001] * 60, *[0.3] * 40), 0, 200)
    assert quiet is not None
    assert quiet.direction(0.25, LOOSE) == "high"


def test_noise_floor_and_ratio_must_all_be_passed() -> None:
    assert Usual(0.0, 0.0).direction(0.009, LOOSE) == "normal"
    assert Usual(0.1, 0.0).direction(0.19, LOOSE) == "normal"
    assert Usual(0.1, 0.1).direction(0.4, LOOSE) == "normal"
    assert Usual(0.1, 0.0).direction(0.2, LOOSE) == "high"
    assert Usual(0.1, 0.0).direction(0.05, LOOSE) == "low"


def test_one_outlier_is_no_symptom_and_three_samples_are() -> None:
    quiet = Usual(0.0, 0.0)
    assert shift(series(0, 0.5, 0, 0, 0), quiet, LOOSE, 3, after=0, onset=1).direction == "normal"
    seen = shift(series(0, 0, 0.5, 0.5, 0.5), quiet, LOOSE, 3, after=0, onset=1)
    assert (seen.direction, seen.since, seen.touched) == ("high", 2, 0.75)


@pytest.mark.parametrize("values", [(0, 0, 0.5), (0, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5)])
def test_what_begins_or_ends_just_now_is_neither_a_symptom_nor_health(values: tuple[float, ...]) -> None:
    assert shift(series(0, 0, *values), Usual(0, 0), LOOSE, 3, after=1, onset=2).direction is None


def test_the_onset_is_the_first_sustained_deviation_not_the_first_outlier() -> None:
    seen = shift(series(0, 0, 0.5, 0, 0, 0.5, 0.5, 0.5, 0.5), Usual(0, 0), LOOSE, 3, after=0, onset=7)
    assert seen.since == 5


def test_a_deviation_that_began_in_the_quiet_time_is_dated_at_its_end() -> None:
    assert shift(series(0, 0.5, 0.5, 0.5, 0.5), Usual(0, 0), LOOSE, 3, after=2, onset=4).since == 3


def test_a_deviation_must_outlast_the_window_of_the_rates() -> None:
    assert [run_length(300, 60), run_length(5, 1), run_length(6, 60)] == [6, 6, 3]


def test_the_value_now_is_no_outlier() -> None:
    assert now(series(9, 1, 7, 2), 3) == 2


@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=40), st.floats(-1e6, 1e6))
def test_a_shift_is_finite_and_normal_when_nothing_moves(values: list[float], level: float) -> None:
    quiet = usual(series(*values), 0, 100)
    assert quiet is not None
    assert math.isfinite(quiet.middle)
    assert math.isfinite(quiet.spread)
    steady = Usual(level, 0.0)
    assert shift(series(*[level] * 6), steady, LOOSE, 3, after=0, onset=0).direction == "normal"


def test_label_values_cannot_leave_their_quotes() -> None:
    assert quoted('a"} or up{x="') == '"a\\"} or up{x=\\""'
    assert quoted("back\\slash\nline") == '"back\\\\slash\\nline"'
    assert where(environment="a", service='"') == 'environment="a",service="\\""'


def test_durations_are_whole_seconds_or_milliseconds() -> None:
    assert [duration(s) for s in (300, 6, 1.5, 0.0001)] == ["300s", "6s", "1500ms", "1ms"]
