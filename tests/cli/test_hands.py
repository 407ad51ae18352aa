"""`locate` and `propose` on real git repositories."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_sre.cli.main import main
from tests.gitops.commits import History

IMAGE = "ghcr.io/acme/web"
FILE = "apps/web/dé p.yaml"
DEPLOYMENT = f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      containers:
      - name: web
        image: {IMAGE}:1.0"""
WHERE = ("--path", "apps/web", "--image", IMAGE)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path / "infra")
    made.commit({"apps/web/kustomization.yaml": "resources:\n- dé p.yaml\n", FILE: DEPLOYMENT.replace("\n", "\r\n")})
    yield made
    made.close()


def _listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def _propose(folder: Path, *more: str) -> int:
    return main(["propose", "rollback_image", "--repo", str(folder), *WHERE, "--to", "0.9", "--no-proof", *more])


def test_diff_applies_byte_for_byte_and_the_repository_stays_untouched(
    history: History, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    before = _listing(history.folder)
    assert _propose(history.folder) == 0
    diff = capfdbinary.readouterr().out
    assert _listing(history.folder) == before
    subprocess.run(["git", "-C", str(history.folder), "apply"], input=diff, check=True)
    wanted = DEPLOYMENT.replace(":1.0", ":0.9").replace("\n", "\r\n")
    assert (history.folder / FILE).read_bytes() == wanted.encode()


def test_bare_repository_gives_the_same_diff(
    history: History, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    bare = tmp_path / "bare.git"
    history.git("clone", "--quiet", "--bare", str(history.folder), str(bare))
    assert _propose(history.folder) == 0
    diff = capfdbinary.readouterr().out
    before = _listing(bare)
    assert _propose(bare) == 0
    assert capfdbinary.readouterr().out == diff
    assert _listing(bare) == before


def test_at_takes_branch_tag_short_sha_and_ancestor(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    first = history.git("rev-parse", "HEAD")
    history.git("tag", "v1")
    history.git("branch", "old")
    history.commit({FILE: DEPLOYMENT.replace(":1.0", ":2.0")})
    for revision in ("old", "v1", first[:9], "HEAD~1"):
        assert main(["locate", "--repo", str(history.folder), *WHERE, "--at", revision, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["at"], said["refused"]) == (first, None)
        assert [(each["file"], each["value"]) for each in said["fields"]] == [(FILE, f"{IMAGE}:1.0")]


def test_unknown_commit_is_one_clear_line(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["locate", "--repo", str(history.folder), *WHERE, "--at", "nope"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "no commit is named 'nope'" in said.err


def test_refusal_is_on_stderr_and_in_the_json(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--repo", str(history.folder), "--path", "apps/web", "--image", "no/such", "--to", "1", "--json"]
    assert main(["propose", "rollback_image", *options]) == 1
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert answer["refused"] in said.err
    assert (answer["fields"], answer["diff"]) == ([], "")


@pytest.mark.parametrize("path", ["../..", "apps/../../x"])
def test_folder_outside_the_repository_is_a_usage_error(
    history: History, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["locate", "--repo", str(history.folder), "--path", path, "--image", IMAGE]) == 2
    assert "--path" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--json", "--diff"], ["--set", "novalue"], ["--workload", "web"]])
def test_wrong_use_exits_2(history: History, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _propose(history.folder, *more) == 2
    assert capsys.readouterr().out == ""
