"""What Flux's objects come to: kustomizations with their patches, components and generators, and what a Flux
Kustomization adds on top. Order: bases, resources, components, generators, the kustomization's own patches, then those
of the Flux Kustomization (kustomize's order; kustomize-controller appends its own to the folder's kustomization)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gitops_sre.gitops import kustomize
from gitops_sre.gitops.files import KUSTOMIZATIONS, Files, documents, inside, join, kustomization_in, manifests
from gitops_sre.gitops.flux import patches
from gitops_sre.gitops.flux.objects import GROUP, Held, Object, Tree, held_in, opened, read, under
from gitops_sre.gitops.kustomize import Layer
from gitops_sre.yamltext import Path, YamlTextError

CONTENT = "|file"
"""Path element below a generated ConfigMap's key whose content is the file that the value stands in."""
ENTRY = "|entry"
"""Path element below a generated ConfigMap's key that is one entry `KEY=value` among others."""


@dataclass(frozen=True)
class Build:
    """The objects of a folder that matter to Flux, the manifests that go into it, and what could not be read."""

    objects: tuple[Object, ...]
    manifests: tuple[str, ...]
    unread: tuple[YamlTextError, ...] = ()

    def with_patches(self, found: Sequence[patches.Patch]) -> Build:
        """The build after patches."""
        return replace(self, objects=tuple(patches.applied(item, found) for item in self.objects)) if found else self

    def in_namespace(self, namespace: str) -> Build:
        """The build after kustomize's namespace transformer (empty: none)."""
        if not namespace:
            return self
        return replace(self, objects=tuple(replace(item, namespace=namespace) for item in self.objects))


def joined(builds: Iterable[Build]) -> Build:
    """Several builds as one."""
    parts = tuple(builds)
    return Build(
        tuple({(item.file, item.document, item.key): item for part in parts for item in part.objects}.values()),
        tuple(dict.fromkeys(path for part in parts for path in part.manifests)),
        tuple(error for part in parts for error in part.unread),
    )


Wanted = frozenset[str] | None
"""The files whose bytes can matter to a question; None: all of them."""


def of_folder(files: Files, folder: str, wanted: Wanted = None) -> Build:
    """A folder as kustomize-controller builds it: without a kustomization, it generates one of all manifests below
    and of the folders that have one. Raises YamlTextError when a kustomization or patch cannot be read.

    Of resources only `wanted` ones are parsed; but where a patch or generator is among them, all that it is over.
    """
    if kustomization_in(files, folder):
        return _layer(files, kustomize.read(files, folder), wanted)
    below = [path for path in manifests(files, folder) if posixpath.basename(path) not in KUSTOMIZATIONS]
    tops = _topmost(
        posixpath.dirname(path) for path in files.under(folder) if posixpath.basename(path) in KUSTOMIZATIONS
    )
    loose = [path for path in below if not any(inside(path, top) for top in tops)]
    layers = (_layer(files, kustomize.read(files, top), wanted) for top in tops)
    return joined([of_files(files, loose, wanted), *layers])


def with_components(files: Files, build: Build, folder: str, names: Iterable[str], wanted: Wanted = None) -> Build:
    """A build after the components that a Flux Kustomization names."""
    for name in names:
        path = join(folder, name)
        if path is not None and kustomization_in(files, path):
            build = _over(files, build, kustomize.read(files, path), wanted)
    return build


def _topmost(folders: Iterable[str]) -> list[str]:
    found: list[str] = []
    for folder in sorted(set(folders)):
        if not any(inside(folder, known) for known in found):
            found.append(folder)
    return found


def _layer(files: Files, layer: Layer, wanted: Wanted) -> Build:
    return _over(files, Build((), ()), layer, wanted)


def _over(files: Files, build: Build, layer: Layer, wanted: Wanted) -> Build:
    """A build with a layer on top: for a component that is what was there, for any other nothing."""
    tree = held_in(layer.file, layer.document)
    folder = posixpath.dirname(layer.file)
    if wanted is not None and not wanted.isdisjoint({layer.file, *layer.patches, *layer.reads} - {*layer.resources}):
        wanted = None
    below = (_layer(files, base, wanted) for base in layer.bases)
    build = joined([build, *below, of_files(files, layer.resources, wanted)])
    for component in layer.components:
        build = _over(files, build, component, wanted)
    build = joined([build, Build(tuple(_generated(files, tree, folder)), ())])
    namespace = tree.get(("namespace",))
    if any(item.kind != "ConfigMap" for item in build.objects):
        build = build.with_patches(patches.of(files, tree, folder))
    return build.in_namespace(namespace.value if namespace else "")


def of_files(files: Files, paths: Iterable[str], wanted: Wanted) -> Build:
    """The objects of manifests whose bytes say that they matter. What cannot be read is kept for whoever misses it."""
    found: list[Object] = []
    unread: list[YamlTextError] = []
    paths = tuple(paths)
    for path in paths if wanted is None else sorted(wanted.intersection(paths)):
        text = files.text(path) or ""
        if GROUP in text or "ConfigMap" in text:
            try:
                found += (item for item in read(files, path) if GROUP[:-1] in item.group or item.kind == "ConfigMap")
            except YamlTextError as error:
                unread.append(error)
    return Build(tuple(found), paths, tuple(unread))


def _generated(files: Files, tree: Tree, folder: str) -> Iterator[Object]:
    """ConfigMaps that a kustomization generates, by the name that other objects use (its hash left out)."""
    file = next((held.file for held in tree.values()), "")
    for at in dict.fromkeys(path[1] for path in tree if path[:1] == ("configMapGenerator",) and len(path) > 1):
        one = under(tree, ("configMapGenerator", at))
        name, namespace = one.get(("name",)), one.get(("namespace",))
        data: dict[Path, Held] = {}
        for path, held in one.items():
            match path:
                case ("files", int()):
                    data |= _content(files, held, folder)
                case ("literals", int()):
                    data["data", held.value.partition("=")[0], ENTRY] = held
                case ("envs", int()) | ("env",):
                    data |= {("data", *place): each for place, each in _listed(files, held, folder).items()}
        if name is not None:
            where = namespace.value if namespace else ""
            yield Object(file, name.scalar.document, "ConfigMap", where, name.value, data)


def _listed(files: Files, held: Held, folder: str) -> Tree:
    """The values of a file of `KEY=value` lines, when it can be read."""
    path = join(folder, held.value)
    try:
        found = documents(files, path) if path is not None else ()
    except YamlTextError:
        return {}
    return held_in(path or "", found[0]) if found else {}


def _content(files: Files, held: Held, folder: str) -> dict[Path, Held]:
    """A ConfigMap's key that is made of a file; `content` reads it when it is asked for."""
    key, named, name = held.value.rpartition("=")
    path = join(folder, name)
    if path is None or files.text(path) is None:
        return {}
    key = key if named else posixpath.basename(name)
    return {("data", key, CONTENT): Held(path, held.scalar, f"{held.file} makes {key} of a ConfigMap from it")}


def content(files: Files, item: Object, key: str) -> tuple[Tree, ...]:
    """What a ConfigMap's key holds, as YAML documents with their places. Raises YamlTextError when it is a file that
    cannot be read."""
    made = item.tree.get(("data", key, CONTENT))
    if made is None:
        return opened(item.tree, ("data", key))
    trees = (held_in(made.file, document) for document in documents(files, made.file))
    return tuple({path: replace(held, by=made.by) for path, held in tree.items()} for tree in trees)


def single(files: Files, item: Object, key: str) -> Held | None:
    """The one value that a ConfigMap's key holds."""
    if ("data", key, CONTENT) in item.tree:
        return next((tree[()] for tree in content(files, item, key) if () in tree), None)
    return item.tree.get(("data", key))
