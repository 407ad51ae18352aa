"""The Kubernetes API through the official client: what a reader gets, and that nothing can be written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from gitops_sre.sandbox.kubernetes.api import KubernetesAPI
from gitops_sre.sandbox.kubernetes.cluster import Cluster
from gitops_sre.sandbox.kubernetes.resources import Key
from gitops_sre.sandbox.serving import Served

TOKEN = "a-reader"
ARGO = ("argoproj.io", "v1alpha1")


def deployment(name: str, namespace: str, replicas: int = 2) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": name, "tier": "backend" if namespace == "staging" else "edge"}
    container = {"name": name, "image": f"registry.example.com/shop/{name}:v1.0.0"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container]}},
        },
    }


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    cluster = Cluster(lambda: 1_795_000_000.0)
    for namespace in ("staging", "production"):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for name in ("web", "cart"):
            cluster.apply(deployment(name, namespace), created=1_794_000_000.0)
        cluster.put(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Application",
                "metadata": {"name": f"{namespace}-web", "namespace": "argocd", "labels": {"environment": namespace}},
                "spec": {"project": "default"},
                "status": {"sync": {"status": "Synced"}},
            }
        )
    cluster.record(Key("Deployment", "staging", "web"), "ScalingReplicaSet", "Scaled up", "deployment-controller")
    return cluster


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> KubernetesAPI:
    return KubernetesAPI(cluster, TOKEN)


@pytest.fixture(scope="module")
def url(api: KubernetesAPI) -> Iterator[str]:
    served = Served("test-kubernetes")
    served.start(api.app)
    yield served.url
    served.stop()


def connect(url: str, token: str) -> client.ApiClient:
    configuration = client.Configuration()
    configuration.host = url
    configuration.api_key = {"authorization": f"Bearer {token}"}
    return client.ApiClient(configuration)


@pytest.fixture
def reader(url: str) -> Iterator[client.ApiClient]:
    with connect(url, TOKEN) as connected:
        yield connected


# The client's own types make every field optional; what the tests look at is there or they fail.
@pytest.fixture
def apps(reader: client.ApiClient) -> Any:
    return client.AppsV1Api(reader)


@pytest.fixture
def core(reader: client.ApiClient) -> Any:
    return client.CoreV1Api(reader)


@pytest.fixture
def custom(reader: client.ApiClient) -> Any:
    return client.CustomObjectsApi(reader)


def names(found: Any) -> list[tuple[str, str]]:
    return [(item.metadata.namespace, item.metadata.name) for item in found.items]


def test_the_version_and_the_groups_are_told(apps: Any, reader: client.ApiClient) -> None:
    version, groups = client.VersionApi(reader).get_code(), client.ApisApi(reader).get_api_versions().groups
    assert version.major == "1"
    assert [group.name for group in groups] == ["apps", "argoproj.io", "events.k8s.io"]
    resources = apps.get_api_resources().resources
    assert {resource.kind for resource in resources} == {
        "Deployment",
        "ReplicaSet",
        "ControllerRevision",
        "StatefulSet",
        "DaemonSet",
    }
    assert all(resource.verbs == ["get", "list"] for resource in resources)


def test_deployments_are_listed_by_namespace_everywhere_and_by_label(apps: Any) -> None:
    assert names(apps.list_namespaced_deployment("staging")) == [("staging", "cart"), ("staging", "web")]
    assert len(names(apps.list_deployment_for_all_namespaces())) == 4
    chosen = apps.list_deployment_for_all_namespaces(label_selector="app.kubernetes.io/name=web,tier!=edge")
    assert names(chosen) == [("staging", "web")]
    chosen = apps.list_deployment_for_all_namespaces(label_selector="app.kubernetes.io/name in (cart, x),tier")
    assert names(chosen) == [("production", "cart"), ("staging", "cart")]
    assert names(apps.list_namespaced_stateful_set("staging")) == []


def test_a_deployment_has_the_shape_of_a_real_one(apps: Any) -> None:
    found = apps.read_namespaced_deployment("web", "staging")
    assert found.metadata.uid
    assert int(found.metadata.resource_version) > 0
    assert found.metadata.generation == found.status.observed_generation == 1
    assert found.metadata.creation_timestamp.timestamp() == 1_794_000_000.0
    assert found.status.ready_replicas == found.status.updated_replicas == found.spec.replicas == 2
    assert {condition.type for condition in found.status.conditions} == {"Available", "Progressing"}


def test_pods_belong_to_their_deployment(core: Any) -> None:
    pods = core.list_namespaced_pod("staging", label_selector="app.kubernetes.io/name=web").items
    assert len(pods) == 2
    assert len({pod.metadata.name for pod in pods}) == 2
    assert all(pod.metadata.owner_references[0].name.startswith("web-") for pod in pods)
    assert all(pod.status.container_statuses[0].ready for pod in pods)
    assert core.read_namespaced_pod(pods[0].metadata.name, "staging").metadata.uid == pods[0].metadata.uid


def test_events_are_selected_by_their_object(core: Any) -> None:
    chosen = core.list_namespaced_event("staging", field_selector="involvedObject.name=web,reason=ScalingReplicaSet")
    assert [event.message for event in chosen.items] == ["Scaled up"]
    assert core.list_namespaced_event("staging", field_selector="involvedObject.name=cart").items == []


def test_events_are_served_in_their_newer_form_too(custom: Any) -> None:
    chosen = custom.list_namespaced_custom_object(
        "events.k8s.io", "v1", "staging", "events", field_selector="reason=ScalingReplicaSet,type=Normal"
    )
    (found,) = chosen["items"]
    assert (found["note"], found["regarding"]["name"], found["deprecatedCount"]) == ("Scaled up", "web", 1)
    assert "message" not in found


def test_namespaces_are_listed(core: Any) -> None:
    found = core.list_namespace(limit=1)
    assert [item.metadata.name for item in found.items] == ["production"]
    more = core.list_namespace(limit=1, _continue=found.metadata._continue)
    assert [item.metadata.name for item in more.items] == ["staging"]
    assert more.metadata._continue is None


def test_applications_are_read_as_custom_objects(custom: Any) -> None:
    everywhere = custom.list_cluster_custom_object(*ARGO, "applications")
    assert [item["metadata"]["name"] for item in everywhere["items"]] == ["production-web", "staging-web"]
    one = custom.list_namespaced_custom_object(*ARGO, "argocd", "applications", label_selector="environment=staging")
    assert [item["metadata"]["name"] for item in one["items"]] == ["staging-web"]
    found = custom.get_namespaced_custom_object(*ARGO, "argocd", "applications", "staging-web")
    assert found["status"]["sync"]["status"] == "Synced"


def test_what_is_not_there_is_a_404_with_a_status(apps: Any) -> None:
    with pytest.raises(ApiException) as caught:
        apps.read_namespaced_deployment("nothing", "staging")
    assert caught.value.status == 404
    assert '"reason":"NotFound"' in str(caught.value.body)


def test_a_wrong_token_is_refused(url: str) -> None:
    for token in ("", "another", TOKEN + "x"):
        with connect(url, token) as stranger, pytest.raises(ApiException) as caught:
            client.AppsV1Api(stranger).list_deployment_for_all_namespaces()
        assert caught.value.status == 401


def test_what_the_reader_may_not_see_is_forbidden(core: Any) -> None:
    with pytest.raises(ApiException) as caught:
        core.list_namespaced_secret("staging")
    assert caught.value.status == 403


@pytest.mark.parametrize("selector", ["a in b", "a b", "=x"])
def test_a_selector_that_cannot_be_parsed_is_refused(apps: Any, selector: str) -> None:
    with pytest.raises(ApiException) as caught:
        apps.list_deployment_for_all_namespaces(label_selector=selector)
    assert caught.value.status == 400


def test_every_write_is_forbidden_recorded_and_without_effect(
    apps: Any, custom: Any, api: KubernetesAPI, cluster: Cluster
) -> None:
    before, seen = cluster.objects("Deployment"), len(api.writes)
    patch = {"spec": {"replicas": 9}}
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: apps.patch_namespaced_deployment("web", "staging", patch),
        lambda: apps.patch_namespaced_deployment_scale("web", "staging", patch),
        lambda: apps.replace_namespaced_deployment("web", "staging", deployment("web", "staging", 9)),
        lambda: apps.create_namespaced_deployment("staging", deployment("new", "staging")),
        lambda: apps.delete_namespaced_deployment("web", "staging"),
        lambda: apps.delete_collection_namespaced_deployment("staging"),
        lambda: custom.patch_namespaced_custom_object(*ARGO, "argocd", "applications", "staging-web", patch),
    )
    for attempt in attempts:
        with pytest.raises(ApiException) as caught:
            attempt()
        assert caught.value.status == 403
    methods = [write.method for write in api.writes[seen:]]
    assert methods == ["PATCH", "PATCH", "PUT", "POST", "DELETE", "DELETE", "PATCH"]
    assert api.writes[seen].path == "/apis/apps/v1/namespaces/staging/deployments/web"
    assert '"replicas": 9' in api.writes[seen].body
    assert cluster.objects("Deployment") == before
