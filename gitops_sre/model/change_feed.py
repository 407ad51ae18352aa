"""What changed in the infra repository lately, mapped to workloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops_sre.model.target import WorkloadRef

ChangeKind = Literal["image", "config", "flag", "scale", "resources", "infrastructure", "other"]


@dataclass(frozen=True)
class FieldChange:
    """One scalar that a commit changed. `path` is the key path inside document number `document` of `file`;
    values are the scalars as YAML reads them, as text (None: the field is new or gone). `kind` is what the field is
    about; `name` what a setting is called where its path only counts (`literals[1]`, `env[2].value`)."""

    file: str
    document: int
    path: tuple[str | int, ...]
    before: str | None
    after: str | None
    kind: ChangeKind = "other"
    name: str = ""


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
class ReplicaSet:
    """One version of a workload's pod template, as the cluster keeps it: a ReplicaSet of a Deployment or an Argo
    Rollout, a ControllerRevision of a StatefulSet or a DaemonSet.

    `template` is its hash on the pods' labels, `revision` the number that the controller counts up with each rollout,
    `desired` how many replicas the workload was to have when this version was last scaled (0: not told), `replicas` how
    many there are. `images` are those of its containers, in their order.
    """

    workload: WorkloadRef
    name: str
    template: str
    created_at: datetime
    revision: int
    images: tuple[str, ...]
    desired: int = 0
    replicas: int = 0


@dataclass(frozen=True)
class Pod:
    """A pod. `owner` is the name of its ReplicaSet, StatefulSet or DaemonSet; `ready_at` is None while it is not ready,
    `deleted_at` while nobody wants it gone."""

    namespace: str
    name: str
    owner: str
    template: str
    created_at: datetime
    ready_at: datetime | None = None
    deleted_at: datetime | None = None


Age = Literal["new", "old", ""]
"""On which side of a rollout a pod is; empty where nothing tells."""


@dataclass(frozen=True)
class Sides:
    """Names of the pods of the new and of the old version at a moment, as far as they are known."""

    new: frozenset[str]
    old: frozenset[str]


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
    image: str = ""
    """The name of the image that moved from one version to the other; empty where none did (a setting) or it is not
    known."""
    kept: tuple[str, ...] = ()
    """Pods of the version before that the last step has left."""
    owners: tuple[str, str] = ("", "")
    """Names of the ReplicaSets before and after, with which their pods' names begin; empty where there are none. They
    tell the side of pods that are long gone and live on in metrics only."""

    @property
    def at(self) -> datetime:
        """When the first pod of the new version was asked for."""
        return self.steps[0].at

    @property
    def end(self) -> datetime:
        """When the last step that is known was done."""
        return max(step.done for step in self.steps)

    @property
    def key(self) -> str:
        """`service before->after`."""
        return f"{self.service} {self.before}->{self.after}"

    @property
    def complete(self) -> bool:
        """Whether no pod of the version before is left."""
        return self.steps[-1].before_replicas == 0

    def under_way(self, at: datetime) -> bool:
        """Whether pods of both versions may be there at a moment: the first step has begun and the last one is not
        done, or it has left pods of the version before."""
        return self.at <= at and (at <= self.end or not self.complete)

    def share(self, at: datetime) -> float:
        """Which part of the replicas is of the new version at a moment, 0..1, by the last step that had begun."""
        begun = [step for step in self.steps if step.at <= at]
        if not begun:
            return 0.0
        after, before = begun[-1].after_replicas, begun[-1].before_replicas
        return after / (after + before) if after + before else 1.0

    def pods_at(self, at: datetime) -> Sides:
        """The pods that are named, by side. A new pod counts from its step's beginning, an old one until its step is
        done: for a while both are there."""
        new = {pod for step in self.steps if step.at <= at for pod in step.new_pods}
        old = {pod for step in self.steps if at < step.done for pod in step.deleted_pods}
        return Sides(frozenset(new), frozenset(old | set(self.kept)))

    def age(self, pod: str, version: str = "", at: datetime | None = None) -> Age:
        """The side of a pod, or of a series that bears a version.

        What the rollout says of the pod's name counts before a label, which may stay the same (a setting changed). A
        name that both versions had, as in a StatefulSet, is on one side or the other by the moment `at`.
        """
        if pod and (found := self._age_by_name(pod, at)):
            return found
        if version and self.before != self.after:
            return "new" if version == self.after else "old" if version == self.before else ""
        return ""

    def _age_by_name(self, pod: str, at: datetime | None) -> Age:
        created = next((step.at for step in self.steps if pod in step.new_pods), None)
        deleted = pod in self.kept or any(pod in step.deleted_pods for step in self.steps)
        if created is not None and deleted:
            return "" if at is None else "new" if at >= created else "old"
        if created is not None or deleted:
            return "old" if deleted else "new"
        owner = pod.rpartition("-")[0]
        before, after = self.owners
        return "new" if owner and owner == after else "old" if owner and owner == before else ""


@dataclass(frozen=True)
class ChangeRecord:
    """A commit's effect on one workload (`service` in `environment`).

    `lead` is seconds from the change to the onset: positive when the change came first. It is counted from `began`.
    """

    commit: Commit
    service: str
    environment: str
    kind: ChangeKind
    fields: tuple[FieldChange, ...]
    lead: float
    live: datetime | None = None
    """When the reconciler began to bring it to the cluster, where that is known."""
    rollout: Rollout | None = None
    """The pods that it replaced, where the cluster tells."""

    @property
    def began(self) -> datetime:
        """The earliest moment at which it can have had an effect, as well as that is known: when it went live, else
        when the first of the pods that it replaced was asked for, else its commit's own time."""
        return self.live or (self.rollout.at if self.rollout is not None else self.commit.at)


@dataclass(frozen=True)
class ChangeEvent:
    """A change that something other than the infra repository tells of: a GitHub deployment, a flag service.

    `subject` is what changed (the repository's name, the flag's key), `before` and `after` are versions or values,
    empty where it does not say. `revision` is the commit of the subject's own repository, or empty. No commit of ours
    made it, so none of ours undoes it. `failed` is set where it says that it did not go through.
    """

    source: str
    id: str
    at: datetime
    kind: ChangeKind
    subject: str
    environment: str
    before: str = ""
    after: str = ""
    author: str = ""
    url: str = ""
    revision: str = ""
    failed: bool = False
