"""The cluster as the files promise it, over real git and the real tools."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_sre.gitops import target as targets
from gitops_sre.gitops.promised import PromisedCluster
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import NoTarget, Source, Target
from gitops_sre.ports import Manifest
from gitops_sre.settings import EnvironmentSettings, LabelSettings
from tests.gitops.infra import CHART, IMAGE, URL, Infra, deployment, overlay, tool

pytestmark = [tool("kubectl"), tool("helm")]

BASE = {
    "apps/web/base/kustomization.yaml": "resources: [deployment.yaml]\n",
    "apps/web/base/deployment.yaml": deployment("web", f"{IMAGE}:v2"),
    "apps/web/overlays/staging/kustomization.yaml": overlay("staging", f"images:\n- name: {IMAGE}\n  newTag: v3\n"),
}
KUSTOMIZE = "    path: apps/web/overlays/staging\n"
HELM = """\
    path: charts/app
    helm:
      releaseName: api
      valueFiles: [../../values/staging.yaml]
      parameters:
      - {name: image.tag, value: v7}
"""


def application(name: str, source: str, namespace: str = "staging", url: str = URL) -> str:
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
spec:
  destination: {{namespace: {namespace}, server: https://kubernetes.default.svc}}
  source:
    repoURL: {url}
{source}"""


def flux(name: str, path: str) -> str:
    return f"""\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {name}
  namespace: flux-system
spec:
  path: ./{path}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
  targetNamespace: staging
"""


def cluster(world: Infra) -> PromisedCluster:
    return PromisedCluster(world.repository, URL, world.renderer, world.locator, "argocd")


def applications(given: PromisedCluster) -> tuple[Application, ...]:
    found = given.applications()
    assert not isinstance(found, Unavailable), found
    return found


def workloads(given: PromisedCluster, namespace: str = "") -> Sequence[Workload]:
    found = given.workloads(namespace)
    assert not isinstance(found, Unavailable), found
    return found


def target(given: PromisedCluster, service: str) -> Target | NoTarget:
    labels = {"service": service, "namespace": "staging"}
    environments = {"staging": EnvironmentSettings()}
    return targets.find(labels, LabelSettings(), environments, workloads(given), applications(given), URL)


def test_an_application_and_what_its_overlay_makes(world: Infra) -> None:
    world.commit({**BASE, "argocd/web.yaml": application("staging-web", KUSTOMIZE)})
    given = cluster(world)

    (web,) = workloads(given)
    assert (str(web.ref), web.application, web.replicas) == ("Deployment staging/web", "argocd/staging-web", 2)
    assert web.images == ("registry.example.com/platform/proxy:v9", f"{IMAGE}:v3")
    found = target(given, "web")
    assert isinstance(found, Target)
    assert (found.application, found.source.path) == ("argocd/staging-web", "apps/web/overlays/staging")


def test_a_chart_with_the_applications_own_parameters(world: Infra) -> None:
    values = {"values/staging.yaml": f"replicas: 3\nimage: {{repository: {IMAGE}, tag: v1}}\n"}
    world.commit({**CHART, **values, "argocd/api.yaml": application("staging-api", HELM)})
    (api,) = workloads(cluster(world))
    assert (str(api.ref), api.images, api.replicas) == ("Deployment staging/api", (f"{IMAGE}:v7",), 3)


def test_each_application_that_a_set_makes(world: Infra) -> None:
    made = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: web, namespace: argo}
spec:
  generators:
  - list:
      elements:
      - {env: staging}
  template:
    metadata: {name: 'web-{{env}}'}
    spec:
      destination: {namespace: '{{env}}', server: https://kubernetes.default.svc}
      source:
        repoURL: https://git.example.com/acme/infra.git
        path: 'apps/web/overlays/{{env}}'
"""
    world.commit({**BASE, "argocd/set.yaml": made})
    (web,) = workloads(cluster(world))
    assert (str(web.ref), web.application) == ("Deployment staging/web", "argo/web-staging")


def test_a_kustomization_of_flux(world: Infra) -> None:
    world.commit({**BASE, "clusters/staging/web.yaml": flux("web", "apps/web/overlays/staging")})
    found = target(cluster(world), "web")
    assert isinstance(found, Target)
    assert (found.application, found.source.path) == ("flux-system/web", "apps/web/overlays/staging")
    assert found.source.kind == "kustomize"


def test_what_cannot_be_rendered_or_lies_elsewhere_is_left_out(world: Infra, caplog: pytest.LogCaptureFixture) -> None:
    files = {
        "argocd/web.yaml": application("staging-web", KUSTOMIZE),
        "argocd/gone.yaml": application("gone", "    path: apps/gone\n"),
        "argocd/else.yaml": application("else", "    path: apps/web\n", url="https://git.example.com/acme/other"),
        "apps/gone/kustomization.yaml": "resources: [nothing.yaml]\n",
        "clusters/x.yaml": flux("gone", "apps/none"),
    }
    world.commit({**BASE, **files})
    given = cluster(world)

    assert [each.application for each in workloads(given)] == ["argocd/staging-web"]
    assert {each.name for each in applications(given)} == {"staging-web", "gone", "else"}
    assert "what argocd/gone applies is not known" in caplog.text


def test_two_owners_of_one_workload_are_not_guessed_between(world: Infra) -> None:
    one, other = application("one", KUSTOMIZE), application("other", KUSTOMIZE)
    world.commit({**BASE, "argocd/one.yaml": one, "argocd/other.yaml": other})
    found = target(cluster(world), "web")
    assert isinstance(found, NoTarget)
    assert "Deployment staging/web, Deployment staging/web" in found.reason


def test_a_namespace_narrows_and_a_new_commit_counts(world: Infra) -> None:
    world.commit({**BASE, "argocd/web.yaml": application("staging-web", KUSTOMIZE)})
    given = cluster(world)
    assert workloads(given, "production") == ()
    over = overlay("staging", f"images:\n- name: {IMAGE}\n  newTag: v4\n")
    world.commit({"apps/web/overlays/staging/kustomization.yaml": over})
    assert workloads(given, "staging")[0].images[1] == f"{IMAGE}:v4"


class Counting:
    """A renderer that counts."""

    def __init__(self, inner: Infra) -> None:
        self.inner, self.times = inner.renderer, 0

    def render(self, tree: Path, source: Source) -> tuple[Manifest, ...] | Unavailable:
        self.times += 1
        return self.inner.render(tree, source)


def test_a_commit_is_rendered_once(world: Infra) -> None:
    world.commit({**BASE, "argocd/web.yaml": application("staging-web", KUSTOMIZE)})
    renderer = Counting(world)
    given = PromisedCluster(world.repository, URL, renderer, world.locator, "argocd")
    for _ in range(3):
        workloads(given)
        applications(given)
    assert renderer.times == 1


def test_what_only_a_cluster_could_tell_names_the_remedy(world: Infra) -> None:
    given = cluster(world)
    for answer in (given.versions("staging"), given.events(datetime(2026, 3, 1, tzinfo=UTC), "staging")):
        assert "kubernetes.enabled is false" in answer.reason
