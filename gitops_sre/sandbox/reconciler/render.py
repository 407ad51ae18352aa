"""From a source in a checkout to manifests, by the real tools: kubectl or kustomize, and helm."""

from __future__ import annotations

import json
import os
import posixpath
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from gitops_sre.sandbox.kubernetes.resources import Manifest
from gitops_sre.sandbox.reconciler.application import Source

TIMEOUT = 20.0
"""Seconds a tool may take."""

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RenderError(Exception):
    """The source does not render; the message is the tool's own."""


def find_tool(name: str) -> str | None:
    """A tool on PATH or beside the running interpreter."""
    beside = Path(sys.executable).parent / name
    return shutil.which(name) or (str(beside) if os.access(beside, os.X_OK) else None)


def missing_tools() -> tuple[str, ...]:
    """What has to be installed before anything renders."""
    kustomize = find_tool("kubectl") or find_tool("kustomize")
    return (*(() if kustomize else ("kubectl (or kustomize)",)), *(() if find_tool("helm") else ("helm",)))


def render(source: Source, root: Path, namespace: str) -> tuple[Manifest, ...]:
    """The objects of a source, from a checkout at `root`, each with a namespace. Raises RenderError."""
    match source.kind:
        case "Kustomize":
            documents = list(_documents(_kustomize(source, root)))
        case "Helm":
            documents = list(_documents(_helm(source, root, namespace)))
        case "Directory":
            documents = list(_directory(source, root))
    return tuple(_object(document, namespace) for document in documents)


def _object(document: object, namespace: str) -> Manifest:
    """A document as an object of a namespace. Raises RenderError for what no API server would take."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(metadata, dict):
        raise RenderError("failed to unmarshal manifest: Object 'metadata' is missing")
    for place, holder in (("apiVersion", document), ("kind", document), ("name", metadata)):
        if not isinstance(holder.get(place), str):
            raise RenderError(f"failed to unmarshal manifest: Object '{place}' is missing or no text")
    return {**document, "metadata": {**metadata, "namespace": metadata.get("namespace") or namespace}}


def inputs(source: Source, root: Path) -> frozenset[str]:
    """Files and folders (ending in `/`) that decide what a source renders to, relative to the root."""
    if source.kind == "Kustomize":
        return frozenset(f"{folder}/" for folder in _kustomize_folders(source.path, root))
    return frozenset({f"{source.path}/", *source.value_files})


def touches(paths: tuple[str, ...], inputs: frozenset[str]) -> bool:
    """Whether any of the changed paths is an input or lies below one."""
    return any(path == given or (given.endswith("/") and path.startswith(given)) for path in paths for given in inputs)


def _kustomize_folders(path: str, root: Path) -> set[str]:
    """A kustomization's folder and those of all bases and components it includes, at any depth."""
    found: set[str] = set()
    waiting = [posixpath.normpath(path)]
    while waiting:
        folder = waiting.pop()
        if folder in found or not (root / folder).is_dir():
            continue
        found.add(folder)
        file = next((root / folder / name for name in KUSTOMIZATIONS if (root / folder / name).is_file()), None)
        try:
            content = yaml.load(file.read_bytes(), Loader) if file else None  # noqa: S506 a safe loader
        except yaml.YAMLError:
            continue
        if isinstance(content, dict):
            included = [*(content.get("resources") or ()), *(content.get("components") or ())]
            waiting += [posixpath.normpath(posixpath.join(folder, entry)) for entry in included]
    return found


def _kustomize(source: Source, root: Path) -> str:
    folder = str(root / source.path)
    if kubectl := find_tool("kubectl"):
        return _run([kubectl, "kustomize", folder], root)
    if kustomize := find_tool("kustomize"):
        return _run([kustomize, "build", folder], root)
    raise RenderError("neither kubectl nor kustomize is on PATH; install one of them")


def _helm(source: Source, root: Path, namespace: str) -> str:
    helm = find_tool("helm")
    if helm is None:
        raise RenderError("helm is not on PATH; install it")
    values = [argument for file in source.value_files for argument in ("--values", str(root / file))]
    chart = str(root / source.path)
    return _run([helm, "template", source.release, chart, "--namespace", namespace, *values], root)


def _directory(source: Source, root: Path) -> Iterator[Manifest]:
    folder = root / source.path
    for file in sorted(folder.rglob("*") if source.recurse else folder.glob("*")):
        if file.suffix == ".json":
            yield from _json(file)
        elif file.suffix in {".yaml", ".yml"}:
            yield from _documents(file.read_text(encoding="utf-8"))


def _json(file: Path) -> Iterator[Manifest]:
    try:
        yield json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RenderError(f"failed to unmarshal {file.name}: {error}") from error


def _documents(text: str) -> Iterator[Manifest]:
    try:
        for document in yaml.load_all(text, Loader):
            if isinstance(document, dict):
                yield document
    except yaml.YAMLError as error:
        raise RenderError(f"failed to unmarshal manifest: {error}") from error


def _run(arguments: list[str], root: Path) -> str:
    """Run a tool with the throw-away checkout as its home: nobody's configuration, plugins or credentials."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root)}
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment, cwd=root
        )
    except subprocess.TimeoutExpired as error:
        raise RenderError(f"{Path(arguments[0]).name} did not finish within {TIMEOUT:g} s") from error
    if done.returncode:
        raise RenderError(f"{Path(arguments[0]).name} {arguments[1]} failed: {done.stderr.strip()}")
    return done.stdout
