"""What is found in a repository that the bot is to be set up for, and by which places."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A value and the places, as `path:line`, that say it; the first one says it most plainly."""

    value: str
    places: tuple[str, ...]

    @property
    def by(self) -> str:
        """The places for people: the first one, and how many more there are."""
        more = f" and {len(self.places) - 1} more" if len(self.places) > 1 else ""
        return f"{self.places[0]}{more}" if self.places else ""


@dataclass(frozen=True)
class Environment:
    """An environment, the places that name it, and the namespaces of what is applied to it."""

    name: str
    places: tuple[str, ...]
    namespaces: tuple[Finding, ...]

    @property
    def tier(self) -> str:
        """`critical` where users are, else `standard`: a beginning, for people to correct."""
        return "critical" if self.name in ("production", "canary") else "standard"


@dataclass(frozen=True)
class Objective:
    """One service's objective in the terms of the settings: a share of failed requests, and seconds; None: not said.

    `by` are the places that say either; `environment` is empty where nothing tells one.
    """

    service: str
    environment: str
    error_ratio: float | None
    latency_p99: float | None
    by: tuple[str, ...]


@dataclass(frozen=True)
class Monitoring:
    """Where metrics and alerts are to be asked for, as far as the repository says it, and what it watches."""

    prometheus: Finding | None = None
    alertmanager: Finding | None = None
    rules: tuple[str, ...] = ()
    monitors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Discovery:
    """All that was found. `argocd` is the namespace of the Applications, `flux` that of the Kustomizations; `plain` are
    kustomizations and charts that no such object of this repository need apply. `namespaces` are those that belong to
    no environment. `left` says what was seen and could not be carried over, with its place."""

    argocd: Finding | None
    flux: Finding | None
    plain: tuple[str, ...]
    environments: tuple[Environment, ...]
    namespaces: tuple[Finding, ...]
    monitoring: Monitoring
    objectives: tuple[Objective, ...]
    left: tuple[str, ...]
