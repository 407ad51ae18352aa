"""docs/github.md, "Install the App": every step as it is written there, against the sandbox's GitHub."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import NOBODY, Run, edited
from tests.cli.test_app import Browser, create
from tests.gitops.commits import History
from tests.sandbox.github.conftest import server, world  # noqa: F401
from tests.sandbox.github.world import World

DOC = (Path(__file__).parents[2] / "docs" / "github.md").read_text()
APPLICATION = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: web\n  namespace: argocd\n"
    "spec:\n  source:\n    path: apps\n  destination:\n    namespace: staging\n"
)


def test_it_takes_fewer_than_ten_steps() -> None:
    steps = re.findall(r"^(\d+)\. ", DOC.partition("## Install the App")[2].partition("\n## ")[0], re.M)
    assert steps == [str(number) for number in range(1, len(steps) + 1)]
    assert 5 < len(steps) < 10


def test_from_a_clone_to_a_bot_that_github_knows(
    world: World,  # noqa: F811
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    world.hub.commit("acme/infra", "ada", {"argocd/web.yaml": APPLICATION.encode()}, "Apply the apps")
    clone = tmp_path / "infra"
    world.git("clone", "-q", world.clone_url(world.tokens["ada"]), str(clone))
    monkeypatch.chdir(clone)

    said = run("init", "--yes", "--api-url", f"{world.url}/api/v3")
    assert said.code == 0, said.err
    assert "prometheus.url: is missing; add it" in run("config", "check").err
    edited(clone / ".gitops-sre.yaml", "  url:\n", f"  url: {NOBODY}\n")
    assert run("config", "check").code == 0
    for line in said.err.splitlines():
        if (step := re.search(r"gitops-sre (doctor --create-key \S+)", line)) is not None:
            assert run(*step[1].replace("~", str(tmp_path / "home")).split()).code == 0
    with create(clone / ".gitops-sre.yaml", "--timeout", "9") as running:
        Browser().open(running.until(r"Open (\S+)")).submit().submit()
        Browser().open(running.until(r"alone: (\S+)")).submit()
        code, _, err = running.end()
    assert code == 0, err

    seen = run("doctor").out
    assert "ok  settings             .gitops-sre.yaml" in seen
    assert "ok  signing key" in seen
    assert "ok  GitHub               gitops-sre-acme[bot] on acme/infra" in seen
    assert "ok  infra repository     main at " in seen
    left = world.git("status", "--short", cwd=clone).stdout.split()
    assert left == ["??", ".gitignore", "??", ".gitops-sre.yaml", "??", ".gitops-sre/"]


def test_what_is_written_is_never_a_key(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the person answers, nothing that init puts into a repository is a secret."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = History(tmp_path / "infra")
    made.git("remote", "add", "origin", "https://ada:canary@github.com/acme/infra.git")
    made.commit({"argocd/web.yaml": APPLICATION})
    assert run("init", made.folder, "--yes", "--project", "acme/gitops-sre@v1").code == 0
    subprocess.run(["git", "-C", made.folder, "add", "-A"], check=True)
    staged = made.git("diff", "--cached")
    assert "canary" not in staged
    assert "PRIVATE KEY-" not in staged
