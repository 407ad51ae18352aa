"""Where more requests come from: the traffic of each service against that of its callers.

Requests are conserved: a callee gets what its callers send, in proportion. Growth that no caller accounts for enters
there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from gitops_sre.model.evidence import Evidence
from gitops_sre.perception.anomaly import Scores
from gitops_sre.perception.board import Board

MATTERS = 3.0
GROWS = 1.3
"""Times as many requests as before that are called growth."""
FEW = 0.02
"""Requests a second below which proportions mean nothing."""


@dataclass(frozen=True)
class Flow:
    """Requests a second of a service before and since the onset, and how unusual more are (sigmas)."""

    before: float
    after: float
    up: float


def flows(services: Board, scores: Scores) -> dict[str, Flow]:
    """The traffic of each service that has any."""
    found = {}
    for number, row in enumerate(services.rows):
        before, after = float(scores.before[number]), float(scores.after[number])
        if row.signal == "traffic" and np.isfinite(before) and np.isfinite(after) and before > FEW:
            found[row.service] = Flow(before, after, float(scores.up[number]))
    return found


def read(services: Board, scores: Scores, pairs: Iterable[tuple[str, str]], onset: float) -> list[Evidence]:
    """`surge`: the part of all services whose traffic has grown, about everything at once. With a map: `own_traffic`,
    the part of the requests that were not there before, of those whom nobody calls."""
    known = flows(services, scores)
    if not known:
        return []
    grown = [each.after > GROWS * each.before and each.up > MATTERS for each in known.values()]
    share = float(np.mean(grown))
    found = [_evidence("surge", "", share, f"{share:.0%} of all services get more requests than usual", onset)]
    called = {callee for caller, callee in pairs if caller in known and callee in known and caller != callee}
    for name, flow in known.items() if called else ():
        if name not in called:
            more = max(0.0, 1 - flow.before / flow.after) if flow.after > 0 else 0.0
            statement = f"{name}, which nobody calls, gets {flow.after:.3g} req/s, before {flow.before:.3g}"
            found.append(_evidence("own_traffic", name, more * min(1.0, flow.up / MATTERS), statement, onset))
    return found


def _evidence(signal: str, service: str, score: float, statement: str, onset: float) -> Evidence:
    return Evidence(
        id=f"{signal}/{service}" if service else signal,
        signal=signal,
        subject=service,
        symptom="high" if score > 0.3 else "normal",
        statement=statement,
        at=datetime.fromtimestamp(onset, UTC),
        value=score,
        unit="ratio",
        source="service map" if service else "golden signals",
        score=score,
    )
