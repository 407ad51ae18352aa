"""What belongs to an app's folder: which Flux Kustomizations apply it, and the objects that come of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gitops_sre.gitops.files import KUSTOMIZATIONS, Files
from gitops_sre.gitops.flux import builds, kinds, patches
from gitops_sre.gitops.flux.builds import Build, Wanted, inside
from gitops_sre.gitops.flux.kinds import KUSTOMIZATION, Kustomization, Reference
from gitops_sre.gitops.flux.objects import Object, mentioning, read, under
from gitops_sre.yamltext import YamlTextError

_PATH = re.compile(r"""["']?path["']?:\s*["']?([^\s"'#]+)""")
_DECLARES = re.compile(r"^kind:\s*[\"']?GitRepository\b", re.M)
_PARENTS = re.compile(r"kind:\s*[\"']?Kustomization\b(?s:.*)\bpatch")


@dataclass(frozen=True)
class Unit:
    """A folder, as one Flux Kustomization applies it or as it stands (None). `objects` are those of the scope that was
    asked for, with everything that is laid over them."""

    folder: str
    kustomization: Kustomization | None
    build: Build
    scope: str

    @property
    def objects(self) -> tuple[Object, ...]:
        """The effective objects."""
        return self.build.objects

    @property
    def name(self) -> str:
        """How it is called in reasons."""
        return f"Kustomization {self.kustomization.key}" if self.kustomization else self.folder or "the repository"


def units(files: Files, scope: str, words: Sequence[str] = ()) -> tuple[Unit, ...]:
    """The units of a folder: those that apply it or a part of it, or that it declares; where there is none, the
    nearest that applies a folder around it; what nothing applies, as it stands. Raises YamlTextError.

    With `words` only objects in files that hold one of them are looked at, and those under a patch that does.
    """
    scope = scope.strip("/")
    wanted = frozenset(path for word in words for path in mentioning(files, word)) if words else None
    known = kustomizations(files, scope)
    own = [each for each in known if inside(each.path, scope) or (scope and inside(each.object.file, scope))]
    around = [each for each in known if scope and each.path != scope and inside(scope, each.path)]
    nearest = max((len(each.path) for each in around), default=0)
    if not any(inside(each.path, scope) for each in own):
        own += [each for each in around if len(each.path) == nearest]
    applied = [_unit(files, each, scope, wanted) for each in own]
    plain = builds.of_folder(files, scope, wanted)
    covered = {(item.file, item.document) for unit in applied for item in unit.objects}
    rest = tuple(item for item in plain.objects if (item.file, item.document) not in covered)
    return (*applied, Unit(scope, None, replace(plain, objects=rest), scope))


def unapplied(files: Files, scope: str, known: Sequence[Unit], words: Sequence[str]) -> Unit:
    """The objects in a folder's files that no kustomization includes."""
    read_already = {path for unit in known for path in unit.build.manifests}
    read_already |= {file for unit in known for item in unit.objects for file in item.files()}
    paths = {path for word in words for path in mentioning(files, word, scope.strip("/"))} - read_already
    objects = tuple(item for path in sorted(paths) for item in _readable(files, path))
    return Unit(scope, None, Build(objects, ()), scope)


def kustomizations(files: Files, scope: str = "") -> tuple[Kustomization, ...]:
    """The Flux Kustomizations whose folder is around or below a folder, or that stand in it. Found by bytes: only
    files that name such a path are parsed."""
    texts = {path: files.text(path) or "" for path in mentioning(files, f"{KUSTOMIZATION}/")}
    near = [path for path, text in texts.items() if inside(path, scope) or _near(text, scope)]
    found = [item for path in near for item in _readable(files, path) if kinds.is_kustomization(item)]
    parents = [path for path, text in texts.items() if _PARENTS.search(text)]
    above = [item for path in parents for item in _readable(files, path) if kinds.is_kustomization(item)]
    made = (kinds.kustomization(_from_parents(files, item, above)) for item in found)
    return tuple(known for each in made if (known := _placed(files, each)) is not None)


def _near(text: str, scope: str) -> bool:
    if "ExternalArtifact" in text:
        return True
    paths = (found.removeprefix("./").strip("/") for found in _PATH.findall(text))
    return any(inside(path, scope) or inside(scope, path) for path in paths)


def _readable(files: Files, path: str) -> Sequence[Object]:
    try:
        return read(files, path)
    except YamlTextError:
        return ()


def _from_parents(files: Files, item: Object, above: Sequence[Object]) -> Object:
    """A Flux Kustomization with what the patches of those that apply its file set."""
    for parent in above:
        made = kinds.kustomization(parent)
        if parent.key != item.key and inside(item.file, made.path):
            item = patches.applied(item, patches.of(files, under(parent.tree, ("spec",)), made.path))
    return item


def _placed(files: Files, known: Kustomization) -> Kustomization | None:
    """A Kustomization with its path in this repository; None when its folder is not in it."""
    if known.source.kind == "ExternalArtifact":
        known = replace(known, path=_in_artifact(files, known.source, known.path))
    elif known.source.kind in ("GitRepository", "") and not _is_elsewhere(files, known.source):
        pass
    elif known.source.kind != "OCIRepository":
        return None
    return known if files.under(known.path) else None


def _is_elsewhere(files: Files, source: Reference) -> bool:
    """Whether a GitRepository is, by its URL, not the one that Flux was installed from."""
    if source.name in ("flux-system", ""):
        return False
    urls: dict[str, str] = {}
    for path in mentioning(files, "kind: GitRepository"):
        if _DECLARES.search(files.text(path) or ""):
            found = (item for item in _readable(files, path) if item.kind == "GitRepository")
            urls |= {item.name: item.value("spec", "url") for item in found}
    installed = urls.get("flux-system")
    return bool(installed and urls.get(source.name, installed) != installed)


def _in_artifact(files: Files, source: Reference, path: str) -> str:
    """A folder of an artifact that an ArtifactGenerator copies together, as a folder of the repository."""
    for file in mentioning(files, "ArtifactGenerator"):
        for item in _readable(files, file):
            for at in item.children("spec", "artifacts"):
                if item.value("spec", "artifacts", at, "name") == source.name:
                    for source_folder, target in _copies(item, at):
                        if inside(path, target):
                            return "/".join(filter(None, (source_folder, path[len(target) :].strip("/"))))
    return path


def _copies(item: Object, at: str | int) -> Iterator[tuple[str, str]]:
    """Folders from which and to which an artifact copies, the longest target first."""
    found = []
    for number in item.children("spec", "artifacts", at, "copy"):
        entry = ("spec", "artifacts", at, "copy", number)
        taken = item.value(*entry, "from").partition("/")[2].rstrip("*").strip("/")
        given = item.value(*entry, "to").removeprefix("@artifact").strip("/")
        found.append((taken, given))
    yield from sorted(found, key=lambda pair: -len(pair[1]))


def _unit(files: Files, known: Kustomization, scope: str, wanted: Wanted) -> Unit:
    item = known.object
    if wanted is not None and not wanted.isdisjoint(item.files()):
        wanted = None  # it may patch or substitute what the question is about
    if wanted is not None and not _reaches(files, known, wanted):
        return Unit(known.path, known, Build((), ()), scope)
    build = builds.of_folder(files, known.path, wanted)
    build = builds.with_components(files, build, known.path, known.components, wanted)
    build = build.with_patches(patches.of(files, under(item.tree, ("spec",)), known.path))
    build = build.in_namespace(known.target_namespace)
    if not inside(known.path, scope) and not inside(item.file, scope or "/"):
        build = _narrowed(files, build, scope)
    return Unit(known.path, known, build, scope)


def _reaches(files: Files, known: Kustomization, wanted: frozenset[str]) -> bool:
    """Whether a wanted file can be part of what a Kustomization applies: it is below, or something leads outside."""
    if known.components or any(inside(path, known.path) for path in wanted):
        return True
    names = (path for path in files.under(known.path) if posixpath.basename(path) in KUSTOMIZATIONS)
    return any("../" in (files.text(path) or "") for path in names)


def _narrowed(files: Files, build: Build, scope: str) -> Build:
    """The part of a build that a folder below it makes."""
    own = {(item.kind, item.name) for item in builds.of_folder(files, scope).objects}
    kept = tuple(
        item
        for item in build.objects
        if (item.kind, item.name) in own or any(inside(file, scope) for file in item.files())
    )
    return replace(build, objects=kept, manifests=tuple(path for path in build.manifests if inside(path, scope)))
