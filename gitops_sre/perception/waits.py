"""Which part of a service's trouble is its own, by what the service itself measured of the calls that it makes.

A victim's own calls are as slow, or fail as often, as it does; the culprit's are as usual. That needs no service map.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from gitops_sre.model.evidence import Evidence
from gitops_sre.perception.anomaly import Scores
from gitops_sre.perception.board import Board, Matrix, by_service
from gitops_sre.perception.excess import Own

FAN = 3.0
"""A request makes several calls, and each that fails may fail it: failures of calls count so many times."""
AMONG = 6.0
"""The calls that are in trouble are mixed with others that are not: what calls account for counts so many times."""
MATTERS = 2.0

Key = tuple[str, str]
"""(service, signal)"""


@dataclass(frozen=True)
class Waits:
    """By (service, signal), for those who measured their own calls: the most, 0..1, that may be the service's own
    `parts` of what is additional, and how unusual its `calls` are (sigmas)."""

    parts: Mapping[Key, float]
    calls: Mapping[Key, float]

    def of(self, signal: str) -> dict[str, float]:
        """The parts of one signal."""
        return {service: part for (service, name), part in self.parts.items() if name == signal}


def read(board: Board, services: Board, served: Scores, scored: Callable[[Board], Scores]) -> Waits:
    """For latency and errors of each service that measured its calls: the part of what is additional since the onset
    that its calls do not account for. `services` and `served` are its own rows and their scores;
    `scored` scores others in the same way.

    Whoever makes several calls in a row waits longer than for one: at most as many times as its usual latency is that
    of a call.
    """
    calls = _calls(board)
    if not calls.rows:
        return Waits({}, {})
    waited = scored(calls)
    theirs = {(row.service, row.signal, row.stat): number for number, row in enumerate(calls.rows)}
    parts: dict[Key, list[float]] = defaultdict(list)
    for number, row in enumerate(services.rows):
        other = theirs.get((row.service, row.signal, row.stat))
        if other is None or served.extra[number] <= 0:
            continue
        sure = min(1.0, float(waited.up[other]) / MATTERS)
        times = FAN if row.signal == "errors" else _times(served.before[number], waited.before[other])
        passed_on = times * sure * float(waited.extra[other]) / float(served.extra[number])
        parts[row.service, row.signal].append(max(0.0, 1.0 - AMONG * passed_on))
    loud: dict[Key, float] = defaultdict(float)
    for number, row in enumerate(calls.rows):
        loud[row.service, row.signal] = max(loud[row.service, row.signal], float(waited.up[number]))
    return Waits({key: float(np.mean(values)) for key, values in parts.items()}, loud)


def outside(waits: Waits, signal: str, owns: Mapping[str, Own], onset: float) -> list[Evidence]:
    """`waits_outside`: a service waits, or its calls fail, more than all others' do, and nobody is known to be the
    reason: the part of what is additional that is nobody's own."""
    nobody = max(0.0, 1.0 - sum(own.share for own in owns.values()))
    most = max((sigmas for (_, name), sigmas in waits.calls.items() if name == signal), default=0.0)
    if most < MATTERS:
        return []
    return [
        Evidence(
            id=f"waits_outside_{signal}/{service}",
            signal="waits_outside",
            subject=service,
            symptom="high" if nobody > 0.5 else "normal",
            statement=f"calls of {service} lie {sigmas:.3g} sigmas off in {signal}, and no known callee is the reason",
            at=datetime.fromtimestamp(onset, UTC),
            value=nobody,
            unit="ratio",
            source="golden signals",
            score=nobody * (1 - waits.parts.get((service, signal), 1.0)) * sigmas / most,
        )
        for (service, name), sigmas in waits.calls.items()
        if name == signal
    ]


def _calls(board: Board) -> Board:
    """What each service measured of all its calls together."""
    numbers = [n for n, row in enumerate(board.rows) if row.side == "client" and not row.peer]
    rows = tuple(replace(board.rows[number], side="") for number in numbers)
    return by_service(replace(board, rows=rows, values=board.values[numbers]), ("latency", "errors"))


def _times(served: Matrix, waited: Matrix) -> float:
    """How many calls in a row may lie in one request."""
    if not (np.isfinite(served) and np.isfinite(waited) and waited > 0):
        return 1.0
    return float(np.clip(served / waited, 1.0, FAN))
