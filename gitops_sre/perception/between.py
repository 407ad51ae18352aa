"""What callers notice of a callee that says nothing about itself, or that their calls never reach.

Something outside has no telemetry of its own: it is known only by its callers, and their additional waiting is its
additional work, as far as anybody can see. A refused connection is the callers' failure alone, and a quick one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from gitops_sre.model.evidence import Evidence
from gitops_sre.perception.anomaly import Scores
from gitops_sre.perception.board import Board
from gitops_sre.perception.excess import Load

MATTERS = 2.0
LOUD, MUCH = 4.0, 0.7
"""Sigmas of a call's latency, and log ratio of them to those of the callee's work, from which time is lost between."""


def silent(board: Board, services: Board) -> frozenset[str]:
    """Callees of edges that report neither latency nor failures themselves."""
    speaking = {row.service for row in services.rows if row.signal in ("latency", "errors")}
    speaking |= {row.peer for row in board.rows if row.peer and row.side == "server"}
    return frozenset(row.peer for row in board.rows if row.peer and row.side == "client") - speaking


def loads(
    board: Board, scores: Scores, signal: str, traffic: Mapping[str, float], callees: Collection[str]
) -> dict[str, Load]:
    """What the callers of each of `callees` notice, as the callee's own load: on each edge with as many requests as
    the caller has, for calls are seldom counted."""
    edges: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, row in _edges(board, signal):
        if row in callees:
            edges[row, board.rows[number].service].append(number)
    found: dict[str, Load] = {}
    for (callee, caller), numbers in edges.items():
        sure = np.minimum(1.0, scores.up[numbers] / MATTERS)
        requests = traffic.get(caller, 1.0)
        extra = float(np.mean(scores.extra[numbers] * sure)) * requests
        usual = float(np.mean(np.nan_to_num(scores.before[numbers]))) * requests
        old = found.get(callee, Load(0.0))
        found[callee] = Load(old.extra + extra, old.usual + usual, old.requests + requests)
    return found


def loudest(board: Board, scores: Scores, signal: str, callees: Collection[str]) -> dict[str, float]:
    """How unusual calls to each of `callees` are, as all their callers see them (geometric mean)."""
    seen: dict[str, list[int]] = defaultdict(list)
    for number, callee in _edges(board, signal):
        if callee in callees:
            seen[callee].append(number)
    return {callee: _together(scores.up[numbers]) for callee, numbers in seen.items()}


def read(board: Board, scores: Scores, services: Board, of_services: Scores, onset: float) -> list[Evidence]:
    """`outside_latency` and `outside_errors`: how unusual calls to a silent callee are, as all its callers see them
    (geometric mean). `refused`: the part of calls that fail without the callee's knowing."""
    hidden = silent(board, services)
    admitted = _admitted(services, of_services)
    found = [
        _evidence(f"outside_{signal}", callee, score, f"{signal} of calls to {callee}", onset)
        for signal in ("latency", "errors")
        for callee, score in sorted(loudest(board, scores, signal, hidden).items())
    ]
    failing: dict[str, float] = defaultdict(float)
    for number, callee in _edges(board, "errors"):
        failing[callee] = max(failing[callee], _failing(scores, number))
    for callee, part in sorted(failing.items()):
        score = max(0.0, part - admitted.get(callee, 0.0))
        found.append(_evidence("refused", callee, score, f"{score:.0%} of calls never reach {callee}", onset))
    return found


def hubs(board: Board, scores: Scores, services: Board, of_services: Scores, onset: float) -> list[Evidence]:
    """`network_hub`: time is lost on the way of the calls to and from a service, and on no others: the part of all lost
    time (in log sigmas) that its edges have, times the part of its edges that have some. Lost is what a caller waits
    longer without the callee's working longer."""
    works = _loud(services, of_services, "latency")
    hidden = silent(board, services)
    ways: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for number, row in enumerate(board.rows):
        if row.peer and row.signal == "latency" and row.peer not in hidden:  # theirs may be the way or the work
            way = ways[row.service, row.peer]
            way[row.side] = max(way[row.side], float(scores.up[number]))
    lost = {
        pair: max(0.0, float(np.log1p(way["client"]) - np.log1p(way.get("server", works[pair[1]]))))
        for pair, way in ways.items()
        if "client" in way
    }
    total = sum(lost.values())
    if max((ways[pair]["client"] for pair, much in lost.items() if much > MUCH), default=0.0) < LOUD:
        return []
    found = []
    for name in sorted({name for pair in lost for name in pair}):
        mine = [much for pair, much in lost.items() if name in pair]
        score = sum(mine) / total * sum(much > MUCH for much in mine) / len(mine)
        statement = f"of the time that is lost between services, calls to and from {name} lose {sum(mine) / total:.0%}"
        found.append(_evidence("network_hub", name, score, statement, onset))
    return found


def unseen(
    calls: Mapping[tuple[str, str], float],
    board: Board,
    services: Board,
    of_services: Scores,
    pairs: Collection[tuple[str, str]],
    onset: float,
) -> list[Evidence]:
    """`outside_latency` and `outside_errors` of callees on the map that nothing is measured of, not even the calls to
    them: how unusual `calls` (by service and signal, in sigmas) of all their callers are beyond what any other callee
    shows itself."""
    speaking = {row.service for row in services.rows}
    found = []
    for signal in ("latency", "errors"):
        known = _loud(services, of_services, signal)
        measured = {callee for _, callee in _edges(board, signal)}
        for callee in sorted({callee for _, callee in pairs} - speaking - measured):
            beyond = [
                np.log1p(calls[caller, signal])
                - np.log1p(max((known[other] for one, other in pairs if one == caller), default=0.0))
                for caller, name in pairs
                if name == callee and (caller, signal) in calls
            ]
            if beyond:
                score = float(np.expm1(max(0.0, float(np.mean(np.maximum(beyond, 0.0))))))
                statement = f"{signal} of calls by those who call {callee}, which no other callee accounts for"
                found.append(_evidence(f"outside_{signal}", callee, score, statement, onset))
    return found


def expired(board: Board, onset: float, since: float) -> list[Evidence]:
    """`expired`: 1 for a certificate that has run out, or was replaced when it had, since `since` (epoch seconds)."""
    found = []
    column = max(0, board.column(since))
    for number, row in enumerate(board.rows):
        if row.signal != "expiry":
            continue
        before, after = board.values[number, :column], board.values[number, column:]
        held = bool((before[np.isfinite(before)] > 0).any())
        out = bool((after[np.isfinite(after)] <= 0).any())
        score = 1.0 if held and out else 0.0
        found.append(_evidence("expired", row.service, score, f"the certificate of {row.service} runs out", onset))
    return found


def _loud(services: Board, scores: Scores, signal: str) -> dict[str, float]:
    """How unusual each service itself is in a signal."""
    found: dict[str, float] = defaultdict(float)
    for number, row in enumerate(services.rows):
        if row.signal == signal:
            found[row.service] = max(found[row.service], float(scores.up[number]))
    return found


def _edges(board: Board, signal: str) -> Iterator[tuple[int, str]]:
    return ((n, r.peer) for n, r in enumerate(board.rows) if r.peer and r.side == "client" and r.signal == signal)


def _admitted(services: Board, scores: Scores) -> dict[str, float]:
    """The part of requests that services say they fail."""
    found: dict[str, float] = {}
    for number, row in enumerate(services.rows):
        if row.signal == "errors" and np.isfinite(scores.after[number]):
            found[row.service] = max(found.get(row.service, 0.0), float(scores.after[number]))
    return found


def _failing(scores: Scores, number: int) -> float:
    after = float(scores.after[number])
    return after if np.isfinite(after) and scores.up[number] > MATTERS else 0.0


def _together(values: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(np.expm1(np.log1p(np.asarray(values)).mean()))


def _evidence(signal: str, callee: str, score: float, statement: str, onset: float) -> Evidence:
    return Evidence(
        id=f"{signal}/{callee}",
        signal=signal,
        subject=callee,
        symptom="high"
        if score >= MATTERS or (signal in ("refused", "expired", "network_hub") and score > 0.5)
        else "normal",
        statement=statement,
        at=datetime.fromtimestamp(onset, UTC),
        value=score,
        source="edges",
        score=score,
    )
