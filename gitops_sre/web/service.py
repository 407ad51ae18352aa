"""The bot as a service: the receiver, a sweep now and then, durable looks in between."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
import uvicorn

from gitops_sre import wiring
from gitops_sre.delivery.webhooks import Happening
from gitops_sre.engine.bot import Bot, Told
from gitops_sre.engine.schedule import Schedule
from gitops_sre.model.incident import Incident
from gitops_sre.model.signal import Alert
from gitops_sre.ports import ConflictError, StoreError, Transition
from gitops_sre.redact import everywhere
from gitops_sre.settings import Settings
from gitops_sre.web.app import Doors, create_app
from gitops_sre.web.metrics import Metrics

LOG = structlog.get_logger()


def _redacted(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No line of the log shows a secret."""
    return {name: everywhere(value) for name, value in event.items()}


_ALWAYS = (_redacted, structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True))


@dataclass
class Service:
    """The bot as a service: webhooks, a sweep now and then, durable looks in between.

    Several repositories have a bot each, with settings, policies and records of its own; they share this process, its
    receiver and its timers, which the first one's database keeps. `bots` has them by repository, in lower case.
    """

    bots: Mapping[str, Bot]
    schedule: Schedule
    server: uvicorn.Server
    thread: threading.Thread
    metrics: Metrics
    called: threading.Event = field(default_factory=threading.Event)
    """Set when the next sweep should not wait."""
    metrics_url: str = ""
    """Where Prometheus may scrape; empty when it may not."""
    _silence: Callable[[], None] | None = None

    @property
    def poll(self) -> float:
        """Seconds between sweeps: the shortest that any of the settings wants."""
        return min(bot.world.settings.timing.poll for bot in self.bots.values())

    @property
    def url(self) -> str:
        """Where the webhooks are received."""
        sockets = [each for server in self.server.servers for each in server.sockets]
        host, port = sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Open the doors and begin to look. Raises OSError when the port of the metrics is taken."""
        web = next(iter(self.bots.values())).world.settings.web
        if web.metrics_port is not None:
            self.metrics_url, self._silence = self.metrics.serve(web.host, web.metrics_port)
        self.schedule.start()
        self.thread.start()
        while not self.server.started and self.thread.is_alive():
            self.thread.join(0.02)

    def wait(self) -> None:
        """Until the next sweep is due."""
        self.called.wait(self.poll)
        self.called.clear()

    def receive(self, repository: str, alerts: Sequence[Alert]) -> None:
        """Alerts for one repository's bot. Raises StoreError or ConflictError."""
        self.schedule.ensure(timer(repository, incident) for incident in self.bots[repository].receive(alerts))

    def happened(self, happening: Happening) -> None:
        """Something happened on GitHub. Orders are read by the next sweep, at once; all else needs a look."""
        bot = self.bots.get(happening.repository)
        if bot is None:
            return
        unfinished = bot.world.store.unfinished()
        meant = [each for each in unfinished if each.numbers & happening.numbers] if happening.numbers else unfinished
        for incident in meant:
            self.schedule.soon(timer(happening.repository, incident))
        new = happening.pull and not meant and bot.world.settings.github.advise
        if happening.comment or new:
            self.called.set()

    def sweep(self) -> None:
        """Poll the sources; every unfinished incident has a timer afterwards. A store that cannot be used now is tried
        again by the next sweep, and keeps no other repository waiting."""
        for repository, bot in self.bots.items():
            try:
                self.heartbeat()
                self.schedule.ensure(timer(repository, incident) for incident in bot.sweep())
                bot.show()
            except (StoreError, ConflictError) as error:
                LOG.warning("sweep", repository=repository, problem=str(error))

    def heartbeat(self) -> None:
        """Say that this executor is alive, and take over the looks of those that are not."""
        first = next(iter(self.bots.values()))
        world, owner = first.world, first.owner
        now = world.clock.now()
        span = timedelta(seconds=world.settings.engine.lease + self.poll)
        world.store.lease(f"executor/{owner}", owner, now + span, now)

        def alive(executor: str) -> bool:
            return not world.store.lease(f"executor/{executor}", owner, now, now)

        self.schedule.rescue(alive)

    def stop(self) -> None:
        """Close the doors, let running looks finish."""
        self.server.should_exit = True
        self.thread.join(5)
        if self._silence is not None:
            self._silence()
        self.schedule.stop()


def timer(repository: str, incident: Incident) -> str:
    """The name of an incident's timer: two repositories may have an incident each from one alert."""
    return f"{repository}#{incident.id}"


def look(bots: Mapping[str, Bot], name: str) -> float | None:
    """The look that a timer is for; nothing for a repository that is no longer served. A name without a repository is
    from before there could be several, and means the first."""
    repository, _, incident = name.rpartition("#")
    bot = bots.get(repository) if repository else next(iter(bots.values()))
    return bot.look(incident) if bot is not None else None


def _told(repository: str, metrics: Metrics) -> Told:
    """Each transition as one line of the service's log, and counted."""
    count = metrics.told(repository)

    def told(incident: Incident, transition: Transition) -> None:
        count(incident, transition)
        LOG.info(
            transition.event,
            repository=repository,
            incident=incident.id,
            source=transition.source,
            target=transition.target,
            detail=transition.detail,
        )

    return told


def service(several: Sequence[Settings]) -> Service:
    """The whole service, not started yet: a bot for each settings. Of `web`, `engine.workers` and `log` the first
    settings count; no two may name one repository, database or clone."""
    settings = several[0]
    if settings.log == "json":
        structlog.configure(processors=[*_ALWAYS, structlog.processors.JSONRenderer()])
    else:
        structlog.configure(processors=[*_ALWAYS, structlog.dev.ConsoleRenderer(colors=False)])
    metrics = Metrics()
    bots = {each.github.repository.lower(): _bot(each, metrics) for each in several}
    first = next(iter(bots.values()))
    schedule = Schedule(partial(look, bots), settings.engine, first.owner, settings.timing.poll)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app({name: _doors(bot, name, lambda: made) for name, bot in bots.items()}),
            host=settings.web.host, port=settings.web.port, log_level="warning", lifespan="off",
        )
    )  # fmt: skip
    made = Service(bots, schedule, server, threading.Thread(target=server.run, daemon=True), metrics)
    return made


def _bot(settings: Settings, metrics: Metrics) -> Bot:
    """One repository's bot, whose doings are logged and counted."""
    name = settings.github.repository.lower()
    bot = wiring.bot(settings, _told(name, metrics))
    metrics.watch(name, bot.world.store, bot.world.forge)
    return bot


def _doors(bot: Bot, repository: str, service: Callable[[], Service]) -> Doors:
    """What is asked for at a repository's doors, and who is told."""
    web, world = bot.world.settings.web, bot.world
    return Doors(
        receive=lambda alerts: service().receive(repository, alerts),
        nudge=lambda happening: service().happened(happening),
        seen=lambda delivery: world.store.seen(delivery, world.clock.now()),
        alert_token=os.environ.get(web.alert_token_env, ""),
        github_secret=os.environ.get(web.github_secret_env, ""),
        max_body=web.max_body,
        senders={name: os.environ.get(variable, "") for name, variable in web.senders.items()},
    )
