"""What monitoring sees of a flow: counted requests, estimated quantiles, buckets, gaps, and gauges of containers
and nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gitops_sre.sandbox.incidents import distribution
from gitops_sre.sandbox.incidents.distribution import Array
from gitops_sre.sandbox.incidents.simulate import Flow
from gitops_sre.sandbox.incidents.world import Effects, World, smooth_noise

BUCKETS: Array = np.array(
    [0.0, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0]
)  # the usual bounds of a latency histogram in Prometheus clients, in seconds


@dataclass(frozen=True)
class Habits:
    """How one system is monitored. `idle`: what a quantile of no requests looks like: zero or missing;
    `declared`: the call graph is known although nobody measures its edges; `places`: gauges of containers name
    the node; `expiry`: somebody watches how long certificates hold."""

    quantiles: tuple[str, ...] = ("0.9", "0.99")
    stats: tuple[str, ...] = ()
    per_pod: bool = True
    directions: bool = True
    success: bool = True
    edges: bool = True
    declared: bool = False
    edge_success: bool = False
    counts: bool = False
    containers: bool = True
    network: bool = True
    nodes: bool = True
    memory_bytes: bool = False
    versions: bool = False
    buckets: bool = True
    places: bool = False
    expiry: bool = False
    idle: str = "missing"
    gaps: float = 0.003


@dataclass(frozen=True)
class Line:
    """One series: labels in the layout's `k=v;k=v` form."""

    name: str
    labels: str
    times: Array
    values: Array


class Monitor:
    """Measures one flow; every call of `lines` draws new measuring noise."""

    def __init__(self, world: World, effects: Effects, flow: Flow, habits: Habits, rng: np.random.Generator) -> None:
        self.world, self.effects, self.flow, self.habits, self.rng = world, effects, flow, habits, rng
        self.base_error = rng.choice([0.0, 0.0003, 0.002], size=len(world.graph.services))
        self.hosts: dict[int, tuple[Array, Array]] = {}

    def lines(self) -> list[Line]:
        found = self._ingress()
        for pod in range(len(self.world.pods)):
            if self.world.graph.services[self.world.pods[pod].service].role == "external":
                continue
            if self.habits.containers:
                found += self._container(pod)
            if self.habits.per_pod:
                found += self._requests_of_pod(pod)
        if not self.habits.per_pod:
            for service in range(len(self.world.graph.services)):
                found += self._requests_of_service(service)
        found += self._edges() if self.habits.edges else []
        return found + (self._expiry() if self.habits.expiry else [])

    def _labels(self, pod: int) -> dict[str, str]:
        item = self.world.pods[pod]
        labels = {"pod": item.name, "service": self.world.name(item.service)}
        return labels | {"version": item.version} if self.habits.versions else labels

    def _line(self, name: str, labels: dict[str, str], values: Array, present: NDArray[Any]) -> Line:
        """Drops what is not there: a dead pod's samples, scrapes that failed, quantiles of nothing."""
        seen = present.astype(bool) & (self.rng.random(len(values)) >= self.habits.gaps) & np.isfinite(values)
        text = ";".join(f"{key}={value}" for key, value in sorted(labels.items()))
        return Line(name, text, self.world.times[seen], values[seen])

    def _alive(self, pod: int) -> NDArray[Any]:
        item = self.world.pods[pod]
        return np.asarray((self.world.times >= item.born) & (self.world.times < item.dies))

    def _counted(self, rate: Array) -> Array:
        return np.asarray(self.rng.poisson(np.maximum(rate, 0) * self.world.step), dtype=np.float64)

    def _idle(self, values: Array, count: Array) -> Array:
        if self.habits.idle == "zero":
            return np.where(count > 0, values, 0.0)
        return np.where(count > 0, values, np.nan)

    def _quantile(self, part: Array, level: float, count: Array) -> Array:
        """The estimate of a quantile from `count` requests: few requests scatter as order statistics do (beta
        distribution)."""
        many = np.clip(count, 1, 1e6)
        drawn = self.rng.beta(many * level + 0.5, many * (1 - level) + 0.5)
        values = distribution.at(part, drawn)
        if self.habits.buckets:
            values = _bucketed(part, values, drawn, level)
        return self._idle(values, count)

    def _average(self, part: Array, count: Array) -> Array:
        centre = distribution.mean(part)
        spread = np.sqrt(np.maximum(distribution.mean(part**2) - centre**2, 0) / np.maximum(count, 1))
        return self._idle(np.maximum(centre + spread * self.rng.standard_normal(len(count)), centre * 0.2), count)

    def _success(self, failed: Array, count: Array, service: int) -> Array:
        share = np.clip(failed + self.base_error[service], 0, 1)
        bad = self.rng.binomial(count.astype(np.int64), share)
        good = 100.0 * (1 - bad / np.maximum(count, 1))
        return np.where(count > 0, good, np.nan)

    def _durations(self, labels: dict[str, str], part: Array, count: Array, alive: Array, name: str) -> list[Line]:
        found = [
            self._line(name, labels | {"quantile": level}, self._quantile(part, float(level), count), alive)
            for level in self.habits.quantiles
        ]
        for stat in self.habits.stats:
            values = (
                self._average(part, count) if stat == "Average" else self._quantile(part, float(stat[1:]) / 100, count)
            )
            found.append(self._line(name, labels | {"stat": stat}, values, alive))
        return found

    def _requests_of_pod(self, pod: int) -> list[Line]:
        labels, alive = self._labels(pod), self._alive(pod)
        service = self.world.pods[pod].service
        count = self._counted(self.flow.rate[pod])
        side = {"direction": "server"} if self.habits.directions else {}
        found = [self._line("request_rate", labels, count / self.world.step, alive)]
        found += self._durations(labels | side, self.flow.served[pod], count, alive, "request_duration_seconds")
        if self.habits.success:
            good = self._success(self.flow.failed[pod], count, service)
            found.append(self._line("request_success_percent", labels | side, good, alive))
        if self.habits.directions:
            found += self._client_of_pod(pod, labels, alive)
        return found

    def _client_of_pod(self, pod: int, labels: dict[str, str], alive: Array) -> list[Line]:
        numbers = self.world.graph.calls_of(self.world.pods[pod].service)
        if not numbers:
            return []
        share = self.flow.rate[pod] / np.maximum(self.flow.demand[self.world.pods[pod].service], 1e-9)
        weights = np.stack([self.flow.call_rate[n] for n in numbers]) * share
        waited = distribution.mixed([self.flow.call_waited[n] for n in numbers], weights) + self.effects.delay[pod]
        count = self._counted(weights.sum(axis=0))
        side = labels | {"direction": "client"}
        found = self._durations(side, waited, count, alive, "request_duration_seconds")
        if self.habits.success:
            failed = (weights * self.flow.call_failed[numbers]).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-9)
            good = self._success(failed, count, self.world.pods[pod].service)
            found.append(self._line("request_success_percent", side, good, alive))
        return found

    def _requests_of_service(self, service: int) -> list[Line]:
        pods = self.world.pods_of(service)
        rate = self.flow.rate[pods]
        part = distribution.mixed([self.flow.served[p] for p in pods], rate + 1e-9)
        failed = (self.flow.failed[pods] * rate).sum(axis=0) / np.maximum(rate.sum(axis=0), 1e-9)
        count = self._counted(rate.sum(axis=0))
        labels, alive = {"service": self.world.name(service)}, np.ones(len(count), dtype=bool)
        found = self._durations(labels, part, count, alive, "request_duration_seconds")
        if self.habits.counts:
            found.append(self._line("request_count", labels | {"stat": "Sum"}, count, alive))
        else:
            found.append(self._line("request_rate", labels, count / self.world.step, alive))
        if self.habits.success:
            name = "availability_percent" if self.habits.counts else "request_success_percent"
            stat = {"stat": "Average"} if self.habits.counts else {}
            found.append(self._line(name, labels | stat, self._success(failed, count, service), alive))
        return found

    def _edges(self) -> list[Line]:
        found = []
        everywhere = np.ones(len(self.world.times), dtype=bool)
        for number, call in enumerate(self.world.graph.calls):
            labels = {"source": self.world.name(call.caller), "destination": self.world.name(call.callee)}
            count = self._counted(self.flow.call_rate[number])
            waited = self.flow.call_waited[number] + self._delay_of(call.caller)
            sides = {"edge_client": waited, "edge_server": self.flow.call_served[number]}
            if self.world.graph.services[call.callee].role in ("store", "external"):
                del sides["edge_server"]
            for side, part in sides.items():
                values = self._quantile(part, 0.5, count)
                found.append(self._line(f"{side}_duration_seconds", labels | {"quantile": "0.5"}, values, everywhere))
            if self.habits.edge_success:
                good = self._success(self.flow.call_failed[number], count, call.callee)
                found.append(self._line("edge_client_success_percent", labels, good, everywhere))
        return found

    def _delay_of(self, service: int) -> Array:
        pods = self.world.pods_of(service)
        rate = self.flow.rate[pods]
        return np.asarray((self.effects.delay[pods] * rate).sum(axis=0) / np.maximum(rate.sum(axis=0), 1e-9))

    def _ingress(self) -> list[Line]:
        pods = self.world.pods_of(0)
        rate = self.flow.rate[pods]
        if not self.habits.per_pod:
            return []
        part = distribution.mixed([self.flow.served[p] for p in pods], rate + 1e-9)
        count, everywhere = self._counted(rate.sum(axis=0)), np.ones(len(self.world.times), dtype=bool)
        failed = (self.flow.failed[pods] * rate).sum(axis=0) / np.maximum(rate.sum(axis=0), 1e-9)
        found = [
            self._line("ingress_duration_seconds", {"quantile": q}, self._quantile(part, float(q), count), everywhere)
            for q in ("0.5", "0.9", "0.99")
        ]
        return [*found, self._line("ingress_success_percent", {}, self._success(failed, count, 0), everywhere)]

    def _container(self, pod: int) -> list[Line]:
        labels, alive, rng = self._labels(pod), self._alive(pod), self.rng
        if self.habits.places:
            labels["node"] = f"worker-{self.world.pods[pod].node + 1}"
        item, service = self.world.pods[pod], self.world.graph.services[self.world.pods[pod].service]
        length = len(self.world.times)
        up = np.where(self.effects.ready[pod] > 0, 1.0, 0.1)
        busy = self.flow.busy[pod] * np.exp(0.12 * rng.standard_normal(length)) * up
        cpu = 100 * np.minimum(busy, rng.uniform(1.0, 1.05)) + 0.3 * rng.random(length)
        found = [self._line("container_cpu_usage_percent", labels, cpu, alive)]
        age = np.maximum(self.world.times - max(item.born, self.world.times[0] - 36000), 0)
        memory = (
            0.6 + 0.4 * (1 - np.exp(-age / 900)) + 0.015 * smooth_noise(rng, length, 0.9) + self.effects.memory[pod]
        )
        if service.saw_s:
            memory = memory + 0.15 * ((self.world.times / service.saw_s + rng.random()) % 1.0)
        memory = np.maximum(memory, 0.05) * up
        if self.habits.memory_bytes:
            pages = np.round(memory * service.memory_mb * 256) * 4096
            found.append(self._line("container_memory_usage_bytes", labels, pages, alive))
        else:
            percent = np.round(np.minimum(memory * 45, 100), 2)
            found.append(self._line("container_memory_usage_percent", labels, percent, alive))
        if self.habits.network:
            found += self._traffic_of(pod, labels, alive)
        if self.habits.nodes:
            found += self._node(pod, labels, alive)
        return found

    def _traffic_of(self, pod: int, labels: dict[str, str], alive: Array) -> list[Line]:
        rate, rng = self.flow.rate[pod] * (1 - 0.5 * self.effects.loss[pod]), self.rng
        noise = np.exp(0.1 * rng.standard_normal((4, len(rate))))
        sizes = (700, 1900, 6.0, 4.0)
        names = ("network_receive_bytes", "network_transmit_bytes", "syscall_read", "syscall_write")
        calls = 1 + len(self.world.graph.calls_of(self.world.pods[pod].service))
        floor = (330, 280, 0, 0)
        return [
            self._line(f"container_{name}", labels, np.round(low + rate * size * calls * wobble, 1), alive)
            for name, size, low, wobble in zip(names, sizes, floor, noise, strict=True)
        ]

    def _node(self, pod: int, labels: dict[str, str], alive: Array) -> list[Line]:
        node = self.world.pods[pod].node
        if node not in self.hosts:  # every pod's row is the same measurement
            self.hosts[node] = self._host(node)
        cpu, memory = self.hosts[node]
        return [
            self._line("node_cpu_usage_percent", labels, cpu, alive),
            self._line("node_memory_usage_percent", labels, memory, alive),
        ]

    def _host(self, node: int) -> tuple[Array, Array]:
        mates = [i for i, item in enumerate(self.world.pods) if item.node == node]
        cpu = 2 + 60 * (self.flow.busy[mates] * (self.effects.ready[mates] > 0)).sum(axis=0) / max(len(mates), 6)
        cpu = (cpu + self.effects.host_cpu[node]) * np.exp(0.06 * self.rng.standard_normal(len(cpu)))
        memory = 20 + 3 * node + 20 * self.effects.memory[mates].sum(axis=0) / max(len(mates), 6)
        memory = memory + self.effects.host_memory[node] + 0.2 * smooth_noise(self.rng, len(cpu), 0.9)
        return np.minimum(cpu, 100), np.minimum(memory, 99)

    def _expiry(self) -> list[Line]:
        """Seconds that the certificate of each service has left; one that has run out stays so."""
        everywhere, found = np.ones(len(self.world.times), dtype=bool), []
        for service, item in enumerate(self.world.graph.services):
            ends = self.world.times[-1] + self.rng.uniform(1, 90) * 86400
            callers = self.world.graph.callers_of(service)
            failing = self.effects.call_error[callers].min(axis=0, initial=1.0) > 0
            if callers and failing.any():
                ends = self.world.times[int(np.argmax(failing))]
            left = np.maximum(ends - self.world.times, 0)
            if item.role in ("app", "store"):
                labels = {"service": item.name}
                found.append(self._line("certificate_expiry_seconds", labels, left, everywhere))
        return found


def _bucketed(part: Array, values: Array, drawn: Array, level: float) -> Array:
    """A histogram knows only how many requests fell into a bucket: inside it the quantile is placed linearly."""
    upper = np.clip(np.searchsorted(BUCKETS, values, side="left"), 1, len(BUCKETS) - 1)
    low, high = BUCKETS[upper - 1], BUCKETS[upper]
    below = distribution.WEIGHTS @ (part <= low)
    inside = np.maximum(distribution.WEIGHTS @ (part <= high) - below, 1e-9)
    place = np.clip((np.where(below < level, level, drawn) - below) / inside, 0.02, 1.0)
    return np.asarray(low + (high - low) * np.round(place, 2), dtype=np.float64)
