"""Which place of a kustomization decides a setting: checked against what kustomize makes of an edit there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_sre import yamltext
from tests.gitops.infra import tool
from tests.gitops.settings_cases import (
    DATA,
    ENV,
    FROM_KEY,
    GENERATOR,
    MERGED,
    OVER,
    REPLACED,
    Place,
    aim,
    base,
    config,
    owners,
    reads,
    refusal,
    rendered,
    sets,
    the,
    workload,
)

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


def test_objects_of_one_name_in_two_namespaces_are_told_apart() -> None:
    files = {"all/kustomization.yaml": "resources: [../dev, ../production]\n"}
    for space in ("dev", "production"):
        generator = GENERATOR.format("")
        files[f"{space}/kustomization.yaml"] = f"namespace: {space}\nresources: [w.yaml]\n{generator}"
        files[f"{space}/w.yaml"] = workload("web", reads("web-config"))
    assert the(owners(files, aim("all"), "LOG"))[0] == "production/kustomization.yaml"
    assert len(owners(files, aim("all", ""), "LOG")) == 2
    for space in ("dev", "production"):
        files[f"{space}/kustomization.yaml"] = "resources: [w.yaml, c.yaml]\n"
        files[f"{space}/w.yaml"] = workload("web", reads("web-config"), namespace=space)
        files[f"{space}/c.yaml"] = (
            f"kind: ConfigMap\nmetadata:\n  name: web-config\n  namespace: {space}\ndata:\n{DATA}"
        )
    assert the(owners(files, aim("all"), "LOG"))[0] == "production/c.yaml"
    assert len(owners(files, aim("all", ""), "LOG")) == 2


@pytest.mark.parametrize("selector", ["labelSelector: app=web", "annotationSelector: a=b", "namespace: dev"])
def test_a_patch_that_selects_by_more_than_the_name_is_refused_where_it_may_count(selector: str) -> None:
    for kind in ("kind: Deployment, ", ""):
        patches = f"patches: [{{path: p.yaml, target: {{{kind}{selector}}}}}]\n"
        files = {**base(body=sets("LOG", "a")), "over/p.yaml": workload("any", sets("LOG", "b"))}
        files[OVER] = f"resources: [../base]\n{patches}"
        assert f"selects objects by {selector.partition(':')[0]}" in refusal(files, aim("over"), "LOG")
        files["over/p.yaml"] = workload("any", sets("MODE", "b"))
        assert the(owners(files, aim("over"), "LOG")) == ("base/web.yaml", ENV)
