"""Whose own is the trouble? Time and failures that a service adds itself, without what its callees add.

What callers see of a slow callee is the callee's: of the additional seconds that a service spends (its additional
latency times its requests), those that the services below it spend are taken away. What is left is its own. The same
holds for failures. This is the conservation that makes a victim different from a culprit, however loud either is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What a service's symptom amounts to since the onset, per second: `extra` seconds spent or requests failed beyond
    what is usual, 0 where there is no more than usual; what would be `usual`; and its `requests`."""

    extra: float
    usual: float = 0.0
    requests: float = 0.0


NO_NEWS = 0.02
"""Part of all the usual seconds or failures that come and go without a fault; it takes its share of the blame."""


@dataclass(frozen=True)
class Own:
    """What is a service's own: its `share` of everything that is anybody's own and of what comes and goes without a
    fault, and which `part` of its extra is its own; both 0..1."""

    share: float
    part: float


def own(
    loads: Mapping[str, Load], edges: Iterable[tuple[str, str]], parts: Mapping[str, float] | None = None
) -> dict[str, Own]:
    """What each service adds itself.

    A callee with several callers gives each its part by how much extra they have, since they wait for it. `parts` is
    the most, 0..1, that a service may add itself of its extra, by what it measured of its own calls.
    """
    callees: dict[str, set[str]] = {name: set() for name in loads}
    callers: dict[str, set[str]] = {name: set() for name in loads}
    for caller, callee in edges:
        if caller in loads and callee in loads and caller != callee:
            callees[caller].add(callee)
            callers[callee].add(caller)
    found: dict[str, float] = {}
    for name, load in loads.items():
        passed_on = 0.0
        for callee in callees[name]:
            waiting = sum(loads[other].extra for other in callers[callee]) or 1.0
            passed_on += loads[callee].extra * min(1.0, load.extra / waiting)
        most = (parts or {}).get(name, 1.0) * load.extra
        found[name] = max(0.0, min(most, load.extra - passed_on))
    total = sum(found.values()) + NO_NEWS * sum(load.usual for load in loads.values())
    return {
        name: Own(value / total if total > 0 else 0.0, value / loads[name].extra if value > 0 else 0.0)
        for name, value in found.items()
    }
