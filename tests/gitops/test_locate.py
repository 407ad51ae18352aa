"""One owner of an image, or a refusal that names the candidates."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.model.change import Field
from gitops_sre.model.outcome import Refused
from gitops_sre.model.target import Source
from tests.gitops.infra import CHART, DIGEST, IMAGE, Infra, deployment, overlay, target

OVERLAY = "apps/web/overlays/production"
BASE = {
    "apps/web/base/kustomization.yaml": "resources: [deployment.yaml]\n",
    "apps/web/base/deployment.yaml": deployment("web", f"{IMAGE}:v1"),
}


def found(answer: tuple[Field, ...] | Refused) -> list[tuple[str, tuple[str | int, ...], str, str]]:
    assert not isinstance(answer, Refused), answer.reason
    return [(field.file, field.path, field.role, field.value) for field in answer]


def refused(answer: tuple[Field, ...] | Refused) -> str:
    assert isinstance(answer, Refused), answer
    return answer.reason


def test_the_overlays_images_beat_the_base(world: Infra) -> None:
    images = f"images:\n- name: registry.example.com/platform/proxy\n  newTag: v9\n- name: {IMAGE}\n  newTag: v2\n"
    commit = world.commit({**BASE, f"{OVERLAY}/kustomization.yaml": overlay("production", images)})
    answer = world.locator.image_fields(commit, target(OVERLAY), IMAGE)
    assert found(answer) == [(f"{OVERLAY}/kustomization.yaml", ("images", 1, "newTag"), "tag", "v2")]


def test_a_digest_beside_the_tag_is_found_with_it(world: Infra) -> None:
    images = f"images: [{{name: {IMAGE}, newTag: v2, digest: '{DIGEST}'}}]\n"
    commit = world.commit({**BASE, f"{OVERLAY}/kustomization.yaml": overlay("production", images)})
    answer = world.locator.image_fields(commit, target(OVERLAY), IMAGE)
    assert [(role, value) for _, _, role, value in found(answer)] == [("tag", "v2"), ("digest", DIGEST)]


def test_a_renamed_image_is_followed_to_the_name_that_it_has_below(world: Infra) -> None:
    images = f"images:\n- name: {IMAGE}\n  newName: mirror.example.com/web\n"
    commit = world.commit({**BASE, f"{OVERLAY}/kustomization.yaml": overlay("production", images)})
    answer = world.locator.image_fields(commit, target(OVERLAY), "mirror.example.com/web")
    assert found(answer)[0][0] == "apps/web/base/deployment.yaml"


def test_a_component_beats_the_base(world: Infra) -> None:
    commit = world.commit(
        {
            **BASE,
            f"{OVERLAY}/kustomization.yaml": overlay("production", "components: [../../release]\n"),
            "apps/web/release/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
            f"images: [{{name: {IMAGE}, newTag: v3}}]\n",
        }
    )
    answer = world.locator.image_fields(commit, target(OVERLAY), IMAGE)
    assert found(answer) == [("apps/web/release/kustomization.yaml", ("images", 0, "newTag"), "tag", "v3")]


PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: main, image: 'IMG'}]}}}
"""


@pytest.mark.parametrize(
    ("section", "patch", "path"),
    [
        ("patches: [{path: p.yaml}]\n", PATCH, ("spec", "template", "spec", "containers", 0, "image")),
        ("patchesStrategicMerge: [p.yaml]\n", PATCH, ("spec", "template", "spec", "containers", 0, "image")),
        ("patches: [{path: p.yaml, target: {kind: Deployment}}]\n",
         "- {op: replace, path: /spec/template/spec/containers/1/image, value: 'IMG'}\n", (0, "value")),
    ],
)  # fmt: skip
def test_a_patch_of_the_overlay_beats_the_base(
    world: Infra, section: str, patch: str, path: tuple[str | int, ...]
) -> None:
    files = {f"{OVERLAY}/kustomization.yaml": overlay("production", section), f"{OVERLAY}/p.yaml": patch}
    files[f"{OVERLAY}/p.yaml"] = patch.replace("IMG", f"{IMAGE}:v4")
    commit = world.commit({**BASE, **files})
    answer = world.locator.image_fields(commit, target(OVERLAY), IMAGE)
    assert found(answer) == [(f"{OVERLAY}/p.yaml", path, "image", f"{IMAGE}:v4")]


def test_an_inline_patch_is_named_and_not_edited(world: Infra) -> None:
    lines = "\n".join(f"    {line}" for line in PATCH.replace("IMG", f"{IMAGE}:v4").splitlines())
    commit = world.commit(
        {**BASE, f"{OVERLAY}/kustomization.yaml": overlay("production", f"patches:\n- patch: |-\n{lines}\n")}
    )
    assert "an inline patch sets" in refused(world.locator.image_fields(commit, target(OVERLAY), IMAGE))


def test_a_base_that_others_read_is_returned_with_their_names(world: Infra) -> None:
    overlays = {f"apps/web/overlays/{env}/kustomization.yaml": overlay(env, "") for env in ("dev", "production")}
    commit = world.commit({**BASE, **overlays})
    answer = world.locator.image_fields(commit, target(OVERLAY), IMAGE)
    assert found(answer)[0][0] == "apps/web/base/deployment.yaml"
    assert not isinstance(answer, Refused)
    assert "1 more kustomizations read it: apps/web/overlays/dev" in answer[0].reason


def test_prefixes_and_suffixes_are_taken_off_the_workloads_name(world: Infra) -> None:
    commit = world.commit(
        {**BASE, f"{OVERLAY}/kustomization.yaml": overlay("production", "namePrefix: eu-\nnameSuffix: -1\n")}
    )
    answer = world.locator.image_fields(commit, target(OVERLAY, name="eu-web-1"), IMAGE)
    assert found(answer)[0][0] == "apps/web/base/deployment.yaml"


def test_two_entries_for_one_image_are_refused_by_name(world: Infra) -> None:
    images = f"images:\n- {{name: {IMAGE}, newTag: v2}}\n- {{name: old, newName: {IMAGE}, newTag: v3}}\n"
    commit = world.commit({**BASE, f"{OVERLAY}/kustomization.yaml": overlay("production", images)})
    reason = refused(world.locator.image_fields(commit, target(OVERLAY), IMAGE))
    assert "2 places set" in reason
    assert "images[0].newTag" in reason
    assert "images[1].newTag" in reason


def test_an_unknown_image_and_a_broken_file_are_refused_with_a_place(world: Infra) -> None:
    files = {**BASE, f"{OVERLAY}/kustomization.yaml": overlay("production", "")}
    commit = world.commit(files)
    assert "no place in apps/web" in refused(world.locator.image_fields(commit, target(OVERLAY), "nginx"))
    commit = world.commit({f"{OVERLAY}/kustomization.yaml": "resources: [../../base]\nresources: []\n"})
    reason = refused(world.locator.image_fields(commit, target(OVERLAY), IMAGE))
    assert f"{OVERLAY}/kustomization.yaml: line 2, column 1: the key 'resources' stands twice" in reason
    circle = {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"}
    commit = world.commit(circle)
    assert "remove the circle" in refused(world.locator.image_fields(commit, target("a"), IMAGE))


def test_argo_cds_override_file_is_named(world: Infra) -> None:
    commit = world.commit(
        {
            **BASE,
            f"{OVERLAY}/kustomization.yaml": overlay("production", ""),
            f"{OVERLAY}/.argocd-source-production-web.yaml": "kustomize: {}\n",
        }
    )
    assert "overrides" in refused(world.locator.image_fields(commit, target(OVERLAY), IMAGE))


def test_what_the_application_itself_sets_is_not_ours_to_edit(world: Infra) -> None:
    commit = world.commit({**BASE, f"{OVERLAY}/kustomization.yaml": overlay("production", "")})
    aim = target(OVERLAY)
    aim = replace(aim, source=replace(aim.source, overrides=("kustomize.images",)))
    assert "kustomize.images" in refused(world.locator.image_fields(commit, aim, IMAGE))


VALUES = ("values/common.yaml", "values/web.yaml")


def helm(world: Infra, common: str, web: str, image: str = IMAGE) -> tuple[Field, ...] | Refused:
    commit = world.commit({**CHART, "values/common.yaml": common, "values/web.yaml": web})
    return world.locator.image_fields(commit, target("charts/app", values=VALUES), image)


@pytest.mark.parametrize(
    ("common", "web", "expected"),
    [
        (f"image: {{repository: {IMAGE}, tag: v1}}\n", "replicas: 2\n", (VALUES[0], ("image", "tag"), "tag", "v1")),
        (f"image: {{repository: {IMAGE}, tag: v1}}\n", "image: {tag: v2}\n",
         (VALUES[1], ("image", "tag"), "tag", "v2")),
        ("a: 1\n", f"image: {{repository: {IMAGE}}}\n", ("charts/app/values.yaml", ("image", "tag"), "tag", "")),
        ("a: 1\n", f"main: {{image: '{IMAGE}:v1'}}\n", (VALUES[1], ("main", "image"), "image", f"{IMAGE}:v1")),
        ("global: {imageRegistry: registry.example.com}\n", "deep: {er: {image: {repository: shop/web, tag: v5}}}\n",
         (VALUES[1], ("deep", "er", "image", "tag"), "tag", "v5")),
        ("a: 1\n", "image: {registry: registry.example.com, repository: shop/web, tag: v6}\n",
         (VALUES[1], ("image", "tag"), "tag", "v6")),
        (f"l:\n- {{repository: {IMAGE}, tag: v1}}\n", f"l:\n- {{name: x}}\n- {{repository: {IMAGE}, tag: v2}}\n",
         (VALUES[1], ("l", 1, "tag"), "tag", "v2")),
        (f"web: {{repository: {IMAGE}, tag: v1}}\n", f"worker: {{repository: {IMAGE}, tag: v1}}\n",
         (VALUES[0], ("web", "tag"), "tag", "v1")),
        (f"image: {{repository: {IMAGE}, tag: v1}}\n", "x: {repository: shop/web, tag: v9}\n",
         (VALUES[0], ("image", "tag"), "tag", "v1")),
    ],
)  # fmt: skip
def test_the_last_value_file_that_sets_the_tag_owns_it(
    world: Infra, common: str, web: str, expected: tuple[str, tuple[str | int, ...], str, str]
) -> None:
    assert found(helm(world, common, web)) == [expected]


def test_a_digest_in_the_values_is_found_with_the_tag(world: Infra) -> None:
    answer = helm(world, f"image: {{repository: {IMAGE}, tag: v1, digest: ''}}\n", f"image: {{digest: '{DIGEST}'}}\n")
    assert [(file, role) for file, _, role, _ in found(answer)] == [(VALUES[0], "tag"), (VALUES[1], "digest")]


def test_values_that_cannot_be_told_apart_are_refused(world: Infra) -> None:
    reason = refused(helm(world, f"a: {{repository: {IMAGE}, tag: v1}}\n", f"b: {{repository: {IMAGE}, tag: v1}}\n"))
    assert "values/common.yaml (a.tag) = v1; values/web.yaml (b.tag) = v1" in reason


def test_an_image_written_in_a_template_has_no_owner(world: Infra) -> None:
    assert "no place in charts/app" in refused(helm(world, "a: 1\n", "b: 1\n"))


def test_the_same_image_in_16_files_only_the_targets_counts(world: Infra) -> None:
    files = {
        f"m/{n}/{kind}.yaml": deployment("web" if kind == "a" else "worker", f"{IMAGE}:v1")
        for n in range(8)
        for kind in "ab"
    }
    commit = world.commit(files)
    answer = world.locator.image_fields(commit, target("m/3"), IMAGE)
    assert found(answer) == [
        ("m/3/a.yaml", ("spec", "template", "spec", "containers", 1, "image"), "image", f"{IMAGE}:v1")
    ]


def test_the_documents_namespace_decides_between_workloads_of_one_name(world: Infra) -> None:
    text = "---\n".join(deployment("web", f"{IMAGE}:v1", namespace=space) for space in ("dev", "production"))
    commit = world.commit({"m/all.yaml": text})
    answer = world.locator.image_fields(commit, target("m"), IMAGE)
    assert not isinstance(answer, Refused)
    assert [field.document for field in answer] == [1]


def test_init_and_main_container_of_one_workload_belong_together(world: Infra) -> None:
    text = deployment("web", f"{IMAGE}:v1") + f"      initContainers: [{{name: i, image: {IMAGE}:v1}}]\n"
    commit = world.commit({"m/web.yaml": text})
    assert len(found(world.locator.image_fields(commit, target("m"), IMAGE))) == 2


def test_inputs_name_every_file_that_a_build_reads(world: Infra) -> None:
    overlay_text = overlay(
        "production",
        "configMapGenerator: [{name: c, files: [k=conf/app.conf], envs: [.env]}]\npatches: [{path: p.yaml}]\n",
    )
    commit = world.commit(
        {
            **BASE, **CHART, "values/web.yaml": "a: 1\n", "m/x.yaml": "a: 1\n", "m/readme.md": "x",
            "other.yaml": "x: 1\n",
            f"{OVERLAY}/kustomization.yaml": overlay_text, f"{OVERLAY}/conf/app.conf": "x", f"{OVERLAY}/.env": "A=1\n",
            f"{OVERLAY}/p.yaml": PATCH, f"{OVERLAY}/unused.yaml": "x: 1\n",
        }
    )  # fmt: skip
    assert world.locator.inputs(commit, Source("", OVERLAY)) == {
        "apps/web/base/deployment.yaml", "apps/web/base/kustomization.yaml", f"{OVERLAY}/kustomization.yaml",
        f"{OVERLAY}/conf/app.conf", f"{OVERLAY}/.env", f"{OVERLAY}/p.yaml",
    }  # fmt: skip
    assert world.locator.inputs(commit, Source("", "charts/app", value_files=("values/web.yaml",))) == {
        *CHART,
        "values/web.yaml",
    }
    assert world.locator.inputs(commit, Source("", "m")) == {"m/x.yaml"}


@pytest.mark.parametrize("spelled", ["./m/", "m/", "m/../m"])
def test_a_path_may_be_spelled_as_people_do(world: Infra, spelled: str) -> None:
    commit = world.commit({"m/web.yaml": deployment("web", f"{IMAGE}:v1")})
    assert found(world.locator.image_fields(commit, target(spelled), IMAGE))[0][0] == "m/web.yaml"
    assert world.locator.inputs(commit, Source("", spelled)) == {"m/web.yaml"}


@pytest.mark.parametrize("root", [".", "", "./"])
def test_the_repositorys_root_may_be_a_source(world: Infra, root: str) -> None:
    commit = world.commit(
        {"kustomization.yaml": "resources: [web.yaml]\n", "web.yaml": deployment("web", f"{IMAGE}:v1")}
    )
    assert found(world.locator.image_fields(commit, target(root), IMAGE))[0][0] == "web.yaml"
    assert world.locator.inputs(commit, Source("", root)) == {"kustomization.yaml", "web.yaml"}


def test_a_charts_local_dependencies_are_inputs_too(world: Infra) -> None:
    chart = "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {name: lib, version: 1.0.0, repository: 'file://../lib'}\n"
    commit = world.commit(
        {**CHART, "charts/app/Chart.yaml": chart, "charts/lib/Chart.yaml": "name: lib\n", "x.yaml": "a: 1\n"}
    )
    assert world.locator.inputs(commit, Source("", "charts/app")) == {*CHART, "charts/lib/Chart.yaml"}


def test_a_kustomization_that_cannot_be_read_counts_as_its_whole_folder(world: Infra) -> None:
    commit = world.commit({"k/kustomization.yaml": "resources: [\n", "k/a/b.txt": "x", "other": "x"})
    assert world.locator.inputs(commit, Source("", "k")) == {"k/kustomization.yaml", "k/a/b.txt"}
