"""The two processes of the demo: the embedded world and the bot. Both end when this one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests
import yaml

from gitops_sre.cli.common import Failure
from gitops_sre.delivery.seal import create_key

START_LIMIT = 90
"""Seconds within which the embedded world must be ready: generous, since a machine may be busy."""


@dataclass(frozen=True)
class Story:
    """One story as the world announces it; `expected` is the terminal state that it must end in."""

    number: int
    title: str
    environment: str
    service: str
    expected: str


@dataclass(frozen=True)
class Place:
    """Where the world's parts are."""

    root: Path
    api_url: str
    git_url: str
    repository: str
    branch: str
    app_id: int
    installation_id: int
    private_key_file: Path
    webhook_secret: str
    person_token: str
    prometheus_url: str
    prometheus_kind: str
    kubeconfig: Path
    control_url: str
    stories: tuple[Story, ...]

    def tell(self, path: str) -> None:
        """Ask the world to do something."""
        requests.post(f"{self.control_url}{path}", timeout=30).raise_for_status()

    def diff(self, number: int) -> str:
        """A pull request's diff as GitHub gives it."""
        answer = requests.get(
            f"{self.api_url}/repos/{self.repository}/pulls/{number}",
            headers={"Accept": "application/vnd.github.diff", "Authorization": f"Bearer {self.person_token}"},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.text

    def body(self, number: int) -> str:
        """A pull request's text."""
        answer = requests.get(
            f"{self.api_url}/repos/{self.repository}/pulls/{number}",
            headers={"Authorization": f"Bearer {self.person_token}"},
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["body"])


@contextmanager
def world(root: Path, log: Path, *extra: str) -> Iterator[Place]:
    """The embedded world, ready. Raises Failure with its last words when it does not get there."""
    command = [sys.executable, "-m", "gitops_sre.sandbox", "--root", str(root), "--until-stdin-closes", *extra]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield _place(root, _ready(process, root, log))
        finally:
            _end(process)


def _ready(process: subprocess.Popen[bytes], root: Path, log: Path) -> Mapping[str, object]:
    announced = root / "world.json"
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit and process.poll() is None:
        if announced.exists():
            loaded = json.loads(announced.read_text())
            if isinstance(loaded, dict):
                return loaded
        time.sleep(0.05)
    words = log.read_text(errors="replace")[-2000:]
    raise Failure(f"the embedded world did not start; its last words ({log}):\n{words}")


def _place(root: Path, raw: Mapping[str, object]) -> Place:
    def part(name: str) -> Mapping[str, object]:
        value = raw[name]
        if not isinstance(value, dict):
            raise Failure(f"{root}/world.json: {name} is not a mapping; is it of another version?")
        return value

    github, stories = part("github"), raw["stories"]
    users = github["users"]
    if not isinstance(stories, list) or not isinstance(users, dict):
        raise Failure(f"{root}/world.json cannot be read; is it of another version?")
    return Place(
        root=root,
        api_url=str(github["api_url"]),
        git_url=f"{github['url']}/{github['repository']}.git",
        repository=str(github["repository"]),
        branch=str(github["branch"]),
        app_id=int(str(github["app_id"])),
        installation_id=int(str(github["installation_id"])),
        private_key_file=Path(str(github["private_key_file"])),
        webhook_secret=str(github["webhook_secret"]),
        person_token=str(next(iter(users.values()))),
        prometheus_url=str(part("prometheus")["url"]),
        prometheus_kind=str(part("prometheus")["kind"]),
        kubeconfig=Path(str(part("kubernetes")["kubeconfig"])),
        control_url=str(part("control")["url"]),
        stories=tuple(
            Story(int(s["number"]), s["title"], s["environment"], s["service"], s["expected"]) for s in stories
        ),
    )


def write_settings(place: Place, folder: Path) -> Path:
    """A settings file like anybody's, with durations that suit a world in a hurry."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "signing-key.pem"
    if not key.exists():
        create_key(key)
    tiers = {"dev": "standard", "staging": "standard", "production": "critical"}
    settings = {
        "github": {
            "repository": place.repository,
            "branch": place.branch,
            "api_url": place.api_url,
            "git_url": place.git_url,
            "app_id": place.app_id,
            "installation_id": place.installation_id,
            "private_key_file": str(place.private_key_file),
            "min_write_interval": 0,
        },
        "prometheus": {"url": place.prometheus_url},
        "kubernetes": {"kubeconfig": str(place.kubeconfig)},
        "environments": {name: {"tier": tier, "namespaces": [name]} for name, tier in tiers.items()},
        "slos": [{"error_ratio": 0.02}],
        "timing": {
            "poll": 0.5,
            "rate_window": 5,
            "step": 1,
            "investigate": 30,
            "baseline": 300,
            "change_lookback": 600,
            "clock_skew": 2,
            "group_window": 30,
            "investigate_after": 1,
            "approval": 60,
            "remind": 30,
            "live": 30,
            "settle": 5,
            "window": 4,
            "deadline": 30,
            "cooldown": 600,
        },
        "engine": {"database_url": f"sqlite:///{folder / 'bot.db'}"},
        "signing": {"key_file": str(key)},
        "cache_dir": str(folder / "cache"),
        "web": {"port": 0},
    }
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


@contextmanager
def bot(settings: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The bot as a service of its own, given nothing but its settings file."""
    command = [sys.executable, "-m", "gitops_sre", "serve", "--settings", str(settings)]
    with log.open("ab") as output:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    stdin: IO[bytes] | None = process.stdin
    if stdin is not None:
        stdin.close()
    else:
        process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
