"""Latency distributions over time as a few quantiles, with what a call graph needs: sums and mixtures."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WEIGHTS: Array = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.06, 0.05, 0.04, 0.03, 0.015, 0.005])
LEVELS: Array = np.cumsum(WEIGHTS) - WEIGHTS / 2
NORMAL: Array = np.array([NormalDist().inv_cdf(float(level)) for level in LEVELS])


def lognormal(median: Array, sigma: float) -> Array:
    """Quantiles (levels x times) of a lognormal variable with the given medians."""
    return np.asarray(np.exp(sigma * NORMAL)[:, None] * median[None, :], dtype=np.float64)


def added(parts: list[Array]) -> Array:
    """Quantiles of a sum of independent waits: medians add, deviations from the median add in quadrature on each
    side."""
    middle = [_median(part) for part in parts]
    spread = np.sqrt(sum((part - centre) ** 2 for part, centre in zip(parts, middle, strict=True)))
    total = sum(middle) + np.sign(NORMAL)[:, None] * spread
    return np.asarray(np.maximum(total, sum(part[0] for part in parts)[None, :]), dtype=np.float64)


def mixed(parts: list[Array], weights: Array) -> Array:
    """Quantiles of a mixture; `weights` is parts x times and needs no normalising."""
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate(parts)
    mass = np.repeat(np.maximum(weights, 1e-9), len(LEVELS), axis=0) * np.tile(WEIGHTS, len(parts))[:, None]
    order = np.argsort(values, axis=0)
    values = np.take_along_axis(values, order, axis=0)
    below = np.cumsum(np.take_along_axis(mass, order, axis=0), axis=0)
    below /= below[-1]
    places = np.stack([np.minimum((below < level).sum(axis=0), len(values) - 1) for level in LEVELS])
    return np.asarray(np.take_along_axis(values, places, axis=0), dtype=np.float64)


def repeated(part: Array, times: float) -> Array:
    """Quantiles of the time all calls of one request take: several calls in a row, or only some of the requests
    call."""
    if times >= 1:
        centre = _median(part)
        wide = times * centre + np.sqrt(times) * (part - centre)
        return np.asarray(np.maximum(wide, times * part[0]), dtype=np.float64)
    length = part.shape[1]
    return mixed([part, np.zeros_like(part)], np.stack([np.full(length, times), np.full(length, 1 - times)]))


def at(part: Array, level: Array) -> Array:
    """The value at one level per time, between the kept quantiles linearly."""
    right = np.clip(np.searchsorted(LEVELS, level), 1, len(LEVELS) - 1)
    share = np.clip((level - LEVELS[right - 1]) / (LEVELS[right] - LEVELS[right - 1]), 0, 1.6)
    columns = np.arange(part.shape[1])
    low, high = part[right - 1, columns], part[right, columns]
    return np.asarray(np.maximum(low + share * (high - low), 0), dtype=np.float64)


def mean(part: Array) -> Array:
    return np.asarray(WEIGHTS @ part, dtype=np.float64)


def above(part: Array, limit: float) -> Array:
    """Share of requests that take longer than `limit` seconds."""
    return np.asarray(WEIGHTS @ (part > limit), dtype=np.float64)


def _median(part: Array) -> Array:
    return np.asarray((part[4] + part[5]) / 2, dtype=np.float64)
