"""One case: a world, a fault, harmless company, and what is published of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gitops_sre.sandbox.incidents import faults
from gitops_sre.sandbox.incidents.distribution import mean
from gitops_sre.sandbox.incidents.faults import Fault
from gitops_sre.sandbox.incidents.observe import Habits
from gitops_sre.sandbox.incidents.simulate import Flow, simulate
from gitops_sre.sandbox.incidents.world import Effects, World


@dataclass(frozen=True)
class Step:
    """One step of a rollout; `old`/`new` count replicas after it."""

    service: int
    ts: int
    done_ts: int
    from_version: str
    to_version: str
    old: int
    new: int
    target: int
    deleted_pods: tuple[str, ...]
    new_pods: tuple[str, ...]


@dataclass
class Incident:
    """A case before it is written. `calm` are the effects without the fault, `effects` with it."""

    world: World
    calm: Effects
    effects: Effects
    flow: Flow
    habits: Habits
    alert_ts: int
    alert_service: int
    alert_metric: str
    cause_type: str
    fault: Fault | None
    steps: list[Step] = field(default_factory=list)
    culprit: Step | None = None
    begins: float | None = None
    """Where the case starts when the world is older: what came before is published as a baseline."""
    requests: bool = False
    """Whether single requests are published too, as traces and logs."""
    also: tuple[int, ...] = ()
    """Services that may be named as well as the fault's own, with its cause: which of them it is cannot be told."""


def copied(effects: Effects) -> Effects:
    return Effects(**{name: np.copy(values) for name, values in vars(effects).items()})


def strike(world: World, calm: Effects, fault: Fault, rng: np.random.Generator) -> tuple[Effects, Flow, int, str]:
    """Applies the fault, stronger until somebody outside the faulty pods would notice; returns also who notices what.

    An alert exists only because users or callers suffered: a fault nobody feels would never have opened an incident."""
    before = simulate(world, calm)
    severity = fault.severity
    for attempt in range(7):
        effects = copied(calm)
        noisy = np.random.default_rng(rng.integers(2**32))
        tried = Fault(fault.raw_type, fault.service, fault.pods, fault.onset, severity, fault.call)
        faults.apply(world, effects, tried, noisy)
        flow = simulate(world, effects)
        victim, metric, harm = noticed(world, before, flow, fault.onset)
        if harm >= 1 or attempt == 6:
            break
        severity *= 1.8
    return effects, flow, victim, metric


def felt(rng: np.random.Generator, draw: Callable[[np.random.Generator], Incident], tries: int = 9) -> Incident:
    """Draws until somebody notices the fault: one that nobody feels opens no incident. The last one, if none does."""
    for _ in range(tries):
        found = draw(rng)
        if found.fault is None:
            break
        if noticed(found.world, simulate(found.world, found.calm), found.flow, found.fault.onset)[2] >= 1:
            break
    return found


def noticed(world: World, before: Flow, after: Flow, onset: float) -> tuple[int, str, float]:
    """Who notices most, preferring the entry: the harm is 1 for 25% slower answers or 2% more failures."""
    window = (world.times >= onset) & (world.times < onset + 420)
    best = (0, "latency", 0.0)
    for service in range(len(world.graph.services)):
        if world.graph.services[service].role in ("store", "external"):
            continue
        slower, failing = (_harm(world, before, after, service, window, what) for what in ("latency", "errors"))
        harm = max(slower, failing)
        if harm > best[2] and not best[2] >= 1:
            best = (service, "latency" if slower >= failing else "availability", harm)
    return best


def _harm(world: World, before: Flow, after: Flow, service: int, window: NDArray[np.bool_], what: str) -> float:
    pods = world.pods_of(service)
    totals = []
    for flow in (before, after):
        values = np.stack([mean(flow.served[p]) if what == "latency" else flow.failed[p] for p in pods])
        weights = flow.rate[pods] + 1e-12
        totals.append(float((values * weights)[:, window].sum() / weights[:, window].sum()))
    if what == "latency":
        return (totals[1] / max(totals[0], 1e-6) - 1) / 0.25
    return (totals[1] - totals[0]) / 0.02
