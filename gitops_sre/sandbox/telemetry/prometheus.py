"""The real Prometheus and Alertmanager as child processes on loopback, configured from here."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import yaml

from gitops_sre.sandbox.telemetry.exposition import write_openmetrics
from gitops_sre.sandbox.telemetry.series import Tick

LOOKBACK = "5s"
READY_SECONDS = 20.0

_LEASHED = 'exec 3<&0 </dev/null; (read -r _ <&3; kill "$$" 2>/dev/null) & exec 3<&-; exec "$@"'
"""Shell text that runs its arguments and kills them when standard input closes, so when the parent dies by whatever
signal. Works on every POSIX system, unlike PR_SET_PDEATHSIG, which also strikes when only the starting thread ends."""


class TelemetryError(Exception):
    """A backend of the telemetry did not start; the message says which one and why."""


def missing_binaries() -> list[str]:
    """Names of the binaries of a real Prometheus that are not on PATH."""
    return [name for name in ("prometheus", "promtool") if shutil.which(name) is None]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server that runs as a child process, logs to a file, and does not outlive this one.

    `name` is its executable, found on PATH; it runs in `folder`, and serves `/-/ready` under `url`.
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, url: str) -> None:
        self.url = url
        self._name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                ["/bin/sh", "-c", _LEASHED, name, name, *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._child.pid

    def wait_ready(self) -> None:
        """Return when `/-/ready` answers 200; raises `TelemetryError` with the end of the log otherwise."""
        self.wait_until("ready", lambda: _answer(f"{self.url}/-/ready") is not None)

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        """Return when `holds`; stops the server and raises `TelemetryError` if it takes too long or the server ends."""
        deadline = time.monotonic() + READY_SECONDS
        while self._child.poll() is None and time.monotonic() < deadline:
            if holds():
                return
            time.sleep(0.05)
        fate = "ended before" if self._child.poll() is not None else f"ran {READY_SECONDS:.0f} s, and not yet"
        self.stop()
        end = self._log.read_text(encoding="utf-8", errors="replace")[-1500:]
        raise TelemetryError(f"{self._name} {fate}: {what}; its log ends with:\n{end}")

    def stop(self) -> None:
        """Terminate the server and wait for it. Does nothing a second time."""
        atexit.unregister(self.stop)
        if self._child.stdin is None or self._child.stdin.closed:
            return
        self._child.terminate()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()


def _answer(url: str) -> bytes | None:
    """The body of a 200 answer to GET; None for anything else."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - always http on loopback
            return bytes(answer.read()) if answer.status == 200 else None
    except OSError:
        return None


class Backfill:
    """Turns ticks into blocks of a Prometheus data folder, in the background while the next ticks are made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def add(self, ticks: Iterable[Tick]) -> None:
        """Write ticks, oldest first, and start turning them into blocks. Parts must not overlap in time."""
        part = self._folder / f"backfill-{len(self._running)}"
        part.mkdir(parents=True)
        source = part / "openmetrics.txt"
        write_openmetrics(source, ticks)
        # The default of two-hour blocks would read the whole file again for each block.
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=162h"]
        child = subprocess.Popen(
            [*command, str(source), str(part / "blocks")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._running.append((child, part))

    def finish(self, data: Path) -> None:
        """Wait for all parts and move their blocks into `data`; raises `TelemetryError` if promtool failed."""
        data.mkdir(parents=True, exist_ok=True)
        for child, part in self._running:
            _, errors = child.communicate()
            if child.returncode:
                raise TelemetryError(f"promtool could not back-fill: {errors.decode(errors='replace')[-1000:]}")
            for block in (part / "blocks").iterdir():
                block.rename(data / block.name)
            shutil.rmtree(part)


def start_prometheus(folder: Path, rules: str, alertmanager: str | None = None) -> Process:
    """Start Prometheus on `folder`/data, ready to receive pushed samples; returns when it is ready.

    `rules` is the text of a rules file, `alertmanager` the base URL of the Alertmanager it sends alerts to. Raises
    `TelemetryError`.
    """
    config: dict[str, object] = {"global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yaml"]}
    if alertmanager is not None:
        targets = [alertmanager.removeprefix("http://")]
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": targets}]}]}
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        "--config.file=prometheus.yaml",
        "--storage.tsdb.path=data",
        "--storage.tsdb.retention.time=100y",
        f"--query.lookback-delta={LOOKBACK}",
        f"--web.listen-address={address}",
        "--web.enable-remote-write-receiver",
        # It knows its Alertmanager only after 5 s; what fires before must not wait for the default of a minute.
        "--rules.alert.resend-delay=2s",
        "--log.level=warn",
    ]
    process = Process("prometheus", arguments, folder, f"http://{address}")
    process.wait_ready()
    return process


def start_alertmanager(folder: Path, webhook: str) -> Process | None:
    """Start Alertmanager, which posts every alert to `webhook` at once; None where it is not installed."""
    name = next((n for n in ("prometheus-alertmanager", "alertmanager") if shutil.which(n)), None)
    if name is None:
        return None
    route: dict[str, object] = {
        "receiver": "webhook",
        "group_by": ["alertname", "environment", "service"],
        "group_wait": "1s",
        "group_interval": "2s",
        "repeat_interval": "1h",
    }
    receiver = {"name": "webhook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}
    config = {"route": route, "receivers": [receiver]}
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        "--config.file=alertmanager.yaml",
        "--storage.path=alertmanager-data",
        "--cluster.listen-address=",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    process = Process(name, arguments, folder, f"http://{address}")
    process.wait_ready()
    return process
