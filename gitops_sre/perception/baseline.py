"""Is a series different from its quiet time, in which direction, and since when? Robust statistics, pure.

Median and MAD instead of mean and deviation: up to half of the baseline may be spoilt by an earlier incident without
moving them much (Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", JASA 88, 1993).
"""

from __future__ import annotations

import math
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
LEAST_RUN = 3


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
    """Where a series is now; no direction while the last samples disagree, so while something begins or ends. `since`
    is the first sample of the sustained deviation (epoch seconds); `touched` is the share of the samples since the
    onset that deviate, 0..1."""

    direction: Direction | None
    value: float
    since: float | None
    touched: float


def run_length(window: float, step: float) -> int:
    """Samples that must agree before something is the case (both in seconds): a rate over `window` shows what happened
    in a single moment for as long as the window, and that is not sustained."""
    return max(LEAST_RUN, math.ceil(window / step) + 1)


def usual(samples: Samples, start: float, end: float) -> Usual | None:
    """The baseline from the samples in `start`..`end`; None when there are too few."""
    values = [value for at, value in samples if start <= at <= end]
    if len(values) < MIN_BASELINE:
        return None
    middle = median(values)
    return Usual(middle, MAD_TO_SIGMA * median(abs(value - middle) for value in values))


def shift(samples: Samples, quiet: Usual, sensitivity: Sensitivity, run: int, after: float, onset: float) -> Shift:
    """Compare what came after the quiet time (`after`) with it. `samples` is not empty; `run` of them must agree."""
    latest = {quiet.direction(value, sensitivity) for _, value in samples[-run:]}
    direction = latest.pop() if len(latest) == 1 else None
    later = [(at, quiet.direction(sample, sensitivity)) for at, sample in samples if at > after]
    since_onset = [way for at, way in later if at >= onset]
    touched = sum(way != "normal" for way in since_onset) / len(since_onset) if since_onset else 0.0
    since = _since(later, direction, run) if direction in ("high", "low") else None
    return Shift(direction, now(samples, run), since, touched)


def now(samples: Samples, run: int) -> float:
    """The median of the last values: no outlier."""
    return median(value for _, value in samples[-run:])


def _since(ways: Sequence[tuple[float, Direction]], direction: Direction | None, run: int) -> float | None:
    """The first of `run` deviating samples in a row, or of as many as there are at the very end."""
    row: list[float] = []
    for at, way in ways:
        row = [*row, at] if way == direction else []
        if len(row) == run:
            return row[0]
    tail = list(takewhile(lambda pair: pair[1] == direction, reversed(ways)))
    return tail[-1][0] if tail else None
