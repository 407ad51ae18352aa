"""The shop of `sandbox.shop` as a fleet that can be simulated: names, replicas and versions are the repository's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gitops_sre.sandbox.incidents.distribution import Array
from gitops_sre.sandbox.incidents.graph import Call, Graph, Service
from gitops_sre.sandbox.incidents.world import Pod, World, pod_hash, pod_name, random_world
from gitops_sre.sandbox.shop import BY_NAME, SERVICES, replicas

OUTSIDE: tuple[tuple[str, str, str, float], ...] = (
    ("catalog-db", "store", "catalog", 0.9),
    ("orders-db", "store", "orders", 1.0),
    ("payments-db", "store", "payments", 1.0),
    ("card-network", "external", "payments", 0.9),
    ("carrier-api", "external", "shipping", 0.8),
)
"""What is not in the repository: name, role, who calls it, calls per request."""
OWN = {"store": 0.0015, "external": 0.06}
"""Median own time of a request in seconds."""
SECOND_DOOR = 0.6
"""Traffic of the second entry as a share of the first one's."""
NODES = 5


def graph(rng: np.random.Generator) -> Graph:
    """The shop's calls with what it needs outside, in topological order; how busy each service is differs."""
    pairs = {(item.name, callee): often for item in SERVICES for callee, often in item.calls}
    pairs |= {(caller, name): often for name, _, caller, often in OUTSIDE}
    order = _topological([item.name for item in SERVICES] + [name for name, *_ in OUTSIDE], pairs)
    places = {name: number for number, name in enumerate(order)}
    calls = [
        Call(places[caller], places[callee], often, 1.0, float(rng.choice([3.0, 10.0])), int(rng.random() < 0.15))
        for (caller, callee), often in pairs.items()
    ]
    services = tuple(_service(rng, name) for name in order)
    return Graph(services, tuple(sorted(calls, key=lambda call: (call.caller, call.callee))))


def world(
    rng: np.random.Generator,
    system: Graph,
    window: tuple[float, float, int],
    environment: str,
    versions: Mapping[str, str],
) -> World:
    """The fleet of one environment over a window (start, end, step); `versions` are the tags that run in it."""
    made = random_world(rng, system, *window)
    second = next(n for n, item in enumerate(system.services) if item.role == "entry" and n > 0)
    made.traffic[second] = SECOND_DOOR * made.traffic[0] * np.exp(0.05 * rng.standard_normal(len(made.times)))
    made.usual = _usual(made, second)
    made.pods, made.replicas = [], []
    for number, item in enumerate(system.services):
        count = replicas(BY_NAME[item.name], environment) if item.name in BY_NAME else 1
        template = pod_hash(rng)
        made.replicas.append(count)
        made.pods += [
            Pod(pod_name(rng, item.name, template), number, versions.get(item.name, "v1"), int(rng.integers(NODES)))
            for _ in range(count)
        ]
    return made


def place(made: World, service: str) -> int:
    """A service's index. Raises StopIteration on an unknown name."""
    return next(n for n, item in enumerate(made.graph.services) if item.name == service)


def louder(system: Graph, service: str) -> Graph:
    """The same where callers call a service three times as often and do not retry: what fails once fails them often."""
    number = next(n for n, item in enumerate(system.services) if item.name == service)
    calls = (
        replace(call, per_request=max(3 * call.per_request, 2.0), vital=1.0, retries=0)
        if call.callee == number
        else call
        for call in system.calls
    )
    return Graph(system.services, tuple(calls))


def _usual(made: World, second: int) -> Array:
    """Requests a second of each service at the usual peak, from both doors."""
    peak = made.traffic.max(axis=1)
    peak[second] = SECOND_DOOR * peak[0]
    for call in made.graph.calls:
        peak[call.callee] += peak[call.caller] * call.per_request
    return np.asarray(peak, dtype=np.float64)


def _service(rng: np.random.Generator, name: str) -> Service:
    saw = float(rng.uniform(120, 1500)) if rng.random() < 0.4 else 0.0
    spread, busy = float(rng.uniform(0.3, 0.8)), float(rng.uniform(0.15, 0.5))
    if name in BY_NAME:
        item = BY_NAME[name]
        role = "entry" if item.entry_rate else "app"
        return Service(name, role, item.latency * float(rng.lognormal(0, 0.3)), spread, busy, item.memory_mib, saw)
    role = next(role for other, role, *_ in OUTSIDE if other == name)
    return Service(name, role, OWN[role] * float(rng.lognormal(0, 0.3)), spread, busy, 200.0, 0.0)


def _topological(names: list[str], pairs: Mapping[tuple[str, str], float]) -> list[str]:
    """Callers before what they call, else in the order given."""
    found: list[str] = []
    while rest := [name for name in names if name not in found]:
        found.append(next(name for name in rest if not any((other, name) in pairs for other in rest)))
    return found
