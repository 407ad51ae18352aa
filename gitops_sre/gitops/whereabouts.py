"""Where a workload is declared when there is no cluster to ask: its manifests, and the folder that is applied."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_sre.gitops import environments, versions
from gitops_sre.gitops.files import MANIFESTS, AtCommit, Document, documents, inside, kustomization_in, value
from gitops_sre.gitops.roots import Readers
from gitops_sre.model.image import Image
from gitops_sre.model.outcome import Refused
from gitops_sre.model.target import WorkloadRef
from gitops_sre.yamltext import YamlTextError


@dataclass(frozen=True)
class Whereabouts:
    """The folder that applies a workload, the names of the images that it runs, and how that is known."""

    folder: str
    images: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class _Declared:
    file: str
    document: Document
    release: bool


def find(files: AtCommit, ref: WorkloadRef, environment: str, under: str = "") -> Whereabouts | Refused:
    """The only folder that applies a workload. `under` is a folder that it is, or lies in.

    A chart that is not in the repository makes what its HelmRelease is called: such a release counts where no
    manifest of that name stands. Refused when there is no such place or more than one.
    """
    found = list(_declarations(files, ref, environment))
    declared = [each for each in found if not each.release] or found
    if not declared:
        return Refused(
            f"no manifest declares {ref}, nor does a HelmRelease {ref.name} stand here; name the app's folder"
        )
    readers = Readers(files, files.repository.files(files.commit))
    folders: dict[str, list[_Declared]] = {}
    for each in declared:
        for source, _ in readers.roots([each.file]):
            folder = source.path or posixpath.dirname(each.file)
            if not inside(folder, under) or not environments.fits(folder, environment):
                continue
            if _in_namespace(files, source.path, ref.namespace):
                folders.setdefault(folder, []).append(each)
    if len(folders) != 1:
        what = ", ".join(sorted(folders)) or ", ".join(sorted({each.file for each in declared}))
        return Refused(f"{ref} is declared for {len(folders)} folders ({what}); name one of them, or the environment")
    folder, mine = next(iter(folders.items()))
    names = dict.fromkeys(name for each in mine for name in _images(each.document))
    kind = f"HelmRelease {ref.name}" if mine[0].release else str(ref)
    return Whereabouts(folder, tuple(names), f"{kind} stands in {mine[0].file}, which {folder or '.'} applies")


def _declarations(files: AtCommit, ref: WorkloadRef, environment: str) -> Iterator[_Declared]:
    for path in files.repository.mentioning(files.commit, ref.name):
        if not path.endswith(MANIFESTS) or not environments.fits(path, environment):
            continue
        try:
            parts = documents(files, path)
        except YamlTextError:
            continue  # a template or broken: it declares nothing that can be read
        for document in parts:
            kind, namespace = value(document, "kind"), value(document, "metadata", "namespace")
            if value(document, "metadata", "name") != ref.name:
                continue
            if kind == "HelmRelease":
                target = value(document, "spec", "targetNamespace") or namespace
                if ref.namespace in ("", target) or not target:
                    yield _Declared(path, document, release=True)
            elif kind.lower() == ref.kind.lower() and (not namespace or ref.namespace in ("", namespace)):
                yield _Declared(path, document, release=False)


def _in_namespace(files: AtCommit, folder: str, namespace: str) -> bool:
    """Whether a kustomization may put its objects into a namespace."""
    file = kustomization_in(files, folder)
    if file is None or not namespace:
        return True
    try:
        return value(next(iter(documents(files, file)), {}), "namespace") in ("", namespace)
    except YamlTextError:
        return True


def _images(document: Document) -> Iterator[str]:
    """Names of the images in a document."""
    for path, scalar in document.items():
        in_container = len(path) > 1 and isinstance(path[-2], int)
        if path and path[-1] == "image" and (in_container or Image.strict(scalar.value)):
            yield Image.read(scalar.value).name
        elif (
            path and path[-1] in versions.NAME_KEYS and any((*path[:-1], key) in document for key in ("tag", "digest"))
        ):
            registry = value(document, *path[:-1], "registry")
            yield f"{registry}/{scalar.value}" if registry else scalar.value
