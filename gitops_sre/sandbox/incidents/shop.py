"""A small shop watched closely: one pod a service, gauges of containers and requests every few seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gitops_sre.sandbox.incidents import faults
from gitops_sre.sandbox.incidents.faults import Fault
from gitops_sre.sandbox.incidents.graph import random_graph
from gitops_sre.sandbox.incidents.incident import Incident, felt, strike
from gitops_sre.sandbox.incidents.observe import Habits
from gitops_sre.sandbox.incidents.world import World, neutral, random_world

MINUTE = 60.0


def shop(rng: np.random.Generator) -> Incident:
    """Cpu, memory or disk of one pod runs out; the alert comes one to four minutes late."""
    raw = str(rng.choice(["cpu", "memory", "disk"], p=[0.4, 0.4, 0.2]))
    return felt(rng, lambda again: _one(again, raw))


def _one(rng: np.random.Generator, raw: str) -> Incident:
    alert = float(rng.integers(1_650_000_000, 1_750_000_000))
    step = int(rng.choice([5, 15], p=[0.5, 0.5]))
    start = alert - rng.uniform(30, 45) * MINUTE
    world = _single(random_world(rng, random_graph(rng, "shop"), start, alert + 16 * MINUTE, step))
    calm = neutral(world)
    faults.blips(world, calm, rng, rate=2)
    places = ("store",) if raw == "disk" else ("entry", "app", "store")
    service = int(rng.choice([i for i, item in enumerate(world.graph.services) if item.role in places]))
    fault = Fault(raw, service, (world.pods_of(service)[0],), alert - rng.uniform(60, 240))
    effects, flow, victim, metric = strike(world, calm, fault, rng)
    return Incident(world, calm, effects, flow, _habits(rng), int(alert), victim, metric, "resource_exhaustion", fault)


def _single(world: World) -> World:
    """The same world with the first pod of every service alone."""
    services = range(len(world.graph.services))
    first = [world.pods[world.pods_of(service)[0]] for service in services]
    return replace(world, pods=first, replicas=[1 for _ in services])


def _habits(rng: np.random.Generator) -> Habits:
    return Habits(
        quantiles=("0.5", "0.9"),
        directions=False,
        edges=False,
        declared=bool(rng.random() < 0.3),
        success=bool(rng.random() < 0.7),
        network=False,
        nodes=False,
        memory_bytes=bool(rng.random() < 0.7),
        idle="zero",
        gaps=float(rng.choice([0.0, 0.01])),
    )
