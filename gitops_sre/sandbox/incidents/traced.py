"""Incidents whose single requests can be read: one shop for the whole set, with traces, logs and fault-free minutes."""

from __future__ import annotations

import numpy as np

from gitops_sre.sandbox.incidents import faults
from gitops_sre.sandbox.incidents.faults import Fault
from gitops_sre.sandbox.incidents.graph import Graph, random_graph
from gitops_sre.sandbox.incidents.incident import Incident, felt, strike
from gitops_sre.sandbox.incidents.observe import Habits
from gitops_sre.sandbox.incidents.prose import Prose, random_prose
from gitops_sre.sandbox.incidents.requests import MINUTE, Minute, Sampler
from gitops_sre.sandbox.incidents.world import World, neutral, random_world

RAW = {
    "errors": "code_defect",
    "early_return": "code_defect",
    "delay": "network_or_dependency",
    "cpu": "resource_exhaustion",
}
"""Raw types and the label's word for each."""
MOST = 60
"""Requests that are kept of a minute."""


def shared(seed: int) -> tuple[Graph, Prose]:
    """The shop of a set: all its cases share the call graph and the sentences, as their fault-free minutes do."""
    rng = np.random.default_rng([seed, 77])
    graph = random_graph(rng, "shop")
    return graph, random_prose(rng, graph)


def traced(rng: np.random.Generator, graph: Graph) -> Incident:
    """A defect that throws or returns early, a slow network at one pod, or a busy pod."""
    raw = str(rng.choice(list(RAW)))
    if raw == "early_return":  # wrong answers are quick and count as good: it is users who complain
        return _one(rng, graph, raw)
    return felt(rng, lambda again: _one(again, graph, raw))


def minutes(incident: Incident, prose: Prose, rng: np.random.Generator) -> dict[int, Minute]:
    """The minutes around the onset and the alert, by their beginning (epoch seconds)."""
    onset = incident.fault.onset if incident.fault else incident.alert_ts
    first = int(onset // MINUTE * MINUTE)
    last = int(incident.alert_ts // MINUTE * MINUTE)
    begins = sorted({first, last, last + 60})
    sampler = Sampler(incident, prose, rng)
    return {begin: sampler.sample(begin, MOST) for begin in begins}


def normal_minute(incident: Incident, prose: Prose, rng: np.random.Generator) -> tuple[int, Minute]:
    """A minute near the beginning of the window, before anything was wrong."""
    begin = int((incident.world.times[0] + 5 * MINUTE) // MINUTE * MINUTE)
    return begin, Sampler(incident, prose, rng).sample(begin, MOST)


def _one(rng: np.random.Generator, graph: Graph, raw: str) -> Incident:
    alert = float(rng.integers(1_650_000_000, 1_750_000_000))
    onset = alert - rng.uniform(30, 240)
    world = random_world(rng, graph, alert - rng.uniform(30, 60) * MINUTE, alert + 16 * MINUTE, 60)
    calm = neutral(world)
    faults.blips(world, calm, rng, rate=2)
    fault = Fault(raw, *_place(world, rng, raw), onset)
    effects, flow, victim, metric = strike(world, calm, fault, rng)
    habits = Habits(success=bool(rng.random() < 0.5), edges=bool(rng.random() < 0.3), idle="zero")
    return Incident(world, calm, effects, flow, habits, int(alert), victim, metric, RAW[raw], fault, requests=True)


def _place(world: World, rng: np.random.Generator, raw: str) -> tuple[int, tuple[int, ...]]:
    """Code is the same in every pod; network and cpu suffer in one."""
    callers = {call.caller for call in world.graph.calls}
    ours = [i for i, item in enumerate(world.graph.services) if item.role == "app"]
    if raw == "early_return":
        ours = [i for i in ours if i in callers] or [0]
    service = int(rng.choice(ours))
    pods = world.pods_of(service)
    return service, tuple(pods if RAW[raw] == "code_defect" else pods[:1])
