"""Several services rolled out at about the same time, step by step; at most one of the new versions is bad."""

from __future__ import annotations

import numpy as np

from gitops_sre.sandbox.incidents import faults
from gitops_sre.sandbox.incidents.faults import Fault
from gitops_sre.sandbox.incidents.graph import random_graph
from gitops_sre.sandbox.incidents.incident import Incident, Step, strike
from gitops_sre.sandbox.incidents.observe import Habits
from gitops_sre.sandbox.incidents.world import Effects, Pod, World, neutral, pod_hash, pod_name, random_world

BAD = ("latency", "errors", "cpu", "memory", "crash")
MINUTE = 60.0
CANARY = 0.6
"""Part of the rollouts whose steps are minutes apart, so that both versions serve when somebody asks."""


def rollouts(rng: np.random.Generator) -> Incident:
    """Two to five rollouts around a moment; the alert comes 30-300 s after callers began to suffer."""
    step = int(rng.choice([15, 30, 60], p=[0.25, 0.25, 0.5]))
    alert = float(rng.integers(1_650_000_000, 1_750_000_000))
    world = random_world(rng, random_graph(rng), alert - rng.uniform(30, 60) * MINUTE, alert + 16 * MINUTE, step)
    onset = alert - rng.uniform(30, 300)
    guilty = rng.random() < 0.85
    count = int(rng.choice([2, 3, 4, 5], p=[0.35, 0.35, 0.2, 0.1]))
    services = _candidates(world, rng, count)
    lag = float(rng.choice([5, 60, 240, 600], p=[0.45, 0.25, 0.2, 0.1]) * rng.uniform(0.5, 1.5))
    steps: list[Step] = []
    for place, service in enumerate(services):
        begin = onset - lag if place == 0 else onset - lag + rng.uniform(-11, 7) * MINUTE
        steps += roll(world, rng, service, max(begin, world.times[0] + 8 * MINUTE), bool(rng.random() < CANARY))
    calm = neutral(world)
    noise_of_rollouts(world, calm, rng, steps)
    faults.blips(world, calm, rng, rate=3)
    fault = _fault(world, rng, services, onset, lag, guilty)
    effects, flow, victim, metric = strike(world, calm, fault, rng)
    culprit = next(s for s in steps if s.service == services[0]) if guilty else None
    cause = (
        "new_deploy"
        if guilty
        else {"cpu": "resource_exhaustion", "memory": "resource_exhaustion"}.get(fault.raw_type, "code_defect")
    )
    habits = habits_of(rng)
    found = sorted(steps, key=lambda s: (s.ts, s.service))
    return Incident(world, calm, effects, flow, habits, int(alert), victim, metric, cause, fault, found, culprit)


def habits_of(rng: np.random.Generator) -> Habits:
    return Habits(
        versions=True,
        edges=bool(rng.random() < 0.6),
        edge_success=bool(rng.random() < 0.3),
        success=bool(rng.random() < 0.9),
        nodes=bool(rng.random() < 0.5),
        memory_bytes=bool(rng.random() < 0.3),
        buckets=bool(rng.random() < 0.7),
        idle=str(rng.choice(["zero", "missing"])),
        gaps=float(rng.choice([0.0, 0.003, 0.02])),
        places=bool(rng.random() < 0.6),
        expiry=bool(rng.random() < 0.3),
    )


def roll(world: World, rng: np.random.Generator, service: int, begin: float, canary: bool = False) -> list[Step]:
    """Replaces a service's pods: first one, then batches. The new pods are added to the world, the old ones get
    their end. A canary waits 8-40 minutes after each step."""
    olds = world.pods_of(service)
    target = len(olds)
    template, number = pod_hash(rng), int(rng.integers(2, 40))
    old_version, new_version = f"v{number - 1}", f"v{number}"
    for pod in olds:
        world.pods[pod].version = old_version
    batch = int(rng.choice([1, 2, target]))
    pause = float(rng.choice([45, 90, 180, 400]) * rng.uniform(0.7, 1.3))
    if canary:
        pause = rng.uniform(8, 40) * MINUTE
    steps: list[Step] = []
    now = begin
    while olds:
        size = 1 if not steps else min(batch, len(olds))
        gone, olds = olds[:size], olds[size:]
        done = now + rng.uniform(10, 50)
        fresh = [_new_pod(world, rng, service, template, new_version, now, done) for _ in gone]
        for pod in gone:
            world.pods[pod].dies = done + rng.uniform(0, 15)
        deleted = tuple(world.pods[pod].name for pod in gone)
        steps.append(
            Step(
                service,
                int(now),
                int(done),
                old_version,
                new_version,
                len(olds),
                target - len(olds),
                target,
                deleted,
                tuple(fresh),
            )
        )
        now = done + pause
    return steps


def noise_of_rollouts(world: World, effects: Effects, rng: np.random.Generator, steps: list[Step]) -> None:
    """Start-up costs of every new pod, and each new version's own harmless manner."""
    for service in dict.fromkeys(step.service for step in steps):
        fresh = [pod for pod in world.pods_of(service) if np.isfinite(world.pods[pod].born)]
        for pod in fresh:
            faults.start_up(world, effects, pod, rng)
        faults.changed_manner(effects, fresh, rng)


def _candidates(world: World, rng: np.random.Generator, count: int) -> list[int]:
    """Who is rolled out, the one with the fault first: rather one with several pods; half of the others are its
    neighbours."""
    ours = [i for i, s in enumerate(world.graph.services) if s.role in ("entry", "app")]
    likely = np.array([0.3 if world.replicas[i] == 1 else 1.0 for i in ours])
    chosen = [int(rng.choice(ours, p=likely / likely.sum()))]
    calls = world.graph.calls
    near = {c.caller for c in calls if c.callee == chosen[0]} | {c.callee for c in calls if c.caller == chosen[0]}
    while len(chosen) < min(count, len(ours)):
        others = [i for i in ours if i not in chosen]
        close = [i for i in others if i in near] if rng.random() < 0.5 else []
        chosen.append(int(rng.choice(close or others)))
    return chosen


def _fault(
    world: World, rng: np.random.Generator, services: list[int], onset: float, lag: float, guilty: bool
) -> Fault:
    """The bad version's pods misbehave from their start, or from the onset when it comes minutes later."""
    kind = str(rng.choice(BAD))
    if guilty:
        pods = tuple(p for p in world.pods_of(services[0]) if np.isfinite(world.pods[p].born))
        return Fault(kind, services[0], pods, onset if lag > 150 else onset - lag)
    others = [
        i for i in range(len(world.graph.services)) if i not in services and world.graph.services[i].role != "external"
    ]
    service = int(rng.choice(others or services[1:]))
    pods = tuple(p for p in world.pods_of(service) if rng.random() < 0.6) or (world.pods_of(service)[0],)
    return Fault(kind, service, pods, onset)


def _new_pod(
    world: World, rng: np.random.Generator, service: int, template: str, version: str, now: float, done: float
) -> str:
    name = pod_name(rng, world.name(service), template)
    node = int(rng.choice([pod.node for pod in world.pods]))
    world.pods.append(Pod(name, service, version, node, born=float(rng.uniform(now + 3, done))))
    return name
