"""What the generators of an ApplicationSet give: one set of parameters for each Application, with their places.

What only a cluster or a forge knows (which clusters are registered, which repositories and pull requests there are) is
said in the notes and left as it is written. Source: Argo CD's ApplicationSet manual, "Generators".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from gitops_sre.gitops.argocd.templates import Parameter, Parameters, derived, filled, of_path, of_tree
from gitops_sre.gitops.files import Files, documents
from gitops_sre.gitops.flux.objects import Held, Object, Tree, held_in, under
from gitops_sre.gitops.target import same_repository
from gitops_sre.yamltext import Path, YamlTextError

_OUTSIDE = {
    "scmProvider": "which repositories there are is asked of the forge",
    "pullRequest": "which pull requests are open is asked of the forge",
    "clusterDecisionResource": "which clusters it picks is decided in the cluster",
    "plugin": "what the plugin answers is not in Git",
}
_CLUSTERS = "which clusters are registered, and their labels, is known to Argo CD alone"
MAX_ELEMENTS = 2000


@dataclass(frozen=True)
class Element:
    """The parameters of one Application. `name` says which element of which generator it is; `notes` say what about
    it is not known from the files; `template` is laid over the set's own."""

    parameters: Parameters
    name: str
    notes: tuple[str, ...] = ()
    template: Tree | None = None


@dataclass(frozen=True)
class Generators:
    """The generators of one ApplicationSet."""

    files: Files
    object: Object
    repository_urls: tuple[str, ...] = ()

    @property
    def go(self) -> bool:
        """Whether its templates are Go's."""
        return self.object.value("spec", "goTemplate") == "true"

    def elements(self) -> Iterator[Element]:
        """Every element, in order. Raises YamlTextError when there are too many to be meant."""
        found = 0
        for at in self.object.children("spec", "generators"):
            for element in self._of(("spec", "generators", at), {}):
                found += 1
                if found > MAX_ELEMENTS:
                    raise YamlTextError(
                        f"{self.object.file}: {self.object} makes more than {MAX_ELEMENTS} Applications"
                    )
                yield element

    def _of(self, at: Path, given: Parameters) -> Iterator[Element]:
        """The elements of the generator at a path; `given` are parameters of an outer one."""
        makers: dict[str, Callable[[Path, Parameters], Iterator[Element]]] = {
            "list": self._list, "git": self._git, "clusters": self._clusters, "matrix": self._matrix,
            "merge": self._merge,
        }  # fmt: skip
        kind = next((str(key) for key in self.object.children(*at) if key not in ("selector",)), "")
        if not kind and (held := self.object.tree.get(at)) is not None:
            kind = held.value
        if kind not in makers:
            why = _OUTSIDE.get(kind, "this generator is not known")
            yield Element({}, kind or "generator", (f"generator {kind}: {why}",))
            return
        template = self.object.below(*at, kind, "template") or None
        for element in makers[kind]((*at, kind), given):
            if _selected(self.object, (*at, "selector"), element):
                yield replace(element, template=template) if template else element

    def _text(self, held: Held, given: Parameters) -> str:
        return filled(held.value, given, go=self.go).text

    def _values(self, at: Path, parameters: Mapping[Path, Parameter]) -> dict[Path, Parameter]:
        """`values:` of a generator, which may use its other parameters."""
        below = self.object.below(*at, "values")
        return {("values", *path): derived(held, parameters, go=self.go) for path, held in below.items()}

    def _list(self, at: Path, given: Parameters) -> Iterator[Element]:
        for number in self.object.children(*at, "elements"):
            tree = self.object.below(*at, "elements", number)
            found = {self._plain(path): derived(held, given, go=self.go) for path, held in tree.items()}
            yield Element(found, f"element {int(number) + 1} of the list")
        if self.object.value(*at, "elementsYaml"):
            yield Element({}, "elementsYaml", ("generator list: elementsYaml is computed when it runs",))

    def _plain(self, path: Path) -> Path:
        """The path of a parameter: without Go templates, `values.x` is the same written as one key or as two."""
        if self.go:
            return path
        return tuple(part for key in path for part in (key.split(".") if isinstance(key, str) else (key,)))

    def _clusters(self, at: Path, given: Parameters) -> Iterator[Element]:
        values = self._values(at, given)
        yield Element(values, "any cluster", (f"generator clusters: {_CLUSTERS}",))

    def _git(self, at: Path, given: Parameters) -> Iterator[Element]:
        url = self.object.tree.get((*at, "repoURL"))
        where = self._text(url, given) if url else ""
        if (
            self.repository_urls
            and "{{" not in where
            and not any(same_repository(where, u) for u in self.repository_urls)
        ):
            yield Element({}, "git", (f"generator git: {where} is another repository",))
            return
        prefix = self.object.value(*at, "pathParamPrefix")
        folders = self.object.children(*at, "directories")
        for path in self._chosen((*at, "directories"), given, self._folders() if folders else ()):
            yield self._git_element(at, given, _prefixed(of_path(path), prefix), f"folder {path}")
        chosen = self._chosen((*at, "files"), given, self.files.under("") if self.object.children(*at, "files") else ())
        for path in chosen:
            yield from self._git_file(at, given, path, prefix)

    def _folders(self) -> tuple[str, ...]:
        found: set[str] = set()
        for path in self.files.under(""):
            folder = posixpath.dirname(path)
            while folder and folder not in found:
                found.add(folder)
                folder = posixpath.dirname(folder)
        return tuple(sorted(found))

    def _chosen(self, at: Path, given: Parameters, paths: tuple[str, ...]) -> Iterator[str]:
        """Paths that the patterns take and none of them excludes."""
        take: list[re.Pattern[str]] = []
        leave: list[re.Pattern[str]] = []
        crossing = at[-1] == "files"
        for number in self.object.children(*at):
            held = self.object.tree.get((*at, number, "path"))
            excluded = self.object.value(*at, number, "exclude") == "true"
            (leave if excluded else take).append(_glob(self._text(held, given) if held else "", crossing=crossing))
        for path in paths:
            hidden = not crossing and any(part.startswith(".") for part in path.split("/"))
            if not hidden and any(p.fullmatch(path) for p in take) and not any(p.fullmatch(path) for p in leave):
                yield path

    def _git_file(self, at: Path, given: Parameters, path: str, prefix: str) -> Iterator[Element]:
        try:
            parts = documents(self.files, path)
        except YamlTextError as error:
            yield Element({}, f"file {path}", (f"generator git: {error}",))
            return
        said = _prefixed(of_path(posixpath.dirname(path), posixpath.basename(path)), prefix)
        for part in parts:
            tree = held_in(path, part)
            items = dict.fromkeys(place[0] for place in tree if place and isinstance(place[0], int))
            for inner in [under(tree, (item,)) for item in items] or [tree]:
                yield self._git_element(at, given, said | of_tree(inner), f"file {path}")

    def _git_element(self, at: Path, given: Parameters, found: dict[Path, Parameter], name: str) -> Element:
        return Element(found | self._values(at, {**given, **found}), name)

    def _children(self, at: Path) -> tuple[Path, ...]:
        return tuple((*at, "generators", number) for number in self.object.children(*at, "generators"))

    def _matrix(self, at: Path, given: Parameters) -> Iterator[Element]:
        """Every combination; the second generator may use the parameters of the first."""
        yield from self._combined(self._children(at), given, Element({}, ""))

    def _combined(self, children: tuple[Path, ...], given: Parameters, so_far: Element) -> Iterator[Element]:
        if not children:
            yield so_far
            return
        for element in self._of(children[0], {**given, **so_far.parameters}):
            name = " and ".join(filter(None, (so_far.name, element.name)))
            joined = Element(_joined(so_far.parameters, element.parameters), name, (*so_far.notes, *element.notes))
            yield from self._combined(children[1:], given, joined)

    def _merge(self, at: Path, given: Parameters) -> Iterator[Element]:
        """Elements of the first generator, with what later ones say about those with the same keys. Where the first
        is not known (clusters), each later element is taken for one that is there."""
        keys = [self.object.value(*at, "mergeKeys", number) for number in self.object.children(*at, "mergeKeys")]
        first, *others = [list(islice(self._of(child, given), MAX_ELEMENTS + 1)) for child in self._children(at)] or [
            []
        ]
        if any(len(elements) > MAX_ELEMENTS for elements in (first, *others)):
            raise YamlTextError(
                f"{self.object.file}: a generator of {self.object} gives more than {MAX_ELEMENTS} elements"
            )
        for base in first:
            known = self._merged(base, others, keys)
            yield known
            if base.notes:
                yield from self._expected(base, others, keys)

    def _merged(self, base: Element, others: list[list[Element]], keys: list[str]) -> Element:
        for elements in others:
            for element in elements:
                if _key(element, keys) == _key(base, keys) and None not in _key(base, keys):
                    base = _over(base, element)
        return base

    def _expected(self, base: Element, others: list[list[Element]], keys: list[str]) -> Iterator[Element]:
        seen = set()
        for element in (element for elements in others for element in elements):
            key = _key(element, keys)
            if key not in seen and None not in key:
                seen.add(key)
                named = replace(base, parameters=_joined(base.parameters, element.parameters))
                yield self._merged(named, others, keys)


def _joined(one: Parameters, other: Parameters) -> dict[Path, Parameter]:
    return {**one, **other}


def _over(base: Element, element: Element) -> Element:
    name = f"{base.name} as {element.name}"
    return replace(base, parameters=_joined(base.parameters, element.parameters), name=name)


def _key(element: Element, keys: list[str]) -> tuple[str | None, ...]:
    known = {".".join(str(part) for part in path): value.text for path, value in element.parameters.items()}
    return tuple(known.get(key) for key in keys)


def _prefixed(parameters: dict[Path, Parameter], prefix: str) -> dict[Path, Parameter]:
    return {(prefix, *path): value for path, value in parameters.items()} if prefix else parameters


def _glob(pattern: str, *, crossing: bool) -> re.Pattern[str]:
    """Folders match part by part; file patterns are Git's, whose `*` also takes slashes (Argo CD's default)."""
    star = ".*" if crossing else "[^/]*"
    text = posixpath.normpath(pattern) if pattern else ""
    parts = (
        {"**/": "(?:.*/)?", "**": ".*", "*": star, "?": "[^/]"}.get(part, re.escape(part))
        for part in re.split(r"(\*\*/|\*\*|\*|\?)", text)
    )
    return re.compile("".join(parts))


def _selected(item: Object, at: Path, element: Element) -> bool:
    """Whether a generator's selector takes an element, as far as its parameters are known."""
    labels = {".".join(str(part) for part in path): value.text for path, value in element.parameters.items()}
    for path, held in item.below(*at, "matchLabels").items():
        key = ".".join(str(part) for part in path)
        if labels.get(key, held.value if element.notes else None) != held.value:
            return False
    return all(_expressed(item, (*at, "matchExpressions", n), labels, element)
               for n in item.children(*at, "matchExpressions"))  # fmt: skip


def _expressed(item: Object, at: Path, labels: Mapping[str, str], element: Element) -> bool:
    key, operator = item.value(*at, "key"), item.value(*at, "operator")
    listed = {held.value for held in item.below(*at, "values").values()}
    if key not in labels and element.notes:
        return True
    return {
        "In": labels.get(key) in listed,
        "NotIn": labels.get(key) not in listed,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(operator, True)
