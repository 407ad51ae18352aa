"""Since when, and by how much, does each of many series lie outside its usual range? Robust, vectorised, pure.

Two comparisons must agree before a series counts as changed: with its long history (what is usual at all) and with the
time just before the onset (what is new). A level that had shifted days ago is not news; a spike that comes every
hour is not unusual. The scale is the widest of the interquartile range, the series' own habitual excursions and a
least change that matters, since a quiet series has next to no spread (Rousseeuw and Croux, JASA 88, 1993; the idea
to score by the interquartile range after a change point is BARO's, Pham et al., FSE 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gitops_sre.perception.board import Matrix

IQR_TO_SIGMA = 1.349
"""The interquartile range of a normal distribution in standard deviations."""
EXCURSION = 0.98
"""The quantile of the history that habitual excursions reach, 2.05 standard deviations if they were normal."""
EXCURSION_SIGMAS = 2.05
LEAST_RATIO = 0.05
"""A change by less than this part of the usual level is no news, however quiet the series."""
MIN_HISTORY = 4
MIN_SHARE = 0.25
"""Samples before the onset, in all and as a share of what the busiest row has; with fewer nothing is usual: a pod that
has just begun has no past."""
LEAST_GAIN, MOST_GAIN = 6.0, 40.0
"""Below the first a row's change may be chance; above the second it counts no more."""
SLACK = 3.0
"""Standard deviations that a sample must be off to speak for a change."""
SHARP = 3
"""Power that makes a row speak for few columns rather than for many."""
CAP = 5.0
"""Standard deviations that a single sample may count for when the onset is looked for."""


@dataclass(frozen=True, eq=False)
class Scores:
    """One number a row: how far it went `up` and `down` after the onset, in robust standard deviations, 0 where it did
    not; the usual level `before`, the level `after`, and how much is `extra` (in the row's unit, what three quarters of
    the samples do not pass); NaN levels and zero scores where it cannot be told."""

    up: Matrix
    down: Matrix
    before: Matrix
    after: Matrix
    extra: Matrix


@dataclass(frozen=True, eq=False)
class Usual:
    """What is usual for each row: its median and how far it strays `up` and `down` (one standard deviation)."""

    middle: Matrix
    up: Matrix
    down: Matrix


def usual(history: Matrix, floor: Matrix) -> Usual:
    """What is usual in a history (rows x samples, NaN for holes). `floor` is the least standard deviation a row."""
    ordered, count = _ordered(history)
    middle = _quantile(ordered, count, 0.5)
    spread = (_quantile(ordered, count, 0.75) - _quantile(ordered, count, 0.25)) / IQR_TO_SIGMA
    least = np.maximum(floor, LEAST_RATIO * np.abs(middle))
    up = (_quantile(ordered, count, EXCURSION) - middle) / EXCURSION_SIGMAS
    down = (middle - _quantile(ordered, count, 1 - EXCURSION)) / EXCURSION_SIGMAS
    enough = count >= max(MIN_HISTORY, MIN_SHARE * count.max(initial=0))
    middle = np.where(enough, middle, np.nan)
    return Usual(middle, np.maximum.reduce([spread, least, up]), np.maximum.reduce([spread, least, down]))


def scores(values: Matrix, onset: int, recent: int, floor: Matrix) -> Scores:
    """Compare columns from `onset` on with all before it, and with the `recent` columns just before it."""
    history, lately, after = values[:, :onset], values[:, max(0, onset - recent) : onset], values[:, onset:]
    quiet = usual(history, floor)
    level = _quantile(*_ordered(lately), 0.5)
    level = np.where(np.isfinite(level), level, quiet.middle)
    ordered = _ordered(after)
    low, middle, high = (_quantile(*ordered, share) for share in (0.25, 0.5, 0.75))
    up = np.minimum(high - quiet.middle, high - level) / quiet.up
    down = np.minimum(quiet.middle - low, level - low) / quiet.down
    up, down = np.nan_to_num(np.maximum(up, 0.0)), np.nan_to_num(np.maximum(down, 0.0))
    extra = np.nan_to_num(np.maximum(high - np.fmax(quiet.middle, level), 0.0))
    return Scores(up, down, level, middle, extra)


def onset(values: Matrix, first: int, recent: int, least: int, floor: Matrix, votes: Matrix) -> tuple[int, float]:
    """The column since which most speaks for a lasting change, from column `first` on, and how much speaks for it.

    For each row the cumulative sum, from a column to the end, of how far its samples lie beyond what was usual before
    `first` and in the `recent` columns just before it: in standard deviations up to CAP, less SLACK each, so that
    samples before the change, and after its end, count against (Page, Biometrika 41, 1954). A row says most where that
    sum is highest. Rows whose sum is above LEAST_GAIN add up, each up to MOST_GAIN times its `votes`, so that neither
    many rows that drift nor a single loud one decides; the quieter ones where there are no others. At least `least`
    columns are left after the onset; it is the last such column where nothing has changed.
    """
    history = usual(values[:, :first], floor)
    level = _quantile(*_ordered(values[:, max(0, first - recent) : first]), 0.5)
    high, low = np.fmax(level, history.middle)[:, None], np.fmin(level, history.middle)[:, None]
    after = values[:, first:]
    far = np.maximum(after - high, 0.0) / history.up[:, None] - np.maximum(low - after, 0.0) / history.down[:, None]
    known = np.isfinite(far)
    far = np.where(known, np.clip(far, -CAP, CAP), 0.0)
    sums = [np.cumsum(np.where(known, way * far - SLACK, 0.0)[:, ::-1], axis=1)[:, ::-1] for way in (1.0, -1.0)]
    last = max(1, far.shape[1] - least + 1)
    for enough in (LEAST_GAIN, 0.0):
        total = np.sum([_support(each, enough, votes) for each in sums], axis=0)[:last]
        if total.max(initial=0.0) > 0:
            best = int(np.argmax(total))
            return first + best, float(total[best])
    return first + last - 1, 0.0


def _support(sums: Matrix, enough: float, votes: Matrix) -> Matrix:
    """What rows whose highest sum is `enough` say together for each column."""
    highest = sums.max(axis=1, initial=0.0)
    rows = highest > enough
    shape = np.clip(sums[rows] / highest[rows, None], 0.0, 1.0) ** SHARP
    return np.asarray((votes[rows] * np.minimum(highest[rows], MOST_GAIN)) @ shape)


def smoothed(values: Matrix, onset: int, width: int) -> Matrix:
    """Each row's mean over the last `width` columns, none of them on the other side of the onset; NaN without any.

    Noise shrinks, a lasting change does not, and failures that come and go add up.
    """
    if width < 2:
        return values
    return np.concatenate([_trailing(values[:, :onset], width), _trailing(values[:, onset:], width)], axis=1)


def _trailing(values: Matrix, width: int) -> Matrix:
    known = np.isfinite(values)
    total = np.cumsum(np.where(known, values, 0.0), axis=1)
    count = np.cumsum(known, axis=1, dtype=np.int32)
    total[:, width:] -= total[:, :-width].copy()
    count[:, width:] -= count[:, :-width].copy()
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ordered(values: Matrix) -> tuple[Matrix, Matrix]:
    ordered = np.sort(values, axis=1)  # NaN goes last
    return ordered, np.isfinite(ordered).sum(axis=1)


def _quantile(ordered: Matrix, count: Matrix, share: float) -> Matrix:
    """A quantile of each row of sorted values whose first `count` are numbers, interpolated; NaN for an empty row."""
    if ordered.shape[1] == 0:
        return np.full(len(ordered), np.nan)
    place = np.maximum(count - 1, 0) * share
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0)).astype(np.int64)
    rows = np.arange(len(ordered))
    left, right = ordered[rows, low], ordered[rows, high]
    return np.where(count > 0, left + (right - left) * (place - low), np.nan)
