"""Who calls whom, how that is known, and what is usual on the way."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

EdgeSource = Literal["traces", "mesh", "span_metrics", "client_metrics", "declared", "correlation"]
"""How an edge is known."""
SOURCES: tuple[EdgeSource, ...] = ("traces", "mesh", "span_metrics", "client_metrics", "declared", "correlation")
"""The most certain way first."""


@dataclass(frozen=True)
class Baseline:
    """What was usual on an edge up to the moment `at` (epoch seconds), when all was well; None where nothing says.

    `latency` in seconds is the median over the quiet time of the calls (`stat` is `median`) or of the statistic that
    the metrics have (`p50`, `average`, `p99`); `traffic` is in requests a second; `errors` a ratio 0..1.
    """

    at: float
    latency: float | None = None
    traffic: float | None = None
    errors: float | None = None
    stat: str = ""


@dataclass(frozen=True)
class Sighting:
    """One source's word for an edge: how probable that makes it (0..1), and when it said so last (epoch seconds)."""

    source: EdgeSource
    confidence: float
    seen: float
    baseline: Baseline | None = None


@dataclass(frozen=True)
class Edge:
    """One service calls another. `sightings` has one entry for each source that says so, the most certain first."""

    caller: str
    callee: str
    sightings: tuple[Sighting, ...]

    @property
    def pair(self) -> tuple[str, str]:
        """(caller, callee)."""
        return self.caller, self.callee

    @property
    def source(self) -> EdgeSource:
        """The most certain source that knows it."""
        return self.sightings[0].source

    @cached_property
    def confidence(self) -> float:
        """The probability that the call happens: that not every source errs, were they independent (noisy or; Pearl,
        Probabilistic Reasoning in Intelligent Systems, 1988)."""
        return 1 - math.prod(1 - each.confidence for each in self.sightings)

    @property
    def seen(self) -> float:
        """When any source said so last, in epoch seconds."""
        return max(each.seen for each in self.sightings)

    @property
    def latency(self) -> float | None:
        """The usual latency in seconds, of the most certain source that has one; what it is a statistic of says its
        baseline's `stat`."""
        return next((b.latency for b in self._baselines if b.latency is not None), None)

    @property
    def traffic(self) -> float | None:
        """The usual requests a second, of the most certain source that has them. Metrics count every request, traces
        only those that were kept, so that theirs come last."""
        counted = sorted((each for each in self.sightings if each.baseline), key=lambda each: each.source == "traces")
        said = (each.baseline.traffic for each in counted if each.baseline)
        return next((value for value in said if value is not None), None)

    @property
    def errors(self) -> float | None:
        """The usual share of failed calls, of the most certain source that has one."""
        return next((b.errors for b in self._baselines if b.errors is not None), None)

    @property
    def _baselines(self) -> tuple[Baseline, ...]:
        return tuple(each.baseline for each in self.sightings if each.baseline is not None)


@dataclass(frozen=True)
class ServiceMap:
    """Edges sorted by caller and callee, one for each pair; nobody calls itself."""

    edges: tuple[Edge, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(caller, callee) pairs."""
        return tuple(edge.pair for edge in self.edges)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """Every service on the map, sorted."""
        return tuple(sorted({name for pair in self.pairs for name in pair}))

    def sure(self, least: float, sources: Collection[EdgeSource] = SOURCES) -> ServiceMap:
        """The part of the map that is at least so probable by the word of some sources alone."""
        kept = (
            Edge(edge.caller, edge.callee, said)
            for edge in self.edges
            if (said := tuple(each for each in edge.sightings if each.source in sources))
        )
        return ServiceMap(tuple(edge for edge in kept if edge.confidence >= least))

    def between(self, caller: str, callee: str) -> Edge | None:
        """The edge of a pair."""
        return self._by_pair.get((caller, callee))

    def calls(self, service: str) -> tuple[Edge, ...]:
        """Edges to the services that a service calls."""
        return self._callees.get(service, ())

    def called_by(self, service: str) -> tuple[Edge, ...]:
        """Edges from the services that call a service."""
        return self._callers.get(service, ())

    @cached_property
    def _by_pair(self) -> dict[tuple[str, str], Edge]:
        return {edge.pair: edge for edge in self.edges}

    @cached_property
    def _callees(self) -> dict[str, tuple[Edge, ...]]:
        return _grouped((edge.caller, edge) for edge in self.edges)

    @cached_property
    def _callers(self) -> dict[str, tuple[Edge, ...]]:
        return _grouped((edge.callee, edge) for edge in self.edges)


def _grouped(pairs: Iterable[tuple[str, Edge]]) -> dict[str, tuple[Edge, ...]]:
    found: dict[str, list[Edge]] = defaultdict(list)
    for name, edge in pairs:
        found[name].append(edge)
    return {name: tuple(edges) for name, edges in found.items()}


class CallGraph:
    """Who is downstream of whom, by (caller, callee) pairs alone."""

    def __init__(self, edges: Iterable[tuple[str, str]]) -> None:
        self._edges = tuple(edges)
        self._below: dict[str, tuple[str, ...]] = {}

    @property
    def known(self) -> bool:
        """Whether there is a map at all."""
        return bool(self._edges)

    def below(self, service: str) -> tuple[str, ...]:
        """Everything that a service calls, directly or not, nearest first."""
        if service not in self._below:
            found: dict[str, None] = {service: None}
            waiting = deque([service])
            while waiting:
                for callee in self._callees.get(waiting.popleft(), ()):
                    if callee not in found:
                        found[callee] = None
                        waiting.append(callee)
            self._below[service] = tuple(found)[1:]
        return self._below[service]

    @cached_property
    def _callees(self) -> Mapping[str, list[str]]:
        callees: dict[str, list[str]] = defaultdict(list)
        for caller, callee in self._edges:
            callees[caller].append(callee)
        return callees


@dataclass(frozen=True)
class Affected:
    """A service that suffers when another one fails. `share` is the part of its requests that need the other one, 0..1,
    at most: None where no traffic is known."""

    service: str
    share: float | None


@dataclass(frozen=True)
class BlastRadius:
    """What suffers when a service fails: the `services` that need it, itself first, and, among them, the `entries` that
    no service of the map calls. `share` is the part of all entries' requests that is affected, at most; None where
    their traffic is not known."""

    service: str
    services: tuple[Affected, ...]
    entries: tuple[Affected, ...]
    share: float | None
