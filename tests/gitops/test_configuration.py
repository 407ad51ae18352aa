"""Which place decides a setting of one workload, and which are no business of its."""

from __future__ import annotations

import pytest

from gitops_sre.model.target import Source, Target, WorkloadRef
from tests.gitops.settings_cases import (
    DATA,
    ENV,
    GENERATOR,
    MERGED,
    OVER,
    aim,
    base,
    config,
    owners,
    plain,
    reads,
    refusal,
    sets,
    the,
    workload,
)


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


def test_who_else_reads_a_configmap_is_said() -> None:
    files = {**plain("web", DATA), "m/worker.yaml": workload("worker", reads("web-config"))}
    assert "; also read by Deployment worker" in owners(files, aim("m"), "LOG")[0][0].reason
    assert "also read" not in owners(plain("web", DATA), aim("m"), "LOG")[0][0].reason
