"""Is *this* commit live? The predicate for Argo CD.

Argo CD's own words can mislead: `Healthy` may be older than the sync, another revision may be the healthy one, and a
failed revision is not tried again. So all of these must hold: the compared revision is our merge commit or a
descendant; nothing is left to sync; the last operation succeeded and contains us (or none was needed); health was
judged after that operation; and the value itself is visible in the running object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitops_sre.model.live import Application, Live, Liveness, NeverLive, SyncOperation, Waiting, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source

Contains = Callable[[str, str], bool | Unavailable]
"""(descendant, ancestor) -> whether the second is the first or one of its ancestors."""

_FAILED = frozenset({"Failed", "Error"})


@dataclass(frozen=True)
class Wanted:
    """What must be running: a merge commit, from a source, with these image references (empty: nothing to see)."""

    merge_sha: str
    source: Source
    images: tuple[str, ...] = ()


def live(
    application: Application | Unavailable, workload: Workload | None, wanted: Wanted, contains: Contains
) -> Liveness:
    """Whether the wanted commit runs and is healthy."""
    if isinstance(application, Unavailable):
        return Waiting(f"the cluster: {application.reason}")
    revision = revision_of(application, wanted.source)
    if isinstance(revision, Waiting):
        return revision
    included = contains(revision, wanted.merge_sha)
    if isinstance(included, Unavailable):
        return Waiting(f"Git: {included.reason}")
    if not included:
        return Waiting(f"{application.name} to compare with {_short(wanted.merge_sha)} (it is at {_short(revision)})")
    return _synced(application, wanted, contains) or _running(application, workload, wanted, revision)


def revision_of(application: Application, source: Source) -> str | Waiting:
    """The compared revision of the source that is ours, among the application's sources."""
    for ours, revision in zip(application.sources, application.revisions, strict=False):
        if (ours.repo_url, ours.path) == (source.repo_url, source.path) and revision:
            return revision
    if not application.revisions:
        return Waiting(f"{application.name} to be compared for the first time")
    return Waiting(f"{application.name} to take {source.path} as its source again")


def _synced(application: Application, wanted: Wanted, contains: Contains) -> Liveness | None:
    """What stands in the way of a finished sync of our commit; None when nothing does."""
    operation = application.operation
    ours = operation is not None and _holds(operation, wanted.merge_sha, contains)
    if operation is not None and ours and operation.phase in _FAILED:
        return NeverLive(f"the sync of {application.name} failed and is not tried again: {operation.message}")
    if operation is not None and operation.phase in ("Running", "Terminating"):
        return Waiting(f"the running sync of {application.name}")
    if application.sync_status == "OutOfSync" and not application.auto_sync:
        return Waiting(f"somebody to sync {application.name}: its auto-sync is off")
    if application.sync_status != "Synced":
        blocked = "; ".join(application.conditions)
        return Waiting(f"{application.name} to sync (now {application.sync_status}{': ' + blocked if blocked else ''})")
    # Synced without an operation that holds us: either our manifests changed nothing, or the value will not be there
    # and `_running` keeps waiting for it.
    finished = operation.finished_at if operation is not None else None
    if finished and (application.reconciled_at is None or application.reconciled_at < finished):
        return Waiting(f"the health of {application.name} to be judged after the sync")
    return None


def _holds(operation: SyncOperation, sha: str, contains: Contains) -> bool:
    return any(contains(revision, sha) is True for revision in operation.revisions if revision)


def _running(application: Application, workload: Workload | None, wanted: Wanted, revision: str) -> Liveness:
    """Synced: is the value visible, and is it healthy?"""
    images: Sequence[str] = workload.images if workload is not None else application.images
    missing = [image for image in wanted.images if image not in images]
    if missing and revision != wanted.merge_sha:
        return NeverLive(f"a later commit ({_short(revision)}) is live and runs {', '.join(images) or 'nothing'}")
    if missing:
        return Waiting(f"{', '.join(missing)} to be seen running")
    if workload is not None and workload.ready < workload.replicas:
        return Waiting(f"the rollout of {workload.ref}: {workload.ready} of {workload.replicas} ready")
    if application.health != "Healthy":
        return Waiting(f"{application.name} to be healthy (now {application.health})")
    if application.operation is not None and application.operation.finished_at is not None:
        return Live(application.operation.finished_at, revision)
    if application.reconciled_at is not None:
        return Live(application.reconciled_at, revision)
    return Waiting(f"{application.name} to be reconciled")


def _short(sha: str) -> str:
    return sha[:12]
