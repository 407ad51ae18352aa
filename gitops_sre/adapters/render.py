"""Rendering by the field's own tools: `kubectl kustomize` or `kustomize`, `helm template`, or plain files.

The tools run without network (a proxy that is not there, no git on PATH), with an allow-listed environment, a home
of their own and a time limit. What would need the network is refused before a tool starts, with its name.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gitops_sre.gitops import kustomize
from gitops_sre.gitops.files import detect, join, manifests, plain_source, values
from gitops_sre.gitops.substitution import KubernetesLoader
from gitops_sre.gitops.workspace import Folder
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Parameter, Source
from gitops_sre.ports import Manifest
from gitops_sre.yamltext import YamlTextError

_DEAD_PROXY = "http://127.0.0.1:9"
"""Port 9 (discard) refuses at once where nothing listens: a tool that reaches for the network fails fast."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_OUTSIDE = "is not in or below"
"""What kustomize says of a file beside the folder that it builds."""
_PLUGINS = ("generators", "transformers", "validators")
_LOADED = re.compile(
    r"(?:patches|patchesJson6902|replacements)\.\d+\.path|patchesStrategicMerge\.\d+|openapi\.path"
    r"|(?:configMapGenerator|secretGenerator)\.\d+\.(?:files\.\d+|envs\.\d+|env)"
)
"""Fields of a kustomization whose value is loaded as a file, or by HTTP when it is a URL."""
_URL = re.compile(r"(?:[^=\n]*=)?\s*(https?:\S*)", re.I)
_ANY_URL = re.compile(r"https?:[^\s\"']*", re.I)
_LONGEST_PATH = 4096
_LONGEST_MESSAGE = 500
_MAX_OUTPUT = 64 * 1024 * 1024
_MAX_VALUES = 2_000_000
_VERSION = {
    "kubectl": ("version", "--client"),
    "helm": ("version", "--short"),
    "kustomize": ("version",),
}


@dataclass(frozen=True)
class Tool:
    """A program that was found, and what it says its version is (empty when it does not answer)."""

    name: str
    path: Path
    version: str


def find_tool(name: str) -> Tool | None:
    """A rendering tool beside the interpreter or on PATH, with its version; None when there is none."""
    path = _which(name)
    if path is None:
        return None
    try:
        answer = subprocess.run(
            [path, *_VERSION.get(name, ("--version",))], capture_output=True, timeout=20, check=False, env={"HOME": "/"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return Tool(name, path, "")
    found = re.search(r"v?\d+\.\d+\.\d+", answer.stdout.decode("utf-8", "replace"))
    return Tool(name, path, found.group() if found else "")


def _which(name: str) -> Path | None:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    return Path(found).absolute() if found else None


class _CannotRenderError(Exception):
    """Why a source cannot be rendered; becomes Unavailable at the door."""


class ToolRenderer:
    """ports.Renderer over the tools of this machine. `timeout` is in seconds a tool run."""

    def __init__(self, timeout: float = 30.0) -> None:
        self._timeout = timeout

    def render(self, tree: Path, source: Source) -> tuple[Manifest, ...] | Unavailable:
        """Render one source of an exported tree, without network and within the time limit."""
        files, source = Folder(tree), plain_source(source)
        try:
            folder = _inside(tree, source.path)
            kind = detect(files, source.path) if source.kind == "unknown" else source.kind
            if kind == "helm":
                return _objects(self._helm(tree, folder, source))
            if kind == "kustomize":
                return _objects(self._kustomize(files, folder, source))
            texts = (files.text(path) or "" for path in manifests(files, source.path))
            return tuple(each for text in texts for each in _objects(text))
        except (_CannotRenderError, YamlTextError, OSError) as error:
            why = str(error).replace(f"{tree.resolve()}/", "").replace(f"{tree}/", "")
            return Unavailable(f"{source.path or '.'} cannot be rendered: {_short(why)}")

    def _kustomize(self, files: Folder, folder: Path, source: Source) -> str:
        layer = kustomize.read(files, source.path)
        if layer.all_missing:
            names = ", ".join(layer.all_missing[:3])
            raise _CannotRenderError(f"not in the repository: {names}; vendor remote bases to have them proven")
        if url := next(_fetched(files, layer), None):
            raise _CannotRenderError(f"not in the repository: {url}; vendor what a build loads to have it proven")
        command = _builder(folder)
        try:
            return self._run(command)
        except _CannotRenderError as error:
            if _OUTSIDE not in str(error) or not _stays_inside(files, layer):
                raise
            return self._run([*command, "--load-restrictor", "LoadRestrictionsNone"])

    def _helm(self, tree: Path, folder: Path, source: Source) -> str:
        helm = _which("helm")
        if helm is None:
            raise _CannotRenderError("helm is not on PATH; install it (`gitops-sre doctor`)")
        values = [_inside(tree, path) for path in source.value_files]
        if absent := next((path for path in values if not path.is_file()), None):
            raise _CannotRenderError(f"value file {absent.relative_to(tree.resolve())} is missing")
        release = _name(source.release_name or "release")
        options = ["--namespace", _name(source.namespace or "default"), "--include-crds"]
        options += [part for path in values for part in ("--values", str(path))]
        options += [part for each in source.parameters for part in _set(each)]
        return self._run([str(helm), "template", release, str(folder), *options])

    def _run(self, command: Sequence[str]) -> str:
        """A tool's output. Its home, caches and working folder are thrown away."""
        tool = Path(command[0]).name
        with tempfile.TemporaryDirectory(prefix="render-") as home, tempfile.TemporaryFile() as output:
            try:
                done = subprocess.run(
                    command, cwd=home, env=_environment(home), stdin=subprocess.DEVNULL,
                    stdout=output, stderr=subprocess.PIPE, timeout=self._timeout, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise _CannotRenderError(f"{tool} took more than {self._timeout:g} s") from None
            if done.returncode != 0:
                message = " ".join(done.stderr.decode("utf-8", "replace").split())
                raise _CannotRenderError(f"{tool} failed: {message or f'exit status {done.returncode}'}")
            if output.tell() > _MAX_OUTPUT:
                raise _CannotRenderError(f"{tool} wrote more than {_MAX_OUTPUT} bytes")
            output.seek(0)
            return output.read().decode("utf-8", "replace")


def _set(parameter: Parameter) -> tuple[str, str]:
    """A parameter as Argo CD hands it to Helm: a comma of a value is one, unless the value is a list `{a,b}`."""
    listed = parameter.value.startswith("{") and parameter.value.endswith("}")
    value = parameter.value if listed else re.sub(r"(?<!\\),", r"\\,", parameter.value)
    return ("--set-string" if parameter.as_text else "--set", f"{parameter.name}={value}")


def _builder(folder: Path) -> list[str]:
    if (kubectl := _which("kubectl")) is not None:
        return [str(kubectl), "kustomize", str(folder)]
    if (tool := _which("kustomize")) is not None:
        return [str(tool), "build", str(folder)]
    raise _CannotRenderError("neither kubectl nor kustomize is on PATH; install one (`gitops-sre doctor`)")


def _fetched(files: Folder, layer: kustomize.Layer) -> Iterator[str]:
    """URLs that a build would load: the tools go to this very machine without asking a proxy."""
    for path, scalar in layer.document.items():
        if _LOADED.fullmatch(".".join(map(str, path))) and (found := _URL.match(scalar.value)):
            yield f"{found[1]} ({layer.file})"
    for section in _PLUGINS:
        for entry in values(layer.document, section):
            name = join(layer.file.rpartition("/")[0], entry)
            text = "".join(files.text(each) or "" for each in (name, *files.under(name))) if name else ""
            if found := _ANY_URL.search(text):
                yield f"{found[0]} ({name})"
    for each in (*layer.bases, *layer.components):
        yield from _fetched(files, each)


def _stays_inside(files: Folder, layer: kustomize.Layer) -> bool:
    """Whether nothing that a build reads can lie outside the tree. Flux then lets a kustomization read files beside
    its own folder, which the tools do not by themselves; what a plugin's file names is not known."""
    if any(path[0] in _PLUGINS for path in layer.document):
        return False
    folder = layer.file.rpartition("/")[0]
    named = (each for scalar in layer.document.values() for each in (scalar.value, scalar.value.partition("=")[2]))
    root = files.root.resolve()
    outside = any(
        "\n" not in each and len(each) < _LONGEST_PATH and not (root / folder / each).resolve().is_relative_to(root)
        for each in named
        if each.isprintable()
    )
    return not outside and all(_stays_inside(files, each) for each in (*layer.bases, *layer.components))


def _short(why: str) -> str:
    """The beginning and, since tools say the cause last, the end of a message."""
    return (
        why if len(why) <= _LONGEST_MESSAGE else f"{why[: _LONGEST_MESSAGE // 2]} ... {why[-_LONGEST_MESSAGE // 2 :]}"
    )


def _environment(home: str) -> dict[str, str]:
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), _DEAD_PROXY)
    return {"HOME": home, "TMPDIR": home, "PATH": home, "HELM_PLUGINS": home, "KUBECONFIG": f"{home}/none", **proxies}


def _inside(tree: Path, path: str) -> Path:
    """A path of the tree with nothing that leads outside. Raises _CannotRenderError."""
    root = tree.resolve()
    place = (root / path).resolve()
    if path.startswith("/") or not place.is_relative_to(root) or not path.isprintable():
        raise _CannotRenderError(f"{path!r} leads out of the repository")
    if not place.exists():
        raise _CannotRenderError(f"{path} does not exist")
    return place


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise _CannotRenderError(f"{text!r} is no release name or namespace")
    return text


def _objects(text: str) -> tuple[Manifest, ...]:
    """The Kubernetes objects of a YAML or JSON stream; lists are taken apart. Raises _CannotRenderError."""
    try:
        # JSON may be indented with tabs, which this parser refuses before a key; blanks mean the same there.
        loaded = list(yaml.load_all(_untabbed(text), Loader=KubernetesLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _CannotRenderError(f"not valid YAML: {' '.join(str(error).split())[:200]}") from error
    budget = iter(range(_MAX_VALUES))
    for document in loaded:
        _bounded(document, budget)
    return tuple(each for document in loaded for each in _flattened(document))


def _untabbed(text: str) -> str:
    return text.replace("\t", " ") if text.lstrip("\ufeff \t\r\n").startswith("{") else text


def _flattened(document: Any) -> Iterator[Manifest]:
    if not isinstance(document, Mapping) or not document:
        return
    if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _flattened(item)
    elif "kind" in document:
        yield document


def _bounded(value: Any, budget: Iterator[int], depth: int = 0) -> None:
    """Aliases share memory once loaded; who walks them afterwards pays for each. Raises _CannotRenderError."""
    if next(budget, None) is None or depth > 100:
        raise _CannotRenderError("too large or too deep once aliases are followed")
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        _bounded(child, budget, depth + 1)
