"""Rollouts from what the cluster keeps, and whose work they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_sre.model.change_feed import ChangeKind, ChangeRecord, Commit, FieldChange, Pod, ReplicaSet, Rollout, Sides
from gitops_sre.model.change_feed import RolloutStep as Step
from gitops_sre.model.live import Workload
from gitops_sre.model.target import WorkloadRef
from gitops_sre.perception import rollouts
from gitops_sre.perception.changes import objects
from gitops_sre.sandbox.kubernetes import rollout as sandbox
from tests.builders import after

REF = WorkloadRef("Deployment", "prod", "cart")
SKEW = timedelta(seconds=30)
IMAGE = "registry.example.com/shop/cart"


def version(
    number: int, created: float, *, tag: str = "", replicas: int = 0, ref: WorkloadRef = REF, revision: int = 0
) -> ReplicaSet:
    images = (f"{IMAGE}:{tag or f'v{number}'}", "registry.example.com/proxy:v7")
    return ReplicaSet(ref, f"cart-{number}", f"{number}", after(created), revision or number, images, 3, replicas)


def pod(number: int, name: str, created: float, ready: float | None = None, gone: float | None = None) -> Pod:
    return Pod(
        "prod",
        f"cart-{number}-{name}",
        f"cart-{number}",
        f"{number}",
        after(created),
        None if ready is None else after(ready),
        None if gone is None else after(gone),
    )


def found(
    versions: Sequence[ReplicaSet], pods: Sequence[Pod] = (), *, since: float = -3600, now: float = 600
) -> tuple[Rollout, ...]:
    workload = Workload(versions[0].workload, "argocd/cart", versions[-1].images, 3, 3)
    return rollouts.from_workloads(
        [workload],
        versions,
        pods,
        since=after(since),
        now=after(now),
        service_of=lambda ref: ref.name,
        environment_of=str,
    )


def test_every_new_pod_is_a_step() -> None:
    pods = [pod(2, "c", 60), pod(2, "a", 1, 20), pod(2, "b", 30, 50), pod(1, "x", -900, -880)]
    (rollout,) = found([version(1, -9000, replicas=1), version(2, 0, replicas=3)], pods)
    assert (rollout.service, rollout.environment, rollout.before, rollout.after) == ("cart", "prod", "v1", "v2")
    assert rollout.image == IMAGE
    assert rollout.steps == (
        Step(after(0), after(20), 2, 1, ("cart-2-a",)),
        Step(after(30), after(50), 1, 2, ("cart-2-b",)),
        Step(after(60), after(600), 1, 3, ("cart-2-c",)),
    )
    assert (rollout.kept, rollout.complete, rollout.target_replicas) == (("cart-1-x",), False, 3)


def test_a_pod_beyond_what_was_wanted_replaced_a_lost_one() -> None:
    pods = [pod(2, name, at, at + 10) for name, at in (("a", 1), ("b", 20), ("c", 40), ("d", 300))]
    (rollout,) = found([version(1, -9000), version(2, 0, replicas=3)], pods)
    assert (len(rollout.steps), rollout.end, rollout.complete) == (3, after(50), True)
    assert rollout.age("cart-2-d") == "new"


def test_only_lately_counts_and_of_older_versions_only_the_beginning_is_known() -> None:
    versions = [version(1, -99000), version(2, -9000), version(3, -600), version(4, 0)]
    pods = [pod(4, "a", 1, 9)]
    assert [(each.before, each.after, each.at) for each in found(versions, pods)] == [
        ("v2", "v3", after(-600)),
        ("v3", "v4", after(0)),
    ]
    assert found(versions, pods)[0].steps == (Step(after(-600), after(-600), 0, 3),)


def test_a_rollout_back_is_dated_by_its_pods() -> None:
    versions = [version(1, -9000, revision=3, replicas=3), version(2, -600, revision=2)]
    back = found(versions, [pod(1, "new", 30, 40)])[-1]
    assert (back.before, back.after, back.at) == ("v2", "v1", after(30))
    assert [each.after for each in found(versions)] == []


def test_a_setting_that_changed_is_named_by_the_templates() -> None:
    (rollout,) = found([version(1, -9000, tag="v1"), version(2, 0, tag="v1")], [pod(2, "a", 1, 9)])
    assert (rollout.before, rollout.after, rollout.image) == ("1", "2", "")
    assert rollout.age("", "v1") == ""
    assert rollout.age("cart-1-gone") == "old"


def test_pods_that_leave_are_old_until_they_are_gone() -> None:
    pods = [pod(2, "a", 1, 20), pod(1, "x", -900, -880, gone=15), pod(1, "y", -900, -880)]
    (rollout,) = found([version(1, -9000, replicas=1), version(2, 0)], pods)
    assert rollout.pods_at(after(10)) == rollout.pods_at(after(19))
    assert rollout.pods_at(after(10)) == Sides(frozenset({"cart-2-a"}), frozenset({"cart-1-x", "cart-1-y"}))
    assert rollout.pods_at(after(-1)).new == frozenset()
    assert rollout.pods_at(after(25)).old == {"cart-1-y"}


def test_a_stateful_sets_pods_keep_their_names() -> None:
    ref = WorkloadRef("StatefulSet", "prod", "cart")
    versions = [
        replace(version(n, at, ref=ref), name=f"cart-{n}abc", template=f"cart-{n}abc") for n, at in ((1, -9000), (2, 0))
    ]
    pods = [
        Pod("prod", "cart-2", "cart", "cart-2abc", after(1), after(9)),
        Pod("prod", "cart-1", "cart", "cart-1abc", after(-900), after(-890)),
        Pod("other", "cart-1", "cart", "cart-2abc", after(1), after(9)),
    ]
    (rollout,) = found(versions, pods)
    assert [step.new_pods for step in rollout.steps] == [("cart-2",)]
    assert rollout.kept == ("cart-1",)
    both = replace(rollout, steps=(replace(rollout.steps[0], deleted_pods=("cart-2",)),))
    assert [both.age("cart-2", "", at) for at in (None, after(-5), after(5))] == ["", "old", "new"]


def meta(name: str, owner: str, kind: str, created: str, **labels: str) -> dict[str, object]:
    return {
        "name": name,
        "namespace": "prod",
        "creationTimestamp": created,
        "labels": {key.replace("_", "-"): value for key, value in labels.items()},
        "ownerReferences": [{"kind": "Node", "name": "x"}, {"kind": kind, "name": owner, "controller": True}],
    }


def test_replica_sets_at_the_door() -> None:
    metadata = meta("cart-7d9", "cart", "Deployment", "2026-03-01T12:00:00Z", pod_template_hash="7d9")
    annotations = {"deployment.kubernetes.io/revision": "12", "deployment.kubernetes.io/desired-replicas": "3"}
    raw = {
        "metadata": {**metadata, "annotations": annotations},
        "spec": {"template": {"spec": {"containers": [{"image": f"{IMAGE}:v2"}, {"name": "no image"}]}}},
        "status": {"replicas": 2},
    }
    assert objects.replica_set(raw) == ReplicaSet(REF, "cart-7d9", "7d9", after(0), 12, (f"{IMAGE}:v2",), 3, 2)


def test_controller_revisions_at_the_door() -> None:
    pods = {"spec": {"template": {"spec": {"containers": [{"image": f"{IMAGE}:v2"}]}}}}
    stateful = {"metadata": meta("db-6f", "db", "StatefulSet", "2026-03-01T12:00:00Z"), "revision": 4, "data": pods}
    daemon = {
        "metadata": meta("agent-6f", "agent", "DaemonSet", "2026-03-01T12:00:00Z", controller_revision_hash="6f"),
        "revision": 4,
        "data": pods,
    }
    read = [objects.controller_revision(raw) for raw in (stateful, daemon)]
    assert [(each.template, each.revision, each.images) for each in read if each] == [
        ("db-6f", 4, (f"{IMAGE}:v2",)),
        ("6f", 4, (f"{IMAGE}:v2",)),
    ]


def test_what_nobody_controls_is_none() -> None:
    bare = {"name": "cart-7d9", "namespace": "prod", "creationTimestamp": "2026-03-01T12:00:00Z"}
    for read in (objects.replica_set, objects.controller_revision, objects.pod):
        assert read({"metadata": bare}) is None
        assert read({}) is None
        assert read({"metadata": meta("", "cart", "Deployment", "never")}) is None


def test_pods_of_a_cluster_are_read() -> None:
    spec = {
        "replicas": 2,
        "template": {"metadata": {}, "spec": {"containers": [{"name": "app", "image": f"{IMAGE}:v2"}]}},
    }
    deployment = {
        "metadata": {"name": "cart", "namespace": "prod", "uid": "1", "resourceVersion": "1"},
        "spec": spec,
        "status": {"conditions": [{"lastUpdateTime": "2026-03-01T12:00:00Z"}]},
    }
    read = [objects.pod(raw) for raw in sandbox.pod_objects(deployment, None, 0.0)]
    owner = f"cart-{sandbox.template_hash(spec)}"
    assert [(each.owner, each.created_at, each.ready_at) for each in read if each] == [(owner, after(0), after(0))] * 2


def record(
    seconds: float, after_value: str = f"{IMAGE}:v2", kind: ChangeKind = "image", live: float | None = None
) -> ChangeRecord:
    commit = Commit("c" * 40, after(seconds), "alice", "Change", ("a.yaml",))
    field = FieldChange("a.yaml", 0, ("images", 0), "x", after_value)
    return ChangeRecord(commit, "cart", "prod", kind, (field,), 0.0, None if live is None else after(live))


def moved(at: float, version: str = "v2", image: str = IMAGE) -> Rollout:
    return Rollout("cart", "prod", "v1", version, (Step(after(at), after(at + 60), 0, 3),), 3, image)


def matched(record: ChangeRecord, *made: Rollout) -> Rollout | None:
    return rollouts.match([record], made, SKEW)[0].rollout


@pytest.mark.parametrize("value", [f"{IMAGE}:v2", "shop/cart:v2", "v2", f"{IMAGE}:v2@sha256:{'a' * 64}"])
def test_a_rollout_is_the_work_of_the_commit_that_named_its_image(value: str) -> None:
    assert matched(record(-90, value), moved(-80, "v3"), moved(0)) == moved(0)


@pytest.mark.parametrize(
    ("change", "made"),
    [
        (record(-90), moved(0, "v3")),
        (record(-90, f"{IMAGE}-worker:v2"), moved(0)),
        (record(60), moved(0)),
        (record(-90), replace(moved(0), service="web")),
        (record(-90), replace(moved(0), environment="dev")),
        (record(-90, "3", "scale"), moved(0, "5f", "")),
        (record(-90, "debug", "config"), moved(0)),
        (record(-9000, "debug", "config"), moved(0, "5f", "")),
        (record(-900, "debug", "config", live=-600), moved(0, "5f", "")),
        (record(-90, f"x@sha256:{'a' * 64}"), moved(0, f"sha256:{'b' * 64}", "")),
    ],
)
def test_a_rollout_that_does_not_fit_is_somebody_elses(change: ChangeRecord, made: Rollout) -> None:
    assert matched(change, made) is None


def test_settings_are_matched_by_time_and_images_however_late() -> None:
    assert matched(record(-90, "debug", "config"), moved(0, "5f", "")) is not None
    assert matched(record(-9000, "debug", "config", live=-60), moved(0, "5f", "")) is not None
    assert matched(record(-90000), moved(0)) is not None
    assert matched(record(20), moved(0)) is not None


def test_two_commits_may_have_made_one_rollout_and_the_first_rollout_counts() -> None:
    both = rollouts.match([record(-90), record(-80)], [moved(600), moved(0)], SKEW)
    assert [each.rollout for each in both] == [moved(0), moved(0)]


def test_versions_tell_the_side_where_pods_do_not() -> None:
    rollout = moved(0)
    assert rollouts.ages(rollout, [("", "v1"), ("", "v2"), ("", "")]) == ("old", "new", "")
    assert rollouts.ages(rollout, [("", "1.0.9"), ("", "v2")]) == ("old", "new")
    assert rollouts.ages(rollout, [("", "1.0.9"), ("", "1.0.8"), ("", "v2")]) == ("", "", "new")


def test_a_version_that_nobody_names_is_told_by_when_it_appeared() -> None:
    seen = {"abc": after(-5000), "def": after(20), "ghi": after(9000)}
    assert rollouts.appeared(moved(0), seen, SKEW) == {"abc": "old", "def": "new", "ghi": ""}
