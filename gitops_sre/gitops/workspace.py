"""Throw-away folders in which a source is rendered as its controller would, with what it says over the files.

A source is written down so that the ordinary tools can build it: a kustomization around it that adds what the GitOps
object sets and asks for the origin of every object, a values file for inline values, the one file that Flux makes up
for a folder without a kustomization. What lies outside the repository is left out, and said.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from gitops_sre.gitops import kustomize
from gitops_sre.gitops.files import decoded, detect, join, kustomization_in, plain_source
from gitops_sre.model.target import Source
from gitops_sre.yamltext import YamlTextError

_TREE, _AROUND = "tree", "around"
_REMOTE = re.compile(
    r"://|^git@|\?(?:.*&)?(?:ref|version|timeout|submodules)=|^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[a-z]{2,}/"
)
_DROPPED_FROM = ("resources", "bases", "components")
_INFLATED = ("helmCharts", "helmChartInflationGenerator")
_OBJECT = re.compile(r"^(?:apiVersion|kind)\s*:|\"kind\"\s*:", re.M)


@dataclass(frozen=True)
class Folder:
    """The files of a folder on disk; links that lead out of it are not there."""

    root: Path

    def text(self, path: str) -> str | None:
        """A file's text. Raises YamlTextError when it is not UTF-8."""
        place = self.root / path
        if not place.is_file() or not place.resolve().is_relative_to(self.root.resolve()):
            return None
        return decoded(path, place.read_bytes())

    def under(self, folder: str) -> tuple[str, ...]:
        """Paths of the files below a folder, sorted."""
        found = (path for path in (self.root / folder).rglob("*") if path.is_file())
        return tuple(sorted(path.relative_to(self.root).as_posix() for path in found))


@dataclass(frozen=True)
class Prepared:
    """What to hand to the renderer, what had to be left out, and how to say it with the repository's own paths."""

    tree: Path
    source: Source
    notes: tuple[str, ...]
    shown: str

    def plain(self, text: str) -> str:
        """A message with the repository's paths in place of those of this folder."""
        return plain(text.replace(f"{_AROUND} cannot be rendered", f"{self.shown or '.'} cannot be rendered"))


def components(source: Source) -> tuple[str, ...]:
    """Folders of the components that a GitOps object itself adds, relative to the source's path in its own text."""
    if source.kind == "helm":
        return ()
    named = [each for text in source.inline for each in _load(text).get("components") or () if isinstance(each, str)]
    return tuple(path for each in named if (path := join(source.path, each)) is not None)


def plain(text: str) -> str:
    """A text of the tools with the repository's paths in place of those of a throw-away folder."""
    return re.sub(rf"(?:\.\./)*\b{_TREE}/", "", text)


def prepare(folder: Path, files: Path, inputs: Iterable[str], changed: Mapping[str, str], source: Source) -> Prepared:
    """Fill an empty folder with the inputs of a source out of an exported tree, with changed texts in their place.

    Raises YamlTextError and OSError when a file cannot be read, or the source asks for what is never run.
    """
    source = plain_source(source)
    if source.chart:
        raise YamlTextError(f"the chart {source.chart} is not in this repository")
    if outside := next((path for path in (source.path, *source.value_files) if _leaves(path)), None):
        raise YamlTextError(f"{outside} leads out of the repository")
    tree = folder / _TREE
    tree.mkdir(parents=True)
    for path in inputs:
        if path in changed or (files / path).is_file():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            if path in changed:
                (tree / path).write_bytes(changed[path].encode())
            else:
                shutil.copyfile(files / path, tree / path)
    kind = detect(Folder(tree), source.path) if source.kind == "unknown" else source.kind
    (tree / source.path).mkdir(parents=True, exist_ok=True)
    made: dict[str, Callable[[Path, Source], Prepared]] = {
        "helm": _helm, "kustomize": _kustomize, "directory": _directory
    }  # fmt: skip
    ready = made[kind](folder, replace(source, kind=kind))
    return replace(ready, notes=(*ready.notes, *_left_out(tree, source)))


def _leaves(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/")


def _left_out(tree: Path, source: Source) -> Iterator[str]:
    """What a GitOps object sets that is not in what is rendered: it lies elsewhere, or only its name is known."""
    for name in (".argocd-source.yaml", f".argocd-source-{source.release_name}.yaml"):
        if (tree / source.path / name).is_file():
            yield f"what {posixpath.join(source.path, name)} sets over the other files was not rendered"
    yield from (f"{each} is not in the repository" for each in source.lacking)
    if not source.inline and not source.parameters:
        named = [each for each in source.overrides if not any(text.startswith(each) for text in source.lacking)]
        yield from (f"what the Application sets in {each} was not rendered" for each in named)


def _helm(folder: Path, source: Source) -> Prepared:
    tree = folder / _TREE
    elsewhere = [path for path in source.value_files if path.startswith("$") or "://" in path]
    absent = [path for path in source.value_files if source.ignore_missing and not (tree / path).is_file()]
    files = [path for path in source.value_files if path not in {*elsewhere, *absent}]
    for at, text in enumerate(source.inline):
        files.append(f".values-{at}.yaml")
        (tree / files[-1]).write_text(text, encoding="utf-8")
    _vendor(tree, source.path)
    notes = tuple(f"the value file {path} is not in the repository; the rest was rendered" for path in elsewhere)
    return Prepared(tree, replace(source, value_files=tuple(files)), notes, source.path)


def _vendor(tree: Path, chart: str) -> None:
    """Put charts that the chart names by `file://` where `helm dependency build` would put them."""
    loaded = _load(Folder(tree).text(posixpath.join(chart, "Chart.yaml")) or "")
    for each in _maps(loaded.get("dependencies")):
        place, name = str(each.get("repository") or ""), str(each.get("name") or "")
        local = join(chart, place.removeprefix("file://")) if place.startswith("file://") else None
        into = tree / chart / "charts" / name
        if local and re.fullmatch(r"[A-Za-z0-9._-]+", name) and (tree / local).is_dir() and not into.exists():
            shutil.copytree(tree / local, into)


def _kustomize(folder: Path, source: Source) -> Prepared:
    """A kustomization around the source's own: it adds the object's settings and asks for origins."""
    tree = folder / _TREE
    if kustomization_in(Folder(tree), source.path) is None:
        _generate(tree, source.path)
    notes = tuple(dict.fromkeys(_prune(tree, kustomize.read(Folder(tree), source.path))))
    own = _load(Folder(tree).text(kustomization_in(Folder(tree), source.path) or "") or "")
    base = posixpath.join("..", _TREE, source.path).rstrip("/")
    around: dict[str, Any] = {"buildMetadata": ["originAnnotations"]}
    for text in source.inline:
        around |= _load(text)
    around["components"] = [posixpath.normpath(f"{base}/{each}") for each in around.get("components") or ()]
    section = "components" if own.get("kind") == "Component" else "resources"
    around[section] = [base, *(around["components"] if section == "components" else ())]
    (folder / _AROUND).mkdir()
    (folder / _AROUND / "kustomization.yaml").write_text(json.dumps(around), encoding="utf-8")
    return Prepared(folder, replace(source, path=_AROUND), notes, source.path)


def _generate(tree: Path, path: str) -> None:
    """What Flux makes up for a folder without a kustomization: every manifest below it, and every kustomization, into
    whose folder it does not look. Source: fluxcd/pkg, kustomize generator."""
    found, skipped = [], []
    files = Folder(tree)
    for each in files.under(path):
        inner = posixpath.relpath(each, path or ".")
        top = next((one for one in _parents(inner) if kustomization_in(files, posixpath.join(path, one))), None)
        if top is not None:
            skipped.append(top)
        elif each.endswith((".yaml", ".yml")) and _OBJECT.search(files.text(each) or ""):
            found.append(inner)
    resources = [*found, *dict.fromkeys(skipped)]
    (tree / path / "kustomization.yaml").write_text(json.dumps({"resources": resources}), encoding="utf-8")


def _parents(path: str) -> Iterator[str]:
    """The folders above a file, outermost first."""
    parts = path.split("/")[:-1]
    return ("/".join(parts[: at + 1]) for at in range(len(parts)))


def _prune(tree: Path, layer: kustomize.Layer) -> Iterator[str]:
    """Take what cannot be fetched or is never run out of a kustomization and those below it; say what it was."""
    for below in (*layer.bases, *layer.components):
        yield from _prune(tree, below)
    remote = [each.removesuffix(f" ({layer.file})") for each in layer.missing]
    if other := [each for each in remote if not _REMOTE.search(each)]:
        raise YamlTextError(f"{layer.file}: {', '.join(other[:3])} is not in the repository")
    inflated = [key for key in _INFLATED if any(path[0] == key for path in layer.document)]
    if not remote and not inflated:
        return
    loaded = _load((tree / layer.file).read_text(encoding="utf-8"))
    for section in _DROPPED_FROM:
        if isinstance(loaded.get(section), list):
            loaded[section] = [each for each in loaded[section] if each not in remote]
    for key in inflated:
        names = ", ".join(str(each.get("name", "?")) for each in _maps(loaded.pop(key)))
        yield f"{layer.file} inflates Helm charts ({names}), which is not done here; the rest was rendered"
    (tree / layer.file).write_text(yaml.dump(loaded, Dumper=yaml.CSafeDumper), encoding="utf-8")
    yield from (f"{each} ({layer.file}) is not in the repository; the rest was rendered" for each in remote)


def _directory(folder: Path, source: Source) -> Prepared:
    """Only the files that Argo CD takes: no deeper than it is told, by its globs, and no jsonnet."""
    tree, path = folder / _TREE, source.path
    for each in Folder(tree).under(path):
        inner = posixpath.relpath(each, path or ".")
        if not _taken(inner, source):
            (tree / each).unlink()
        elif inner.endswith((".jsonnet", ".libsonnet")):
            raise YamlTextError(f"{each}: jsonnet is not run here; render it in the pipeline to have it proven")
    return Prepared(tree, source, (), path)


def _taken(path: str, source: Source) -> bool:
    if "/" in path and not source.recurse:
        return False
    if source.include and not any(each.fullmatch(path) for each in _globs(source.include)):
        return False
    return not any(each.fullmatch(path) for each in _globs(source.exclude))


def _globs(text: str) -> Iterator[re.Pattern[str]]:
    """Argo CD's globs: one, or several in braces; `*` crosses slashes (gobwas/glob without separators)."""
    for each in text.removeprefix("{").removesuffix("}").split(",") if text.startswith("{") else [text] if text else []:
        parts = (".*" if part in ("*", "**") else "." if part == "?" else re.escape(part)
                 for part in re.split(r"(\*\*?|\?)", each.strip()))  # fmt: skip
        yield re.compile("".join(parts))


def _load(text: str) -> dict[str, Any]:
    """A small YAML mapping of the tool's own vocabulary. Raises YamlTextError."""
    try:
        loaded = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlTextError(f"not valid YAML: {' '.join(str(error).split())[:200]}") from error
    return dict(loaded) if isinstance(loaded, Mapping) else {}


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
