"""What a search for fights works on: the files at a commit, the target, the edits, and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from gitops_sre import yamltext
from gitops_sre.gitops import edit as editing
from gitops_sre.gitops import kustomize
from gitops_sre.gitops.argocd.manifests import BRACES
from gitops_sre.gitops.files import MANIFESTS, AtCommit, Document, documents, kustomization_in, value
from gitops_sre.model.change import FieldEdit
from gitops_sre.model.image import Image
from gitops_sre.model.outcome import Refused
from gitops_sre.model.target import Target
from gitops_sre.yamltext import Path, Scalar, YamlTextError

Severity = Literal["undoes", "may-undo", "proposes"]
"""`undoes`: it takes the edit back, or keeps it from having an effect; `may-undo`: it can, and nobody can tell from
the files; `proposes`: it asks people to take it back."""


@dataclass(frozen=True)
class Fight:
    """Something that works against an edit. `path` is where it is declared, in document `document` of `file`; `line`
    counts from 1 (0: the whole file).

    `pins` hold it off when they are made in the same commit, at the price that their reasons name, and a later commit
    takes them off; without any, `remedy` says what a person can do. `follow_ups` are what that later commit also puts
    back when the edit is its own pin.
    """

    kind: str
    file: str
    document: int
    path: Path
    line: int
    reason: str
    remedy: str
    severity: Severity = "undoes"
    pins: tuple[FieldEdit, ...] = ()
    follow_ups: tuple[FieldEdit, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}{f':{self.line}' if self.line else ''}: {self.reason}"


@dataclass(frozen=True)
class Object:
    """One Kubernetes object in the repository's files."""

    file: str
    number: int
    document: Document

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.value("kind")

    @property
    def name(self) -> str:
        """Its name."""
        return self.value("metadata", "name")

    @property
    def namespace(self) -> str:
        """Its namespace as written; empty where an overlay or the reconciler gives it."""
        return self.value("metadata", "namespace")

    @property
    def line(self) -> int:
        """The first line of it that holds a value."""
        return min((scalar.line for scalar in self.document.values()), default=0)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def value(self, *path: str | int) -> str:
        """The value at a path, or the empty string."""
        return value(self.document, *path)

    def within(self, *path: str | int) -> dict[Path, Scalar]:
        """The scalars below a path, by what remains of their paths."""
        size = len(path)
        return {p[size:]: s for p, s in self.document.items() if p[:size] == path and len(p) > size}

    def items(self, *path: str | int) -> tuple[int, ...]:
        """The positions of the list at a path."""
        return tuple(dict.fromkeys(p[0] for p in self.within(*path) if isinstance(p[0], int)))

    def may_be(self, namespace: str, name: str) -> bool:
        """Whether it has this name, in this namespace as far as both are known."""
        return self.name == name and (not namespace or self.namespace in ("", namespace))


@dataclass(frozen=True)
class Scan:
    """One search: what is asked of the repository is asked once."""

    files: AtCommit
    target: Target
    edits: tuple[FieldEdit, ...]

    def text(self, file: str) -> str:
        """A file's text, or nothing when it is not there or not text."""
        try:
            return self.files.text(file) or ""
        except YamlTextError:
            return ""

    def objects(self, mention: str, *kinds: str) -> Iterator[Object]:
        """The objects of some kinds in manifests that mention a text. What is no YAML even with its template braces
        masked is no object that a reconciler reads from here."""
        named = re.compile(rf"kind[\"']?:\s*[\"']?(?:{'|'.join(kinds)})\b")
        for file in self.files.repository.mentioning(self.files.commit, mention):
            if file.endswith(MANIFESTS) and named.search(self.text(file)):
                yield from (each for each in self.in_file(file) if each.kind in kinds)

    def in_file(self, file: str) -> tuple[Object, ...]:
        """The documents of a file."""
        try:
            parts = documents(self.files, file)
        except YamlTextError:
            parts = _masked(self.text(file))
        return tuple(Object(file, number, part) for number, part in enumerate(parts))

    def edited(self, edit: FieldEdit) -> Object:
        """The document that an edit is in."""
        found = self.in_file(edit.file)
        return found[edit.document] if edit.document < len(found) else Object(edit.file, edit.document, {})

    def line(self, edit: FieldEdit) -> tuple[int, str]:
        """Number and text of the line that an edited value stands on; (0, "") for one that is not there yet."""
        scalar = self.edited(edit).document.get(edit.path)
        if scalar is None:
            return 0, ""
        return scalar.line, self.text(edit.file).split("\n")[scalar.line - 1]

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The files that the target's source is made of."""
        folder = self.target.source.path
        try:
            if kustomization_in(self.files, folder):
                return kustomize.read(self.files, folder).inputs
        except YamlTextError:
            pass
        return frozenset(self.files.under(folder))

    def pin(self, owner: Object, path: Path, value: str, reason: str, *, flag: bool = False) -> tuple[FieldEdit, ...]:
        """The edit that sets a value to hold something off, or nothing when it cannot be made. `flag`: it is a bool."""
        now = owner.document.get(path)
        raw = value if flag else yamltext.quoted_like(now.raw if now else '""', value)
        entry = f"{path[-1]}: {raw}" if owner.within(*path[:-1]) else ""  # empty: what is missing above it is made
        before, after_raw = (now.value, raw) if now else (None, entry)
        edit = FieldEdit(owner.file, owner.number, path, before, value, now.raw if now else "", after_raw)
        edit = replace(edit, part="pin", reason=f"pin: {reason}")
        made = editing.apply(self.files.repository, self.files.commit, [edit], "")
        return () if isinstance(made, Refused) else made.edits


def _masked(text: str) -> tuple[Document, ...]:
    masked = re.sub(r"\{\{.*?\}\}", lambda found: found[0].translate(BRACES), text)
    if masked == text:
        return ()
    try:
        found = yamltext.scalars(masked)
    except YamlTextError:
        return ()
    parts: list[dict[Path, Scalar]] = [{} for _ in range(found[-1].document + 1 if found else 0)]
    for scalar in found:
        parts[scalar.document][scalar.path] = scalar
    return tuple(parts)


def image_of(scan: Scan, edit: FieldEdit) -> str:
    """The name of the image whose version is edited, or the empty string."""
    for text in (edit.before or "", edit.after or ""):
        if "://" not in text and "?" not in text and not text.startswith("sha256:") and ("/" in text or ":" in text):
            return Image.read(text).name
    document, parent = scan.edited(edit).document, edit.path[:-1]
    for keys in (("newName",), ("name",), ("registry", "repository"), ("repository",), ("image",)):
        found = [value(document, *parent, key) for key in keys]
        if all(found):
            return Image.read("/".join(found)).name
    return ""


VERSION_KEYS = frozenset({"tag", "newTag", "digest", "image", "imageTag", "version", "appVersion"})


def is_version(edit: FieldEdit) -> bool:
    """Whether an edit is of what an image or chart updater writes, by its key."""
    key = str(edit.path[-1]) if edit.path else ""
    return key in VERSION_KEYS or key.lower().endswith(("tag", "image", "version", "targetrevision", "digest"))


def tag_in(edit: FieldEdit) -> str:
    """The tag that an edit sets, or the empty string."""
    text = edit.after or ""
    if text.startswith("sha256:"):
        return ""
    return Image.read(text).tag if "/" in text or ":" in text else text.partition("@")[0]


def same_image(one: str, other: str) -> bool:
    """Whether two image names are one, with and without the default registry in front."""
    return bool(one and other) and _short(one) == _short(other)


def _short(name: str) -> str:
    return name.removeprefix("index.").removeprefix("docker.io/").removeprefix("library/")
