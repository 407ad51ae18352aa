"""Axes: from values to pixels, round ticks, amounts in units that read well. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

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
        low, high = (0.0, 2 * high) if high > 0 else (low - 1, high + 1)
    return low, high


def ticks(low: float, high: float, most: int = 3) -> tuple[float, ...]:
    """At most `most` + 1 round values in `low`..`high`: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return (low,)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return tuple(number * step for number in range(first, math.floor(high / step + 1e-9) + 1))


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


def amount(value: float, unit: str = "") -> str:
    """A value with its unit."""
    if unit == "ratio":
        return f"{_short(100 * value)}%"
    if unit == "percent":
        return f"{_short(value)}%"
    if unit == "s":
        return _seconds(value)
    if unit in ("bytes", "bytes/s"):
        return _bytes(value) + unit.removeprefix("bytes")
    return f"{_short(value)} {unit}".rstrip()


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


def spread(wanted: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """Places as near to the `wanted` ones (ascending) as they can be with at least `gap` between neighbours, in the
    least-squares sense (isotonic regression by pooling adjacent violators; Ayer et al., 1955), within `low`..`high`
    where that has room for them."""
    pools: list[tuple[float, int]] = []
    for number, place in enumerate(wanted):
        mean, size = place - number * gap, 1
        while pools and pools[-1][0] >= mean:
            before, count = pools.pop()
            mean, size = (mean * size + before * count) / (size + count), size + count
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    top = high - gap * (len(flat) - 1)
    return [max(low, min(mean, top)) + number * gap for number, mean in enumerate(flat)]


def shorten(text: str, most: int) -> str:
    """A long name with its middle left out: what tells names apart stands at either end."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
