"""A fleet of pods over a window of time and everything a fault may do to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gitops_sre.sandbox.incidents.distribution import Array
from gitops_sre.sandbox.incidents.graph import Graph

MOST = 1.5
"""Times the usual peak that harmless bursts reach at most: a system that drowns in them needs no fault to fail."""
LETTERS = np.array(list("bcdfghjklmnpqrstvwxz2456789"))


@dataclass
class Pod:
    """A pod; `service` is an index into the graph; it takes traffic from `born` until `dies` (epoch seconds)."""

    name: str
    service: int
    version: str
    node: int
    born: float = -np.inf
    dies: float = np.inf


@dataclass
class World:
    """A fleet: `times` are the sampling moments, `traffic` is services x times of requests a second from outside."""

    graph: Graph
    times: Array
    step: int
    traffic: Array
    usual: Array  # requests a second of each service at the usual peak, sizing the pods
    pods: list[Pod] = field(default_factory=list)
    replicas: list[int] = field(default_factory=list)

    def pods_of(self, service: int) -> list[int]:
        return [i for i, pod in enumerate(self.pods) if pod.service == service]

    def name(self, service: int) -> str:
        return self.graph.services[service].name

    @property
    def nodes(self) -> int:
        return max(pod.node for pod in self.pods) + 1

    def services_on(self, node: int) -> list[int]:
        """Services with a pod on a node; what is outside is on none."""
        found = {pod.service for pod in self.pods if pod.node == node}
        return sorted(each for each in found if self.graph.services[each].role != "external")


@dataclass
class Effects:
    """What happens to pods (pods x times) and calls (calls x times); all neutral at first.

    `slow` multiplies own time, `extra` adds seconds, `error` is the share of requests failed by the pod itself,
    `skip` the share
    that returns early without calling on, `cpu` adds utilisation, `memory` adds working sets, `ready` is the share
    of the time
    it takes traffic, `delay`/`loss` are of the pod's network, `call_delay`/`call_error` of one edge: a
    call that fails so never reaches the callee. `surge`
    multiplies traffic; `host_cpu`/`host_memory` (nodes x times) are percent of a node that nothing in the pods uses."""

    slow: Array
    extra: Array
    error: Array
    skip: Array
    cpu: Array
    memory: Array
    ready: Array
    delay: Array
    loss: Array
    call_delay: Array
    call_error: Array
    surge: Array
    host_cpu: Array
    host_memory: Array


def neutral(world: World) -> Effects:
    """Effects that change nothing: pods are ready while they live."""
    size, edges = (len(world.pods), len(world.times)), (len(world.graph.calls), len(world.times))
    ready = np.stack([((world.times >= pod.born) & (world.times < pod.dies)).astype(np.float64) for pod in world.pods])
    zeros = [np.zeros(size) for _ in range(7)]
    extra, error, skip, cpu, memory, delay, loss = zeros
    surge = np.ones((len(world.graph.services), len(world.times)))
    hosts = (world.nodes, len(world.times))
    return Effects(
        np.ones(size), extra, error, skip, cpu, memory, ready, delay, loss,
        np.zeros(edges), np.zeros(edges), surge, np.zeros(hosts), np.zeros(hosts),
    )  # fmt: skip


def random_world(rng: np.random.Generator, graph: Graph, start: float, end: float, step: int) -> World:
    """Pods on nodes and traffic of a random size at the entry, with the hour of the day, noise and bursts."""
    times = np.arange(start, end + 1, step, dtype=np.float64)
    traffic = np.zeros((len(graph.services), len(times)))
    peak = np.zeros(len(graph.services))
    peak[0] = rng.lognormal(2.8, 1.1)
    traffic[0] = peak[0] * _shape(rng, times)
    for service, item in enumerate(graph.services):  # side doors: little traffic that does not come through the entry
        if item.role == "app" and rng.random() < 0.08:
            peak[service] = peak[0] * rng.uniform(0.01, 0.2)
            traffic[service] = peak[service] * _shape(rng, times)
    usual = peak.copy()
    for call in graph.calls:
        usual[call.callee] += usual[call.caller] * call.per_request
    world = World(graph, times, step, traffic, usual)
    nodes = int(rng.integers(3, 9))
    for service, item in enumerate(graph.services):
        count = (
            1 if item.role in ("store", "external") else int(rng.choice([1, 2, 3, 4, 5], p=[0.3, 0.25, 0.25, 0.1, 0.1]))
        )
        world.replicas.append(count)
        version = pod_hash(rng)
        world.pods += [
            Pod(pod_name(rng, item.name, version), service, "v1", int(rng.integers(nodes))) for _ in range(count)
        ]
    return world


def pod_hash(rng: np.random.Generator) -> str:
    return "".join(rng.choice(LETTERS, 9))


def pod_name(rng: np.random.Generator, service: str, template: str) -> str:
    return f"{service}-{template}-{''.join(rng.choice(LETTERS, 5))}"


def smooth_noise(rng: np.random.Generator, length: int, memory: float) -> Array:
    """Unit-variance noise whose neighbours are alike (first-order autoregression)."""
    shocks = rng.normal(0, np.sqrt(1 - memory**2), length)
    out = np.empty(length)
    value = rng.normal()
    for i, shock in enumerate(shocks):
        value = memory * value + shock
        out[i] = value
    return out


def _shape(rng: np.random.Generator, times: Array) -> Array:
    day = 1 + rng.uniform(0.1, 0.5) * np.sin(2 * np.pi * (times / 86400 + rng.random()))
    noise = np.exp(rng.uniform(0.03, 0.15) * smooth_noise(rng, len(times), 0.7))
    shape = day / day.max() * noise
    for _ in range(rng.poisson(1.2)):
        middle, width = rng.choice(times), rng.uniform(30, 300)
        shape *= 1 + rng.uniform(0.1, 0.8) * np.exp(-(((times - middle) / width) ** 2))
    return np.asarray(np.minimum(shape, MOST), dtype=np.float64)
