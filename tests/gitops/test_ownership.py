"""The owner of an object's field: the strongest place of each layout, or a reason that names the places."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.ownership import owners
from gitops_sre.model.change import Field
from gitops_sre.model.target import ObjectField, WorkloadRef
from gitops_sre.yamltext import YamlTextError
from tests.gitops.infra import Infra, deployment, target

REPLICAS = ("spec", "replicas")
IMAGES = ("spec", "template", "spec", "containers", "[]", "image")
MANIFEST = deployment("web", "registry.example.com/shop/web:v1")


def found(
    world: Infra,
    files: dict[str, str],
    path: str = "apps",
    *,
    kind: str = "Deployment",
    name: str = "web",
    field: tuple[str, ...] = REPLICAS,
    environment: str = "production",
    namespace: str = "production",
) -> list[tuple[Field, ...]]:
    """The owners in a repository of these files."""
    commit = world.commit(files)
    where = replace(target(path, environment=environment), workload=WorkloadRef(kind, namespace, name))
    return owners(AtCommit(world.repository, commit), where, ObjectField(kind, namespace, name, field))


def only(owned: list[tuple[Field, ...]]) -> Field:
    (fields,) = owned
    (field,) = fields
    return field


def kustomization(*resources: str, more: str = "") -> str:
    return "resources:\n" + "".join(f"- {each}\n" for each in resources) + more


PATCHED = kustomization("web.yaml", more="patches:\n- path: patch.yaml\n  target: {kind: Deployment, name: web}\n")
"""A kustomization whose patch is for the workload, whatever name stands in it."""


def test_an_object_of_another_kind_name_or_namespace_is_not_the_one(world: Infra) -> None:
    files = {
        "apps/a.yaml": MANIFEST.replace("kind: Deployment", "kind: StatefulSet"),
        "apps/b.yaml": deployment("web-2", "i:v1"),
        "apps/c.yaml": deployment("web", "i:v1", namespace="staging"),
    }
    assert found(world, files) == []


def test_without_a_kind_the_workload_of_that_name_is_meant_and_no_service(world: Infra) -> None:
    service = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  replicas: 9\n"
    assert only(found(world, {"apps/a.yaml": MANIFEST + service}, kind="", namespace="")).value == "2"


def test_two_manifests_of_one_object_are_two_owners(world: Infra) -> None:
    files = {"apps/a.yaml": MANIFEST, "apps/b.yaml": deployment("web", "i:v1", replicas=5)}
    assert [fields[0].value for fields in found(world, files)] == ["2", "5"]


def test_items_of_a_list_object_are_objects(world: Infra) -> None:
    item = MANIFEST.replace("\n", "\n  ").rstrip()
    field = only(found(world, {"apps/all.yaml": f"apiVersion: v1\nkind: List\nitems:\n- {item}\n"}))
    assert (field.path, field.value) == (("items", 0, "spec", "replicas"), "2")


def test_json_manifests_are_read_too(world: Infra) -> None:
    text = '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3}}\n'
    assert only(found(world, {"apps/web.json": text})).raw == "3"


def test_every_item_of_a_list_is_a_field_of_one_owner(world: Infra) -> None:
    (fields,) = found(world, {"apps/a.yaml": MANIFEST}, field=IMAGES)
    assert [field.value for field in fields] == [
        "registry.example.com/platform/proxy:v9", "registry.example.com/shop/web:v1"
    ]  # fmt: skip


def test_a_map_that_stands_there_is_present_without_a_value(world: Infra) -> None:
    field = only(found(world, {"apps/a.yaml": MANIFEST}, field=("spec", "selector")))
    assert (field.present, field.value, field.path) == (True, "", ("spec", "selector"))


def test_what_is_not_set_says_where_it_would_be_inserted(world: Infra) -> None:
    memory = ("spec", "template", "spec", "containers", "[name=main]", "resources", "limits", "memory")
    field = only(found(world, {"apps/a.yaml": MANIFEST}, field=memory))
    assert not field.present
    assert field.path == ("spec", "template", "spec", "containers", 1, "resources", "limits", "memory")
    assert "does not set it yet" in field.reason


def test_an_item_that_is_not_there_is_refused_with_those_that_are(world: Infra) -> None:
    path = ("spec", "template", "spec", "containers", "[name=nope]", "image")
    with pytest.raises(YamlTextError, match="it has proxy, main"):
        found(world, {"apps/a.yaml": MANIFEST}, field=path)


def test_a_template_beside_the_manifest_does_not_matter(world: Infra) -> None:
    rule = "kind: Deployment\nmetadata:\n  name: web\nspec: {{ .Values.spec }}\n"
    assert only(found(world, {"apps/a.yaml": MANIFEST, "apps/b.yaml": rule})).value == "2"


def test_a_template_that_may_be_the_only_manifest_is_a_reason(world: Infra) -> None:
    with pytest.raises(YamlTextError, match=r"apps/b\.yaml: .*template"):
        found(world, {"apps/b.yaml": "kind: Deployment\nmetadata:\n  name: web\nspec: {{ .Values.spec }}\n"})


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("- {op: replace, path: /spec/replicas, value: 7}", "7"),
        ("- {op: add, path: /spec, value: {replicas: 8}}", "8"),
        ("- {op: add, path: /metadata/labels/replicas, value: 9}", "2"),
    ],
)
def test_a_json_patch_wins_where_its_pointer_leads(world: Infra, operation: str, value: str) -> None:
    files = {"apps/web.yaml": MANIFEST, "apps/patch.yaml": operation + "\n", "apps/kustomization.yaml": PATCHED}
    assert only(found(world, files)).value == value


def test_a_json_patch_names_list_items_by_position(world: Infra) -> None:
    path = "/spec/template/spec/containers/1/image"
    files = {
        "apps/web.yaml": MANIFEST,
        "apps/patch.yaml": f"- op: replace\n  path: {path}\n  value: registry.example.com/shop/web:v2\n",
        "apps/kustomization.yaml": PATCHED,
    }
    field = ("spec", "template", "spec", "containers", "[name=main]", "image")
    assert only(found(world, files, field=field)).file == "apps/patch.yaml"
    other = ("spec", "template", "spec", "containers", "[name=proxy]", "image")
    assert only(found(world, {"README": "x"}, field=other)).file == "apps/web.yaml"


def test_a_patch_that_removes_the_field_is_a_reason(world: Infra) -> None:
    files = {
        "apps/web.yaml": MANIFEST,
        "apps/patch.yaml": "- op: remove\n  path: /spec/replicas\n",
        "apps/kustomization.yaml": PATCHED,
    }
    with pytest.raises(YamlTextError, match=r"apps/patch\.yaml: a patch removes spec\.replicas"):
        found(world, files)


def test_the_last_of_two_patches_wins_and_replicas_over_both(world: Infra) -> None:
    strategic = "kind: Deployment\nmetadata: {name: web}\nspec: {replicas: %d}\n"
    files = {
        "apps/web.yaml": MANIFEST,
        "apps/one.yaml": strategic % 3,
        "apps/two.yaml": strategic % 4,
        "apps/kustomization.yaml": kustomization("web.yaml", more="patches:\n- path: one.yaml\n- path: two.yaml\n"),
    }
    assert only(found(world, files)).file == "apps/two.yaml"
    more = files["apps/kustomization.yaml"] + "replicas:\n- {name: web, count: 5}\n"
    field = only(found(world, {"apps/kustomization.yaml": more}))
    assert (field.file, field.path, field.value) == ("apps/kustomization.yaml", ("replicas", 0, "count"), "5")


def test_replicas_of_a_kustomization_do_not_reach_a_rollout(world: Infra) -> None:
    files = {
        "apps/web.yaml": MANIFEST.replace("kind: Deployment", "kind: Rollout"),
        "apps/kustomization.yaml": kustomization("web.yaml", more="replicas:\n- {name: web, count: 5}\n"),
    }
    assert only(found(world, files, kind="Rollout")).value == "2"


def test_a_patch_for_another_object_is_not_asked(world: Infra) -> None:
    files = {
        "apps/web.yaml": MANIFEST,
        "apps/patch.yaml": "kind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n",
        "apps/kustomization.yaml": PATCHED.replace("name: web", "name: api"),
    }
    assert only(found(world, files)).value == "2"


def test_an_autoscaler_is_found_by_what_it_scales(world: Infra) -> None:
    scaler = "kind: HorizontalPodAutoscaler\nmetadata: {name: %s}\nspec: {scaleTargetRef: {name: %s}, maxReplicas: 4}\n"
    files = {"apps/a.yaml": scaler % ("one", "web"), "apps/b.yaml": scaler % ("web", "api")}
    field = only(found(world, files, kind="HorizontalPodAutoscaler", field=("spec", "maxReplicas")))
    assert field.file == "apps/a.yaml"


def test_of_many_overlays_below_a_folder_the_one_of_the_environment_is_taken(world: Infra) -> None:
    files = {"apps/base/kustomization.yaml": kustomization("web.yaml"), "apps/base/web.yaml": MANIFEST} | {
        f"apps/{each}/kustomization.yaml": kustomization(
            "../base", more=f"replicas:\n- {{name: web, count: {count}}}\n"
        )
        for each, count in (("staging", 3), ("production", 4))
    }
    assert only(found(world, files)).value == "4"
    assert len(found(world, {"README": ""}, environment="", namespace="")) == 2


def test_a_base_that_others_read_is_named_when_the_overlay_has_no_place_of_its_own(world: Infra) -> None:
    files = {"base/kustomization.yaml": kustomization("web.yaml"), "base/web.yaml": MANIFEST} | {
        f"{each}/kustomization.yaml": kustomization("../base") for each in ("staging", "production")
    }
    field = only(found(world, files, "production", field=("spec", "paused")))
    assert (field.file, field.present) == ("base/web.yaml", False)
    assert "1 more kustomizations read base/web.yaml: staging" in field.reason


def test_a_base_that_others_read_is_overridden_by_replicas_of_the_overlay(world: Infra) -> None:
    files = {"base/kustomization.yaml": kustomization("web.yaml"), "base/web.yaml": MANIFEST} | {
        f"{each}/kustomization.yaml": kustomization("../base") for each in ("staging", "production")
    }
    (fields,) = found(world, files, "production")
    assert [(field.role, field.value, field.path, field.present) for field in fields] == [
        ("name", "web", ("replicas", 0, "name"), False),
        ("value", "", ("replicas", 0, "count"), False),
    ]


def test_values_of_a_sidecar_are_not_those_of_the_chart(world: Infra) -> None:
    release = "kind: HelmRelease\nmetadata: {name: web}\nspec: {values: {resources: {limits: {memory: 1Gi}}}}\n"
    path = ("spec", "template", "spec", "containers", "[name=%s]", "resources", "limits", "memory")
    mine = tuple(part % "web" if "%" in part else part for part in path)
    other = tuple(part % "envoy" if "%" in part else part for part in path)
    assert only(found(world, {"apps/web.yaml": release}, field=mine)).value == "1Gi"
    with pytest.raises(YamlTextError, match=r"looked for envoy\.resources\.limits\.memory"):
        found(world, {"README": "x"}, field=other)


def test_two_values_that_could_both_be_meant_are_two_owners(world: Infra) -> None:
    release = "kind: HelmRelease\nmetadata: {name: web}\nspec: {values: {replicaCount: 1, replicas: 2}}\n"
    assert [fields[0].path[-1] for fields in found(world, {"apps/web.yaml": release})] == ["replicaCount", "replicas"]


def test_the_file_of_the_environment_is_written_to_rather_than_the_one_for_all(world: Infra) -> None:
    files = {
        "chart/Chart.yaml": "name: web\n",
        "chart/values.yaml": "replicaCount: 1\n",
        "chart/values-staging.yaml": "replicaCount: 2\n",
        "chart/values-production.yaml": "tag: v1\n",
        "chart/templates/d.yaml": "replicas: {{ .Values.replicaCount }}\n",
    }
    field = only(found(world, files, "chart"))
    assert (field.file, field.path, field.present) == ("chart/values-production.yaml", ("replicaCount",), False)


@pytest.mark.parametrize("name", ["a/../b", "$(id)", "-rf", "web\nkind: Secret", "[name=x]", ".*"])
def test_hostile_names_find_nothing(world: Infra, name: str) -> None:
    files = {"apps/a.yaml": MANIFEST, "apps/kustomization.yaml": kustomization("a.yaml")}
    assert found(world, files, name=name) == []


@pytest.mark.parametrize(("more", "winner"), [("", "kustomization.yaml"), ("replicaCount: 9\n", "more.yaml")])
def test_of_the_values_of_an_inflated_chart_further_files_win_over_inline_ones(
    world: Infra, more: str, winner: str
) -> None:
    inflation = "helmCharts:\n- name: web\n  valuesFile: values.yaml\n  additionalValuesFiles: [more.yaml]\n"
    files = {
        "apps/kustomization.yaml": f"{inflation}  valuesInline: {{replicaCount: 7}}\n",
        "apps/values.yaml": "replicaCount: 2\n",
        "apps/more.yaml": more or "tag: v1\n",
    }
    assert only(found(world, files)).file == f"apps/{winner}"
