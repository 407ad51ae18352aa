"""Text files at one commit or in one folder, and the scalars in them: what layouts are read from."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from gitops_sre import yamltext
from gitops_sre.model.change import Field
from gitops_sre.model.image import Image
from gitops_sre.model.target import Source, SourceKind
from gitops_sre.ports import Repository
from gitops_sre.yamltext import Path, Scalar, YamlTextError

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MANIFESTS = (".yaml", ".yml", ".json")

_CONTAINER_IMAGE = re.compile(r"(?:init|ephemeral)?containers", re.I)


class Files(Protocol):
    """Something that holds the repository's files; paths are relative to its root, with slashes."""

    def text(self, path: str) -> str | None:
        """A file's text; None when there is no such regular file."""
        ...

    def under(self, folder: str) -> tuple[str, ...]:
        """Paths of the files below a folder, sorted."""
        ...


@dataclass(frozen=True)
class AtCommit:
    """The files of a repository at a commit."""

    repository: Repository
    commit: str

    def text(self, path: str) -> str | None:
        """A file's text. Raises YamlTextError when it is not UTF-8."""
        data = self.repository.read(self.commit, path)
        return None if data is None else decoded(path, data)

    def under(self, folder: str) -> tuple[str, ...]:
        """Paths of the files below a folder, sorted."""
        return self.repository.files(self.commit, folder)


Document = Mapping[Path, Scalar]


def decoded(path: str, data: bytes) -> str:
    """A file as text, every byte kept. Raises YamlTextError."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise YamlTextError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error


def documents(files: Files, path: str) -> tuple[Document, ...]:
    """The documents of a file that `yamltext` reads as path -> scalar: YAML, JSON, `KEY=value` lines, a single token.

    A block scalar that is YAML itself is there as a whole and by what is in it. For looking: `yamltext.rewrite` reads
    anew what it edits. Raises YamlTextError that names the file.
    """
    text = files.text(path)
    if text is None:
        raise YamlTextError(f"{path}: there is no such regular file")
    try:
        found = yamltext.scalars(text, opened=True, fast=True)
    except YamlTextError as error:
        raise YamlTextError(f"{path}: {error}") from error
    parts: list[dict[Path, Scalar]] = [{} for _ in range(max((scalar.document for scalar in found), default=-1) + 1)]
    for scalar in found:
        parts[scalar.document][scalar.path] = scalar
    return tuple(parts)


def value(document: Document, *path: str | int) -> str:
    """The value at a path, or the empty string."""
    scalar = document.get(path)
    return "" if scalar is None or scalar.type == "null" else scalar.value


def values(document: Document, *path: str | int) -> Iterator[str]:
    """The scalar items of the list at a path, in order."""
    size = len(path)
    found = {
        p[-1]: s.value
        for p, s in document.items()
        if p[:size] == path and len(p) == size + 1 and isinstance(p[-1], int)
    }
    return (found[at] for at in sorted(found, key=int))


def indexes(document: Document, *path: str | int) -> tuple[int, ...]:
    """The positions of the list at a path."""
    size = len(path)
    found = {p[size] for p in document if p[:size] == path and len(p) > size}
    return tuple(sorted(part for part in found if isinstance(part, int)))


def join(folder: str, entry: str) -> str | None:
    """A path named in a file of `folder`; None when it leads out of the repository or is a URL."""
    if "://" in entry or entry.startswith("/") or not entry.isprintable():
        return None
    path = posixpath.normpath(posixpath.join(folder, entry))
    return None if path == ".." or path.startswith("../") else path.removeprefix("./") if path != "." else ""


def plain_source(source: Source) -> Source:
    """A source whose path is spelled as git spells it: `./apps/x/` is `apps/x`, `.` is the root."""
    path = posixpath.normpath(source.path or ".")
    return replace(source, path="" if path == "." else path)


def plain_path(path: str) -> str:
    """A folder as git spells it, of a path that may begin at the root with a slash; the root itself is empty."""
    plain = posixpath.normpath(path.strip().lstrip("/") or ".")
    return "" if plain == "." else plain


def inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or below it."""
    return not folder or path == folder or path.startswith(f"{folder}/")


def kustomization_in(files: Files, folder: str) -> str | None:
    """The kustomization file of a folder."""
    candidates = (posixpath.join(folder, name) for name in KUSTOMIZATIONS)
    return next((path for path in candidates if files.text(path) is not None), None)


def detect(files: Files, folder: str) -> SourceKind:
    """What Argo CD takes a source for: Helm before kustomize before a directory of manifests."""
    if files.text(posixpath.join(folder, "Chart.yaml")) is not None:
        return "helm"
    return "kustomize" if kustomization_in(files, folder) else "directory"


def kind_of(files: Files, source: Source) -> SourceKind:
    """The kind that a source says, or what Argo CD would take it for."""
    return detect(files, source.path) if source.kind == "unknown" else source.kind


def manifests(files: Files, folder: str) -> tuple[str, ...]:
    """The manifest files below a folder."""
    return tuple(path for path in files.under(folder) if path.endswith(MANIFESTS))


def container_images(document: Document, image: str) -> tuple[Scalar, ...]:
    """The `image:` scalars of a pod template's containers that name an image."""
    return tuple(
        scalar
        for path, scalar in document.items()
        if len(path) >= 3
        and path[-1] == "image"
        and isinstance(path[-2], int)
        and _CONTAINER_IMAGE.fullmatch(str(path[-3]))
        and Image.read(scalar.value).name == image
    )


def mentions(files: Files, path: str, image: str) -> bool:
    """Whether a file's bytes can name an image at all: cheap, before anything is parsed."""
    return image.rpartition("/")[2] in (files.text(path) or "")


def as_field(file: str, scalar: Scalar, role: str, reason: str) -> Field:
    """A scalar as the owner of an image's part."""
    kind = next(known for known in ("tag", "digest", "image") if known == role)
    return Field(file, scalar.document, scalar.path, kind, scalar.value, scalar.raw, reason)
