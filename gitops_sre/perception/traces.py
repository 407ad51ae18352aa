"""Time lost between services, from traces: how long a call takes beyond what the called side works on it.

A slow network, a full queue or a starved processor shows in the gap between a caller's span and the span that it
caused, on every call to or from the pod that has it, and on no other. Both ends are suspects of each gap; the common
end of many is the culprit.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from statistics import median

from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import Span

LEAST_CALLS = 4
"""Calls of one kind before and now; fewer say nothing."""
SHORTEST = 1e-5
"""Seconds; clocks differ, so a gap may seem to be negative."""
UNIT = 0.1
"""A change of a gap by 10% is one standard deviation of its median, from day to day."""
FEW = 9
"""Kinds of calls beyond which more of them add nothing."""
Call = tuple[str, str, str]
"""(caller, callee, operation)."""


def read(spans: Sequence[Span], normal: Sequence[Span], at: float) -> tuple[Evidence, ...]:
    """One finding for each service: how much longer calls to and from it wait than in the fault-free reference.

    `at` is the moment that the findings are about.
    """
    usual, now = _gaps(tuple(normal)), _gaps(tuple(spans))
    changes: dict[str, list[tuple[float, Call]]] = defaultdict(list)
    for call, gap in now.items():
        if call in usual:
            grown = math.log(gap / usual[call])
            changes[call[0]].append((grown, call))
            changes[call[1]].append((grown, call))
    return tuple(_evidence(service, grown, usual, now, at) for service, grown in sorted(changes.items()))


@lru_cache(maxsize=4)
def _gaps(spans: tuple[Span, ...]) -> dict[Call, float]:
    """The median gap of each kind of call between services, in seconds."""
    by_id = {span.id: span for span in spans}
    found: dict[Call, list[float]] = defaultdict(list)
    for span in spans:
        parent = by_id.get(span.parent)
        if parent is not None and parent.service != span.service:
            found[parent.service, span.service, span.operation].append(max(parent.duration - span.duration, SHORTEST))
    return {call: median(gaps) for call, gaps in found.items() if len(gaps) >= LEAST_CALLS}


def _evidence(
    service: str, changes: Sequence[tuple[float, Call]], usual: dict[Call, float], now: dict[Call, float], at: float
) -> Evidence:
    mean = sum(grown for grown, _ in changes) / len(changes)
    score = max(0.0, mean) * math.sqrt(min(len(changes), FEW)) / UNIT
    _, worst = max(changes)
    return Evidence(
        id=f"trace_gap/{service}",
        signal="trace_gap",
        subject=service,
        symptom="high" if score > 5 else "normal",
        statement=f"calls to and from {service} wait {math.exp(mean):.2g} times as long as usual; from {worst[0]} to "
        f"{worst[1]} {usual[worst] * 1000:.3g} -> {now[worst] * 1000:.3g} ms beyond the work done",
        at=datetime.fromtimestamp(at, UTC),
        value=now[worst],
        baseline=usual[worst],
        unit="s",
        source="traces",
        score=score,
    )
