"""Edges from traces: a span whose parent belongs to another service is a call, seen from both ends."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import median

from gitops_sre.model.servicemap import Baseline, Edge, ServiceMap, Sighting
from gitops_sre.model.telemetry import Span
from gitops_sre.perception.servicemap.merging import of_edges

SURE = 0.99
"""That a call which one trace shows from both ends is one; ids may collide and names be wrong."""
TOLD = 0.9
"""The same where only the caller's span tells, by the peer's name or address, whom it calls."""


PAUSE = 10.0
"""Usual distances between traces from which on nobody looked."""
_Call = tuple[float, float, bool]
"""When it began (epoch seconds), how long it took (seconds), whether it failed."""


def from_spans(spans: Sequence[Span], quiet_from: float, quiet_until: float) -> ServiceMap:
    """Edges between services, baselines from the calls that began in `quiet_from`..`quiet_until` (epoch seconds).

    A client's span that has no child in another service is a call of the peer that it tells. Latency is the caller's
    where the trace has the caller's span of the call, else the callee's. Traffic counts only requests whose trace was
    kept: with sampling it is too low.
    """
    quiet = (quiet_from, quiet_until)
    seconds = _seconds(spans, quiet)
    answered, told = _calls(spans)
    return of_edges(
        _edge(pair, [*answered.get(pair, ()), *told.get(pair, ())], SURE if pair in answered else TOLD, quiet, seconds)
        for pair in {*answered, *told}
    )


@lru_cache(maxsize=2)
def reference(spans: tuple[Span, ...]) -> ServiceMap:
    """Edges of a fault-free reference, all of which is quiet; many questions share it."""
    return from_spans(spans, -math.inf, math.inf)


_Calls = Mapping[tuple[str, str], Sequence[_Call]]


def _seconds(spans: Sequence[Span], quiet: tuple[float, float]) -> float | None:
    """How long was looked at: from trace to trace, pauses that are no pauses between requests cut short, since what is
    looked at may be a minute of today and one of yesterday. None where there are fewer than two traces."""
    first: dict[str, float] = {}
    for span in spans:
        if quiet[0] <= span.start <= quiet[1]:
            first[span.trace] = min(span.start, first.get(span.trace, span.start))
    gaps = [after - before for before, after in pairwise(sorted(first.values()))]
    if not gaps:
        return None
    longest = PAUSE * median(gaps)
    return sum(min(gap, longest) for gap in gaps) or None


def _calls(spans: Sequence[Span]) -> tuple[_Calls, _Calls]:
    """Calls of each (caller, callee), those that both sides tell and those that only the caller does."""
    by_id = {(span.trace, span.id): span for span in spans}
    answered: dict[tuple[str, str], list[_Call]] = defaultdict(list)
    told: dict[tuple[str, str], list[_Call]] = defaultdict(list)
    callers: set[tuple[str, str]] = set()
    for span in spans:
        parent = by_id.get((span.trace, span.parent)) if span.parent else None
        if parent is not None and parent.service != span.service:
            if parent.peer:
                callers.add((span.trace, span.parent))
                call = (parent.start, parent.duration, parent.failed or span.failed)
            else:
                call = (span.start, span.duration, span.failed)
            answered[parent.service, span.service].append(call)
    for span in spans:
        if span.peer and span.peer != span.service and (span.trace, span.id) not in callers:
            told[span.service, span.peer].append((span.start, span.duration, span.failed))
    return answered, told


def _edge(
    pair: tuple[str, str], calls: Sequence[_Call], confidence: float, quiet: tuple[float, float], seconds: float | None
) -> Edge:
    usual = [call for call in calls if quiet[0] <= call[0] <= quiet[1]]
    seen = max(start for start, _, _ in calls)
    baseline = None
    if usual:
        baseline = Baseline(
            max(start for start, _, _ in usual),
            median(duration for _, duration, _ in usual),
            len(usual) / seconds if seconds else None,
            sum(failed for _, _, failed in usual) / len(usual),
            "median",
        )
    return Edge(*pair, (Sighting("traces", confidence, seen, baseline),))
