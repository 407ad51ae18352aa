"""Which place decides an image that Flux deploys."""

from __future__ import annotations

import pytest

from gitops_sre.gitops.flux.images import image_owners
from gitops_sre.yamltext import YamlTextError
from tests.gitops.flux_files import IMAGE, applies, places, release, repo

DIGEST = "sha256:" + "a" * 64
NAMED = "values: {image: {repository: registry.example.com/shop/web, tag: v1}}"


def config_map(name: str, data: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n{data}"


def test_a_registry_of_its_own_belongs_to_the_name() -> None:
    files = repo(
        {"app/r.yaml": release("values: {image: {registry: registry.example.com, repository: shop/web, tag: v1}}")}
    )
    assert places(image_owners(files, "app", IMAGE)) == [[("app/r.yaml", "spec.values.image.tag", "v1")]]
    assert image_owners(files, "app", "other.example.com/shop/web") == []


def test_a_tag_and_the_digest_beside_it_belong_together() -> None:
    files = repo({"app/r.yaml": release(f"values: {{image: {{repository: {IMAGE}, tag: v1, digest: '{DIGEST}'}}}}")})
    [fields] = image_owners(files, "app", IMAGE)
    assert [(field.role, field.value) for field in fields] == [("tag", "v1"), ("digest", DIGEST)]


def test_containers_with_one_version_are_one_owner_and_with_two_they_are_two() -> None:
    def both(other: str) -> str:
        one = f"image: {{repository: {IMAGE}, tag: v1}}"
        return f"values: {{init: {{{one}}}, main: {{image: {{repository: {IMAGE}, tag: {other}}}}}}}"

    assert len(image_owners(repo({"app/r.yaml": release(both("v1"))}), "app", IMAGE)[0]) == 2
    assert [fields[0].value for fields in image_owners(repo({"app/r.yaml": release(both("v2"))}), "app", IMAGE)] == [
        "v1",
        "v2",
    ]


def test_an_alias_is_edited_at_its_anchor() -> None:
    one, two = (f"{{image: {{repository: {IMAGE}, tag: {tag}}}}}" for tag in ("&tag v2", "*tag"))
    values = f"values: {{a: {one}, b: {two}}}"
    files = repo({"app/r.yaml": release(values)})
    assert places(image_owners(files, "app", IMAGE)) == [[("app/r.yaml", "spec.values.a.image.tag", "v2")]]


def test_yaml_in_a_block_scalar_is_looked_into() -> None:
    spec = f"""
        values:
          config: |
            containers:
            - image: {IMAGE}:v1
    """
    files = repo({"app/r.yaml": release(spec)})
    [[(_, path, value)]] = places(image_owners(files, "app", IMAGE))
    assert (path, value) == ("spec.values.config.|yaml.0.containers.0.image", f"{IMAGE}:v1")


def test_a_tag_whose_image_only_the_chart_names_is_taken_when_the_chart_is_called_like_it() -> None:
    files = repo({"app/r.yaml": release("values: {image: {tag: v1}}", name="web")})
    [fields] = image_owners(files, "app", IMAGE)
    assert fields[0].value == "v1"
    assert "the chart names the image" in fields[0].reason
    assert image_owners(repo({"app/r.yaml": release("values: {image: {tag: v1}}", name="api")}), "app", IMAGE) == []


def test_values_beat_values_from_and_a_later_reference_an_earlier_one() -> None:
    maps = config_map("one", "  values.yaml: |\n    image: {tag: v2}\n")
    maps += "---\n" + config_map("two", "  tag: v3\n")
    references = "valuesFrom:\n- {kind: ConfigMap, name: one}\n"
    references += "- {kind: ConfigMap, name: two, valuesKey: tag, targetPath: image.tag}\n"
    without = f"{references}values: {{image: {{repository: {IMAGE}}}}}"
    files = repo({"app/r.yaml": release(without), "app/maps.yaml": maps})
    assert places(image_owners(files, "app", IMAGE)) == [[("app/maps.yaml", "data.tag", "v3")]]
    files = repo({"app/r.yaml": release(references + NAMED), "app/maps.yaml": maps})
    assert places(image_owners(files, "app", IMAGE)) == [[("app/r.yaml", "spec.values.image.tag", "v1")]]


def test_a_post_renderer_beats_the_values() -> None:
    renderer = f"postRenderers:\n- kustomize:\n    images:\n    - {{name: {IMAGE}, newTag: v9}}\n"
    files = repo({"app/r.yaml": release(renderer + NAMED)})
    assert places(image_owners(files, "app", IMAGE))[0][0][1:] == (
        "spec.postRenderers.0.kustomize.images.0.newTag",
        "v9",
    )


def test_a_patch_of_the_flux_kustomization_beats_the_release() -> None:
    patch = """
        patches:
        - target: {kind: HelmRelease, name: sh.*}
          patch: |
            - op: replace
              path: /spec/values/image/tag
              value: v5
    """
    files = repo({"clusters/a.yaml": applies("app", patch), "app/r.yaml": release(NAMED)})
    [[(file, path, value)]] = places(image_owners(files, "app", IMAGE))
    assert (file, path, value) == ("clusters/a.yaml", "spec.patches.0.patch.|yaml.0.0.value", "v5")


BASE = {
    "base/r.yaml": release(NAMED),
    "base/kustomization.yaml": "resources: [r.yaml]\n",
    "staging/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
    "staging/patch.yaml": "kind: HelmRelease\nmetadata: {name: shop}\nspec: {values: {image: {tag: v2}}}\n",
    "production/kustomization.yaml": "resources:\n- ../base\n",
}


def test_an_overlays_patch_decides_for_the_overlay_alone() -> None:
    files = repo(BASE)
    assert places(image_owners(files, "staging", IMAGE)) == [[("staging/patch.yaml", "spec.values.image.tag", "v2")]]
    assert places(image_owners(files, "production", IMAGE)) == [[("base/r.yaml", "spec.values.image.tag", "v1")]]


def test_a_base_is_asked_for_by_the_environments_that_include_it() -> None:
    files = repo({f"apps/{path}": text for path, text in BASE.items()})
    assert sorted(fields[0].value for fields in image_owners(files, "apps/base", IMAGE)) == ["v1", "v2"]
    assert places(image_owners(files, "apps/base", IMAGE, "staging"))[0][0][0] == "apps/staging/patch.yaml"
    assert places(image_owners(files, "apps/base", IMAGE, "production"))[0][0][0] == "apps/base/r.yaml"


def test_a_component_of_the_flux_kustomization_is_applied() -> None:
    component = "kind: Component\npatches:\n- path: patch.yaml\n  target: {kind: HelmRelease}\n"
    files = repo(
        {
            "clusters/a.yaml": applies("app", "components: [../parts/canary]"),
            "app/r.yaml": release(NAMED),
            "parts/canary/kustomization.yaml": component,
            "parts/canary/patch.yaml": "kind: HelmRelease\nmetadata: {name: any}\nspec: {values: {image: {tag: v7}}}\n",
        }
    )
    assert places(image_owners(files, "app", IMAGE)) == [[("parts/canary/patch.yaml", "spec.values.image.tag", "v7")]]


VARIABLE = "values: {image: {repository: registry.example.com/shop/web, tag: '${TAG}'}}"
FROM = "postBuild: {substituteFrom: [{kind: ConfigMap, name: one}, {kind: %s, name: two}]}"


def test_a_later_config_map_gives_a_variable() -> None:
    maps = config_map("one", "  TAG: v1\n") + "---\n" + config_map("two", "  TAG: v2\n")
    files = repo({"k/a.yaml": applies("app", FROM % "ConfigMap"), "k/maps.yaml": maps, "app/r.yaml": release(VARIABLE)})
    [fields] = image_owners(files, "app", IMAGE)
    assert (fields[0].file, fields[0].document, fields[0].path) == ("k/maps.yaml", 1, ("data", "TAG"))
    assert "${TAG}" in fields[0].reason


def test_a_variable_from_a_line_of_a_file() -> None:
    generator = "configMapGenerator:\n- name: one\n  envs: [settings.env]\nresources: [r.yaml]\n"
    ks = applies("app", "postBuild: {substituteFrom: [{kind: ConfigMap, name: one}]}")
    texts = {"app/kustomization.yaml": generator, "app/settings.env": "TAG=v4\n", "app/r.yaml": release(VARIABLE)}
    assert places(image_owners(repo({"k/a.yaml": ks, **texts}), "app", IMAGE)) == [[("app/settings.env", "TAG", "v4")]]


def test_a_variable_from_a_secret_is_refused_only_where_it_is_the_version() -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: two}\nstringData: {TAG: v1, HOST: shop}\n"
    ks = applies("app", "postBuild: {substituteFrom: [{kind: Secret, name: two}]}")
    files = repo({"k/a.yaml": ks, "k/secret.yaml": secret, "app/r.yaml": release(VARIABLE)})
    with pytest.raises(YamlTextError, match="secrets are never edited"):
        image_owners(files, "app", IMAGE)
    other = release(NAMED + "\ntargetNamespace: '${HOST}'")
    files = repo({"k/a.yaml": ks, "k/secret.yaml": secret, "app/r.yaml": other})
    assert places(image_owners(files, "app", IMAGE))[0][0][2] == "v1"


def test_a_variable_that_nothing_sets_is_refused() -> None:
    files = repo({"k/a.yaml": applies("app"), "app/r.yaml": release(VARIABLE)})
    with pytest.raises(YamlTextError, match="nothing in the repository sets"):
        image_owners(files, "app", IMAGE)


def test_clusters_that_give_a_variable_different_values_are_told_apart() -> None:
    texts = {
        f"k/{name}.yaml": applies("app", f"postBuild: {{substitute: {{TAG: {name}}}}}", name) for name in ("a1", "b2")
    }
    owners = image_owners(repo({**texts, "app/r.yaml": release(VARIABLE)}), "app", IMAGE)
    assert sorted(fields[0].file for fields in owners) == ["k/a1.yaml", "k/b2.yaml"]


def test_a_parent_gives_its_children_variables() -> None:
    patch = """
        patches:
        - target: {kind: Kustomization, labelSelector: "vars notin (off)"}
          patch: |
            kind: Kustomization
            metadata: {name: _}
            spec: {postBuild: {substitute: {TAG: v8}}}
    """
    parent = applies("apps", patch, "parent")
    files = repo(
        {"k/p.yaml": parent, "apps/ks.yaml": applies("apps/web", "", "web"), "apps/web/r.yaml": release(VARIABLE)}
    )
    [[(file, path, value)]] = places(image_owners(files, "apps/web", IMAGE))
    assert (file, value) == ("k/p.yaml", "v8")
    assert path.endswith("spec.postBuild.substitute.TAG")


def test_a_file_that_may_name_the_image_and_cannot_be_read_is_said() -> None:
    files = repo({"app/r.yaml": f"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: [{IMAGE}:v1\n"})
    with pytest.raises(YamlTextError, match=r"app/r\.yaml"):
        image_owners(files, "app", IMAGE)


def test_an_artifact_put_together_of_folders_leads_back_to_them() -> None:
    generator = """
        apiVersion: source.extensions.fluxcd.io/v1beta1
        kind: ArtifactGenerator
        metadata: {name: parts}
        spec:
          artifacts:
          - name: apps
            copy:
            - {from: "@repo/deploy/base/**", to: "@artifact/base/"}
            - {from: "@repo/deploy/eu/**", to: "@artifact/eu/"}
    """
    ks = applies("eu", f"images: [{{name: {IMAGE}, newTag: v6}}]").replace(
        "GitRepository, name: flux-system", "ExternalArtifact, name: apps"
    )
    files = repo({"k/parts.yaml": generator, "k/a.yaml": ks, "deploy/eu/r.yaml": release(NAMED)})
    assert places(image_owners(files, "deploy/eu", IMAGE)) == [[("k/a.yaml", "spec.images.0.newTag", "v6")]]


def test_what_is_suspended_is_said() -> None:
    files = repo({"k/a.yaml": applies("app", "suspend: true"), "app/r.yaml": release(NAMED)})
    assert "flux-system/shop is suspended" in image_owners(files, "app", IMAGE)[0][0].reason
    files = repo({"app/r.yaml": release(f"suspend: true\n{NAMED}")})
    assert "(suspended" in image_owners(files, "app", IMAGE)[0][0].reason


def test_a_patch_that_cannot_be_read_is_refused_where_it_matters() -> None:
    broken = "resources: [r.yaml]\npatches:\n- patch: 'spec: ['\n  target: {kind: HelmRelease}\n"
    files = repo({"app/kustomization.yaml": broken, "app/r.yaml": release(NAMED), "api/r.yaml": release(NAMED, "api")})
    with pytest.raises(YamlTextError, match="a patch that cannot be read"):
        image_owners(files, "app", IMAGE)
    assert len(image_owners(files, "api", IMAGE)) == 1


def test_a_repository_without_flux_is_left_to_others() -> None:
    broken = "resources: [deployment.yaml]\npatches:\n- patch: 'spec: ['\n"
    manifest = f"kind: Deployment\nspec: {{template: {{spec: {{containers: [{{image: {IMAGE}:v1}}]}}}}}}\n"
    assert image_owners(repo({"app/kustomization.yaml": broken, "app/deployment.yaml": manifest}), "app", IMAGE) == []
