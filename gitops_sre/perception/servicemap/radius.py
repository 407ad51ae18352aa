"""How far it reaches when a service fails: who needs it, and for how many of their requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitops_sre.model.servicemap import Affected, BlastRadius, CallGraph, ServiceMap

ROUNDS = 100
"""Circles of calls settle long before."""
SETTLED = 1e-6
NAMED = 5
"""Services that are named in a sentence."""


def blast_radius(known: ServiceMap, service: str, requests: Mapping[str, float] | None = None) -> BlastRadius:
    """Who suffers when a service fails, and which part of their requests.

    A service's requests are those given in `requests` (a second), else what its callers send on the map, else, for an
    entry, as many as its busiest callee gets from it. A request is affected unless it gets by without every failing
    callee, the calls taken as independent: p(s) = 1 - product over callees c of (1 - min(1, calls to c / requests of s)
    p(c)), repeated until it settles where calls go in circles. Errors that callers handle are not known, so the shares
    are upper bounds.
    """
    callers = (service, *CallGraph((callee, caller) for caller, callee in known.pairs).below(service))
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


def told(radius: BlastRadius) -> str:
    """The blast radius in a sentence; empty where no other service is known to need the one that fails."""
    others = radius.services[1:]
    if not others:
        return ""
    names = [each.service + ("" if each.share is None else f" ({each.share:.0%})") for each in others[:NAMED]]
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    count = "1 service needs" if len(others) == 1 else f"{len(others)} services need"
    share = "" if radius.share is None else f", for at most {radius.share:.0%} of all requests"
    return f"Blast radius: {count} {radius.service}{share}: {', '.join(names)}{more}."


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
