"""What something else in the cluster owns, hides, holds back or generates is refused with the right place named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.model.change import Draft
from gitops_sre.model.outcome import Inconclusive
from tests.gitops.fights import Path, Ring, ring
from tests.gitops.infra import Infra, deployment

IMAGE = "registry.example.com/shop/web"
REPLICAS: Path = ("spec", "replicas")
HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: {name}{namespace}}}
spec:
  minReplicas: 2
  maxReplicas: 8
  scaleTargetRef: {{apiVersion: apps/v1, kind: {kind}, name: {of}}}
"""
KEDA = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: x}\nspec: {scaleTargetRef: {name: web}}\n"


def hpa(name: str = "web", of: str = "web", kind: str = "Deployment", namespace: str = "") -> str:
    return HPA.format(name=name, of=of, kind=kind, namespace=namespace and f", namespace: {namespace}")


def plain(world: Infra, autoscaler: str, at: str = "apps/web/scale.yaml") -> Ring:
    return ring(world, {"apps/web/web.yaml": deployment("web", f"{IMAGE}:v2"), at: autoscaler}, "apps/web")


@pytest.mark.parametrize(
    ("autoscaler", "at", "says"),
    [
        (hpa(), "apps/web/scale.yaml", "spec.minReplicas or spec.maxReplicas in apps/web/scale.yaml"),
        (KEDA, "apps/web/scale.yaml", "spec.minReplicaCount or spec.maxReplicaCount"),
        (hpa(namespace="production"), "autoscaling/all.yaml", "HorizontalPodAutoscaler web owns the replicas of web"),
    ],
)
def test_replicas_that_an_autoscaler_owns_are_refused(world: Infra, autoscaler: str, at: str, says: str) -> None:
    fight = plain(world, autoscaler, at)
    assert says in fight.refused(fight.edit("apps/web/web.yaml", REPLICAS, "5"))
    assert fight.found(fight.edit("apps/web/web.yaml", CONTAINER, f"{IMAGE}:v1")) == []


CONTAINER: Path = ("spec", "template", "spec", "containers", 1, "image")


@pytest.mark.parametrize(
    ("autoscaler", "at"),
    [
        (hpa(of="worker"), "apps/web/scale.yaml"),
        (hpa(kind="StatefulSet"), "apps/web/scale.yaml"),
        (hpa(namespace="staging"), "apps/web/scale.yaml"),
        (hpa(), "apps/other/scale.yaml"),
    ],
)
def test_autoscalers_of_something_else_are_no_fight(world: Infra, autoscaler: str, at: str) -> None:
    fight = plain(world, autoscaler, at)
    assert fight.found(fight.edit("apps/web/web.yaml", REPLICAS, "5")) == []


def test_replicas_of_a_kustomization_and_of_a_patch_are_seen_through_to_the_base(world: Infra) -> None:
    files = {
        "base/kustomization.yaml": "resources: [web.yaml, scale.yaml]\n",
        "base/web.yaml": deployment("web", f"{IMAGE}:v2"),
        "base/scale.yaml": hpa(),
        "prod/kustomization.yaml": "resources: [../base]\nreplicas: [{name: web, count: 3}]\npatches: [path: p.yaml]\n",
        "prod/p.yaml": "- op: replace\n  path: /spec/replicas\n  value: 4\n",
    }
    fight = ring(world, files, "prod")
    for file, path in (("prod/kustomization.yaml", ("replicas", 0, "count")), ("prod/p.yaml", (0, "value"))):
        assert "base/scale.yaml" in fight.refused(fight.edit(file, path, "5"))


def test_replicas_beside_an_autoscaler_that_a_chart_switches_on_are_refused(world: Infra) -> None:
    values = (
        "web:\n  replicaCount: 2\n  autoscaling:\n    enabled: {on}\n    minReplicas: 2\njobs:\n  replicaCount: 1\n"
    )
    fight = ring(world, {"apps/web/values.yaml": values.format(on="true")}, "apps/web")
    assert "autoscaling in apps/web/values.yaml" in fight.refused(
        fight.edit("apps/web/values.yaml", ("web", "replicaCount"), "3")
    )
    for path in (("jobs", "replicaCount"), ("web", "autoscaling", "minReplicas")):
        assert fight.found(fight.edit("apps/web/values.yaml", path, "3")) == []
    fight = ring(world, {"apps/web/values.yaml": values.format(on="false")}, "apps/web")
    assert fight.found(fight.edit("apps/web/values.yaml", ("web", "replicaCount"), "3")) == []


VPA = """\
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {{name: web}}
spec:
  targetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}
{more}"""
RESOURCES = "      - name: more\n        resources:\n          requests: {cpu: 100m}\n          limits: {cpu: 200m}\n"
CONTAINERS: Path = ("spec", "template", "spec", "containers", 2, "resources")


@pytest.mark.parametrize(
    ("more", "owned"),
    [
        ("", {"requests", "limits"}),
        ("  updatePolicy: {updateMode: InPlaceOrRecreate}\n", {"requests", "limits"}),
        ('  updatePolicy: {updateMode: "Off"}\n', set()),
        (
            "  resourcePolicy: {containerPolicies: [{containerName: '*', controlledValues: RequestsOnly}]}\n",
            {"requests"},
        ),
        ("  resourcePolicy: {containerPolicies: [{containerName: '*', mode: 'Off'}]}\n", set()),
    ],
)
def test_resources_that_a_vertical_autoscaler_sets_are_refused(world: Infra, more: str, owned: set[str]) -> None:
    files = {
        "apps/web/web.yaml": deployment("web", f"{IMAGE}:v2") + RESOURCES,
        "apps/web/vpa.yaml": VPA.format(more=more),
    }
    fight = ring(world, files, "apps/web")
    seen = {
        part for part in ("requests", "limits")
        if fight.found(fight.edit("apps/web/web.yaml", (*CONTAINERS, part, "cpu"), "300m"))
    }  # fmt: skip
    assert seen == owned


# -- Argo CD ----------------------------------------------------------------------------------------------------------

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: production-web, namespace: argocd}}
spec:
  source: {{repoURL: "https://git.example.com/acme/infra.git", path: apps/web}}
  ignoreDifferences:
  - group: apps
    kind: {kind}
    {rule}
{more}"""


def ignoring(world: Infra, rule: str, kind: str = "Deployment", more: str = "") -> Ring:
    files = {
        "apps/web/web.yaml": deployment("web", f"{IMAGE}:v2"),
        "argocd/web.yaml": APPLICATION.format(rule=rule, kind=kind, more=more),
    }
    return ring(world, files, "apps/web")


@pytest.mark.parametrize(
    "rule",
    [
        "jsonPointers: [/spec/replicas]",
        "jsonPointers: [/metadata/labels, /spec]",
        "jqPathExpressions: [.spec.replicas]",
        "name: web\n    jqPathExpressions: ['.spec[\"replicas\"]']",
    ],
)
def test_a_field_whose_differences_are_ignored_is_refused(world: Infra, rule: str) -> None:
    fight = ignoring(world, rule)
    reason = fight.refused(fight.edit("apps/web/web.yaml", REPLICAS, "5"))
    assert "Application production-web ignores spec.replicas of Deployment" in reason
    assert "auto-sync does not start for it" in reason


def test_the_reason_says_when_a_sync_would_leave_the_field_too(world: Infra) -> None:
    more = "  syncPolicy: {syncOptions: [RespectIgnoreDifferences=true]}\n"
    fight = ignoring(world, "jsonPointers: [/spec/replicas]", more=more)
    assert "RespectIgnoreDifferences" in fight.refused(fight.edit("apps/web/web.yaml", REPLICAS, "5"))


@pytest.mark.parametrize("part", ["containers[].image", "containers[1].image", "containers[]?.image"])
def test_lists_and_selections_of_jq_paths_are_read(world: Infra, part: str) -> None:
    fight = ignoring(world, f"jqPathExpressions: ['.spec.template.spec.{part}']")
    assert "containers.1.image" in fight.refused(fight.edit("apps/web/web.yaml", CONTAINER, f"{IMAGE}:v1"))


def test_a_jq_selection_of_a_container_is_read(world: Infra) -> None:
    select = """jqPathExpressions: ['.spec.template.spec.containers[] | select(.name == "main") | .image']"""
    fight = ignoring(world, select)
    assert "ignores" in fight.refused(fight.edit("apps/web/web.yaml", CONTAINER, f"{IMAGE}:v1"))
    assert fight.found(fight.edit("apps/web/web.yaml", (*CONTAINER[:4], 0, "image"), f"{IMAGE}:v1")) == []


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("StatefulSet", "jsonPointers: [/spec/replicas]"),
        ("Deployment", "name: other\n    jsonPointers: [/spec/replicas]"),
        ("Deployment", "jsonPointers: [/spec/replicasets, /spec/replicas/more]"),
        ("Deployment", "jqPathExpressions: ['.spec | keys']"),
    ],
)
def test_rules_for_something_else_are_no_fight(world: Infra, kind: str, rule: str) -> None:
    fight = ignoring(world, rule, kind)
    assert fight.found(fight.edit("apps/web/web.yaml", REPLICAS, "5")) == []


def test_a_container_that_can_not_be_told_is_noted_and_caps(world: Infra) -> None:
    fight = ring(world, {
        "apps/web/kustomization.yaml": f"resources: [web.yaml]\nimages:\n- name: {IMAGE}\n  newTag: v2\n",
        "apps/web/web.yaml": deployment("web", f"{IMAGE}:v0"),
        "argocd/web.yaml": APPLICATION.format(
            rule="jsonPointers: [/spec/template/spec/containers/0/image]", kind="Deployment", more=""),
    }, "apps/web")  # fmt: skip
    edit = fight.edit("apps/web/kustomization.yaml", ("images", 0, "newTag"), "v1")
    assert isinstance(fight.guard(edit), Draft)
    assert isinstance(fight.unopposed(edit), Inconclusive)


SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: apps, namespace: argocd}}
spec:
  goTemplate: true
  generators:
  - git:
      repoURL: https://git.example.com/acme/infra.git
      directories:
      - path: apps/*
      - {{path: apps/old-*, exclude: true}}
  template:
    metadata:
      name: '{{{{.path.basename}}}}'
    spec:
      source:
        repoURL: https://git.example.com/acme/infra.git
        path: {path}
        {sets}
"""


@pytest.mark.parametrize("path", ["'{{.path.path}}'", "apps/{{.path.basename}}", "apps/web"])
@pytest.mark.parametrize(
    ("sets", "file", "at"),
    [
        (f"kustomize: {{images: ['{IMAGE}:v2']}}", "apps/web/kustomization.yaml", ("images", 0, "newTag")),
        ("helm: {parameters: [{name: image.tag, value: v2}]}", "apps/web/values.yaml", ("image", "tag")),
        ("helm: {valuesObject: {image: {tag: v2}}}", "apps/web/values.yaml", ("image", "tag")),
    ],
)
def test_what_an_application_set_sets_over_the_files_is_refused(
    world: Infra, path: str, sets: str, file: str, at: Path
) -> None:
    files = {
        "apps/web/kustomization.yaml": f"images:\n- name: {IMAGE}\n  newTag: v2\n",
        "apps/web/values.yaml": f"image:\n  repository: {IMAGE}\n  tag: v2\n  pullPolicy: Always\n",
        "argocd/apps.yaml": SET.format(path=path, sets=sets),
    }
    fight = ring(world, files, "apps/web")
    assert "edit the template or the generator in argocd/apps.yaml" in fight.refused(fight.edit(file, at, "v1"))
    assert fight.found(fight.edit("apps/web/values.yaml", ("image", "pullPolicy"), "Never")) == []


def test_an_application_set_of_other_folders_is_no_fight(world: Infra) -> None:
    sets = f"kustomize: {{images: ['{IMAGE}:v2']}}"
    files = {
        "apps/old-web/kustomization.yaml": f"images:\n- name: {IMAGE}\n  newTag: v2\n",
        "argocd/apps.yaml": SET.format(path="'{{.path.path}}'", sets=sets),
    }
    fight = ring(world, files, "apps/old-web")
    assert fight.found(fight.edit("apps/old-web/kustomization.yaml", ("images", 0, "newTag"), "v1")) == []


def test_an_application_that_a_set_made_is_refused(world: Infra) -> None:
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  ownerReferences: [{kind: ApplicationSet, name: apps}]
spec: {source: {targetRevision: v2}}
"""
    fight = ring(world, {"argocd/web.yaml": text}, "argocd")
    assert "template or the generator of ApplicationSet apps" in fight.refused(
        fight.edit("argocd/web.yaml", ("spec", "source", "targetRevision"), "v1")
    )


# -- Flux -------------------------------------------------------------------------------------------------------------

RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: web
  annotations: {{note: {note}}}
spec:
  suspend: {suspend}
  chart:
    spec: {{chart: web, version: {version}}}
  values: {{level: info}}
"""
LEVEL: Path = ("spec", "values", "level")
VERSION: Path = ("spec", "chart", "spec", "version")


def flux(world: Infra, more: str = "", **fields: str) -> Ring:
    text = RELEASE.format(**{"suspend": "false", "version": "1.2.3", "note": "x", **fields})
    files = {"apps/web/release.yaml": text, "clusters/all.yaml": more or "a: 1\n"}
    return ring(world, files, "apps/web", "flux-system/web")


def test_what_is_suspended_is_refused_unless_the_edit_resumes_it(world: Infra) -> None:
    fight = flux(world, suspend="true")
    level = fight.edit("apps/web/release.yaml", LEVEL, "debug")
    assert "resume it first (spec.suspend in apps/web/release.yaml)" in fight.refused(level)
    assert fight.found(level, fight.edit("apps/web/release.yaml", ("spec", "suspend"), "false")) == []


KUSTOMIZATION = """\
apiVersion: {api}
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec: {{path: {path}, suspend: true}}
"""


@pytest.mark.parametrize(
    ("name", "path", "fights"),
    [("web", "./other", True), ("x", "./apps/web", True), ("x", "./apps", False), ("x", ".", False)],
)
def test_a_suspended_kustomization_of_the_target_is_refused(world: Infra, name: str, path: str, fights: bool) -> None:
    more = KUSTOMIZATION.format(api="kustomize.toolkit.fluxcd.io/v1", name=name, path=path)
    fight = flux(world, more)
    found = fight.found(fight.edit("apps/web/release.yaml", LEVEL, "debug"))
    assert [each.kind for each in found] == ["flux-suspended"] * fights
    fight = flux(world, more.replace("kustomize.toolkit.fluxcd.io", "example.com"))
    assert fight.found(fight.edit("apps/web/release.yaml", LEVEL, "debug")) == []


def test_an_object_that_flux_keeps_off_is_refused(world: Infra) -> None:
    text = RELEASE.format(suspend="false", version="1.2.3", note="x").replace(
        "note: x", "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent"
    )
    fight = ring(world, {"apps/web/release.yaml": text}, "apps/web")
    assert "take the annotation off" in fight.refused(fight.edit("apps/web/release.yaml", LEVEL, "debug"))


@pytest.mark.parametrize("version", ["1.x", "'>=1.0.0 <2.0.0'", "~1.2", "'*'", "^1"])
def test_an_exact_version_in_place_of_a_range_is_its_own_pin(world: Infra, version: str) -> None:
    fight = flux(world, version=version)
    edit = fight.edit("apps/web/release.yaml", VERSION, "1.2.2")
    draft, _ = fight.pinned(edit)
    assert draft.edits == (edit,)
    assert draft.follow_ups == (edit.inverted(),)
    assert "until the range is put back" in draft.notes[0]


def test_a_range_that_is_restored_caps_and_an_exact_version_is_no_fight(world: Infra) -> None:
    fight = flux(world)
    assert isinstance(fight.unopposed(fight.edit("apps/web/release.yaml", VERSION, "1.x")), Inconclusive)
    other = replace(fight.edit("apps/web/release.yaml", LEVEL, "1.x"), path=(*LEVEL[:-1], "version"))
    assert fight.found(other) == []
    for version in ("1.2.2", "v1.2.2", "1.2.2-rc.x1", "1.2.2+b"):
        assert fight.found(fight.edit("apps/web/release.yaml", VERSION, version)) == []


OCI = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: web}}
spec:
  url: oci://registry.example.com/charts/web
  ref:
    tag: 1.2.3
    {other}
"""


@pytest.mark.parametrize(
    ("other", "says"),
    [("semver: 1.x", "ref.semver, which counts before ref.tag"), (f"digest: sha256:{'a' * 64}", "ref.digest")],
)
def test_a_reference_that_another_one_outranks_is_refused(world: Infra, other: str, says: str) -> None:
    fight = ring(world, {"apps/web/oci.yaml": OCI.format(other=other)}, "apps/web")
    tag = fight.edit("apps/web/oci.yaml", ("spec", "ref", "tag"), "1.2.2")
    assert says in fight.refused(tag)
    key = other.partition(":")[0]
    both = fight.found(tag, fight.edit("apps/web/oci.yaml", ("spec", "ref", key), f"sha256:{'b' * 64}"))
    assert "flux-reference-order" not in [each.kind for each in both]
