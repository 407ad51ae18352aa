"""What belongs to an app's folder: which Flux Kustomizations apply it, and the objects that come of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gitops_sre.gitops import environments
from gitops_sre.gitops.files import KUSTOMIZATIONS, AtCommit, Files, inside, join, manifests
from gitops_sre.gitops.flux import builds, kinds, patches
from gitops_sre.gitops.flux.builds import Build, Wanted
from gitops_sre.gitops.flux.kinds import KUSTOMIZATION, Kustomization, Reference
from gitops_sre.gitops.flux.objects import Object, mentioning, naming, readable, under
from gitops_sre.gitops.index import inclusions
from gitops_sre.yamltext import YamlTextError

_PATH = re.compile(r"""["']?path["']?:\s*["']?([^\s"'#]+)""")
_COMMENT = re.compile(r"(?:^|\s)#.*", re.M)
_ENTRY = re.compile(r"""[^\s"'\[\]{},]+""")
_UP = re.compile(r"""(?<![^\s"'\[{,:])\.\.(?:/[^\s"'\[\]{},]*)?""")
_DECLARES = re.compile(r"^kind:\s*[\"']?GitRepository\b", re.M)
_PARENTS = re.compile(r"kind:\s*[\"']?Kustomization\b(?s:.*)\bpatch")


@dataclass(frozen=True)
class Unit:
    """A folder, as one Flux Kustomization applies it or as it stands (None). `objects` are those of the scope that was
    asked for, with everything that is laid over them."""

    folder: str
    kustomization: Kustomization | None
    build: Build
    problem: YamlTextError | None = None
    """Why it could not be built."""

    @property
    def objects(self) -> tuple[Object, ...]:
        """The effective objects."""
        return self.build.objects


def units(files: Files, scope: str, words: Sequence[str] = (), environment: str = "") -> tuple[Unit, ...]:
    """The units of a folder: those that apply it or a part of it, that it declares, or that include it from elsewhere;
    where there is none, the nearest that applies a folder around it; what nothing applies, as it stands. Raises
    YamlTextError.

    With `words` only objects in files that hold one of them are looked at, and those under a patch that does. With
    `environment`, units whose place says another one are left out.
    """
    scope = scope.strip("/")
    wanted = frozenset(path for word in words for path in naming(files, word)) if words else None
    folders, roots = includers(files, scope)
    known = kustomizations(files, (scope, *folders))
    own = [each for each in known if inside(each.path, scope) or (scope and inside(each.object.file, scope))]
    for folder in (scope, *folders):
        around = [each for each in known if folder and inside(folder, each.path)]
        nearest = max((len(each.path) for each in around), default=0)
        if not any(inside(each.path, folder) for each in own):
            own += [each for each in around if len(each.path) == nearest and each not in own]
    part = _Part(scope, frozenset(_names(_plain(files, scope, wanted).build)))
    found = [_unit(files, each, part, wanted) for each in own]
    bare = (folder for folder in roots if not any(inside(folder, each.path) for each in own))
    outer = [_plain(files, folder, wanted) for folder in bare]
    found += [replace(unit, build=part.of(unit.build)) for unit in outer]
    inner = [folder for folder in _roots_below(files, scope) if not any(inside(folder, unit.folder) for unit in found)]
    found += [_plain(files, folder, wanted) for folder in inner]
    loose = _rest(files, scope, wanted, found)
    return (*_of_environment(found, environment), Unit(scope, None, loose))


def includers(files: Files, scope: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Folders outside of a folder whose kustomizations lead into it, directly or through each other; and those of
    them that no other includes."""
    if isinstance(files, AtCommit):
        return inclusions(files.repository).leading_into(files.commit, scope)
    seen = [scope] if scope else []
    included: set[str] = set()
    for folder in seen:
        for path in mentioning(files, folder.rpartition("/")[2]):
            place, _, name = path.rpartition("/")
            if name in KUSTOMIZATIONS and place != folder and not inside(place, scope) and _leads(files, path, folder):
                included.add(folder)
                if place not in seen:
                    seen.append(place)
    found = tuple(seen[1:])
    return found, tuple(folder for folder in found if folder not in included)


def _leads(files: Files, path: str, folder: str) -> bool:
    """Whether a kustomization names a folder, or something in it, by a path that leads up first."""
    place = path.rpartition("/")[0]
    entries = _UP.findall(_COMMENT.sub("", files.text(path) or ""))
    return any(inside(joined, folder) for entry in entries if (joined := join(place, entry)) is not None)


def _entries(text: str) -> Iterator[str]:
    """What may be a path in a kustomization, without parsing it."""
    return (entry for line in text.splitlines() for entry in _ENTRY.findall(_COMMENT.sub("", line)))


def _roots_below(files: Files, scope: str) -> list[str]:
    """The folders with a kustomization, in a folder, that no other kustomization in it includes."""
    paths = [path for path in files.under(scope) if posixpath.basename(path) in KUSTOMIZATIONS]
    if any(posixpath.dirname(path) == scope for path in paths):
        return [scope]
    entries = (join(posixpath.dirname(path), entry) for path in paths for entry in _entries(files.text(path) or ""))
    included = {entry for entry in entries if entry is not None}
    return [folder for path in paths if (folder := posixpath.dirname(path)) not in included]


def _of_environment(found: Sequence[Unit], environment: str) -> Sequence[Unit]:
    """The units of an environment: those whose place says so; where none does, those that do not say another."""
    if not environment:
        return found
    said = [(unit, _environment(unit, environment)) for unit in found]
    mine = [unit for unit, name in said if name == environments.named(environment)]
    return mine or [unit for unit, name in said if not name]


def _environment(unit: Unit, environment: str) -> str:
    declared = unit.kustomization.object.file if unit.kustomization else ""
    return environments.of(unit.folder, environment) or environments.of(declared, environment)


@dataclass(frozen=True)
class _Part:
    """A folder as a part of what a larger one makes."""

    scope: str
    names: frozenset[tuple[str, str]]

    def of(self, build: Build) -> Build:
        """The part of a build that the folder makes."""
        kept = tuple(
            item
            for item in build.objects
            if (item.kind, item.name) in self.names or any(inside(file, self.scope) for file in item.files())
        )
        paths = tuple(path for path in build.manifests if inside(path, self.scope))
        return replace(build, objects=kept, manifests=paths)


def _names(build: Build) -> Iterator[tuple[str, str]]:
    return ((item.kind, item.name) for item in build.objects)


def _rest(files: Files, scope: str, wanted: Wanted, found: Sequence[Unit]) -> Build:
    """What stands in a folder and belongs to none of the units; patches are no objects."""
    trees = [item.tree for unit in found for item in unit.objects]
    covered = {(held.file, held.scalar.document) for tree in trees for held in tree.values()}
    known = {path for unit in found for path in unit.build.manifests}
    folders = [unit.folder for unit in found if inside(unit.folder, scope)]
    loose = [
        path for path in manifests(files, scope) if path not in known and not any(inside(path, f) for f in folders)
    ]
    build = builds.of_files(files, loose, wanted)
    kept = (item for item in build.objects if (item.file, item.document) not in covered)
    return replace(build, objects=tuple(item for item in kept if item.kind != "HelmRelease" or _is_whole(item)))


def _is_whole(item: Object) -> bool:
    return bool(item.children("spec", "chart") or item.children("spec", "chartRef"))


def app_root(files: Files, path: str) -> str:
    """The folder of the app that a file belongs to: where the Kustomization that applies it stands, when that is around
    it in a folder of its own; else the folder that is applied, else the file's own."""
    folder = path if files.text(path) is None else posixpath.dirname(path)
    around = [each for each in kustomizations(files, (folder,)) if inside(folder, each.path)]
    nearest = max(around, key=lambda each: len(each.path), default=None)
    if nearest is None:
        return folder
    declared = posixpath.dirname(nearest.object.file)
    return declared if declared and inside(nearest.path, declared) else nearest.path


def unapplied(files: Files, scope: str, known: Sequence[Unit], words: Sequence[str]) -> Unit:
    """The objects in a folder's files that no kustomization includes."""
    read_already = {path for unit in known for path in unit.build.manifests}
    read_already |= {file for unit in known for item in unit.objects for file in item.files()}
    paths = {path for word in words for path in naming(files, word, scope.strip("/"))} - read_already
    objects = tuple(item for path in sorted(paths) for item in readable(files, path))
    return Unit(scope, None, Build(objects, ()))


def kustomizations(files: Files, folders: Sequence[str] = ("",)) -> tuple[Kustomization, ...]:
    """The Flux Kustomizations whose folder is around or below one of these, or that stand in one. Found by bytes: only
    files that name such a path are parsed."""
    texts = {path: files.text(path) or "" for path in mentioning(files, f"{KUSTOMIZATION}/")}
    near = [p for p, text in texts.items() if any(inside(p, each) or _near(text, each) for each in folders)]
    found = [item for path in near for item in readable(files, path) if kinds.is_kustomization(item)]
    parents = [path for path, text in texts.items() if _PARENTS.search(text)]
    above = [item for path in parents for item in readable(files, path) if kinds.is_kustomization(item)]
    made = (kinds.kustomization(_from_parents(files, item, above)) for item in found)
    placed = (known for each in made if (known := _placed(files, each)) is not None)
    return tuple(each for each in placed if any(_meets(each, folder) for folder in folders))


def _meets(known: Kustomization, folder: str) -> bool:
    return inside(known.path, folder) or inside(folder, known.path) or inside(known.object.file, folder)


def _near(text: str, scope: str) -> bool:
    if "ExternalArtifact" in text:
        return True
    paths = (found.removeprefix("./").strip("/") for found in _PATH.findall(text))
    return any(inside(path, scope) or inside(scope, path) for path in paths)


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
            found = (item for item in readable(files, path) if item.kind == "GitRepository")
            urls |= {item.name: item.value("spec", "url") for item in found}
    installed = urls.get("flux-system")
    return bool(installed and urls.get(source.name, installed) != installed)


def _in_artifact(files: Files, source: Reference, path: str) -> str:
    """A folder of an artifact that an ArtifactGenerator copies together, as a folder of the repository."""
    for file in mentioning(files, "ArtifactGenerator"):
        for item in readable(files, file):
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


def _plain(files: Files, folder: str, wanted: Wanted) -> Unit:
    """A folder as it stands."""
    try:
        return Unit(folder, None, builds.of_folder(files, folder, wanted))
    except YamlTextError as error:
        return _broken(folder, None, error, wanted)


def _broken(folder: str, known: Kustomization | None, error: YamlTextError, wanted: Wanted) -> Unit:
    """A unit that cannot be built; that is no problem when nothing in it is asked for."""
    concerns = wanted is None or any(inside(path, folder) for path in wanted)
    return Unit(folder, known, Build((), ()), error if concerns else None)


def _unit(files: Files, known: Kustomization, part: _Part, wanted: Wanted) -> Unit:
    item = known.object
    if wanted is not None and not wanted.isdisjoint(item.files()):
        wanted = None  # it may patch or substitute what the question is about
    if wanted is not None and not _reaches(files, known, wanted):
        return Unit(known.path, known, Build((), ()))
    try:
        build = builds.of_folder(files, known.path, wanted)
        build = builds.with_components(files, build, known.path, known.components, wanted)
        build = build.with_patches(patches.of(files, under(item.tree, ("spec",)), known.path))
    except YamlTextError as error:
        return _broken(known.path, known, error, wanted)
    build = build.in_namespace(known.target_namespace)
    if not inside(known.path, part.scope) and not (part.scope and inside(item.file, part.scope)):
        build = part.of(build)
    return Unit(known.path, known, build)


def _reaches(files: Files, known: Kustomization, wanted: frozenset[str]) -> bool:
    """Whether a wanted file can be part of what a Kustomization applies: it is below, or something leads outside."""
    if known.components or any(inside(path, known.path) for path in wanted):
        return True
    names = (path for path in files.under(known.path) if posixpath.basename(path) in KUSTOMIZATIONS)
    return any("../" in (files.text(path) or "") for path in names)
