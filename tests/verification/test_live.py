"""Is *this* commit live? Hard histories of Argo CD, each of which something simpler would get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import product

import pytest

from gitops_sre.model.live import Application, Live, NeverLive, SyncOperation, Waiting, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source, WorkloadRef
from gitops_sre.verification.live import Wanted, live
from tests.builders import after

BEFORE, OURS, LATER = "0" * 40, "1" * 40, "2" * 40
HISTORY = [BEFORE, OURS, LATER]
SOURCE = Source("https://git.example.com/acme/infra", "apps/checkout/overlays/staging", kind="kustomize")
IMAGE = "registry.example.com/checkout:v1"
WANTED = Wanted(OURS, SOURCE, (IMAGE,))


def contains(descendant: str, ancestor: str) -> bool | Unavailable:
    return HISTORY.index(ancestor) <= HISTORY.index(descendant)


def application(**changes: object) -> Application:
    """Argo CD after it has synced our commit and judged health afterwards."""
    plain = Application(
        namespace="argocd",
        name="staging-checkout",
        sources=(SOURCE,),
        destination_namespace="staging",
        sync_status="Synced",
        revisions=(OURS,),
        health="Healthy",
        reconciled_at=after(12),
        operation=operation(),
        auto_sync=True,
        images=(IMAGE,),
        healthy_since=after(-900),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names fields


def operation(
    phase: str = "Succeeded", revision: str = OURS, finished_at: datetime | None = None, message: str = ""
) -> SyncOperation:
    return SyncOperation(phase, (revision,), finished_at or after(10), message)


def workload(image: str = IMAGE, ready: int = 2) -> Workload:
    return Workload(WorkloadRef("Deployment", "staging", "checkout"), "argocd/staging-checkout", (image,), 2, ready)


def test_our_commit_synced_healthy_and_visible_is_live_since_the_sync_finished() -> None:
    assert live(application(), workload(), WANTED, contains) == Live(after(10), OURS)


def test_a_descendant_that_keeps_the_value_is_live_too() -> None:
    seen = live(application(revisions=(LATER,), operation=operation(revision=LATER)), workload(), WANTED, contains)
    assert isinstance(seen, Live)


def test_a_descendant_that_did_not_need_a_sync_is_live() -> None:
    assert isinstance(live(application(revisions=(LATER,)), workload(), WANTED, contains), Live)


@pytest.mark.parametrize(
    ("seen", "on"),
    [
        (application(revisions=(BEFORE,)), "to compare with"),
        (application(revisions=()), "for the first time"),
        (application(sync_status="OutOfSync"), "to sync (now OutOfSync"),
        (application(sync_status="OutOfSync", auto_sync=False), "auto-sync is off"),
        (application(sync_status="OutOfSync", conditions=("blocked by sync window",)), "blocked by sync window"),
        (application(operation=operation("Running")), "running sync"),
        (application(reconciled_at=after(9)), "judged after the sync"),
        (application(reconciled_at=None), "judged after the sync"),
        (application(health="Progressing"), "to be healthy (now Progressing)"),
        (application(health="Degraded"), "to be healthy (now Degraded)"),
        (application(health="Suspended"), "somebody to resume what is suspended"),
        (application(health="Missing", conditions=("a", "b")), "(now Missing): a; b"),
        (application(sync_status="Unknown", conditions=("repository not accessible",)), "repository not accessible"),
        (application(revisions=("",)), "for the first time"),
        (application(operation=None, reconciled_at=None), "to be reconciled"),
        (application(sources=(replace(SOURCE, path="elsewhere"),)), "as its source again"),
    ],
)
def test_what_is_not_finished_is_waited_for_by_name(seen: Application, on: str) -> None:
    result = live(seen, workload(), WANTED, contains)
    assert isinstance(result, Waiting)
    assert on in result.on


def test_healthy_with_the_old_image_still_running_is_not_live() -> None:
    result = live(application(), workload("registry.example.com/checkout:v2"), WANTED, contains)
    assert isinstance(result, Waiting)
    assert IMAGE in result.on


def test_an_unfinished_rollout_is_waited_for() -> None:
    result = live(application(), workload(ready=1), WANTED, contains)
    assert isinstance(result, Waiting)
    assert "1 of 2 ready" in result.on


def test_a_failed_sync_of_our_commit_is_not_tried_again_by_argo() -> None:
    failed = application(sync_status="OutOfSync", operation=operation("Failed", message="hook failed"))
    result = live(failed, workload(), WANTED, contains)
    assert isinstance(result, NeverLive)
    assert "hook failed" in result.reason


def test_a_failed_hook_of_our_commit_is_a_failure_though_all_looks_well() -> None:
    assert isinstance(live(application(operation=operation("Error")), workload(), WANTED, contains), NeverLive)


def test_a_failed_sync_that_a_person_started_may_be_started_again() -> None:
    failed = application(
        sync_status="OutOfSync", auto_sync=False, operation=operation("Failed", message="no such kind")
    )
    result = live(failed, workload(), WANTED, contains)
    assert isinstance(result, Waiting)
    assert "synced by somebody again" in result.on
    assert "no such kind" in result.on


def test_a_failed_sync_of_an_older_commit_says_nothing_about_ours() -> None:
    failed = application(sync_status="OutOfSync", operation=operation("Failed", BEFORE))
    assert isinstance(live(failed, workload(), WANTED, contains), Waiting)


def test_a_later_commits_failed_sync_is_not_blamed_on_ours() -> None:
    failed = application(
        sync_status="OutOfSync", revisions=(LATER,), operation=operation("Failed", LATER, message="invalid")
    )
    result = live(failed, workload(), WANTED, contains)
    assert isinstance(result, Waiting)
    assert "repaired by a new commit" in result.on
    assert "invalid" in result.on


def test_a_failed_hook_of_a_later_commit_is_no_success_either() -> None:
    failed = application(revisions=(LATER,), operation=operation("Failed", LATER))
    assert isinstance(live(failed, workload(), WANTED, contains), Waiting)


def test_a_failure_that_was_left_behind_with_nothing_to_sync_since_does_not_count() -> None:
    history = [*HISTORY, "3" * 40]

    def inside(descendant: str, ancestor: str) -> bool:
        return history.index(ancestor) <= history.index(descendant)

    seen = application(revisions=(history[-1],), operation=operation("Failed", LATER))
    assert isinstance(live(seen, workload(), WANTED, inside), Live)


def test_a_failure_of_a_commit_that_git_cannot_find_is_waited_for() -> None:
    def missing(descendant: str, ancestor: str) -> bool | Unavailable:
        return Unavailable("no such commit") if descendant == LATER else contains(descendant, ancestor)

    failed = application(sync_status="OutOfSync", operation=operation("Failed", LATER))
    assert live(failed, workload(), WANTED, missing) == Waiting("Git: no such commit")


def test_what_a_running_sync_waits_for_is_said() -> None:
    running = application(operation=operation("Running", BEFORE, message="one or more objects failed. Retrying #2"))
    result = live(running, workload(), WANTED, contains)
    assert isinstance(result, Waiting)
    assert "Retrying #2" in result.on


def test_a_later_commit_that_changed_the_value_takes_the_attribution_away() -> None:
    seen = live(application(revisions=(LATER,)), workload("registry.example.com/checkout:v3"), WANTED, contains)
    assert isinstance(seen, NeverLive)
    assert "cannot be attributed" in seen.reason


def test_the_revision_of_our_source_counts_among_several() -> None:
    other = Source("https://charts.example.com", "", kind="helm")
    seen = application(sources=(other, SOURCE), revisions=(LATER, BEFORE))
    assert isinstance(live(seen, workload(), WANTED, contains), Waiting)
    seen = application(sources=(other, SOURCE), revisions=(BEFORE, OURS))
    assert isinstance(live(seen, workload(), WANTED, contains), Live)


def test_a_failure_of_another_source_is_not_taken_for_ours() -> None:
    other = Source("https://charts.example.com", "", kind="helm")
    failed = SyncOperation("Failed", (OURS, BEFORE), after(10), "chart not found")
    seen = application(sources=(other, SOURCE), revisions=("1.2.3", OURS), operation=failed, sync_status="OutOfSync")
    assert isinstance(live(seen, workload(), WANTED, contains), Waiting)


def test_without_an_operation_what_is_synced_and_visible_is_live_since_it_was_compared() -> None:
    assert live(application(operation=None, healthy_since=None), workload(), WANTED, contains) == Live(after(12), OURS)


DIGEST = "sha256:" + "d" * 64


@pytest.mark.parametrize(
    ("wanted", "runs", "same"),
    [
        (f"registry.example.com/checkout:v1@{DIGEST}", f"registry.example.com/checkout@{DIGEST}", True),
        (f"registry.example.com/checkout@{DIGEST}", f"registry.example.com/checkout:v1@{DIGEST}", True),
        (f"registry.example.com/checkout@{DIGEST}", f"registry.example.com/other@{DIGEST}", False),
        ("registry.example.com/checkout:v1", f"registry.example.com/checkout:v1@{DIGEST}", False),
        ("registry.example.com:5000/checkout:v1", "registry.example.com:5000/checkout:v1", True),
        ("registry.example.com/checkout:v1", "registry.example.com/checkout:v10", False),
    ],
)
def test_a_digest_says_which_image_runs_whatever_the_tag_beside_it(wanted: str, runs: str, *, same: bool) -> None:
    seen = live(application(), workload(runs), replace(WANTED, images=(wanted,)), contains)
    assert isinstance(seen, Live if same else Waiting)


def every_application() -> Iterator[Application]:
    """Whatever Argo CD may show, in all combinations."""
    operations = [None] + [
        SyncOperation(phase, (revision,), finished)
        for phase in ("Running", "Succeeded", "Failed")
        for revision in (BEFORE, OURS, LATER)
        for finished in (after(10), None)
    ]
    for sync_status, revision, health, reconciled, done, auto_sync in product(
        ("Synced", "OutOfSync"),
        HISTORY,
        ("Healthy", "Progressing"),
        (after(9), after(10), None),
        operations,
        (True, False),
    ):
        yield application(
            sync_status=sync_status,
            revisions=(revision,),
            health=health,
            reconciled_at=reconciled,
            operation=done,
            auto_sync=auto_sync,
        )


def is_proven(seen: Application) -> bool:
    """The predicate as it is written down: contained, synced, healthy, and judged after an operation that succeeded
    or that is about another revision than the one compared."""
    done = seen.operation
    plain = seen.revisions[0] in (OURS, LATER) and (seen.sync_status, seen.health) == ("Synced", "Healthy")
    if done is None:
        return plain and seen.reconciled_at is not None
    ended = done.phase == "Succeeded" or (done.phase == "Failed" and done.revisions[0] not in (OURS, *seen.revisions))
    judged = done.finished_at is None or (seen.reconciled_at is not None and seen.reconciled_at >= done.finished_at)
    return plain and ended and judged and not (done.finished_at is None and seen.reconciled_at is None)


def test_live_is_what_the_predicate_says_and_nothing_else() -> None:
    verdicts = [(seen, isinstance(live(seen, workload(), WANTED, contains), Live)) for seen in every_application()]
    assert {said for _, said in verdicts} == {True, False}
    assert [(seen, said) for seen, said in verdicts if said != is_proven(seen)] == []


def test_whatever_argo_shows_the_value_must_be_seen_running() -> None:
    for seen in every_application():
        assert not isinstance(live(seen, workload("registry.example.com/checkout:v2"), WANTED, contains), Live)
        assert not isinstance(live(seen, workload(ready=1), WANTED, contains), Live)


@pytest.mark.parametrize("says", [Unavailable("gone"), False])
def test_nothing_is_concluded_while_git_does_not_say_that_our_commit_is_in_it(says: Unavailable | bool) -> None:
    for seen in every_application():
        assert isinstance(live(seen, workload(), WANTED, lambda *_: says), Waiting)


def test_an_unreachable_cluster_or_repository_is_waited_for() -> None:
    assert isinstance(live(Unavailable("timed out"), None, WANTED, contains), Waiting)
    gone = live(application(), workload(), WANTED, lambda _, __: Unavailable("no fetch"))
    assert isinstance(gone, Waiting)


def test_without_the_workload_the_applications_images_are_looked_at() -> None:
    assert isinstance(live(application(), None, WANTED, contains), Live)
    assert isinstance(live(application(images=()), None, WANTED, contains), Waiting)


def test_it_is_live_since_the_rollout_ended_and_not_since_the_objects_were_applied() -> None:
    slow = application(healthy_since=after(300), reconciled_at=after(320))
    assert live(slow, workload(), WANTED, contains) == Live(after(300), OURS)
    quick = application(healthy_since=after(-900))
    assert live(quick, workload(), WANTED, contains) == Live(after(10), OURS)
