"""Which place decides a chart's version or a source's revision, with Flux and beside it."""

from __future__ import annotations

import pytest

from gitops_sre.gitops.flux.charts import chart_owners
from gitops_sre.gitops.flux.refs import ref_owners
from gitops_sre.yamltext import YamlTextError
from tests.gitops.flux_files import applies, places, release, repo, source

BY_REFERENCE = "chartRef: {kind: OCIRepository, name: shop}"
URL = "url: oci://registry.example.com/charts/shop"


def refused(texts: dict[str, str], chart: str = "shop", scope: str = "app") -> str:
    with pytest.raises(YamlTextError) as caught:
        chart_owners(repo(texts), scope, chart)
    return str(caught.value)


def test_a_chart_is_asked_for_by_name_or_by_url() -> None:
    files = repo(
        {"app/r.yaml": release(BY_REFERENCE), "src/s.yaml": source("OCIRepository", f"{URL}\nref: {{tag: 1.2.3}}")}
    )
    for name in ("shop", "registry.example.com/charts/shop", "oci://registry.example.com/charts/shop"):
        assert places(chart_owners(files, "app", name)) == [[("src/s.yaml", "spec.ref.tag", "1.2.3")]]
    assert chart_owners(files, "app", "registry.example.com/other/shop") == []


def test_a_source_says_who_else_takes_charts_from_it() -> None:
    shared = {
        "src/s.yaml": source("OCIRepository", f"{URL}\nref: {{tag: 1.2.3}}"),
        "api/r.yaml": release(BY_REFERENCE, "api"),
    }
    [[field]] = chart_owners(repo({"app/r.yaml": release(BY_REFERENCE), **shared}), "app", "shop")
    assert field.reason.endswith("as do 1 more files: api/r.yaml")


def test_a_digest_moves_with_the_tag_that_it_beats() -> None:
    ref = f"{URL}\nref: {{tag: 1.2.3, digest: 'sha256:{'a' * 64}'}}"
    [fields] = chart_owners(
        repo({"app/r.yaml": release(BY_REFERENCE), "app/s.yaml": source("OCIRepository", ref)}), "app", "shop"
    )
    assert [(field.role, field.path[-1]) for field in fields] == [("digest", "digest"), ("chart", "tag")]


def test_a_helm_chart_object_holds_the_version() -> None:
    texts = {
        "app/r.yaml": release("chartRef: {kind: HelmChart, name: shop}"),
        "app/c.yaml": source("HelmChart", "chart: shop\nversion: 3.0.1\nsourceRef: {kind: HelmRepository, name: x}"),
    }
    assert places(chart_owners(repo(texts), "app", "shop")) == [[("app/c.yaml", "spec.version", "3.0.1")]]


def test_an_overlays_patch_gives_the_version() -> None:
    files = repo(
        {
            "base/r.yaml": release(""),
            "base/kustomization.yaml": "resources: [r.yaml]\n",
            "eu/kustomization.yaml": "resources: [../base]\npatches:\n- {path: version.yaml, target: {name: shop}}\n",
            "eu/version.yaml": "- {op: replace, path: /spec/chart/spec/version, value: 2.1.0}\n",
        }
    )
    [fields] = chart_owners(files, "eu", "shop")
    assert (fields[0].file, fields[0].path, fields[0].value) == ("eu/version.yaml", (0, "value"), "2.1.0")


def test_a_version_that_is_a_variable_is_held_by_what_sets_it() -> None:
    spec = "chart: {spec: {chart: shop, version: '${V}', sourceRef: {kind: HelmRepository, name: shop}}}"
    files = repo({"k.yaml": applies("app", "postBuild: {substitute: {V: 1.0.0}}"), "app/r.yaml": release(spec)})
    assert places(chart_owners(files, "app", "shop")) == [[("k.yaml", "spec.postBuild.substitute.V", "1.0.0")]]


def test_releases_at_different_versions_are_told_apart() -> None:
    texts = {"app/a.yaml": release(""), "app/b.yaml": release("", name="other").replace("2.0.4", "2.0.5")}
    assert [fields[0].value for fields in chart_owners(repo(texts), "app", "shop")] == ["2.0.4", "2.0.5"]


@pytest.mark.parametrize("version", ["1.x", ">=1.0.0", "~1.2.0", "1.2", "*", "1.2.3 - 1.4.0"])
def test_a_range_is_refused(version: str) -> None:
    spec = f"chart: {{spec: {{chart: shop, version: '{version}', sourceRef: {{kind: HelmRepository, name: shop}}}}}}"
    assert "pin it" in refused({"app/r.yaml": release(spec)})


def test_no_version_is_refused() -> None:
    spec = "chart: {spec: {chart: shop, sourceRef: {kind: HelmRepository, name: shop}}}"
    assert "pin one" in refused({"app/r.yaml": release(spec)})


def test_a_range_in_an_oci_repository_is_refused() -> None:
    texts = {
        "app/r.yaml": release(BY_REFERENCE),
        "app/s.yaml": source("OCIRepository", f"{URL}\nref: {{semver: 1.x, tag: 1.2.3}}"),
    }
    assert "pin it" in refused(texts)


def test_a_chart_from_a_branch_is_refused() -> None:
    spec = "chart: {spec: {chart: ./charts/shop, sourceRef: {kind: GitRepository, name: shop}}}"
    git = source("GitRepository", "url: https://git.example.com/charts\nref: {branch: main}")
    assert "moves by itself" in refused({"app/r.yaml": release(spec), "src.yaml": git})


def test_two_sources_of_the_name_are_not_chosen_between() -> None:
    texts = {f"{name}/s.yaml": source("OCIRepository", f"{URL}\nref: {{tag: 1.2.3}}") for name in ("one", "two")}
    assert "could be any of one/s.yaml, two/s.yaml" in refused({"app/r.yaml": release(BY_REFERENCE), **texts})


def test_a_release_that_no_kustomization_includes_is_still_found() -> None:
    texts = {
        "app/kustomization.yaml": "resources:\n- other.yaml\n",
        "app/other.yaml": "kind: List\n",
        "app/r.yaml": release(""),
    }
    assert places(chart_owners(repo(texts), "app", "shop")) == [[("app/r.yaml", "spec.chart.spec.version", "2.0.4")]]


def test_a_helmfile_holds_versions_too() -> None:
    helmfile = """
        releases:
        - {name: shop, chart: charts/shop, version: 1.4.0}
        - {name: api, chart: oci://registry.example.com/charts/api, version: 2.0.0}
    """
    files = repo({"boot/helmfile.yaml": helmfile})
    assert places(chart_owners(files, "boot", "charts/shop")) == [
        [("boot/helmfile.yaml", "releases.0.version", "1.4.0")]
    ]
    assert places(chart_owners(files, "boot", "api")) == [[("boot/helmfile.yaml", "releases.1.version", "2.0.0")]]


def test_a_kustomization_inflates_charts() -> None:
    files = repo(
        {"app/kustomization.yaml": "helmCharts:\n- {name: shop, version: 1.4.0, repo: https://charts.example.com}\n"}
    )
    assert places(chart_owners(files, "app", "shop")) == [[("app/kustomization.yaml", "helmCharts.0.version", "1.4.0")]]


def test_a_commit_beats_the_tag_beside_it() -> None:
    git = source("GitRepository", "url: https://git.example.com/shop/deploy.git\nref: {tag: v1.0.0, commit: abc123}")
    files = repo({"app/s.yaml": git})
    assert places(ref_owners(files, "app", "shop")) == [[("app/s.yaml", "spec.ref.commit", "abc123")]]
    assert places(ref_owners(files, "app", "shop/deploy")) == [[("app/s.yaml", "spec.ref.commit", "abc123")]]


def test_a_remote_resource_names_its_ref() -> None:
    url = "https://git.example.com/shop/deploy//overlays/eu?ref=v1.2.0"
    files = repo(
        {"app/kustomization.yaml": f"resources:\n- {url}\n- https://git.example.com/other/deployment?ref=v2\n"}
    )
    assert places(ref_owners(files, "app", "deploy")) == [[("app/kustomization.yaml", "resources.0", url)]]
