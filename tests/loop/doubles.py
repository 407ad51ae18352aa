"""Scripted doubles of what the world tells by numbers: the clock, the metrics and the alerts; and ports that die."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import requests

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.signal import Alert, fingerprint
from gitops_sre.perception import presets
from gitops_sre.ports import Store, Transition

QUIET, BROKEN = 0.001, 0.25
"""Error ratios of a healthy and of a faulty service."""
HTTP = frozenset(name for row in presets.load().rows.values() if row.id.startswith("http.") for name in row.metrics)
"""Names of the metrics of the preset `http`."""
USUAL = {"latency": 0.02, "latency_average": 0.01, "traffic": 50.0, "cpu": 0.15, "memory": 2e8, "replicas": 1.0}
"""What the other golden signals read, fault or not."""


@dataclass
class Clock:
    """A clock that stands still until it is moved; for the engine, for GitHub and for the cluster."""

    at: float

    def __call__(self) -> float:
        return self.at

    def now(self) -> datetime:
        """As the engine asks."""
        return datetime.fromtimestamp(self.at, UTC)


@dataclass
class Signals:
    """Numbers about one service that follow from which image ran when, and from scripted faults.

    `bad` says whether the service fails at a Unix time while it runs an image.
    """

    clock: Clock
    service: str
    environment: str
    bad: Callable[[float, str], bool] = lambda _at, _image: False
    error_ratio: float = BROKEN
    silent_since: float = math.inf
    """From this moment on no series has a sample."""
    down: str = ""
    """Why nothing is answered, when it is not."""
    ran: list[tuple[float, str]] = field(default_factory=list)
    asked: int = 0

    def runs(self, image: str) -> None:
        """Note what the cluster runs now."""
        if not self.ran or self.ran[-1][1] != image:
            self.ran.append((self.clock.at, image))

    def heal(self) -> None:
        """Whatever failed the service ends by itself now; what was stays as it was."""
        before, now = self.bad, self.clock.at
        self.bad = lambda at, image: at < now and before(at, image)

    def fails(self, at: float) -> bool:
        """Whether the service failed at a moment."""
        image = next((image for since, image in reversed(self.ran) if since <= at), self.ran[0][1])
        return self.bad(at, image)

    def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
        """As ports.Metrics."""
        self.asked += len(queries)
        return tuple(Unavailable(self.down) if self.down else Answer(query, self._series(query)) for query in queries)

    def names(self) -> frozenset[str] | Unavailable:
        """As ports.Metrics: the preset `http`."""
        return Unavailable(self.down) if self.down else HTTP

    def _series(self, query: Query) -> tuple[Series, ...]:
        named = re.search(r'service="([^"]*)"', query.expr)
        here = re.search(r'environment=(?:"([^"]*)"|~"([^"]*)[|]")', query.expr)
        if (here and (here[1] or here[2]) != self.environment) or (named and named[1] != self.service):
            return ()
        signal = query.id.removeprefix("http.")
        if signal not in {"errors", "error_ratio", *USUAL}:
            return ()  # nobody calls or is called, and versions never overlap
        samples = tuple((at, self._value(signal, at)) for at in self._moments(query))
        return (Series.of((("service", self.service),), samples),) if samples else ()

    def _moments(self, query: Query) -> Iterator[float]:
        start = query.start.timestamp()
        count = int((query.end.timestamp() - start) / query.step + 1e-6) + 1
        moments = (start + number * query.step for number in range(count))
        return (at for at in moments if at < self.silent_since)

    def _value(self, signal: str, at: float) -> float:
        if signal in USUAL:
            return USUAL[signal]
        return self.error_ratio if self.fails(at) else QUIET


@dataclass
class Pager:
    """Fires while the service fails, as a rule without `for` does."""

    signals: Signals
    source: str = "script"
    down: str = ""
    storm: int = 1
    """How many alerts of the one service fire at a time."""
    since: float | None = None
    stuck: bool = False
    """It fires whatever the numbers say."""
    labels: dict[str, str] = field(default_factory=dict)
    quiet: bool = False
    """It tells nobody who polls it."""

    def now(self) -> Alert:
        """The alert as it fires now."""
        self.since = self.signals.clock.at if self.since is None else self.since
        return self._alert(0)

    def firing(self) -> tuple[Alert, ...] | Unavailable:
        """As ports.Alerts."""
        if self.down:
            return Unavailable(self.down)
        if self.quiet:
            return ()
        now = self.signals.clock.at
        if not self.stuck and not self.signals.fails(now):
            self.since = None
            return ()
        self.since = now if self.since is None else self.since
        return tuple(self._alert(number) for number in range(self.storm))

    def _alert(self, number: int) -> Alert:
        labels = {"alertname": "HighErrorRate", "service": self.signals.service}
        labels |= {"environment": self.signals.environment, **self.labels}
        if number:
            labels["pod"] = f"pod-{number}"
        starts_at = datetime.fromtimestamp(self.since or 0.0, UTC)
        return Alert(fingerprint(labels), "HighErrorRate", labels, {}, starts_at, source=self.source)


class KilledError(BaseException):
    """The process died here. Not an Exception: no handler of the program may catch it."""


@dataclass
class Reaper:
    """Kills the process just before or just after an effect that is `fatal`, which is told the effect's name and those
    of the earlier ones. What is dead has no further effect until it is revived."""

    when: Literal["before", "after"]
    fatal: Callable[[str, Sequence[str]], bool]
    dead: bool = False
    met: list[str] = field(default_factory=list)

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Around one effect."""
        if self.dead:
            raise KilledError
        self.dead = self.fatal(name, self.met)
        self.met.append(name)
        if self.dead and self.when == "before":
            raise KilledError(name)
        yield
        if self.dead:
            raise KilledError(name)


class MortalStore:
    """A store whose every save is a moment to die at. A dead process gives no lease back."""

    def __init__(self, store: Store, reaper: Reaper) -> None:
        self._store, self._reaper = store, reaper
        self.load, self.unfinished = store.load, store.unfinished
        self.recent, self.resolved = store.recent, store.resolved
        self.service_map, self.keep_service_map = store.service_map, store.keep_service_map
        self.note = store.note
        self.ledger, self.verify, self.seen, self.lease = store.ledger, store.verify, store.seen, store.lease

    def save(self, incident: Incident, transitions: Iterable[Transition] = ()) -> Incident:
        """As ports.Store."""
        with self._reaper.at(f"save {incident.state.value}"):
            return self._store.save(incident, transitions)

    def release(self, name: str, owner: str) -> None:
        """As ports.Store."""
        if not self._reaper.dead:
            self._store.release(name, owner)


def mortal_requests(patch: pytest.MonkeyPatch, reaper: Reaper) -> None:
    """Every request that writes to GitHub is a moment to die at: before it is sent, or when it has been carried out
    and nobody has read the answer."""
    send = requests.Session.send

    def sent(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        # The exchange of the App's key for a token changes nothing that anybody could see.
        if request.method == "GET" or "access_tokens" in (request.url or ""):
            return send(self, request, **options)
        path = re.sub(r"[0-9]+|[0-9a-f]{40}", "N", urlsplit(request.url or "").path)
        with reaper.at(f"{request.method} {path}"):
            return send(self, request, **options)

    patch.setattr(requests.Session, "send", sent)
