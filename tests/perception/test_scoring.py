"""Board, anomaly and excess: many series in one look."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception import anomaly
from gitops_sre.perception.board import by_service, lay, settled
from gitops_sre.perception.excess import Load, own

RNG = np.random.default_rng(7)


def measure(
    values: list[float], service: str = "cart", signal: SignalName = "latency", pod: str = "", step: float = 60
) -> Measure:
    times = array("d", (1000 + step * n for n in range(len(values))))
    return Measure(signal, service, times, array("d", values), pod=pod)


def noisy(level: float, count: int, spread: float = 0.02) -> list[float]:
    return [float(value) for value in level * (1 + spread * RNG.standard_normal(count))]


FLOOR = np.array([0.001])


def scored(values: list[float], onset: int) -> anomaly.Scores:
    return anomaly.scores(np.array([values]), onset, 10, FLOOR)


def test_series_of_different_phase_lie_on_one_grid() -> None:
    board = lay([measure([1.0, 2.0, 3.0]), measure([4.0, 5.0])], 1000, 1200)
    assert board.step == 60
    assert board.values.shape == (2, 4)
    assert np.isnan(board.values[1, 2])


def test_pods_of_a_service_are_joined_traffic_summed_and_latency_averaged() -> None:
    rows = [
        measure([1.0, 3.0], pod="a"),
        measure([3.0, 5.0], pod="b"),
        measure([10.0, 10.0], signal="traffic", pod="a"),
        measure([5.0, 7.0], signal="traffic", pod="b"),
    ]
    joined = by_service(lay(rows, 1000, 1060), ("latency", "traffic"))
    found = {row.signal: joined.values[number].tolist() for number, row in enumerate(joined.rows)}
    assert found == {"latency": [2.0, 4.0], "traffic": [15.0, 17.0]}


def test_a_lasting_rise_scores_and_its_size_is_told() -> None:
    scores = scored(noisy(1.0, 60) + noisy(3.0, 5), 60)
    assert scores.up[0] > 10
    assert scores.down[0] == 0
    assert scores.before[0] == pytest.approx(1.0, rel=0.1)
    assert scores.extra[0] == pytest.approx(2.0, rel=0.1)


def test_a_level_that_had_shifted_long_before_is_no_news() -> None:
    assert scored(noisy(1.0, 300) + noisy(3.0, 20) + noisy(3.0, 5), 320).up[0] < 2


def test_spikes_that_come_all_the_time_are_not_unusual() -> None:
    habit = [5.0 if n % 8 == 0 else 1.0 for n in range(80)]
    assert scored([*habit, 5.0, 5.0, 5.0], 80).up[0] < 3


def test_a_quiet_series_is_not_alarmed_by_next_to_nothing() -> None:
    assert scored([1.0] * 50 + [1.04] * 5, 50).up[0] < 1


def test_a_series_without_a_past_says_nothing() -> None:
    values = np.array([[np.nan] * 58 + [9.0] * 7, noisy(1.0, 65)])
    scores = anomaly.scores(values, 60, 10, np.array([0.001, 0.001]))
    assert scores.up[0] == 0
    assert scores.extra[0] == 0


@given(st.integers(30, 60), st.integers(2, 8), st.integers(0, 1000))
def test_the_onset_is_found_where_several_series_change_for_good(at: int, lasts: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = 1 + 0.02 * rng.standard_normal((6, at + lasts))
    values[:3, at:] += 1
    column, strength = anomaly.onset(values, at // 2, 10, 1, np.full(6, 0.001), np.ones(6))
    assert abs(column - at) <= 1
    assert strength > 10


def test_a_later_and_greater_rise_does_not_hide_when_it_began() -> None:
    values = 1 + 0.02 * RNG.standard_normal((6, 100))
    values[:4, 60:] += 1
    values[:4, 80:] += 2
    assert abs(anomaly.onset(values, 30, 10, 1, np.full(6, 0.001), np.ones(6))[0] - 60) <= 1


def test_rows_with_more_votes_decide_which_of_two_changes_is_the_onset() -> None:
    values = 1 + 0.02 * RNG.standard_normal((6, 100))
    values[:2, 50:] += 1
    values[2:4, 80:] += 1
    floor = np.full(6, 0.001)
    assert abs(anomaly.onset(values, 30, 10, 1, floor, np.array([9.0, 9, 1, 1, 1, 1]))[0] - 50) <= 1
    assert abs(anomaly.onset(values, 30, 10, 1, floor, np.array([1.0, 1, 9, 9, 1, 1]))[0] - 80) <= 1


def test_smoothing_averages_on_each_side_of_the_onset_alone() -> None:
    values = np.array([[0.0, 2, 0, 2, 10, 12, np.nan, 14]])
    assert anomaly.smoothed(values, 4, 2)[0].tolist() == [0, 1, 1, 1, 10, 11, 12, 14]
    assert anomaly.smoothed(values, 4, 1) is values


def test_failures_that_come_and_go_add_up() -> None:
    seldom = np.array([[0.0] * 60 + [0.5, 0, 0, 0, 0, 0] * 5])
    floor = np.array([0.005])
    assert anomaly.scores(seldom, 60, 10, floor).up[0] == 0
    assert anomaly.scores(anomaly.smoothed(seldom, 60, 6), 60, 10, floor).up[0] > 5


def test_a_pod_warms_up_before_it_is_counted() -> None:
    def pod(name: str, begins: float) -> Measure:
        times = np.arange(begins, 600.0, 30.0)
        return Measure("latency", "web", array("d", times), array("d", np.ones(len(times))), pod=name)

    seen = settled(lay([pod("old", 0.0), pod("new", 300.0)], 0.0, 600.0), 90.0)
    assert np.isfinite(seen.values[0]).sum() == 20
    assert np.flatnonzero(np.isfinite(seen.values[1])).tolist() == list(range(13, 20))


def test_a_passing_spike_is_no_onset() -> None:
    values = 1 + 0.02 * RNG.standard_normal((6, 60))
    values[:3, 40:43] += 2
    assert anomaly.onset(values, 20, 10, 1, np.full(6, 0.001), np.ones(6))[1] < 10


def test_what_a_caller_waits_for_is_not_its_own() -> None:
    loads = {"web": Load(10.0), "cart": Load(9.0), "db": Load(8.5)}
    found = own(loads, [("web", "cart"), ("cart", "db")])
    assert found["db"].share == pytest.approx(0.85)
    assert found["web"].part == pytest.approx(0.1)
    assert found["db"].part == 1


def test_a_callee_gives_each_caller_its_part() -> None:
    found = own({"a": Load(6.0), "b": Load(3.0), "db": Load(9.0)}, [("a", "db"), ("b", "db")])
    assert found["db"].share == 1
    assert found["a"].share == found["b"].share == 0


def test_what_comes_and_goes_takes_its_share_of_the_blame() -> None:
    found = own({"web": Load(1.0, usual=1000.0), "cart": Load(0.0, usual=500.0)}, [])
    assert found["web"].share < 0.1


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1e6), min_size=1),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"))),
)
def test_shares_are_shares_on_any_map(extras: dict[str, float], edges: list[tuple[str, str]]) -> None:
    found = own({name: Load(extra) for name, extra in extras.items()}, edges)
    assert sum(each.share for each in found.values()) <= 1 + 1e-9
    assert all(0 <= each.share <= 1 and 0 <= each.part <= 1 for each in found.values())
