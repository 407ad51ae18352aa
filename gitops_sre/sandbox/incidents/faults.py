"""What can go wrong, and what only looks like it: each function changes `Effects` in place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gitops_sre.sandbox.incidents.distribution import Array
from gitops_sre.sandbox.incidents.world import Effects, World


@dataclass(frozen=True)
class Fault:
    """A cause. `severity` 1 is usual; `pods` say where, `call` names one edge (-1: every edge to the service); from
    `onset` (epoch seconds) to the window's end."""

    raw_type: str
    service: int
    pods: tuple[int, ...]
    onset: float
    severity: float = 1.0
    call: int = -1


def since(world: World, onset: float) -> Array:
    """1 after the onset, a share in the sample that contains it."""
    return np.clip((world.times - onset) / world.step + 1, 0, 1)


def ramp(world: World, onset: float, seconds: float) -> Array:
    return np.clip((world.times - onset) / seconds, 0, None)


def start_up(world: World, effects: Effects, pod: int, rng: np.random.Generator) -> None:
    """A pod's first minutes: class loading and cold caches cost cpu and time, the first requests may fail."""
    age = world.times - world.pods[pod].born
    cold = np.where(age >= 0, np.exp(-np.maximum(age, 0) / rng.uniform(20, 90)), 0.0)
    effects.cpu[pod] += rng.uniform(0.1, 0.8) * cold
    effects.slow[pod] *= 1 + rng.uniform(0.3, 4.0) * cold
    if rng.random() < 0.35:
        effects.error[pod] = np.maximum(effects.error[pod], rng.uniform(0.01, 0.15) * cold)


def changed_manner(effects: Effects, pods: list[int], rng: np.random.Generator) -> None:
    """A harmless new version is not the old one: a little slower or faster, other memory, other cpu."""
    slow, memory, cpu = np.exp(rng.normal(0, 0.15)), rng.normal(0, 0.15), rng.normal(0.01, 0.04)
    for pod in pods:
        effects.slow[pod] *= slow
        effects.memory[pod] += memory
        effects.cpu[pod] += max(cpu, -0.02)


def blips(world: World, effects: Effects, rng: np.random.Generator, rate: float) -> None:
    """Passing oddities anywhere at any time: a cron job, a slow disk, a few failures, a restart."""
    for _ in range(rng.poisson(rate)):
        pod = int(rng.integers(len(world.pods)))
        begin = rng.uniform(world.times[0], world.times[-1])
        window = ((world.times >= begin) & (world.times < begin + rng.choice([20, 60, 180, 420]))).astype(np.float64)
        oddity = str(rng.choice(["cpu", "slow", "error", "memory", "restart"], p=[0.35, 0.25, 0.15, 0.15, 0.1]))
        if oddity == "cpu":
            effects.cpu[pod] += rng.uniform(0.1, 0.6) * window
        elif oddity == "slow":
            effects.slow[pod] *= 1 + rng.uniform(0.5, 4) * window
        elif oddity == "error":
            effects.error[pod] = np.maximum(effects.error[pod], rng.uniform(0.005, 0.1) * window)
        elif oddity == "memory":
            effects.memory[pod] += rng.uniform(0.1, 0.5) * window
        else:
            effects.ready[pod] *= 1 - (np.cumsum(window) * (window > 0) == 1)


def apply(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    """Lets a fault happen. Raises KeyError on an unknown raw type."""
    MAKERS[fault.raw_type](world, effects, fault, rng)


def _latency(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    base = world.graph.services[fault.service].own_s
    extra = max(base * rng.uniform(3, 20), rng.uniform(0.01, 0.3)) * fault.severity
    for pod in fault.pods:
        effects.extra[pod] += extra * since(world, fault.onset)


def _errors(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    share = min(rng.uniform(0.1, 0.7) * fault.severity, 1.0)
    for pod in fault.pods:
        effects.error[pod] = np.maximum(effects.error[pod], share * since(world, fault.onset))


def _early_return(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    share = min(rng.uniform(0.5, 1.0) * fault.severity, 1.0)
    for pod in fault.pods:
        effects.skip[pod] = np.maximum(effects.skip[pod], share * since(world, fault.onset))


def _cpu(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    load = rng.uniform(0.45, 0.95) * min(fault.severity, 1.5)
    for pod in fault.pods:
        begun = since(world, fault.onset)
        effects.cpu[pod] += load * begun
        effects.slow[pod] *= 1 + rng.uniform(0.3, 1.5) * fault.severity * begun


def _memory(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    """Grows to the limit (1.2 working sets above), slows down near it, is killed there and begins anew."""
    period = rng.uniform(150, 600) / min(fault.severity, 3)
    for pod in fault.pods:
        full = ramp(world, fault.onset, period) % 1.15
        effects.memory[pod] += 1.2 * np.minimum(full, 1)
        effects.slow[pod] *= 1 + np.clip(full - 0.6, 0, 0.4) * rng.uniform(5, 15) * fault.severity
        effects.ready[pod] *= 1 - 0.9 * (full > 1.0)
        effects.error[pod] = np.maximum(effects.error[pod], 0.7 * (full > 1.0))


def _crash(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    """Crash loop: serves for a while, fails, waits longer each time."""
    up, down = rng.uniform(20, 120), rng.uniform(20, 150) * fault.severity
    for pod in fault.pods:
        phase = np.maximum(world.times - fault.onset, 0) % (up + down)
        broken = (world.times >= fault.onset) & (phase > up)
        effects.error[pod] = np.maximum(effects.error[pod], rng.uniform(0.5, 1.0) * broken)
        effects.ready[pod] *= 1 - rng.uniform(0.3, 0.95) * broken
        effects.cpu[pod] += 0.3 * ((world.times >= fault.onset) & (phase < 30))


def _delay(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    for pod in fault.pods:
        effects.delay[pod] += rng.uniform(0.05, 0.8) * fault.severity * since(world, fault.onset)


def _loss(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    share = min(rng.uniform(0.1, 0.5) * fault.severity, 0.9)
    for pod in fault.pods:
        effects.loss[pod] = np.maximum(effects.loss[pod], share * since(world, fault.onset))


def _surge(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    effects.surge[fault.service] *= 1 + rng.uniform(0.8, 3.0) * fault.severity * since(world, fault.onset)


def _node(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    """A sick node: everything on it is slow, and some of it fails. Its processor or its memory is taken by something
    that is in no pod, or neither shows it: a disk, a link, a clock rate."""
    slow, share = rng.uniform(1, 6) * fault.severity, min(rng.uniform(0.0, 0.3) * fault.severity, 0.8)
    node, shows = world.pods[fault.pods[0]].node, str(rng.choice(["cpu", "memory", "nothing"], p=[0.4, 0.25, 0.35]))
    if shows == "cpu":
        effects.host_cpu[node] += rng.uniform(40, 85) * since(world, fault.onset)
    elif shows == "memory":
        effects.host_memory[node] += rng.uniform(25, 60) * np.minimum(ramp(world, fault.onset - 60, 120), 1)
    for pod in fault.pods:
        effects.slow[pod] *= 1 + slow * since(world, fault.onset)
        effects.error[pod] = np.maximum(effects.error[pod], share * since(world, fault.onset))


def _disk(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    """A full or worn-out disk: writes wait, and some of them fail; the processor only waits with them."""
    slow, share = rng.uniform(4, 25) * fault.severity, min(rng.uniform(0.0, 0.15) * fault.severity, 0.8)
    for pod in fault.pods:
        begun = since(world, fault.onset)
        effects.slow[pod] *= 1 + slow * begun
        effects.error[pod] = np.maximum(effects.error[pod], share * begun)


def _expired(world: World, effects: Effects, fault: Fault, rng: np.random.Generator) -> None:
    """No handshake succeeds any more: new connections fail at once, the few that are still open go on."""
    share = rng.uniform(0.9, 1.0)
    for number in [fault.call] if fault.call >= 0 else world.graph.callers_of(fault.service):
        effects.call_error[number] = np.maximum(effects.call_error[number], share * since(world, fault.onset))


MAKERS = {
    "latency": _latency,
    "errors": _errors,
    "early_return": _early_return,
    "cpu": _cpu,
    "memory": _memory,
    "crash": _crash,
    "delay": _delay,
    "loss": _loss,
    "surge": _surge,
    "node": _node,
    "disk": _disk,
    "expired": _expired,
}
