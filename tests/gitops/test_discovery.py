"""What a repository tells of itself: who applies it, its environments, where it is watched, its objectives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from gitops_sre.gitops.discovery import Discovery, discover
from gitops_sre.gitops.files import AtCommit
from gitops_sre.model.outcome import Refused
from tests.gitops.commits import History

Look = Callable[[Mapping[str, str | None]], Discovery | Refused]


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Look]:
    """Commit some files and discover what they say."""
    made = History(tmp_path / "infra")

    def discovered(files: Mapping[str, str | None]) -> Discovery | Refused:
        return discover(AtCommit(made.repository(), made.commit(files)))

    yield discovered
    made.close()


def found(look: Look, files: Mapping[str, str | None]) -> Discovery:
    seen = look({"kustomization.yaml": "resources: []\n", **files})
    assert isinstance(seen, Discovery)
    return seen


def application(name: str, path: str, namespace: str) -> str:
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata:\n  name: {name}\n  namespace: gitops\n"
        f"spec:\n  source:\n    repoURL: https://github.com/acme/infra\n    path: {path}\n"
        f"  destination:\n    namespace: {namespace}\n"
    )


def release(name: str, chart: str, namespace: str, more: str = "") -> str:
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
        f"metadata:\n  name: {name}\n  namespace: {namespace}\n"
        f"spec:\n  chart:\n    spec:\n      chart: {chart}\n{more}"
    )


DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n{more}spec: {{}}\n"


def test_applications_name_environments_and_namespaces_by_their_place(look: Look) -> None:
    seen = found(
        look,
        {
            "argocd/web-staging.yaml": application("web-staging", "apps/web/overlays/staging", "shop-staging"),
            "argocd/web-prod.yaml": application("web-prod", "apps/web/overlays/prod", "shop"),
            "apps/web/overlays/staging/web.yaml": DEPLOYMENT.format(more=""),
            "apps/web/overlays/prod/web.yaml": DEPLOYMENT.format(more=""),
        },
    )
    assert seen.argocd is not None
    assert (seen.argocd.value, seen.argocd.by) == ("gitops", "argocd/web-prod.yaml:5 and 1 more")
    assert [(e.name, e.tier, [(n.value, n.by) for n in e.namespaces]) for e in seen.environments] == [
        ("production", "critical", [("shop", "argocd/web-prod.yaml:11")]),
        ("staging", "standard", [("shop-staging", "argocd/web-staging.yaml:11")]),
    ]


def test_a_chart_from_elsewhere_gives_the_repository_no_environment(look: Look) -> None:
    """Its Application applies no folder of this repository, not even the root."""
    chart = application("redis-prod", ".", "redis-prod").replace("    path: .\n", "    chart: redis\n")
    seen = found(look, {"apps/redis.yaml": chart, "web/web.yaml": DEPLOYMENT.format(more="  namespace: web\n")})
    assert [(e.name, [n.value for n in e.namespaces]) for e in seen.environments] == [("production", ["redis-prod"])]
    assert [n.value for n in seen.namespaces] == ["web"]


def test_a_namespace_of_a_base_belongs_to_every_environment_that_includes_it(look: Look) -> None:
    flux = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata:\n  name: apps\n  namespace: flux-system\nspec:\n  path: ./apps/{name}\n"
    )
    seen = found(
        look,
        {
            "clusters/a/apps.yaml": flux.format(name="production"),
            "clusters/b/apps.yaml": flux.format(name="staging"),
            "apps/production/kustomization.yaml": "resources:\n  - ../base\n",
            "apps/staging/kustomization.yaml": "resources:\n  - ../base\n",
            "apps/base/kustomization.yaml": "resources:\n  - web.yaml\n",
            "apps/base/web.yaml": DEPLOYMENT.format(more="  namespace: shop\n"),
            "clusters/a/gotk-components.yaml": DEPLOYMENT.format(more="  namespace: flux-system\n"),
        },
    )
    assert seen.flux is not None
    assert seen.flux.value == "flux-system"
    assert [(e.name, [(n.value, n.by) for n in e.namespaces]) for e in seen.environments] == [
        ("production", [("shop", "apps/base/web.yaml:5")]),
        ("staging", [("shop", "apps/base/web.yaml:5")]),
    ]
    assert seen.namespaces == ()


def test_a_namespace_that_every_overlay_replaces_is_none(look: Look) -> None:
    base = {
        "base/kustomization.yaml": "resources:\n  - web.yaml\n",
        "base/web.yaml": DEPLOYMENT.format(more="  namespace: template\n"),
        "overlays/dev/kustomization.yaml": "namespace: dev\nresources:\n  - ../../base\n",
    }
    plain = "resources:\n  - ../../base\n"
    only = found(look, base)
    assert [(e.name, [n.value for n in e.namespaces]) for e in only.environments] == [("dev", ["dev"])]
    assert only.namespaces == ()
    both = found(look, {**base, "overlays/staging/kustomization.yaml": plain})
    assert {e.name: [n.value for n in e.namespaces] for e in both.environments} == {
        "dev": ["dev"],
        "staging": ["template"],
    }


def test_a_folder_that_only_sounds_like_an_environment_makes_none(look: Look) -> None:
    seen = found(look, {"docs/demo/web.yaml": DEPLOYMENT.format(more="  namespace: web\n")})
    assert seen.environments == ()
    assert [n.value for n in seen.namespaces] == ["web"]


def test_a_namespace_that_names_an_environment_is_of_it_wherever_it_stands(look: Look) -> None:
    seen = found(
        look,
        {
            "cluster-prod/kustomization.yaml": "resources: []\n",
            "overlays/dev/kustomization.yaml": "resources: []\n",
            "cluster-prod/web.yaml": DEPLOYMENT.format(more="  namespace: shop-dev\n"),
            "cluster-prod/api.yaml": DEPLOYMENT.format(more="  namespace: shop\n"),
        },
    )
    held = {each.name: [namespace.value for namespace in each.namespaces] for each in seen.environments}
    assert held == {"production": ["shop"], "dev": ["shop-dev"]}


def test_templates_are_no_namespaces(look: Look) -> None:
    seen = found(
        look,
        {
            "chart/Chart.yaml": "name: web\nversion: 1.0.0\n",
            "chart/templates/web.yaml": DEPLOYMENT.format(more="  namespace: {{ .Release.Namespace }}\n"),
            "flux/web.yaml": release("web", "web", "${NAMESPACE}"),
        },
    )
    assert seen.namespaces == ()


def test_an_address_that_somebody_wrote_down_comes_before_one_that_follows(look: Look) -> None:
    seen = found(
        look,
        {
            "monitoring/prometheus.yaml": "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\n"
            "metadata:\n  name: main\n  namespace: monitoring\n",
            "grafana/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: datasources\ndata:\n"
            "  datasources.yaml: |\n    datasources:\n      - name: metrics\n        type: prometheus\n"
            "        url: http://thanos-query.monitoring:10902/\n",
        },
    )
    at = seen.monitoring.prometheus
    assert at is not None
    assert (at.value, at.by) == ("http://thanos-query.monitoring:10902", "grafana/config.yaml:10")


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        (
            "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata:\n  name: m\n  namespace: mon\n",
            "http://prometheus-operated.mon.svc:9090",
        ),
        (release("stack", "kube-prometheus-stack", "mon"), "http://prometheus-operated.mon.svc:9090"),
        (
            "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata:\n  name: web\nspec:\n  triggers:\n"
            "    - type: prometheus\n      metadata:\n        serverAddress: http://prom.example.com\n",
            "http://prom.example.com",
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata:\n  name: ok\nspec:\n  metrics:\n"
            "    - name: ok\n      provider:\n        prometheus:\n          address: http://prom.mon:9090\n",
            "http://prom.mon:9090",
        ),
        ("type: prometheus\nurl: ${PROMETHEUS_URL}\n", None),
        ("type: prometheus\nurl: http://user:secret@prom:9090\n", None),
        ("apiVersion: example.com/v1\nkind: Prometheus\nmetadata:\n  name: m\n  namespace: mon\n", None),
    ],
)
def test_where_prometheus_answers(look: Look, file: str, wanted: str | None) -> None:
    at = found(look, {"some/file.yaml": file}).monitoring.prometheus
    assert (at.value if at else None) == wanted


def test_the_stack_brings_an_alertmanager_unless_it_is_switched_off(look: Look) -> None:
    off = "  values:\n    alertmanager:\n      enabled: false\n"
    on = found(look, {"a.yaml": release("stack", "kube-prometheus-stack", "mon")})
    assert on.monitoring.alertmanager is not None
    assert on.monitoring.alertmanager.value == "http://alertmanager-operated.mon.svc:9093"
    assert (
        found(look, {"a.yaml": release("stack", "kube-prometheus-stack", "mon", off)}).monitoring.alertmanager is None
    )


def test_rules_and_monitors_are_counted_where_they_stand(look: Look) -> None:
    seen = found(
        look,
        {"r.yaml": "kind: PrometheusRule\n---\nkind: PrometheusRule\n", "m.yaml": "a: 1\n---\nkind: ServiceMonitor\n"},
    )
    assert seen.monitoring.rules == ("r.yaml:1", "r.yaml:3")
    assert seen.monitoring.monitors == ("m.yaml:3",)


def test_a_repository_without_anything_to_apply_is_refused(look: Look) -> None:
    seen = look({"README.md": "# Hello\n", "ci.yaml": "on: push\n"})
    assert isinstance(seen, Refused)
    assert "Argo CD or Flux" in seen.reason
