"""Is *this* commit live? Hard histories of Argo CD, each of which something simpler would get wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

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


def test_a_failed_sync_of_an_older_commit_says_nothing_about_ours() -> None:
    failed = application(sync_status="OutOfSync", operation=operation("Failed", BEFORE))
    assert isinstance(live(failed, workload(), WANTED, contains), Waiting)


def test_a_later_commit_that_changed_the_value_takes_the_attribution_away() -> None:
    seen = live(application(revisions=(LATER,)), workload("registry.example.com/checkout:v3"), WANTED, contains)
    assert isinstance(seen, NeverLive)


def test_the_revision_of_our_source_counts_among_several() -> None:
    other = Source("https://charts.example.com", "", kind="helm")
    seen = application(sources=(other, SOURCE), revisions=(LATER, BEFORE))
    assert isinstance(live(seen, workload(), WANTED, contains), Waiting)
    seen = application(sources=(other, SOURCE), revisions=(BEFORE, OURS))
    assert isinstance(live(seen, workload(), WANTED, contains), Live)


def test_an_unreachable_cluster_or_repository_is_waited_for() -> None:
    assert isinstance(live(Unavailable("timed out"), None, WANTED, contains), Waiting)
    gone = live(application(), workload(), WANTED, lambda _, __: Unavailable("no fetch"))
    assert isinstance(gone, Waiting)


def test_without_the_workload_the_applications_images_are_looked_at() -> None:
    assert isinstance(live(application(), None, WANTED, contains), Live)
    assert isinstance(live(application(images=()), None, WANTED, contains), Waiting)
