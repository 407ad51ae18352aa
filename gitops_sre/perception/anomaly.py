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
SPLITS = 64
"""Moments that are tried as the onset."""
ENOUGH = 4
"""Samples of a row after a split that count; neighbours resemble each other."""
LEAST_GAIN, MOST_GAIN = 6.0, 40.0
"""Below the first a row's change is chance; above the second it counts no more."""
LOUD = 2.0
"""Standard deviations that some sample of a row must be off for the row to be looked at."""
STEADY = 0.02
"""What a deviation without exceptions counts more, so that of two splits that are as good the sharper one is taken."""
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
    ordered = np.sort(history, axis=1)  # NaN goes last
    count = np.isfinite(ordered).sum(axis=1)
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
    high, low = _quantile(*_ordered(after), 0.75), _quantile(*_ordered(after), 0.25)
    up = np.minimum(high - quiet.middle, high - level) / quiet.up
    down = np.minimum(quiet.middle - low, level - low) / quiet.down
    up, down = np.nan_to_num(np.maximum(up, 0.0)), np.nan_to_num(np.maximum(down, 0.0))
    extra = np.nan_to_num(np.maximum(high - np.fmax(quiet.middle, level), 0.0))
    return Scores(up, down, level, _quantile(*_ordered(after), 0.5), extra)


def onset(values: Matrix, first: int, recent: int, least: int, floor: Matrix) -> tuple[int, float]:
    """The column since which most speaks for a lasting change, from column `first` on, and how much speaks for it.

    For each split and row: how far three quarters of the samples after it lie beyond both the history and the `recent`
    columns just before, in standard deviations up to CAP; a deviation that does not last counts for nothing. A row's
    gain is the log likelihood ratio of that change against none (Hinkley, Biometrika 57, 1970), with few samples
    counted since neighbours resemble each other; it counts from LEAST_GAIN on and up to MOST_GAIN, so that neither many
    rows that drift nor a single loud one decides. At least `least` columns must be left after a split.
    """
    quiet = usual(values[:, :first], floor)
    last = max(first + 1, values.shape[1] - least + 1)
    with np.errstate(invalid="ignore"):
        far = np.abs(values[:, first:] - quiet.middle[:, None])
        loud = np.nanmax(far, axis=1, initial=0.0) > LOUD * np.minimum(quiet.up, quiet.down)
    middle, up, down, values = quiet.middle[loud], quiet.up[loud], quiet.down[loud], values[loud]
    best, most = first, 0.0
    for split in range(first, last, max(1, (last - first) // SPLITS)):
        level = _quantile(*_ordered(values[:, max(0, split - recent) : split]), 0.5)
        high, low = np.fmax(level, middle)[:, None], np.fmin(level, middle)[:, None]
        after = values[:, split:]
        z = np.maximum(after - high, 0.0) / up[:, None] - np.maximum(low - after, 0.0) / down[:, None]
        ordered, count = _ordered(z)
        lasting = np.maximum(_quantile(ordered, count, 0.25), -_quantile(ordered, count, 0.75))
        gain = np.clip(np.nan_to_num(lasting), 0.0, CAP) ** 2 * np.minimum(count, ENOUGH) / 2
        counted = np.clip(gain - LEAST_GAIN, 0.0, MOST_GAIN)
        steady = np.nan_to_num(np.clip(np.abs(z), 0.0, CAP)).sum(axis=1) / np.maximum(count, 1)
        total = float((counted * (1 + STEADY * steady)).sum())
        if total > most:
            best, most = split, total
    return best, most


def _ordered(values: Matrix) -> tuple[Matrix, Matrix]:
    ordered = np.sort(values, axis=1)
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
