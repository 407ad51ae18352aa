"""Which place decides a setting: checked against what kustomize and Helm make of an edit there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_sre import yamltext
from gitops_sre.adapters.render import ToolRenderer
from gitops_sre.gitops.configuration import setting_owners
from gitops_sre.model.change import Field
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source, Target, WorkloadRef
from gitops_sre.yamltext import YamlTextError
from tests.gitops.infra import CHART, tool

Place = tuple[str, tuple[str | int, ...]]


@dataclass(frozen=True)
class Tree:
    """Files in memory."""

    files: Mapping[str, str]

    def text(self, path: str) -> str | None:
        return self.files.get(path)

    def under(self, folder: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self.files if not folder or path.startswith(f"{folder}/")))


def workload(name: str, containers: str, *, kind: str = "Deployment", namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"""\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}{where}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
{containers}"""


def reads(config: str, name: str = "web") -> str:
    return f"      - name: {name}\n        image: web:v1\n        envFrom: [{{configMapRef: {{name: {config}}}}}]\n"


def sets(variable: str, value: str, name: str = "web") -> str:
    return f"      - name: {name}\n        image: web:v1\n        env: [{{name: {variable}, value: {value}}}]\n"


def config(name: str, data: str, namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{where}}}\ndata:\n{data}"


def aim(path: str, name: str = "web", *, kind: str = "Deployment", values: tuple[str, ...] = ()) -> Target:
    ref = WorkloadRef(kind, "production" if name else "", name) if name else WorkloadRef("", "", "")
    source = Source("", path, value_files=values, release_name=name, namespace="production")
    return Target(name, "production", "standard", ref, "argocd/web", source)


def owners(files: Mapping[str, str], target: Target, key: str) -> list[tuple[Field, ...]]:
    return setting_owners(Tree(files), target, key)


def places(found: list[tuple[Field, ...]]) -> list[list[Place]]:
    return [[(field.file, field.path) for field in fields] for fields in found]


def the(found: list[tuple[Field, ...]]) -> Place:
    assert [len(each) for each in found] == [1], places(found)
    return found[0][0].file, found[0][0].path


def refusal(files: Mapping[str, str], target: Target, key: str) -> str:
    with pytest.raises(YamlTextError) as caught:
        owners(files, target, key)
    return str(caught.value)


def rendered(folder: Path, files: Mapping[str, str], target: Target) -> str:
    """What kustomize or Helm makes of the files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    objects = ToolRenderer().render(folder, target.source)
    assert not isinstance(objects, Unavailable), objects.reason
    return json.dumps(objects)


def base(*, generator: str = "", body: str = reads("web-config")) -> dict[str, str]:
    return {"base/kustomization.yaml": f"resources: [web.yaml]\n{generator}", "base/web.yaml": workload("web", body)}


GENERATOR = "configMapGenerator:\n- name: web-config\n{}  literals: [LOG=old]\n"
MERGED = GENERATOR.format("  behavior: merge\n")
OVER = "over/kustomization.yaml"
ENV = ("spec", "template", "spec", "containers", 0, "env", 0, "value")
REPLACED = GENERATOR.format("  behavior: replace\n")
DATA = "  LOG: old\n"
FROM_KEY = """\
      - name: web
        image: web:v1
        env: [{name: LOG, valueFrom: {configMapKeyRef: {name: web-config, key: log}}}]
"""
KUSTOMIZED: dict[str, tuple[dict[str, str], Place]] = {
    "a base's generator": (
        {**base(generator=GENERATOR.format("")), OVER: "resources: [../base]\n"},
        ("base/kustomization.yaml", ("configMapGenerator", 0, "literals", 0)),
    ),
    "an overlay that merges": (
        {**base(generator=GENERATOR.format("")), OVER: f"resources: [../base]\n{MERGED}"},
        (OVER, ("configMapGenerator", 0, "literals", 0)),
    ),
    "an overlay that merges into a manifest": (
        {**base(), "base/kustomization.yaml": "resources: [web.yaml, c.yaml]\n",
         "base/c.yaml": config("web-config", DATA), OVER: f"resources: [../base]\n{MERGED}"},
        (OVER, ("configMapGenerator", 0, "literals", 0)),
    ),
    "an overlay that replaces": (
        {**base(generator=GENERATOR.format("")), OVER: f"resources: [../base]\n{REPLACED}"},
        (OVER, ("configMapGenerator", 0, "literals", 0)),
    ),
    "a prefixed base": (
        {**base(generator=GENERATOR.format("") + "namePrefix: a-\n"), OVER: "namePrefix: b-\nresources: [../base]\n"},
        ("base/kustomization.yaml", ("configMapGenerator", 0, "literals", 0)),
    ),
    "a patch over the generator": (
        {**base(generator=GENERATOR.format("")), "over/p.yaml": config("web-config", DATA),
         OVER: f"resources: [../base]\n{MERGED}patches: [{{path: p.yaml}}]\n"},
        ("over/p.yaml", ("data", "LOG")),
    ),
    "a JSON patch of the ConfigMap": (
        {**base(generator=GENERATOR.format("")),
         "over/p.yaml": "- {op: replace, path: /data/LOG, value: old}\n",
         OVER: "resources: [../base]\npatches: [{path: p.yaml, target: {kind: ConfigMap, name: web-.*}}]\n"},
        ("over/p.yaml", (0, "value")),
    ),
    "a component over the overlay's generator": (
        {**base(generator=GENERATOR.format("")), OVER: f"resources: [../base]\ncomponents: [../part]\n{MERGED}",
         "part/kustomization.yaml": f"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n{MERGED}"},
        ("part/kustomization.yaml", ("configMapGenerator", 0, "literals", 0)),
    ),
    "a variable of the container over envFrom": (
        {**base(generator=GENERATOR.format(""), body=reads("web-config") + "        env: [{name: LOG, value: old}]\n"),
         OVER: f"resources: [../base]\n{MERGED}"},
        ("base/web.yaml", ENV),
    ),
    "a variable by reference over envFrom": (
        {**base(generator="configMapGenerator: [{name: web-config, literals: [log=old, LOG=other]}]\n",
                body=FROM_KEY + "        envFrom: [{configMapRef: {name: web-config}}]\n"),
         OVER: "resources: [../base]\n"},
        ("base/kustomization.yaml", ("configMapGenerator", 0, "literals", 0)),
    ),
    "a patch of the variable": (
        {**base(body=sets("LOG", "base")), "over/p.yaml": workload("web", sets("LOG", "old")),
         OVER: "resources: [../base]\npatchesStrategicMerge: [p.yaml]\n"},
        ("over/p.yaml", ENV),
    ),
    "a patch whose target says what it is for": (
        {**base(body=sets("LOG", "base")), "over/p.yaml": workload("ignored", sets("LOG", "old")),
         OVER: "resources: [../base]\npatches: [{path: p.yaml, target: {kind: Deployment}}]\n"},
        ("over/p.yaml", ENV),
    ),
    "a JSON patch that names the variable by position": (
        {**base(body=sets("LOG", "base")),
         "over/p.yaml": "- {op: replace, path: /spec/template/spec/containers/0/env/0/value, value: old}\n",
         OVER: "resources: [../base]\npatches: [{path: p.yaml, target: {kind: Deployment, name: web}}]\n"},
        ("over/p.yaml", (0, "value")),
    ),
    "a JSON patch that appends the variable": (
        {**base(body=sets("MODE", "base")),
         "over/p.yaml": "- {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: LOG, value: old}}\n",
         OVER: "resources: [../base]\npatches: [{path: p.yaml, target: {kind: Deployment, name: web}}]\n"},
        ("over/p.yaml", (0, "value", "value")),
    ),
    "the last of two patches": (
        {**base(body=sets("LOG", "base")), "over/p.yaml": workload("web", sets("LOG", "first")),
         "over/q.yaml": workload("web", sets("LOG", "old")),
         OVER: "resources: [../base]\npatches: [{path: p.yaml}, {path: q.yaml}]\n"},
        ("over/q.yaml", ENV),
    ),
    "a variable that reads a key of another name": (
        {**base(generator="configMapGenerator: [{name: web-config, literals: [log=old, LOG=other]}]\n",
                body=FROM_KEY),
         OVER: "resources: [../base]\n"},
        ("base/kustomization.yaml", ("configMapGenerator", 0, "literals", 0)),
    ),
}  # fmt: skip


@tool("kubectl")
@pytest.mark.parametrize("case", KUSTOMIZED)
def test_an_edit_there_is_what_kustomize_makes_of_it(case: str, tmp_path: Path) -> None:
    files, place = KUSTOMIZED[case]
    target = aim("over", "b-a-web" if "prefixed" in case else "web")
    found = owners(files, target, "LOG")
    assert the(found) == place
    field = found[0][0]
    text = files[field.file]
    raw = field.raw.replace("old", "fresh")
    edited = yamltext.splice_raw(text, [(field.document, field.path, raw)])
    assert rendered(tmp_path, {**files, field.file: edited}, target).count("fresh") == 1


def plain(name: str, data: str, *, namespace: str = "") -> dict[str, str]:
    return {f"m/{name}.yaml": workload(name, reads(f"{name}-config"), namespace=namespace),
            f"m/{name}-config.yaml": config(f"{name}-config", data, namespace)}  # fmt: skip


def test_another_workloads_configmap_is_not_the_targets() -> None:
    files = {**plain("web", "  LOG: debug\n"), **plain("worker", "  LOG: debug\n  ONLY: 1\n")}
    assert the(owners(files, aim("m"), "LOG")) == ("m/web-config.yaml", ("data", "LOG"))
    assert owners(files, aim("m"), "ONLY") == []
    assert owners(files, aim("m", "gone"), "ONLY") == []


def test_without_a_workload_a_key_is_unique_or_ambiguous() -> None:
    files = {**plain("web", "  LOG: debug\n"), **plain("worker", "  LOG: debug\n  ONLY: 1\n")}
    assert the(owners(files, aim("m", ""), "ONLY")) == ("m/worker-config.yaml", ("data", "ONLY"))
    assert len(owners(files, aim("m", ""), "LOG")) == 2
    assert the(owners(files, aim("m", ""), "worker-config.LOG")) == ("m/worker-config.yaml", ("data", "LOG"))


def test_the_namespace_tells_two_configmaps_of_one_name_apart() -> None:
    text = "---\n".join(f"{config('web-config', DATA, space)}" for space in ("dev", "production"))
    pods = "---\n".join(workload("web", reads("web-config"), namespace=space) for space in ("dev", "production"))
    found = owners({"m/c.yaml": text, "m/w.yaml": pods}, aim("m"), "LOG")
    assert [field.document for field in found[0]] == [1]
    assert len(found) == 1


def test_a_configmap_of_which_only_other_keys_are_read_does_not_count() -> None:
    one = "      - name: web\n        env: [{name: A, valueFrom: {configMapKeyRef: {name: shared, key: A}}}]\n"
    files = {"m/w.yaml": workload("web", one), "m/c.yaml": config("shared", "  A: a\n  B: b\n")}
    assert the(owners(files, aim("m"), "A")) == ("m/c.yaml", ("data", "A"))
    assert owners(files, aim("m"), "B") == []


def test_a_variable_that_is_read_from_elsewhere_says_where() -> None:
    one = "      - name: web\n        env: [{name: A, valueFrom: {configMapKeyRef: {name: shared, key: a}}}]\n"
    assert "ConfigMap shared, key a, which is set elsewhere" in refusal(
        {"m/w.yaml": workload("web", one)}, aim("m"), "A"
    )


def test_the_same_variable_in_two_containers_needs_the_containers_name() -> None:
    files = {"m/w.yaml": workload("web", sets("LOG", "a") + sets("LOG", "b", "proxy"))}
    assert len(owners(files, aim("m"), "LOG")) == 2
    containers = ("spec", "template", "spec", "containers")
    assert the(owners(files, aim("m"), "proxy.LOG")) == ("m/w.yaml", (*containers, 1, "env", 0, "value"))


def test_a_cron_job_and_a_generated_name_with_its_hash_are_found() -> None:
    job = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: web}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - {name: web, envFrom: [{configMapRef: {name: web-config-7m2fbg94ck}}]}
"""
    files = {"m/w.yaml": job, "m/c.yaml": config("web-config", DATA)}
    assert the(owners(files, aim("m", kind="CronJob"), "LOG")) == ("m/c.yaml", ("data", "LOG"))


SECRETS = {
    "a Secret": "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {HOST: h}\n",
    "a sealed one": "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: db}\n"
    "spec: {encryptedData: {HOST: h}}\n",
    "an external one": "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: x}\n"
    "spec: {target: {name: db}, data: [{secretKey: HOST, remoteRef: {key: shop/db}}]}\n",
    "SOPS": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\ndata: {HOST: 'ENC[x]'}\nsops: {mac: x}\n",
}


@pytest.mark.parametrize("case", SECRETS)
def test_secrets_are_refused_with_the_reason(case: str) -> None:
    kind = "configMapRef" if case == "SOPS" else "secretRef"
    pod = workload("web", reads("db").replace("configMapRef", kind))
    says = "SOPS" if case == "SOPS" else "secrets are never edited"
    assert says in refusal({"m/s.yaml": SECRETS[case], "m/w.yaml": pod}, aim("m"), "HOST")


@pytest.mark.parametrize("how", ["literals: [HOST=h]", "envs: [db.env]", "files: [HOST=db.env]"])
def test_what_a_secret_generator_holds_is_refused(how: str) -> None:
    pod = workload("web", reads("db").replace("configMapRef", "secretRef"))
    files = {"m/kustomization.yaml": f"resources: [w.yaml]\nsecretGenerator: [{{name: db, {how}}}]\n",
             "m/w.yaml": pod, "m/db.env": "HOST=h\n"}  # fmt: skip
    assert "secrets are never edited" in refusal(files, aim("m"), "HOST")


def test_what_hides_an_edit_is_refused() -> None:
    files = {**base(body=sets("LOG", "a") + "      initContainers: []\n"), "base/c.yaml": config("c", "  a: b\n")}
    copied = """\
replacements:
- source: {kind: ConfigMap, name: c, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ['spec.template.spec.containers.[name=web].env.[name=LOG].value']
"""
    files["base/kustomization.yaml"] = f"resources: [web.yaml, c.yaml]\n{copied}"
    assert "`replacements` fill in" in refusal(files, aim("base"), "LOG")


def test_a_position_that_two_files_decide_is_refused() -> None:
    files = {
        **base(body=sets("LOG", "a")),
        "over/p.yaml": workload("web", sets("MODE", "b")),
        "over/q.yaml": "- {op: replace, path: /spec/template/spec/containers/0/env/0/value, value: c}\n",
        OVER: "resources: [../base]\npatches: [{path: p.yaml}, {path: q.yaml, target: {kind: Deployment}}]\n",
    }
    assert "by its position alone, which may be LOG" in refusal(files, aim("over"), "LOG")


def test_a_file_that_cannot_be_read_matters_only_when_it_names_the_setting() -> None:
    files = {**plain("web", "  LOG: debug\n"), "m/broken.yaml": "a: {{ .Values.b }}\nLEVEL: {{ .c }}\n"}
    assert the(owners(files, aim("m"), "LOG")) == ("m/web-config.yaml", ("data", "LOG"))
    assert "m/broken.yaml" in refusal(files, aim("m"), "LEVEL")


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


def overlays(*environments: str) -> dict[str, str]:
    made = base(generator=GENERATOR.format(""))
    return {f"web/{path}": text for path, text in made.items()} | {
        f"web/{env}/kustomization.yaml": f"resources: [../base]\n{MERGED}" for env in environments
    }


def test_of_a_folder_with_overlays_the_environment_decides() -> None:
    files = overlays("dev", "prod")
    target = Target("", "production", "unknown", WorkloadRef("", "", ""), "", Source("", "web"))
    assert the(owners(files, target, "LOG"))[0] == "web/prod/kustomization.yaml"
    anywhere = Target("", "", "unknown", WorkloadRef("", "", ""), "", Source("", "web"))
    assert len(owners(files, anywhere, "LOG")) == 2


def test_what_restarts_nothing_is_said() -> None:
    said = owners(plain("web", DATA), aim("m"), "LOG")[0][0].reason
    assert "running pods keep the old value until they restart" in said
    files = {**base(generator=GENERATOR.format("")), "base/off": ""}
    assert "restart" not in owners(files, aim("base"), "LOG")[0][0].reason
    files["base/kustomization.yaml"] += "generatorOptions: {disableNameSuffixHash: true}\n"
    assert "running pods keep" in owners(files, aim("base"), "LOG")[0][0].reason


INSIDE = """\
  app.yaml: |
    timeout: 1
    server: {timeout: 2}
    list:
    - {name: a, timeout: 3}
  app.json: |-
    {"server": {"port": 4}}
"""


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("timeout", ("app.yaml", "|yaml", 0, "timeout")),
        ("server.timeout", ("app.yaml", "|yaml", 0, "server", "timeout")),
        ("a.timeout", ("app.yaml", "|yaml", 0, "list", 0, "timeout")),
        ("web-config.app.yaml.server.timeout", ("app.yaml", "|yaml", 0, "server", "timeout")),
        ("port", ("app.json", "|yaml", 0, "server", "port")),
    ],
)
def test_a_key_of_a_text_that_is_yaml_is_found_by_its_path(key: str, path: tuple[str | int, ...]) -> None:
    assert the(owners(plain("web", INSIDE), aim("m"), key)) == ("m/web-config.yaml", ("data", *path))


def test_an_inline_patch_beats_the_base() -> None:
    inline = "- patch: |-\n    " + workload("web", sets("LOG", "new")).replace("\n", "\n    ")
    files = {**base(body=sets("LOG", "old")), OVER: f"resources: [../base]\npatches:\n{inline}\n"}
    assert the(owners(files, aim("over"), "LOG")) == (OVER, ("patches", 0, "patch", "|yaml", 0, *ENV))
    operation = "- {op: replace, path: /spec/template/spec/containers/0/env/0/value, value: new}"
    files[OVER] = f"resources: [../base]\npatches:\n- target: {{kind: Deployment}}\n  patch: |\n    {operation}\n"
    assert the(owners(files, aim("over"), "LOG")) == (OVER, ("patches", 0, "patch", "|yaml", 0, 0, "value"))


def test_a_line_of_a_generators_env_file_is_found() -> None:
    generator = "configMapGenerator:\n- {name: web-config, envs: [web.env]}\n"
    files = {**base(generator=generator), "base/web.env": "# at start\nLOG=a\nexport MODE='b'\n"}
    assert the(owners(files, aim("base"), "LOG")) == ("base/web.env", ("LOG",))
    assert the(owners(files, aim("base"), "MODE")) == ("base/web.env", ("MODE",))


def test_a_generators_file_of_another_format_is_refused_by_name() -> None:
    files = {**base(generator="configMapGenerator: [{name: web-config, files: [app.toml]}]\n"),
             "base/app.toml": "[server]\nport = 1\n"}  # fmt: skip
    assert "base/app.toml sets it, in a format that is not read" in refusal(files, aim("base"), "port")


def test_one_line_of_a_text_is_found_by_its_key() -> None:
    text = config("web-config", "  app.properties: |\n    # pool\n    pool.size=5\n    log = a\n")
    files = {"m/w.yaml": workload("web", reads("web-config")), "m/c.yaml": text}
    assert the(owners(files, aim("m"), "pool.size")) == ("m/c.yaml", ("data", "app.properties"))
    assert owners(files, aim("m"), "pool") == []
