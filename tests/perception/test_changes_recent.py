"""What is kept from one look to the next stays true."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gitops_sre.adapters.git import LocalRepository
from gitops_sre.model.change_feed import ChangeRecord, Revision
from gitops_sre.model.outcome import Unavailable
from gitops_sre.perception import changes
from gitops_sre.perception.changes import recent
from tests.perception.test_changes import KUSTOMIZATION, ONSET, Repo, application

PATH = "cart/staging/kustomization.yaml"


class Counting(LocalRepository):
    """Counts what is read."""

    contents = 0
    logs = 0

    def blobs(self, oids: object) -> dict[str, bytes]:
        found = super().blobs(oids)  # type: ignore[arg-type]  # handed on
        self.contents += len(found)
        return dict(found)

    def steps(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Revision, ...]:
        self.logs += 1
        return super().steps(commit, since=since, paths=paths, limit=limit)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    folder = tmp_path / "infra"
    folder.mkdir()
    made = Repo(folder)
    made.commit(5000, "Import", {PATH: KUSTOMIZATION.format(tag="v1", count=2)})
    for seconds, tag in ((3000, "v2"), (2000, "v3"), (1000, "v4")):
        deploy(made, seconds, tag)
    return made


@pytest.fixture
def repository(repo: Repo) -> Iterator[Counting]:
    made = Counting(repo.folder)
    yield made
    made.close()


def deploy(repo: Repo, seconds: float, tag: str) -> str:
    return repo.commit(seconds, f"Deploy {tag}", {PATH: KUSTOMIZATION.format(tag=tag, count=int(seconds))})


def feed(repository: LocalRepository, lookback: float = 3600) -> tuple[ChangeRecord, ...] | Unavailable:
    return changes.feed(
        repository=repository,
        inputs=lambda *_: frozenset({PATH, "cart/link.yaml"}),
        commit=str(repository.head()),
        applications=[application("cart")],
        environment_of=str,
        onset=ONSET,
        lookback=timedelta(seconds=lookback),
        skew=timedelta(seconds=60),
    )


def leads(found: tuple[ChangeRecord, ...] | Unavailable) -> list[float]:
    assert isinstance(found, tuple)
    return [record.lead for record in found]


def fresh(repo: Repo) -> tuple[ChangeRecord, ...] | Unavailable:
    repository = LocalRepository(repo.folder)
    try:
        return feed(repository)
    finally:
        repository.close()


def test_a_second_look_reads_nothing_and_says_the_same(repo: Repo, repository: Counting) -> None:
    first = feed(repository)
    contents, logs = repository.contents, repository.logs
    assert contents == 4
    assert feed(repository) == first == fresh(repo)
    assert (repository.contents, repository.logs) == (contents, logs)


def test_a_commit_on_top_is_read_and_nothing_else(repo: Repo, repository: Counting) -> None:
    feed(repository)
    contents = repository.contents
    deploy(repo, 100, "v5")
    assert feed(repository) == fresh(repo)
    assert repository.contents <= contents + 2


def test_many_commits_on_top_are_all_read(repo: Repo, repository: Counting) -> None:
    feed(repository)
    for number in range(20):
        deploy(repo, 100 - number, f"w{number}")
    found = feed(repository)
    assert found == fresh(repo)
    assert leads(found)[0] == 81


def test_a_branch_that_was_rewritten_is_read_anew(repo: Repo, repository: Counting) -> None:
    feed(repository)
    repo.git("reset", "-q", "--hard", "HEAD~2")
    found = feed(repository)
    assert leads(found) == [3000]
    deploy(repo, 500, "v9")
    assert feed(repository) == fresh(repo)


def test_a_window_may_grow_and_shrink(repository: Counting) -> None:
    assert [leads(feed(repository, lookback)) for lookback in (1500, 3600, 2500)] == [[1000], [1000], [1000]]
    window = recent.recent(repository).since(str(repository.head()), ONSET - timedelta(seconds=2500))
    assert isinstance(window, tuple)
    assert [each.commit.subject for each in window] == ["Deploy v4", "Deploy v3"]


def test_a_file_that_becomes_a_link_is_gone_as_a_file(repo: Repo, repository: Counting) -> None:
    repo.commit(90, "Add", {"cart/link.yaml": "spec: {a: 1}\n"})
    (repo.folder / "cart/link.yaml").unlink()
    os.symlink("elsewhere", repo.folder / "cart/link.yaml")
    repo.commit(80, "Link", {})
    found = feed(repository)
    assert isinstance(found, tuple)
    assert [(record.kind, record.fields[0].after) for record in found[:1]] == [("other", None)]


def test_too_many_commits_are_said_to_be_too_many(
    repo: Repo, repository: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MAX_COMMITS", 3)
    found = feed(repository)
    assert isinstance(found, Unavailable)
    assert "timing.change_lookback" in found.reason
