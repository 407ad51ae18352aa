"""Commands against an embedded world: what they say, and what they leave alone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from gitops_sre.adapters.render import find_tool
from gitops_sre.cli.demo.processes import Place
from tests.cli.conftest import Run, everything

pytestmark = pytest.mark.skipif(
    not (find_tool("kubectl") or find_tool("kustomize")) or not find_tool("helm"),
    reason="kustomize (or kubectl) or helm is not installed",
)


def ask(place: Place, path: str) -> Any:
    """A person's question to the GitHub API."""
    answer = requests.get(
        f"{place.api_url}/repos/{place.repository}{path}",
        headers={"Authorization": f"Bearer {place.person_token}"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


@dataclass(frozen=True)
class Witness:
    """Looks at everything that a command could have changed."""

    place: Place
    folder: Path

    def sees(self) -> dict[str, Any]:
        """GitHub, the cluster, and every file but the git cache."""
        return {
            "pulls": ask(self.place, "/pulls?state=all"),
            "issues": ask(self.place, "/issues?state=all"),
            "refs": ask(self.place, "/git/matching-refs/heads/"),
            "checks": ask(self.place, f"/commits/{self.place.branch}/check-runs"),
            "labels": ask(self.place, "/labels"),
            "cluster": requests.get(f"{self.place.control_url}/state", timeout=30).json()["cluster_writes"],
            "files": {
                path: content
                for path, content in everything(self.folder).items()
                if not path.is_relative_to(self.folder / "bot" / "cache")
            },
        }


@pytest.fixture
def witness(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """Home, working and temporary folder are below the folder that is watched."""
    for name in ("home", "work", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path / "work")
    return Witness(place, tmp_path)


def alert_file(folder: Path, place: Place) -> Path:
    """An alert about a service that is well, as Alertmanager's webhook sends it."""
    story = place.stories[0]
    labels = {
        "alertname": "HighErrorRate",
        "service": story.service,
        "environment": story.environment,
        "namespace": story.environment,
    }
    alert = {"status": "resolved", "labels": labels, "startsAt": _now(), "endsAt": _now()}
    path = folder / "alert.json"
    path.write_text(json.dumps({"version": "4", "alerts": [alert]}))
    return path


def _now() -> str:
    return datetime.now(UTC).isoformat()


class TestWhereAllIsWell:
    """Nothing has been broken yet."""

    def test_doctor_finds_everything(self, run: Run, settings: Path, witness: Witness) -> None:
        before = witness.sees()
        said = run("doctor", "--settings", settings)
        assert said.code == 0, said
        assert "NO  " not in said.out
        assert "GitHub               gitops-sre[bot] on " in said.out
        assert witness.sees() == before

    def test_doctor_says_what_is_missing_without_the_cluster(self, run: Run, settings: Path, witness: Witness) -> None:
        written = yaml.safe_load(settings.read_text())
        written["kubernetes"] = {"enabled": False}
        settings.write_text(yaml.safe_dump(written))
        before = witness.sees()
        said = run("doctor", "--settings", settings)
        assert said.code == 0, said
        assert "no rollouts and no Kubernetes events" in said.out
        assert re.search(r"ok  cluster \(off\) +by the files \d\d applications with \d\d workloads", said.out), said.out
        assert re.search(r"what is live +0 statuses and deployments .*\n +-> have Argo CD or Flux", said.out), said.out
        assert witness.sees() == before

    def test_investigate_looks_into_an_alert_and_writes_nothing(
        self, run: Run, settings: Path, place: Place, witness: Witness, tmp_path: Path
    ) -> None:
        file = alert_file(tmp_path, place)
        before = witness.sees()
        said = run("investigate", "--alert", file, "--json", "--settings", settings)
        assert said.code == 0, said
        (incident,) = json.loads(said.out)
        assert incident["target"]["service"] == place.stories[0].service
        assert incident["diagnosis"]["hypotheses"]
        assert incident["fix"] is None
        assert witness.sees() == before

    def test_policies_that_cannot_be_read_are_named_with_their_place(
        self, run: Run, settings: Path, place: Place, witness: Witness, tmp_path: Path
    ) -> None:
        settings.write_text(f"{settings.read_text()}policy: {{path: apps}}\n")  # manifests are no policies
        file = alert_file(tmp_path, place)
        before = witness.sees()
        doctor = run("doctor", "--settings", settings)
        investigate = run("investigate", "--alert", file, "--settings", settings)
        assert (doctor.code, investigate.code) == (1, 1)
        assert "NO  policies             apps" in doctor.out
        assert "Diagnosis:" in investigate.out
        assert re.search(r"^gitops-sre: .*policies at \w{12}: apps/\S+\.yaml:\d+:\d+: .*\n\Z", investigate.err)
        assert witness.sees() == before

    def test_explain_knows_nothing_yet_and_makes_no_database(self, run: Run, settings: Path, witness: Witness) -> None:
        before = witness.sees()
        said = run("explain", "inc-1", "--settings", settings)
        assert (said.code, said.out) == (1, "")
        assert "bot.db: no database yet" in said.err
        assert witness.sees() == before


def changed_lines(diff: str) -> list[str]:
    """What a diff takes away and adds, however much it shows around that."""
    return [line for line in diff.splitlines() if line.startswith(("+", "-")) and line[:3] not in ("+++", "---")]


def until_it_fires(place: Place) -> None:
    """The alert of story 1 fires, and long enough for the rates to tell."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = requests.get(f"{place.prometheus_url}/api/v1/alerts", timeout=10).json()
        began = [
            datetime.fromisoformat(alert["activeAt"])
            for alert in answer["data"]["alerts"]
            if alert["state"] == "firing"
        ]
        if began and (datetime.now(UTC) - min(began)).total_seconds() > 8:
            return
        time.sleep(0.3)
    pytest.fail("no alert fired within 60 s")


@pytest.mark.slow
def test_what_is_rehearsed_is_what_is_done_and_can_be_explained(
    run: Run, settings: Path, place: Place, witness: Witness
) -> None:
    place.tell("/stories/1/start")
    until_it_fires(place)
    before = witness.sees()
    command = [sys.executable, "-m", "gitops_sre", "investigate", "--firing", "--json", "--settings", str(settings)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=dict(os.environ))
    assert (answer.returncode, answer.stderr) == (0, "")
    (rehearsed,) = json.loads(answer.stdout)
    assert rehearsed["plan"]["action"] == "rollback_image"
    assert rehearsed["verdict"]["reasons"]
    assert witness.sees() == before

    said = run("investigate", "--firing", "--settings", settings)
    assert said.code == 0, said
    for part in ("Diagnosis:", "Hypotheses", "Plan: rollback_image", "Diff:", "Blast radius:", "Verdict: L4"):
        assert part in said.out

    said = run("run", "--once", "--settings", settings)
    assert said.code == 0, said
    pulls = [pull for pull in ask(place, "/pulls?state=all") if pull["head"]["ref"].startswith("gitops-sre/")]
    assert len(pulls) == 1
    assert changed_lines(place.diff(pulls[0]["number"])) == changed_lines(rehearsed["proof"]["diff"])

    incident = next(word for word in said.out.split() if word.startswith("inc-"))
    said = run("explain", incident, "--settings", settings)
    assert said.code == 0, said
    for part in (incident, "Ledger", "Triaged", "Diagnosed", "Planned", pulls[0]["html_url"]):
        assert part in said.out


@pytest.mark.slow
def test_serve_ends_cleanly_when_it_is_told_to(settings: Path, place: Place, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gitops_sre", "serve", "--settings", str(settings)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("listening on http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "stopping" in err
    assert "Traceback" not in err
