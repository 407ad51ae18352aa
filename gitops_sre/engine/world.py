"""Everything the engine may touch, as ports: built once by wiring."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.ports import Alerts, Clock, Cluster, Forge, Locator, Metrics, Renderer, Repository, Store
from gitops_sre.reasoning.catalogue import Catalogue
from gitops_sre.settings import Settings


@dataclass(frozen=True)
class World:
    """The outside world and how to treat it."""

    settings: Settings
    catalogue: Catalogue
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
