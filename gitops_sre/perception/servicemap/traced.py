"""Edges from traces: a span whose parent belongs to another service is a call, seen from both ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import median
from typing import NamedTuple

from gitops_sre.model.servicemap import Baseline, Edge, ServiceMap, Sighting
from gitops_sre.model.telemetry import Span
from gitops_sre.perception.servicemap.merging import of_edges

SURE = 0.99
"""That a call which one trace shows from both ends is one; ids may collide and names be wrong."""
TOLD = 0.9
"""The same where only the caller's span tells, by the peer's name or address, whom it calls."""


class _Call(NamedTuple):
    caller: str
    callee: str
    start: float
    duration: float
    failed: bool
    sure: bool


def from_spans(spans: Sequence[Span], quiet_from: float, quiet_until: float) -> ServiceMap:
    """Edges between services, baselines from the calls that began in `quiet_from`..`quiet_until` (epoch seconds).

    A client's span that has no child in another service is a call of the peer that it tells. Latency is the caller's
    where the trace has the caller's span of the call, else the callee's. Traffic counts only requests whose trace was
    kept, over the time between the first and the last span of the quiet time: with sampling it is too low.
    """
    return _from(tuple(spans), quiet_from, quiet_until)


@lru_cache(maxsize=4)
def _from(spans: tuple[Span, ...], quiet_from: float, quiet_until: float) -> ServiceMap:
    """A fault-free reference is asked for again and again."""
    starts = [span.start for span in spans if quiet_from <= span.start <= quiet_until]
    seconds = max(1.0, max(starts) - min(starts)) if starts else 1.0
    calls: dict[tuple[str, str], list[_Call]] = defaultdict(list)
    for call in _calls(spans):
        calls[call.caller, call.callee].append(call)
    return of_edges(_edge(pair, found, (quiet_from, quiet_until), seconds) for pair, found in calls.items())


def _calls(spans: Sequence[Span]) -> Iterator[_Call]:
    by_id = {(span.trace, span.id): span for span in spans}
    answered: set[tuple[str, str]] = set()
    for span in spans:
        parent = by_id.get((span.trace, span.parent)) if span.parent else None
        if parent is None or parent.service == span.service:
            continue
        answered.add((span.trace, span.parent))
        side = parent if parent.peer else span
        yield _Call(parent.service, span.service, side.start, side.duration, side.failed or span.failed, sure=True)
    for span in spans:
        if span.peer and span.peer != span.service and (span.trace, span.id) not in answered:
            yield _Call(span.service, span.peer, span.start, span.duration, span.failed, sure=False)


def _edge(pair: tuple[str, str], calls: Sequence[_Call], quiet: tuple[float, float], seconds: float) -> Edge:
    usual = [call for call in calls if quiet[0] <= call.start <= quiet[1]]
    baseline = None
    if usual:
        failures = sum(call.failed for call in usual)
        baseline = Baseline(
            max(call.start for call in usual),
            median(call.duration for call in usual),
            len(usual) / seconds,
            failures / len(usual),
            "median",
        )
    confidence = SURE if any(call.sure for call in calls) else TOLD
    return Edge(*pair, (Sighting("traces", confidence, max(call.start for call in calls), baseline),))
