"""Flux: what is suspended or told to keep off is not applied, and what names a range moves by itself.

Source: Flux, "Kustomization" (`spec.suspend`, `kustomize.toolkit.fluxcd.io/reconcile` and `/ssa`), "HelmRelease"
(`spec.suspend`, `spec.chart.spec.version`), "OCIRepository" (`ref`: digest before semver before tag) and
"GitRepository" (`ref`: commit before name before semver before tag before branch); Helm, "Version ranges".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from gitops_sre.gitops.fights.scan import Fight, Object, Scan
from gitops_sre.model.change import FieldEdit

_SUSPENDED = ("Kustomization", "HelmRelease", "OCIRepository", "GitRepository", "HelmRepository", "HelmChart")
_STRONGER = {
    "OCIRepository": ("digest", "semver", "tag"),
    "GitRepository": ("commit", "name", "semver", "tag", "branch"),
}
_RANGE = re.compile(r"[<>~^*|=]|\s-\s|(?:^|\.)[xX](?:\.|$)")
_KEEP_OFF = {
    "kustomize.toolkit.fluxcd.io/reconcile": ("disabled",),
    "kustomize.toolkit.fluxcd.io/ssa": ("Ignore", "IfNotPresent"),
}


def detect(scan: Scan) -> Iterator[Fight]:
    """Fights for each edit, and with a suspended owner of the target."""
    for edit in scan.edits:
        owner = scan.edited(edit)
        yield from _kept_off(edit, owner)
        yield from _outranked(scan, edit, owner)
        yield from _ranged(scan, edit)
    if scan.edits:
        yield from _suspended(scan)


def _suspended(scan: Scan) -> Iterator[Fight]:
    resumed = {(edit.file, edit.document) for edit in scan.edits if edit.path == ("spec", "suspend")}
    for each in scan.objects("suspend: true", *_SUSPENDED):
        if each.value("spec", "suspend") != "true" or (each.file, each.number) in resumed:
            continue
        edit = next((edit for edit in scan.edits if _applies(scan, each, edit)), None)
        if edit is not None and ".toolkit.fluxcd.io/" in each.value("apiVersion"):
            yield Fight("flux-suspended", each.file, each.number, ("spec", "suspend"),
                        each.document["spec", "suspend"].line,
                        f"{each} is suspended, so the edit of {edit.file} is not applied",
                        f"resume it first (spec.suspend in {each.file}), or wait until its owner does")  # fmt: skip


def _applies(scan: Scan, owner: Object, edit: FieldEdit) -> bool:
    """Whether a Flux object is what applies an edit: it holds the value, or it is the target's own."""
    if (owner.file, owner.number) == (edit.file, edit.document):
        return True
    if owner.kind == "Kustomization":
        path = posixpath.normpath(owner.value("spec", "path") or ".").lstrip("/")
        return scan.target.application.rpartition("/")[2] == owner.name or path == scan.target.source.path != ""
    if owner.kind == "HelmRelease":
        workload = scan.target.workload
        return owner.file in scan.inputs and owner.may_be(workload.namespace, workload.name)
    return False


def _kept_off(edit: FieldEdit, owner: Object) -> Iterator[Fight]:
    for section in ("annotations", "labels"):
        for name, values in _KEEP_OFF.items():
            path = ("metadata", section, name)
            if owner.value(*path) in values and edit.path != path:
                yield Fight("flux-kept-off", edit.file, edit.document, path, owner.document[path].line,
                            f"{owner} carries {name}: {owner.value(*path)}, so Flux does not apply what changes in it",
                            f"take the {section.removesuffix('s')} off, or edit the object where it lives")  # fmt: skip


def _outranked(scan: Scan, edit: FieldEdit, owner: Object) -> Iterator[Fight]:
    ranks = _STRONGER.get(owner.kind, ())
    if len(edit.path) != 3 or edit.path[:2] != ("spec", "ref") or edit.path[2] not in ranks:
        return
    changed = {each.path for each in scan.edits if (each.file, each.document) == (edit.file, edit.document)}
    for stronger in ranks[: ranks.index(str(edit.path[2]))]:
        path = ("spec", "ref", stronger)
        if owner.value(*path) and path not in changed:
            yield Fight("flux-reference-order", edit.file, edit.document, path, owner.document[path].line,
                        f"{owner} also gives ref.{stronger}, which counts before ref.{edit.path[2]}",
                        f"edit ref.{stronger} in {edit.file}, or take it out by hand")  # fmt: skip


def _ranged(scan: Scan, edit: FieldEdit) -> Iterator[Fight]:
    if edit.before is None or not _chooses(scan, edit):
        return
    line = scan.line(edit)[0]
    if is_range(edit.after or ""):
        yield Fight("version-range", edit.file, edit.document, edit.path, line,
                    f"{edit.after} is a range: the newest version in it is taken, which may be the bad one",
                    "give an exact version", "may-undo")  # fmt: skip
    elif is_range(edit.before) and edit.after:
        yield Fight("version-range", edit.file, edit.document, edit.path, line,
                    f"{edit.before} is a range, by which the bad version came and would come again; the exact version "
                    f"{edit.after} holds it off until the range is put back",
                    "put the range back once a good version is out", follow_ups=(edit.inverted(),))  # fmt: skip


def _chooses(scan: Scan, edit: FieldEdit) -> bool:
    """Whether an edit is of a version by which a chart or an artifact is chosen, and not of just any value."""
    owner, parent = scan.edited(edit), edit.path[:-1]
    if edit.path[-1:] == ("version",):
        return any(owner.value(*parent, key) for key in ("chart", "repository", "repo"))
    return edit.path[-1:] in (("semver",), ("targetRevision",))


def is_range(version: str) -> bool:
    """Whether a version is a range of versions to Helm and Flux."""
    return bool(_RANGE.search(version))
