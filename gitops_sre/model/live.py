"""Is *this* commit running? What the cluster says, as nouns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops_sre.model.target import Source, WorkloadRef


@dataclass(frozen=True)
class SyncOperation:
    """An Argo CD sync operation: `phase` as Argo names it; revisions are commit SHAs."""

    phase: str
    revisions: tuple[str, ...]
    finished_at: datetime | None
    message: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True)
class Sync:
    """A sync that went through. `revisions` are parallel to the Application's sources; `started_at` is None where it is
    not told (Argo CD before 2.3)."""

    revisions: tuple[str, ...]
    started_at: datetime | None
    finished_at: datetime


@dataclass(frozen=True)
class Application:
    """An Argo CD Application or a Flux Kustomization, raw payload turned into a noun at the door.

    `revisions` is `status.sync.revision(s)`, parallel to `sources`.
    """

    namespace: str
    name: str
    sources: tuple[Source, ...]
    destination_namespace: str
    sync_status: str
    revisions: tuple[str, ...]
    health: str
    reconciled_at: datetime | None
    """When Argo CD last compared and judged the health."""
    operation: SyncOperation | None
    auto_sync: bool
    images: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    healthy_since: datetime | None = None
    """When the health last changed; None where Argo CD does not say."""
    syncs: tuple[Sync, ...] = ()
    """The last syncs that went through, oldest first."""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Workload:
    """A running workload with its owner. `application` is `namespace/name` by the tracking id, or empty."""

    ref: WorkloadRef
    application: str
    images: tuple[str, ...]
    replicas: int
    ready: int
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Notice:
    """What stands at a commit on the forge: the latest commit status of one context, or the latest status of a
    deployment. `name` is the context or the environment; `link` leads to whoever said it; `said` is in their words."""

    commit: str
    kind: Literal["status", "deployment"]
    name: str
    state: Literal["success", "failure", "pending"]
    at: datetime
    said: str = ""
    link: str = ""


@dataclass(frozen=True)
class Live:
    """The commit (or a descendant that keeps its values) runs and is healthy since `at`."""

    at: datetime
    revision: str
    kind: Literal["live"] = "live"


@dataclass(frozen=True)
class Waiting:
    """Not yet: `on` names what is waited for (a sync window, auto-sync off, a rollout)."""

    on: str
    kind: Literal["waiting"] = "waiting"


@dataclass(frozen=True)
class NeverLive:
    """It will not get there by waiting: the sync failed for this commit, or a later commit changed the values."""

    reason: str
    kind: Literal["never-live"] = "never-live"


Liveness = Live | Waiting | NeverLive
