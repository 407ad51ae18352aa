"""Objects and rollouts over time, with a clock that the test moves."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.perception.changes import objects
from gitops_sre.sandbox.kubernetes import rollout as rollouts
from gitops_sre.sandbox.kubernetes.cluster import Cluster, InvalidError
from gitops_sre.sandbox.kubernetes.resources import Key
from gitops_sre.sandbox.kubernetes.rollout import Rollout
from tests.sandbox.conftest import Clock
from tests.sandbox.kubernetes.test_api import deployment

WEB = Key("Deployment", "staging", "web")


def shown(cluster: Cluster) -> Any:
    found = cluster.get(WEB)
    assert found is not None
    return found


def with_image(manifest: dict[str, Any], image: str) -> dict[str, Any]:
    changed = copy.deepcopy(manifest)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return changed


def test_applying_the_same_again_changes_nothing(clock: Clock) -> None:
    cluster = Cluster(clock)
    assert cluster.apply(deployment("web", "staging"))
    before = shown(cluster)
    assert not cluster.apply(deployment("web", "staging"))
    assert shown(cluster)["metadata"] == before["metadata"]


def test_a_label_alone_moves_the_resource_version_but_not_the_generation(clock: Clock) -> None:
    cluster = Cluster(clock)
    cluster.apply(deployment("web", "staging"), created=0.0)
    before = shown(cluster)["metadata"]
    changed = deployment("web", "staging")
    changed["metadata"]["labels"]["team"] = "edge"
    cluster.apply(changed)
    after = shown(cluster)["metadata"]
    assert after["generation"] == before["generation"]
    assert int(after["resourceVersion"]) > int(before["resourceVersion"])
    assert (after["uid"], after["creationTimestamp"]) == (before["uid"], before["creationTimestamp"])


def test_each_pod_template_keeps_a_replica_set_and_the_newest_has_the_highest_revision(clock: Clock) -> None:
    cluster = Cluster(clock)
    cluster.apply(deployment("web", "staging"), created=0.0)
    clock.at += 100
    cluster.apply(with_image(deployment("web", "staging"), "registry.example.com/shop/web:v2"))
    kept = [objects.replica_set(raw) for raw in cluster.objects("ReplicaSet")]
    assert [(each.workload.name, each.revision, each.images[0][-2:]) for each in kept if each] == [
        ("web", 1, ".0"),
        ("web", 2, "v2"),
    ]
    assert [each.created_at.timestamp() for each in kept if each] == [0, int(clock.at)]
    cluster.apply(deployment("web", "staging"))
    again = [objects.replica_set(raw) for raw in cluster.objects("ReplicaSet")]
    assert [(each.revision, each.created_at.timestamp()) for each in again if each] == [(2, int(clock.at)), (3, 0)]
    cluster.delete(WEB)
    assert cluster.objects("ReplicaSet") == []


def test_while_a_new_image_rolls_out_old_and_new_pods_stand_side_by_side(clock: Clock) -> None:
    cluster = Cluster(clock, rollout_seconds=10)
    cluster.apply(deployment("web", "staging", 4), created=0.0)
    cluster.apply(with_image(deployment("web", "staging", 4), "registry.example.com/shop/web:v2"))
    clock.at += 5
    images = [pod["spec"]["containers"][0]["image"] for pod in cluster.objects("Pod")]
    assert sorted(images) == ["registry.example.com/shop/web:v1.0.0"] * 2 + ["registry.example.com/shop/web:v2"] * 2
    assert len({pod["metadata"]["name"] for pod in cluster.objects("Pod")}) == 4
    assert cluster.rolling(WEB)
    clock.at += 5
    assert {pod["spec"]["containers"][0]["image"] for pod in cluster.objects("Pod")} == {images[0]}
    assert not cluster.rolling(WEB)
    assert cluster.running()["staging", "web"].image == "registry.example.com/shop/web:v2"


def test_scaling_adds_pods_over_time(clock: Clock) -> None:
    cluster = Cluster(clock, rollout_seconds=10)
    cluster.apply(deployment("web", "staging", 2), created=0.0)
    cluster.apply(deployment("web", "staging", 6))
    clock.at += 5
    assert cluster.running()["staging", "web"].ready == 4
    assert shown(cluster)["status"]["unavailableReplicas"] == 2
    clock.at += 5
    assert cluster.running()["staging", "web"].ready == 6


@given(
    wanted=st.integers(1, 40),
    before=st.integers(0, 40),
    share=st.floats(0, 1),
    same_template=st.booleans(),
)
def test_a_rolling_update_never_shows_impossible_numbers(
    wanted: int, before: int, share: float, same_template: bool
) -> None:
    spec = {"replicas": wanted, "template": {"image": "new"}}
    old = {"replicas": before, "template": {"image": "new" if same_template else "old"}}
    pods = rollouts.pods_at(spec, Rollout(0.0, 1.0, old), share)
    assert min(pods.new, pods.old, pods.ready) >= 0
    assert pods.ready <= pods.new + pods.old
    if before >= wanted and not same_template:
        assert pods.ready >= 0.75 * wanted
    assert rollouts.pods_at(spec, Rollout(0.0, 1.0, old), 1.0) == rollouts.Pods(wanted, 0, wanted)


def test_what_the_api_server_would_refuse_is_refused(clock: Clock) -> None:
    cluster = Cluster(clock)
    cluster.apply(deployment("web", "staging"))
    with pytest.raises(InvalidError, match="greater than or equal to 0"):
        cluster.apply(deployment("web", "staging", -1))
    with pytest.raises(InvalidError, match=r"containers\[0\]\.image: Required"):
        cluster.apply(with_image(deployment("web", "staging"), ""))
    for without in ("selector", "template"):
        incomplete = deployment("web", "staging")
        del incomplete["spec"][without]
        with pytest.raises(InvalidError, match=rf"spec\.{without}.*: Required"):
            cluster.apply(incomplete)
    changed = deployment("web", "staging")
    changed["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = "other"
    with pytest.raises(InvalidError, match="immutable"):
        cluster.apply(changed)
    assert shown(cluster)["spec"] == deployment("web", "staging")["spec"]


def test_a_reader_cannot_change_what_is_stored(clock: Clock) -> None:
    cluster = Cluster(clock)
    cluster.apply(deployment("web", "staging"))
    shown(cluster)["spec"]["replicas"] = 99
    assert shown(cluster)["spec"]["replicas"] == 2
