"""Which kinds of objects the API serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Manifest = dict[str, Any]
"""One Kubernetes object as JSON: its schema is the API's, so it stays free-form here."""


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
