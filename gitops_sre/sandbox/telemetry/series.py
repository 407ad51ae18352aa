"""Time series of the shop: identity, one tick's samples, and how a sample is rounded everywhere alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by name; the metric's name is the pair `__name__` where a label set carries it."""

DECIMALS = 4
"""Every sample is rounded to this many decimals before it is stored or written, so that all backends hold the
same numbers."""


@dataclass(frozen=True, eq=False)
class Series:
    """One time series. Two are the same only if they are the same object: whoever makes them makes each once.

    `text` is how the series stands in both exposition formats, `name{label="value",...}`.
    """

    name: str
    labels: Labels
    text: str


def series(name: str, **labels: str) -> Series:
    """Make the series `name` with `labels` (values are plain: no quotes, backslashes or line ends)."""
    pairs = tuple(sorted(labels.items()))
    inner = ",".join(f'{key}="{value}"' for key, value in pairs)
    return Series(name, pairs, f"{name}{{{inner}}}")


class Tick(NamedTuple):
    """All samples of one instant; `at` is in Unix seconds, to the millisecond."""

    at: float
    samples: list[tuple[Series, float]]
