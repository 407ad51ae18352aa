"""Kustomizations: what a build reads, and which entry decides an image.

Order of authority, strongest first: a kustomization's `images:` > its patches > its components (last first) > what it
includes. Source: kustomize runs transformers after patches, and an overlay after its bases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_sre import yamltext
from gitops_sre.gitops.files import (
    Document,
    Files,
    as_field,
    container_images,
    documents,
    indexes,
    join,
    kustomization_in,
    mentions,
    value,
    values,
)
from gitops_sre.model.change import Field
from gitops_sre.model.image import Image
from gitops_sre.model.target import WorkloadRef
from gitops_sre.yamltext import YamlTextError

_INCLUDED = ("resources", "bases", "components", "crds", "configurations", "generators", "transformers", "validators")
"""Lists whose entries kustomize would also fetch from elsewhere."""
_MAX_DEPTH = 16
_IMAGE_POINTER = re.compile(r"/spec/.*(?:c|C)ontainers/\d+/image")


@dataclass(frozen=True)
class Layer:
    """One kustomization and what it includes. `missing` are entries that are no file or folder of the repository."""

    file: str
    document: Document
    resources: tuple[str, ...]
    bases: tuple[Layer, ...]
    components: tuple[Layer, ...]
    patches: tuple[str, ...]
    inline_patches: tuple[str, ...]
    reads: frozenset[str]
    missing: tuple[str, ...]

    @property
    def inputs(self) -> frozenset[str]:
        """Every file that a build of this layer reads."""
        return self.reads.union({self.file}, *(layer.inputs for layer in (*self.bases, *self.components)))

    @property
    def all_missing(self) -> tuple[str, ...]:
        """`missing` of this layer and those below."""
        return (*self.missing, *(name for layer in (*self.bases, *self.components) for name in layer.all_missing))


def read(files: Files, folder: str, depth: int = 0) -> Layer:
    """A kustomization with everything it includes. Raises YamlTextError."""
    file = kustomization_in(files, folder)
    if file is None:
        raise YamlTextError(f"{folder or '.'}: no kustomization file")
    if depth > _MAX_DEPTH:
        raise YamlTextError(f"{file}: kustomizations include each other; remove the circle")
    document = next(iter(documents(files, file)), {})
    sub: dict[str, list[Layer]] = {"resources": [], "bases": [], "components": []}
    resources: list[str] = []
    missing: list[str] = []
    for section in _INCLUDED:
        for entry in values(document, section):
            path = join(folder, entry)
            if path is not None and files.text(path) is not None:
                resources.append(path)
            elif path is not None and kustomization_in(files, path):
                sub.setdefault(section, []).append(read(files, path, depth + 1))
            else:
                missing.append(f"{entry} ({file})")
    patches = [(entry, join(folder, entry) if entry.isprintable() else None) for entry in _patches(document)]
    loaded = {path for scalar in document.values() if (path := _file_named(files, folder, scalar.value))}
    others = [layer for section, layers in sub.items() if section not in ("components",) for layer in layers]
    return Layer(
        file,
        document,
        tuple(resources),
        tuple(others),
        tuple(sub["components"]),
        tuple(path for _, path in patches if path and files.text(path) is not None),
        tuple(entry for entry, path in patches if path is None or files.text(path) is None),
        frozenset(loaded),
        tuple(missing),
    )


def owners(files: Files, layer: Layer, image: str, workload: WorkloadRef) -> list[tuple[Field, ...]]:
    """The strongest entries that decide an image of a workload: one owner, none, or several that cannot be told
    apart. Raises YamlTextError when the owner is a place that cannot be edited or read."""
    found, names = _transformers(layer, image)
    if found:
        return found
    workload = _unaffixed(layer, workload)
    below: list[tuple[Field, ...]] = []
    for name in names:
        below += _below(files, layer, name, workload)
    return below


def overrides(files: Files, layer: Layer, image: str) -> list[tuple[Field, ...]]:
    """Entries of `images:` in this layer or beneath that set an image, whatever the workload; strongest first found."""
    found, names = _transformers(layer, image)
    if found:
        return found
    for component in reversed(layer.components):
        if found := [owner for name in names for owner in overrides(files, component, name)]:
            return found
    return [owner for name in names for base in layer.bases for owner in overrides(files, base, name)]


def _below(files: Files, layer: Layer, image: str, workload: WorkloadRef) -> list[tuple[Field, ...]]:
    """Owners beneath the `images:` of a layer, in order of authority."""
    if patches := _patch_owners(files, layer, image, workload):
        return patches
    for component in reversed(layer.components):
        if found := owners(files, component, image, workload):
            return found
    found = [owner for base in layer.bases for owner in owners(files, base, image, workload)]
    for path in layer.resources:
        found += manifest_owners(files, path, image, workload)
    return found


def manifest_owners(files: Files, path: str, image: str, workload: WorkloadRef) -> list[tuple[Field, ...]]:
    """Containers of a workload's manifest that name an image; those of one document belong together."""
    if not mentions(files, path, image):
        return []
    found = []
    for document in documents(files, path):
        if value(document, "kind") == workload.kind and value(document, "metadata", "name") == workload.name:
            fields = [as_field(path, scalar, "image", f"{workload.kind} {workload.name} in {path}")
                      for scalar in container_images(document, image)]  # fmt: skip
            found += [tuple(fields)] if fields else []
    return found


def _transformers(layer: Layer, image: str) -> tuple[list[tuple[Field, ...]], list[str]]:
    """Entries of `images:` that set the tag or digest of an image, and the names that it has before them."""
    found: list[tuple[Field, ...]] = []
    names: list[str] = []
    document = layer.document
    for at in indexes(document, "images"):
        name, renamed = value(document, "images", at, "name"), value(document, "images", at, "newName")
        if image != (renamed or name):
            continue
        fields = tuple(
            as_field(layer.file, scalar, role, f"`images:` of {layer.file} sets {image}, over everything it includes")
            for key, role in (("newTag", "tag"), ("digest", "digest"))
            if (scalar := document.get(("images", at, key))) is not None and scalar.type != "null"
        )
        found += [fields] if fields else []
        names += [name] if renamed else []
    return found, names or [image]


def _patch_owners(files: Files, layer: Layer, image: str, workload: WorkloadRef) -> list[tuple[Field, ...]]:
    for text in layer.inline_patches:
        if image.rpartition("/")[2] in text and _sets_image(text, image):
            raise YamlTextError(
                f"{layer.file}: an inline patch sets {image}; move the tag to `images:` or edit it by hand"
            )
    found: list[tuple[Field, ...]] = []
    for path in layer.patches:
        if mentions(files, path, image):
            reason = f"the patch {path} sets it, over what {layer.file} includes"
            for document in documents(files, path):
                fields = tuple(
                    as_field(path, scalar, "image", reason) for scalar in _patched(document, image, workload)
                )
                found += [fields] if fields else []
    return found


def _patched(document: Document, image: str, workload: WorkloadRef) -> Iterator[yamltext.Scalar]:
    """Images that a strategic merge patch of the workload, or a JSON patch, sets."""
    if value(document, "kind") == workload.kind:
        yield from container_images(document, image)
    for at in indexes(document):
        scalar = document.get((at, "value"))
        pointer = value(document, at, "path")
        if scalar is not None and _IMAGE_POINTER.fullmatch(pointer) and Image.read(scalar.value).name == image:
            yield scalar


def _sets_image(text: str, image: str) -> bool:
    try:
        return any(Image.read(scalar.value).name == image for scalar in yamltext.scalars(text))
    except YamlTextError:
        return True  # it names the image and cannot be read: better to say so than to edit elsewhere


def _patches(document: Document) -> Iterator[str]:
    """Patch files and inline patches, as written."""
    yield from values(document, "patchesStrategicMerge")
    for section in ("patches", "patchesJson6902"):
        for at in indexes(document, section):
            yield from (text for key in ("path", "patch") if (text := value(document, section, at, key)))


def _file_named(files: Files, folder: str, entry: str) -> str | None:
    """A file that a scalar of the kustomization names, also as `key=path`: generators, replacements and the like."""
    if "\n" in entry or not entry:
        return None
    for name in (entry, entry.partition("=")[2]):
        path = join(folder, name) if name else None
        if path and files.text(path) is not None:
            return path
    return None


def _unaffixed(layer: Layer, workload: WorkloadRef) -> WorkloadRef:
    """The workload's name before this layer's prefix and suffix."""
    prefix, suffix = value(layer.document, "namePrefix"), value(layer.document, "nameSuffix")
    name = workload.name
    if prefix and name.startswith(prefix):
        name = name.removeprefix(prefix)
    if suffix and name.endswith(suffix):
        name = name.removesuffix(suffix)
    return WorkloadRef(workload.kind, workload.namespace, name)
