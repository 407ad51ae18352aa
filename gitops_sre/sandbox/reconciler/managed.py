"""One Application as the controller sees it, and the `status` that it shows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gitops_sre.sandbox.kubernetes.cluster import Cluster
from gitops_sre.sandbox.kubernetes.resources import Key, Manifest, key_of, timestamp
from gitops_sre.sandbox.reconciler.application import Spec

TRACKING = "argocd.argoproj.io/tracking-id"
KEPT_HISTORY = 10

Phase = Literal["Running", "Succeeded", "Failed"]


@dataclass(frozen=True)
class Operation:
    """A sync. Times are Unix seconds; `finished` is None while it runs."""

    revision: str
    started: float
    finished: float | None
    phase: Phase
    message: str


@dataclass(frozen=True)
class Deployed:
    """One entry of the history: a revision that was synced."""

    number: int
    revision: str
    started: float
    at: float


@dataclass
class Managed:
    """What the controller knows of one Application. Changed only by the controller's own thread."""

    spec: Spec
    inputs: frozenset[str] = frozenset()
    desired: tuple[Manifest, ...] = ()
    problem: str = ""
    """Why the source does not render; empty when it does."""
    revision: str = ""
    """The commit compared with last."""
    reconciled_at: float = 0.0
    sync: str = "Unknown"
    health: str = "Healthy"
    health_since: float = 0.0
    operation: Operation | None = None
    syncing: tuple[Manifest, ...] = ()
    """What the operation under way applies: the manifests of its own revision, though the branch may move on."""
    history: tuple[Deployed, ...] = ()
    failed: Operation | None = None
    """The last operation, when it failed: its revision is not tried again."""
    stale_until: float = 0.0
    live: frozenset[Key] = field(default_factory=frozenset)
    """Objects that the last sync left in the cluster."""
    notified: str = ""
    """The revision that was told of last."""

    @property
    def running(self) -> Operation | None:
        """The operation under way."""
        return self.operation if self.operation and self.operation.finished is None else None

    def status(self, cluster: Cluster) -> Manifest:
        """The Application's `status`, as Argo CD writes it."""
        status: Manifest = {
            "controllerNamespace": self.spec.namespace,
            "health": {"status": self.health, "lastTransitionTime": timestamp(self.health_since)},
            "history": [self._deployed(entry) for entry in self.history],
            "reconciledAt": timestamp(self.reconciled_at),
            "resources": [self._resource(manifest, cluster) for manifest in self.desired],
            "sourceType": self.spec.source.kind,
            "summary": {"images": self._images(cluster)},
            "sync": {"comparedTo": self._compared(), "revision": self.revision, "status": self.sync},
        }
        if self.operation:
            status["operationState"] = self._operation(self.operation)
        if conditions := self._conditions():
            status["conditions"] = conditions
        return status

    def _compared(self) -> Manifest:
        declared = self.spec.manifest["spec"]
        return {"source": declared["source"], "destination": declared["destination"]}

    def _deployed(self, entry: Deployed) -> Manifest:
        return {
            "id": entry.number,
            "revision": entry.revision,
            "deployStartedAt": timestamp(entry.started),
            "deployedAt": timestamp(entry.at),
            "initiatedBy": {"automated": True},
            "source": self.spec.manifest["spec"]["source"],
        }

    def _operation(self, operation: Operation) -> Manifest:
        result: Manifest = {"revision": operation.revision, "source": self.spec.manifest["spec"]["source"]}
        state: Manifest = {
            "operation": {
                "initiatedBy": {"automated": True},
                "retry": {},
                "sync": {"prune": True, "revision": operation.revision},
            },
            "phase": operation.phase,
            "message": operation.message,
            "startedAt": timestamp(operation.started),
            "syncResult": result,
        }
        if operation.finished is not None:
            state["finishedAt"] = timestamp(operation.finished)
        return state

    def _resource(self, manifest: Manifest, cluster: Cluster) -> Manifest:
        key = key_of(manifest)
        group, _, version = manifest["apiVersion"].rpartition("/")
        resource: Manifest = {
            "kind": key.kind,
            "name": key.name,
            "namespace": key.namespace,
            "version": version,
            "status": "Synced" if cluster.matches(manifest) else "OutOfSync",
        }
        if group:
            resource["group"] = group
        if key.kind in {"Deployment", "Service"}:
            resource["health"] = {"status": self.health if key.kind == "Deployment" else "Healthy"}
        return resource

    def _images(self, cluster: Cluster) -> list[str]:
        images: set[str] = set()
        for key in self.live:
            found = cluster.get(key) if key.kind == "Deployment" else None
            if found:
                images |= {container["image"] for container in found["spec"]["template"]["spec"]["containers"]}
        return sorted(images)

    def _conditions(self) -> list[Manifest]:
        conditions = []
        if self.problem:
            message = f"Failed to load target state: failed to generate manifest for source 1 of 1: {self.problem}"
            conditions.append(("ComparisonError", message, self.reconciled_at))
        if self.failed and self.failed.finished is not None:
            message = f"Failed last sync attempt to {self.failed.revision}: {self.failed.message}"
            conditions.append(("SyncError", message, self.failed.finished))
        return [
            {"type": kind, "message": message, "lastTransitionTime": timestamp(at)} for kind, message, at in conditions
        ]


def tracked(manifest: Manifest, application: str) -> Manifest:
    """The manifest with the annotation that says which Application it belongs to."""
    key = key_of(manifest)
    group = manifest["apiVersion"].rpartition("/")[0]
    identity = f"{application}:{group}/{key.kind}:{key.namespace}/{key.name}"
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), TRACKING: identity}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}
