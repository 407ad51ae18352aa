"""What rises at this hour on other days too is no news: a rush every morning is no fault.

The same questions are asked again about the same hour of earlier days, and what rose then is taken off what rises
now: the seasonal naive method, with a day's and a week's season at once (Hyndman and Athanasopoulos, Forecasting:
Principles and Practice, 3rd ed., section 5.2), and the median of the days in place of the last one, so that one day's
incident neither hides nor makes another. Demand and latency are judged so. Failures are not: users who fail every
morning do fail.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from gitops_sre.model.evidence import Answer, Evidence, Query
from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception.anomaly import EXCURSION, MIN_HISTORY
from gitops_sre.perception.board import Matrix
from gitops_sre.perception.presets import Row

DAYS = (1, 7, 14)
"""How many days ago the earlier days are. Prometheus keeps 15 by default."""
LEAST_DAYS = 2
"""Days that must be known; of two, the one with the smaller rise counts. A single one may have been an incident's."""
SIGNALS: frozenset[SignalName] = frozenset({"traffic", "latency"})
WORK: frozenset[SignalName] = frozenset({"cpu", "network_in", "network_out"})
"""What grows with demand, in proportion at most where a request is as much work as before (the utilization law; Denning
and Buzen, ACM Computing Surveys 10, 1978); nobody is asked about its earlier days."""
MOST = 8
"""Questions that are asked again, for each of the days."""
JITTER, STRIDE = 600.0, 120.0
"""Seconds by which a day may be earlier or later than another, looked at in strides of so many."""
ROOM = 1.25
"""How many times as large a rise may be as on other days."""
NOTABLE = 0.5
"""Part of a rise that must be usual for people to be told of it."""


def again(answers: Iterable[Answer], rows: Mapping[str, Row]) -> tuple[Query, ...]:
    """The questions that are asked again: the cheap ones of demand and latency that had an answer."""
    asked = (answer.query for answer in answers if answer.series)
    return tuple(query for query in asked if rows[query.id].cost == 1 and rows[query.id].signal in SIGNALS)[:MOST]


def earlier(query: Query, days: int) -> Query:
    """The same question so many days ago, and a little further on: that day may have been late."""
    ago = timedelta(days=days)
    return replace(query, start=query.start - ago, end=query.end - ago + timedelta(seconds=JITTER))


def moved(measures: Iterable[Measure], days: int) -> tuple[Measure, ...]:
    """What was measured so many days ago, as if it were now."""
    seconds = days * 86_400.0
    return tuple(replace(row, times=array("d", (at + seconds for at in row.times))) for row in measures)


@dataclass(frozen=True, eq=False)
class Usual:
    """Which part of a rise is usual at each time, 0..1; what that part is of the level before; and the mean share over
    the time in which there is a clear rise."""

    times: Matrix
    share: Matrix
    growth: Matrix
    overall: float


Key = tuple[str, SignalName]


def discounted(
    measures: Sequence[Measure], days: Sequence[Sequence[Measure]], start: float, quiet: float
) -> tuple[tuple[Measure, ...], tuple[Evidence, ...]]:
    """The measures without the part of their rises that is usual at this hour, and what people should know of that.

    `days` are what was measured on earlier days, moved to the present; `start`..`quiet` (epoch seconds) is the time
    before the trouble, on each of the days. What a service's demand or latency as a whole shows holds for its pods,
    its versions and the calls to it; what its usual demand makes it work is usual too. Without enough earlier days a
    measure stays as it is.
    """
    usual = _usual(measures, days, start, quiet)
    if not usual:
        return tuple(measures), ()
    rows = tuple(_without(row, usual, start, quiet) for row in measures)
    return rows, tuple(_told(key, each) for key, each in sorted(usual.items()) if each.overall >= NOTABLE)


def _usual(
    measures: Sequence[Measure], days: Sequence[Sequence[Measure]], start: float, quiet: float
) -> dict[Key, Usual]:
    """By service and signal; where several statistics tell of one, what is usual of all of them."""
    past = [{_which(row): row for row in day if _whole(row)} for day in days]
    found: dict[Key, Usual] = {}
    for row in measures:
        if row.signal not in SIGNALS or not _whole(row):
            continue
        key = (row.service, row.signal)
        each = _compared(row, [day[_which(row)] for day in past if _which(row) in day], start, quiet)
        if each is not None:
            found[key] = _least(found[key], each) if key in found else each
    return found


def _whole(row: Measure) -> bool:
    return not (row.pod or row.version or row.peer or row.side == "client")


def _which(row: Measure) -> tuple[str, ...]:
    return row.service, row.signal, row.stat, row.query


def _least(one: Usual, other: Usual) -> Usual:
    share, growth = (
        np.minimum(mine, np.interp(one.times, other.times, theirs))
        for mine, theirs in ((one.share, other.share), (one.growth, other.growth))
    )
    return Usual(one.times, share, growth, min(one.overall, other.overall))


def _compared(row: Measure, past: Sequence[Measure], start: float, quiet: float) -> Usual | None:
    """How much of a row's rise was there on earlier days; None where not enough is known."""
    times, values = np.frombuffer(row.times), np.frombuffer(row.values)
    before, since = (times >= start) & (times <= quiet), times > quiet
    rises = [rise for each in past if (rise := _rise(each, times, start, quiet)) is not None]
    if before.sum() < MIN_HISTORY or not since.any() or len(rises) < LEAST_DAYS:
        return None
    expected = np.sort(rises, axis=0)[(len(rises) - 1) // 2]
    middle = float(np.median(values[before]))
    excess = np.maximum(values - middle, 0.0)
    share = np.clip(ROOM * expected / np.maximum(excess, 1e-12), 0.0, 1.0)
    share[~since | (excess == 0.0)] = 0.0
    clear = since & (values > np.quantile(values[before], EXCURSION))
    growth = share * excess / middle if middle > 0 else np.zeros(len(times))
    return Usual(times, share, growth, float(share[clear].mean()) if clear.any() else 0.0)


def _rise(day: Measure, times: Matrix, start: float, quiet: float) -> Matrix | None:
    """By how much a day was above what it had been before, at the given times or up to JITTER from them; 0 where that
    was no more than its habitual excursions, or did not last for three samples. None where too little is known."""
    at, values = np.frombuffer(day.times), np.frombuffer(day.values)
    before = (at >= start) & (at <= quiet)
    if before.sum() < MIN_HISTORY or 2 * len(at) < len(times):
        return None
    lasting = np.minimum.reduce([values, np.append(values[1:], values[-1]), np.insert(values[:-1], 0, values[0])])
    middle, edge = np.median(values[before]), np.quantile(values[before], EXCURSION)
    above = np.where(lasting > edge, lasting - middle, 0.0)
    offsets = np.arange(-JITTER, JITTER + 1.0, STRIDE)
    return np.asarray(np.maximum.reduce([np.interp(times + offset, at, above, 0.0, 0.0) for offset in offsets]))


def _without(row: Measure, usual: Mapping[Key, Usual], start: float, quiet: float) -> Measure:
    """A row without the usual part of its own rise."""
    signal: SignalName = "traffic" if row.signal in WORK else row.signal
    each = usual.get((row.peer or row.service, signal))
    times, values = np.frombuffer(row.times), np.frombuffer(row.values)
    before = (times >= start) & (times <= quiet)
    if each is None or not before.any():
        return row
    middle = float(np.median(values[before]))
    rise = np.maximum(values - middle, 0.0)
    if row.signal in WORK:
        part = np.minimum(rise, middle * np.interp(times, each.times, each.growth, 0.0))
    else:
        part = rise * np.interp(times, each.times, each.share, 0.0)
    return replace(row, values=array("d", (values - part).tolist()))


def _told(key: Key, usual: Usual) -> Evidence:
    service, signal = key
    return Evidence(
        id=f"season/{signal}/{service}",
        signal="season",
        subject=service,
        symptom="present",
        statement=f"{signal} of {service} rises at this hour on other days too: {usual.overall:.0%} of it is usual",
        at=datetime.fromtimestamp(float(usual.times[-1]), UTC),
        value=usual.overall,
        unit="ratio",
        source="the same hour of earlier days",
    )
