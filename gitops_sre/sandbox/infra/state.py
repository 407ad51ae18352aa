"""What the infra repository declares at one moment, apart from how the files spell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gitops_sre.sandbox import shop
from gitops_sre.sandbox.shop import ENVIRONMENTS, SERVICES

Place = tuple[str, str]
"""(environment, service)."""


@dataclass(frozen=True)
class Declared:
    """Tag, replicas and log level of every place, the CPU request in the chart, and the notes in the README."""

    tags: Mapping[Place, str]
    replicas: Mapping[Place, int]
    log_level: Mapping[Place, str] = field(default_factory=dict)
    chart_cpu: str = "100m"
    notes: tuple[str, ...] = ()

    def with_tag(self, service: str, tag: str, environments: Iterable[str]) -> Declared:
        """The same with another tag of one service in some environments."""
        return replace(self, tags={**self.tags, **{(environment, service): tag for environment in environments}})

    def with_replicas(self, environment: str, service: str, count: int) -> Declared:
        """The same with another number of replicas in one place."""
        return replace(self, replicas={**self.replicas, (environment, service): count})

    def with_log_level(self, environment: str, service: str, level: str) -> Declared:
        """The same with another log level in one place."""
        return replace(self, log_level={**self.log_level, (environment, service): level})


def today() -> Declared:
    """What `shop` says runs now, in every environment."""
    places = [(environment, service) for environment in ENVIRONMENTS for service in SERVICES]
    return Declared(
        tags={(environment, service.name): service.version for environment, service in places},
        replicas={(environment, service.name): shop.replicas(service, environment) for environment, service in places},
    )
