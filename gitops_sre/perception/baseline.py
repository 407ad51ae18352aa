"""Is a series different from its quiet time, in which direction, and since when? Robust statistics, pure.

Median and MAD instead of mean and deviation: up to half of the baseline may be spoilt by an earlier incident without
moving them much (Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", JASA 88, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import median
from typing import Literal

Samples = Sequence[tuple[float, float]]
"""(epoch seconds, value), in order of time."""

Direction = Literal["high", "low", "normal"]

MAD_TO_SIGMA = 1.4826
"""MAD of a normal distribution times this is its standard deviation."""
SIGMAS = 4.0
MIN_BASELINE = 5
"""Fewer samples say nothing about what is usual."""
RECENT = 3
"""Samples whose median is the value now, and that in a row make a deviation sustained."""


@dataclass(frozen=True)
class Sensitivity:
    """What counts as different. `floor` is the least absolute difference (in the signal's unit), `ratio` the least
    relative one (2: twice or half). Both must be passed besides the noise, since a quiet series has next to none."""

    floor: float
    ratio: float


@dataclass(frozen=True)
class Usual:
    """The quiet time: its middle and its spread (as a standard deviation)."""

    middle: float
    spread: float

    def direction(self, value: float, sensitivity: Sensitivity) -> Direction:
        """Where a value lies."""
        gap = value - self.middle
        if abs(gap) <= max(SIGMAS * self.spread, sensitivity.floor):
            return "normal"
        if gap > 0:
            return "high" if value >= self.middle * sensitivity.ratio else "normal"
        return "low" if value * sensitivity.ratio <= self.middle else "normal"


@dataclass(frozen=True)
class Shift:
    """Where a series is now. `since` is the first sample of the sustained deviation (epoch seconds); `touched` is the
    share of the samples since the onset that deviate, 0..1."""

    direction: Direction
    value: float
    since: float | None
    touched: float


def usual(samples: Samples, start: float, end: float) -> Usual | None:
    """The baseline from the samples in `start`..`end`; None when there are too few."""
    values = [value for at, value in samples if start <= at <= end]
    if len(values) < MIN_BASELINE:
        return None
    middle = median(values)
    return Usual(middle, MAD_TO_SIGMA * median(abs(value - middle) for value in values))


def shift(samples: Samples, quiet: Usual, sensitivity: Sensitivity, after: float, onset: float) -> Shift:
    """Compare what came after the quiet time (`after`) with it. `samples` must not be empty.

    The value now is the median of the last samples since `onset`, so that one outlier is no symptom, and what was
    before the onset does not hide what began just now.
    """
    value = median(recent(samples, onset))
    direction = quiet.direction(value, sensitivity)
    later = [(at, quiet.direction(sample, sensitivity)) for at, sample in samples if at > after]
    since_onset = [way for at, way in later if at >= onset]
    touched = sum(way != "normal" for way in since_onset) / len(since_onset) if since_onset else 0.0
    return Shift(direction, value, None if direction == "normal" else _since(later, direction), touched)


def recent(samples: Samples, onset: float) -> list[float]:
    """The last few values since the onset; the very last one when there is none."""
    return [value for at, value in samples[-RECENT:] if at >= onset] or [samples[-1][1]]


def _since(ways: Sequence[tuple[float, Direction]], direction: Direction) -> float | None:
    """The first of `RECENT` deviating samples in a row, or of as many as there are at the very end."""
    row: list[float] = []
    for at, way in ways:
        row = [*row, at] if way == direction else []
        if len(row) == RECENT:
            return row[0]
    tail = list(takewhile(lambda pair: pair[1] == direction, reversed(ways)))
    return tail[-1][0] if tail else None
