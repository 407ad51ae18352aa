"""Which Helm value or flag definition decides a setting."""

from __future__ import annotations

import pytest

from gitops_sre.model.change import Field
from gitops_sre.model.target import Source, Target, WorkloadRef
from tests.gitops.infra import CHART
from tests.gitops.settings_cases import (
    DATA,
    OVER,
    Place,
    aim,
    config,
    owners,
    places,
    refusal,
    the,
)

VALUES = ("values/common.yaml", "values/web.yaml")


@pytest.mark.parametrize(
    ("common", "web", "key", "place"),
    [
        ("a: {b: 1}\n", "a: {c: 2}\n", "a.b", (VALUES[0], ("a", "b"))),
        ("a: {b: 1}\n", "a: {b: 2}\n", "a.b", (VALUES[1], ("a", "b"))),
        ("a: {b: 1}\n", "c: {b: 2}\n", "c.b", (VALUES[1], ("c", "b"))),
        ("env: [{name: LOG, value: a}]\n", "b: 1\n", "LOG", (VALUES[0], ("env", 0, "value"))),
        ("env: [{name: LOG, value: a}]\n", "env: [{name: B, value: a}, {name: LOG, value: c}]\n", "LOG",
         (VALUES[1], ("env", 1, "value"))),
        ("replicas: 2\n", "worker: {replicas: 3}\n", "replicas", (VALUES[0], ("replicas",))),
        ("deep: {er: {LOG: a}}\n", "b: 1\n", "LOG", (VALUES[0], ("deep", "er", "LOG"))),
    ],
)  # fmt: skip
def test_the_last_value_file_that_sets_a_value_owns_it(common: str, web: str, key: str, place: Place) -> None:
    files = {**CHART, VALUES[0]: common, VALUES[1]: web}
    assert the(owners(files, aim("charts/app", values=VALUES), key)) == place


def test_a_list_that_a_later_file_replaces_takes_its_variables_along() -> None:
    files = {**CHART, VALUES[0]: "env: [{name: LOG, value: a}]\n", VALUES[1]: "env: [{name: B, value: a}]\n"}
    assert owners(files, aim("charts/app", values=VALUES), "LOG") == []


def test_a_subcharts_values_lie_beneath_its_name_and_under_the_charts() -> None:
    files = {**CHART, "charts/app/charts/db/values.yaml": "pool: 1\nmode: a\n",
             "charts/app/Chart.yaml": "name: app\ndependencies: [{name: db, version: 1.0.0, alias: store}]\n",
             "charts/app/values.yaml": "store: {mode: b}\n"}  # fmt: skip
    assert the(owners(files, aim("charts/app"), "store.pool")) == ("charts/app/charts/db/values.yaml", ("pool",))
    assert the(owners(files, aim("charts/app"), "store.mode")) == ("charts/app/values.yaml", ("store", "mode"))


def test_a_value_that_only_a_template_writes_is_refused() -> None:
    files = {**CHART, "charts/app/templates/c.yaml": "data: {LOG: {{ .Release.Name }}}\n"}
    assert "charts/app/templates/c.yaml: a template writes it" in refusal(files, aim("charts/app"), "LOG")


def test_value_files_that_nothing_orders_are_ambiguous_until_the_environment_is_known() -> None:
    files = {**CHART, "charts/app/values.yaml": "log: a\n", "charts/app/values-prod.yaml": "log: b\n",
             "charts/app/values-dev.yaml": "log: c\n"}  # fmt: skip
    target = Target("", "", "unknown", WorkloadRef("", "", ""), "", Source("", "charts/app"))
    assert len(owners(files, target, "log")) == 3
    of_one = Target("", "production", "unknown", WorkloadRef("", "", ""), "", Source("", "charts/app"))
    assert the(owners(files, of_one, "log")) == ("charts/app/values-prod.yaml", ("log",))


RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: {name}}}
spec:
{more}  values:
    log: {{level: debug}}
    env: {{MODE: fast}}
"""


def test_values_of_a_helm_release_are_its_workloads_settings() -> None:
    files = {"m/a.yaml": RELEASE.format(name="web", more=""), "m/b.yaml": RELEASE.format(name="other", more="")}
    for name in ("web", "web-main"):
        assert the(owners(files, aim("m", name), "log.level")) == ("m/a.yaml", ("spec", "values", "log", "level"))
    assert the(owners(files, aim("m", "web", kind="HelmRelease"), "MODE")) == (
        "m/a.yaml",
        ("spec", "values", "env", "MODE"),
    )
    assert owners(files, aim("m", "stranger"), "MODE") == []


def test_a_release_counts_in_the_namespace_that_it_makes_objects_in() -> None:
    files = {"m/kustomization.yaml": "resources: [dev, production]\n"}
    for space in ("dev", "production"):
        release = RELEASE.format(name="web", more=f"  targetNamespace: {space}\n")
        files[f"m/{space}/kustomization.yaml"] = "namespace: flux\nresources: [a.yaml]\npatches: [{path: p.yaml}]\n"
        files |= {f"m/{space}/a.yaml": release, f"m/{space}/p.yaml": release.replace("debug", "trace")}
    assert the(owners(files, aim("m"), "log.level"))[0] == "m/production/p.yaml"
    assert len(owners(files, aim("m", ""), "log.level")) == 2


def test_values_from_a_generated_configmap_lie_under_the_releases_own() -> None:
    handed = "  valuesFrom: [{kind: ConfigMap, name: web-values}]\n"
    generator = "configMapGenerator: [{name: web-values, files: [values.yaml=v.yaml]}]\n"
    files = {
        "m/kustomization.yaml": f"resources: [a.yaml]\n{generator}",
        "m/a.yaml": RELEASE.format(name="web", more=handed),
        "m/v.yaml": "log: {level: info, color: true}\n",
    }
    assert the(owners(files, aim("m"), "log.level")) == ("m/a.yaml", ("spec", "values", "log", "level"))
    assert the(owners(files, aim("m"), "log.color")) == ("m/v.yaml", ("log", "color"))


def test_the_release_whose_name_fits_best_makes_the_workload() -> None:
    files = {f"m/{name}.yaml": RELEASE.format(name=name, more="") for name in ("web", "web-api", "we")}
    assert the(owners(files, aim("m", "web-api-worker"), "MODE"))[0] == "m/web-api.yaml"


def test_a_configmap_that_a_release_mounts_by_name_counts() -> None:
    mounted = RELEASE.format(name="web", more="") + "    persistence: {config: {name: '{{ .Release.Name }}-config'}}\n"
    files = {"m/a.yaml": mounted, "m/c.yaml": config("web-config", DATA), "m/d.yaml": config("other", "  ONLY: a\n")}
    field = owners(files, aim("m"), "LOG")[0][0]
    assert (field.file, field.path) == ("m/c.yaml", ("data", "LOG"))
    assert "programs that do not watch the file keep the old value" in field.reason
    assert owners(files, aim("m"), "ONLY") == []


def test_inline_values_beat_the_files_of_a_chart_that_kustomize_inflates() -> None:
    chart = "helmCharts:\n- {name: app, releaseName: web, valuesFile: v.yaml, valuesInline: {log: {level: a}}}\n"
    files = {"m/kustomization.yaml": chart, "m/v.yaml": "log: {level: b, color: c}\n"}
    inline = ("helmCharts", 0, "valuesInline", "log", "level")
    assert the(owners(files, aim("m"), "log.level")) == ("m/kustomization.yaml", inline)
    assert the(owners(files, aim("m"), "log.color")) == ("m/v.yaml", ("log", "color"))


def test_parameters_of_an_application_beat_its_values() -> None:
    app = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web}
spec:
  source:
    helm:
      valuesObject: {log: {level: a, color: b}}
      parameters: [{name: log.level, value: c}]
"""
    helm = ("spec", "source", "helm")
    assert the(owners({"m/a.yaml": app}, aim("m"), "log.color")) == (
        "m/a.yaml",
        (*helm, "valuesObject", "log", "color"),
    )
    assert the(owners({"m/a.yaml": app}, aim("m"), "log.level")) == ("m/a.yaml", (*helm, "parameters", 0, "value"))
    several = app.replace("  source:\n    helm:", "  sources:\n  - helm:")
    expected = ("spec", "sources", 0, "helm", "parameters", 0, "value")
    assert the(owners({"m/a.yaml": several}, aim("m"), "log.level")) == ("m/a.yaml", expected)


FLAGS = '{"flags": {"new-cart": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}'

FLAG = "apiVersion: core.openfeature.dev/v1beta1\nkind: FeatureFlag\nmetadata: {{name: f}}\nspec: {{flagSpec: {}}}\n"


def parts(found: list[tuple[Field, ...]]) -> list[str]:
    assert len(found) == 1, places(found)
    return sorted(str(field.path[-1]) for field in found[0])


def test_a_flags_definition_comes_with_all_its_parts() -> None:
    expected = ["defaultVariant", "off", "on", "state"]
    operator = FLAG.format(FLAGS)
    generated = {"m/kustomization.yaml": "configMapGenerator: [{name: f, files: [f.json]}]\n", "m/f.json": FLAGS}
    assert parts(owners({"m/f.yaml": operator}, aim("m"), "new-cart")) == expected
    assert parts(owners({"m/f.flagd.json": FLAGS}, aim("m"), "new-cart")) == expected
    assert parts(owners({**CHART, "charts/app/flags/f.json": FLAGS}, aim("charts/app"), "new-cart")) == expected
    assert parts(owners(generated, aim("m", ""), "new-cart")) == expected
    assert the(owners(generated, aim("m", ""), "new-cart.state")) == ("m/f.json", ("flags", "new-cart", "state"))


def test_a_flag_of_two_files_is_ambiguous_and_a_plain_one_is_a_value() -> None:
    assert len(owners({"m/a.json": FLAGS, "m/b.json": FLAGS}, aim("m"), "new-cart")) == 2
    assert the(owners({"m/a.yaml": "flags: {new-cart: true}\n"}, aim("m"), "new-cart")) == (
        "m/a.yaml",
        ("flags", "new-cart"),
    )


def test_a_patch_of_one_part_of_a_flag_beats_the_base_and_the_rest_stays() -> None:
    files = {"base/kustomization.yaml": "resources: [f.yaml]\n", "base/f.yaml": FLAG.format(FLAGS),
             "over/p.yaml": FLAG.format('{"flags": {"new-cart": {"defaultVariant": "off"}}}'),
             OVER: "resources: [../base]\npatches: [{path: p.yaml}]\n"}  # fmt: skip
    found = owners(files, aim("over"), "new-cart")
    assert {(field.path[-1], field.file) for field in found[0]} == {
        ("state", "base/f.yaml"), ("on", "base/f.yaml"), ("off", "base/f.yaml"), ("defaultVariant", "over/p.yaml"),
    }  # fmt: skip
