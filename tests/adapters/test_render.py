"""Rendering with the real tools: what they make of a tree, and what is refused before or after they run."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitops_sre.adapters.render import ToolRenderer, find_tool
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Parameter, Source, SourceKind
from tests.gitops.infra import CHART, IMAGE, deployment, overlay, tool

kubectl, helm = tool("kubectl"), tool("helm")


def write(tree: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")
    return tree


def source(path: str, kind: SourceKind = "unknown", values: tuple[str, ...] = (), release: str = "web") -> Source:
    return Source("", path, kind=kind, value_files=values, release_name=release, namespace="production")


def why(answer: object) -> str:
    assert isinstance(answer, Unavailable), answer
    return answer.reason


KUSTOMIZE = {
    "base/kustomization.yaml": "resources: [deployment.yaml]\n",
    "base/deployment.yaml": deployment("web", f"{IMAGE}:v1"),
    "over/kustomization.yaml": overlay("production", f"images: [{{name: {IMAGE}, newTag: v2}}]\n", "../base"),
}


@kubectl
@pytest.mark.parametrize("path", ["over", "./over/", "base/../over"])
def test_kustomize_builds_an_overlay(tmp_path: Path, path: str) -> None:
    objects = ToolRenderer().render(write(tmp_path, KUSTOMIZE), source(path))
    assert not isinstance(objects, Unavailable), objects
    assert [(each["kind"], each["metadata"]["namespace"]) for each in objects] == [("Deployment", "production")]
    assert objects[0]["spec"]["template"]["spec"]["containers"][1]["image"] == f"{IMAGE}:v2"


@helm
def test_helm_parameters_beat_value_files_and_mean_what_argo_means(tmp_path: Path) -> None:
    chart = {**CHART, "charts/app/templates/deployment.yaml": "kind: A\nvalues: {{ .Values.p | toJson }}\n"}
    tree = write(tmp_path, {**chart, "v.yaml": "p: {tag: v0}\n"})
    said = [("p.tag", "1"), ("p.text", "a,b"), ("p.list", "{a,b}"), ("p.dotted\\.key", "true"), ("p.at[1]", "x")]
    parameters = (*(Parameter(*each) for each in said), Parameter("p.string", "1", as_text=True))
    objects = ToolRenderer().render(tree, replace(source("charts/app", "helm", ("v.yaml",)), parameters=parameters))
    assert not isinstance(objects, Unavailable), objects
    assert objects[0]["values"] == {
        "tag": 1, "text": "a,b", "list": ["a", "b"], "dotted.key": True, "at": [None, "x"], "string": "1"
    }  # fmt: skip


@helm
def test_helm_renders_with_value_files_release_and_namespace(tmp_path: Path) -> None:
    tree = write(
        tmp_path, {**CHART, "v/a.yaml": f"image: {{repository: {IMAGE}, tag: v1}}\n", "v/b.yaml": "image: {tag: v2}\n"}
    )
    objects = ToolRenderer().render(tree, source("charts/app", values=("v/a.yaml", "v/b.yaml")))
    assert not isinstance(objects, Unavailable), objects
    assert objects[0]["metadata"] == {"name": "web", "namespace": "production"}
    assert objects[0]["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}:v2"


def test_a_directory_gives_its_documents_lists_taken_apart(tmp_path: Path) -> None:
    files = {
        "m/a.yaml": "kind: A\nmetadata: {name: a, at: 2026-01-31}\n---\n---\n# nothing\n",
        "m/b.json": '{\n\t"kind": "List",\n\t"items": [{"kind": "B"}, {"kind": "C"}]\n}',
        "m/sub/c.yml": "\ufeffkind: D\r\n",
        "m/readme.md": "kind: X\n",
        "other.yaml": "kind: X\n",
    }
    objects = ToolRenderer().render(write(tmp_path, files), source("m"))
    assert not isinstance(objects, Unavailable), objects
    assert [each["kind"] for each in objects] == ["A", "B", "C", "D"]
    assert objects[0]["metadata"]["at"] == "2026-01-31"


@kubectl
@pytest.mark.parametrize(
    ("kustomization", "says"),
    [
        ("resources: ['https://example.com/x.yaml']\n", "https://example.com/x.yaml (over/kustomization.yaml)"),
        ("resources: ['github.com/acme/base?ref=v1']\n", "vendor remote bases"),
        ("resources: ['git@github.com:acme/base']\n", "vendor remote bases"),
        ("components: [../nowhere]\n", "../nowhere"),
        ("resources: [../../../../etc]\n", "../../../../etc"),
        ("resources: [/etc/passwd]\n", "/etc/passwd"),
        ("patches: [{path: 'http://example.com/p.yaml'}]\n", "http://example.com/p.yaml"),
        ("helmCharts: [{name: x, repo: 'https://example.com', version: '1'}]\n", "kubectl failed"),
        ("resources: [\n", "not valid YAML"),
        ("resources: [../base]\ntransformers: [t.yaml]\n", "t.yaml"),
        ("resources: [../base]\nunknown: 1\n", "kubectl failed"),
    ],
)
def test_what_needs_the_network_or_leads_outside_is_unavailable(tmp_path: Path, kustomization: str, says: str) -> None:
    tree = write(tmp_path, {**KUSTOMIZE, "over/kustomization.yaml": kustomization})
    assert says in why(ToolRenderer(timeout=20).render(tree, source("over")))


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, which no proxy setting keeps a tool from, and what it was asked for."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: canary}\n")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@kubectl
@pytest.mark.parametrize(
    "kustomization",
    [
        "resources: ['{url}/x.yaml']\n",
        "resources: [d.yaml]\npatches: [{{path: '{url}/p.yaml'}}]\n",
        "resources: [d.yaml]\npatchesStrategicMerge: ['{url}/p.yaml']\n",
        "resources: [d.yaml]\npatchesJson6902: [{{target: {{kind: Deployment, name: web}}, path: '{url}/p.yaml'}}]\n",
        "resources: [d.yaml]\nreplacements: [{{path: '{url}/r.yaml'}}]\n",
        "configMapGenerator: [{{name: c, files: ['{url}/f']}}]\n",
        "configMapGenerator: [{{name: c, files: ['k={url}/f']}}]\n",
        "configMapGenerator: [{{name: c, envs: ['{url}/e']}}]\n",
        "resources: [d.yaml]\nopenapi: {{path: '{url}/o.json'}}\n",
        "resources: [d.yaml]\nconfigurations: ['{url}/c.yaml']\n",
        "resources: [d.yaml]\ncrds: ['{url}/c.json']\n",
        "resources: [d.yaml]\ngenerators: ['{url}/g.yaml']\n",
        "resources: [d.yaml]\ngenerators: [g.yaml]\n",
        "resources: [d.yaml]\ntransformers: [g]\n",
        "resources: [../b]\n",
        "helmCharts: [{{name: x, repo: '{url}', version: '1'}}]\n",
    ],
)
def test_no_kustomization_makes_a_request(tmp_path: Path, canary: tuple[str, list[str]], kustomization: str) -> None:
    url, asked = canary
    plugin = f"apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {{name: c}}\nfiles: ['{url}/f']\n"
    files = {
        "a/kustomization.yaml": kustomization.format(url=url),
        "a/d.yaml": deployment("web", IMAGE),
        "a/g.yaml": plugin,
        "a/g/kustomization.yaml": "resources: [g.yaml]\n",
        "a/g/g.yaml": plugin,
        "b/kustomization.yaml": f"configMapGenerator: [{{name: c, files: ['{url}/f']}}]\n",
    }
    assert why(ToolRenderer(timeout=20).render(write(tmp_path, files), source("a")))
    assert asked == []


@helm
def test_no_chart_makes_a_request(tmp_path: Path, canary: tuple[str, list[str]]) -> None:
    url, asked = canary
    chart = (
        f"apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: [{{name: d, version: 1.0.0, repository: '{url}'}}]\n"
    )
    assert "dependencies" in why(
        ToolRenderer().render(write(tmp_path, {**CHART, "charts/app/Chart.yaml": chart}), source("charts/app"))
    )
    asks = {
        **CHART,
        "charts/app/templates/l.yaml": '{{ lookup "v1" "Secret" "default" "x" }}{{ getHostByName "localhost" }}',
    }
    ToolRenderer().render(write(tmp_path / "2", asks), source("charts/app"))
    assert asked == []


@kubectl
def test_a_file_beside_the_folder_is_read_as_flux_does_and_one_of_the_machine_is_not(tmp_path: Path) -> None:
    secret = write(tmp_path / "machine", {"secret": "canary"}) / "secret"
    text = "resources: [../shared/web.yaml]\n"
    tree = write(tmp_path / "t", {
        "shared/web.yaml": deployment("web", IMAGE), "app/kustomization.yaml": text,
        "bad/kustomization.yaml": f"{text}configMapGenerator: [{{name: c, files: [{secret}]}}]\n",
        "up/kustomization.yaml": f"{text}configMapGenerator: [{{name: c, files: [x=../../machine/secret]}}]\n",
        "plugin/kustomization.yaml": f"{text}generators: [../shared/web.yaml]\n",
    })  # fmt: skip
    objects = ToolRenderer().render(tree, source("app"))
    assert not isinstance(objects, Unavailable), objects
    for path in ("bad", "up", "plugin"):
        assert "is not in or below" in why(ToolRenderer().render(tree, source(path)))


@helm
@pytest.mark.parametrize(
    ("files", "values", "says"),
    [
        ({"charts/app/templates/x.yaml": "{{ fail \"no\" }}"}, (), "helm failed"),
        ({"charts/app/templates/x.yaml": "a: [\n"}, (), "helm failed"),
        ({"charts/app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: "
          "[{name: d, version: 1.0.0, repository: 'https://example.com'}]\n"}, (), "dependencies"),
        ({}, ("v/gone.yaml",), "v/gone.yaml does not exist"),
        ({}, ("../../etc/passwd",), "leads out of the repository"),
        ({}, ("/etc/passwd",), "leads out of the repository"),
    ],
)  # fmt: skip
def test_a_chart_that_cannot_be_rendered_is_unavailable(
    tmp_path: Path, files: dict[str, str], values: tuple[str, ...], says: str
) -> None:
    tree = write(tmp_path, {**CHART, **files})
    assert says in why(ToolRenderer().render(tree, source("charts/app", values=values)))


@helm
@pytest.mark.parametrize("name", ["--post-renderer=x", "a b", "a\nb", "../x"])
def test_names_that_could_be_options_never_reach_the_tool(tmp_path: Path, name: str) -> None:
    assert "is no release name" in why(
        ToolRenderer().render(write(tmp_path, CHART), source("charts/app", release=name))
    )


@pytest.mark.parametrize("path", ["../x", "/etc", "a/../../x", "link", "nowhere"])
def test_paths_that_lead_out_of_the_tree_are_refused(tmp_path: Path, path: str) -> None:
    tree = write(tmp_path / "tree", {"a/x.yaml": "kind: A\n"})
    (tree / "link").symlink_to("/etc")
    assert "cannot be rendered" in why(ToolRenderer().render(tree, source(path)))


def test_a_symlinked_file_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("kind: Outside\n")
    tree = write(tmp_path / "tree", {"a/x.yaml": "kind: A\n"})
    (tree / "a/y.yaml").symlink_to(outside)
    objects = ToolRenderer().render(tree, source("a"))
    assert not isinstance(objects, Unavailable)
    assert [each["kind"] for each in objects] == ["A"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [\n", "not valid YAML"),
        ("kind: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        ("a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)), "too large"),
        ("a: &a [*a]\n", "too large or too deep"),
    ],
)  # fmt: skip
def test_hostile_manifests_are_bounded(tmp_path: Path, text: str, says: str) -> None:
    assert says in why(ToolRenderer().render(write(tmp_path, {"m/x.yaml": text}), source("m")))


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only tools are in this folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return folder


def test_a_tool_that_hangs_is_stopped(only: Path, tmp_path: Path) -> None:
    fake(only, "kubectl", "exec /bin/sleep 60")
    answer = ToolRenderer(timeout=0.3).render(write(tmp_path / "t", KUSTOMIZE), source("over"))
    assert "kubectl took more than 0.3 s" in why(answer)


def test_tools_see_an_allow_listed_environment(only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "secret")
    fake(only, "kustomize", 'echo "kind: Env"; echo "value: |"; /usr/bin/env | /bin/sed "s/^/  /"')
    objects = ToolRenderer().render(write(tmp_path / "t", KUSTOMIZE), source("over"))
    assert not isinstance(objects, Unavailable), objects
    seen = str(objects[0]["value"])
    assert "secret" not in seen
    assert f"HOME={os.environ['HOME']}\n" not in seen
    assert "HTTPS_PROXY=http://127.0.0.1:9" in seen


def test_missing_tools_are_named(only: Path, tmp_path: Path) -> None:
    tree = write(tmp_path / "t", {**KUSTOMIZE, **CHART})
    assert "neither kubectl nor kustomize" in why(ToolRenderer().render(tree, source("over")))
    assert "helm is not on PATH" in why(ToolRenderer().render(tree, source("charts/app")))
    assert find_tool("helm") is None


def test_a_found_tool_tells_its_version(only: Path) -> None:
    fake(only, "helm", "echo v4.3.1+gc0d08d0")
    fake(only, "kubectl", "exit 1")
    found = find_tool("helm")
    assert found is not None
    assert (found.name, found.version, found.path) == ("helm", "v4.3.1", only / "helm")
    silent = find_tool("kubectl")
    assert silent is not None
    assert silent.version == ""
