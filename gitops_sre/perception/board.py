"""Many time series on one grid, so that all of them are compared in one stroke."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitops_sre.model.telemetry import Measure

Matrix = NDArray[np.float64]
MAX_COLUMNS = 20_000
"""Samples a row; a longer span is looked at with a coarser grid."""


@dataclass(frozen=True, eq=False)
class Board:
    """`values[row, column]` is the last sample of `rows[row]` in the grid's step that begins at `times[column]` (epoch
    seconds); NaN where there is none. `step` is in seconds."""

    rows: tuple[Measure, ...]
    times: Matrix
    values: Matrix
    step: float

    def column(self, at: float) -> int:
        """The column that a moment falls into; may lie outside the grid."""
        return int((at - float(self.times[0])) // self.step) if len(self.times) else 0

    def only(self, keep: Sequence[int]) -> Board:
        """Some of the rows."""
        return Board(tuple(self.rows[number] for number in keep), self.times, self.values[list(keep)], self.step)


def lay(measures: Iterable[Measure], start: float, end: float, step: float | None = None) -> Board:
    """All samples in `start`..`end` on one grid. Without `step`, that of most series: the median of their own.

    A series that is sampled more coarsely than the grid has NaN in between.
    """
    rows = tuple(measures)
    cut = [_within(row, start, end) for row in rows]
    seconds = step or _usual_step(times for times, _ in cut)
    seconds = max(seconds, (end - start) / MAX_COLUMNS)
    count = max(1, int((end - start) // seconds) + 1)
    values = np.full((len(rows), count), np.nan)
    for number, (times, samples) in enumerate(cut):
        values[number, ((times - start) // seconds).astype(np.int64)] = samples
    return Board(rows, start + seconds * np.arange(count, dtype=np.float64), values, float(seconds))


def _within(measure: Measure, start: float, end: float) -> tuple[Matrix, Matrix]:
    times, values = np.frombuffer(measure.times), np.frombuffer(measure.values)
    first, last = np.searchsorted(times, start), np.searchsorted(times, end, side="right")
    return times[first:last], values[first:last]


def _usual_step(all_times: Iterable[Matrix]) -> float:
    """The median over the series of the median distance of their samples; a minute where nothing says."""
    steps = [float(np.median(np.diff(times))) for times in all_times if len(times) > 1]
    return max(1.0, float(np.median(steps))) if steps else 60.0
