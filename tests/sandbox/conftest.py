"""A real bare repository with a short version of the shop's history, and a clock that tests move."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_sre.sandbox.github.gitrepo import GitRepo, Signature
from gitops_sre.sandbox.infra import history, tree
from gitops_sre.sandbox.reconciler.render import find_tool

URL = "http://127.0.0.1:1/acme/shop-infra.git"
NOW = 1_795_000_000.0
"""The moment at which tests begin, as a Unix time."""


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    at: float = NOW

    def __call__(self) -> float:
        return self.at


@dataclass
class Branch:
    """The branch `main` of a bare repository, and how a test commits to it."""

    repo: GitRepo
    clock: Callable[[], float]

    def read(self, path: str) -> bytes:
        return self.repo.run("show", f"main:{path}")

    def commit(self, files: Mapping[str, bytes | None], message: str = "A change") -> str:
        who = Signature("Bob", "bob@shop.example.com", datetime.fromtimestamp(self.clock(), UTC))
        head = self.repo.ref("refs/heads/main")
        return self.repo.commit_files("main", head, files, message, who, who)


def write_history(path: Path, keep: Callable[[str], bool]) -> GitRepo:
    """The shop's history, with only those of its files that are to be kept; one pack, so that copies are quick."""
    repo = GitRepo.create(path)
    first, *rest = (
        replace(commit, files={path: content for path, content in commit.files.items() if keep(path)})
        for commit in history.commits(datetime.fromtimestamp(NOW, UTC), URL)
    )
    who = Signature(first.login, f"{first.login}@shop.example.com", first.when)
    parent = repo.commit_files(tree.BRANCH, None, first.files, first.message, who, who)
    stream = history.fast_import((commit for commit in rest if commit.files), parent)
    repo.run("fast-import", "--quiet", "--done", stdin=stream)
    return repo


def _few(path: str) -> bool:
    """Only three Applications: one a layout, so that a reconciler starts at once."""
    return not path.startswith("argocd/") or path in {
        "argocd/staging/checkout.yaml",
        "argocd/staging/catalog.yaml",
        "argocd/staging/shipping.yaml",
    }


@pytest.fixture(scope="session")
def _history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("history") / "shop-infra.git", _few).path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def branch(_history: Path, tmp_path: Path, clock: Clock) -> Branch:
    path = tmp_path / "shop-infra.git"
    shutil.copytree(_history, path)
    return Branch(GitRepo(path), clock)


@pytest.fixture(scope="session")
def render_tools() -> None:
    """Skips where the tools that render are missing."""
    missing = [name for name in ("kubectl", "helm") if find_tool(name) is None]
    if missing:
        pytest.skip(f"not on PATH: {', '.join(missing)}")
