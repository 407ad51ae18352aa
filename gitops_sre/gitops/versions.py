"""Every place below a folder that gives an image its version, whatever the schema: containers, custom resources,
Helm values, kustomize transformers, compose files.

Used where no layout says which of them wins. Places that hold one version are copies that move together; places that
hold different ones are never chosen between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from gitops_sre.gitops import environments
from gitops_sre.gitops.files import MANIFESTS, AtCommit, Document, documents
from gitops_sre.model.change import Field, Role
from gitops_sre.model.image import Image
from gitops_sre.yamltext import Path, Scalar, YamlTextError

NAME_KEYS = ("repository", "name", "image", "newName", "imageName")
TAG_KEYS = ("tag", "imageTag", "newTag", "version", "imageVersion")
DIGEST_KEYS = ("digest", "imageDigest", "sha")
REGISTRY_KEYS = ("registry", "imageRegistry", "hub")
_DEFAULTS = ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/", "library/")


def owners(
    files: AtCommit, folder: str, image: str, environment: str = "", also: Collection[str] = ()
) -> list[tuple[Field, ...]]:
    """The places below a folder that set an image's version: one tuple of copies, or one for each different version.

    `also` are files elsewhere that the folder includes. `environment` leaves out files of others. Files that cannot be
    read are passed over, unless nothing else is found: then YamlTextError says why.
    """
    found: list[tuple[Field, ...]] = []
    unread: YamlTextError | None = None
    for path in _candidates(files, folder, image, environment, also):
        try:
            parts = documents(files, path)
        except YamlTextError as error:
            unread = unread or error
            continue
        found += [fields for document in parts for fields in in_document(path, document, image)]
    if not found and unread is not None:
        raise unread
    return _grouped(found)


def _candidates(files: AtCommit, folder: str, image: str, environment: str, also: Collection[str]) -> Iterator[str]:
    """Files whose bytes hold the image's last name."""
    last = plain(image).rpartition("/")[2]
    for path in files.repository.mentioning(files.commit, last, [*([folder] if folder else []), *also]):
        if path.endswith(MANIFESTS) and environments.fits(path, environment):
            yield path


def in_document(file: str, document: Document, image: str) -> Iterator[tuple[Field, ...]]:
    """Fields of one document that hold a version of the image; those of one reference belong together."""
    for path, scalar in document.items():
        if same(image, Image.read(scalar.value).name) and Image.strict(scalar.value):
            yield (_field(file, scalar, "image", f"{file} names {scalar.value}"),)
        elif path and path[-1] in NAME_KEYS and _names(document, path, scalar, image):
            fields = tuple(_beside(file, document, path[:-1], image))
            yield from (fields,) if fields else ()


def names(files: AtCommit, fields: Sequence[Field]) -> Iterator[Field]:
    """The image names that stand beside tags and digests: a new name is a new image, with its own history. Raises
    YamlTextError."""
    seen: set[tuple[str, int, Path]] = set()
    for field in fields:
        if field.role not in ("tag", "digest"):
            continue
        document = documents(files, field.file)[field.document]
        for key in ("registry", *NAME_KEYS):
            scalar = document.get((*field.path[:-1], key))
            place = (field.file, field.document, (*field.path[:-1], key))
            if scalar is not None and scalar.value and place not in seen:
                seen.add(place)
                yield _field(field.file, scalar, "name", f"{field.file} names the image")


def same(one: str, other: str) -> bool:
    """Whether two image names are the same: `nginx` is `docker.io/library/nginx`."""
    return plain(one) == plain(other)


def is_registry(path: Path) -> bool:
    """Whether a key of Helm values is called a registry, as charts' `global.imageRegistry` is."""
    return str(path[-1]).lower().endswith("registry")


def plain(image: str) -> str:
    """An image's name without tag and without the registry that is meant when none is given."""
    prefix = next((prefix for prefix in _DEFAULTS if image.startswith(prefix)), "")
    return image.removeprefix(prefix).removeprefix("oci://")


def _names(document: Document, path: Path, scalar: Scalar, image: str) -> bool:
    name = scalar.value.removeprefix("oci://").rstrip("/")
    registries = (document.get((*path[:-1], key)) for key in REGISTRY_KEYS)
    full = {f"{registry.value.rstrip('/')}/{name}" for registry in registries if registry is not None}
    return any(same(image, each) for each in full or {name})


def _beside(file: str, document: Document, parent: Path, image: str) -> Iterator[Field]:
    """Tag and digest that stand beside an image's name."""
    roles: tuple[tuple[Sequence[str], Role], ...] = ((TAG_KEYS, "tag"), (DIGEST_KEYS, "digest"))
    for keys, role in roles:
        for key in keys:
            scalar = document.get((*parent, key))
            if scalar is not None and scalar.value and scalar.type != "null":
                yield _field(file, scalar, role, f"{file} gives {image} its {role}")
                break


def _field(file: str, scalar: Scalar, role: Role, reason: str) -> Field:
    return Field(file, scalar.document, scalar.path, role, scalar.value, scalar.raw, reason)


def _grouped(found: Sequence[tuple[Field, ...]]) -> list[tuple[Field, ...]]:
    """Copies of one version as one owner."""
    groups: dict[tuple[str, ...], list[Field]] = {}
    for fields in found:
        groups.setdefault(version(fields), []).extend(fields)
    owners = [tuple(dict.fromkeys(fields)) for fields in groups.values()]
    return [_copies(fields) for fields in owners]


def version(fields: Sequence[Field]) -> tuple[str, ...]:
    """What the fields say of a version: tag and digest."""
    read = [Image.read(f.value) if f.role == "image" else Image.read_version(f.value) for f in fields]
    tag = next((each.tag for each in read if each.tag), "")
    return tag, next((each.digest for each in read if each.digest), "")


def _copies(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    files = dict.fromkeys(field.file for field in fields)
    holders = len({(f.file, f.document, f.path if f.role == "image" else f.path[:-1]) for f in fields})
    if holders == 1:
        return fields
    note = f"one of {holders} copies of this version in {len(files)} files"
    return tuple(replace(field, reason=f"{field.reason}; {note}") for field in fields)
