"""The only room that names concrete adapters: settings in, a world, a bot or a service out."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uvicorn

from gitops_sre.adapters.alertmanager import AlertmanagerAlerts
from gitops_sre.adapters.git import GitRepository
from gitops_sre.adapters.github import GitHubForge
from gitops_sre.adapters.kubernetes import KubernetesCluster
from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.adapters.render import ToolRenderer
from gitops_sre.adapters.store import SqlStore
from gitops_sre.delivery.seal import load_key
from gitops_sre.engine.bot import Bot, Told, nobody
from gitops_sre.engine.intake import intake
from gitops_sre.engine.schedule import Schedule
from gitops_sre.engine.world import World
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.signal import Alert
from gitops_sre.ports import Alerts
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.settings import Settings
from gitops_sre.web.app import Doors, create_app

__all__ = ["Service", "World", "bot", "build", "open_store", "service"]


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)


def open_store(settings: Settings) -> SqlStore:
    """The store alone, for commands that only read it. Raises StoreError."""
    return SqlStore(settings.engine.database_url)


def build(settings: Settings, environment: Mapping[str, str] | None = None) -> World:
    """The world that settings describe. Raises ConfigError or StoreError; nothing is asked of the network yet."""
    given = os.environ if environment is None else environment
    forge = GitHubForge(settings.github, load_key(settings.signing.key_file), given)
    repository = GitRepository(forge.git_url, settings.github.branch, settings.cache_dir, forge.git_token)
    prometheus = Prometheus(settings.prometheus, given)
    sources: list[Alerts] = [prometheus] if settings.prometheus.poll_alerts else []
    if settings.alertmanager is not None:
        sources.append(AlertmanagerAlerts(settings.alertmanager))
    return World(
        settings=settings,
        catalogue=load_catalogue(),
        clock=SystemClock(),
        metrics=prometheus,
        alerts=tuple(sources),
        cluster=KubernetesCluster(settings.kubernetes),
        repository=repository,
        repository_url=forge.git_url,
        locator=GitOpsLocator(repository),
        renderer=ToolRenderer(),
        forge=forge,
        store=open_store(settings),
    )


def bot(settings: Settings, told: Told = nobody) -> Bot:
    """The engine over the world that settings describe."""
    world = build(settings)
    return Bot(world, intake(world), settings.engine.executor or socket.gethostname(), told)


@dataclass
class Service:
    """The bot as a service: webhooks, a sweep now and then, durable looks in between."""

    bot: Bot
    schedule: Schedule
    server: uvicorn.Server
    thread: threading.Thread

    @property
    def poll(self) -> float:
        """Seconds between sweeps."""
        return self.bot.world.settings.timing.poll

    @property
    def url(self) -> str:
        """Where the webhooks are received."""
        sockets = [each for server in self.server.servers for each in server.sockets]
        host, port = sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Open the doors and begin to look."""
        self.schedule.start()
        self.thread.start()
        while not self.server.started and self.thread.is_alive():
            self.thread.join(0.02)

    def sweep(self) -> None:
        """Poll the sources; every unfinished incident has a timer afterwards."""
        self.heartbeat()
        self.schedule.ensure(incident.id for incident in self.bot.sweep())

    def heartbeat(self) -> None:
        """Say that this executor is alive, and take over the looks of those that are not."""
        world = self.bot.world
        now = world.clock.now()
        span = timedelta(seconds=world.settings.engine.lease + self.poll)
        world.store.lease(f"executor/{self.bot.owner}", self.bot.owner, now + span, now)

        def alive(executor: str) -> bool:
            return not world.store.lease(f"executor/{executor}", self.bot.owner, now, now)

        self.schedule.rescue(alive)

    def stop(self) -> None:
        """Close the doors, let running looks finish."""
        self.server.should_exit = True
        self.thread.join(5)
        self.schedule.stop()


def service(settings: Settings, told: Told = nobody) -> Service:
    """The whole service, not started yet."""
    engine = bot(settings, told)
    schedule = Schedule(engine.look, settings.engine, engine.owner, settings.timing.poll)

    def receive(alerts: Sequence[Alert]) -> None:
        schedule.ensure(incident.id for incident in engine.receive(alerts, complete=False))

    def nudge() -> None:
        for incident in engine.world.store.unfinished():
            schedule.soon(incident.id)

    doors = Doors(
        receive=receive,
        nudge=nudge,
        seen=lambda delivery: engine.world.store.seen(delivery, engine.world.clock.now()),
        alert_token=os.environ.get(settings.web.alert_token_env, ""),
        github_secret=os.environ.get(settings.web.github_secret_env, ""),
        max_body=settings.web.max_body,
    )
    config = uvicorn.Config(
        create_app(doors), host=settings.web.host, port=settings.web.port, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    return Service(engine, schedule, server, threading.Thread(target=server.run, daemon=True))
