"""From alert labels to a source path: each step has a reason, and nothing is guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.gitops.target import environment_of, find, for_service, place, same_repository
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.target import NoTarget, Parameter, Source, Target, WorkloadRef
from gitops_sre.settings import EnvironmentSettings, LabelSettings

REPOSITORY = "https://github.com/acme/infra"
NAMES = LabelSettings()
ENVIRONMENTS = {
    "staging": EnvironmentSettings(tier="standard"),
    "production": EnvironmentSettings(tier="critical", namespaces=("production", "prod-*")),
}
SOURCE = Source("git@github.com:acme/infra.git", "apps/checkout/overlays/staging", kind="kustomize")
LABELS = {"alertname": "HighErrorRate", "service": "checkout", "environment": "staging"}


def workload(name: str = "checkout", namespace: str = "staging", owner: str = "argocd/app", **labels: str) -> Workload:
    ref = WorkloadRef("Deployment", namespace, name)
    return Workload(ref, owner, (), 1, 1, tuple((key.replace("__", "/"), value) for key, value in labels.items()))


def application(name: str = "app", sources: tuple[Source, ...] = (SOURCE,)) -> Application:
    return Application("argocd", name, sources, "staging", "Synced", ("a" * 40,), "Healthy", None, None, True)


def found(
    labels: dict[str, str] | None = None,
    workloads: tuple[Workload, ...] = (workload(), workload(namespace="production", owner="argocd/prod")),
    applications: tuple[Application, ...] = (application(),),
) -> Target | NoTarget:
    return find(LABELS if labels is None else labels, NAMES, ENVIRONMENTS, workloads, applications, REPOSITORY)


def test_labels_lead_to_the_source_path_with_a_reason_for_each_step() -> None:
    target = found()
    assert isinstance(target, Target)
    assert (target.service, target.environment, target.tier) == ("checkout", "staging", "standard")
    assert (target.application, target.source) == ("argocd/app", SOURCE)
    assert target.reasons == (
        "service checkout is Deployment staging/checkout, by its name",
        "argocd/app applies it: the workload says so",
        "from apps/checkout/overlays/staging of the infra repository",
        "namespace staging is environment staging, tier standard",
    )


def test_values_that_a_live_application_sets_are_not_carried_along() -> None:
    secret = replace(SOURCE, overrides=("helm.values",), inline=("password: x",), parameters=(Parameter("a", "b"),))
    target = found(applications=(application(sources=(secret,)),))
    assert isinstance(target, Target)
    assert target.source == replace(SOURCE, overrides=("helm.values",))


def test_a_name_counts_before_a_label_and_two_labels_are_not_told_apart() -> None:
    canary = workload("checkout-canary", app="checkout")
    target = found(workloads=(workload(), canary))
    assert isinstance(target, Target)
    assert target.workload.name == "checkout"
    both = found(workloads=(workload("checkout-blue", app="checkout"), canary))
    assert isinstance(both, NoTarget)
    assert "checkout-blue, Deployment staging/checkout-canary" in both.reason


def test_a_namespace_label_tells_sister_namespaces_apart() -> None:
    sisters = (workload(namespace="prod-eu"), workload(namespace="prod-us"))
    target = found({"service": "checkout", "namespace": "prod-us"}, sisters)
    assert isinstance(target, Target)
    assert (target.workload.namespace, target.environment, target.tier) == ("prod-us", "production", "critical")
    assert isinstance(found({"service": "checkout", "environment": "production"}, sisters), NoTarget)


def test_a_sister_namespace_is_not_taken_for_one_whose_workload_is_gone() -> None:
    gone = found({"service": "checkout", "namespace": "prod-eu"}, (workload(namespace="prod-us"),))
    assert isinstance(gone, NoTarget)
    assert "is no workload (looked in namespace prod-eu)" in gone.reason


def test_an_environment_label_that_names_a_namespace_means_that_one_alone() -> None:
    sisters = (workload(namespace="prod-us"), workload(namespace="production"))
    target = found({"service": "checkout", "environment": "prod-us"}, sisters)
    assert isinstance(target, Target)
    assert (target.workload.namespace, target.environment) == ("prod-us", "production")
    gone = found({"service": "checkout", "environment": "prod-eu"}, sisters[1:])
    assert isinstance(gone, NoTarget)
    assert "looked in namespace prod-eu" in gone.reason
    torn = found({"service": "checkout", "environment": "prod-eu", "namespace": "prod-us"}, sisters)
    assert isinstance(torn, NoTarget)
    assert "contradict" in torn.reason


def test_labels_that_contradict_each_other_are_not_weighed() -> None:
    target = found({"service": "checkout", "environment": "staging", "namespace": "monitoring"})
    assert isinstance(target, NoTarget)
    assert "contradict" in target.reason
    assert (target.service, target.environment) == ("checkout", "staging")


def test_a_workload_is_found_by_its_name_label() -> None:
    target = found(workloads=(workload("checkout-v2", app="checkout"),))
    assert isinstance(target, Target)
    assert target.workload.name == "checkout-v2"


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ({"alertname": "X"}, "no label of the alert names a service"),
        (LABELS | {"service": "unknown"}, "is no workload"),
        ({"service": "checkout"}, "Deployment staging/checkout, Deployment production/checkout"),
    ],
)
def test_labels_that_do_not_lead_to_one_workload_are_not_guessed(labels: dict[str, str], why: str) -> None:
    target = found(labels)
    assert isinstance(target, NoTarget)
    assert why in target.reason


def test_a_workload_that_nobody_claims_has_no_target() -> None:
    target = found(workloads=(workload(owner=""),))
    assert isinstance(target, NoTarget)
    assert "does not say which Application" in target.reason


def test_a_workload_that_says_nothing_is_the_only_application_s_that_deploys_its_images_there() -> None:
    silent = replace(workload(owner=""), images=("checkout:v1", "proxy:v3"))
    mine = replace(application(), images=("checkout:v1", "other:v2", "proxy:v3"))
    elsewhere = replace(application("b"), images=mine.images, destination_namespace="production")
    another = replace(application("c"), images=("other:v2",))
    target = found(workloads=(silent,), applications=(mine, elsewhere, another))
    assert isinstance(target, Target)
    assert target.application == "argocd/app"
    assert "argocd/app applies it: no other deploys its images into staging" in target.reasons

    twin = replace(application("twin"), images=mine.images)
    both = found(workloads=(silent,), applications=(mine, twin))
    assert isinstance(both, NoTarget)
    assert "argocd/app, argocd/twin" in both.reason


def test_what_a_workload_says_is_not_overruled_by_its_images() -> None:
    said = replace(workload(owner="argocd/gone"), images=("checkout:v1",))
    target = found(workloads=(said,), applications=(replace(application(), images=("checkout:v1",)),))
    assert isinstance(target, NoTarget)
    assert "argocd/gone" in target.reason


def test_a_source_that_stays_at_a_commit_is_reached_by_no_change() -> None:
    target = found(applications=(application(sources=(replace(SOURCE, revision="a" * 40),)),))
    assert isinstance(target, NoTarget)
    assert "stays at commit" in target.reason


def test_a_root_cause_has_a_target_of_its_own() -> None:
    arguments = (ENVIRONMENTS, (workload(), workload("cart")), (application(),), REPOSITORY)
    target = for_service("cart", "staging", *arguments)
    assert isinstance(target, Target)
    assert target.workload.name == "cart"
    assert isinstance(for_service("cart", "production", *arguments), NoTarget)


def test_another_repository_beside_ours_does_not_make_it_ambiguous() -> None:
    charts = Source("https://charts.example.com", "", kind="helm")
    elsewhere = replace(SOURCE, repo_url="https://github.com/acme/other")
    target = found(applications=(application(sources=(charts, elsewhere, SOURCE)),))
    assert isinstance(target, Target)
    assert target.source == SOURCE


NAME = st.sampled_from(["checkout", "cart", ""])
SPACE = st.sampled_from(["staging", "production", "prod-eu", "monitoring"])
WORKLOADS = st.lists(st.builds(workload, NAME.filter(bool), SPACE, st.sampled_from(["argocd/app", "argocd/b", ""])))


@given(WORKLOADS, NAME, SPACE | st.just(""), SPACE | st.just(""))
def test_a_target_is_the_only_workload_that_fits_every_label(
    workloads: list[Workload], service: str, environment: str, namespace: str
) -> None:
    labels = {"service": service, "environment": environment, "namespace": namespace}
    target = found(labels, tuple(workloads), (application(), application("b")))
    if isinstance(target, NoTarget):
        return
    fits = [
        each
        for each in workloads
        if each.ref.name == service
        and namespace in ("", each.ref.namespace)
        and environment in ("", environment_of(each.ref.namespace, ENVIRONMENTS)[0], each.ref.namespace)
    ]
    assert [each.ref for each in fits] == [target.workload]
    assert fits[0].application == target.application


@given(st.permutations([workload(), workload("cart"), workload(namespace="production")]))
def test_the_order_in_which_the_cluster_lists_does_not_matter(workloads: list[Workload]) -> None:
    assert found(workloads=tuple(workloads)) == found()


def test_an_owner_that_cannot_be_read_is_no_owner() -> None:
    assert isinstance(found(applications=()), NoTarget)


@pytest.mark.parametrize(
    "sources", [(), (replace(SOURCE, repo_url="https://github.com/acme/other"),), (SOURCE, SOURCE)]
)
def test_none_or_two_sources_in_our_repository_are_not_guessed(sources: tuple[Source, ...]) -> None:
    assert isinstance(found(applications=(application(sources=sources),)), NoTarget)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://github.com/acme/infra", "git@github.com:acme/infra.git", True),
        ("ssh://git@github.com/acme/infra.git", "https://github.com/Acme/Infra/", True),
        ("ssh://git@git.example.com:7999/acme/infra", "https://git.example.com/acme/infra", False),
        ("http://127.0.0.1:8080/acme/infra.git", "http://127.0.0.1:8080/acme/infra", True),
        ("http://127.0.0.1:8080/acme/infra.git", "http://127.0.0.1:8081/acme/infra", False),
        ("https://user:secret@github.com/acme/infra", "https://github.com/acme/infra", True),
        ("https://github.com/acme/infra", "https://github.com/acme/infra-2", False),
        ("https://github.com/acme/infra", "https://gitlab.com/acme/infra", False),
    ],
)
def test_one_repository_has_many_urls(one: str, other: str, *, same: bool) -> None:
    assert same_repository(one, other) is same


def test_environments_come_from_namespaces_and_an_unknown_one_has_no_known_tier() -> None:
    assert environment_of("prod-eu", ENVIRONMENTS) == ("production", "critical")
    assert environment_of("staging", ENVIRONMENTS) == ("staging", "standard")
    assert environment_of("sandbox", ENVIRONMENTS) == ("sandbox", "unknown")


def test_an_alert_may_name_only_its_namespace() -> None:
    assert place({"service": "checkout", "namespace": "prod-eu"}, NAMES, ENVIRONMENTS) == ("checkout", "production")
    assert place({}, NAMES, ENVIRONMENTS) == ("", "")
