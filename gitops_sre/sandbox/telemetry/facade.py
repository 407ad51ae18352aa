"""The sandbox's telemetry as one object: history first, then a tick a second until it is stopped."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gitops_sre.sandbox.telemetry.alerting import RuleGroup
from gitops_sre.sandbox.telemetry.embedded import Api
from gitops_sre.sandbox.telemetry.exposition import CONTENT_TYPE, text
from gitops_sre.sandbox.telemetry.faults import Fault
from gitops_sre.sandbox.telemetry.model import Running, Simulation
from gitops_sre.sandbox.telemetry.prometheus import (
    READY_SECONDS,
    Backfill,
    Process,
    TelemetryError,
    missing_binaries,
    start_alertmanager,
    start_prometheus,
)
from gitops_sre.sandbox.telemetry.remote_write import push
from gitops_sre.sandbox.telemetry.rules import rules_file
from gitops_sre.sandbox.telemetry.series import Tick
from gitops_sre.sandbox.telemetry.store import Store

Cluster = Callable[[], Mapping[tuple[str, str], Running]]
Kind = Literal["binary", "embedded"]

HISTORY_SECONDS = 24 * 3600
HISTORY_STEP = 120
RECENT_SECONDS = 16 * 60
"""History is back-filled a sample every two minutes, and the most recent part of it a sample a second. More samples
would only make the start slower: promtool takes a second of CPU for 600,000 of them."""
PENDING_TICKS = 300
"""Ticks kept for a Prometheus that does not take them yet."""


def history(simulation: Simulation, world: Mapping[tuple[str, str], Running], now: int) -> Iterator[Iterator[Tick]]:
    """The back-filled past until the Unix second `now`, in two parts: a tick each two minutes, then each second."""
    recent = now - RECENT_SECONDS
    yield (simulation.step(at, HISTORY_STEP, world) for at in range(now - HISTORY_SECONDS, recent + 1, HISTORY_STEP))
    yield (simulation.step(at, 1, world) for at in range(recent + 1, now + 1))


class Telemetry:
    """Telemetry of the shop behind a Prometheus HTTP API.

    `root` is a folder for its files, `cluster` tells what runs at each (environment, service) when asked, `seed`
    determines all noise. "auto" takes the real Prometheus if `prometheus` and `promtool` are on PATH.
    """

    def __init__(
        self,
        root: Path,
        cluster: Cluster,
        seed: int,
        prometheus: Literal["auto", "binary", "embedded"] = "auto",
    ) -> None:
        self._root = root
        self._cluster = cluster
        self._simulation = Simulation(seed)
        if prometheus == "auto":
            prometheus = "embedded" if missing_binaries() else "binary"
        self.kind: Kind = prometheus
        self.metrics_url = ""
        self.alertmanager_url: str | None = None
        self._faults: tuple[Fault, ...] = ()
        self._store = Store()
        self._rules = RuleGroup(rules_file())
        self._latest = Tick(0.0, [])
        self._unsent: list[Tick] = []
        self._sending = threading.Lock()
        self._receiver = ""
        self._stopping = threading.Event()
        self._caught_up = threading.Event()
        self._threads: list[threading.Thread] = []
        self._processes: list[Process] = []
        self._server: uvicorn.Server | None = None

    def start(self, alertmanager_webhook: str | None = None) -> str:
        """Back-fill history, begin to tick, and return the base URL of the Prometheus API once it answers.

        With `alertmanager_webhook` the real Prometheus also reports to a real Alertmanager that posts to that URL, if
        one is installed (`alertmanager_url` is then set). Raises `TelemetryError` if a backend does not start.
        """
        if self.kind == "binary" and missing_binaries():
            raise TelemetryError(f"not on PATH: {', '.join(missing_binaries())}; install Prometheus or use 'embedded'")
        self._root.mkdir(parents=True, exist_ok=True)
        try:
            return self._start_binary(alertmanager_webhook) if self.kind == "binary" else self._start_embedded()
        except BaseException:
            self.stop()
            raise

    def _start_binary(self, webhook: str | None) -> str:
        backfill = Backfill(self._root)
        now = int(time.time())
        for part in history(self._simulation, self._cluster(), now):
            backfill.add(part)
        self._start_ticking(now)
        self.metrics_url = self._serve([])
        alertmanager = start_alertmanager(self._root, webhook) if webhook else None
        if alertmanager is not None:
            self._processes.append(alertmanager)
            self.alertmanager_url = alertmanager.url
        backfill.finish(self._root / "data")
        prometheus = start_prometheus(self._root, rules_file(), self.alertmanager_url)
        self._processes.append(prometheus)
        self._receiver = prometheus.url
        prometheus.wait_until("taking samples", self._send)
        return prometheus.url

    def _start_embedded(self) -> str:
        now = int(time.time())
        for part in history(self._simulation, self._cluster(), now):
            for tick in part:
                self._store.add(tick)
        self._start_ticking(now)
        self.metrics_url = self._serve(Api(self._store, self._rules).routes())
        if not self._caught_up.wait(READY_SECONDS):
            raise TelemetryError(
                f"the simulation did not reach the present within {READY_SECONDS:.0f} s of its history"
            )
        return self.metrics_url.removesuffix("/metrics")

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """Replace all faults."""
        self._faults = tuple(faults)

    def add_fault(self, fault: Fault) -> None:
        """Add a fault to those that are there."""
        self._faults = (*self._faults, fault)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._faults = ()

    def stop(self) -> None:
        """Stop ticking, serving and all child processes. Does nothing a second time."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        for process in reversed(self._processes):
            process.stop()
        for thread in self._threads:
            thread.join(10)
        self._processes, self._threads = [], []

    def _start_ticking(self, last: int) -> None:
        self._start_thread("telemetry-ticks", lambda: self._tick_until_stopped(last))

    def _start_thread(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _tick_until_stopped(self, last: int) -> None:
        """A tick at every whole second after `last`; seconds that were missed are made up for."""
        while not self._stopping.wait(self._seconds_until(last + 1)):
            last += 1
            tick = self._simulation.step(last, 1.0, self._cluster(), self._faults)
            self._latest = tick
            if self.kind == "embedded":
                self._store.add(tick)
                self._rules.evaluate(self._store, last * 1000)
            else:
                self._send(tick)

    def _seconds_until(self, at: int) -> float:
        left = at - time.time()
        if left > 0:
            self._caught_up.set()
        return max(0.0, left)

    def _send(self, *ticks: Tick) -> bool:
        """Push what Prometheus has not got yet, then `ticks`; what it does not take is kept for the next time."""
        with self._sending:
            self._unsent = [*self._unsent, *ticks][-PENDING_TICKS:]
            if not self._receiver:
                return False
            try:
                push(self._receiver, self._unsent)
            except OSError:
                return False
            self._unsent = []
            return True

    def _serve(self, routes: list[Route]) -> str:
        """Serve the metrics, and `routes`, on a free port of loopback; returns the URL of the metrics."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        app = Starlette(routes=[Route("/metrics", self._show_latest), *routes])
        config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
        self._server = server = uvicorn.Server(config)
        listener.listen()
        self._start_thread("telemetry-http", lambda: server.run(sockets=[listener]))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"

    def _show_latest(self, _: Request) -> Response:
        return Response(text(self._latest), media_type=CONTENT_TYPE)
