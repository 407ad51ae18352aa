"""The cluster adapter against a real HTTP server: nouns at the door, reads only, and every failure a value."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import gitops_sre.adapters.kubernetes as adapter
from gitops_sre.adapters.kubernetes import KubernetesCluster, application, workload
from gitops_sre.model.live import Sync
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Parameter
from gitops_sre.settings import KubernetesSettings
from tests.receivers import web

SHA = "0123456789abcdef0123456789abcdef01234567"
INFRA = "https://git.example.com/acme/infra"


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
                "startedAt": "2026-03-01T12:00:01Z",
                "finishedAt": "2026-03-01T12:00:03Z",
                "syncResult": {"revision": SHA},
            },
            "sourceType": "Helm",
            "summary": {"images": ["web:v1"]},
            "history": [
                {"revision": SHA, "deployStartedAt": "2026-03-01T12:00:01Z", "deployedAt": "2026-03-01T12:00:03Z"},
                {"revision": None},
            ],
            "conditions": [{"type": "SyncError", "message": "blocked by sync window"}],
        },
    }
    return raw | changes


def several(*sources: dict[str, Any], **status: Any) -> dict[str, Any]:
    """An Application of several sources."""
    raw = argo()
    del raw["spec"]["source"]
    raw["spec"]["sources"] = list(sources)
    raw["status"] |= status
    return raw


def deployment(name: str = "web", tracking: str | None = None, **status: Any) -> dict[str, Any]:
    own = f"shop:apps/Deployment:production/{name}"
    return {
        "metadata": {
            "name": name,
            "namespace": "production",
            "generation": 3,
            "labels": {"app": name},
            "annotations": {"argocd.argoproj.io/tracking-id": own if tracking is None else tracking},
        },
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:v1"}]}}},
        "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2} | status,
    }


class Server:
    """A small API server that records what it is asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.tokens: list[str] = []
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.content_type = "application/json"
        self.hang = threading.Event()
        self.hanging = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                outer.requests.append((self.command, self.path))
                outer.tokens.append(self.headers.get("Authorization", ""))
                if outer.hanging:
                    outer.hang.wait(10)
                path = self.path.partition("?")[0]
                queue = outer.answers.get(path, [(200, {"items": []})])
                status, body = queue.pop(0) if len(queue) > 1 else queue[0]
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", outer.content_type)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.hang.set()
        if not self.thread.is_alive():
            return
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
PROJECTS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects"


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
    begun, ended = (datetime(2026, 3, 1, 12, 0, second, tzinfo=UTC) for second in (1, 3))
    assert (app.operation.started_at, app.operation.finished_at) == (begun, ended)
    assert app.syncs == (Sync((SHA,), begun, ended),)
    assert app.sources[0].kind == "helm"
    assert app.sources[0].value_files == ("charts/shop/values.yaml", "values/prod.yaml", "top.yaml")
    assert (app.sources[0].release_name, app.sources[0].path) == ("web", "charts/shop")
    assert app.conditions == ("blocked by sync window",)


def test_several_sources_and_revisions_stay_parallel() -> None:
    app = application(
        several(
            {"repoURL": INFRA, "path": "charts/web", "helm": {"valueFiles": ["$values/prod/web.yaml"]}},
            {"repoURL": INFRA, "ref": "values"},
            {"repoURL": "https://charts.example.com", "chart": "cache"},
            sync={"status": "OutOfSync", "revisions": [SHA, SHA, "1.2.3"]},
            operationState={"phase": "Failed", "syncResult": {"revisions": [SHA, None, "1.2.3"]}},
            sourceTypes=["Helm", "", "Helm"],
        )
    )
    assert app is not None
    assert app.revisions == (SHA, SHA, "1.2.3")
    assert app.operation is not None
    assert (app.operation.phase, app.operation.revisions) == ("Failed", (SHA, "", "1.2.3"))
    assert [source.kind for source in app.sources] == ["helm", "unknown", "helm"]
    assert app.sources[0].value_files == ("prod/web.yaml",)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("values.yaml", "charts/web/values.yaml"),
        ("./env/prod.yaml", "charts/web/env/prod.yaml"),
        ("../../values/prod.yaml", "values/prod.yaml"),
        ("/top.yaml", "top.yaml"),
        ("$ours/prod/../web.yaml", "web.yaml"),
        ("$theirs/web.yaml", "$theirs/web.yaml"),
        ("$nobody/web.yaml", "$nobody/web.yaml"),
        ("https://example.com/values.yaml", "https://example.com/values.yaml"),
    ],
)
def test_value_files_are_paths_of_the_repository_or_stay_as_they_are_written(written: str, read: str) -> None:
    app = application(
        several(
            {"repoURL": INFRA, "path": "./charts/web/", "helm": {"valueFiles": [written]}},
            {"repoURL": INFRA, "ref": "ours"},
            {"repoURL": "https://git.example.com/other/values", "ref": "theirs"},
        )
    )
    assert app is not None
    assert app.sources[0].path == "charts/web"
    assert app.sources[0].value_files == (read,)


@pytest.mark.parametrize(
    ("source", "said", "kind"),
    [
        ({"path": "x"}, "Kustomize", "kustomize"),
        ({"path": "x"}, "Directory", "directory"),
        ({"path": "x"}, "Plugin", "unknown"),
        ({"path": "x"}, None, "unknown"),
        ({"path": "x", "kustomize": {"images": ["web:v2"]}}, None, "kustomize"),
        ({"path": "x", "directory": {"recurse": True}}, None, "directory"),
        ({"path": "x", "helm": {"parameters": []}}, None, "helm"),
        ({"chart": "web"}, None, "helm"),
    ],
)
def test_what_renders_a_source_is_what_argo_says_else_what_the_specification_shows(
    source: dict[str, Any], said: str | None, kind: str
) -> None:
    raw = argo()
    raw["spec"]["source"] = {"repoURL": INFRA, **source}
    raw["status"]["sourceType"] = said
    app = application(raw)
    assert app is not None
    assert app.sources[0].kind == kind
    assert app.sources[0].release_name == "shop"


def test_a_source_at_the_root_of_the_repository_has_a_path_too() -> None:
    raw = argo()
    raw["spec"]["source"] = {"repoURL": INFRA, "path": "./"}
    app = application(raw)
    assert app is not None
    assert (app.sources[0].path, app.sources[0].revision) == (".", "HEAD")


@pytest.mark.parametrize(
    "status",
    [
        {"sync": None, "health": None, "summary": None, "history": None, "conditions": None, "operationState": None},
        {"sync": {"revisions": "x", "revision": 5}, "summary": {"images": "web"}, "sourceTypes": 7},
        {"history": [None, 3, {"deployedAt": "yesterday"}], "reconciledAt": "soon", "conditions": [None, {}]},
        {"operationState": {"phase": "Running", "syncResult": None, "finishedAt": None, "message": None}},
        {"sync": [], "health": "Healthy", "operationState": "none"},
    ],
)
def test_what_the_controller_has_not_written_or_written_otherwise_is_unknown_and_no_crash(
    status: dict[str, Any],
) -> None:
    app = application(argo(status=status))
    assert app is not None
    assert (app.revisions, app.health, app.syncs, app.images) == ((), "Unknown", (), ())


@pytest.mark.parametrize("path", ["spec", "status", "metadata"])
@given(junk=st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_whatever_stands_in_an_application_it_is_read_or_left_out(path: str, junk: object) -> None:
    known = ["source", "sources", "sync", "operationState", "name", "history", "helm", "valueFiles", "conditions"]
    for value in (junk, dict.fromkeys(known, junk), {key: dict.fromkeys(known, junk) for key in known}):
        raw = argo(**{path: value})
        found = application(raw)
        assert found is None or found.name
        workload("Deployment", deployment() | {path: value}, "argocd")


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


def test_what_the_application_sets_over_the_files_is_named() -> None:
    raw = argo()
    raw["spec"]["source"]["helm"]["parameters"] = [{"name": "image.tag", "value": "v3"}]
    raw["spec"]["source"]["helm"]["values"] = ""
    raw["spec"]["source"]["kustomize"] = {"images": ["web:v3"]}
    app = application(raw)
    assert app is not None
    assert app.sources[0].overrides == ("helm.parameters", "kustomize.images")
    assert app.sources[0].parameters == (Parameter("image.tag", "v3"),)


@pytest.mark.parametrize(
    ("said", "inline", "parameters"),
    [
        ({"helm": {"values": "a: 1"}}, ("a: 1",), ()),
        ({"helm": {"values": "a: 1", "valuesObject": {"b": 2}}}, ("b: 2\n",), ()),
        ({"helm": {"parameters": [{"name": "a", "value": "1", "forceString": True}]}},
         (), (Parameter("a", "1", as_text=True),)),
        ({"kustomize": {"images": ["web=shop/web:v3"]}},
         ("images:\n- name: web\n  newName: shop/web\n  newTag: v3\n",), ()),
        ({"kustomize": {"replicas": [{"name": "web", "count": "3"}]}}, ("replicas:\n- count: 3\n  name: web\n",), ()),
        ({"kustomize": {"commonLabels": {"a": "b"}, "labelWithoutSelector": True}},
         ("labels:\n- includeTemplates: false\n  pairs:\n    a: b\n",), ()),
        ({"kustomize": {"images": 5, "replicas": [None, {"count": "x"}]}},
         ("images: []\nreplicas:\n- count: x\n",), ()),
        ({"directory": {"recurse": True}}, (), ()),
    ],
)  # fmt: skip
def test_what_the_application_sets_is_read_to_be_rendered(
    said: dict[str, Any], inline: tuple[str, ...], parameters: tuple[Parameter, ...]
) -> None:
    raw = argo()
    raw["spec"]["source"] = {"repoURL": INFRA, "path": "x", **said}
    app = application(raw)
    assert app is not None
    (source,) = app.sources
    assert (source.inline, source.parameters) == (inline, parameters)
    assert source.recurse is ("directory" in said)
    assert source.without_values().inline == ()


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


def test_versions_of_workloads_are_listed_and_what_belongs_to_none_is_not(
    server: Server, cluster: KubernetesCluster
) -> None:
    owner = {"kind": "Deployment", "name": "web", "controller": True}
    metadata = {
        "name": "web-7d9",
        "namespace": "shop",
        "creationTimestamp": "2026-05-01T10:00:00Z",
        "labels": {"pod-template-hash": "7d9"},
        "annotations": {"deployment.kubernetes.io/revision": "3"},
    }
    made = {"metadata": {**metadata, "ownerReferences": [owner]}, "spec": {}}
    server.answers["/apis/apps/v1/namespaces/shop/replicasets"] = [(200, {"items": [made, {"metadata": metadata}]})]
    found = cluster.versions("shop")
    assert not isinstance(found, Unavailable)
    assert [(each.workload.name, each.name, each.revision) for each in found] == [("web", "web-7d9", 3)]
    asked = {path.partition("?")[0].rpartition("/")[2] for _, path in server.requests}
    assert asked == {"replicasets", "controllerrevisions"}


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({}, 2),
        ({"updatedReplicas": 1}, 1),
        ({"observedGeneration": 2}, 0),
        ({"observedGeneration": None}, 2),
        # One new pod is ready, the other is not, and an old one still answers in its place.
        ({"replicas": 3, "updatedReplicas": 2, "readyReplicas": 2}, 1),
        ({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2}, 0),
        ({"readyReplicas": None}, 0),
    ],
)
def test_ready_pods_of_an_old_template_do_not_count(status: dict[str, Any], ready: int) -> None:
    found = workload("Deployment", deployment(**status), "argocd")
    assert found is not None
    assert found.ready == ready


def test_a_daemon_set_counts_nodes() -> None:
    status = {"desiredNumberScheduled": 5, "currentNumberScheduled": 5, "updatedNumberScheduled": 3, "numberReady": 5}
    found = workload("DaemonSet", deployment() | {"status": status}, "argocd")
    assert found is not None
    assert (found.replicas, found.ready) == (5, 3)


@pytest.mark.parametrize(
    ("tracking", "owner"),
    [
        ("shop:apps/Deployment:production/web", "argocd/shop"),
        ("teams_shop:apps/Deployment:production/web", "teams/shop"),
        ("shop:example.com/Website:production/web", ""),
        ("shop:apps/Deployment:staging/web", ""),
        ("shop", ""),
    ],
)
def test_a_tracking_id_counts_for_the_object_that_it_names_alone(tracking: str, owner: str) -> None:
    raw = deployment(tracking=tracking)
    raw["metadata"]["labels"]["app.kubernetes.io/instance"] = "release"
    found = workload("Deployment", raw, "argocd")
    assert found is not None
    assert found.application == owner


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
    asked = [path.partition("?")[0] for _, path in server.requests]
    assert len(asked) == len(set(asked)) == (2 if status == 404 else 1)  # no storm of retries; 404: is there Flux?


def test_one_kind_that_may_not_be_listed_makes_the_workloads_unavailable_and_not_fewer(
    server: Server, cluster: KubernetesCluster
) -> None:
    server.answers["/apis/apps/v1/deployments"] = [(200, {"items": [deployment()]})]
    server.answers["/apis/apps/v1/statefulsets"] = [(403, {"kind": "Status"})]
    answer = cluster.workloads()
    assert isinstance(answer, Unavailable)
    assert "statefulsets" in answer.reason


def test_an_expired_token_is_read_again(server: Server, tmp_path: Path) -> None:
    path = kubeconfig(server, tmp_path)
    cluster = KubernetesCluster(KubernetesSettings(kubeconfig=path, timeout=1))
    server.answers[APPLICATIONS] = [(401, {}), (200, {"items": []})]
    assert isinstance(cluster.applications(), Unavailable)
    path.write_text(path.read_text().replace("reader", "renewed"))
    assert cluster.applications() == ()
    assert list(dict.fromkeys(server.tokens)) == ["Bearer reader", "Bearer renewed"]


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b"", b"[]", b'{"items": "none"}', b'"text"'])
def test_an_answer_that_is_no_list_is_not_an_empty_cluster(
    server: Server, cluster: KubernetesCluster, body: bytes
) -> None:
    server.answers[APPLICATIONS] = [(200, body)]
    answer = cluster.applications()
    assert isinstance(answer, Unavailable)
    assert "no list" in answer.reason


def test_a_page_for_people_is_not_an_empty_cluster(server: Server, cluster: KubernetesCluster) -> None:
    server.content_type = "text/html"
    server.answers[APPLICATIONS] = [(200, b"<html>Please log in</html>")]
    answer = cluster.applications()
    assert isinstance(answer, Unavailable)
    assert "no list" in answer.reason


def test_a_certificate_that_nobody_vouches_for_is_a_value(server: Server, tmp_path: Path) -> None:
    path = kubeconfig(server, tmp_path)
    path.write_text(path.read_text().replace("http://", "https://"))
    answer = KubernetesCluster(KubernetesSettings(kubeconfig=path, timeout=1)).applications()
    assert isinstance(answer, Unavailable)
    assert "SSLError" in answer.reason


def test_a_list_that_never_ends_is_given_up(
    server: Server, cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PAGES", 3)
    server.answers[APPLICATIONS] = [(200, {"metadata": {"continue": "more"}, "items": []})]
    answer = cluster.applications()
    assert isinstance(answer, Unavailable)
    assert "does not end" in answer.reason
    assert len(server.requests) == 3


EVENTS = "/apis/events.k8s.io/v1/namespaces/shop/events"


def warning(reason: str, last: str) -> dict[str, Any]:
    metadata = {"name": "web.1", "namespace": "shop", "creationTimestamp": "2026-03-01T11:00:00Z"}
    seen = {"count": 3, "lastObservedTime": last}
    return {"metadata": metadata, "regarding": {"kind": "Pod", "name": "web-0"}, "reason": reason, "series": seen}


def test_of_events_only_warnings_are_asked_for_and_those_since_a_moment_kept(
    server: Server, cluster: KubernetesCluster
) -> None:
    lately, old = warning("BackOff", "2026-03-01T12:00:00Z"), warning("Evicted", "2026-03-01T11:59:59Z")
    server.answers[EVENTS] = [(200, {"items": [lately, old, {"reason": "Odd"}]})]
    found = cluster.events(datetime(2026, 3, 1, 12, tzinfo=UTC), "shop")
    assert not isinstance(found, Unavailable)
    assert [(each.reason, each.name, each.count) for each in found] == [("BackOff", "web-0", 3)]
    ((_, path),) = server.requests
    assert "fieldSelector=type%3DWarning" in path


def test_a_storm_of_events_is_not_read_to_its_end(server: Server, cluster: KubernetesCluster) -> None:
    server.answers[EVENTS] = [(200, {"metadata": {"continue": "more"}, "items": []})]
    answer = cluster.events(datetime(2026, 3, 1, tzinfo=UTC), "shop")
    assert isinstance(answer, Unavailable)
    assert "list events: it does not end after 4 pages" in answer.reason


def test_without_leave_to_read_events_the_remedy_is_told(server: Server, cluster: KubernetesCluster) -> None:
    server.answers[EVENTS] = [(403, {"kind": "Status"})]
    answer = cluster.events(datetime(2026, 3, 1, tzinfo=UTC), "shop")
    assert isinstance(answer, Unavailable)
    assert "grant list on it" in answer.reason


def test_objects_that_are_none_are_left_out_and_named_once(
    server: Server, cluster: KubernetesCluster, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {"metadata": {"name": "broken", "namespace": "argocd"}, "spec": {}}
    server.answers[APPLICATIONS] = [(200, {"items": [broken, None, argo()]})]
    for _ in range(2):
        found = cluster.applications()
        assert not isinstance(found, Unavailable)
        assert [app.name for app in found] == ["shop"]
    assert [record.getMessage() for record in caplog.records] == [
        "Application argocd/broken is left out: it has no name, or no source"
    ]


WINDOWS = [
    {"kind": "deny", "schedule": "* * * * *", "duration": "24h", "applications": ["sh*"]},
    {"kind": "allow", "schedule": "0 9 * * *", "duration": "1h", "namespaces": ["prod*"], "clusters": None},
    {"kind": "deny", "schedule": "0 0 * * *", "duration": "2h", "applications": ["other"]},
]


def test_sync_windows_that_may_hold_a_sync_back_are_named(server: Server, cluster: KubernetesCluster) -> None:
    raw = argo()
    raw["status"] |= {"sync": {"status": "OutOfSync", "revision": SHA}, "conditions": []}
    server.answers[APPLICATIONS] = [(200, {"items": [raw]})]
    project = {"metadata": {"name": "default"}, "spec": {"syncWindows": WINDOWS}}
    server.answers[PROJECTS] = [(200, {"items": [project]})]
    found = cluster.applications()
    assert not isinstance(found, Unavailable)
    assert found[0].conditions == (
        "a sync window of project default may hold it back (deny * * * * * for 24h)",
        "a sync window of project default may hold it back (allow 0 9 * * * for 1h)",
    )


def test_without_leave_to_read_projects_everything_else_is_still_read(
    server: Server, cluster: KubernetesCluster
) -> None:
    raw = argo()
    raw["status"]["sync"]["status"] = "OutOfSync"
    server.answers[APPLICATIONS] = [(200, {"items": [raw]})]
    server.answers[PROJECTS] = [(403, {})]
    found = cluster.applications()
    assert not isinstance(found, Unavailable)
    assert found[0].conditions == ("blocked by sync window",)


def test_projects_are_not_asked_for_where_all_is_synced(server: Server, cluster: KubernetesCluster) -> None:
    server.answers[APPLICATIONS] = [(200, {"items": [argo()]})]
    cluster.applications()
    assert PROJECTS not in [path.partition("?")[0] for _, path in server.requests]


def test_a_server_that_hangs_is_given_up_in_time(server: Server, tmp_path: Path) -> None:
    server.hanging = True
    impatient = KubernetesCluster(KubernetesSettings(kubeconfig=kubeconfig(server, tmp_path), timeout=0.2))
    answer = impatient.applications()
    assert isinstance(answer, Unavailable)
    assert "no answer" in answer.reason


def test_a_server_that_is_gone_is_a_value(server: Server, tmp_path: Path) -> None:
    path = kubeconfig(server, tmp_path)
    server.close()
    assert isinstance(KubernetesCluster(KubernetesSettings(kubeconfig=path)).workloads(), Unavailable)


def test_no_cluster_at_all_is_a_value(tmp_path: Path) -> None:
    gone = KubernetesCluster(KubernetesSettings(kubeconfig=tmp_path / "none"))
    answer = gone.applications()
    assert isinstance(answer, Unavailable)
    assert "kubeconfig" in answer.reason


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "text", "{", "\x00", "clusters: 5", "contexts: [{}]\ncurrent-context: test",
        "current-context: test\ncontexts: [{name: test, context: {cluster: test}}]",
        "current-context: test\ncontexts: [{name: test, context: 7}]\nclusters: []\nusers: []",
        "current-context: a\ncontexts: [{name: a, context: {cluster: a}}]\nclusters: [{name: a, cluster: "
        "{server: 'http://127.0.0.1:1', certificate-authority-data: '%%%'}}]",
    ],
)  # fmt: skip
def test_a_kubeconfig_that_is_none_is_a_value_with_a_remedy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    answer = KubernetesCluster(KubernetesSettings(kubeconfig=path, timeout=1)).applications()
    assert isinstance(answer, Unavailable)
    assert "\n" not in answer.reason


def test_only_get_is_ever_sent(server: Server, cluster: KubernetesCluster) -> None:
    raw = argo()
    raw["status"]["sync"]["status"] = "OutOfSync"
    server.answers[APPLICATIONS] = [(200, {"metadata": {"continue": "more"}, "items": [raw]}), (200, {"items": []})]
    cluster.applications()
    cluster.workloads("production")
    cluster.workloads()
    cluster.versions()
    cluster.events(datetime(2026, 3, 1, tzinfo=UTC))
    assert {method for method, _ in server.requests} == {"GET"}
    assert len(server.requests) == 13


def test_the_adapter_names_no_call_of_the_client_that_writes() -> None:
    """The server above only sees what these tests lead to; the source shows that there is nothing else."""
    tree = ast.parse(Path(adapter.__file__).read_text())
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {name for name in called if name.endswith("_object")} == {
        "list_namespaced_custom_object",
        "list_cluster_custom_object",
    }
    assert not any(name.startswith(("create_", "patch_", "replace_", "delete_", "connect_")) for name in called)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with web() as elsewhere, web() as there:
        there.status, there.location = 307, f"{elsewhere.url}/stolen"
        file = tmp_path / "kubeconfig"
        file.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: one\n"
            f'clusters: [{{name: one, cluster: {{server: "{there.url}"}}}}]\n'
            "users: [{name: reader, user: {token: only-for-the-api-server}}]\n"
            "contexts: [{name: one, context: {cluster: one, user: reader}}]\n"
        )
        cluster = KubernetesCluster(KubernetesSettings(kubeconfig=file, timeout=5))
        assert isinstance(cluster.workloads(""), Unavailable)
        assert isinstance(cluster.rules(["default"]), Unavailable)
    assert there.got
    assert elsewhere.got == []
