"""Whatever stands in the files: an answer, or a refusal with a reason."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_sre.yamltext import YamlTextError
from tests.gitops.settings_cases import aim, owners

WORDS = st.sampled_from(
    [
        "kind",
        "metadata",
        "name",
        "data",
        "spec",
        "template",
        "containers",
        "env",
        "envFrom",
        "value",
        "valueFrom",
        "configMapKeyRef",
        "configMapRef",
        "key",
        "patches",
        "path",
        "patch",
        "target",
        "op",
        "configMapGenerator",
        "secretGenerator",
        "literals",
        "envs",
        "files",
        "behavior",
        "options",
        "resources",
        "components",
        "flags",
        "state",
        "defaultVariant",
        "variants",
        "values",
        "valuesFrom",
        "helmCharts",
        "valuesInline",
        "replacements",
        "targets",
        "select",
        "fieldPaths",
        "web",
        "LOG",
        "LOG=a",
        "LOG.LOG",
        "ConfigMap",
        "Deployment",
        "Secret",
        "HelmRelease",
        "FeatureFlag",
        "Kustomization",
        "Application",
        "w.yaml",
        "c.yaml",
        "/data/LOG",
        "/spec/template/spec/containers/0/env/0/value",
        "-",
        "*",
        "[",
        "~1",
        "$patch",
        "sops",
    ]
)
TREES = st.recursive(
    WORDS | st.sampled_from(["", "a: 1\nLOG: 2\n", "LOG=1\n", "${LOG}"]) | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=30,
)


@settings(max_examples=60, deadline=None)
@given(TREES, TREES, TREES, st.sampled_from(["LOG", "LOG.LOG", "web.LOG", "data", ".", "a..b", "(", "0"]))
def test_a_setting_is_found_or_refused(one: object, two: object, three: object, key: str) -> None:
    files = {"m/w.yaml": json.dumps(one), "m/c.yaml": json.dumps(two)}
    layers = {"m/kustomization.yaml": json.dumps(three)}
    for tree, name in ((files, "web"), (files, ""), (files | layers, "web")):
        try:
            found = owners(tree, aim("m", name), key)
        except YamlTextError:
            continue
        for fields in found:
            assert fields
            assert all(field.file in tree and field.reason for field in fields)
