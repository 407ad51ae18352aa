"""Edges guessed from traffic that moves together, for services of which nothing else tells.

What calls something makes its traffic: changes of traffic from one sample to the next go along. So do those of services
that share a caller, and which of two calls the other traffic does not say. Therefore little is taken for an edge: the
correlation must be beyond chance among all pairs, there must be no service through which the two are more strongly
connected, and one must be slower, as a caller that waits is. Still it is a guess: on a recorded system whose calls are
known (40 services, 40 calls) a third of such edges were calls, another quarter led there through others, one in twenty
was the wrong way round. The confidence stays below what reasoning goes by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from gitops_sre.model.servicemap import Edge, ServiceMap, Sighting
from gitops_sre.model.telemetry import Measure
from gitops_sre.perception.board import Board, Matrix, by_service, lay
from gitops_sre.perception.servicemap.measured import STATISTICS
from gitops_sre.perception.servicemap.merging import of_edges

AT_MOST = 0.45
"""Confidence of a perfect correlation whose direction is beyond doubt."""
LEAST_CONFIDENCE = 0.15
"""A guess below this is none."""
CHANCE = 0.01
"""Probability that any pair at all is taken for connected by chance."""
LEAST_CORRELATION = 0.3
LEAST_SAMPLES = 30
KNOWN_SHARE = 2 / 3
"""Part of the samples that a service must have, so that there are changes from one to the next."""
MAX_SERVICES = 300
LAG = 1
"""Samples by which two may lag behind each other: scrapes are not aligned."""
MEMORY = 5
"""Samples over which a series resembles itself, which makes its samples count less."""
LOUDEST = 4.0
"""Robust standard deviations that a single change counts for at most."""


@dataclass(frozen=True, eq=False)
class _Moving:
    """Services with `changes[service, sample]` of their traffic, standardised, and their usual latency (NaN: none)."""

    names: tuple[str, ...]
    changes: Matrix
    latency: Matrix


def from_movement(
    measures: Iterable[Measure], quiet_from: float, quiet_until: float, known: Collection[str] = ()
) -> ServiceMap:
    """Edges between services of which at least one is not `known` to better sources. Times are epoch seconds."""
    golden = [row for row in measures if row.signal in ("traffic", "latency") and not row.peer and row.side != "client"]
    if not {row.service for row in golden if row.signal == "traffic"} - set(known):
        return ServiceMap()
    moving = _moving(by_service(lay(golden, quiet_from, quiet_until), ("traffic", "latency")))
    if moving is None:
        return ServiceMap()
    together = correlation(moving.changes)
    taken = _beyond_chance(together, moving.changes) & _nearest(together)
    with np.errstate(divide="ignore", invalid="ignore"):
        slower = moving.latency[:, None] / (moving.latency[:, None] + moving.latency[None, :])
    confidence = np.where(taken & (slower > 1 / 2), AT_MOST * together * slower, 0.0)
    new = np.array([name not in known for name in moving.names])
    callers, callees = np.nonzero((confidence >= LEAST_CONFIDENCE) & (new[:, None] | new[None, :]))
    return of_edges(
        Edge(
            moving.names[caller],
            moving.names[callee],
            (Sighting("correlation", float(confidence[caller, callee]), quiet_until),),
        )
        for caller, callee in zip(callers.tolist(), callees.tolist(), strict=True)
    )


def correlation(changes: Matrix) -> Matrix:
    """How strongly rows go along, at the lag up to LAG at which they do most; 0 for a row with itself."""
    count = changes.shape[1]
    best = changes @ changes.T / count
    for lag in range(1, LAG + 1):
        late = changes[:, :-lag] @ changes[:, lag:].T / (count - lag)
        best = np.maximum(best, np.maximum(late, late.T))
    np.fill_diagonal(best, 0.0)
    return np.asarray(np.clip(best, 0.0, 0.999))


def _beyond_chance(together: Matrix, changes: Matrix) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Fisher's z test (Metron 1, 1921) for as many pairs and lags as there are, with as many samples as count when each
    resembles its neighbours (Bartlett, Journal of the Royal Statistical Society 98, 1935)."""
    services, count = changes.shape
    itself = np.stack([(changes[:, :-lag] * changes[:, lag:]).mean(axis=1) for lag in range(1, MEMORY + 1)], axis=1)
    counted = count / np.maximum(1.0, 1 + 2 * itself @ itself.T)
    z = np.arctanh(together) * np.sqrt(np.maximum(counted - 3, 0.0))
    tests = max(1, services * (services - 1) // 2 * (2 * LAG + 1))
    return np.asarray((z > NormalDist().inv_cdf(1 - CHANCE / tests)) & (together >= LEAST_CORRELATION))


def _nearest(together: Matrix) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Pairs that no third service connects more strongly: what goes through another is weaker than either part (data
    processing inequality, as in ARACNE; Margolin et al., BMC Bioinformatics 7, 2006)."""
    through = np.zeros_like(together)
    for row in together:
        np.maximum(through, np.minimum(row[:, None], row[None, :]), out=through)
    return together >= through


def _moving(board: Board) -> _Moving | None:
    """What moves at all, the busiest first where there is too much; None where there is too little."""
    traffic = [number for number, row in enumerate(board.rows) if row.signal == "traffic" and _moves(board, number)]
    traffic.sort(key=lambda number: (-float(np.nanmedian(board.values[number])), board.rows[number].service))
    kept = traffic[:MAX_SERVICES]
    if len(kept) < 2 or board.values.shape[1] <= LEAST_SAMPLES:
        return None
    names = tuple(board.rows[number].service for number in kept)
    usual = _latencies(board)
    latency = np.array([usual.get(name, np.nan) for name in names])
    return _Moving(names, _changes(board.values[kept]), latency)


def _moves(board: Board, number: int) -> bool:
    row = board.values[number]
    some = row[np.isfinite(row)]
    return bool(some.size > KNOWN_SHARE * row.size and some.min() < some.max())


def _changes(traffic: Matrix) -> Matrix:
    """Relative changes from sample to sample, in standard deviations, without outliers; 0 where one is unknown."""
    floor = 0.05 * np.nanmean(np.abs(traffic), axis=1, keepdims=True)
    steps = np.diff(np.log(np.maximum(traffic, 0.0) + floor), axis=1)
    middle = np.nanmedian(steps, axis=1, keepdims=True)
    spread = 1.4826 * np.nanmedian(np.abs(steps - middle), axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.nan_to_num(np.clip((steps - middle) / spread, -LOUDEST, LOUDEST))
    steps -= steps.mean(axis=1, keepdims=True)
    return np.asarray(steps / np.maximum(steps.std(axis=1, keepdims=True), 1e-12))


def _latencies(board: Board) -> dict[str, float]:
    """Each service's usual latency, by the statistic that most services have: others cannot be compared."""
    rows = [
        (row.stat, row.service, number)
        for number, row in enumerate(board.rows)
        if row.signal == "latency" and np.isfinite(board.values[number]).any()
    ]
    counts = Counter(stat for stat, _, _ in rows)
    best = max(counts, key=lambda stat: (counts[stat], -_place(stat), stat), default="")
    return {service: float(np.nanmedian(board.values[number])) for stat, service, number in rows if stat == best}


def _place(stat: str) -> int:
    return STATISTICS.index(stat) if stat in STATISTICS else len(STATISTICS)
