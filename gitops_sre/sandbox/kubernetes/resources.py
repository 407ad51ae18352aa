"""Which kinds of objects the API serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Manifest = dict[str, Any]
"""One Kubernetes object as JSON: its schema is the API's, so it stays free-form here."""


_NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
"""Fields of a core event in `events.k8s.io/v1`."""


@dataclass(frozen=True)
class Resource:
    """One kind of object. `plural` names it in paths."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As manifests spell it: `apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def shown(self, manifest: Manifest) -> Manifest:
        """An object as this version of the API has it. Only events are served in two."""
        if self.group != "events.k8s.io":
            return manifest
        renamed = {_NEW_NAMES.get(name, name): value for name, value in manifest.items()}
        return {**renamed, "apiVersion": self.api_version, "eventTime": None}


RESOURCES = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False),
    Resource("", "v1", "pods", "Pod"),
    Resource("", "v1", "events", "Event"),
    Resource("", "v1", "services", "Service"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("apps", "v1", "deployments", "Deployment"),
    Resource("apps", "v1", "replicasets", "ReplicaSet"),
    Resource("apps", "v1", "controllerrevisions", "ControllerRevision"),
    Resource("apps", "v1", "statefulsets", "StatefulSet"),
    Resource("apps", "v1", "daemonsets", "DaemonSet"),
    Resource("argoproj.io", "v1alpha1", "applications", "Application"),
    Resource("argoproj.io", "v1alpha1", "appprojects", "AppProject"),
    Resource("events.k8s.io", "v1", "events", "Event"),
)


@dataclass(frozen=True, order=True)
class Key:
    """An object's identity; `namespace` is empty for cluster-wide kinds."""

    kind: str
    namespace: str
    name: str


def key_of(manifest: Manifest) -> Key:
    """The identity of a manifest."""
    metadata = manifest["metadata"]
    return Key(manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def timestamp(at: float) -> str:
    """A Unix time as the API writes it: UTC, whole seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
