"""The cluster and its Argo CD, read-only, through the official client. The only importer of `kubernetes`.

Nothing is asked for but lists, and what its own credential may do: there is no code path that would change anything.
"""

from __future__ import annotations

import logging
import posixpath
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import yaml

from gitops_sre.adapters.kubernetes.rules import rules
from gitops_sre.gitops.declared import argo_source, flux_source
from gitops_sre.gitops.tracking import TRACKING, owner
from gitops_sre.model.change_feed import ReplicaSet
from gitops_sre.model.grant import Rule
from gitops_sre.model.live import Application, Sync, SyncOperation, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source, SourceKind, WorkloadRef
from gitops_sre.model.telemetry import ClusterEvent
from gitops_sre.perception.changes import flux
from gitops_sre.perception.changes.objects import controller_revision, replica_set
from gitops_sre.perception.changes.payload import part as _map
from gitops_sre.perception.changes.payload import parts
from gitops_sre.perception.changes.payload import text as _text
from gitops_sre.perception.events import event
from gitops_sre.settings import KubernetesSettings

FLUX = {"kustomize.toolkit.fluxcd.io": "kustomizations", "source.toolkit.fluxcd.io": "gitrepositories"}
PAGE = 500
PAGES = 200
"""Pages of one list; a list that does not end by then is given up."""
EVENT_PAGES = 4
"""The same for events, which nobody limits: where there are more warnings than that, all is in trouble."""

KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}

VERSIONS = {"replicasets": replica_set, "controllerrevisions": controller_revision}

Raw = Mapping[str, Any]
"""An object as the API server sends it; it goes no further than this module."""

Noun = TypeVar("Noun", Application, Workload)

_KINDS: Mapping[str, SourceKind] = {"Helm": "helm", "Kustomize": "kustomize", "Directory": "directory"}

_OVERRIDES = (
    ("helm", "parameters"),
    ("helm", "fileParameters"),
    ("helm", "values"),
    ("helm", "valuesObject"),
    ("kustomize", "images"),
    ("kustomize", "replicas"),
    ("kustomize", "patches"),
    ("kustomize", "components"),
)
"""Fields of an Application's source that beat what the repository's files say."""

_REMEDY = {
    401: "; the token is missing or has expired",
    403: "; grant list on it to the bot's service account (get and list are all it needs)",
    404: "; is Argo CD installed, and kubernetes.argocd_namespace right?",
}

_NO_LIST = "the answer is no list of objects; is this the address of an API server?"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Closed(Unavailable):
    """The cluster has no such kind, or the bot may not list it."""

    status: int = 0


class KubernetesCluster:
    """ports.Cluster over one cluster."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._api: Any = None
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def applications(self) -> tuple[Application, ...] | Unavailable:
        """Every Argo CD Application of the configured namespace, with what may hold its sync back among its
        conditions, and every Kustomization of Flux whose source is a GitRepository."""
        items = self._list("argoproj.io", "v1alpha1", "applications", self._settings.argocd_namespace)
        absent = isinstance(items, _Closed) and items.status == 404  # then Flux's own may be all that there is
        if isinstance(items, Unavailable) and not absent:
            return items
        kustomizations = self._of_flux()
        if isinstance(kustomizations, Unavailable):
            return kustomizations
        if isinstance(items, Unavailable):
            return kustomizations or items
        windows = self._windows() if any(_waits(item) for item in items) else {}
        return (*self._kept("Application", items, lambda item: application(item, windows)), *kustomizations)

    def _of_flux(self) -> tuple[Application, ...] | Unavailable:
        """None where there is no Flux, or it may not be read: then Argo CD's are all that is known."""
        found: list[tuple[Raw, ...]] = []
        for group, plural in FLUX.items():
            items = self._list(group, "v1", plural, "")
            if isinstance(items, _Closed):
                _log.info("Flux is not asked: %s", items.reason)
            if isinstance(items, _Closed) or items == ():
                return ()
            if isinstance(items, Unavailable):
                return items
            found.append(items)
        said = {f"{_text(each, 'metadata', 'namespace')}/{_text(each, 'metadata', 'name')}": each for each in found[0]}
        return tuple(
            replace(each, sources=tuple(flux_source(said[each.key], source) for source in each.sources))
            for each in flux.applications(*found)
        )

    def workloads(self, namespace: str = "") -> tuple[Workload, ...] | Unavailable:
        """Deployments, StatefulSets and DaemonSets."""
        found: list[Workload] = []
        for kind, plural in KINDS.items():
            items = self._list("apps", "v1", plural, namespace)
            if isinstance(items, Unavailable):
                return items
            found += self._kept(kind, items, partial(workload, kind, argocd_namespace=self._settings.argocd_namespace))
        return tuple(found)

    def versions(self, namespace: str = "") -> tuple[ReplicaSet, ...] | Unavailable:
        """ReplicaSets of Deployments, ControllerRevisions of StatefulSets and DaemonSets."""
        found: list[ReplicaSet] = []
        for plural, read in VERSIONS.items():
            items = self._list("apps", "v1", plural, namespace)
            if isinstance(items, Unavailable):
                return items
            # What belongs to no workload is none of its versions.
            found += (version for version in map(read, items) if version is not None)
        return tuple(found)

    def events(self, since: datetime, namespace: str = "") -> tuple[ClusterEvent, ...] | Unavailable:
        """Events of type Warning."""
        chosen = {"field_selector": "type=Warning"}
        items = self._list("events.k8s.io", "v1", "events", namespace, EVENT_PAGES, chosen)
        if isinstance(items, Unavailable):
            return items
        return tuple(each for each in map(event, items) if each is not None and each.last >= since)

    def _kept(self, kind: str, items: Sequence[Raw], read: Callable[[Raw], Noun | None]) -> Iterator[Noun]:
        """The objects as nouns. One that is none is left out, which is said once."""
        for item in items:
            noun = read(item)
            if noun is not None:
                yield noun
                continue
            name = f"{kind} {_text(item, 'metadata', 'namespace')}/{_text(item, 'metadata', 'name')}"
            if name not in self._told:
                self._told.add(name)
                _log.warning("%s is left out: it has no name, or no source", name)

    def rules(self, namespaces: Sequence[str]) -> tuple[Rule, ...] | Unavailable:
        """What this credential may do, as the cluster's authorization tells it."""
        api = self._connected()
        return api if isinstance(api, Unavailable) else rules(api, namespaces, self._settings.timeout)

    def _windows(self) -> Mapping[str, Sequence[Raw]]:
        """Sync windows by project. Asked only where they explain something; without leave to read them nothing is
        explained, and nothing else changes."""
        projects = self._list("argoproj.io", "v1alpha1", "appprojects", self._settings.argocd_namespace)
        if isinstance(projects, Unavailable):
            _log.info("sync windows are not known: %s", projects.reason)
            return {}
        return {_text(each, "metadata", "name"): _maps(_map(each, "spec"), "syncWindows") for each in projects}

    def _list(
        self,
        group: str,
        version: str,
        plural: str,
        namespace: str,
        pages: int = 0,
        chosen: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Raw, ...] | Unavailable:
        """All pages of a collection, `pages` at most (0: PAGES), or those of its objects that are `chosen` by a
        selector; the generic list call of the client serves every group."""
        api = self._connected()
        if isinstance(api, Unavailable):
            return api
        # Imported here: the client takes a second to load, and not every command asks the cluster.
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            return tuple(self._pages(api, group, version, plural, namespace, pages or PAGES, chosen))
        except ApiException as error:
            if error.status == 401:
                self._api = None  # the next look reads its credentials anew
            why = " ".join(f"{error.status or ''} {error.reason}".split())[:200]
            reason = f"list {plural}: {why}{_REMEDY.get(error.status, '')}"
            return _Closed(reason, status=error.status) if error.status in (403, 404) else Unavailable(reason)
        except HTTPError as error:
            return Unavailable(f"list {plural}: no answer ({type(error).__name__}); is the API server reachable?")
        except OSError as error:
            return Unavailable(f"list {plural}: {error}")
        except ValueError:  # the client's, on what is no JSON
            return Unavailable(f"list {plural}: {_NO_LIST}")

    def _pages(
        self, api: Any, group: str, version: str, plural: str, namespace: str, pages: int, chosen: Mapping[str, str]
    ) -> Iterator[Raw]:
        more: dict[str, Any] = {"limit": PAGE, "_request_timeout": self._settings.timeout, **chosen}
        for _ in range(pages):
            if namespace:
                answer = api.list_namespaced_custom_object(group, version, namespace, plural, **more)
            else:
                answer = api.list_cluster_custom_object(group, version, plural, **more)
            # What is no list must not look like an empty cluster.
            if not isinstance(answer, Mapping) or not isinstance(answer.get("items", ""), list | None):
                raise OSError(_NO_LIST)
            yield from _maps(answer, "items")
            more["_continue"] = _text(answer, "metadata", "continue")
            if not more["_continue"]:
                return
        raise OSError(f"it does not end after {pages} pages of {PAGE}")

    def _connected(self) -> Any:
        """The client, made once; Unavailable where there is no cluster to talk to."""
        with self._lock:
            if self._api is None:
                from kubernetes.config import ConfigException  # noqa: PLC0415 - see _list

                try:
                    self._api = self._connect()
                except (ConfigException, OSError) as error:
                    why = str(error)
                except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
                    # The client trusts the file's form; these are what it raises where the form is another.
                    why = f"the kubeconfig is malformed: {type(error).__name__}"
                if self._api is None:
                    text = " ".join(why.split())[:200]
                    return Unavailable(f"no access to a cluster ({text}); set kubernetes.kubeconfig or run in one")
            return self._api

    def _connect(self) -> Any:
        from kubernetes import client, config  # noqa: PLC0415 - see _list

        made = client.Configuration()
        context = self._settings.context or None
        if self._settings.kubeconfig is not None or context:
            file = str(self._settings.kubeconfig) if self._settings.kubeconfig else None
            config.load_kube_config(file, context, client_configuration=made, persist_config=False)
        else:
            try:
                config.load_incluster_config(client_configuration=made)
            except config.ConfigException:
                config.load_kube_config(client_configuration=made, persist_config=False)
        made.retries = False
        return client.CustomObjectsApi(client.ApiClient(made))


def application(raw: Raw, windows: Mapping[str, Sequence[Raw]] | None = None) -> Application | None:
    """An Application at the door; None when it has no name or no source. `windows` are sync windows by project."""
    spec, status = _map(raw, "spec"), _map(raw, "status")
    name = _text(raw, "metadata", "name")
    namespace = _text(spec, "destination", "namespace")
    written = _maps(spec, "sources") or ([_map(spec, "source")] if _map(spec, "source") else [])
    if not name or not written:
        return None
    kinds = _texts(status, "sourceTypes") if _maps(spec, "sources") else (_text(status, "sourceType"),)
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
        healthy_since=_time(_text(status, "health", "lastTransitionTime")),
        operation=_operation(_map(status, "operationState")),
        auto_sync=_automated(spec),
        images=_texts(_map(status, "summary"), "images"),
        syncs=tuple(_syncs(status)),
        conditions=(
            *(_text(each, "message") or _text(each, "type") for each in _maps(status, "conditions")),
            *(_held_back(raw, windows or {}) if _waits(raw) else ()),
        ),
    )


def _waits(raw: Raw) -> bool:
    """Whether Argo CD would sync by itself and has not: a sync window may be why. Its status does not say."""
    return _text(raw, "status", "sync", "status") == "OutOfSync" and _automated(_map(raw, "spec"))


def _held_back(raw: Raw, windows: Mapping[str, Sequence[Raw]]) -> Iterator[str]:
    """The sync windows of its project that an Application matches (by any of their lists of globs, as Argo CD does)."""
    destination = _map(_map(raw, "spec"), "destination")
    project = _text(raw, "spec", "project") or "default"
    for window in windows.get(project, ()):
        told = (
            ("applications", (_text(raw, "metadata", "name"),)),
            ("namespaces", (_text(destination, "namespace"),)),
            ("clusters", (_text(destination, "server"), _text(destination, "name"))),
        )
        if any(
            fnmatchcase(name, glob) for key, names in told for name in names if name for glob in _texts(window, key)
        ):
            when = f"{_text(window, 'schedule')} for {_text(window, 'duration')}"
            yield f"a sync window of project {project} may hold it back ({_text(window, 'kind')} {when})"


def _automated(spec: Raw) -> bool:
    automated = _map(spec, "syncPolicy").get("automated")
    return isinstance(automated, dict) and automated.get("enabled") is not False


def _source(raw: Raw, name: str, namespace: str, kind: str, references: Mapping[str, Raw]) -> Source:
    """A source as the cluster holds it; the root of the repository is `.`, no path is the empty text."""
    return replace(
        argo_source(raw, name, namespace),
        path=posixpath.normpath(written) if (written := _text(raw, "path").strip("/")) else "",
        kind=_kind(raw, kind),
        value_files=tuple(_value_file(each, raw, references) for each in _texts(_map(raw, "helm"), "valueFiles")),
        overrides=tuple(".".join(keys) for keys in _OVERRIDES if _map(raw, keys[0]).get(keys[1])),
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


def _value_file(written: str, source: Raw, references: Mapping[str, Raw]) -> str:
    """A value file as a path of its source's repository: relative to the source's path, from the root with a leading
    slash, or from the root of a `$ref` source of the same repository. A URL, and what stands in another repository,
    stays as it is written: no path of this one."""
    if "://" in written:
        return written
    if written.startswith("$"):
        reference, _, rest = written.partition("/")
        there = references.get(reference[1:])
        if there is None or _text(there, "repoURL") not in ("", _text(source, "repoURL")):
            return written
        return posixpath.normpath(rest)
    if written.startswith("/"):
        return posixpath.normpath(written.lstrip("/"))
    return posixpath.normpath(posixpath.join(_text(source, "path").strip("/"), written))


def _revisions(sync: Raw) -> tuple[str, ...]:
    """The revision of each source, in their order; empty where there is none."""
    several = sync.get("revisions")
    if isinstance(several, list) and several:
        return tuple(each if isinstance(each, str) else "" for each in several)
    return (_text(sync, "revision"),) if _text(sync, "revision") else ()


def _operation(raw: Raw) -> SyncOperation | None:
    if not raw:
        return None
    return SyncOperation(
        phase=_text(raw, "phase"),
        revisions=_revisions(_map(raw, "syncResult")),
        finished_at=_time(_text(raw, "finishedAt")),
        message=_text(raw, "message"),
        started_at=_time(_text(raw, "startedAt")),
    )


def _syncs(status: Raw) -> Iterator[Sync]:
    for each in _maps(status, "history"):
        at = _time(_text(each, "deployedAt"))
        if at is not None:
            yield Sync(_revisions(each) or ("",), _time(_text(each, "deployStartedAt")), at)


def workload(kind: str, raw: Raw, argocd_namespace: str) -> Workload | None:
    """A workload at the door; None when it has no name."""
    metadata, spec, status = _map(raw, "metadata"), _map(raw, "spec"), _map(raw, "status")
    name, namespace = _text(metadata, "name"), _text(metadata, "namespace")
    if not name:
        return None
    pod = _map(_map(spec, "template"), "spec")
    containers = [*_maps(pod, "initContainers"), *_maps(pod, "containers")]
    labels = {str(key): str(value) for key, value in _map(metadata, "labels").items()}
    ref = WorkloadRef(kind, namespace, name)
    return Workload(
        ref=ref,
        application=owner(_text(metadata, "annotations", TRACKING), ref, labels, argocd_namespace),
        images=tuple(_text(container, "image") for container in containers),
        replicas=_number(status, "desiredNumberScheduled") if kind == "DaemonSet" else _number(spec, "replicas", 1),
        ready=_ready(kind, metadata, status),
        labels=tuple(sorted(labels.items())),
    )


def _ready(kind: str, metadata: Raw, status: Raw) -> int:
    """Ready pods of the present template. The status counts ready pods of any template: those that are left of an old
    one may all be among them, as `kubectl rollout status` takes care of too."""
    names = ("readyReplicas", "updatedReplicas", "replicas")
    if kind == "DaemonSet":
        names = ("numberReady", "updatedNumberScheduled", "currentNumberScheduled")
    ready, current, every = (_number(status, name) for name in names)
    if status.get("observedGeneration") not in (None, metadata.get("generation")):
        return 0
    return max(0, min(current, ready - max(0, every - current)))


def _maps(raw: Any, key: str) -> list[Raw]:
    return list(parts(raw, key))


def _texts(raw: Any, key: str) -> tuple[str, ...]:
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _number(raw: Raw, key: str, default: int = 0) -> int:
    value = raw.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
