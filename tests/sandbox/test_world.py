"""The whole world as a process: it starts, tells where it is, plays its stories, and leaves nothing behind."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client, config

from gitops_sre.sandbox.infra import edit, tree
from gitops_sre.sandbox.shop import BY_NAME, ENVIRONMENTS, SERVICES

pytestmark = pytest.mark.usefixtures("render_tools")

PATIENCE = 40.0
"""Seconds that anything may take on a busy machine."""


def until(holds: Callable[[], bool], what: str) -> None:
    """Poll until something holds; fails after a while."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen within {PATIENCE:g} s"
        time.sleep(0.1)


@dataclass
class Running:
    """A world that runs, and what it said about itself."""

    process: subprocess.Popen[str]
    told: Any
    http: requests.Session

    def get(self, path: str) -> Any:
        answer = self.http.get(self.told["control"]["url"] + path, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: object = None) -> requests.Response:
        return self.http.post(self.told["control"]["url"] + path, json=body, timeout=10)

    def firing(self) -> set[tuple[str, str, str]]:
        alerts = self.http.get(self.told["prometheus"]["url"] + "/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        names = ("alertname", "environment", "service")
        found = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
        return {(labels[names[0]], labels[names[1]], labels[names[2]]) for labels in found}

    def gone(self) -> bool:
        """Whether no process of the world's group is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


@contextmanager
def world(root: Path, *options: str) -> Iterator[Running]:
    """Start a world in a process group of its own; whatever is left of it is killed at the end."""
    command = [sys.executable, "-m", "gitops_sre.sandbox", "--root", str(root), "--until-stdin-closes", *options]
    with (
        (root.parent / "stderr").open("wb") as log,
        requests.Session() as http,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (root.parent / "stderr").read_text()
            yield Running(process, json.loads(line), http)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)


def test_the_world_starts_tells_where_it_is_and_ends_with_its_parent(tmp_path: Path) -> None:
    root = tmp_path / "world"
    with world(root, "--prometheus", "embedded") as running:
        told = running.told
        assert json.loads((root / "world.json").read_text()) == told
        private = (
            root / "world.json",
            Path(told["github"]["private_key_file"]),
            Path(told["kubernetes"]["kubeconfig"]),
        )
        assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
        assert told["prometheus"]["kind"] == "embedded"
        assert [story["expected"] for story in told["stories"]] == ["resolved", "resolved", "escalated", "dismissed"]
        _check_state(running)
        _check_control(running)
        _check_knobs(running)
        _check_cluster(told["kubernetes"]["kubeconfig"])
        _check_clone(told, tmp_path / "clone")
        assert running.firing() == set()
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert running.process.wait(PATIENCE) == 0
        until(running.gone, "the end of every process")


def _check_state(running: Running) -> None:
    state = running.get("/state")
    assert {(e, name) for e, images in state["images"].items() for name in images} == {
        (environment, service.name) for environment in ENVIRONMENTS for service in SERVICES
    }
    assert state["images"]["staging"]["checkout"] == f"{BY_NAME['checkout'].image}:{BY_NAME['checkout'].version}"
    assert {(app["sync"], app["health"], app["phase"]) for app in state["applications"]} == {
        ("Synced", "Healthy", "Succeeded")
    }
    assert len(state["applications"]) == len(ENVIRONMENTS) * len(SERVICES)
    assert (state["cluster_writes"], state["pull_requests"]) == ([], [])


def _check_control(running: Running) -> None:
    assert running.get("/stories/1")["state"] == "ready"
    assert running.post("/stories/9/start").status_code == 404
    assert running.post("/webhooks", {"url": "http://elsewhere.example.com", "secret": "s"}).status_code == 400
    assert running.post("/webhooks", ["no"]).status_code == 400
    assert running.post("/webhooks", {"url": "http://127.0.0.1:9/hook", "secret": "s"}).status_code == 201


def _check_knobs(running: Running) -> None:
    assert running.post("/knobs", {"stuck": ["staging-web"], "stale_health": 1}).status_code == 200
    knobs = running.get("/knobs")
    assert (knobs["stuck"], knobs["stale_health"], knobs["denied"]) == (["staging-web"], 1.0, [])
    for wrong in ({"other": 1}, {"stuck": 1}, {"poll": "soon"}, {"poll": -1}):
        assert running.post("/knobs", wrong).status_code == 400


def _check_cluster(kubeconfig: str) -> None:
    with config.new_client_from_config(kubeconfig) as reader:
        found: Any = client.CustomObjectsApi(reader).list_cluster_custom_object(
            "argoproj.io", "v1alpha1", "applications"
        )
    kinds = {item["status"]["sourceType"] for item in found["items"]}
    assert kinds == {"Kustomize", "Helm", "Directory"}


def _check_clone(told: Any, into: Path) -> None:
    github = told["github"]
    url = f"{github['url']}/{github['repository']}.git".replace("http://", f"http://bob:{github['users']['bob']}@")
    subprocess.run(["git", "clone", "--quiet", url, str(into)], check=True, timeout=30)
    count = subprocess.run(
        ["git", "-C", str(into), "rev-list", "--count", "HEAD"], check=True, capture_output=True, text=True
    )
    assert int(count.stdout) >= 40


def _commit_by_hand(running: Running, environment: str, service: str, tag: str) -> None:
    """Bob edits a file on GitHub's own page."""
    github = running.told["github"]
    path = tree.image_path(environment, service)
    url = f"{github['api_url']}/repos/{github['repository']}/contents/{path}"
    headers = {"Authorization": f"token {github['users']['bob']}"}
    found = running.http.get(url, headers=headers, timeout=10).json()
    content = edit.with_tag(base64.b64decode(found["content"]), BY_NAME[service].image, tag)
    body = {"message": f"Back to {tag}", "content": base64.b64encode(content).decode(), "sha": found["sha"]}
    running.http.put(url, headers=headers, json=body, timeout=10).raise_for_status()


@pytest.mark.slow
@pytest.mark.parametrize("prometheus", ["auto", "embedded"])
def test_a_bad_image_fires_an_alert_and_a_revert_by_hand_clears_it(tmp_path: Path, prometheus: str) -> None:
    with world(tmp_path / "world", "--prometheus", prometheus) as running:
        alert = ("HighErrorRate", "staging", "checkout")
        started = running.post("/stories/1/start").json()
        assert started["state"] == "running"
        assert running.post("/stories/1/start").json()["commit"] == started["commit"]
        until(lambda: alert in running.firing(), "the alert")
        image = running.get("/state")["images"]["staging"]["checkout"]
        assert image.endswith(f":{started['deployed']}")
        _commit_by_hand(running, "staging", "checkout", started["before"])
        until(lambda: not running.firing(), "the recovery")
        ended = running.post("/stories/1/end").json()
        assert (ended["state"], ended["restored"]) == ("ended", "")
        assert running.post("/shutdown").status_code == 202
        assert running.process.wait(PATIENCE) == 0
        until(running.gone, "the end of every process")


@pytest.mark.slow
def test_a_killed_world_leaves_no_prometheus_behind(tmp_path: Path) -> None:
    with world(tmp_path / "world") as running:
        running.process.kill()
        running.process.wait(PATIENCE)
        until(running.gone, "the end of every process")


def test_a_folder_with_something_in_it_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "world.json").touch()
    command = [sys.executable, "-m", "gitops_sre.sandbox", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "is not empty; name a new folder" in done.stderr
