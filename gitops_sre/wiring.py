"""The only room that names concrete adapters: settings in, a world or a bot out."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from gitops_sre.adapters import wall
from gitops_sre.adapters.alertmanager import AlertmanagerAlerts
from gitops_sre.adapters.channels import AppriseChannels
from gitops_sre.adapters.claude import Claude
from gitops_sre.adapters.git import GitRepository, LocalRepository
from gitops_sre.adapters.github import GitHubForge
from gitops_sre.adapters.github.apps import PERMISSIONS
from gitops_sre.adapters.kubernetes import KubernetesCluster
from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.adapters.render import ToolRenderer
from gitops_sre.adapters.store import SqlStore
from gitops_sre.delivery.ledger import sealer
from gitops_sre.delivery.seal import Key, load_key
from gitops_sre.engine.bot import Bot, Told, nobody
from gitops_sre.engine.intake import intake
from gitops_sre.engine.journal import Journal
from gitops_sre.engine.world import World
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.gitops.promised import PromisedCluster
from gitops_sre.perception import presets
from gitops_sre.ports import Alerts
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.settings import ConfigError, Settings

__all__ = ["World", "app_permissions", "bot", "build", "channels", "local", "open_store", "renderer"]


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)


def open_store(settings: Settings) -> SqlStore:
    """The store alone, for commands that only read it. Raises StoreError."""
    return SqlStore(settings.engine.database_url)


def _store(settings: Settings, key: Key) -> SqlStore:
    """The store of whoever may add to the ledger: it signs what it adds."""
    url = memory() if settings.engine.state == "branch" else settings.engine.database_url
    return SqlStore(url, sealed=sealer(key, settings.github.repository))


def memory() -> str:
    """URL of a new database in memory, which ends with this process."""
    return f"sqlite:///file:/{uuid4().hex}?vfs=memdb&uri=true"  # sqlite.org/src/file?name=src/memdb.c


def build(settings: Settings, environment: Mapping[str, str] | None = None) -> World:
    """The world that settings describe. Raises ConfigError or StoreError; nothing is asked of the network yet."""
    given = os.environ if environment is None else environment
    wall.only(settings.network.only)
    key = load_key(settings.signing.key_file)
    forge = GitHubForge(settings.github, key, given)
    clock = SystemClock()
    on_branch = settings.engine.state == "branch"
    store = _store(settings, key)
    journal = _journal(settings, forge, store, clock, key) if on_branch else None
    try:
        repository = GitRepository(forge.git_url, settings.github.branch, settings.cache_dir, forge.git_token)
    except ValueError as error:
        raise ConfigError(f"github: {error}") from error
    locator, rendering = GitOpsLocator(repository), ToolRenderer()
    prometheus = Prometheus(settings.prometheus, given)
    sources: list[Alerts] = [prometheus] if settings.prometheus.poll_alerts else []
    if settings.alertmanager is not None:
        sources.append(AlertmanagerAlerts(settings.alertmanager))
    return World(
        settings=settings,
        catalogue=load_catalogue(),
        queries=presets.load(),
        clock=clock,
        metrics=prometheus,
        alerts=tuple(sources),
        cluster=KubernetesCluster(settings.kubernetes)
        if settings.kubernetes.enabled
        else PromisedCluster(repository, forge.git_url, rendering, locator, settings.kubernetes.argocd_namespace),
        repository=repository,
        repository_url=forge.git_url,
        locator=locator,
        renderer=rendering,
        forge=forge,
        store=store,
        channels=channels(settings, given),
        assistant=Claude(settings.investigator, given) if settings.investigator is not None else None,
        journal=journal,
    )


def channels(settings: Settings, environment: Mapping[str, str] | None = None) -> AppriseChannels | None:
    """How people are called; None without channels."""
    if not settings.notifications.channels:
        return None
    given = os.environ if environment is None else environment
    return AppriseChannels(settings.notifications, given, settings.network)


def _journal(settings: Settings, forge: GitHubForge, store: SqlStore, clock: SystemClock, key: Key) -> Journal:
    """The way to the ledger branch, asked before every write on GitHub."""
    name = settings.engine.ledger_branch
    try:
        clone = GitRepository(forge.git_url, name, settings.cache_dir, forge.git_token)
    except ValueError as error:
        raise ConfigError(f"engine.ledger_branch: {error}") from error
    lease = timedelta(seconds=settings.engine.lease)
    journal = Journal(forge.ledger(name), clone, store, clock, key, settings.github.repository, lease)
    forge.guard(journal.before_write)
    return journal


def admin_interfaces(world: World) -> str:
    """Which interfaces of Prometheus are on that change something; empty when none is, or it does not say."""
    return world.metrics.admin() if isinstance(world.metrics, Prometheus) else ""


def app_permissions() -> Mapping[str, str]:
    """All that the bot's App is ever asked to be granted: read or write by permission (docs/github.md)."""
    return {each.name: each.level for each in PERMISSIONS}


def local(path: Path) -> LocalRepository:
    """A repository on disk, for commands that need nothing else."""
    return LocalRepository(path)


def renderer() -> ToolRenderer:
    """The tools that render manifests."""
    return ToolRenderer()


def bot(settings: Settings, told: Told = nobody) -> Bot:
    """The engine over the world that settings describe."""
    world = build(settings)
    return Bot(world, intake(world), settings.engine.executor or socket.gethostname(), told)
