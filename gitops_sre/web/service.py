"""The bot as a service: the receiver, a sweep now and then, durable looks in between."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
import uvicorn

from gitops_sre import wiring
from gitops_sre.delivery.webhooks import Happening
from gitops_sre.engine.bot import Bot
from gitops_sre.engine.schedule import Schedule
from gitops_sre.model.incident import Incident
from gitops_sre.model.signal import Alert
from gitops_sre.ports import ConflictError, StoreError, Transition
from gitops_sre.settings import Settings
from gitops_sre.web.app import Doors, create_app

LOG = structlog.get_logger()

_ALWAYS = (structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True))


@dataclass
class Service:
    """The bot as a service: webhooks, a sweep now and then, durable looks in between."""

    bot: Bot
    schedule: Schedule
    server: uvicorn.Server
    thread: threading.Thread
    called: threading.Event = field(default_factory=threading.Event)
    """Set when the next sweep should not wait."""

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

    def wait(self) -> None:
        """Until the next sweep is due."""
        self.called.wait(self.poll)
        self.called.clear()

    def happened(self, happening: Happening) -> None:
        """Something happened on GitHub. Orders are read by the next sweep, at once; all else needs a look."""
        world = self.bot.world
        if happening.repository != world.settings.github.repository.lower():
            return
        unfinished = world.store.unfinished()
        meant = [each for each in unfinished if each.numbers & happening.numbers] if happening.numbers else unfinished
        for incident in meant:
            self.schedule.soon(incident.id)
        if happening.comment:
            self.called.set()

    def sweep(self) -> None:
        """Poll the sources; every unfinished incident has a timer afterwards. A store that cannot be used now is tried
        again by the next sweep."""
        try:
            self.heartbeat()
            self.schedule.ensure(incident.id for incident in self.bot.sweep())
            self.bot.show()
        except (StoreError, ConflictError) as error:
            LOG.warning("sweep", problem=str(error))

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


def log(incident: Incident, transition: Transition) -> None:
    """Each transition as one line of the service's log."""
    LOG.info(
        transition.event,
        incident=incident.id,
        source=transition.source,
        target=transition.target,
        detail=transition.detail,
    )


def service(settings: Settings) -> Service:
    """The whole service, not started yet."""
    if settings.log == "json":
        structlog.configure(processors=[*_ALWAYS, structlog.processors.JSONRenderer()])
    else:
        structlog.configure(processors=[*_ALWAYS, structlog.dev.ConsoleRenderer(colors=False)])
    engine = wiring.bot(settings, log)
    schedule = Schedule(engine.look, settings.engine, engine.owner, settings.timing.poll)

    def receive(alerts: Sequence[Alert]) -> None:
        schedule.ensure(incident.id for incident in engine.receive(alerts))

    def nudge(happening: Happening) -> None:
        made.happened(happening)

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
    made = Service(engine, schedule, server, threading.Thread(target=server.run, daemon=True))
    return made
