"""Who calls whom: drawn from traces, metrics and declarations, merged, kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitops_sre.model.servicemap import SOURCES, EdgeSource, ServiceMap
from gitops_sre.model.telemetry import Measure, Span
from gitops_sre.perception.servicemap.comoving import from_movement
from gitops_sre.perception.servicemap.measured import declared, from_measures
from gitops_sre.perception.servicemap.merging import merge, of_edges, update
from gitops_sre.perception.servicemap.radius import blast_radius, told
from gitops_sre.perception.servicemap.traced import from_spans, reference

__all__ = [
    "CERTAIN",
    "KEEP",
    "blast_radius",
    "declared",
    "draw",
    "from_measures",
    "from_movement",
    "from_spans",
    "merge",
    "of_edges",
    "relied_on",
    "remembered",
    "told",
    "update",
]

CERTAIN = 0.6
"""Confidence from which reasoning goes by an edge; a wrong one hides a culprit behind a service it never calls."""


KEEP = 14 * 86400.0
"""Seconds for which an edge is remembered that nothing has told of since: what runs once a week runs twice."""
TOLD: tuple[EdgeSource, ...] = tuple(source for source in SOURCES if source != "correlation")
"""Sources that know of calls. Guesses are made anew each time, and never remembered."""


def remembered(before: ServiceMap, now: ServiceMap, at: float) -> ServiceMap:
    """What to remember after an incident: what was known, with what it told; `at` is in epoch seconds."""
    return update(before, now.sure(0.0, TOLD), at, KEEP)


def relied_on(before: ServiceMap, now: ServiceMap) -> tuple[tuple[str, str], ...]:
    """The (caller, callee) pairs that reasoning goes by: the certain ones of the incident's own map, and those that are
    remembered of callers of whose calls nothing tells any more. What carried no request of late carries no trouble; but
    where the source itself is gone, nothing else says who waits for whom."""
    told = {caller for caller, _ in now.sure(0.0, TOLD).pairs}
    kept = (pair for pair in before.sure(CERTAIN).pairs if pair[0] not in told)
    return (*now.sure(CERTAIN).pairs, *kept)


def draw(
    measures: Sequence[Measure],
    spans: Sequence[Span],
    normal_spans: Sequence[Span],
    pairs: Iterable[tuple[str, str]],
    times: tuple[float, float, float],
) -> ServiceMap:
    """The map from everything that tells of calls; guessed only for services of which nothing else tells.

    `normal_spans` are a fault-free reference, of whatever time; `pairs` are declared. `times` are, in epoch seconds,
    from when to when all was well, and the moment of asking.
    """
    quiet_from, quiet_until, asked = times
    told = merge(
        from_spans(spans, quiet_from, quiet_until),
        reference(tuple(normal_spans)),
        from_measures(measures, quiet_from, quiet_until),
        declared(pairs, asked),
    )
    return merge(told, from_movement(measures, quiet_from, quiet_until, told.services))
