"""The physics: load runs down the call graph, waiting and failures run up.

A pod is a queue: its own time grows with 1 / (1 - utilisation). A caller waits for what it calls (up to its
time-out) and passes on
the vital part of failures; failed requests call on less; retries multiply the load of a failing service. Load
depends on failures
and failures on load, so both passes run twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gitops_sre.sandbox.incidents import distribution
from gitops_sre.sandbox.incidents.distribution import Array
from gitops_sre.sandbox.incidents.world import Effects, World

FULL = 0.96  # utilisation from which a queue is cut off by rejecting requests


@dataclass
class Flow:
    """What really happened, before any measuring. Distributions are levels x times, in seconds."""

    demand: Array  # services x times, requests a second
    rate: Array  # pods x times
    busy: Array  # pods x times, utilisation by requests
    failed: Array  # pods x times, share of requests answered with a failure
    served: list[Array]  # per pod: time to answer
    call_rate: Array  # calls x times
    call_failed: Array  # calls x times, seen by the caller
    call_served: list[Array]  # per call: as the callee measures
    call_waited: list[Array]  # per call: as the caller measures


def simulate(world: World, effects: Effects) -> Flow:
    """Two rounds of load down and answers up."""
    length = len(world.times)
    pods, calls, services = len(world.pods), len(world.graph.calls), len(world.graph.services)
    blank = np.zeros((len(distribution.LEVELS), length))
    flow = Flow(
        np.zeros((services, length)), np.zeros((pods, length)), np.zeros((pods, length)), np.zeros((pods, length)),
        [blank] * pods,
        np.zeros((calls, length)), np.zeros((calls, length)), [blank] * calls, [blank] * calls,
    )  # fmt: skip
    for _ in range(2):
        _load(world, effects, flow)
        _answer(world, effects, flow)
    return flow


def _load(world: World, effects: Effects, flow: Flow) -> None:
    flow.demand = world.traffic * effects.surge
    for service in range(len(world.graph.services)):
        pods = world.pods_of(service)
        ready = effects.ready[pods]
        share = ready / np.maximum(ready.sum(axis=0), 1e-9)
        flow.rate[pods] = flow.demand[service] * share
        early = np.maximum(effects.skip[pods], 0.6 * effects.error[pods])
        onward = (flow.rate[pods] * (1 - early)).sum(axis=0)
        for number in world.graph.calls_of(service):
            call = world.graph.calls[number]
            flow.call_rate[number] = onward * call.per_request * (1 + call.retries * flow.call_failed[number])
            flow.demand[call.callee] += flow.call_rate[number] * (1 - effects.call_error[number])


def _answer(world: World, effects: Effects, flow: Flow) -> None:
    for service in reversed(range(len(world.graph.services))):
        numbers = world.graph.calls_of(service)
        waits = [distribution.repeated(flow.call_waited[n], world.graph.calls[n].per_request) for n in numbers]
        broken = _passed_on(world, flow, numbers)
        fanout = sum(world.graph.calls[n].per_request for n in numbers)
        for pod in world.pods_of(service):
            _answer_of_pod(world, effects, flow, pod, waits, broken, fanout)
        _answer_of_calls(world, effects, flow, service)


def _passed_on(world: World, flow: Flow, numbers: list[int]) -> Array:
    """Share of requests that fail because of what they call."""
    intact = np.ones(len(world.times))
    for number in numbers:
        call = world.graph.calls[number]
        intact *= 1 - call.vital * min(call.per_request, 1.0) * flow.call_failed[number]
    return 1 - intact


def _answer_of_pod(
    world: World, effects: Effects, flow: Flow, pod: int, waits: list[Array], broken: Array, fanout: float
) -> None:
    index = world.pods[pod].service
    service = world.graph.services[index]
    size = max(world.usual[index] / world.replicas[index], 1e-9)
    busy = service.busy * flow.rate[pod] / size * np.sqrt(effects.slow[pod]) + effects.cpu[pod]
    flow.busy[pod] = np.minimum(busy, 1.02)
    rejected = np.clip((busy - FULL) * 1.5, 0, 0.6)
    queue = (1 - service.busy * 0.8) / (1 - np.minimum(busy, FULL))
    own = distribution.lognormal(service.own_s * effects.slow[pod] * np.maximum(queue, 0.8), service.sigma)
    own = own + effects.extra[pod]
    whole = distribution.added([own, *waits]) + effects.delay[pod] * fanout if waits else own
    early = np.maximum(effects.skip[pod], 0.6 * effects.error[pod])
    if early.any():
        whole = distribution.mixed([own * 0.5, whole], np.stack([early, 1 - early]))
    flow.served[pod] = whole
    kept = (1 - effects.error[pod]) * (1 - rejected) * (1 - broken * (1 - effects.skip[pod]))
    flow.failed[pod] = 1 - kept


def _answer_of_calls(world: World, effects: Effects, flow: Flow, service: int) -> None:
    """What every caller sees of this service: a mixture of its pods, then the network, then the caller's time-out."""
    callers = world.graph.callers_of(service)
    if not callers:
        return
    pods = world.pods_of(service)
    ready = effects.ready[pods]
    served = distribution.mixed([flow.served[p] for p in pods], ready)
    network = distribution.mixed([flow.served[p] + effects.delay[p] for p in pods], ready)
    total = np.maximum(ready.sum(axis=0), 1e-9)
    failed = (flow.failed[pods] * ready).sum(axis=0) / total
    lost = (effects.loss[pods] * ready).sum(axis=0) / total
    gone = ready.sum(axis=0) < 0.01
    for number in callers:
        call = world.graph.calls[number]
        waited = network + effects.call_delay[number] + 0.0005 + lost * 0.4
        late = distribution.above(waited, call.timeout_s)
        refused = 1 - (1 - failed) * (1 - lost**2) * (1 - effects.call_error[number]) * (1 - late)
        refused = np.where(gone, 0.98, refused)
        quick = np.maximum(effects.call_error[number], gone * 0.98)
        flow.call_served[number] = served
        flow.call_waited[number] = np.minimum(waited, call.timeout_s) * (1 - 0.8 * quick)
        flow.call_failed[number] = refused ** (1 + call.retries)
