"""The reconciler against real commits, rendered by the real tools, with a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gitops_sre.sandbox.infra import edit, tree
from gitops_sre.sandbox.kubernetes.cluster import Cluster
from gitops_sre.sandbox.kubernetes.resources import Key, timestamp
from gitops_sre.sandbox.reconciler.controller import Knobs, Reconciler
from gitops_sre.sandbox.shop import BY_NAME
from tests.sandbox.conftest import Branch, Clock

pytestmark = pytest.mark.usefixtures("render_tools")

APPS = ("staging-catalog", "staging-checkout", "staging-shipping")


@dataclass
class Bench:
    """A reconciler that has followed the branch, and what the cluster shows."""

    branch: Branch
    clock: Clock
    cluster: Cluster
    reconciler: Reconciler

    @property
    def knobs(self) -> Knobs:
        return self.reconciler.knobs

    def pass_(self, seconds: float, step: float = 0.1) -> None:
        """Let time pass in small steps."""
        end = self.clock.at + seconds
        while self.clock.at < end:
            self.clock.at += step
            self.reconciler.step()

    def bump(self, service: str, tag: str) -> str:
        path = tree.image_path("staging", service)
        return self.branch.commit({path: edit.with_tag(self.branch.read(path), BY_NAME[service].image, tag)})

    def app(self, name: str) -> Any:
        found = self.cluster.get(Key("Application", "argocd", name))
        assert found is not None
        return found

    def status(self, name: str) -> Any:
        return self.app(name)["status"]

    def deployment(self, service: str) -> Any:
        found = self.cluster.get(Key("Deployment", "staging", service))
        assert found is not None
        return found


@pytest.fixture
def bench(branch: Branch, clock: Clock) -> Bench:
    cluster = Cluster(clock)
    reconciler = Reconciler(branch.repo.path, cluster, clock)
    reconciler.start()
    return Bench(branch, clock, cluster, reconciler)


def test_at_the_start_everything_has_been_synced_long_ago(bench: Bench) -> None:
    head = bench.branch.repo.ref("refs/heads/main")
    for name in APPS:
        status = bench.status(name)
        assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
        assert status["sync"]["revision"] == head
        assert status["operationState"]["phase"] == "Succeeded"
        assert status["operationState"]["finishedAt"] < status["reconciledAt"] == timestamp(bench.clock.at)
        assert "conditions" not in status


def test_the_history_lists_the_commits_that_changed_the_application(bench: Bench) -> None:
    entries = bench.status("staging-checkout")["history"]
    subjects = [bench.branch.repo.commit(entry["revision"]).message for entry in entries]
    assert subjects[1:] == ["Deploy checkout v2.13.1 to dev and staging", "Deploy checkout v2.14.0 to staging"]
    assert [entry["id"] for entry in entries] == [0, 1, 2]


def test_objects_name_the_application_that_owns_them(bench: Bench) -> None:
    annotations = bench.deployment("checkout")["metadata"]["annotations"]
    assert annotations["argocd.argoproj.io/tracking-id"] == "staging-checkout:apps/Deployment:staging/checkout"
    service = bench.cluster.get(Key("Service", "staging", "shipping"))
    assert service is not None
    tracking = service["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"]
    assert tracking == "staging-shipping:/Service:staging/shipping"


@pytest.mark.parametrize("service", ["checkout", "catalog", "shipping"])
def test_a_new_tag_is_compared_synced_rolled_out_and_healthy(bench: Bench, service: str) -> None:
    name, old = f"staging-{service}", bench.deployment(service)["metadata"]["generation"]
    sha = bench.bump(service, "v9.0.0")
    seen: list[tuple[str, str, str]] = []
    for _ in range(30):
        bench.pass_(0.1)
        status = bench.status(name)
        state = (status["sync"]["status"], status["operationState"]["phase"], status["health"]["status"])
        seen += [state] if seen[-1:] != [state] else []
    assert seen == [
        ("OutOfSync", "Running", "Healthy"),
        ("Synced", "Succeeded", "Progressing"),
        ("Synced", "Succeeded", "Healthy"),
    ]
    status, deployment = bench.status(name), bench.deployment(service)
    assert status["operationState"]["syncResult"]["revision"] == status["history"][-1]["revision"] == sha
    assert status["summary"]["images"] == [f"{BY_NAME[service].image}:v9.0.0"]
    assert status["reconciledAt"] >= status["operationState"]["finishedAt"]
    assert deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"] == old + 1


def test_the_generation_is_observed_only_after_it_was_written(bench: Bench) -> None:
    bench.knobs.rollout_seconds = 2.0
    bench.bump("checkout", "v9.0.0")
    lagging, pods = False, []
    for _ in range(40):
        bench.pass_(0.1)
        deployment = bench.deployment("checkout")
        lagging |= deployment["status"]["observedGeneration"] < deployment["metadata"]["generation"]
        pods.append(deployment["status"].get("updatedReplicas", 0))
    assert lagging
    assert 0 in pods
    assert pods[-1] == deployment["spec"]["replicas"]


def test_every_application_moves_to_the_newest_commit_but_only_the_changed_one_syncs(bench: Bench) -> None:
    before = {name: bench.status(name)["operationState"] for name in APPS}
    sha = bench.bump("checkout", "v9.0.0")
    bench.pass_(3)
    for name in APPS:
        assert bench.status(name)["sync"]["revision"] == sha
        assert (bench.status(name)["operationState"] == before[name]) is (name != "staging-checkout")


def test_a_descendant_of_the_deploy_is_what_the_status_shows_later(bench: Bench) -> None:
    sha = bench.bump("checkout", "v9.0.0")
    bench.pass_(3)
    later = bench.branch.commit({"README.md": b"# other\n"}, "README: something else")
    bench.pass_(3)
    status = bench.status("staging-checkout")
    assert status["sync"]["revision"] == later
    assert status["operationState"]["syncResult"]["revision"] == sha


def test_two_commits_between_two_looks_are_one_sync_to_the_later_one(bench: Bench) -> None:
    first, second = bench.bump("checkout", "v9.0.0"), bench.bump("checkout", "v9.0.1")
    bench.pass_(3)
    revisions = [entry["revision"] for entry in bench.status("staging-checkout")["history"]]
    assert second in revisions
    assert first not in revisions


def test_an_operation_applies_its_own_revision_although_the_branch_moves_on(bench: Bench) -> None:
    bench.knobs.sync_seconds = 2.0
    first = bench.bump("checkout", "v9.0.0")
    bench.pass_(1)
    second = bench.bump("checkout", "v9.0.1")
    bench.pass_(1.7)
    status = bench.status("staging-checkout")
    assert status["history"][-1]["revision"] == first
    assert status["summary"]["images"] == ["registry.example.com/shop/checkout:v9.0.0"]
    bench.pass_(4)
    status = bench.status("staging-checkout")
    assert status["history"][-1]["revision"] == second
    assert status["summary"]["images"] == ["registry.example.com/shop/checkout:v9.0.1"]


def test_stale_health_shows_the_time_before_the_sync(bench: Bench) -> None:
    bench.pass_(5)
    bench.knobs.stale_health, bench.knobs.rollout_seconds = 4.0, 3.0
    sha = bench.bump("checkout", "v9.0.0")
    bench.pass_(2)
    status = bench.status("staging-checkout")
    assert status["operationState"]["phase"] == "Succeeded"
    assert (status["sync"]["status"], status["sync"]["revision"]) == ("Synced", sha)
    assert status["health"]["status"] == "Healthy"
    assert bench.deployment("checkout")["status"].get("updatedReplicas", 0) == 0
    assert status["reconciledAt"] < status["operationState"]["finishedAt"]
    bench.pass_(5)
    status = bench.status("staging-checkout")
    assert status["reconciledAt"] >= status["operationState"]["finishedAt"]


def test_a_commit_whose_sync_failed_is_not_tried_again_but_the_next_one_is(bench: Bench) -> None:
    path = tree.image_path("staging", "shipping")
    bad = bench.branch.commit({path: bench.branch.read(path).replace(b"replicas: 1", b"replicas: -1")})
    bench.pass_(2)
    failed = bench.status("staging-shipping")
    assert failed["operationState"]["phase"] == "Failed"
    assert "must be greater than or equal to 0" in failed["operationState"]["message"]
    assert failed["conditions"][0]["type"] == "SyncError"
    assert bad in failed["conditions"][0]["message"]
    bench.pass_(5)
    assert bench.status("staging-shipping")["operationState"] == failed["operationState"]
    bench.branch.commit({path: bench.branch.read(path).replace(b"replicas: -1", b"replicas: 2")})
    bench.pass_(3)
    status = bench.status("staging-shipping")
    assert (status["sync"]["status"], status["operationState"]["phase"]) == ("Synced", "Succeeded")
    assert "conditions" not in status
    assert bench.deployment("shipping")["status"]["readyReplicas"] == 2


def test_a_closed_sync_window_leaves_the_application_out_of_sync(bench: Bench) -> None:
    bench.knobs.denied.add("staging-checkout")
    bench.bump("checkout", "v9.0.0")
    bench.pass_(3)
    assert bench.status("staging-checkout")["sync"]["status"] == "OutOfSync"
    project = bench.cluster.get(Key("AppProject", "argocd", "default"))
    assert project is not None
    assert project["spec"]["syncWindows"][0]["applications"] == ["staging-checkout"]
    bench.knobs.denied.clear()
    bench.pass_(3)
    assert bench.status("staging-checkout")["sync"]["status"] == "Synced"


def test_without_automated_sync_nothing_is_applied(bench: Bench) -> None:
    path = "argocd/staging/checkout.yaml"
    content = bench.branch.read(path).decode()
    bench.branch.commit({path: content[: content.index("  syncPolicy:")].encode()})
    bench.bump("checkout", "v9.0.0")
    bench.pass_(3)
    assert "syncPolicy" not in bench.app("staging-checkout")["spec"]
    assert bench.status("staging-checkout")["sync"]["status"] == "OutOfSync"
    assert bench.status("staging-checkout")["summary"]["images"][0].endswith(":v2.14.0")


def test_a_stuck_sync_goes_on_running(bench: Bench) -> None:
    bench.knobs.stuck.add("staging-checkout")
    bench.bump("checkout", "v9.0.0")
    bench.pass_(20, step=0.5)
    operation = bench.status("staging-checkout")["operationState"]
    assert operation["phase"] == "Running"
    assert "finishedAt" not in operation
    assert bench.status("staging-checkout")["sync"]["status"] == "OutOfSync"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("manifests/staging/shipping/service.yaml", b"kind: [\n"),
        ("manifests/staging/shipping/service.yaml", b"kind: Service\n"),
        ("manifests/staging/shipping/extra.json", b"{"),
        ("manifests/staging/shipping/extra.json", b"[1]"),
        ("values/staging/catalog.yaml", b"image: {"),
        ("charts/shop-service/templates/deployment.yaml", b"{{ nonsense }}"),
    ],
)
def test_whatever_is_committed_the_controller_goes_on(bench: Bench, path: str, content: bytes) -> None:
    broken = "staging-shipping" if "shipping" in path else "staging-catalog"
    bench.branch.commit({path: content})
    sha = bench.bump("checkout", "v9.0.0")
    bench.pass_(3)
    assert bench.status(broken)["sync"]["status"] == "Unknown"
    assert bench.status(broken)["health"]["status"] == "Healthy"
    assert bench.status("staging-checkout")["operationState"]["syncResult"]["revision"] == sha


@pytest.mark.parametrize("content", [b"kind: [\n", b"kind: Application\n", b"kind: Application\nmetadata: 1\n"])
def test_an_application_that_cannot_be_read_leaves_all_of_them_as_they_were(bench: Bench, content: bytes) -> None:
    before = {name: bench.app(name)["spec"] for name in APPS}
    bench.branch.commit({"argocd/staging/checkout.yaml": content})
    sha = bench.bump("shipping", "v9.0.0")
    bench.pass_(3)
    assert {name: bench.app(name)["spec"] for name in APPS} == before
    assert bench.status("staging-shipping")["sync"] | {"comparedTo": 0} == {
        "status": "Synced",
        "revision": sha,
        "comparedTo": 0,
    }


def test_a_source_that_does_not_render_is_reported_and_the_workload_left_alone(bench: Bench) -> None:
    path = tree.image_path("staging", "checkout")
    bench.branch.commit({path: bench.branch.read(path) + b"\nresources: [../../nowhere]\n"})
    bench.pass_(2)
    status = bench.status("staging-checkout")
    assert status["sync"]["status"] == "Unknown"
    assert status["conditions"][0]["type"] == "ComparisonError"
    assert bench.deployment("checkout")["status"]["readyReplicas"] == 1


def test_a_base_or_chart_change_reaches_what_includes_it(bench: Bench) -> None:
    base, chart = "apps/checkout/base/deployment.yaml", "charts/shop-service/values.yaml"
    sha = bench.branch.commit(
        {
            base: bench.branch.read(base).replace(b"cpu: 150m", b"cpu: 175m"),
            chart: bench.branch.read(chart).replace(b"cpu: 100m", b"cpu: 120m"),
        }
    )
    bench.pass_(3)
    assert bench.status("staging-checkout")["history"][-1]["revision"] == sha
    assert bench.status("staging-catalog")["history"][-1]["revision"] == sha
    assert bench.status("staging-shipping")["history"][-1]["revision"] != sha


def test_objects_that_git_no_longer_has_are_pruned(bench: Bench) -> None:
    old = {config["metadata"]["name"] for config in bench.cluster.objects("ConfigMap")}
    path = tree.image_path("staging", "checkout")
    bench.branch.commit({path: bench.branch.read(path).replace(b"LOG_LEVEL=info", b"LOG_LEVEL=debug")})
    bench.pass_(3)
    new = {config["metadata"]["name"] for config in bench.cluster.objects("ConfigMap")}
    assert len(old) == len(new) == 1
    assert old != new


def test_an_application_that_leaves_git_takes_its_objects_along(bench: Bench) -> None:
    bench.branch.commit({"argocd/staging/shipping.yaml": None})
    bench.pass_(1)
    assert bench.cluster.get(Key("Application", "argocd", "staging-shipping")) is None
    assert bench.cluster.get(Key("Deployment", "staging", "shipping")) is None
