"""Reads a source's files as a build: plain manifests, or kustomizations with everything that they include.

Order within a kustomization, weakest first: what it includes < its generators < its components < its patches.
Source: the order in which kustomize accumulates a target.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitops_sre.gitops import kustomize
from gitops_sre.gitops.configuration.build import Build, Replaced, of_sheet, of_values
from gitops_sre.gitops.configuration.entries import RELEASES, STEP, Entry, Object, Sheet, field, named, unhashed
from gitops_sre.gitops.configuration.patches import patched
from gitops_sre.gitops.files import Document, Files, documents, indexes, join, value, values
from gitops_sre.gitops.kustomize import Layer
from gitops_sre.model.change import Field
from gitops_sre.yamltext import Path, YamlTextError

_NAMESPACE = re.compile(r"^  (targetNamespace|namespace):[ \t]*[\"']?([\w.-]+)", re.M)


class Reader:
    """`key` is what is looked for: a file that cannot be read only matters when it names it. `namespace` (empty: any)
    is that of the target; objects of another are left out."""

    def __init__(self, files: Files, key: str, namespace: str) -> None:
        self._files = files
        self._leaf = key.rpartition(".")[2]
        self._namespace = namespace
        self._rank = 0

    def manifests(self, paths: Iterable[str], name: str) -> Build:
        """Plain manifests; of a workload `name` (empty: unknown). Raises YamlTextError."""
        rank, all_paths = self._next(), tuple(paths)
        first = [path for path in all_paths if self._mentions(path, (self._leaf, *([name] if name else [])))]
        build = Build.joined(self._file(path, rank) for path in first)
        found = not name or any(each[1] == name for each in build.consumers)
        # What the workload reads is known by name; where there is no workload, all that say who reads what.
        words = {unhashed(use.used[1]) for use in build.uses} if found else {"onfigMap"}
        rest = [path for path in all_paths if path not in set(first) and self._mentions(path, words)]
        return Build.joined((build, *(self._file(path, rank) for path in rest)))

    def _mentions(self, path: str, words: Iterable[str]) -> bool:
        """Whether a file's text holds any of these words: cheap, before it is parsed."""
        text = self._files.text(path) or ""
        return any(word in text for word in words)

    def kustomization(self, folder: str) -> Build:
        """A kustomization with everything that it includes. Raises YamlTextError."""
        return self._layer(kustomize.read(self._files, folder), Build(), "")

    def _layer(self, layer: Layer, build: Build, outer: str) -> Build:
        """`outer` is the namespace that the kustomizations around it give to all objects."""
        space = outer or value(layer.document, "namespace")
        elsewhere = bool(space and self._namespace and space != self._namespace)
        for base in layer.bases:
            build += self._layer(base, Build(), space)
        rank = self._next()
        build = Build.joined((build, *(self._file(path, rank, space) for path in layer.resources)))
        if elsewhere and not build.objects:
            return build
        build = self._generated(layer, build + self._charts(layer))
        for component in layer.components:
            build = self._layer(component, build, space or self._namespace)
        held = frozenset(build.objects) if elsewhere else None
        build = patched(self._files, self._documents, layer, build, self._next, self._leaf, held)
        build += Build(replaced=tuple(_replaced(layer)))
        return build.renamed(value(layer.document, "namePrefix"), value(layer.document, "nameSuffix"))

    def _next(self) -> int:
        self._rank += STEP
        return self._rank

    def _file(self, path: str, rank: int, space: str = "") -> Build:
        found = []
        for document in self._documents(path):
            sheet = Sheet(path, document)
            if self._belongs(document, space):
                kind, name = sheet.object
                reason = f"{kind} {name} in {path}" if kind else f"the file {path}"
                found.append(of_sheet(sheet, (kind, name), rank, reason))
        return Build.joined(found)

    def _belongs(self, document: Document, space: str) -> bool:
        """Whether an object is in the target's namespace, or makes objects there."""
        said = space or value(document, "metadata", "namespace")
        if value(document, "kind") in RELEASES:
            makes = value(document, "spec", "targetNamespace") or value(document, "spec", "destination", "namespace")
            said = makes or said
        return not self._namespace or said in ("", self._namespace)

    def _documents(self, path: str) -> tuple[Document, ...]:
        try:
            return documents(self._files, path)
        except YamlTextError:
            if self._leaf in (self._files.text(path) or ""):
                raise
            return ()

    def _charts(self, layer: Layer) -> Build:
        """Values that kustomize hands to the charts that it inflates: files, then what stands in itself over them.
        Source: kustomize's documentation of `helmCharts`, where `override` is the default of `valuesMerge`."""
        build, document, folder = Build(), layer.document, posixpath.dirname(layer.file)
        for at in indexes(document, "helmCharts"):
            name, release, first = (
                value(document, "helmCharts", at, key) for key in ("name", "releaseName", "valuesFile")
            )
            about = ("HelmChart", release or name)
            files = [*([first] if first else ()), *values(document, "helmCharts", at, "additionalValuesFiles")]
            for path in filter(None, (join(folder, entry) for entry in files)):
                if self._files.text(path) is not None:
                    for part in self._documents(path)[:1]:
                        build += of_values(Sheet(path, part), about, self._next(), f"values of {about[1]} in {path}")
            inline = Sheet.below(layer.file, document, ("helmCharts", at, "valuesInline"))
            build += of_values(inline, about, self._next(), f"`valuesInline` of {about[1]} in {layer.file}")
        return build

    def _generated(self, layer: Layer, build: Build) -> Build:
        rank = self._next()
        for section, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for at in indexes(layer.document, section):
                name, behavior = (value(layer.document, section, at, key) for key in ("name", "behavior"))
                about = (kind, name)
                build = build.without(about) if behavior == "replace" else build
                generator = _Generator(self._files, self._leaf, layer, (section, at), about, rank)
                hashed = frozenset() if _plain_name(layer.document, section, at) else frozenset({about})
                build += Build(tuple(generator.entries()), objects=(about,), hashed=hashed)
        return build


@dataclass(frozen=True)
class _Generator:
    """One entry of `configMapGenerator` or `secretGenerator`."""

    files: Files
    leaf: str
    layer: Layer
    root: Path
    about: Object
    rank: int

    @property
    def reason(self) -> str:
        """Why it decides."""
        return f"`{self.root[0]}` {self.about[1]} of {self.layer.file}"

    @property
    def refusal(self) -> str:
        """Why it must not be edited."""
        if self.about[0] == "ConfigMap":
            return ""
        return f"{self.reason} holds it, and secrets are never edited; change it by hand"

    def entries(self) -> Iterator[Entry]:
        """What it sets; what stands first is the weakest: a later source of the same key would be an error."""
        document, folder = self.layer.document, posixpath.dirname(self.layer.file)
        for at in indexes(document, *self.root, "literals"):
            scalar = document.get((*self.root, "literals", at))
            if scalar is not None and "=" in scalar.value:
                here = field(self.layer.file, scalar, self.reason)
                yield Entry(self.about, (scalar.value.partition("=")[0],), here, self.rank, self.refusal)
        single = value(document, *self.root, "env")
        for entry in (*values(document, *self.root, "envs"), *((single,) if single else ())):
            yield from self._file(join(folder, entry), ())
        for entry in values(document, *self.root, "files"):
            name, _, path = entry.rpartition("=")
            yield from self._file(join(folder, path), (name or posixpath.basename(path),))

    def _file(self, path: str | None, above: tuple[str, ...]) -> Iterator[Entry]:
        """What a file that it takes in sets. One that is not read and names the setting is refused later, by name."""
        text = self.files.text(path) if path is not None else None
        if path is None or text is None or (above and self.leaf not in text):
            return
        why = f"{self.reason} takes in {path}"
        found = False
        for part in () if self.refusal else self._readable(path):
            for place, scalar in part.items():
                if names := named(part, place):
                    found = True
                    yield Entry(self.about, above + names, field(path, scalar, why), self.rank, "")
        if not found and re.search(rf"^\s*[\"']?{re.escape(self.leaf)}[\"']?\s*[:=]", text, re.M):
            here = Field(path, 0, (), "value", "", "", why, present=False)
            refusal = self.refusal or f"{path} sets it, in a format that is not read; edit it by hand"
            yield Entry(self.about, (*above, self.leaf), here, self.rank, refusal)

    def _readable(self, path: str) -> tuple[Document, ...]:
        try:
            return documents(self.files, path)
        except YamlTextError:
            return ()


def namespaces(files: Files, layer: Layer) -> frozenset[str]:
    """The namespaces that a kustomization's objects may be in, as far as its files name them."""
    own = value(layer.document, "namespace")
    said = {found for path in layer.resources for found in _NAMESPACE.findall(files.text(path) or "")}
    spaces = {space for key, space in said if key == "targetNamespace" or not own}.union({own} if own else ())
    return frozenset(spaces).union(*(namespaces(files, each) for each in layer.bases))


def _plain_name(document: Document, section: str, at: int) -> bool:
    """Whether a generated object gets no hash."""
    key = "disableNameSuffixHash"
    return "true" in (value(document, section, at, "options", key), value(document, "generatorOptions", key))


def _replaced(layer: Layer) -> Iterator[Replaced]:
    document = layer.document
    for at in indexes(document, "replacements"):
        for to in indexes(document, "replacements", at, "targets"):
            here = ("replacements", at, "targets", to)
            kind, name = (value(document, *here, "select", key) for key in ("kind", "name"))
            yield from (Replaced(layer.file, kind, name, path) for path in values(document, *here, "fieldPaths"))
