"""Several words about the same edges as one map; the order in which they came does not matter.

For each edge and source the latest word is kept, with the latest baseline. That is the join of a semilattice: merging
is commutative, associative and idempotent, so that a map can be kept up to date from whatever comes in, in any order
and any number of times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from gitops_sre.model.servicemap import SOURCES, Baseline, Edge, EdgeSource, ServiceMap, Sighting

_RANK = {source: rank for rank, source in enumerate(SOURCES)}


def of_edges(edges: Iterable[Edge]) -> ServiceMap:
    """A map of edges, of which several may be of one pair; edges of a service with itself are left out."""
    found: dict[tuple[str, str], dict[EdgeSource, Sighting]] = defaultdict(dict)
    for edge in edges:
        if edge.caller and edge.callee and edge.caller != edge.callee:
            known = found[edge.pair]
            for each in edge.sightings:
                other = known.get(each.source)
                known[each.source] = each if other is None else _joined(each, other)
    return ServiceMap(
        tuple(
            Edge(*pair, tuple(sorted(known.values(), key=lambda each: _RANK[each.source])))
            for pair, known in sorted(found.items())
            if known
        )
    )


def merge(*maps: ServiceMap) -> ServiceMap:
    """All that some maps say, as one."""
    return of_edges(edge for each in maps for edge in each.edges)


def update(known: ServiceMap, new: ServiceMap, now: float, keep: float) -> ServiceMap:
    """A map with what was learnt since. What no source has said again for more than `keep` seconds is forgotten, source
    by source; `now` is in epoch seconds."""
    fresh = (
        Edge(edge.caller, edge.callee, tuple(each for each in edge.sightings if each.seen >= now - keep))
        for edge in known.edges
    )
    return merge(ServiceMap(tuple(edge for edge in fresh if edge.sightings)), new)


def _joined(one: Sighting, other: Sighting) -> Sighting:
    latest = max(one, other, key=lambda each: (each.seen, each.confidence))
    baselines = [each.baseline for each in (one, other) if each.baseline is not None]
    return Sighting(latest.source, latest.confidence, latest.seen, max(baselines, key=_order, default=None))


def _order(baseline: Baseline) -> tuple[float, ...]:
    """The latest; of two of one moment, whichever is greater, so that the choice does not depend on their order."""
    values = (baseline.latency, baseline.traffic, baseline.errors)
    return baseline.at, *(-1.0 if value is None else value for value in values), *map(float, map(ord, baseline.stat))
