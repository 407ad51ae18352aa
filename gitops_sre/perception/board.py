"""Many time series on one grid, so that all of them are compared in one stroke."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gitops_sre.model.telemetry import Measure

Matrix = NDArray[np.float64]
ROUNDING = 1e-6
"""Part of a step by which a sample may seem too early: moments are fractions of seconds since 1970."""
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

    def columns(self, seconds: float, least: int) -> int:
        """How many columns a time covers, but not fewer than `least`."""
        return max(least, int(seconds // self.step))


def settled(board: Board, seconds: float) -> Board:
    """The board without the first moments of pods that began within it: they warm up, which is nobody's fault."""
    known = np.isfinite(board.values)
    first: dict[tuple[str, str], int] = {}
    for number, row in enumerate(board.rows):
        if row.pod and known[number].any():
            begins = int(np.argmax(known[number]))
            first[row.service, row.pod] = min(begins, first.get((row.service, row.pod), begins))
    values = board.values.copy()
    warm = board.columns(seconds, 1)
    earliest = min(first.values(), default=0) + warm
    for number, row in enumerate(board.rows):
        begins = first.get((row.service, row.pod), 0)
        if begins > earliest:
            values[number, : begins + warm] = np.nan
    return replace(board, values=values)


def by_service(board: Board, signals: Collection[str]) -> Board:
    """One row for each service, signal and statistic: traffic summed over the pods, everything else their mean. Pods
    come and go; a service stays. Edges and what clients measured are left out."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for number, row in enumerate(board.rows):
        if row.signal in signals and not row.peer and row.side != "client":
            groups[row.service, row.signal, row.stat].append(number)
    rows, values = [], np.full((len(groups), board.values.shape[1]), np.nan)
    for place, ((_, signal, _), numbers) in enumerate(groups.items()):
        rows.append(replace(board.rows[numbers[0]], pod="", version=""))
        some = board.values[numbers]
        known = np.isfinite(some).sum(axis=0)
        total = np.nansum(some, axis=0) / (1 if signal == "traffic" else np.maximum(known, 1))
        values[place] = np.where(known > 0, total, np.nan)
    return Board(tuple(rows), board.times, values, board.step)


def whole(board: Board) -> Board:
    """Without the rows that tell again, version by version, what another row tells of the service as a whole: a version
    that comes or goes is no change of the service."""
    wholes = {_what(row) for row in board.rows if not row.version}
    kept = [n for n, row in enumerate(board.rows) if not row.version or row.pod or _what(row) not in wholes]
    return replace(board, rows=tuple(board.rows[number] for number in kept), values=board.values[kept])


def _what(row: Measure) -> tuple[str, ...]:
    return row.service, row.signal, row.stat, row.side, row.peer


def lay(measures: Iterable[Measure], start: float, end: float, step: float | None = None) -> Board:
    """All samples in `start`..`end` on one grid. Without `step`, that of most series: the median of their own.

    A series that is sampled more coarsely than the grid has NaN in between.
    """
    rows = tuple(measures)
    cut = [_within(row, start, end) for row in rows]
    seconds = step or _usual_step(times for times, _ in cut)
    seconds = max(seconds, (end - start) / MAX_COLUMNS)
    count = max(1, int((end - start) / seconds + ROUNDING) + 1)
    values = np.full((len(rows), count), np.nan)
    for number, (times, samples) in enumerate(cut):
        values[number, ((times - start) / seconds + ROUNDING).astype(np.int64)] = samples
    return Board(rows, start + seconds * np.arange(count, dtype=np.float64), values, float(seconds))


def _within(measure: Measure, start: float, end: float) -> tuple[Matrix, Matrix]:
    times, values = np.frombuffer(measure.times), np.frombuffer(measure.values)
    first, last = np.searchsorted(times, start), np.searchsorted(times, end, side="right")
    return times[first:last], values[first:last]


def _usual_step(all_times: Iterable[Matrix]) -> float:
    """The median over the series of the median distance of their samples; a minute where nothing says."""
    steps = [float(np.median(np.diff(times))) for times in all_times if len(times) > 1]
    return max(1.0, float(np.median(steps))) if steps else 60.0
