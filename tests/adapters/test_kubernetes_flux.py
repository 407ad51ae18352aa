"""Flux in the cluster: its Kustomizations as Applications, and whether a commit is live by them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_sre.adapters.kubernetes import KubernetesCluster, workload
from gitops_sre.model.live import Application, Live, Liveness, NeverLive, Waiting
from gitops_sre.model.outcome import Unavailable
from gitops_sre.settings import KubernetesSettings
from gitops_sre.verification.live import Wanted, live
from tests.adapters.test_kubernetes import APPLICATIONS, Server, argo, kubeconfig
from tests.builders import after

URL = "https://git.example.com/acme/infra"
BEFORE, OURS, LATER = "0" * 40, "1" * 40, "2" * 40
HISTORY = [BEFORE, OURS, LATER]
IMAGE = "registry.example.com/web:v1"
KUSTOMIZATIONS = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"
REPOSITORIES = "/apis/source.toolkit.fluxcd.io/v1/gitrepositories"
REPOSITORY = {"metadata": {"name": "infra", "namespace": "flux-system"}, "spec": {"url": URL}}


def at(seconds: float) -> str:
    return after(seconds).isoformat().replace("+00:00", "Z")


def condition(kind: str, status: str = "True", reason: str = "ReconciliationSucceeded", message: str = "") -> Any:
    return {
        "type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 3,
        "lastTransitionTime": at(20),
    }  # fmt: skip


def kustomization(revision: str = OURS, *, attempted: str = "", spec: Any = None, **status: Any) -> dict[str, Any]:
    """A Kustomization as Flux 2.7 leaves it when a revision is applied."""
    return {
        "metadata": {"name": "web", "namespace": "flux-system", "generation": 3},
        "spec": {
            "interval": "10m", "path": "./apps/web/overlays/staging", "prune": True, "wait": True, "timeout": "2m",
            "sourceRef": {"kind": "GitRepository", "name": "infra"}, "targetNamespace": "staging",
            "images": [{"name": "web", "newTag": "v1"}],
            "postBuild": {"substitute": {"replicas": "2"}},
            **(spec or {}),
        },
        "status": {
            "conditions": [condition("Ready", message=f"Applied revision: main@sha1:{revision}")],
            "lastAppliedRevision": f"main@sha1:{revision}",
            "lastAttemptedRevision": f"main@sha1:{attempted or revision}",
            "observedGeneration": 3,
            **status,
        },
    }  # fmt: skip


def deployment(image: str = IMAGE, ready: int = 2) -> dict[str, Any]:
    labels = {"kustomize.toolkit.fluxcd.io/name": "web", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    return {
        "metadata": {"name": "web", "namespace": "staging", "labels": labels},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": image}]}}},
        "status": {"replicas": 2, "updatedReplicas": 2, "readyReplicas": ready},
    }


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    served.answers[REPOSITORIES] = [(200, {"items": [REPOSITORY]})]
    yield served
    served.close()


@pytest.fixture
def cluster(server: Server, tmp_path: Path) -> KubernetesCluster:
    return KubernetesCluster(KubernetesSettings(kubeconfig=kubeconfig(server, tmp_path), timeout=1))


def only(server: Server, cluster: KubernetesCluster, raw: dict[str, Any]) -> Application:
    server.answers[KUSTOMIZATIONS] = [(200, {"items": [raw]})]
    found = cluster.applications()
    assert isinstance(found, tuple), found
    (application,) = found
    return application


def seen(application: Application, running: dict[str, Any] | None = None) -> Liveness:
    there = workload("Deployment", running or deployment(), "argocd")

    def contains(descendant: str, ancestor: str) -> bool | Unavailable:
        return HISTORY.index(ancestor) <= HISTORY.index(descendant)

    return live(application, there, Wanted(OURS, application.sources[0], (IMAGE,)), contains)


def test_a_kustomization_is_an_application_with_what_it_sets_over_the_files(
    server: Server, cluster: KubernetesCluster
) -> None:
    web = only(server, cluster, kustomization())
    assert (web.key, web.destination_namespace, web.auto_sync) == ("flux-system/web", "staging", True)
    (source,) = web.sources
    assert (source.repo_url, source.path, source.kind) == (URL, "apps/web/overlays/staging", "kustomize")
    assert source.substitutions == (("replicas", "2"),)
    assert "newTag: v1" in source.inline[0]


def test_a_workload_names_its_kustomization_by_label() -> None:
    there = workload("Deployment", deployment(), "argocd")
    assert there is not None
    assert there.application == "flux-system/web"


def test_our_revision_applied_ready_and_running_is_live_since_it_was_ready(
    server: Server, cluster: KubernetesCluster
) -> None:
    assert seen(only(server, cluster, kustomization())) == Live(after(20), OURS)
    assert isinstance(seen(only(server, cluster, kustomization(LATER))), Live)


RECONCILING = condition("Reconciling", reason="Progressing")
UNKNOWN = condition("Ready", "Unknown", "Progressing", "Reconciliation in progress")
FAILED = condition("Ready", "False", "HealthCheckFailed", "health check failed after 2m0s: Deployment/staging/web")


@pytest.mark.parametrize(
    ("raw", "on"),
    [
        (kustomization(BEFORE), "to compare with 111111111111 (it is at 000000000000)"),
        (kustomization(BEFORE, attempted=OURS, conditions=[FAILED]), "health check failed after 2m0s"),
        (kustomization(BEFORE, spec={"suspend": True}), "it is suspended"),
        (kustomization(lastAppliedRevision=""), "for the first time"),
        (kustomization(attempted=LATER), "to sync (now OutOfSync)"),
        (kustomization(observedGeneration=2), "to sync (now OutOfSync)"),
        (kustomization(conditions=[condition("Ready"), RECONCILING]), "to sync (now OutOfSync)"),
        (kustomization(conditions=[UNKNOWN, RECONCILING]), "Reconciliation in progress"),
        (kustomization(conditions=[]), "to sync (now OutOfSync)"),
    ],
)
def test_everything_else_is_waited_for(
    server: Server, cluster: KubernetesCluster, raw: dict[str, Any], on: str
) -> None:
    found = seen(only(server, cluster, raw))
    assert isinstance(found, Waiting), found
    assert on in found.on


@pytest.mark.parametrize(
    ("running", "on"),
    [(deployment(ready=1), "1 of 2 ready"), (deployment("registry.example.com/web:v0"), "to be seen")],
)
def test_ready_without_the_pods_is_not_live(
    server: Server, cluster: KubernetesCluster, running: dict[str, Any], on: str
) -> None:
    found = seen(only(server, cluster, kustomization()), running)
    assert isinstance(found, Waiting)
    assert on in found.on


def test_a_later_revision_that_runs_another_image_takes_our_word_away(
    server: Server, cluster: KubernetesCluster
) -> None:
    other = deployment("registry.example.com/web:v2")
    assert isinstance(seen(only(server, cluster, kustomization(LATER)), other), NeverLive)


def test_beside_argo_cd_both_are_known(server: Server, cluster: KubernetesCluster) -> None:
    server.answers[APPLICATIONS] = [(200, {"items": [argo()]})]
    server.answers[KUSTOMIZATIONS] = [(200, {"items": [kustomization()]})]
    found = cluster.applications()
    assert isinstance(found, tuple)
    assert [each.key for each in found] == ["argocd/shop", "flux-system/web"]


def test_a_cluster_without_argo_cd_has_fluxs_own(server: Server, cluster: KubernetesCluster) -> None:
    server.answers[APPLICATIONS] = [(404, {})]
    assert only(server, cluster, kustomization()).key == "flux-system/web"


def test_without_either_the_remedy_for_argo_cd_stays(server: Server, cluster: KubernetesCluster) -> None:
    server.answers[APPLICATIONS] = [(404, {})]
    server.answers[KUSTOMIZATIONS] = [(404, {})]
    found = cluster.applications()
    assert isinstance(found, Unavailable)
    assert "is Argo CD installed" in found.reason


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("path", [KUSTOMIZATIONS, REPOSITORIES])
def test_what_of_flux_is_not_there_or_not_allowed_takes_nothing_from_argo_cd(
    server: Server, cluster: KubernetesCluster, status: int, path: str
) -> None:
    server.answers[APPLICATIONS] = [(200, {"items": [argo()]})]
    server.answers[KUSTOMIZATIONS] = [(200, {"items": [kustomization()]})]
    server.answers[path] = [(status, {})]
    found = cluster.applications()
    assert isinstance(found, tuple)
    assert [each.key for each in found] == ["argocd/shop"]


@pytest.mark.parametrize("path", [KUSTOMIZATIONS, REPOSITORIES])
def test_flux_that_does_not_answer_is_not_the_same_as_no_flux(
    server: Server, cluster: KubernetesCluster, path: str
) -> None:
    server.answers[KUSTOMIZATIONS] = [(200, {"items": [kustomization()]})]
    server.answers[path] = [(500, {})]
    assert isinstance(cluster.applications(), Unavailable)
