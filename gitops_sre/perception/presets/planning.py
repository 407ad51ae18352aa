"""Which queries are asked first, and how many at most."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from gitops_sre.model.evidence import Query

MAX_POINTS = 2_000
"""Samples a series; a longer range is asked with a larger step."""


def ranged(name: str, expr: str, start: datetime, end: datetime, step: float, unit: str) -> Query:
    """A range query that has a sample exactly at `end`, and not too many in all."""
    seconds = max((end - start).total_seconds(), step)
    coarse = step * max(1, math.ceil(seconds / MAX_POINTS / step))
    count = math.ceil(seconds / coarse)
    return Query(name, expr, end - timedelta(seconds=count * coarse), end, coarse, unit)
