"""Which sources a change touches by the repository alone: what its files declare, else what lies around them."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gitops_sre.gitops.built import Identity, part
from gitops_sre.gitops.declared import GROUPS, Data, Declared, config_maps, declared, holds, made_by, nearest
from gitops_sre.gitops.files import MANIFESTS, AtCommit
from gitops_sre.gitops.flux.units import kustomizations
from gitops_sre.gitops.generated import generated
from gitops_sre.gitops.rendered import Rendering, Sides, changed_files, reads
from gitops_sre.gitops.roots import Readers
from gitops_sre.gitops.target import same_repository
from gitops_sre.model.change import Change
from gitops_sre.model.target import Source, Target
from gitops_sre.ports import Locator, Manifest, Repository


class Offline:
    """A change of a repository, and what in it reads the changed files."""

    def __init__(self, repository: Repository, locator: Locator, change: Change, target: Target) -> None:
        self._repository = repository
        self._locator = locator
        self._change = change
        self._target = target
        self._files = AtCommit(repository, change.base)
        self._paths = repository.files(change.base)
        self._maps = repository.mentioning(change.base, "kind: ConfigMap")

    def sources(self, given: Sequence[Sides]) -> list[Sides]:
        """Sources of the declared applications and of those given; where none of them reads a changed file, the
        outermost kustomizations, the chart or the folder of that file."""
        readers = Readers(self._files, self._paths)
        changed = [file.path for file in self._change.files]
        near = sorted({*changed, *(folder for path in changed for folder in readers.reached(path))})
        found = [*given, *self._declared(near)]
        read = frozenset[str]().union(*(self._inputs(source) for each in found for source in {each.before, each.after}))
        left = [path for path in changed if path not in read]
        beside = self._workload_files(readers, changed) if left else []
        for source, file in readers.roots(left):
            whole = _together(source, file, beside) if source.kind == "directory" else source
            found.append(Sides(source.path or ".", whole, whole, file))
        return found

    def _workload_files(self, readers: Readers, changed: Sequence[str]) -> list[str]:
        """Lone manifests of the target's workload, which does not change itself but may read what does."""
        workload, folder = self._target.workload, posixpath.normpath(self._target.source.path or ".")
        if not workload.name:
            return []
        naming = self._repository.mentioning(self._change.base, workload.name, [] if folder == "." else [folder])
        return [
            path for path in naming
            if path.endswith(MANIFESTS) and path not in changed and holds(self._files, path, workload)
            and all(source.kind == "directory" for source, _ in readers.roots([path]))
        ]  # fmt: skip

    def followers(self, rendering: Rendering) -> list[Sides]:
        """Sources that changed objects of a rendering declare in turn: a release whose values change renders its
        chart anew. What was rendered already is not among them."""
        found = []
        for each in rendering.differences:
            if each.before is None or each.after is None:
                continue
            objects = rendering.objects.get(each.application, {})
            data = _among(objects, nearest(self._files, self._maps, each.origin or each.declared))
            old, new = (made_by(side, data) for side in (each.before, each.after))
            if (
                old is None
                or new is None
                or (new.kind, new.key) in rendering.makers
                or len(old.sources) != len(new.sources)
            ):
                continue
            found += [
                Sides(new.key, one, two, each.declared or each.path, new.kind)
                for one, two in zip(old.sources, new.sources, strict=True)
                if not one.chart and not two.chart and self.local(one) and self.local(two)
            ]
        return found

    def local(self, source: Source) -> bool:
        """Whether a source is of this very repository: by its URL, and by what lies at its path."""
        known = self._target.source.repo_url
        if source.repo_url and known and not same_repository(source.repo_url, known):
            return False
        if source.chart:
            return any(path in source.value_files for path in self._paths)
        path = posixpath.normpath(source.path or ".")
        return path == "." or any(each.startswith(f"{path}/") for each in self._paths)

    def _declared(self, near: Sequence[str]) -> Iterator[Sides]:
        base = self._change.base
        mentioned = sorted({path for group in GROUPS for path in self._repository.mentioning(base, group)})
        sets = self._repository.mentioning(base, "ApplicationSet")
        scopes = {posixpath.dirname(path) if path.endswith(MANIFESTS) else path for path in near} if sets else set()
        changed = {file.path for file in self._change.files}
        names = [name for path in changed & set(self._maps) for name in config_maps(self._files, path)]
        found = declared(self._files, mentioned, near, self._maps, names)
        before = [*self._placed(found), *generated(self._files, scopes)]
        after = {(each.file, each.kind, each.key): each for each in before}
        if sets or changed & {*self._maps, *mentioned}:
            files = changed_files(self._repository, self._change)
            found = declared(files, mentioned, near, self._maps, names)
            new = [*self._placed(found), *generated(files, scopes)]
            after = {(each.file, each.kind, each.key): each for each in new}
        many = Counter(each.key for each in before)
        for old in before:
            later = after.get((old.file, old.kind, old.key), old)
            # What patches make of a release is seen only in what renders it; see `followers`.
            yield from self._sides(old, old if old.kind == "HelmRelease" else later, many[old.key] > 1)

    def _placed(self, found: Sequence[Declared]) -> list[Declared]:
        """Paths in an artifact as paths of the repository that it is put together from."""
        folders = sorted({posixpath.dirname(each.file) for each in found if each.artifact})
        if not folders:
            return list(found)
        paths = {(each.object.file, each.object.name): each.path for each in kustomizations(self._files, folders)}
        return [
            replace(each, sources=tuple(replace(one, path=path) for one in each.sources))
            if each.artifact and (path := paths.get((each.file, each.key.partition("/")[2]))) is not None
            else each
            for each in found
        ]

    def _sides(self, old: Declared, new: Declared, shared: bool) -> Iterator[Sides]:
        if len(old.sources) != len(new.sources):
            new = old
        for one, two in zip(old.sources, new.sources, strict=True):
            if not pinned(one.revision) and self.local(one):
                label = f"{old.key} ({old.file})" if shared else old.key
                yield Sides(label, one, two, old.file, old.kind)

    def _inputs(self, source: Source) -> frozenset[str]:
        return reads(self._locator, self._change.base, self._files, source)


def _together(source: Source, file: str, others: Sequence[str]) -> Source:
    """A lone manifest rendered together with others, as a directory that takes no more than these."""
    paths = [path for path in (file, *others) if not set(path) & set("{},*?")]
    if file not in paths or len(paths) == 1:
        return source
    folder = posixpath.commonpath([posixpath.dirname(path) for path in paths])
    names = ",".join(posixpath.relpath(path, folder or ".") for path in paths)
    return replace(source, path=folder, recurse=True, include=f"{{{names}}}")


def pinned(revision: str) -> bool:
    """Whether a revision is a commit or a tag by its look, which a new commit does not move."""
    return revision.startswith("refs/tags/") or (len(revision) == 40 and all(c in "0123456789abcdef" for c in revision))


def _among(objects: Mapping[Identity, Manifest], others: Data) -> Data:
    """Data of the ConfigMaps of a build, or else of others."""

    def data(kind: str, name: str) -> Mapping[str, Any] | None:
        found = [part(held, "data") for who, held in objects.items() if (who.kind, who.name) == (kind, name)]
        held = found[0] if kind == "ConfigMap" and len(found) == 1 else None
        return held if isinstance(held, Mapping) else others(kind, name)

    return data
