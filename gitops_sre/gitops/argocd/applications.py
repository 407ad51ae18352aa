"""Every Application that the repository declares, by itself or through an ApplicationSet.

Source: Argo CD, "Application specification", "Multiple sources for an application", "Parameter overrides"
(`.argocd-source.yaml`), "ApplicationSet specification".
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from gitops_sre.gitops import environments
from gitops_sre.gitops.argocd.generators import Element, Generators
from gitops_sre.gitops.argocd.loops import NOTE, Loop, assigned
from gitops_sre.gitops.argocd.manifests import Manifest, Unread, manifests
from gitops_sre.gitops.argocd.patched import applied
from gitops_sre.gitops.argocd.templates import Parameter, Parameters, filled, of_tree
from gitops_sre.gitops.files import AtCommit, Files, documents
from gitops_sre.gitops.flux.objects import Held, Object, Tree, held_in, merged, under
from gitops_sre.gitops.flux.variables import Resolved
from gitops_sre.gitops.target import same_repository
from gitops_sre.model.live import Application
from gitops_sre.model.target import Source, SourceKind
from gitops_sre.yamltext import Path, YamlTextError

OVERRIDES = (
    ("helm", "parameters"), ("helm", "fileParameters"), ("helm", "values"), ("helm", "valuesObject"),
    ("kustomize", "images"), ("kustomize", "replicas"), ("kustomize", "patches"), ("plugin", "env"),
)  # fmt: skip
"""What a source can set over the repository's files."""
_TOOLS = frozenset({"helm", "kustomize", "plugin", "directory"})
"""What an override file can set; it cannot say where the manifests come from."""


@dataclass(frozen=True)
class Destination:
    """Where an Application is applied: a cluster by server URL or by name, and the default namespace."""

    server: str
    name: str
    namespace: str


@dataclass(frozen=True, eq=False)
class DeclaredSource:
    """One source as the Application declares it. `local`: it is of this repository. `tree` is what is declared, with
    the override files of its folder laid over."""

    source: Source
    chart: str
    ref: str
    local: bool
    tree: Tree
    overridden_by: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Declared:
    """One Application, and the object that declares it: itself, or the ApplicationSet that makes it.

    `element` says which element of which generator made it, `parameters` what that gave. `locked` says why the file
    cannot be edited (empty: it can). `notes` say what is not known without a cluster.
    """

    object: Object
    namespace: str
    name: str
    project: str
    sources: tuple[DeclaredSource, ...]
    destination: Destination
    auto_sync: bool
    spec: Tree = field(repr=False)
    element: str = ""
    parameters: Parameters = field(default_factory=dict, repr=False)
    go: bool = False
    locked: str = ""
    notes: tuple[str, ...] = ()
    applied_by: str = ""
    """The kustomization whose patches are in it."""

    @property
    def kind(self) -> Literal["Application", "ApplicationSet"]:
        """What declares it."""
        return "ApplicationSet" if self.object.kind == "ApplicationSet" else "Application"

    @property
    def file(self) -> str:
        """The file that declares it."""
        return self.object.file

    @property
    def document(self) -> int:
        """The document in that file."""
        return self.object.document

    @property
    def key(self) -> str:
        """`namespace/name`, as the cluster will have it."""
        return f"{self.namespace}/{self.name}"

    @property
    def environment(self) -> str:
        """The environment that its namespace, cluster, name, parameters, sources or file tell; empty: none."""
        where = self.destination
        said = [text for path, p in self.parameters.items() if (text := p.text) and path[-1:] != ("path",)]
        told = [where.namespace, where.name, self.name, *said]
        paths = [path for each in self.sources for path in (*reversed(each.source.value_files), each.source.path)]
        found = (environments.of(text) for text in (*told, *paths, self.applied_by, self.file))
        return next((each for each in found if each), "")

    @property
    def complete(self) -> bool:
        """Whether everything about where its manifests come from is known."""
        return not any("{{" in each.source.path + each.source.repo_url for each in self.sources)

    def resolve(self, held: Held) -> Resolved:
        """A value with the template filled in."""
        return filled(held.value, self.parameters, go=self.go)

    def text(self, *path: str | int) -> str:
        """The value at a path of its specification, filled in; empty where there is none."""
        held = self.spec.get(path)
        return self.resolve(held).text if held else ""

    def as_application(self) -> Application:
        """The Application as the cluster would show it before it has looked at it."""
        return Application(
            namespace=self.namespace, name=self.name, sources=tuple(each.source for each in self.sources),
            destination_namespace=self.destination.namespace, sync_status="Unknown", revisions=(), health="Unknown",
            reconciled_at=None, operation=None, auto_sync=self.auto_sync,
        )  # fmt: skip

    def __str__(self) -> str:
        made = f" (made by {self.object}, {self.element})" if self.kind == "ApplicationSet" else ""
        return f"Application {self.name}{made}"


@dataclass(frozen=True)
class Found:
    """All Applications of a repository, and the files that could not be read."""

    applications: tuple[Declared, ...]
    unread: tuple[Unread, ...]


def applications(files: Files, repository_urls: Sequence[str] = (), scope: str = "") -> tuple[Declared, ...]:
    """Every Application that the repository declares. `repository_urls` are its own addresses; without them a source
    is of this repository when its path is there. With a `scope`, only such as may have to do with that folder."""
    return read(files, repository_urls, scope).applications


def read(files: Files, repository_urls: Sequence[str] = (), scope: str = "") -> Found:
    """Every Application, and what could not be read. What a commit says is remembered."""
    urls = tuple(repository_urls)
    return _remembered(files, urls, scope) if isinstance(files, AtCommit) else _read(files, urls, scope)


@lru_cache(maxsize=16)
def _remembered(files: AtCommit, urls: tuple[str, ...], scope: str) -> Found:
    return _read(files, urls, scope)


def _read(files: Files, urls: tuple[str, ...], scope: str) -> Found:
    found: list[Declared] = []
    unread: list[Unread] = []
    reader = _Reader(files, urls)
    read_ones = tuple(manifests(files, scope))
    unread += (each for each in read_ones if isinstance(each, Unread))
    for manifest in applied(files, [each for each in read_ones if isinstance(each, Manifest)]):
        try:
            found += [each for each in reader.declared(manifest) if each.sources]
        except YamlTextError as error:
            unread.append(Unread(manifest.object.file, str(error)))
    return Found(tuple(found), tuple(unread))


class _Reader:
    def __init__(self, files: Files, urls: tuple[str, ...]) -> None:
        self._files = files
        self._urls = urls
        self._present: dict[str, bool] = {}

    def declared(self, manifest: Manifest) -> Iterator[Declared]:
        """The Applications that one object declares."""
        item = manifest.object
        if item.kind == "Application":
            for element in self._turns(manifest):
                yield self._one(manifest, item.tree, element, go=True)
            return
        generators = Generators(self._files, item, self._urls)
        template = item.below("spec", "template")
        for element in generators.elements():
            tree = merged(template, element.template) if element.template else template
            patch = ("its templatePatch is not evaluated",) if item.value("spec", "templatePatch") else ()
            yield self._one(manifest, tree, replace(element, notes=(*element.notes, *patch)), go=generators.go)

    def _turns(self, manifest: Manifest) -> Iterator[Element]:
        """What fills in an Application: nothing, or the values of the chart that it is a template of, once for each
        turn of the loop around it."""
        chart = _chart_of(self._files, manifest.object.file) if manifest.locked else None
        if chart is None:
            yield Element({}, "")
            return
        values = self._chart_values(chart)
        first, *inner = manifest.loops or (Loop(()),)
        if first is None or inner or first.over[:1] not in ((), ("Values",)):
            yield Element(self._assigned(manifest, values), "a loop", ("a loop of the chart is not followed", NOTE))
            return
        turns = first.turns(values) if first.over else [values]
        for number, turn in enumerate(turns):
            name = f"turn {number + 1} of the loop over .{'.'.join(map(str, first.over))}" if first.over else ""
            yield Element(self._assigned(manifest, {**values, **turn}), name, (NOTE,))

    def _assigned(self, manifest: Manifest, values: Parameters) -> Parameters:
        """Parameters with the variables that the template sets before the object."""
        kind = manifest.object.tree.get(("kind",))
        text = self._files.text(manifest.object.file) or ""
        return assigned(text, kind.scalar.start, values) if kind else values

    def _chart_values(self, chart: str) -> dict[Path, Parameter]:
        """Parameters of a template in a chart: what its values file says."""
        try:
            parts = documents(self._files, posixpath.join(chart, "values.yaml"))
        except YamlTextError:
            return {}
        known = of_tree(held_in(posixpath.join(chart, "values.yaml"), parts[0] if parts else {}))
        return {("Values", *path): value for path, value in known.items()}

    def _one(self, manifest: Manifest, tree: Tree, element: Element, *, go: bool) -> Declared:
        item = manifest.object
        bare = Declared(
            item, "", "", "", (), Destination("", "", ""), auto_sync=False, spec=under(tree, ("spec",)),
            element=element.name, parameters=element.parameters, go=go, locked=manifest.locked,
            applied_by=manifest.applied_by,
            notes=(*element.notes, *filter(None, (manifest.unsure,))),
        )  # fmt: skip
        metadata = replace(bare, spec=under(tree, ("metadata",)))
        name = metadata.text("name") or item.name
        destination = Destination(*(bare.text("destination", key) for key in ("server", "name", "namespace")))
        return replace(
            bare,
            namespace=metadata.text("namespace") or item.namespace,
            name=name,
            project=bare.text("project"),
            destination=destination,
            auto_sync=_automated(bare.spec),
            sources=tuple(self._sources(bare, name, destination.namespace)),
        )

    def _sources(self, declared: Declared, name: str, namespace: str) -> Iterator[DeclaredSource]:
        """Sources in order. `sources:` replaces `source:` when both are there."""
        spec = declared.spec
        several = dict.fromkeys(path[1] for path in spec if path[:1] == ("sources",) and len(path) > 1)
        trees = [under(spec, ("sources", at)) for at in several] or [under(spec, ("source",))]
        plain = [replace(declared, spec=tree) for tree in trees if tree]
        roots = {each.text("ref"): self._is_local(each) for each in plain if each.text("ref")}
        for each in plain:
            yield self._source(each, name, namespace, roots)

    def _source(self, bare: Declared, name: str, namespace: str, roots: dict[str, bool]) -> DeclaredSource:
        path = _folder(bare.text("path"))
        local = self._is_local(bare)
        tree, by = self._overridden(bare.spec, path, name) if local and bare.text("path") else (bare.spec, ())
        over = replace(bare, spec=tree)
        source = Source(
            repo_url=bare.text("repoURL"),
            path="" if bare.text("chart") or (bare.text("ref") and not bare.text("path")) else path,
            revision=bare.text("targetRevision") or "HEAD",
            kind=_kind(bare.spec, bare.text("chart")),
            value_files=tuple(self._value_files(over, path, roots, local=local)),
            release_name=over.text("helm", "releaseName") or name,
            namespace=namespace,
            overrides=tuple(".".join(keys) for keys in OVERRIDES if keys in tree or under(tree, keys)),
        )
        return DeclaredSource(source, bare.text("chart"), bare.text("ref"), local, tree, by)

    def _is_local(self, source: Declared) -> bool:
        url, path = source.text("repoURL"), source.text("path")
        if source.text("chart"):
            return False
        if self._urls and url and "{{" not in url:
            return any(same_repository(url, each) for each in self._urls)
        if not path:
            return bool(source.text("ref"))
        return self._is_there(_folder(path))

    def _is_there(self, folder: str) -> bool:
        if folder not in self._present:
            self._present[folder] = "{{" not in folder and bool(self._files.under(folder))
        return self._present[folder]

    def _value_files(self, source: Declared, folder: str, roots: dict[str, bool], *, local: bool) -> Iterator[str]:
        """Value files in this repository, from weakest to strongest; patterns are expanded in lexical order."""
        listed = under(source.spec, ("helm", "valueFiles"))
        for held in listed.values():
            written = source.resolve(held).text
            path = _value_file(written, folder, roots, local=local)
            if path is None:
                continue
            found = self._expanded(path) if "*" in path else (path,)
            yield from (each for each in found if "{{" not in each and self._files.text(each) is not None)

    def _expanded(self, pattern: str) -> Iterable[str]:
        folder = posixpath.dirname(pattern.partition("*")[0])
        return [path for path in self._files.under(folder) if fnmatchcase(path, pattern)]

    def _overridden(self, tree: Tree, folder: str, name: str) -> tuple[Tree, tuple[str, ...]]:
        """The declaration with the folder's override files laid over, which win over everything but where the
        manifests come from."""
        by: list[str] = []
        for file in (".argocd-source.yaml", f".argocd-source-{name}.yaml"):
            path = posixpath.join(folder, file)
            if "{{" in path or self._files.text(path) is None:
                continue
            said = next(iter(documents(self._files, path)), {})
            by_file = f"{path} beats the Application and the files"
            set_there = held_in(path, said).items()
            over = {place: replace(held, by=by_file) for place, held in set_there if place and place[0] in _TOOLS}
            tree = merged(tree, over)
            by.append(path)
        return tree, tuple(by)


def _automated(spec: Tree) -> bool:
    said = under(spec, ("syncPolicy", "automated"))
    there = bool(said) or ("syncPolicy", "automated") in spec
    enabled = spec.get(("syncPolicy", "automated", "enabled"))
    return there and not (enabled is not None and enabled.value == "false")


def _kind(tree: Tree, chart: str) -> SourceKind:
    if chart or under(tree, ("helm",)):
        return "helm"
    if under(tree, ("kustomize",)):
        return "kustomize"
    return "directory" if under(tree, ("directory",)) else "unknown"


def _folder(path: str) -> str:
    plain = posixpath.normpath(path.strip("/")) if path.strip("/") else ""
    return "" if plain == "." else plain


def _value_file(written: str, folder: str, roots: dict[str, bool], *, local: bool) -> str | None:
    """A value file as a path of this repository; None when it is of another one or a URL."""
    if "://" in written:
        return None
    if written.startswith("$"):
        reference, _, rest = written.partition("/")
        return posixpath.normpath(rest) if roots.get(reference[1:]) else None
    if not local:
        return None
    path = posixpath.normpath(written.lstrip("/") if written.startswith("/") else posixpath.join(folder, written))
    return None if path.startswith("..") else path


def _chart_of(files: Files, path: str) -> str | None:
    """The chart that a file is a template of."""
    head, separator, _ = f"/{path}".partition("/templates/")
    chart = head.lstrip("/")
    return chart if separator and files.text(posixpath.join(chart, "Chart.yaml")) is not None else None


def parents(found: Sequence[Declared]) -> dict[Declared, tuple[Declared, ...]]:
    """Applications by those that apply them: whose source holds the file that declares them. What such a parent
    applies is edited in that file, since the parent reverts an edit of the live object."""
    return {child: tuple(each for each in found if each is not child and _applies(each, child.file)) for child in found}


def _applies(parent: Declared, file: str) -> bool:
    return any(
        each.local and not each.ref and (not each.source.path or file.startswith(f"{each.source.path}/"))
        for each in parent.sources
    )


def reading(found: Iterable[Declared], path: str) -> tuple[Declared, ...]:
    """Applications that name a file, or a folder above it, by their sources or value files. Bases outside of these
    folders are for `Locator.inputs` to tell."""
    return tuple(each for each in found if _applies(each, path) or _names(each, path))


def _names(declared: Declared, path: str) -> bool:
    return any(path in (*each.source.value_files, *each.overridden_by) for each in declared.sources)
