"""Argo CD Image Updater: it sets the newest tag that it may take, in Git or over it, up or down.

Source: Argo CD Image Updater, "Configuring images for update" (`image-list`, `allow-tags`), "Update methods", and the
ImageUpdater resource (`applicationRefs[].images[].commonUpdateSettings.allowTags`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from gitops_sre.gitops.fights.applications import applied_by, covers, of_template
from gitops_sre.gitops.fights.patterns import literal
from gitops_sre.gitops.fights.scan import Fight, Object, Scan, image_of, is_version, same_image, tag_in
from gitops_sre.model.change import FieldEdit
from gitops_sre.model.image import Image
from gitops_sre.yamltext import Path, Scalar

_SEMVER = re.compile(r"v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?")
PREFIX = "argocd-image-updater.argoproj.io/"


def detect(scan: Scan) -> Iterator[Fight]:
    """A fight for each edited image that an updater keeps."""
    edits = [edit for edit in scan.edits if is_version(edit)]
    if not edits:
        return
    for each in scan.objects(PREFIX.rstrip("/"), "Application", "ApplicationSet", "ImageUpdater"):
        if each.kind == "ImageUpdater":
            yield from _by_resource(scan, each, edits)
        elif covers(scan, each):
            yield from _by_annotations(scan, each, edits)


def _by_annotations(scan: Scan, application: Object, edits: list[FieldEdit]) -> Iterator[Fight]:
    at = (*of_template(application), "metadata", "annotations")
    listed = application.document.get((*at, f"{PREFIX}image-list"))
    for entry in listed.value.split(",") if listed else ():
        alias, _, reference = entry.strip().rpartition("=")
        edit = _matching(scan, reference, edits)
        if edit is None or listed is None:
            continue
        method = application.value(*at, f"{PREFIX}write-back-method") or "argocd"
        key = f"{PREFIX}{alias}.allow-tags" if alias else ""
        pins = (
            _allow_only(scan, application, (*at, key), tag_in(edit)) if key
            else _constrained(scan, application, listed, reference, tag_in(edit))
        )  # fmt: skip
        remedy = (
            f"give {reference} an alias in image-list" if not alias else f"allow only the restored tag by {key}"
        ) + f" of {application} in {application.file}, by hand"
        reason = f"Argo CD Image Updater keeps {reference} of {application} at the newest tag ({method} write-back)"
        yield Fight("argocd-image-updater", application.file, application.number, listed.path, listed.line, reason,
                    remedy, pins=pins)  # fmt: skip


def _by_resource(scan: Scan, updater: Object, edits: list[FieldEdit]) -> Iterator[Fight]:
    names = applied_by(scan)
    for ref in updater.items("spec", "applicationRefs"):
        pattern = updater.value("spec", "applicationRefs", ref, "namePattern")
        if names and not any(fnmatchcase(name, pattern) for name in names):
            continue
        for at in updater.items("spec", "applicationRefs", ref, "images"):
            path: Path = ("spec", "applicationRefs", ref, "images", at)
            if edit := _matching(scan, updater.value(*path, "imageName"), edits):
                yield _kept(scan, updater, path, pattern, tag_in(edit) if names else "", known=bool(names))


def _kept(scan: Scan, updater: Object, path: Path, pattern: str, tag: str, *, known: bool) -> Fight:
    many = any(sign in pattern for sign in "*?[")
    pins = () if many else _allow_only(scan, updater, (*path, "commonUpdateSettings", "allowTags"), tag)
    wide = f" (it covers all applications like {pattern}: a pin here would hold others too)" if many else ""
    scalar = updater.document[*path, "imageName"]
    return Fight("argocd-image-updater", updater.file, updater.number, scalar.path, scalar.line,
                 f"{updater} keeps {scalar.value} of applications like {pattern} at the newest tag",
                 f"allow only the restored tag by hand, in commonUpdateSettings.allowTags{wide}",
                 "undoes" if known else "may-undo", pins)  # fmt: skip


def _matching(scan: Scan, reference: str, edits: list[FieldEdit]) -> FieldEdit | None:
    """The edit of the image that a reference (`name[:constraint]`) names; the one with its tag first."""
    name = Image.read(reference).name
    found = [edit for edit in edits if same_image(image_of(scan, edit), name)]
    return next((edit for edit in found if tag_in(edit)), found[0] if found else None)


def _constrained(scan: Scan, owner: Object, listed: Scalar, reference: str, tag: str) -> tuple[FieldEdit, ...]:
    """An image without alias has no settings of its own; its version constraint can be the restored version."""
    by_version = owner.value(*listed.path[:-1], f"{PREFIX}update-strategy") in ("", "semver")
    if not by_version or not _SEMVER.fullmatch(tag):
        return ()
    entries = [entry.replace(reference, f"{Image.read(reference).name}:{tag}") if entry.strip() == reference else entry
               for entry in listed.value.split(",")]  # fmt: skip
    reason = f"{owner} may take {tag} of {Image.read(reference).name} alone; newer ones wait until the pin is taken off"
    return scan.pin(owner, listed.path, ",".join(entries), reason)


def _allow_only(scan: Scan, owner: Object, path: Path, tag: str) -> tuple[FieldEdit, ...]:
    """Nothing but the restored tag may be taken. Ignoring the bad one would not do: the updater would go to any tag
    between the two, since it compares for difference, not for being newer."""
    if not tag:
        return ()
    reason = f"{owner} may take {tag} alone; newer tags wait until the pin is taken off"
    return scan.pin(owner, path, f"regexp:^{literal(tag)}$", reason)
