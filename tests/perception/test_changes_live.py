"""When a commit really went live, as the feed tells it, over real repositories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gitops_sre.adapters.git import LocalRepository
from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.live import Application, Sync, SyncOperation
from gitops_sre.model.target import Source
from gitops_sre.perception import changes
from gitops_sre.perception.changes import flux
from tests.perception.test_changes import KUSTOMIZATION, ONSET, Repo, application

PATH = "cart/staging/kustomization.yaml"
CART = application("cart")


def before(seconds: float) -> timedelta:
    return timedelta(seconds=-seconds)


def sync(revision: str, seconds: float, *, took: float = 20, revisions: Sequence[str] = ()) -> Sync:
    """A sync that began `seconds` before the onset."""
    return Sync(tuple(revisions) or (revision,), ONSET + before(seconds), ONSET + before(seconds - took))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    folder = tmp_path / "infra"
    folder.mkdir()
    made = Repo(folder)
    made.commit(5000, "Import", {PATH: KUSTOMIZATION.format(tag="v1", count=2), "README.md": "hello\n"})
    return made


def deploy(repo: Repo, seconds: float, tag: str) -> str:
    return repo.commit(seconds, f"Deploy {tag}", {PATH: KUSTOMIZATION.format(tag=tag, count=2)})


def feed(repo: Repo, *applications: Application, **options: object) -> tuple[ChangeRecord, ...]:
    repository = LocalRepository(repo.folder)
    try:
        found = changes.feed(
            repository=repository,
            inputs=lambda _, source: frozenset({PATH}) if source.path.startswith("cart") else frozenset(),
            commit=str(repository.head()),
            applications=applications,
            environment_of=str,
            onset=ONSET,
            lookback=timedelta(hours=1),
            skew=timedelta(seconds=60),
            **options,  # type: ignore[arg-type]  # the optional ones of the same function
        )
    finally:
        repository.close()
    assert isinstance(found, tuple)
    return found


def only(found: tuple[ChangeRecord, ...]) -> ChangeRecord:
    (record,) = found
    return record


def test_a_commit_is_live_from_the_first_sync_that_brought_it(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    sha = deploy(repo, 900, "v2")
    later = repo.commit(400, "Read me", {"README.md": "hello again\n"})
    synced = replace(CART, syncs=(sync(first, 4000), sync(sha, 300), sync(later, 100)))
    record = only(feed(repo, synced))
    assert record.live == ONSET + before(300)
    assert record.lead == 300


def test_a_sync_to_a_later_commit_brings_the_earlier_ones_too(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    deploy(repo, 900, "v2")
    later = repo.commit(400, "Read me", {"README.md": "hello again\n"})
    assert only(feed(repo, replace(CART, syncs=(sync(first, 4000), sync(later, 200))))).lead == 200


def test_a_commit_from_before_that_a_sync_has_only_just_brought_is_seen(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.commit(4600, "Older", {PATH: KUSTOMIZATION.format(tag="v1", count=3)})
    mid = repo.git("rev-parse", "HEAD")
    sha = deploy(repo, 4000, "v2")
    waited = replace(CART, syncs=(sync(first, 4700), sync(mid, 4500), sync(sha, 300)))
    record = only(feed(repo, waited))
    assert (record.commit.sha, record.lead) == (sha, 300)
    prompt = replace(CART, syncs=(sync(first, 4700), sync(mid, 4500), sync(sha, 3990)))
    assert feed(repo, prompt) == ()
    other = replace(application("till"), syncs=(sync(first, 4700), sync(sha, 300)))
    assert feed(repo, prompt, other) == ()


def test_without_syncs_the_commit_counts(repo: Repo) -> None:
    deploy(repo, 900, "v2")
    record = only(feed(repo, CART))
    assert (record.live, record.lead) == (None, 900)


def test_what_no_sync_has_brought_is_no_suspect(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    deploy(repo, 900, "v2")
    assert feed(repo, replace(CART, syncs=(sync(first, 4000), sync(first, 100)))) == ()


def test_what_went_live_after_the_onset_came_too_late_and_overwrote_nothing(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    bad, fix = deploy(repo, 900, "v2"), deploy(repo, 200, "v3")
    synced = replace(CART, syncs=(sync(first, 4000), sync(bad, 800), sync(fix, -120)))
    assert [(each.commit.subject, each.lead) for each in feed(repo, synced)] == [
        ("Deploy v3", -120),
        ("Deploy v2", 800),
    ]


def test_the_oldest_sync_that_is_kept_does_not_say_when_it_came_first(repo: Repo) -> None:
    sha = deploy(repo, 900, "v2")
    record = only(feed(repo, replace(CART, syncs=(sync(sha, 100), sync(sha, 50)))))
    assert (record.live, record.lead) == (None, 900)


def test_a_sync_that_runs_or_has_failed_may_have_brought_it(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    sha = deploy(repo, 900, "v2")
    for phase, finished in (("Running", None), ("Failed", ONSET + before(10))):
        operation = SyncOperation(phase, (sha,), finished, started_at=ONSET + before(70))
        assert only(feed(repo, replace(CART, syncs=(sync(first, 4000),), operation=operation))).lead == 70


def test_a_clock_that_runs_late_in_the_cluster_does_not_make_it_earlier_than_the_commit(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    sha = deploy(repo, 300, "v2")
    synced = replace(CART, syncs=(sync(first, 4000), sync(sha, 330)))
    assert only(feed(repo, synced)).lead == 300


def test_several_sources_are_told_apart(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    sha = deploy(repo, 900, "v2")
    chart = Source("https://charts.example.com", "", chart="cart")
    two = replace(
        CART,
        sources=(chart, *CART.sources),
        syncs=(sync("", 4000, revisions=("1.2.3", first)), sync("", 300, revisions=("1.2.4", sha))),
    )
    assert only(feed(repo, two, reads=lambda source: not source.chart)).lead == 300


def test_a_release_branch_is_live_with_what_was_merged_into_it(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    sha = deploy(repo, 900, "v2")
    repo.git("checkout", "-q", "-b", "release", first)
    repo.git("merge", "-q", "--no-ff", "-m", "Release", sha, at=ONSET + before(500))
    released = repo.git("rev-parse", "HEAD")
    repo.git("checkout", "-q", "main")
    deploy(repo, 450, "v3")
    record = only(feed(repo, replace(CART, syncs=(sync(first, 4000), sync(released, 300)))))
    assert (record.commit.sha, record.lead) == (sha, 300)


def test_a_revision_that_nobody_knows_clears_nobody(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    deploy(repo, 900, "v2")
    record = only(feed(repo, replace(CART, syncs=(sync(first, 4000), sync("f" * 40, 300)))))
    assert (record.live, record.lead) == (None, 900)


def kustomization(history: list[Mapping[str, object]], **spec: object) -> dict[str, object]:
    return {
        "metadata": {"name": "cart", "namespace": "flux-system"},
        "spec": {
            "path": "./cart/staging",
            "targetNamespace": "staging",
            "interval": "10m",
            "sourceRef": {"kind": "GitRepository", "name": "infra"},
            **spec,
        },
        "status": {"lastAppliedRevision": f"main@sha1:{'a' * 40}", "history": history},
    }


def reconciled(sha: str, seconds: float, total: int = 1) -> dict[str, object]:
    return {
        "digest": "sha256:1",
        "firstReconciled": (ONSET + before(seconds)).isoformat().replace("+00:00", "Z"),
        "lastReconciledDuration": "10s",
        "lastReconciledStatus": "ReconciliationSucceeded",
        "totalReconciliations": total,
        "metadata": {"revision": f"main@sha1:{sha}"},
    }


REPOSITORY = {"metadata": {"name": "infra", "namespace": "flux-system"}, "spec": {"url": "https://example.com/infra"}}


def test_flux_says_when_it_applied_a_revision_first(repo: Repo) -> None:
    first = repo.git("rev-parse", "HEAD")
    sha = deploy(repo, 900, "v2")
    (cart,) = flux.applications([kustomization([reconciled(sha, 300), reconciled(first, 4000)])], [REPOSITORY])
    record = only(feed(repo, cart))
    assert (record.service, record.environment, record.lead) == ("cart", "staging", 310)


def test_a_kustomization_that_waits_for_health_may_have_begun_as_early_as_its_time_limit_allows() -> None:
    history: list[Mapping[str, object]] = [reconciled("a" * 40, 0, total=3)]
    begun = [
        flux.applications([kustomization(history, **spec)], [REPOSITORY])[0].syncs[0].started_at
        for spec in ({}, {"wait": True}, {"wait": True, "timeout": "1m30s"})
    ]
    assert begun == [ONSET + before(seconds) for seconds in (10, 600, 90)]


def test_a_kustomization_without_a_git_repository_is_none() -> None:
    assert flux.applications([kustomization([])], []) == ()
    assert flux.applications([{"metadata": {"name": 3}, "spec": []}], [REPOSITORY]) == ()


@pytest.mark.parametrize(
    ("written", "sha"),
    [
        (f"main@sha1:{'a' * 40}", "a" * 40),
        (f"refs/heads/main@sha1:{'a' * 40}", "a" * 40),
        (f"main/{'b' * 40}", "b" * 40),
        (f"v1.2.3@sha256:{'c' * 64}", ""),
        ("", ""),
    ],
)
def test_revisions_are_read_as_flux_writes_them(written: str, sha: str) -> None:
    assert flux.revision_of(written) == sha
