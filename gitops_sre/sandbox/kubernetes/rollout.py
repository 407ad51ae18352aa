"""What a Deployment's controller does, as a function of time: old pods out, new pods in, conditions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from gitops_sre.sandbox.kubernetes.resources import Manifest, timestamp

REVISION = "deployment.kubernetes.io/revision"
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
UNOBSERVED = 0.1
"""Share of a rollout during which the controller has not yet seen the new generation."""


@dataclass(frozen=True)
class Rollout:
    """A Deployment on its way from one spec to another. `began` is a Unix time; `before` is the spec it leaves."""

    began: float
    seconds: float
    before: Manifest | None

    def share(self, at: float) -> float:
        """How much of it is over, 0..1."""
        return 1.0 if self.seconds <= 0 else min(1.0, max(0.0, (at - self.began) / self.seconds))

    def observed(self, at: float) -> bool:
        """Whether the controller has seen the new generation."""
        return self.share(at) >= UNOBSERVED

    def done(self, at: float) -> bool:
        """Whether all pods are new and ready."""
        return self.share(at) >= 1.0


@dataclass(frozen=True)
class Pods:
    """How many pods of the new and of the old template run, and how many of all are ready."""

    new: int
    old: int
    ready: int


def pods_at(spec: Manifest, rollout: Rollout | None, at: float) -> Pods:
    """The pods of a Deployment; a rolling update keeps at least 75 % of the wanted replicas ready."""
    wanted = int(spec.get("replicas", 1))
    if rollout is None or rollout.done(at):
        return Pods(wanted, 0, wanted)
    share = rollout.share(at)
    before = int(rollout.before.get("replicas", 1)) if rollout.before else 0
    if rollout.before and rollout.before["template"] != spec["template"]:
        new = int(share * wanted)
        old = max(0, min(before, wanted - new))
        return Pods(new, old, max(new, wanted - wanted // 4) if old + new >= wanted else new + old)
    new = before + round((wanted - before) * share)
    return Pods(new, 0, new)


def status_at(deployment: Manifest, rollout: Rollout | None, at: float) -> Manifest:
    """The Deployment's `status` (the last one while the controller has not yet seen the generation)."""
    if rollout is not None and not rollout.observed(at):
        return dict(deployment.get("status") or {})
    spec = deployment["spec"]
    pods = pods_at(spec, rollout, at)
    wanted = int(spec.get("replicas", 1))
    status: Manifest = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": pods.new + pods.old,
        "updatedReplicas": pods.new,
        "readyReplicas": pods.ready,
        "availableReplicas": pods.ready,
        "conditions": _conditions(deployment, rollout, at),
    }
    if pods.ready < wanted:
        status["unavailableReplicas"] = wanted - pods.ready
    # The API leaves out counts that are zero.
    return {field: value for field, value in status.items() if value != 0}


def _conditions(deployment: Manifest, rollout: Rollout | None, at: float) -> list[Manifest]:
    name = f"{deployment['metadata']['name']}-{template_hash(deployment['spec'])}"
    done = rollout is None or rollout.done(at)
    moment = timestamp(rollout.began + rollout.seconds * (1.0 if done else 0.0) if rollout else at)
    created = deployment["metadata"]["creationTimestamp"]
    available = {
        "type": "Available",
        "status": "True",
        "reason": "MinimumReplicasAvailable",
        "message": "Deployment has minimum availability.",
        "lastTransitionTime": created,
        "lastUpdateTime": created,
    }
    progressing = {
        "type": "Progressing",
        "status": "True",
        "reason": "NewReplicaSetAvailable" if done else "ReplicaSetUpdated",
        "message": f'ReplicaSet "{name}" ' + ("has successfully progressed." if done else "is progressing."),
        "lastTransitionTime": created,
        "lastUpdateTime": moment,
    }
    return [available, progressing]


def template_hash(spec: Manifest) -> str:
    """Name part of the ReplicaSet and its pods: equal for equal pod templates."""
    digest = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()
    return _safe(digest[:10])


def _safe(text: str) -> str:
    """Letters and digits that form no words, as Kubernetes takes them (k8s.io/apimachinery/pkg/util/rand)."""
    return "".join(_SAFE[ord(each) % len(_SAFE)] for each in text)


def replica_sets(deployment: Manifest, kept: Sequence[Manifest], created: str) -> list[Manifest]:
    """The ReplicaSets that a Deployment has once its spec is this one: those it had, and one of its pod template, which
    has the highest revision. One that was there before keeps its age."""
    owner, spec = deployment["metadata"], deployment["spec"]
    name = f"{owner['name']}-{template_hash(spec)}"
    others = [each for each in kept if each["metadata"]["name"] != name]
    mine = next((each for each in kept if each["metadata"]["name"] == name), None)
    revisions = [int(each["metadata"]["annotations"][REVISION]) for each in others]
    born = created if mine is None else mine["metadata"]["creationTimestamp"]
    wanted = int(spec.get("replicas", 1))
    return [*others, _replica_set(owner, spec, name, born, 1 + max(revisions, default=0), wanted)]


def _replica_set(owner: Manifest, spec: Manifest, name: str, created: str, revision: int, wanted: int) -> Manifest:
    template = spec["template"]
    labels = {**template["metadata"].get("labels", {}), "pod-template-hash": template_hash(spec)}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": owner["name"], "uid": owner["uid"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": owner["namespace"],
            "uid": _uuid(hashlib.sha256(f"{owner['uid']}/{name}".encode()).hexdigest()),
            "resourceVersion": owner["resourceVersion"],
            "creationTimestamp": created,
            "labels": labels,
            "annotations": {REVISION: str(revision), "deployment.kubernetes.io/desired-replicas": str(wanted)},
            "ownerReferences": [{**reference, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": {"replicas": wanted, "selector": spec["selector"], "template": template},
    }


def pod_objects(deployment: Manifest, rollout: Rollout | None, at: float) -> list[Manifest]:
    """Every pod of a Deployment as the API shows it."""
    spec = deployment["spec"]
    counts = pods_at(spec, rollout, at)
    pods = [_pod(deployment, spec, number, at, ready=number < counts.ready) for number in range(counts.new)]
    if rollout and rollout.before:
        ready = counts.ready - counts.new
        pods += [_pod(deployment, rollout.before, number, at, ready=number < ready) for number in range(counts.old)]
    return pods


def _pod(deployment: Manifest, spec: Manifest, number: int, at: float, *, ready: bool) -> Manifest:
    owner = deployment["metadata"]
    replica_set = f"{owner['name']}-{template_hash(spec)}"
    suffix = hashlib.sha256(f"{owner['uid']}/{replica_set}/{number}".encode()).hexdigest()
    template = spec["template"]
    started = deployment["status"].get("conditions", [{}])[-1].get("lastUpdateTime", timestamp(at))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{replica_set}-{_safe(suffix[:5])}",
            "namespace": owner["namespace"],
            "uid": _uuid(suffix),
            "resourceVersion": owner["resourceVersion"],
            "creationTimestamp": started,
            "labels": {**template["metadata"].get("labels", {}), "pod-template-hash": template_hash(spec)},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": replica_set,
                    "uid": _uuid(hashlib.sha256(replica_set.encode()).hexdigest()),
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Running",
            "startTime": started,
            "conditions": [
                {"type": kind, "status": "True" if ready else "False", "lastTransitionTime": started}
                for kind in ("Ready", "ContainersReady")
            ],
            "containerStatuses": [
                _container(container, started, ready) for container in template["spec"]["containers"]
            ],
        },
    }


def _container(container: Manifest, started: str, ready: bool) -> Manifest:
    state = {"running": {"startedAt": started}} if ready else {"waiting": {"reason": "ContainerCreating"}}
    digest = hashlib.sha256(container["image"].encode()).hexdigest()
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": f"{container['image'].partition(':')[0]}@sha256:{digest}",
        "ready": ready,
        "started": ready,
        "restartCount": 0,
        "state": state,
    }


def _uuid(digest: str) -> str:
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
