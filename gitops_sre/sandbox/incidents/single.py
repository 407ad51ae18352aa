"""One cause that no rollout brought, or none at all; harmless rollouts may have happened beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gitops_sre.sandbox.incidents import faults
from gitops_sre.sandbox.incidents.faults import Fault
from gitops_sre.sandbox.incidents.graph import random_graph
from gitops_sre.sandbox.incidents.incident import Incident, Step, felt, strike
from gitops_sre.sandbox.incidents.observe import Habits
from gitops_sre.sandbox.incidents.rollouts import MINUTE, habits_of, noise_of_rollouts, roll
from gitops_sre.sandbox.incidents.simulate import simulate
from gitops_sre.sandbox.incidents.world import World, neutral, random_world

CAUSES = {
    "resources": ("cpu", "memory"),
    "network": ("delay", "loss"),
    "code": ("errors", "early_return"),
    "config": ("latency", "errors"),
    "traffic": ("surge",),
    "external": ("latency", "errors"),
    "infrastructure": ("node",),
    "certificate": ("expired",),
}
"""Raw types of each kind of incident."""
WORDS = {
    "resources": "resource_exhaustion",
    "network": "network_or_dependency",
    "code": "code_defect",
    "config": "config_change",
    "traffic": "traffic_spike",
    "external": "network_or_dependency",
    "infrastructure": "infrastructure",
    "certificate": "certificate_expiry",
}
"""What a label calls them."""


def single(kind: str) -> Callable[[np.random.Generator], Incident]:
    """The maker of one kind of incident, a key of `CAUSES`."""

    def one(rng: np.random.Generator, raw: str) -> Incident:
        step = int(rng.choice([15, 30, 60, 300], p=[0.25, 0.25, 0.35, 0.15]))
        world, alert, onset = _moment(rng, step, "external" if kind == "external" else "app")
        steps = _beside(world, rng, onset)
        calm = neutral(world)
        noise_of_rollouts(world, calm, rng, steps)
        faults.blips(world, calm, rng, rate=3)
        fault = _fault(world, rng, kind, raw, onset)
        effects, flow, victim, metric = strike(world, calm, fault, rng)
        habits = habits_of(rng)
        also = tuple(each for each in _also(world, kind, fault, habits) if each != fault.service)
        return Incident(
            world, calm, effects, flow, habits, int(alert), victim, metric, WORDS[kind], fault, steps, also=also
        )

    def made(rng: np.random.Generator) -> Incident:
        raw = str(rng.choice(CAUSES[kind]))
        if raw == "early_return":  # wrong answers are quick and count as good: it is users who complain
            return one(rng, raw)
        return felt(rng, lambda again: one(again, raw))

    return made


def quiet(rng: np.random.Generator) -> Incident:
    """An alert without a fault: noise, blips, the day's course and harmless rollouts are all there is."""
    step = int(rng.choice([15, 30, 60, 300], p=[0.25, 0.25, 0.35, 0.15]))
    world, alert, onset = _moment(rng, step)
    steps = _beside(world, rng, onset)
    calm = neutral(world)
    noise_of_rollouts(world, calm, rng, steps)
    faults.blips(world, calm, rng, rate=4)
    flow = simulate(world, calm)
    entry = int(rng.choice([i for i, s in enumerate(world.graph.services) if s.role in ("entry", "app")]))
    metric = str(rng.choice(["latency", "availability"]))
    return Incident(world, calm, calm, flow, habits_of(rng), int(alert), entry, metric, "no_fault", None, steps, None)


def _moment(rng: np.random.Generator, step: int, role: str = "app") -> tuple[World, float, float]:
    """A world around an alert, which comes 30-300 s after the onset; slow samples need a longer past. Something in it
    has the given role."""
    alert = float(rng.integers(1_650_000_000, 1_750_000_000))
    past = rng.uniform(30, 60) * MINUTE * (4 if step > 60 else 1)
    graph = random_graph(rng)
    while all(item.role != role for item in graph.services):
        graph = random_graph(rng)
    world = random_world(rng, graph, alert - past, alert + 16 * MINUTE, step)
    return world, alert, alert - rng.uniform(30, 300)


def _beside(world: World, rng: np.random.Generator, onset: float) -> list[Step]:
    """Harmless rollouts in every second world."""
    ours = [i for i, s in enumerate(world.graph.services) if s.role in ("entry", "app")]
    count = int(rng.choice([0, 1, 2], p=[0.5, 0.3, 0.2]))
    steps: list[Step] = []
    for service in rng.permutation(ours)[:count]:
        begin = max(onset - rng.uniform(-3, 20) * MINUTE, world.times[0] + 8 * MINUTE)
        steps += roll(world, rng, int(service), begin)
    return sorted(steps, key=lambda each: (each.ts, each.service))


def _fault(world: World, rng: np.random.Generator, kind: str, raw: str, onset: float) -> Fault:
    service = _place(world, rng, kind, raw)
    if kind == "infrastructure":
        node = world.pods[world.pods_of(service)[0]].node
        there = [i for i, pod in enumerate(world.pods) if pod.node == node and pod.service in world.services_on(node)]
        return Fault(raw, service, tuple(sorted(there, key=lambda pod: world.pods[pod].service != service)), onset)
    if kind == "certificate":
        callers = world.graph.callers_of(service)
        return Fault(raw, service, (), onset, call=int(rng.choice(callers)) if rng.random() < 0.5 else -1)
    if kind in ("code", "config"):  # the same in every pod
        return Fault(raw, service, tuple(world.pods_of(service)), onset)
    pods = tuple(pod for pod in world.pods_of(service) if rng.random() < 0.7) or (world.pods_of(service)[0],)
    return Fault(raw, service, pods, onset)


def _also(world: World, kind: str, fault: Fault, habits: Habits) -> list[int]:
    """Who else an expert may name with the same cause: every service of a sick node; for what no series names, those
    who call it; for a credential that only one caller has, that caller."""
    callers = [world.graph.calls[number].caller for number in world.graph.callers_of(fault.service)]
    if kind == "infrastructure":
        return world.services_on(world.pods[fault.pods[0]].node)
    if kind in ("external", "network") and not habits.edges:
        return callers
    if kind == "certificate" and fault.call >= 0:
        return [world.graph.calls[fault.call].caller]
    return []


def _place(world: World, rng: np.random.Generator, kind: str, raw: str) -> int:
    """Where a kind of cause may strike: outside, at the edge, at whatever runs in the cluster."""
    roles = [item.role for item in world.graph.services]
    if kind == "traffic":
        return 0
    ours = {"external": ("external",), "resources": ("app", "store"), "certificate": ("app", "store")}.get(
        kind, ("app",)
    )
    inside = [i for i, role in enumerate(roles) if role in ours]
    if raw == "early_return":
        inside = [i for i in inside if world.graph.calls_of(i)]
    return int(rng.choice(inside or [0]))
