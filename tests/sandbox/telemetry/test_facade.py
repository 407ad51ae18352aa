"""The whole telemetry, live, on each backend."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from gitops_sre.sandbox.telemetry import ImageFault, Telemetry, TelemetryError, facade
from gitops_sre.sandbox.telemetry.exposition import METRICS
from gitops_sre.sandbox.telemetry.prometheus import Process, free_port, missing_binaries
from tests.sandbox.telemetry.conftest import World, needs_alertmanager, needs_prometheus, running, world


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `holds`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


@dataclass
class Live:
    """A started telemetry, its API, and the world that tests may change."""

    telemetry: Telemetry
    url: str
    world: World
    started_within: float
    webhooks: list[dict[str, object]] = field(default_factory=list)

    def query(self, query: str, **parameters: str) -> dict[str, float]:
        """An instant query's values by service."""
        answer = requests.post(f"{self.url}/api/v1/query", data={"query": query, **parameters}, timeout=5)
        answer.raise_for_status()
        return {row["metric"].get("service", ""): float(row["value"][1]) for row in answer.json()["data"]["result"]}

    def firing(self) -> set[tuple[str, str, str]]:
        alerts = requests.get(f"{self.url}/api/v1/alerts", timeout=5).json()["data"]["alerts"]
        found = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
        return {(labels["alertname"], labels["environment"], labels["service"]) for labels in found}


class _Receiver(ThreadingHTTPServer):
    """Keeps the webhooks it is sent."""

    daemon_threads = True

    def __init__(self, kept: list[dict[str, object]]) -> None:
        self.kept = kept
        super().__init__(("127.0.0.1", 0), _Keep)


class _Keep(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Receiver)
        self.server.kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(
    scope="module", params=[pytest.param("embedded"), pytest.param("binary", marks=needs_prometheus)], ids=str
)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Telemetry on one of the backends, with an Alertmanager where there can be one."""
    state, kept = world(), list[dict[str, object]]()
    telemetry = Telemetry(tmp_path_factory.mktemp("telemetry"), lambda: dict(state), 5, request.param)
    with _Receiver(kept) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        began = time.monotonic()
        try:
            url = telemetry.start(f"http://127.0.0.1:{receiver.server_port}/hook")
            yield Live(telemetry, url, state, time.monotonic() - began, kept)
        finally:
            telemetry.stop()
            receiver.shutdown()
            thread.join()


def test_it_is_ready_in_seconds_and_says_which_backend_it_is(live: Live) -> None:
    assert live.started_within < 20  # 3 to 5 on two idle cores
    assert live.telemetry.kind in ("embedded", "binary")
    assert requests.get(f"{live.url}/-/ready", timeout=5).status_code == 200


def test_a_day_of_history_and_the_last_seconds_are_there(live: Live) -> None:
    now = time.time()
    by_service = 'sum by (service) (rate(http_requests_total{environment="production"}[%s]))'
    for window, back in (("6s", 0), ("6s", 600), ("5m", 3600), ("10m", 23 * 3600)):
        rates = live.query(by_service % window, time=f"{now - back:.3f}")
        assert len(rates) == 11
        assert 20 < rates["web"] < 200  # it follows the time of day


def test_no_second_is_lost_between_history_and_live(live: Live) -> None:
    query = 'up{environment="production", service="web"}[2m]'
    answer = requests.get(f"{live.url}/api/v1/query", params={"query": query}, timeout=5).json()
    times = [at for at, _ in answer["data"]["result"][0]["values"]]
    assert times == [times[0] + second for second in range(len(times))]
    assert time.time() - times[-1] < 4


def test_the_latest_tick_is_shown_to_people(live: Live) -> None:
    shown = requests.get(live.telemetry.metrics_url, timeout=5)
    assert shown.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert all(f"# TYPE {name} " in shown.text for name in METRICS)


def test_a_bad_image_fires_within_seconds_and_is_cured_by_the_old_one(live: Live) -> None:
    place, bad = ("staging", "checkout"), ("HighErrorRate", "staging", "checkout")
    assert not live.firing()
    live.telemetry.add_fault(ImageFault("checkout", "v2.15.0", error_rate=0.3))
    live.world[place] = running("checkout", "staging", "v2.15.0")
    until(lambda: bad in live.firing(), 12, f"{bad} fires")
    assert not [alert for alert in live.firing() if alert[1] != "staging"]
    if live.telemetry.alertmanager_url:
        until(lambda: bool(live.webhooks), 12, "Alertmanager posts")
    live.world[place] = running("checkout", "staging", "v2.14.0")
    until(lambda: not live.firing(), 15, "all is well again")
    live.telemetry.clear_faults()


@needs_alertmanager
def test_alertmanager_posts_what_fired(live: Live) -> None:
    if live.telemetry.kind == "embedded":
        assert live.telemetry.alertmanager_url is None
        return
    assert live.webhooks[0]["version"] == "4"
    assert live.webhooks[0]["status"] == "firing"
    labels = live.webhooks[0]["groupLabels"]
    assert isinstance(labels, dict)
    assert (labels["alertname"], labels["environment"]) == ("HighErrorRate", "staging")


def test_stopping_ends_everything_and_can_be_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facade, "HISTORY_SECONDS", facade.RECENT_SECONDS)
    before = threading.active_count()
    telemetry = Telemetry(tmp_path, world, 1, "embedded")
    url = telemetry.start()
    assert requests.get(f"{url}/-/ready", timeout=5).status_code == 200
    telemetry.stop()
    telemetry.stop()
    until(lambda: threading.active_count() <= before, 5, "its threads end")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/-/ready", timeout=5)


def test_a_missing_binary_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_binaries() == ["prometheus", "promtool"]
    assert Telemetry(tmp_path, world, 1).kind == "embedded"
    with pytest.raises(TelemetryError, match="prometheus, promtool"):
        Telemetry(tmp_path, world, 1, "binary").start()


def test_a_server_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    process = Process("sh", ["-c", "echo no such luck; exit 3"], tmp_path, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TelemetryError, match=r"sh ended before: ready; its log ends with:\nno such luck"):
        process.wait_ready()


def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, time\n"
        "from gitops_sre.sandbox.telemetry.prometheus import Process\n"
        "child = Process('sleep', ['60'], pathlib.Path(sys.argv[1]), 'http://127.0.0.1:9')\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    until(lambda: _runs(child), 5, "the child runs")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until(lambda: not _runs(child), 5, "the child ends")


def _runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
