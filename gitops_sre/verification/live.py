"""Is *this* commit live? The predicate for Argo CD, and for Flux's Kustomizations, read as Applications.

Argo CD's own words can mislead: `Healthy` may be older than the sync, another revision may be the healthy one, and a
failed revision is not tried again. So all of these must hold: the compared revision of our source is our merge commit
or a descendant; nothing is left to sync; the last operation succeeded, unless it is older than us and there was nothing
to sync since; health was judged after it; and the value itself is visible in the running object. Source: Argo CD's
application controller (automated sync, `status.reconciledAt`) and its documentation of automated sync.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_sre.model.image import Image
from gitops_sre.model.live import Application, Live, Liveness, NeverLive, SyncOperation, Waiting, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source

Contains = Callable[[str, str], bool | Unavailable]
"""(descendant, ancestor) -> whether the second is the first or one of its ancestors."""

_FAILED = frozenset({"Failed", "Error"})
_UNDER_WAY = frozenset({"Running", "Terminating"})


@dataclass(frozen=True)
class Wanted:
    """What must be running: a merge commit, from a source, with these image references (empty: nothing to see)."""

    merge_sha: str
    source: Source
    images: tuple[str, ...] = ()


def live(
    application: Application | Unavailable, workload: Workload | None, wanted: Wanted, contains: Contains
) -> Liveness:
    """Whether the wanted commit runs and is healthy. `workload` is None where the target's is not there."""
    if isinstance(application, Unavailable):
        return Waiting(f"the cluster: {application.reason}")
    number = _number(application, wanted.source)
    if number is None:
        return Waiting(f"{application.name} to take {wanted.source.path or 'the root'} as its source again")
    revision = application.revisions[number] if number < len(application.revisions) else ""
    if not revision:
        return Waiting(f"{application.name} to be compared for the first time{_conditions(application)}")
    included = contains(revision, wanted.merge_sha)
    if isinstance(included, Unavailable):
        return Waiting(f"Git: {included.reason}")
    if not included:
        return Waiting(
            f"{application.name} to compare with {_short(wanted.merge_sha)} (it is at {_short(revision)})"
            f"{_conditions(application)}"
        )
    return (
        _operated(application, revision, number, wanted, contains)
        or _synced(application)
        or _running(application, workload, wanted, revision)
    )


def _number(application: Application, source: Source) -> int | None:
    """Which of the application's sources is ours."""
    places = [(each.repo_url, each.path) for each in application.sources]
    ours = (source.repo_url, source.path)
    return places.index(ours) if ours in places else None


def _operated(
    application: Application, revision: str, number: int, wanted: Wanted, contains: Contains
) -> Liveness | None:
    """What the last operation says against us; None when nothing."""
    operation = application.operation
    if operation is None:
        return None
    if operation.phase in _UNDER_WAY:
        # Argo CD sits out the retries of one revision before it takes up the next: its message says which it is.
        return Waiting(f"the running sync of {application.name}{_said(operation.message)}")
    if operation.phase not in _FAILED:
        return None
    tried = _tried(operation, number)
    if tried != wanted.merge_sha:
        if application.sync_status == "Synced" and tried != revision:
            return None  # the failure is about a revision that has been left behind, with nothing to sync since
        after_us = contains(tried, wanted.merge_sha) if tried else False
        if isinstance(after_us, Unavailable):
            return Waiting(f"Git: {after_us.reason}")
        if not after_us:
            return None
    elif application.auto_sync:
        return NeverLive(f"the sync of {application.name} failed and is not tried again: {operation.message}")
    # A later commit's failure says nothing about ours: a person has to tell them apart.
    again = "repaired by a new commit" if application.auto_sync else "synced by somebody again"
    return Waiting(f"{application.name} to be {again}: the sync of {_short(tried)} failed{_said(operation.message)}")


def _tried(operation: SyncOperation, number: int) -> str:
    """The revision of our source that an operation was about. Its list is parallel to the sources, as they were."""
    return operation.revisions[number] if number < len(operation.revisions) else ""


def _synced(application: Application) -> Liveness | None:
    """What stands in the way of a finished sync whose health is known; None when nothing does."""
    if application.sync_status == "OutOfSync" and not application.auto_sync:
        return Waiting(f"somebody to sync {application.name}: its auto-sync is off{_conditions(application)}")
    if application.sync_status != "Synced":
        return Waiting(f"{application.name} to sync (now {application.sync_status}){_conditions(application)}")
    # Synced without an operation that holds us: either our manifests changed nothing, or the value will not be there
    # and `_running` keeps waiting for it.
    finished = application.operation.finished_at if application.operation is not None else None
    if finished and (application.reconciled_at is None or application.reconciled_at < finished):
        return Waiting(f"the health of {application.name} to be judged after the sync")
    return None


def _running(application: Application, workload: Workload | None, wanted: Wanted, revision: str) -> Liveness:
    """Synced: is the value visible, and is it healthy?"""
    images: Sequence[str] = workload.images if workload is not None else application.images
    missing = [image for image in wanted.images if not any(_same(image, seen) for seen in images)]
    if missing and revision != wanted.merge_sha:
        return NeverLive(
            f"a later commit changed it again: {_short(revision)} is live and runs {', '.join(images) or 'nothing'}, "
            "so what follows cannot be attributed to this one"
        )
    if missing:
        return Waiting(f"{', '.join(missing)} to be seen running")
    if workload is not None and workload.ready < workload.replicas:
        return Waiting(f"the rollout of {workload.ref}: {workload.ready} of {workload.replicas} ready")
    if application.health == "Suspended":
        return Waiting(f"somebody to resume what is suspended in {application.name}")
    if application.health != "Healthy":
        return Waiting(f"{application.name} to be healthy (now {application.health}){_conditions(application)}")
    if application.reconciled_at is None:
        return Waiting(f"{application.name} to be reconciled")
    return Live(_since(application, application.reconciled_at), revision)


def _since(application: Application, judged: datetime) -> datetime:
    """Since when it is live *and* healthy. A sync ends when the objects are applied; the rollout may take minutes more,
    and what the old pods did until then does not speak against the new ones. Without the time of the last change of
    health (older Argo CD) it is the moment at which health was last judged: later than the truth, never earlier."""
    finished = application.operation.finished_at if application.operation is not None else None
    return max(moment for moment in (finished, application.healthy_since or judged) if moment is not None)


def _same(wanted: str, seen: str) -> bool:
    """Whether two references run the same image: equal, or of one name and one digest (then a tag is only a note)."""
    one, other = Image.read(wanted), Image.read(seen)
    return one == other or (one.name == other.name and one.digest != "" and one.digest == other.digest)


def _conditions(application: Application) -> str:
    return _said("; ".join(condition for condition in application.conditions if condition))


def _said(message: str) -> str:
    return f": {message}" if message else ""


def _short(sha: str) -> str:
    return sha[:12]
