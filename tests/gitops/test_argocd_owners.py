"""Which place decides an image or a chart version that Argo CD deploys, strongest first, or why none can be edited."""

from __future__ import annotations

import pytest

from gitops_sre.gitops.argocd.charts import chart_owners
from gitops_sre.gitops.argocd.images import dotted, image_owners, owners_of
from gitops_sre.model.change import Field
from gitops_sre.yamltext import YamlTextError, show
from tests.gitops.argocd import Memory, application, application_set

IMAGE = "ghcr.io/acme/web"
DIGEST = "sha256:" + "a" * 64
CHART = {"charts/web/Chart.yaml": "name: web\n", "charts/web/values.yaml": f"image: {{repository: {IMAGE}, tag: v0}}\n"}


def places(found: list[tuple[Field, ...]]) -> list[list[tuple[str, str, str]]]:
    return [[(f.file, show(f.document, f.path), f.value) for f in fields] for fields in found]


def only(files: dict[str, str], scope: str = "charts/web") -> tuple[str, str, str]:
    """The one place of the one owner of the image."""
    ((place,),) = places(image_owners(Memory(files), scope, IMAGE))
    return place


PARAMETERS = f"  parameters:\n  - {{name: image.repository, value: {IMAGE}}}\n  - {{name: image.tag, value: v4}}\n"
INLINE = "  values: |\n    image:\n      tag: v2\n"
OBJECT = "  valuesObject:\n    image: {tag: v3}\n"
FILES = "  valueFiles: [values.yaml, production.yaml]\n"


@pytest.mark.parametrize(
    ("helm", "file", "path", "value"),
    [
        (PARAMETERS + INLINE + OBJECT + FILES, "a.yaml", "spec.source.helm.parameters[1].value", "v4"),
        (INLINE + OBJECT + FILES, "a.yaml", "spec.source.helm.valuesObject.image.tag", "v3"),
        (INLINE + FILES, "a.yaml", "spec.source.helm.values.|yaml[0].image.tag", "v2"),
        (FILES, "charts/web/production.yaml", "image.tag", "v1"),
        ("  releaseName: web\n", "charts/web/values.yaml", "image.tag", "v0"),
    ],
)
def test_values_of_helm_by_their_precedence(helm: str, file: str, path: str, value: str) -> None:
    files = {"a.yaml": application("web", f"path: charts/web\nhelm:\n{helm}"), **CHART}
    files["charts/web/production.yaml"] = "image:\n  tag: v1\n"
    assert only(files) == (file, path, value)


def test_a_values_object_replaces_the_values_text_altogether() -> None:
    helm = f"path: charts/web\nhelm:\n{INLINE}  valuesObject: {{replicas: 2}}\n"
    assert only({"a.yaml": application("web", helm), **CHART}) == ("charts/web/values.yaml", "image.tag", "v0")


@pytest.mark.parametrize(
    ("entry", "decides"),
    [
        (f"{IMAGE}:v2", True),
        (f"web={IMAGE}:v2", True),
        (f"{IMAGE}@{DIGEST}", True),
        (f"web={IMAGE}", False),
        ("ghcr.io/acme/web-ui:v2", False),
    ],
)
def test_kustomize_images_of_the_application(entry: str, decides: bool) -> None:
    files = {
        "a.yaml": application("web", f"path: apps/web\nkustomize:\n  images: ['{entry}']\n"),
        "apps/web/x.yaml": "",
    }
    found = places(image_owners(Memory(files), "apps/web", IMAGE))
    assert found == ([[("a.yaml", "spec.source.kustomize.images[0]", entry)]] if decides else [])


def test_an_override_file_beats_the_application_and_that_of_its_own_name_the_common_one() -> None:
    files = {"a.yaml": application("web", f"path: charts/web\nhelm:\n{PARAMETERS}"), **CHART}
    written = "helm:\n  parameters:\n  - {name: image.tag, value: TAG}\n"
    files["charts/web/.argocd-source.yaml"] = written.replace("TAG", "v5")
    assert only(files) == ("charts/web/.argocd-source.yaml", "helm.parameters[0].value", "v5")
    files["charts/web/.argocd-source-web.yaml"] = written.replace("TAG", "v6")
    files["charts/web/.argocd-source-other.yaml"] = written.replace("TAG", "v7")
    (owner,) = image_owners(Memory(files), "charts/web", IMAGE)
    assert places([owner]) == [[("charts/web/.argocd-source-web.yaml", "helm.parameters[0].value", "v6")]]
    assert "beats" in owner[0].reason


def test_an_override_file_cannot_move_the_source() -> None:
    files = {"a.yaml": application("web", f"path: charts/web\nhelm:\n{PARAMETERS}"), **CHART}
    files["charts/web/.argocd-source.yaml"] = "path: elsewhere\ntargetRevision: v9\n"
    assert only(files)[2] == "v4"


def test_an_application_that_sets_nothing_leaves_it_to_the_files() -> None:
    files = {"a.yaml": application("web", "path: apps/web\n"), "apps/web/x.yaml": f"image: {IMAGE}:v1\n"}
    assert image_owners(Memory(files), "apps/web", IMAGE) == []


def test_applications_of_two_environments_are_two_owners_even_with_one_version() -> None:
    source = f"path: apps/web\nkustomize:\n  images: ['{IMAGE}:v2']\n"
    files = {f"{name}.yaml": application(f"web-{name}", source, namespace=name) for name in ("staging", "production")}
    memory = Memory({**files, "apps/web/x.yaml": ""})
    assert len(image_owners(memory, "apps/web", IMAGE)) == 2
    ((field,),) = image_owners(memory, "apps/web", IMAGE, "prod")
    assert field.file == "production.yaml"


def test_a_place_that_two_applications_share_is_one_owner() -> None:
    sources = [f"path: charts/web\nhelm:\n  releaseName: {name}\n  valueFiles: [common.yaml]\n" for name in ("a", "b")]
    files = {f"{at}.yaml": application(f"web-{at}", source) for at, source in enumerate(sources)}
    files |= {**CHART, "charts/web/common.yaml": "image: {tag: v1}\n"}
    assert only(files) == ("charts/web/common.yaml", "image.tag", "v1")


LIST = "- list:\n    elements:\n    - {env: staging, tag: v2}\n    - {env: production, tag: v1}\n"


def test_a_literal_in_a_template_decides_for_all_that_the_set_makes() -> None:
    source = f"path: 'apps/{{{{env}}}}'\nkustomize:\n  images: ['{IMAGE}:v8']\n"
    files = {"set.yaml": application_set(LIST, source, name="'web-{{env}}'"), "apps/production/x.yaml": ""}
    ((field,),) = image_owners(Memory(files), "apps/production", IMAGE)
    assert show(field.document, field.path) == "spec.template.spec.source.kustomize.images[0]"
    assert "decides for all of ApplicationSet argocd/shop" in field.reason


def test_the_application_of_a_cluster_is_found_by_its_name() -> None:
    source = f"path: apps/web\nkustomize:\n  images: ['{IMAGE}:v2']\n"
    files = {f"{name}.yaml": application(f"web-{name}", source, namespace=name) for name in ("staging", "production")}
    ((field,),) = owners_of(Memory(files), "argocd/web-production", IMAGE)
    assert field.file == "production.yaml"
    assert owners_of(Memory(files), "argocd/web", IMAGE) == []
    assert owners_of(Memory(files), "other/web-production", IMAGE) == []


def test_inline_values_of_a_template_lead_to_the_element_that_fills_them_in() -> None:
    source = f"path: charts/web\nhelm:\n  values: |\n    image:\n      repository: {IMAGE}\n      tag: '{{{{tag}}}}'\n"
    files = {"set.yaml": application_set(LIST, source, name="'web-{{env}}'"), **CHART}
    ((field,),) = image_owners(Memory(files), "charts/web", IMAGE, "production")
    assert (show(field.document, field.path), field.role) == ("spec.generators[0].list.elements[1].tag", "tag")


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        (f"kustomize:\n  images: ['{IMAGE}:{{{{unknown}}}}']\n", "'{{env}}'", "filled in from something else"),
        (f"kustomize:\n  images: ['{IMAGE}:{{{{env}}}}-{{{{tag}}}}']\n", "'{{env}}'", "variables"),
        (f"kustomize:\n  images: ['{IMAGE}:v1']\n", "{{env}}", "quote the templates"),
    ],
)
def test_what_a_template_makes_of_several_or_unknown_things_is_refused(source: str, name: str, said: str) -> None:
    files = {"set.yaml": application_set(LIST, f"path: apps\n{source}", name=name), "apps/x.yaml": ""}
    with pytest.raises(YamlTextError, match=said):
        image_owners(Memory(files), "apps", IMAGE)


def test_a_template_patch_makes_the_template_itself_unsure() -> None:
    made = application_set(LIST, f"path: apps\nkustomize:\n  images: ['{IMAGE}:v1']\n", name="'{{env}}'", go=True)
    made += "  templatePatch: |\n    spec: {{ toYaml .patch }}\n"
    with pytest.raises(YamlTextError, match="templatePatch"):
        image_owners(Memory({"set.yaml": made, "apps/x.yaml": ""}), "apps", IMAGE)


def test_parameters_are_named_in_helms_own_notation() -> None:
    assert dotted(r"a.b[1].c\.d") == ("a", "b", 1, "c.d")


REMOTE = "chart: web\ntargetRevision: {}\n"


def test_a_charts_version_is_the_target_revision_beside_it() -> None:
    files = {
        "apps/web.yaml": application("web", REMOTE.format("'1.2.3'")),
        "apps/db.yaml": application("db", "path: x\n"),
    }
    (owner,) = chart_owners(Memory(files), "apps", "web")
    assert places([owner]) == [[("apps/web.yaml", "spec.source.targetRevision", "1.2.3")]]
    assert owner[0].role == "chart"
    assert chart_owners(Memory(files), "apps", "https://git.example.com/acme/infra.git/web") == [owner]
    assert chart_owners(Memory(files), "apps", "web-ui") == []


@pytest.mark.parametrize(("version", "said"), [("1.x", "range"), ("'*'", "range"), ("''", "pin one")])
def test_a_range_or_no_version_is_refused_until_it_is_pinned(version: str, said: str) -> None:
    with pytest.raises(YamlTextError, match=said):
        chart_owners(Memory({"apps/web.yaml": application("web", REMOTE.format(version))}), "apps", "web")


def umbrella(version: str, lock: bool = True) -> dict[str, str]:
    """A chart with one dependency."""
    files = {
        "up/Chart.yaml": f"name: up\ndependencies:\n- name: web\n  version: {version}\n  repository: https://x.example\n"
    }
    locked = f"dependencies:\n- name: web\n  version: 1.2.3\ndigest: {DIGEST}\n"
    return files | ({"up/Chart.lock": locked} if lock else {})


def test_an_umbrellas_dependency_and_its_lock_belong_together() -> None:
    (owner,) = chart_owners(Memory(umbrella("1.2.3")), "up", "web")
    assert places([owner]) == [[
        ("up/Chart.yaml", "dependencies[0].version", "1.2.3"), ("up/Chart.lock", "dependencies[0].version", "1.2.3"),
        ("up/Chart.lock", "digest", DIGEST),
    ]]  # fmt: skip
    assert "put back together" in owner[-1].reason


def test_of_a_range_the_lock_alone_decides_and_without_one_nothing_does() -> None:
    (owner,) = chart_owners(Memory(umbrella("^1.0.0")), "up", "web")
    assert {field.file for field in owner} == {"up/Chart.lock"}
    with pytest.raises(YamlTextError, match="without a"):
        chart_owners(Memory(umbrella("^1.0.0", lock=False)), "up", "web")


@pytest.mark.parametrize("vendored", ["up/charts/web-1.2.3.tgz", "up/charts/web/Chart.yaml"])
def test_a_dependency_that_is_in_the_repository_is_what_runs(vendored: str) -> None:
    with pytest.raises(YamlTextError, match="vendor"):
        chart_owners(Memory({**umbrella("1.2.3"), vendored: "name: web\n"}), "up", "web")
