"""The cluster as the infra repository promises it: ports.Cluster where there is no way to the real one.

Applications are those that the files declare, of Argo CD (ApplicationSets expanded as far as files tell) and Flux's
Kustomizations; workloads are what these render at the tip of the branch. Whether any of it runs is not known here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gitops_sre.gitops.argocd.applications import applications
from gitops_sre.gitops.built import identity, part
from gitops_sre.gitops.declared import declared
from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.generated import rendering
from gitops_sre.gitops.rendered import objects
from gitops_sre.gitops.target import same_repository
from gitops_sre.model.grant import Rule
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import WorkloadRef
from gitops_sre.ports import Locator, Manifest, Renderer, Repository

OFF = "kubernetes.enabled is false; switch it on, on a machine that reaches the cluster, to have them"
"""Why there are none, and what to do."""
_GROUP = "kustomize.toolkit.fluxcd.io/"
_KINDS = ("Deployment", "StatefulSet", "DaemonSet")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    commit: str
    applications: tuple[Application, ...]
    workloads: tuple[Workload, ...]


class PromisedCluster:
    """ports.Cluster over one repository. What a commit promises is kept until the branch moves on. Safe for threads."""

    def __init__(
        self, repository: Repository, repository_url: str, renderer: Renderer, locator: Locator, argocd_namespace: str
    ) -> None:
        """`argocd_namespace` is where Applications are that name no namespace."""
        self._repository, self._url = repository, repository_url
        self._renderer, self._locator = renderer, locator
        self._namespace = argocd_namespace
        self._lock = threading.Lock()
        self._seen: _Seen | None = None

    def rules(self, namespaces: Sequence[str]) -> tuple[Rule, ...] | Unavailable:  # noqa: ARG002 - nobody is asked
        """There is no credential."""
        return ()

    def applications(self) -> tuple[Application, ...] | Unavailable:
        """What the files declare; of each, nothing is known that only the cluster could tell."""
        seen = self._look()
        return seen if isinstance(seen, Unavailable) else seen.applications

    def workloads(self, namespace: str = "") -> tuple[Workload, ...] | Unavailable:
        """What the Applications render. Of none is it known whether it is ready; what cannot be rendered is left out,
        which is logged."""
        seen = self._look()
        if isinstance(seen, Unavailable):
            return seen
        return tuple(each for each in seen.workloads if namespace in ("", each.ref.namespace))

    def versions(self, namespace: str = "") -> Unavailable:
        """Files keep no versions of pods."""
        return Unavailable(f"rollouts in {namespace or 'the cluster'} are not seen: {OFF}")

    def events(self, since: datetime, namespace: str = "") -> Unavailable:
        """Files hold no events."""
        return Unavailable(f"events in {namespace or 'the cluster'} since {since:%H:%M} are not seen: {OFF}")

    def _look(self) -> _Seen | Unavailable:
        head = self._repository.head()
        if isinstance(head, Unavailable):
            return head
        with self._lock:
            if self._seen is None or self._seen.commit != head:
                try:
                    found = (*self._of_argocd(head), *self._of_flux(head))
                    self._seen = _Seen(head, found, tuple(self._rendered(head, found)))
                except OSError as error:  # what a repository raises when git, its disk or its network fail
                    return Unavailable(f"the infra repository cannot be read: {error}")
            return self._seen

    def _of_argocd(self, commit: str) -> Iterator[Application]:
        for each in applications(AtCommit(self._repository, commit), (self._url,)):
            made = rendering(each) if each.complete else None
            if made is None:
                _log.warning("%s of %s is left out: not all of it is known without the cluster", each, each.file)
                continue
            namespace = each.namespace or self._namespace
            yield replace(each.as_application(), namespace=namespace, sources=made.sources)

    def _of_flux(self, commit: str) -> Iterator[Application]:
        """Kustomizations whose folder is in this repository."""
        repository = self._repository
        paths = repository.mentioning(commit, _GROUP)
        maps = repository.mentioning(commit, "kind: ConfigMap") if paths else ()
        for each in declared(AtCommit(repository, commit), paths, paths, maps):
            here = each.kind == "Kustomization" and not each.artifact
            sources = tuple(
                replace(source, repo_url=self._url)
                for source in each.sources
                if here and source.path and repository.files(commit, source.path)
            )
            if sources:
                namespace, _, name = each.key.partition("/")
                yield Application(
                    namespace, name, sources, sources[0].namespace, sync_status="Unknown", revisions=(),
                    health="Unknown", reconciled_at=None, operation=None, auto_sync=True,
                )  # fmt: skip

    def _rendered(self, commit: str, found: Iterable[Application]) -> Iterator[Workload]:
        ours = [
            (application, source)
            for application in found
            for source in application.sources
            if source.path and not source.chart and same_repository(source.repo_url, self._url)
        ]
        made = objects(self._repository, self._renderer, self._locator, commit, {source for _, source in ours})
        for application, source in ours:
            manifests = made[source]
            if isinstance(manifests, Unavailable):
                _log.warning("what %s applies is not known: %s", application.key, manifests.reason)
                continue
            namespace = source.namespace or application.destination_namespace
            yield from (_workload(each, namespace, application) for each in manifests if each.get("kind") in _KINDS)


def _workload(manifest: Manifest, namespace: str, application: Application) -> Workload:
    who = identity(manifest, namespace)
    replicas, labels = part(manifest, "spec", "replicas"), part(manifest, "metadata", "labels")
    pod = part(manifest, "spec", "template", "spec")
    containers = [*_maps(part(pod or {}, "initContainers")), *_maps(part(pod or {}, "containers"))]
    return Workload(
        WorkloadRef(who.kind, who.namespace, who.name),
        application.key,
        tuple(str(each.get("image") or "") for each in containers),
        replicas if isinstance(replicas, int) else 1,
        0,
        tuple(sorted((str(key), str(text)) for key, text in (labels or {}).items())),
    )


def _maps(value: object) -> list[Mapping[str, object]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
