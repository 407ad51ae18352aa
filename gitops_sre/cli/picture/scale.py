"""Axes: from values to pixels, round ticks, amounts in units that read well. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate

HIGHEST = 1e15
"""Values beyond it are drawn at the edge: no telemetry is that large, and axes must not overflow."""
_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Distances of ticks on a clock."""


@dataclass(frozen=True)
class Scale:
    """A linear map of `low`..`high` to the pixels `start`..`end`; what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value, to a tenth."""
        span = self.high - self.low
        share = (value - self.low) / span if span > 0 else 0.5
        return round(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), 1)


def limits(values: Sequence[float]) -> tuple[float, float]:
    """The least and the greatest value for an axis; from 0 on, unless that would flatten what there is to see."""
    known = [min(max(value, -HIGHEST), HIGHEST) for value in values if not math.isnan(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if 0 <= low <= 0.7 * high:
        low = 0.0
    if high - low <= 1e-9 * max(abs(high), abs(low)):
        low, high = min(0.0, 2 * low), max(2 * high, 0.0) or float(low == 0)
    return low, high


def ticks(low: float, high: float, most: int = 3, unit: str = "") -> tuple[float, ...]:
    """At least two and about `most` round values in `low`..`high`: multiples of 1, 2 or 5 times a power of ten; of KiB,
    MiB and so on where the unit is bytes."""
    if not high > low:
        return (low,)
    if unit.startswith("bytes") and max(abs(low), abs(high)) >= 1024:
        size = 1024.0 ** min(4, int(math.log2(max(abs(low), abs(high))) // 10))
        return tuple(value * size for value in ticks(low / size, high / size, most))
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last - first < 1:
        return ticks(low, high, most + 1)
    return tuple(number * step for number in range(first, last + 1))


def clock_ticks(begin: float, end: float, most: int = 7) -> tuple[float, ...]:
    """Round moments in `begin`..`end` (epoch seconds, UTC)."""
    rough = max(end - begin, 1.0) / most
    place = bisect_left(_SECONDS, rough)
    step = _SECONDS[place] if place < len(_SECONDS) else math.ceil(rough / 86400) * 86400
    return tuple(float(number * step) for number in range(math.ceil(begin / step), math.floor(end / step) + 1))


def clock(at: float, *, seconds: bool = False) -> str:
    """A moment of a day in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S" if seconds else "%H:%M")


def date_clock(at: float) -> str:
    """Month, day and moment in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %H:%M")


def amount(value: float, unit: str = "", *, bare: bool = False) -> str:
    """A value with its unit; `bare` leaves out one that is a mere word."""
    if unit == "ratio":
        return f"{_short(100 * value)}%"
    if unit == "percent":
        return f"{_short(value)}%"
    if unit == "s":
        return _seconds(value)
    if unit in ("bytes", "bytes/s"):
        return _bytes(value) + unit.removeprefix("bytes")
    return f"{_short(value)} {'' if bare else unit}".rstrip()


def _short(value: float) -> str:
    """Three digits, thousands as k, M, G."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _seconds(value: float) -> str:
    if abs(value) >= 172_800:
        return f"{value / 86400:.3g} d"
    if abs(value) >= 7200:
        return f"{value / 3600:.3g} h"
    if abs(value) >= 120:
        return f"{value / 60:.3g} min"
    if abs(value) >= 1 or value == 0:
        return f"{value:.3g} s"
    return f"{1000 * value:.3g} ms" if abs(value) >= 1e-3 else f"{1e6 * value:.3g} µs"


def _bytes(value: float) -> str:
    for power, letter in ((4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
        if abs(value) >= 1024**power:
            return f"{value / 1024**power:.3g} {letter}B"
    return f"{value:.3g} B"


def spread(
    wanted: Sequence[float], gaps: float | Sequence[float], low: float = -math.inf, high: float = math.inf
) -> list[float]:
    """Places in the order given, as near to the `wanted` ones as they can be with at least a gap between neighbours, in
    the least-squares sense (isotonic regression by pooling adjacent violators; Ayer et al., 1955), within `low`..`high`
    where that has room for them. `gaps` is one for all, or one for each place: how far it stays from the one before."""
    each = [gaps] * len(wanted) if isinstance(gaps, float) else list(gaps)
    offsets = list(accumulate([0.0, *each[1:]]))[: len(wanted)]
    pools: list[tuple[float, int]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        mean, size = place - offset, 1
        while pools and pools[-1][0] >= mean:
            before, count = pools.pop()
            mean, size = (mean * size + before * count) / (size + count), size + count
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    top = high - (offsets[-1] if offsets else 0.0)
    return [max(low, min(mean, top)) + offset for mean, offset in zip(flat, offsets, strict=True)]


def shorten(text: str, most: int) -> str:
    """A long name with its middle left out: what tells names apart stands at either end."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
