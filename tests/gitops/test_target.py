"""From alert labels to a source path: each step has a reason, and nothing is guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.gitops.target import environment_of, find, place, same_repository
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.target import NoTarget, Source, Target, WorkloadRef
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
    assert len(target.reasons) == 5


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
    assert "tracking id" in target.reason


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
