"""The cluster and its Argo CD, read-only, through the official client. The only importer of `kubernetes`.

Only list verbs are ever sent: the bot holds no credential that could do more, and no code path that would.
"""

from __future__ import annotations

import posixpath
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from gitops_sre.model.live import Application, SyncOperation, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source, SourceKind, WorkloadRef
from gitops_sre.settings import KubernetesSettings

TRACKING = "argocd.argoproj.io/tracking-id"
INSTANCE = "app.kubernetes.io/instance"
PAGE = 500

KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}

Raw = Mapping[str, Any]
"""An object as the API server sends it; it goes no further than this module."""

_KINDS: Mapping[str, SourceKind] = {"Helm": "helm", "Kustomize": "kustomize", "Directory": "directory"}

_REMEDY = {
    401: "; the token is missing or has expired",
    403: "; grant list on it to the bot's service account (get and list are all it needs)",
    404: "; is Argo CD installed, and kubernetes.argocd_namespace right?",
}


class KubernetesCluster:
    """ports.Cluster over one cluster."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._api: Any = None
        self._lock = threading.Lock()

    def applications(self) -> tuple[Application, ...] | Unavailable:
        """Every Argo CD Application of the configured namespace."""
        items = self._list("argoproj.io", "v1alpha1", "applications", self._settings.argocd_namespace)
        if isinstance(items, Unavailable):
            return items
        return tuple(app for app in map(application, items) if app is not None)

    def workloads(self, namespace: str = "") -> tuple[Workload, ...] | Unavailable:
        """Deployments, StatefulSets and DaemonSets."""
        found: list[Workload] = []
        for kind, plural in KINDS.items():
            items = self._list("apps", "v1", plural, namespace)
            if isinstance(items, Unavailable):
                return items
            read = (workload(kind, item, self._settings.argocd_namespace) for item in items)
            found += [each for each in read if each is not None]
        return tuple(found)

    def _list(self, group: str, version: str, plural: str, namespace: str) -> tuple[Raw, ...] | Unavailable:
        """All pages of a collection; the generic list call of the client serves every group."""
        # Imported here: the client takes a second to load, and not every command asks the cluster.
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
        from kubernetes.config import ConfigException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415
        from yaml import YAMLError  # noqa: PLC0415

        try:
            api = self._connected()
        except (ConfigException, OSError, YAMLError, TypeError, ValueError) as error:
            # The client reads a kubeconfig as it comes: what is not one ends in any of these.
            return Unavailable(f"no access to a cluster ({error}); set kubernetes.kubeconfig or run in the cluster")
        try:
            return tuple(self._pages(api, group, version, plural, namespace))
        except ApiException as error:
            return Unavailable(f"list {plural}: {error.status} {error.reason}{_REMEDY.get(error.status, '')}")
        except HTTPError as error:
            return Unavailable(f"list {plural}: no answer ({type(error).__name__}); is the API server reachable?")
        except OSError as error:
            return Unavailable(f"list {plural}: {error}; is the API server reachable?")

    def _pages(self, api: Any, group: str, version: str, plural: str, namespace: str) -> Iterator[Raw]:
        more: dict[str, Any] = {"limit": PAGE, "_request_timeout": self._settings.timeout}
        while True:
            if namespace:
                answer = api.list_namespaced_custom_object(group, version, namespace, plural, **more)
            else:
                answer = api.list_cluster_custom_object(group, version, plural, **more)
            yield from _maps(answer, "items")
            more["_continue"] = _text(answer, "metadata", "continue")
            if not more["_continue"]:
                return

    def _connected(self) -> Any:
        with self._lock:
            if self._api is None:
                from kubernetes import client, config  # noqa: PLC0415 - see _list

                made = client.Configuration()
                if self._settings.kubeconfig is not None or self._settings.context:
                    file = str(self._settings.kubeconfig) if self._settings.kubeconfig else None
                    config.load_kube_config(file, self._settings.context or None, client_configuration=made)
                else:
                    try:
                        config.load_incluster_config(client_configuration=made)
                    except config.ConfigException:
                        config.load_kube_config(client_configuration=made)
                made.retries = False
                self._api = client.CustomObjectsApi(client.ApiClient(made))
            return self._api


def application(raw: Raw) -> Application | None:
    """An Application at the door; None when it has no name or no source."""
    spec, status = _map(raw, "spec"), _map(raw, "status")
    name = _text(raw, "metadata", "name")
    namespace = _text(spec, "destination", "namespace")
    written = _maps(spec, "sources") or ([_map(spec, "source")] if _map(spec, "source") else [])
    if not name or not written:
        return None
    kinds = [_text(status, "sourceType")] if "sources" not in spec else list(status.get("sourceTypes") or [])
    references = {_text(each, "ref"): each for each in written if _text(each, "ref")}
    sources = tuple(
        _source(each, name, namespace, kinds[n] if n < len(kinds) else "", references) for n, each in enumerate(written)
    )
    return Application(
        namespace=_text(raw, "metadata", "namespace"),
        name=name,
        sources=sources,
        destination_namespace=namespace,
        sync_status=_text(status, "sync", "status") or "Unknown",
        revisions=_revisions(_map(status, "sync")),
        health=_text(status, "health", "status") or "Unknown",
        reconciled_at=_time(_text(status, "reconciledAt")),
        operation=_operation(_map(status, "operationState")),
        auto_sync=_automated(spec),
        images=tuple(str(image) for image in _map(status, "summary").get("images") or ()),
        history=tuple(_history(status)),
        conditions=tuple(_text(each, "message") for each in _maps(status, "conditions")),
    )


def _automated(spec: Raw) -> bool:
    automated = _map(spec, "syncPolicy").get("automated")
    return isinstance(automated, dict) and automated.get("enabled") is not False


def _source(raw: Raw, name: str, namespace: str, kind: str, references: Mapping[str, Raw]) -> Source:
    path = _text(raw, "path").strip("/")
    helm = _map(raw, "helm")
    return Source(
        repo_url=_text(raw, "repoURL"),
        path=path,
        revision=_text(raw, "targetRevision") or "HEAD",
        kind=_kind(raw, kind),
        value_files=tuple(_value_file(str(each), path, references) for each in helm.get("valueFiles") or ()),
        release_name=_text(helm, "releaseName") or name,
        namespace=namespace,
    )


def _kind(raw: Raw, said: str) -> SourceKind:
    """What renders the source: what Argo CD says it found, else what the specification shows."""
    found = _KINDS.get(said)
    if found is not None:
        return found
    if _text(raw, "chart") or _map(raw, "helm"):
        return "helm"
    if _map(raw, "kustomize"):
        return "kustomize"
    return "directory" if _map(raw, "directory") else "unknown"


def _value_file(written: str, path: str, references: Mapping[str, Raw]) -> str:
    """A value file as a path of its repository: relative to the source's path, from the root with a leading slash, or
    from a `$ref` source's root."""
    if written.startswith("$"):
        reference, _, rest = written[1:].partition("/")
        return posixpath.normpath(rest) if reference in references else written
    if written.startswith("/"):
        return posixpath.normpath(written.lstrip("/"))
    return posixpath.normpath(posixpath.join(path, written))


def _revisions(sync: Raw) -> tuple[str, ...]:
    several = sync.get("revisions")
    if isinstance(several, list):
        return tuple(str(each) for each in several)
    return (str(sync["revision"]),) if sync.get("revision") else ()


def _operation(raw: Raw) -> SyncOperation | None:
    if not raw:
        return None
    return SyncOperation(
        phase=_text(raw, "phase"),
        revisions=_revisions(_map(raw, "syncResult")),
        finished_at=_time(_text(raw, "finishedAt")),
        message=_text(raw, "message"),
    )


def _history(status: Raw) -> Iterator[tuple[str, datetime]]:
    for each in _maps(status, "history"):
        at = _time(_text(each, "deployedAt"))
        if at is not None:
            yield (_revisions(each) or ("",))[0], at


def workload(kind: str, raw: Raw, argocd_namespace: str) -> Workload | None:
    """A workload at the door; None when it has no name."""
    metadata, spec, status = _map(raw, "metadata"), _map(raw, "spec"), _map(raw, "status")
    name, namespace = _text(metadata, "name"), _text(metadata, "namespace")
    if not name:
        return None
    pod = _map(_map(spec, "template"), "spec")
    containers = [*_maps(pod, "initContainers"), *_maps(pod, "containers")]
    daemon = kind == "DaemonSet"
    labels = {str(key): str(value) for key, value in _map(metadata, "labels").items()}
    observed = status.get("observedGeneration") in (None, metadata.get("generation"))
    current = _number(status, "updatedNumberScheduled" if daemon else "updatedReplicas")
    ready = _number(status, "numberReady" if daemon else "readyReplicas")
    return Workload(
        ref=WorkloadRef(kind, namespace, name),
        application=_owner(metadata, labels, argocd_namespace),
        images=tuple(_text(container, "image") for container in containers),
        replicas=_number(status, "desiredNumberScheduled") if daemon else _number(spec, "replicas", 1),
        # A pod of the old template that is ready is not a ready pod of this one.
        ready=min(ready, current) if observed else 0,
        labels=tuple(sorted(labels.items())),
    )


def _owner(metadata: Raw, labels: Mapping[str, str], argocd_namespace: str) -> str:
    """`namespace/name` of the Application: by the tracking id (`app:group/Kind:namespace/name`, where `app` may be
    `appnamespace_app`), else by the instance label."""
    tracking = _text(_map(metadata, "annotations"), TRACKING)
    name = tracking.partition(":")[0] or labels.get(INSTANCE, "")
    if not name:
        return ""
    namespace, separator, rest = name.partition("_")
    return f"{namespace}/{rest}" if separator else f"{argocd_namespace}/{name}"


def _map(raw: Any, key: str) -> Raw:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _maps(raw: Any, key: str) -> list[Raw]:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _text(raw: Raw, *keys: str) -> str:
    for key in keys[:-1]:
        raw = _map(raw, key)
    value = raw.get(keys[-1])
    return value if isinstance(value, str) else ""


def _number(raw: Raw, key: str, default: int = 0) -> int:
    value = raw.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
