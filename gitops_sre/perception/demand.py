"""Where requests come from, and where they do not arrive: the traffic of each service against that of its callers.

Requests are conserved: a callee gets what its callers send, in proportion. Growth that no caller accounts for enters
there. A callee that gets less than its callers' traffic says is not reached, or not called any more; one that gets more
is asked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
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
    """Requests a second of a service before and since the onset, and how unusual more, or fewer, are (sigmas)."""

    before: float
    after: float
    up: float
    down: float


def flows(services: Board, scores: Scores) -> dict[str, Flow]:
    """The traffic of each service that has any."""
    found = {}
    for number, row in enumerate(services.rows):
        before, after = float(scores.before[number]), float(scores.after[number])
        if row.signal == "traffic" and np.isfinite(before) and np.isfinite(after) and before > FEW:
            found[row.service] = Flow(before, after, float(scores.up[number]), float(scores.down[number]))
    return found


def read(services: Board, scores: Scores, pairs: Iterable[tuple[str, str]], onset: float) -> list[Evidence]:
    """`surge`: the part of all services whose traffic has grown, about everything at once. With a map: `own_traffic`,
    the part of a service's requests that neither were there before nor come from its callers; `unreached`, the part
    that its callers' traffic lets expect and that does not arrive; `withheld`, the same at the caller of such; and
    `asked_again`, requests beyond what they let expect; `cut_off` where next to nothing arrives, without a map of what
    most services get."""
    known = flows(services, scores)
    if not known:
        return []
    usual = float(np.median([each.after / each.before for each in known.values()]))
    grown = [each.after > GROWS * each.before and each.up > MATTERS for each in known.values()]
    share = float(np.mean(grown))
    found = [_evidence("surge", "", share, f"{share:.0%} of all services get more requests than usual", onset)]
    callers: dict[str, set[str]] = defaultdict(set)
    for caller, callee in pairs:
        if caller in known and callee in known and caller != callee:
            callers[callee].add(caller)
    if not callers:
        return found + [_cut_off(name, each, each.before * max(usual, 1.0), onset) for name, each in known.items()]
    missing: dict[str, float] = {}
    for name, flow in known.items():
        expected = flow.before * _growth([known[each] for each in callers[name]])
        more = max(0.0, 1 - expected / flow.after) if flow.after > 0 else 0.0
        signal = "asked_again" if callers[name] else "own_traffic"
        statement = f"{name} gets {flow.after:.3g} req/s, its callers let expect {expected:.3g}"
        found.append(_evidence(signal, name, more * min(1.0, flow.up / MATTERS), statement, onset))
        if callers[name]:
            missing[name] = max(0.0, 1 - flow.after / max(expected, FEW))
            score = missing[name] * min(1.0, flow.down / MATTERS)
            found.append(_evidence("unreached", name, score, statement, onset))
            found.append(_cut_off(name, flow, expected, onset))
    return found + _withheld(missing, callers, onset)


def _cut_off(name: str, flow: Flow, expected: float, onset: float) -> Evidence:
    """Next to nothing arrives where much was to be expected: 0 for two thirds of it, 1 for nothing."""
    missing = max(0.0, 1 - flow.after / max(expected, FEW))
    statement = f"{name} gets {flow.after:.3g} req/s of {expected:.3g} to be expected"
    return _evidence("cut_off", name, max(0.0, 3 * missing - 2) * min(1.0, flow.down / MATTERS), statement, onset)


def _growth(callers: list[Flow]) -> float:
    before = sum(each.before for each in callers)
    return sum(each.after for each in callers) / before if before > 0 else 1.0


def _withheld(missing: Mapping[str, float], callers: Mapping[str, set[str]], onset: float) -> list[Evidence]:
    """A caller all of whose callees, those that nobody else calls first, miss requests does not call any more."""
    below: dict[str, list[str]] = defaultdict(list)
    for callee in missing:
        for caller in callers[callee]:
            below[caller].append(callee)
    found = []
    for caller, callees in sorted(below.items()):
        alone = [each for each in callees if len(callers[each]) == 1] or callees
        score = min(missing[each] for each in alone)
        statement = f"{caller} sends {score:.0%} less than usual for its traffic to each that it calls"
        found.append(_evidence("withheld", caller, score, statement, onset))
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
