"""The cluster adapter against a real HTTP server: nouns at the door, reads only, and every failure a value."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_sre.adapters.kubernetes import KubernetesCluster, application, workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.settings import KubernetesSettings

SHA = "0123456789abcdef0123456789abcdef01234567"


def argo(**changes: Any) -> dict[str, Any]:
    """An Application as the API server sends it."""
    raw: dict[str, Any] = {
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {
            "source": {
                "repoURL": "https://git.example.com/acme/infra",
                "path": "charts/shop/",
                "targetRevision": "main",
                "helm": {"releaseName": "web", "valueFiles": ["values.yaml", "../../values/prod.yaml", "/top.yaml"]},
            },
            "destination": {"namespace": "production", "server": "https://kubernetes.default.svc"},
            "syncPolicy": {"automated": {"prune": True}},
        },
        "status": {
            "sync": {"status": "Synced", "revision": SHA},
            "health": {"status": "Healthy"},
            "reconciledAt": "2026-03-01T12:00:05Z",
            "operationState": {
                "phase": "Succeeded",
                "message": "ok",
                "finishedAt": "2026-03-01T12:00:03Z",
                "syncResult": {"revision": SHA},
            },
            "sourceType": "Helm",
            "summary": {"images": ["web:v1"]},
            "history": [{"revision": SHA, "deployedAt": "2026-03-01T12:00:03Z"}, {"revision": None}],
            "conditions": [{"type": "SyncError", "message": "blocked by sync window"}],
        },
    }
    return raw | changes


def deployment(name: str = "web", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "production",
            "generation": 3,
            "labels": {"app": name},
            "annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:production/web"},
        },
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:v1"}]}}},
        "status": {"observedGeneration": 3, "updatedReplicas": 2, "readyReplicas": 2} | status,
    }


class Server:
    """A small API server that records what it is asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.hang = threading.Event()
        self.hanging = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                outer.requests.append((self.command, self.path))
                if outer.hanging:
                    outer.hang.wait(10)
                path = self.path.partition("?")[0]
                queue = outer.answers.get(path, [(200, {"items": []})])
                status, body = queue.pop(0) if len(queue) > 1 else queue[0]
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.hang.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def cluster(server: Server, tmp_path: Path) -> KubernetesCluster:
    return KubernetesCluster(KubernetesSettings(kubeconfig=kubeconfig(server, tmp_path), timeout=1))


def kubeconfig(server: Server, folder: Path) -> Path:
    url = f"http://127.0.0.1:{server.http.server_address[1]}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": "reader"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def test_an_application_becomes_a_noun(server: Server, cluster: KubernetesCluster) -> None:
    server.answers[APPLICATIONS] = [(200, {"items": [argo()]})]
    found = cluster.applications()
    assert not isinstance(found, Unavailable)
    (app,) = found
    assert (app.key, app.sync_status, app.revisions, app.health) == ("argocd/shop", "Synced", (SHA,), "Healthy")
    assert app.auto_sync
    assert app.operation is not None
    assert app.operation.finished_at == datetime(2026, 3, 1, 12, 0, 3, tzinfo=UTC)
    assert app.sources[0].kind == "helm"
    assert app.sources[0].value_files == ("charts/shop/values.yaml", "values/prod.yaml", "top.yaml")
    assert (app.sources[0].release_name, app.sources[0].path) == ("web", "charts/shop")
    assert (len(app.history), app.conditions) == (1, ("blocked by sync window",))


def test_several_sources_and_revisions_stay_parallel() -> None:
    raw = argo()
    del raw["spec"]["source"]
    raw["spec"]["sources"] = [
        {"repoURL": "https://charts.example.com", "chart": "web", "helm": {"valueFiles": ["$values/prod/web.yaml"]}},
        {"repoURL": "https://git.example.com/acme/infra", "ref": "values"},
    ]
    raw["status"]["sync"] = {"status": "OutOfSync", "revisions": ["1.2.3", SHA]}
    app = application(raw)
    assert app is not None
    assert app.revisions == ("1.2.3", SHA)
    assert app.sources[0].value_files == ("prod/web.yaml",)
    assert app.sources[0].kind == "helm"


@pytest.mark.parametrize(
    "raw",
    [{}, {"metadata": None}, {"metadata": {"name": "x"}, "spec": {}}, {"metadata": {"name": "x"}, "spec": None}],
)
def test_an_object_without_name_or_source_is_left_out(raw: dict[str, Any]) -> None:
    assert application(raw) is None


def test_an_application_without_a_status_is_one_that_nothing_is_known_of() -> None:
    app = application(argo(status=None))
    assert app is not None
    assert (app.sync_status, app.health, app.revisions, app.operation) == ("Unknown", "Unknown", (), None)


def test_auto_sync_can_be_there_and_off() -> None:
    raw = argo()
    raw["spec"]["syncPolicy"] = {"automated": {"enabled": False}}
    app = application(raw)
    assert app is not None
    assert not app.auto_sync


def test_workloads_of_all_kinds_are_listed_page_by_page(server: Server, cluster: KubernetesCluster) -> None:
    first = {"metadata": {"continue": "more"}, "items": [deployment()]}
    server.answers["/apis/apps/v1/deployments"] = [(200, first), (200, {"items": [deployment("api")]})]
    found = cluster.workloads()
    assert not isinstance(found, Unavailable)
    assert [each.ref.name for each in found] == ["web", "api"]
    assert (found[0].application, found[0].images, found[0].ready) == ("argocd/shop", ("web:v1",), 2)
    asked = {path.partition("?")[0].rpartition("/")[2] for _, path in server.requests}
    assert asked == {"deployments", "statefulsets", "daemonsets"}


def test_ready_pods_of_an_old_template_do_not_count() -> None:
    rolling = workload("Deployment", deployment(updatedReplicas=1), "argocd")
    unseen = workload("Deployment", deployment(observedGeneration=2), "argocd")
    assert rolling is not None
    assert unseen is not None
    assert (rolling.ready, unseen.ready) == (1, 0)


def test_a_workload_may_name_its_application_by_label() -> None:
    raw = deployment()
    raw["metadata"]["annotations"] = None
    raw["metadata"]["labels"]["app.kubernetes.io/instance"] = "shop"
    found = workload("Deployment", raw, "argocd")
    assert found is not None
    assert found.application == "argocd/shop"


@pytest.mark.parametrize(("status", "remedy"), [(401, "token"), (403, "grant"), (404, "Argo CD"), (500, "500")])
def test_a_refusal_is_a_value_with_a_remedy(
    server: Server, cluster: KubernetesCluster, status: int, remedy: str
) -> None:
    server.answers[APPLICATIONS] = [(status, {"kind": "Status", "status": "Failure"})]
    answer = cluster.applications()
    assert isinstance(answer, Unavailable)
    assert remedy in answer.reason


def test_a_server_that_hangs_is_given_up_in_time(server: Server, cluster: KubernetesCluster) -> None:
    server.hanging = True
    assert isinstance(cluster.applications(), Unavailable)


def test_no_cluster_at_all_is_a_value(tmp_path: Path) -> None:
    gone = KubernetesCluster(KubernetesSettings(kubeconfig=tmp_path / "none"))
    answer = gone.applications()
    assert isinstance(answer, Unavailable)
    assert "kubeconfig" in answer.reason


@pytest.mark.parametrize("text", [b"{", b"[1, 2]", b"\xff\xfe", b"", b"clusters: 3"])
def test_a_file_that_is_no_kubeconfig_is_a_value(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config").write_bytes(text)
    answer = KubernetesCluster(KubernetesSettings(kubeconfig=tmp_path / "config")).workloads()
    assert isinstance(answer, Unavailable)
    assert "kubeconfig" in answer.reason


def test_only_get_is_ever_sent(server: Server, cluster: KubernetesCluster) -> None:
    cluster.applications()
    cluster.workloads("production")
    assert {method for method, _ in server.requests} == {"GET"}
