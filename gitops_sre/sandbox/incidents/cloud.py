"""Managed components watched every five minutes: no pods, a declared call graph, a day without faults before."""

from __future__ import annotations

import numpy as np

from gitops_sre.sandbox.incidents import faults
from gitops_sre.sandbox.incidents.faults import Fault
from gitops_sre.sandbox.incidents.graph import random_graph
from gitops_sre.sandbox.incidents.incident import Incident, felt, strike
from gitops_sre.sandbox.incidents.observe import Habits
from gitops_sre.sandbox.incidents.world import World, neutral, random_world

HOUR, STEP = 3600.0, 300
BASELINE = 24 * HOUR
CAUSES = {
    "config_change": ("latency", "errors"),
    "traffic_spike": ("surge",),
    "resource_exhaustion": ("cpu",),
    "network_or_dependency": ("latency", "errors"),
}
"""Raw types by the label's word; the last of them strikes what is outside."""


def cloud(rng: np.random.Generator) -> Incident:
    """One component is set wrongly, overloaded or let down by an external one."""
    word = str(rng.choice(list(CAUSES), p=[0.5, 0.15, 0.15, 0.2]))
    raw = str(rng.choice(CAUSES[word]))
    return felt(rng, lambda again: _one(again, word, raw))


def _one(rng: np.random.Generator, word: str, raw: str) -> Incident:
    alert = float(rng.integers(1_650_000_000, 1_750_000_000))
    begins = alert - rng.uniform(300, 3600)
    graph = random_graph(rng, str(rng.choice(["shop", "mesh"])))
    world = random_world(rng, graph, begins - BASELINE, alert + 1200, STEP)
    calm = neutral(world)
    faults.blips(world, calm, rng, rate=40)
    fault = Fault(raw, *_place(world, rng, word), alert - rng.uniform(30, 300))
    effects, flow, victim, metric = strike(world, calm, fault, rng)
    return Incident(world, calm, effects, flow, _habits(rng), int(alert), victim, metric, word, fault, begins=begins)


def _place(world: World, rng: np.random.Generator, word: str) -> tuple[int, tuple[int, ...]]:
    roles = [item.role for item in world.graph.services]
    outside = [i for i, role in enumerate(roles) if role == "external"] or [len(roles) - 1]
    inside = [i for i, role in enumerate(roles) if role == "app"]
    chosen = {"traffic_spike": [0], "network_or_dependency": outside}.get(word, inside)
    service = int(rng.choice(chosen))
    return service, tuple(world.pods_of(service))


def _habits(rng: np.random.Generator) -> Habits:
    return Habits(
        quantiles=(),
        stats=("Average", "p50", "p90", "p95", "p99"),
        per_pod=False,
        directions=False,
        edges=False,
        declared=True,
        counts=True,
        containers=False,
        buckets=False,
        idle="missing",
        gaps=float(rng.choice([0.0, 0.01])),
    )
