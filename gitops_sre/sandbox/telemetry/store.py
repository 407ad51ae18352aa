"""A ring of samples in memory: the storage of the embedded endpoint."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from gitops_sre.sandbox.telemetry.nodes import Matcher
from gitops_sre.sandbox.telemetry.series import DECIMALS, Labels, Series, Tick

CAPACITY = 10_000
"""Samples kept of a series; beyond it the oldest quarter is dropped."""


@dataclass(frozen=True)
class Points:
    """Samples of one series: `times` in Unix milliseconds, ascending. `labels` include `__name__`."""

    labels: Labels
    times: Sequence[int]
    values: Sequence[float]


class _Stored:
    """One series as kept: its labels in the forms that are asked for, and its samples."""

    def __init__(self, series: Series) -> None:
        self.labels: Labels = tuple(sorted((*series.labels, ("__name__", series.name))))
        self.by_label = dict(self.labels)
        self.times = array("q")
        self.values = array("d")


class Store:
    """Samples by series. Ticks come in order of time; readers may be on other threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stored: dict[Series, _Stored] = {}
        self._by_label: dict[tuple[str, str], list[_Stored]] = {}

    def add(self, tick: Tick) -> None:
        """Append one tick's samples."""
        at = round(tick.at * 1000)
        with self._lock:
            for series, value in tick.samples:
                stored = self._stored.get(series) or self._introduce(series)
                stored.times.append(at)
                stored.values.append(round(value, DECIMALS))
                if len(stored.times) > CAPACITY:
                    del stored.times[: CAPACITY // 4]
                    del stored.values[: CAPACITY // 4]

    def _introduce(self, series: Series) -> _Stored:
        self._stored[series] = stored = _Stored(series)
        for pair in stored.labels:
            self._by_label.setdefault(pair, []).append(stored)
        return stored

    def select(self, matchers: Sequence[Matcher], begin: int, end: int) -> list[Points]:
        """Series that satisfy all matchers and have samples in [begin, end] (Unix milliseconds), with those samples."""
        exact = [(matcher.label, matcher.value) for matcher in matchers if matcher.operator == "=" and matcher.value]
        with self._lock:
            candidates = min((self._by_label.get(pair, []) for pair in exact), key=len, default=self._stored.values())
            fitting = (stored for stored in candidates if _fits(stored, matchers))
            return [points for stored in fitting if (points := _cut(stored, begin, end)).times]


def _fits(stored: _Stored, matchers: Sequence[Matcher]) -> bool:
    return all(matcher.accepts(stored.by_label.get(matcher.label, "")) for matcher in matchers)


def _cut(stored: _Stored, begin: int, end: int) -> Points:
    low, high = bisect_left(stored.times, begin), bisect_right(stored.times, end)
    return Points(stored.labels, stored.times[low:high], stored.values[low:high])
