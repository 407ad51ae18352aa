"""What is usual at an hour, from what earlier days were like."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception import presets
from gitops_sre.perception.seasons import DAYS, JITTER, MOST, again, discounted, earlier, moved

ROWS = presets.load().rows
STEP, QUIET, END = 60.0, 3600.0, 5400.0
TIMES = tuple(np.arange(0.0, END + 1, STEP).tolist())


def measure(rise: float, signal: SignalName = "traffic", begins: float = QUIET, level: float = 10.0) -> Measure:
    """Steady, and from a moment on higher by `rise` levels."""
    values = (level * (1 + (rise if at > begins else 0.0)) for at in TIMES)
    return Measure(signal, "web", array("d", TIMES), array("d", values), query="http.traffic")


def last(rows: Sequence[Measure]) -> list[float]:
    return [row.values[-1] for row in rows]


def without(rows: Sequence[Measure], *days: Sequence[Measure]) -> tuple[Measure, ...]:
    return discounted(rows, days, 0.0, QUIET)[0]


def test_what_rises_on_other_days_is_taken_off_and_told() -> None:
    usual = (measure(3.0),)
    rows, told = discounted(usual, [usual] * 3, 0.0, QUIET)
    assert last(rows) == [10.0]
    assert [item.statement for item in told] == [
        "traffic of web rises at this hour on other days too: 100% of it is usual"
    ]
    assert all(item.score is None for item in told)


def test_pods_versions_and_calls_share_the_fate_of_their_service() -> None:
    usual = measure(3.0)
    parts = [replace(usual, pod="web-1"), replace(usual, version="v2"), replace(usual, service="cart", peer="web")]
    assert last(without([usual, *parts], *[[usual]] * 3)) == [10.0] * 4
    assert last(without(parts, *[[usual]] * 3)) == last(parts)


def test_what_is_beyond_the_usual_stays() -> None:
    assert last(without([measure(6.0)], *[[measure(2.0)]] * 3)) == [pytest.approx(70.0 - 1.25 * 20.0)]
    assert last(without([measure(3.0)], *[[measure(0.0)]] * 3)) == [40.0]


def test_work_grows_with_demand_and_no_more() -> None:
    rush = measure(3.0)
    fair, hot = measure(2.0, "cpu"), measure(9.0, "cpu")
    assert last(without([rush, fair, hot], *[[rush]] * 3)) == [10.0, 10.0, pytest.approx(100.0 - 30.0)]


@pytest.mark.parametrize("signal", ["errors", "memory", "saturation", "restarts"])
def test_failures_and_what_runs_out_are_never_usual(signal: SignalName) -> None:
    bad = measure(3.0, signal)
    assert last(without([measure(3.0), bad], *[[measure(3.0), bad]] * 3))[1] == 40.0


@pytest.mark.parametrize("days", [0, 1])
def test_a_day_alone_proves_nothing(days: int) -> None:
    row = measure(3.0)
    assert discounted((row,), [(row,)] * days, 0.0, QUIET) == ((row,), ())


@given(
    st.lists(st.floats(0, 9), min_size=3, max_size=3),
    st.floats(-0.9, 9),
    st.floats(QUIET - 300, END),
)
def test_nothing_falls_below_what_was_before_nor_rises(rises: list[float], rise: float, begins: float) -> None:
    row = measure(rise, begins=begins)
    (found,) = without([row], *[[measure(each)] for each in rises])
    values, least = np.array(row.values), min(10.0, 10.0 * (1 + rise))
    assert (np.array(found.values) <= values + 1e-9).all()
    assert (np.array(found.values) >= least - 1e-9).all()
    assert found.values[:60] == row.values[:60]


def test_earlier_days_are_asked_about_and_moved_to_the_present() -> None:
    now = datetime(2026, 3, 17, 12, tzinfo=UTC)
    query = Query("http.traffic", "x", now - timedelta(hours=1), now, 60)
    assert [earlier(query, days).end for days in DAYS] == [now - timedelta(days=days, seconds=-JITTER) for days in DAYS]
    assert earlier(query, 7).start == now - timedelta(days=7, hours=1)
    (row,) = moved([measure(1.0)], 7)
    assert row.times[0] == 7 * 86400


def test_few_and_cheap_questions_are_asked_again() -> None:
    now = datetime(2026, 3, 17, 12, tzinfo=UTC)
    series = (Series.of((("service", "web"),), [(0.0, 1.0)]),)
    answers = [Answer(Query(name, "x", now, now, 60), series) for name in ROWS]
    asked = [ROWS[query.id] for query in again(answers, ROWS)]
    assert 0 < len(asked) <= MOST
    assert all(row.cost == 1 and row.signal in ("traffic", "latency") for row in asked)
    assert again([replace(answer, series=()) for answer in answers], ROWS) == ()
