"""What the map says of an incident: who may be the cause, who a victim, and how much suffers when a service fails."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping

from gitops_sre.model.servicemap import Affected, BlastRadius, Edge, Reached, Scoping, ServiceMap

ROUNDS = 100
"""Circles of calls settle long before."""
SETTLED = 1e-6


def scope(known: ServiceMap, focus: str) -> Scoping:
    """Root candidates and victims of what `focus` suffers from."""
    candidates = _reached([(focus, 1.0)], known.calls, lambda edge: edge.callee)
    suffering = _reached(candidates.items(), known.called_by, lambda edge: edge.caller)
    victims = {name: confidence for name, confidence in suffering.items() if name not in candidates}
    return Scoping(_ordered(candidates), _ordered(victims))


def blast_radius(known: ServiceMap, service: str, requests: Mapping[str, float] | None = None) -> BlastRadius:
    """Who suffers when a service fails, and which part of their requests.

    A service's requests are those given in `requests` (a second), else what its callers send on the map, else, for an
    entry, as many as its busiest callee gets from it. A request is affected unless it gets by without every failing
    callee, the calls taken as independent: p(s) = 1 - product over callees c of (1 - min(1, calls to c / requests of s)
    p(c)), repeated until it settles where calls go in circles. Errors that callers handle are not known, so the shares
    are upper bounds.
    """
    callers = _reached([(service, 1.0)], known.called_by, lambda edge: edge.caller)
    volumes = {name: _volume(known, name, requests or {}) for name in callers}
    shares: dict[str, float | None] = {name: float(name == service) for name in callers}
    for _ in range(ROUNDS):
        after = {name: _share(known, name, volumes[name], shares) for name in callers}
        after[service] = 1.0
        settled = all(_near(shares[name], share) for name, share in after.items())
        shares = after
        if settled:
            break
    others = [Affected(name, share) for name, share in shares.items() if name != service]
    others.sort(key=lambda each: (-(1.0 if each.share is None else each.share), each.service))
    affected = (Affected(service, 1.0), *others)
    entries = tuple(each for each in affected if not known.called_by(each.service))
    return BlastRadius(service, affected, entries, _overall(known, entries, requests or {}))


def _overall(known: ServiceMap, affected: Iterable[Affected], requests: Mapping[str, float]) -> float | None:
    """The affected part of all requests that come in from outside."""
    doors = [name for name in {*known.services, *requests} if not known.called_by(name)]
    volumes = {name: _volume(known, name, requests) for name in doors}
    shares = {each.service: each.share for each in affected}
    total = 0.0
    hit = 0.0
    for name, volume in volumes.items():
        share = shares.get(name, 0.0)
        if volume is None or share is None:
            return None
        total += volume
        hit += volume * share
    return hit / total if total > 0 else None


def _share(known: ServiceMap, name: str, volume: float | None, shares: Mapping[str, float | None]) -> float | None:
    spared = 1.0
    for edge in known.calls(name):
        if edge.callee in shares:
            below = shares[edge.callee]
            if below is None or edge.traffic is None or not volume:
                return None
            spared *= 1 - min(1.0, edge.traffic / volume) * below
    return 1 - spared


def _volume(known: ServiceMap, name: str, requests: Mapping[str, float]) -> float | None:
    """Requests a second that a service gets, as well as it is known."""
    if name in requests:
        return requests[name]
    coming = [edge.traffic for edge in known.called_by(name)]
    going = [edge.traffic for edge in known.calls(name)]
    if coming and None not in coming:
        return sum(each for each in coming if each is not None)
    return max((each for each in going if each is not None), default=None) if None not in going else None


def _near(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) < SETTLED


def _reached(
    starts: Iterable[tuple[str, float]], edges: Callable[[str], tuple[Edge, ...]], end: Callable[[Edge], str]
) -> dict[str, float]:
    """Every service that can be reached, with the confidence of the most probable chain of edges (Dijkstra's algorithm
    on products)."""
    found: dict[str, float] = {}
    waiting = [(-confidence, name) for name, confidence in starts]
    heapq.heapify(waiting)
    while waiting:
        negative, name = heapq.heappop(waiting)
        if name not in found:
            found[name] = -negative
            for edge in edges(name):
                if end(edge) not in found:
                    heapq.heappush(waiting, (negative * edge.confidence, end(edge)))
    return found


def _ordered(found: Mapping[str, float]) -> tuple[Reached, ...]:
    return tuple(Reached(name, found[name]) for name in sorted(found, key=lambda name: (-found[name], name)))
