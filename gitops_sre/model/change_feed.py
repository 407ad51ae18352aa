"""What changed in the infra repository lately, mapped to workloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ChangeKind = Literal["image", "config", "flag", "scale", "resources", "infrastructure", "other"]


@dataclass(frozen=True)
class FieldChange:
    """One scalar that a commit changed. `path` is the key path inside document number `document` of `file`;
    values are the scalars as YAML reads them, as text (None: the field is new or gone)."""

    file: str
    document: int
    path: tuple[str | int, ...]
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Commit:
    """One commit of the branch that the reconciler watches. `at` is the committer's time in UTC."""

    sha: str
    at: datetime
    author: str
    subject: str
    files: tuple[str, ...]
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileChange:
    """A file in a commit against its first parent: path and blob id before and after (empty: not there).

    `plain` is False when it is or was anything but a regular file (symlink, submodule) or its mode changed.
    """

    before_path: str
    after_path: str
    before_blob: str
    after_blob: str
    plain: bool = True


@dataclass(frozen=True)
class Revision:
    """A commit with what it did to some files."""

    commit: Commit
    changes: tuple[FileChange, ...]


@dataclass(frozen=True)
class RolloutStep:
    """One step of a rollout: how many replicas of each version there are after it. `at` and `done` in UTC."""

    at: datetime
    done: datetime
    before_replicas: int
    after_replicas: int
    new_pods: tuple[str, ...] = ()
    deleted_pods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rollout:
    """A service moving from one version to another in the cluster, as its controller or a rollout log tells it.

    `steps` are in order of time, at least one; `target_replicas` is how many the new version is to have in the end.
    """

    service: str
    environment: str
    before: str
    after: str
    steps: tuple[RolloutStep, ...]
    target_replicas: int = 0

    @property
    def at(self) -> datetime:
        """When the first pod of the new version was asked for."""
        return self.steps[0].at

    @property
    def key(self) -> str:
        """`service before->after`."""
        return f"{self.service} {self.before}->{self.after}"

    @property
    def complete(self) -> bool:
        """Whether no pod of the version before is left."""
        return self.steps[-1].before_replicas == 0


@dataclass(frozen=True)
class ChangeRecord:
    """A commit's effect on one workload (`service` in `environment`).

    `lead` is seconds from the change to the onset: positive when the change came first.
    """

    commit: Commit
    service: str
    environment: str
    kind: ChangeKind
    fields: tuple[FieldChange, ...]
    lead: float
    live: datetime | None = None
    """When the reconciler had really brought it to the cluster, where that is known."""
    rollout: Rollout | None = None
    """The pods that it replaced, where the cluster tells."""
