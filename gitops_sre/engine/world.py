"""Everything the engine may touch, as ports: built once by wiring."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.engine.journal import Journal
from gitops_sre.gitops import target as targets
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.perception.presets import Catalogue as Queries
from gitops_sre.ports import (
    Alerts,
    Assistant,
    Channels,
    Clock,
    Cluster,
    Forge,
    Locator,
    Metrics,
    Renderer,
    Repository,
    Store,
)
from gitops_sre.reasoning.catalogue import Catalogue
from gitops_sre.settings import Settings


@dataclass(frozen=True)
class World:
    """The outside world and how to treat it."""

    settings: Settings
    catalogue: Catalogue
    queries: Queries
    clock: Clock
    metrics: Metrics
    alerts: tuple[Alerts, ...]
    cluster: Cluster
    repository: Repository
    repository_url: str
    """The infra repository as GitOps objects name it."""
    locator: Locator
    renderer: Renderer
    forge: Forge
    store: Store
    channels: Channels | None = None
    """How people are called beside the forge; None where that is not set up."""
    assistant: Assistant | None = None
    """The language model that may be asked for its opinion; None where none is set up."""
    journal: Journal | None = None
    """Where the store's content comes from and goes to when it is not kept (engine.state: branch)."""

    def environment_of(self, namespace: str) -> tuple[str, str]:
        """(environment, tier) of a namespace, as the settings have it."""
        return targets.environment_of(namespace, self.settings.environments)

    def seen_cluster(self, namespace: str = "") -> tuple[tuple[Application, ...], tuple[Workload, ...]] | Unavailable:
        """All Applications, and the workloads of a namespace (empty: all); Unavailable when either cannot be had."""
        applications, workloads = self.cluster.applications(), self.cluster.workloads(namespace)
        if isinstance(workloads, Unavailable):
            return workloads
        return applications if isinstance(applications, Unavailable) else (applications, workloads)
