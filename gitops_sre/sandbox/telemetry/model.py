"""The shop's behaviour over time: state of the world and faults in, samples of every metric out.

Pure but for its own counters and a seeded random generator: the same seed, instants, worlds and faults give the same
samples. Steps of any length may follow each other (a minute for back-filled history, a second live); counters go on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from gitops_sre.sandbox import shop
from gitops_sre.sandbox.shop import ENVIRONMENTS, TRAFFIC_SHARE, Service
from gitops_sre.sandbox.telemetry import flow
from gitops_sre.sandbox.telemetry.faults import Effect, Fault, effect_of, surge
from gitops_sre.sandbox.telemetry.flow import CALLERS_FIRST, Response
from gitops_sre.sandbox.telemetry.place import MIB, PlaceState
from gitops_sre.sandbox.telemetry.series import Series, Tick

DAY = 86400.0
DAILY_SWING = 0.35
PEAK_HOUR = 15.0
"""Traffic of a day is 1 + 0.35 cos(...) around its mean, highest at 15:00 UTC."""

BASE_ERROR_RATE = 0.001
PEAK_LOAD = 0.45
"""Load (demand over capacity) with all declared replicas ready at the daily peak."""
IDLE_CORES = 0.02
MEMORY_LIMIT = 2.0
"""Memory limit of a replica as a multiple of what it needs; a leak that reaches it is killed and starts again."""

TRAFFIC_NOISE, LATENCY_NOISE, ERROR_NOISE, CPU_NOISE, MEMORY_NOISE = 0.06, 0.04, 0.25, 0.05, 0.01
"""Sigma of the log-normal factor on each quantity, drawn anew each tick."""


@dataclass(frozen=True)
class Running:
    """What runs in one place: the image with its tag, and how many of the wanted replicas are ready."""

    image: str
    ready: int
    replicas: int

    @property
    def tag(self) -> str:
        """The image's tag; `latest` where it has none."""
        _, colon, tag = self.image.partition("@")[0].rpartition("/")[2].partition(":")
        return tag if colon else "latest"


ABSENT = Running("", 0, 0)


def daily_shape(at: float) -> float:
    """Traffic at the Unix second `at` relative to the day's mean."""
    return 1 + DAILY_SWING * math.cos(2 * math.pi * (at / DAY - PEAK_HOUR / 24))


def mean_demand() -> dict[str, float]:
    """Production requests a second at each service, averaged over a day."""
    names = {service.name for service in CALLERS_FIRST}
    return flow.demand({service.name: service.entry_rate for service in CALLERS_FIRST}, names)


_MEAN_DEMAND = mean_demand()


def replica_capacity(service: Service, environment: str) -> float:
    """Requests a second that one ready replica can serve."""
    peak = _MEAN_DEMAND[service.name] * TRAFFIC_SHARE[environment] * (1 + DAILY_SWING)
    return peak / (PEAK_LOAD * shop.replicas(service, environment))


class Simulation:
    """The whole shop; `step` moves it on."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._places = {
            (environment, service.name): PlaceState(environment, service)
            for environment in ENVIRONMENTS
            for service in CALLERS_FIRST
        }

    def step(
        self,
        at: float,
        seconds: float,
        world: Mapping[tuple[str, str], Running],
        faults: tuple[Fault, ...] = (),
    ) -> Tick:
        """Let `seconds` pass until the Unix second `at`, and return every series' sample there.

        `world` maps (environment, service) to what runs; a missing key means nothing does.
        """
        samples: list[tuple[Series, float]] = []
        for environment in ENVIRONMENTS:
            self._environment(environment, at, seconds, world, faults)
            for service in CALLERS_FIRST:
                samples += self._places[environment, service.name].samples()
        return Tick(at, samples)

    def _environment(
        self,
        environment: str,
        at: float,
        seconds: float,
        world: Mapping[tuple[str, str], Running],
        faults: tuple[Fault, ...],
    ) -> None:
        running = {s.name: world.get((environment, s.name), ABSENT) for s in CALLERS_FIRST}
        serving = {name for name, state in running.items() if state.ready > 0}
        level = TRAFFIC_SHARE[environment] * daily_shape(at) * surge(faults, environment, at)
        entry = {s.name: s.entry_rate * level * self._noise(TRAFFIC_NOISE) for s in CALLERS_FIRST if s.entry_rate}
        demand = flow.demand(entry, serving)
        responses: dict[str, Response] = {}
        for service in reversed(CALLERS_FIRST):
            place = self._places[environment, service.name]
            state = running[service.name]
            place.present = state is not ABSENT
            place.observe(state.tag, state.ready, state.replicas)
            if state.ready > 0:
                effects = {tag: effect_of(faults, environment, service.name, tag, at) for tag, _ in place.parts}
                responses[service.name] = self._serve(place, demand[service.name], seconds, effects, responses)
            else:
                responses[service.name] = flow.DOWN

    def _serve(
        self,
        place: PlaceState,
        demand: float,
        seconds: float,
        effects: Mapping[str, Effect],
        responses: Mapping[str, Response],
    ) -> Response:
        """One place answers `demand` requests a second for `seconds`; its counters move on."""
        service = place.service
        load = demand / (replica_capacity(service, place.environment) * place.ready)
        slowness = flow.queueing(load) * self._noise(LATENCY_NOISE)
        killed = self._leak(place, effects, seconds)
        own = Effect(1 - (1 - BASE_ERROR_RATE * self._noise(ERROR_NOISE)) * (1 - flow.shed(load)) * (1 - killed))
        parts: list[tuple[float, Response]] = []
        for tag, share in place.parts:
            answer = flow.respond(service, own.and_also(effects[tag]), slowness, responses)
            place.count_requests(tag, demand * share * seconds, answer)
            parts.append((share, answer))
        place.count_calls(demand * seconds, responses)
        busy = service.cpu_cores * service.replicas * demand / (_MEAN_DEMAND[service.name] or 1.0)
        place.cpu += (IDLE_CORES * place.ready + busy * self._noise(CPU_NOISE)) * seconds
        place.memory = place.ready * (service.memory_mib * self._noise(MEMORY_NOISE) + place.leaked) * MIB
        return flow.mixture(parts)

    def _leak(self, place: PlaceState, effects: Mapping[str, Effect], seconds: float) -> float:
        """Let memory leak. At the limit a replica is killed; its share of requests, which fail, is returned."""
        place.leaked += effects[place.parts[-1][0]].memory_growth * seconds
        if place.leaked < place.service.memory_mib * (MEMORY_LIMIT - 1):
            return 0.0
        place.leaked = 0.0
        return 1 / place.ready

    def _noise(self, sigma: float) -> float:
        return math.exp(self._random.gauss(0.0, sigma))
