"""Kubernetes objects that tell of rollouts, as nouns. What lacks what is needed is None.

Which labels, annotations and fields say what: Kubernetes' reference of well-known labels and annotations, and its
`apps/v1` and `v1` API reference.
"""

from __future__ import annotations

from gitops_sre.model.change_feed import Pod, ReplicaSet
from gitops_sre.model.target import WorkloadRef
from gitops_sre.perception.changes.payload import Raw, moment, number, part, parts, text

_HASHES = ("pod-template-hash", "rollouts-pod-template-hash", "controller-revision-hash")
_REVISIONS = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
_DESIRED = ("deployment.kubernetes.io/desired-replicas", "rollout.argoproj.io/desired-replicas")


def replica_set(raw: Raw) -> ReplicaSet | None:
    """A ReplicaSet that a Deployment or an Argo Rollout made."""
    metadata = part(raw, "metadata")
    name, template, created = text(metadata, "name"), _first(metadata, _HASHES), moment(metadata, "creationTimestamp")
    workload = _controller(metadata)
    if workload is None or not name or not template or created is None:
        return None
    annotations = part(metadata, "annotations")
    return ReplicaSet(
        workload=workload,
        name=name,
        template=template,
        created_at=created,
        revision=max(number(annotations, key) for key in _REVISIONS),
        images=_images(part(raw, "spec", "template", "spec")),
        desired=max(number(annotations, key) for key in _DESIRED),
        replicas=number(raw, "status", "replicas"),
    )


def controller_revision(raw: Raw) -> ReplicaSet | None:
    """A ControllerRevision of a StatefulSet or a DaemonSet. A StatefulSet's pods bear its whole name, a DaemonSet's
    the hash at its end. How many pods there are it does not say."""
    metadata = part(raw, "metadata")
    name, created, workload = text(metadata, "name"), moment(metadata, "creationTimestamp"), _controller(metadata)
    if workload is None or not name or created is None:
        return None
    return ReplicaSet(
        workload=workload,
        name=name,
        template=_first(metadata, _HASHES) or name,
        created_at=created,
        revision=number(raw, "revision"),
        images=_images(part(raw, "data", "spec", "template", "spec")),
    )


def pod(raw: Raw) -> Pod | None:
    """A pod that a controller made."""
    metadata = part(raw, "metadata")
    name, created, owner = text(metadata, "name"), moment(metadata, "creationTimestamp"), _controller(metadata)
    if owner is None or not name or created is None:
        return None
    ready = (each for each in parts(raw, "status", "conditions") if text(each, "type") == "Ready")
    ready_at = next((moment(each, "lastTransitionTime") for each in ready if text(each, "status") == "True"), None)
    return Pod(
        namespace=text(metadata, "namespace"),
        name=name,
        owner=owner.name,
        template=_first(metadata, _HASHES),
        created_at=created,
        ready_at=ready_at,
        deleted_at=moment(metadata, "deletionTimestamp"),
    )


def _controller(metadata: Raw) -> WorkloadRef | None:
    owners = (each for each in parts(metadata, "ownerReferences") if each.get("controller") is True)
    owner = next(owners, None)
    if owner is None or not text(owner, "name"):
        return None
    return WorkloadRef(text(owner, "kind"), text(metadata, "namespace"), text(owner, "name"))


def _first(metadata: Raw, labels: tuple[str, ...]) -> str:
    return next((value for label in labels if (value := text(metadata, "labels", label))), "")


def _images(spec: Raw) -> tuple[str, ...]:
    return tuple(
        image
        for kind in ("initContainers", "containers")
        for each in parts(spec, kind)
        if (image := text(each, "image"))
    )
