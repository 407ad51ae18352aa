"""Which queries are asked first, and how many at most."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitops_sre.model.evidence import Answer, Query
from gitops_sre.model.outcome import Unavailable
from gitops_sre.ports import Metrics

MAX_POINTS = 2_000
"""Samples a series; a longer range is asked with a larger step."""


@dataclass(frozen=True)
class Budget:
    """What an investigation may ask: `queries` in all, `points` a series, and so many queries `at_once`."""

    queries: int = 120
    points: int = MAX_POINTS
    at_once: int = 24


@dataclass(frozen=True)
class Plan:
    """Queries in waves, those that tell most for least first. `left_out` are the ids that the budget has no room for,
    so that whoever concludes something knows what was not looked at."""

    waves: tuple[tuple[Query, ...], ...]
    left_out: tuple[str, ...] = ()


def gather(plan: Plan, metrics: Metrics) -> Iterator[tuple[Answer | Unavailable, ...]]:
    """The answers wave by wave, each wave asked in parallel when it is wanted: whoever has seen enough stops."""
    for wave in plan.waves:
        yield metrics.ask(wave)


def waves(queries: Sequence[tuple[int, Query]], budget: Budget) -> Plan:
    """Queries with their costs, most telling first, as waves: none mixes costs or exceeds `at_once`."""
    kept = sorted(queries, key=lambda pair: pair[0])
    cut = tuple(query.id for _, query in kept[budget.queries :])
    found: list[tuple[Query, ...]] = []
    for cost in sorted({cost for cost, _ in kept}):
        same = [query for each, query in kept[: budget.queries] if each == cost]
        found += [tuple(same[at : at + budget.at_once]) for at in range(0, len(same), budget.at_once)]
    return Plan(tuple(found), cut)


def ranged(query: Query, points: int = MAX_POINTS) -> Query:
    """The query with a sample exactly at its end, and not more than `points` steps: the step grows with the range."""
    seconds = max((query.end - query.start).total_seconds(), query.step)
    step = query.step * max(1, math.ceil(seconds / points / query.step))
    start = query.end - timedelta(seconds=math.ceil(seconds / step) * step)
    return replace(query, start=start, step=step)


@dataclass(frozen=True)
class Range:
    """From when to when, how finely, and the range of rates; `step` and `window` in seconds. `matchers` narrow every
    selector (see promql.where). `environment` and `namespaces` (names or globs) narrow it further, as far as a preset
    has labels for them: what says that it is elsewhere is left out, what does not say where it is is not."""

    start: datetime
    end: datetime
    step: float
    window: float
    matchers: str = ""
    environment: str = ""
    namespaces: tuple[str, ...] = ()
