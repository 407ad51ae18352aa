"""How traffic, failures and latency travel through the call graph. Pure functions, one environment at a time.

Requests are a fluid (a rate, not single arrivals), so the numbers carry no noise of their own; `model.py` adds it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from gitops_sre.sandbox.shop import BY_NAME, SERVICES, Service
from gitops_sre.sandbox.telemetry.faults import Effect

OWN_SIGMA = 0.5
"""Shape of a service's own (log-normal) service time."""
_MEAN_PER_MEDIAN = math.exp(OWN_SIGMA**2 / 2)
_VARIANCE_PER_MEAN_SQUARED = math.exp(OWN_SIGMA**2) - 1

QUEUES_FROM = 0.8
"""Load (demand over capacity) from which requests queue."""
QUEUE_SLOPE = 5.0

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Finite upper bounds of the latency histogram in seconds."""

CALLERS_FIRST: tuple[Service, ...] = tuple(
    BY_NAME[name]
    for name in reversed(
        list(TopologicalSorter({s.name: [callee for callee, _ in s.calls] for s in SERVICES}).static_order())
    )
)


@dataclass(frozen=True, slots=True)
class Response:
    """What callers get: the share of requests that fail, and mean (s) and variance (s^2) of the duration."""

    failure: float
    mean: float
    variance: float


DOWN = Response(1.0, 0.0, 0.0)
"""No replica is ready: every call is refused at once."""


def demand(entry: Mapping[str, float], serving: Collection[str]) -> dict[str, float]:
    """Requests a second that arrive at each service.

    `entry` is the rate from outside by service name; a service outside `serving` calls nobody.
    """
    arriving = {service.name: entry.get(service.name, 0.0) for service in CALLERS_FIRST}
    for service in CALLERS_FIRST:
        if service.name in serving:
            for callee, count in service.calls:
                arriving[callee] += arriving[service.name] * count
    return arriving


def queueing(load: float) -> float:
    """Factor on the service time at a load (demand over capacity)."""
    return 1 + max(0.0, min(load, 2.0) - QUEUES_FROM) * QUEUE_SLOPE


def shed(load: float) -> float:
    """Share of requests refused because the replicas are full."""
    return max(0.0, 1 - 1 / load) if load > 1 else 0.0


def respond(service: Service, effect: Effect, slowness: float, callees: Mapping[str, Response]) -> Response:
    """How one version of `service` answers, given how its callees do.

    `slowness` multiplies the own service time besides the effect. A request fails when it fails by itself or when any
    of its calls fails; with a mean count of 2.25 calls, two are made always and a third with probability 0.25.
    Durations add: own time plus a random number of calls, by mean and variance (compound distribution).
    """
    mean = service.latency * _MEAN_PER_MEDIAN * effect.latency_factor * slowness
    variance = _VARIANCE_PER_MEAN_SQUARED * mean * mean
    success = 1 - effect.error_rate
    for callee, count in service.calls:
        answer = callees[callee]
        whole = int(count)
        extra = count - whole
        success *= (1 - answer.failure) ** whole * (1 - extra * answer.failure)
        mean += count * answer.mean
        variance += count * answer.variance + extra * (1 - extra) * answer.mean**2
    return Response(1 - success, mean, variance)


def mixture(parts: list[tuple[float, Response]]) -> Response:
    """Several versions that share the traffic, as one; `parts` are (share, response), shares sum to 1."""
    if len(parts) == 1:
        return parts[0][1]
    mean = sum(share * part.mean for share, part in parts)
    second_moment = sum(share * (part.variance + part.mean**2) for share, part in parts)
    return Response(sum(share * part.failure for share, part in parts), mean, second_moment - mean**2)


def cumulative(response: Response) -> list[float]:
    """Share of requests within each bound of `BUCKETS`: the log-normal with the response's mean and variance.

    Approximating a sum of log-normals by the one with equal first moments is Fenton's method (1960).
    """
    spread = math.log1p(response.variance / response.mean**2)
    middle = math.log(response.mean) - spread / 2
    scale = 1 / math.sqrt(2 * spread)
    return [0.5 * math.erfc((middle - bound) * scale) for bound in _LOG_BUCKETS]


_LOG_BUCKETS = tuple(math.log(bound) for bound in BUCKETS)
