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


class Store:
    """Samples by series. Ticks come in order of time; readers may be on other threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._arrays: dict[Series, tuple[array[int], array[float]]] = {}
        self._by_name: dict[str, list[Series]] = {}

    def add(self, tick: Tick) -> None:
        """Append one tick's samples."""
        at = round(tick.at * 1000)
        with self._lock:
            for series, value in tick.samples:
                if series not in self._arrays:
                    self._introduce(series)
                times, values = self._arrays[series]
                times.append(at)
                values.append(round(value, DECIMALS))
                if len(times) > CAPACITY:
                    del times[: CAPACITY // 4]
                    del values[: CAPACITY // 4]

    def _introduce(self, series: Series) -> None:
        self._arrays[series] = (array("q"), array("d"))
        self._by_name.setdefault(series.name, []).append(series)

    def select(self, matchers: Sequence[Matcher], begin: int, end: int) -> list[Points]:
        """Series that satisfy all matchers and have samples in [begin, end] (Unix milliseconds), with those samples."""
        found: list[Points] = []
        with self._lock:
            for name, members in self._by_name.items():
                if not all(m.accepts(name) for m in matchers if m.label == "__name__"):
                    continue
                for series in members:
                    points = self._cut(series, begin, end)
                    if points.times and _accepts(matchers, series):
                        found.append(points)
        return found

    def _cut(self, series: Series, begin: int, end: int) -> Points:
        times, values = self._arrays[series]
        low, high = bisect_left(times, begin), bisect_right(times, end)
        labels = tuple(sorted((*series.labels, ("__name__", series.name))))
        return Points(labels, times[low:high], values[low:high])


def _accepts(matchers: Sequence[Matcher], series: Series) -> bool:
    values = dict(series.labels)
    return all(m.accepts(values.get(m.label, "")) for m in matchers if m.label != "__name__")
