"""The scheduled job: each pass a process of its own on a machine that remembers nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from gitops_sre.adapters.render import find_tool
from gitops_sre.cli.demo.processes import Place, world, write_settings
from gitops_sre.delivery import journal
from gitops_sre.delivery.seal import create_key, load_key

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_tool("kubectl") or find_tool("kustomize")) or not find_tool("helm"),
        reason="kustomize (or kubectl) or helm is not installed",
    ),
]
BRANCH = "gitops-sre/ledger"


def ask(place: Place, path: str) -> Any:
    """A person's question to the GitHub API."""
    url = f"{place.api_url}/repos/{place.repository}{path}"
    answer = requests.get(url, headers={"Authorization": f"Bearer {place.person_token}"}, timeout=30)
    answer.raise_for_status()
    return answer.json()


def pages(place: Place, key: Path) -> list[journal.Page]:
    """What stands on the ledger branch."""
    folder = place.root.parent / "reader.git"
    shutil.rmtree(folder, ignore_errors=True)
    url = place.git_url.replace("://", f"://x-access-token:{place.person_token}@")
    subprocess.run(["git", "clone", "-q", "--branch", BRANCH, url, str(folder)], check=True, timeout=60)
    found = []
    for file in sorted((folder / "pages").iterdir()):
        page = journal.read(file.read_text(), load_key(key).ring, place.repository)
        assert isinstance(page, journal.Page), page
        found.append(page)
    return found


class Machine:
    """A machine that is new for each pass."""

    def __init__(self, place: Place, root: Path, name: str, key: Path) -> None:
        self.place, self.folder, self.key = place, root / name, key

    def begin(self) -> subprocess.Popen[str]:
        """A pass that has been started."""
        path = write_settings(self.place, self.folder)
        settings = yaml.safe_load(path.read_text())
        settings["engine"] = {"state": "branch"}
        settings["signing"] = {"key_file": str(self.key)}
        path.write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "gitops_sre", "run", "--once", "--settings", str(path)]
        environment = {**os.environ, "PYTHONWARNINGS": "error"}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=self.folder
        )

    def end(self, process: subprocess.Popen[str]) -> str:
        """What the pass said; its folder is gone then."""
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert not (self.folder / "bot.db").exists()
        shutil.rmtree(self.folder)
        return said

    def work(self) -> str:
        """One whole pass."""
        return self.end(self.begin())


def until_it_fires(place: Place) -> None:
    """Story 1's alert fires, and long enough for the rates to tell."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        alerts = requests.get(f"{place.prometheus_url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        if any(alert["state"] == "firing" for alert in alerts):
            time.sleep(8)
            return
        time.sleep(0.3)
    pytest.fail("no alert fired within 60 s")


def test_passes_on_new_machines_carry_a_story_from_alert_to_resolved(tmp_path: Path) -> None:
    key = tmp_path / "signing.pem"
    create_key(key)
    with world(tmp_path / "world", tmp_path / "world.log") as place:
        machine = Machine(place, tmp_path, "machine", key)
        machine.work()
        place.tell("/stories/1/start")
        until_it_fires(place)
        rivals = [Machine(place, tmp_path, name, key) for name in ("one", "other")]
        together = [(rival, rival.begin()) for rival in rivals]
        ends = [(process.communicate(timeout=120)[0], process.returncode) for _, process in together]
        assert any(code == 0 for _, code in ends), ends
        said = ""
        deadline = time.monotonic() + 90
        while "resolved" not in said and time.monotonic() < deadline:
            time.sleep(6)
            said = machine.work()
        found = pages(place, key)
        assert [page.number for page in found] == list(range(1, len(found) + 1))
        entries = [entry for page in found for entry in page.entries]
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
        last = {incident.id: incident for page in found for incident in page.incidents}
        (incident,) = last.values()
        assert incident.state == "resolved", (said, ends)
        assert incident.finished
        counted = Counter((entry.event, entry.source, entry.target) for entry in entries if entry.event != "Alerts")
        assert set(counted.values()) == {1}, counted
        assert nothing_twice(place)
        before = len(found)
        machine.work()
        assert len(pages(place, key)) == before  # an idle pass writes nothing


def nothing_twice(place: Place) -> bool:
    """One pull request with its comments and check runs, one dashboard."""
    pulls = [pull for pull in ask(place, "/pulls?state=all") if pull["head"]["ref"].startswith("gitops-sre/")]
    assert len(pulls) == 1
    comments = [one["body"] for one in ask(place, f"/issues/{pulls[0]['number']}/comments")]
    assert len(comments) == len(set(comments))
    runs = ask(place, f"/commits/{pulls[0]['head']['sha']}/check-runs?filter=all")["check_runs"]
    assert sorted(run["name"] for run in runs) == ["gitops-sre/outcome", "gitops-sre/verdict"]
    issues = [issue["title"] for issue in ask(place, "/issues?state=all") if "pull_request" not in issue]
    assert len(issues) == len(set(issues)) <= 1
    return True
