"""Where the infra repository decides a value: one owner, or a refusal that names the candidates."""

from __future__ import annotations

import posixpath
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from gitops_sre.gitops import environments, helm, history, kustomize, recent, versions
from gitops_sre.gitops.argocd import charts as argo_charts
from gitops_sre.gitops.argocd import images as argo_images
from gitops_sre.gitops.configuration import setting_owners
from gitops_sre.gitops.files import (
    AtCommit,
    Files,
    container_images,
    documents,
    kind_of,
    kustomization_in,
    manifests,
    mentions,
    plain_source,
    value,
)
from gitops_sre.gitops.files import as_field as field_of
from gitops_sre.gitops.flux import charts as flux_charts
from gitops_sre.gitops.flux import images as flux_images
from gitops_sre.gitops.flux.refs import ref_owners
from gitops_sre.gitops.index import inclusions
from gitops_sre.gitops.ownership.owners import owners as object_owners
from gitops_sre.model.change import Draft, Field, Left
from gitops_sre.model.outcome import Refused
from gitops_sre.model.target import ObjectField, Source, Target
from gitops_sre.ports import Repository
from gitops_sre.yamltext import YamlTextError, show

_REMEMBERED = 2000
_PARSED = 20
"""Kustomizations that are parsed to tell whether they really read a file."""


class GitOpsLocator:
    """ports.Locator over a repository. That an edit there reaches the target is for the proof to show."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._inputs: OrderedDict[tuple[str, Source], frozenset[str]] = OrderedDict()

    def image_fields(self, commit: str, target: Target, image: str) -> tuple[Field, ...] | Refused:
        """The owning fields of one image of a target: tag, and digest where one stands beside it."""
        files, target = self._at(commit, target)
        owners = self._image_owners(files, target, image)
        found = owners if isinstance(owners, Refused) else _only(owners, target, image)
        return found if isinstance(found, Refused) else self._shared(commit, target, found)

    def last_good_image(self, commit: str, target: Target, image: str) -> Draft | Refused:
        """What restores the last different version of an image, with what moved along.

        Where the files do not tell which of several places is meant, what was changed last may; an image that is
        gone is put back by undoing the commit that replaced it.
        """
        files, target = self._at(commit, target)
        owners = self._image_owners(files, target, image)
        if isinstance(owners, Refused):
            return owners
        if not owners and (gone := recent.replaced(self._repository, commit, history.Scope.of(target), image)):
            draft = history.undo(self._repository, commit, gone.commit.sha, history.Scope.of(target))
            note = f"{image} is no longer used here: {gone.commit.sha[:12]} ({gone.commit.subject[:60]!r}) replaced it"
            return draft if isinstance(draft, Refused) else replace(draft, notes=(note, *draft.notes))
        found = _only(owners, target, image)
        if not isinstance(found, Refused):
            return self.last_good(commit, target, found)
        newest = None if target.environment else recent.for_all(self._repository, commit, owners)
        if newest is None:
            return found
        draft = self.last_good(commit, target, newest)
        if isinstance(draft, Refused):
            return draft
        others = [
            Left(field.file, field.document, field.path, "written for one environment; it was not changed last")
            for fields in owners
            if fields != newest
            for field in fields
        ]
        return replace(draft, left=(*draft.left, *others))

    def _image_owners(self, files: AtCommit, target: Target, image: str) -> Sequence[tuple[Field, ...]] | Refused:
        try:
            known = target.workload.name
            owners: Sequence[tuple[Field, ...]] = ()
            if target.application:
                owners = argo_images.owners_of(files, target.application, image)
            if not owners:
                if overridden := _overridden(files, target) if known else None:
                    return overridden
                owners = self._owners(files, target, image) if known else ()
                if not owners and not target.application:  # no cluster was asked: a chart may make the workload
                    owners = _owners_below(files, target, image)
        except YamlTextError as error:
            return Refused(str(error))
        return owners

    def chart_fields(self, commit: str, target: Target, chart: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a chart's version."""
        files, target = self._at(commit, target)
        folder = target.source.path
        try:
            owners = argo_charts.chart_owners(files, folder, chart, target.environment)
            owners += [
                each
                for each in flux_charts.chart_owners(files, folder, chart, target.environment)
                if each not in owners
            ]
        except YamlTextError as error:
            return Refused(str(error))
        return _only(owners, target, f"chart {chart}")

    def ref_fields(self, commit: str, target: Target, name: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a Git or OCI revision: of a source, of an Application, of a kustomize resource."""
        files, target = self._at(commit, target)
        folder = target.source.path
        try:
            owners = argo_charts.ref_owners(files, folder, name, target.environment)
            owners += [each for each in ref_owners(files, folder, name, target.environment) if each not in owners]
        except YamlTextError as error:
            return Refused(str(error))
        return _only(owners, target, f"a revision of {name}")

    def object_fields(self, commit: str, target: Target, at: ObjectField) -> tuple[Field, ...] | Refused:
        """The owning fields of one field of a rendered object; not present ones say where it would be inserted."""
        files, target = self._at(commit, target)
        try:
            found = object_owners(files, target, at)
            return _only(found, target, str(at)) if found else ()
        except YamlTextError as error:
            return Refused(str(error))

    def setting_fields(self, commit: str, target: Target, key: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a setting."""
        files, target = self._at(commit, target)
        try:
            if overridden := _overridden(files, target):
                return overridden
            found = _only(setting_owners(files, target, key), target, key)
        except YamlTextError as error:
            return Refused(str(error))
        return found if isinstance(found, Refused) else self._shared(commit, target, found)

    def _at(self, commit: str, target: Target) -> tuple[AtCommit, Target]:
        return AtCommit(self._repository, commit), replace(target, source=plain_source(target.source))

    def undo(self, commit: str, target: Target, culprit: str) -> Draft | Refused:
        """What restores, at `commit`, the values of a target from before a culprit commit."""
        return history.undo(self._repository, commit, culprit, history.Scope.of(target))

    def last_good(
        self, commit: str, target: Target, fields: Sequence[Field], to: str = "", good: str = ""
    ) -> Draft | Refused:
        """What restores the last different values of these fields (those of version `to`, or of commit `good`), with
        what moved along."""
        try:
            names = versions.names(AtCommit(self._repository, commit), fields)
        except YamlTextError as error:
            return Refused(str(error))
        return history.last_good(self._repository, commit, target, (*fields, *names), to, good)

    def inputs(self, commit: str, source: Source) -> frozenset[str]:
        """Every repository file that a source's rendering reads. What cannot be read counts as its whole folder."""
        key = (commit, source)
        if key not in self._inputs:
            self._inputs[key] = _inputs(AtCommit(self._repository, commit), plain_source(source))
            while len(self._inputs) > _REMEMBERED:
                self._inputs.popitem(last=False)
        return self._inputs[key]

    def _owners(self, files: Files, target: Target, image: str) -> Sequence[tuple[Field, ...]]:
        match kind_of(files, target.source):
            case "helm":
                return helm.owners(files, target, image)
            case "kustomize":
                layer = kustomize.read(files, target.source.path)
                return kustomize.owners(files, layer, image, target.workload)
            case _:
                return _raw_owners(files, target, image)

    def _shared(self, commit: str, target: Target, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        """Say in the reason which other kustomizations read the file: the edit reaches them too."""
        file = fields[0].file
        files = AtCommit(self._repository, commit)
        if kind_of(files, target.source) != "kustomize" or posixpath.dirname(file) == target.source.path:
            return fields
        mine = (target.source.path, posixpath.dirname(file))
        maybe = [folder for folder in inclusions(self._repository).readers(commit, file) if folder not in mine]
        # Few are parsed: beyond that the number is what matters, not each name.
        others = [folder for folder in maybe[:_PARSED] if self._reads(commit, folder, file)] + maybe[_PARSED:]
        if not others:
            return fields
        shared = f"the only place; {len(others)} more kustomizations read it: {', '.join(others[:5])}"
        return tuple(Field(f.file, f.document, f.path, f.role, f.value, f.raw, f"{f.reason}; {shared}") for f in fields)

    def _reads(self, commit: str, folder: str, file: str) -> bool:
        return file in self.inputs(commit, Source("", folder, kind="kustomize"))


def _owners_below(files: AtCommit, target: Target, image: str) -> Sequence[tuple[Field, ...]]:
    """Owners when only a folder is known: what overrides the files, then every place that gives a version."""
    folder = target.source.path
    if found := argo_images.image_owners(files, folder, image, target.environment):
        return found
    if found := flux_images.image_owners(files, folder, image, target.environment):
        return found
    also: frozenset[str] = frozenset()
    if kustomization_in(files, folder):
        layer = kustomize.read(files, folder)
        also = layer.inputs
        if found := kustomize.overrides(files, layer, image):
            return found
    found = versions.owners(files, folder, image, target.environment, sorted(also))
    return found or (helm.owners(files, target, image) if kind_of(files, target.source) == "helm" else [])


def _only(owners: Sequence[tuple[Field, ...]], target: Target, what: str) -> tuple[Field, ...] | Refused:
    """The only owner of the target's environment, or a refusal that names the places."""
    inside = [tuple(f for f in fields if environments.fits(f.file, target.environment)) for fields in owners]
    mine = [fields for fields in inside if fields]
    if len(mine) > 1 and target.environment:
        # What is written for one environment lies over what is written for all: overlays, value files, patches.
        own = [f for f in mine if all(environments.of(each.file, target.environment) for each in f)]
        mine = own or mine
    if len(mine) == 1:
        return mine[0]
    whose = f" for {target.workload}" if target.workload.name else ""
    if not mine:
        where = _where(target.source) + (f" for {target.environment}" if target.environment else "")
        return Refused(f"no place in {where} sets {what}{whose}; edit it by hand")
    return Refused(_ambiguous(mine, f"set {what}{whose}"))


def _ambiguous(owners: Sequence[tuple[Field, ...]], what: str) -> str:
    """Which places there are, and what tells them apart."""
    places = "; ".join(f"{_place(fields)} = {fields[0].value}" for fields in owners[:5])
    there = dict.fromkeys(environments.of(fields[0].file) for fields in owners)
    remedy = f"say which environment: {', '.join(filter(None, there))}" if len(there) > 1 else "name a narrower folder"
    return f"{len(owners)} places {what}: {places}; {remedy}, or edit it by hand"


def _inputs(files: Files, source: Source) -> frozenset[str]:
    kind = kind_of(files, source)
    own = {
        path for name in _override_files(source) if files.text(path := posixpath.join(source.path, name)) is not None
    }
    if kind == "helm":
        return helm.inputs(files, source) | own
    if kind == "kustomize":
        try:
            return kustomize.read(files, source.path).inputs | own
        except YamlTextError:
            return frozenset(files.under(source.path))
    return frozenset(manifests(files, source.path)) | own


def _raw_owners(files: Files, target: Target, image: str) -> list[tuple[Field, ...]]:
    """Documents of plain manifests that are the target's workload and name the image."""
    ref, found = target.workload, []
    for path in manifests(files, target.source.path):
        if not mentions(files, path, image):
            continue
        for document in documents(files, path):
            same = value(document, "kind") == ref.kind and value(document, "metadata", "name") == ref.name
            if same and value(document, "metadata", "namespace") in ("", ref.namespace):
                reason = f"{ref.kind} {ref.name} in {path}"
                fields = [field_of(path, scalar, "image", reason) for scalar in container_images(document, image)]
                found += [tuple(fields)] if fields else []
    return found


def _override_files(source: Source) -> tuple[str, ...]:
    """Argo CD's parameter override files; see its documentation of `.argocd-source.yaml`."""
    return (".argocd-source.yaml", *((f".argocd-source-{source.release_name}.yaml",) if source.release_name else ()))


def _overridden(files: Files, target: Target) -> Refused | None:
    if target.source.overrides:
        what = ", ".join(target.source.overrides)
        return Refused(f"{target.application} itself sets {what}, which beats the files; edit it by hand")
    application = target.application.rpartition("/")[2]
    for name in (".argocd-source.yaml", f".argocd-source-{application}.yaml"):
        path = posixpath.join(target.source.path, name)
        if files.text(path) is not None:
            return Refused(f"{path} overrides what the other files say; edit it by hand or remove it")
    return None


def _where(source: Source) -> str:
    return source.path or "the repository's root"


def _place(fields: tuple[Field, ...]) -> str:
    first = fields[0]
    return f"{first.file} ({show(first.document, first.path)})"
