"""What one document says of settings: which object, which name in it, which scalar, and what is read from elsewhere.

Settings stand in a ConfigMap's `data`, in a container's `env`, in the values of a Helm release, and in feature-flag
definitions. A name is the way to it inside its object, so that any end of that way can be asked for: `LOG_LEVEL`,
`web.LOG_LEVEL` (a container's), `server.timeout` (inside a file that a ConfigMap holds).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gitops_sre.gitops.files import Document, indexes, value
from gitops_sre.model.change import Field
from gitops_sre.yamltext import OPENED, Path, Scalar

Object = tuple[str, str]
"""Kind and name, as the build gives it out. The kind "" is a plain file, and its name is its path."""
Names = tuple[str, ...]

VALUES: Mapping[str, tuple[Path, ...]] = {
    "ConfigMap": (("data",),),
    "HelmRelease": (("spec", "values"),),
    "Application": (
        ("spec", "source", "helm", "values"),
        ("spec", "source", "helm", "valuesObject"),
        ("spec", "source", "helm", "parameters"),
    ),
    "FeatureFlag": (("spec", "flagSpec"),),
    "FeatureFlagConfiguration": (("spec", "featureFlagSpec"), ("spec", "flagSpec")),
    "Kustomization": (("spec", "postBuild", "substitute"),),
    "": ((),),
}
"""Where settings stand in an object, weakest first. Sources: the API references of Kubernetes, Flux, Argo CD and
OpenFeature."""

SECRETS: Mapping[str, tuple[Path, ...]] = {
    "Secret": (("data",), ("stringData",)),
    "SealedSecret": (("spec", "encryptedData"), ("spec", "template", "data")),
    "ExternalSecret": (("spec", "data"), ("spec", "target", "template", "data")),
}
RELEASES = ("HelmRelease", "Application", "HelmChart")
"""Kinds that hand values to a chart."""
STEP = 8
"""Ranks from one document to the next that overrides it: more than one object has places in `VALUES`."""

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_USES: Mapping[tuple[str | int, str | int], tuple[str, str]] = {
    ("configMapRef", "name"): ("ConfigMap", "environment"),
    ("configMapKeyRef", "name"): ("ConfigMap", "key"),
    ("configMap", "name"): ("ConfigMap", "files"),
    ("secretRef", "name"): ("Secret", "environment"),
    ("secretKeyRef", "name"): ("Secret", "key"),
    ("secret", "secretName"): ("Secret", "files"),
}
_IDENTITIES = ("name", "secretKey")
_HASH = re.compile(r"-[24-9bcdfghkmt]{10}$")
"""The suffix of a generated name: ten characters of kustomize's hash alphabet."""
_LINE = re.compile(r"^[ \t]*([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*[=:][ \t]*\S", re.M)
"""Lines of a text (properties, variables) that give a key a value. The whole text is then the field."""


@dataclass(frozen=True)
class Sheet:
    """A document or a part of one (an inline patch). Paths in `leaves` begin at `kind`, `metadata` and the like; the
    scalars keep their places in the file."""

    file: str
    leaves: Document

    @classmethod
    def below(cls, file: str, document: Document, root: Path) -> Sheet:
        """The part of a document beneath a path."""
        size = len(root)
        return cls(file, {path[size:]: scalar for path, scalar in document.items() if path[:size] == root})

    @property
    def object(self) -> Object:
        """Kind and name as written. An ExternalSecret and the like are the Secret that they make."""
        kind, name = value(self.leaves, "kind"), value(self.leaves, "metadata", "name")
        if kind in SECRETS:
            return "Secret", value(self.leaves, "spec", "target", "name") or name
        return (kind, name) if kind else ("", self.file)


@dataclass(frozen=True)
class Entry:
    """One scalar that sets a name of an object. Of two entries for one name of one object the higher rank counts.

    `refusal` says why it must not be edited. A variable that is read from a ConfigMap or Secret has the `reference`
    (the object, and the key in it) instead of a value of its own.
    """

    object: Object
    names: Names
    field: Field
    rank: int
    refusal: str = ""
    reference: tuple[Object, str] | None = None


@dataclass(frozen=True)
class Use:
    """A ConfigMap or Secret that an object reads: how (`environment`, `key`, `files` or `values`), into which
    container, and which key of it alone (empty: all). `target` is where a release puts the value."""

    user: Object
    used: Object
    how: str
    container: str = ""
    key: str = ""
    target: str = ""


def field(file: str, scalar: Scalar, reason: str) -> Field:
    """A scalar that holds a setting."""
    return Field(file, scalar.document, scalar.path, "value", scalar.value, scalar.raw, reason)


def unhashed(name: str) -> str:
    """A name without the hash that kustomize gives to what it generates."""
    return _HASH.sub("", name)


def entries(sheet: Sheet, about: Object, rank: int, reason: str) -> Iterator[Entry]:
    """What a document sets in the object that it is, or patches."""
    kind = value(sheet.leaves, "kind") or about[0]
    refusal = _refusal(sheet, kind, about)
    opened = {path[: path.index(OPENED)] for path in sheet.leaves if OPENED in path}
    for step, root in _roots(sheet, kind):
        for path, scalar in sheet.leaves.items():
            if path[: len(root)] == root and (names := _shaped(kind, root, named(sheet.leaves, path, len(root)))):
                here = field(sheet.file, scalar, reason)
                yield Entry(about, names, here, rank + step, refusal)
                for line in _lines(scalar) if path not in opened else ():
                    yield Entry(about, (*names, line), here, rank + step, refusal)
    yield from _variables(sheet, about, rank, reason, refusal)


def named(leaves: Document, path: Path, start: int = 0) -> Names:
    """The names along a path: an item of a list goes by its `name` (and then a `value` beside it is meant), the border
    of an embedded text does not count."""
    names: list[str] = []
    for at in range(start, len(path)):
        part = path[at]
        if isinstance(part, str):
            names += [] if part == OPENED else [part]
        elif not (at and path[at - 1] == OPENED):
            names.append(
                next((text for key in _IDENTITIES if (text := value(leaves, *path[: at + 1], key))), str(part))
            )
    if len(path) - start > 1 and isinstance(path[-2], int) and (*path[:-1], "name") in leaves:
        return tuple(names[:-1]) if path[-1] == "value" else () if path[-1] == "name" else tuple(names)
    return tuple(names)


def _lines(scalar: Scalar) -> Iterable[str]:
    """The keys of a text that is not YAML itself, each with a line of its own."""
    return dict.fromkeys(_LINE.findall(scalar.value)) if scalar.style == "block" else ()


def _roots(sheet: Sheet, kind: str) -> Iterator[tuple[int, Path]]:
    """Where settings stand in a document, weakest first; an Application may have several sources."""
    for step, root in enumerate((*VALUES.get(kind, ()), *SECRETS.get(kind, ()))):
        yield step, root
        if kind == "Application":
            yield from ((step, ("spec", "sources", at, *root[2:])) for at in indexes(sheet.leaves, "spec", "sources"))


def _shaped(kind: str, root: Path, names: Names) -> Names:
    """The names where a kind writes them in its own way: Argo CD's parameters are dotted paths, and an item of an
    ExternalSecret's data is one key."""
    if root[-1:] == ("parameters",):
        return tuple(".".join(names).split("."))
    return names[:1] if kind == "ExternalSecret" else names


def uses(sheet: Sheet, about: Object) -> Iterator[Use]:
    """ConfigMaps and Secrets that a document reads."""
    for path, scalar in sheet.leaves.items():
        found = _USES.get((path[-2], path[-1])) if len(path) > 1 else None
        if found is not None:
            kind, how = found
            key = value(sheet.leaves, *path[:-1], "key") if how == "key" else ""
            yield Use(about, (kind, scalar.value), how, _container(sheet.leaves, path), key)
        if path[:2] == ("spec", "valuesFrom") and path[3:] == ("name",):
            kind, key, target = (value(sheet.leaves, *path[:3], name) for name in ("kind", "valuesKey", "targetPath"))
            yield Use(about, (kind, scalar.value), "values", "", key or "values.yaml", target)


def has_pods(sheet: Sheet) -> bool:
    """Whether a document has containers."""
    return any(part in _CONTAINERS for path in sheet.leaves for part in path)


def _variables(sheet: Sheet, about: Object, rank: int, reason: str, refusal: str) -> Iterator[Entry]:
    """Environment variables of containers."""
    for path, name in sheet.leaves.items():
        if len(path) < 5 or path[-1] != "name" or path[-3] != "env" or path[-5] not in _CONTAINERS:
            continue
        names = (_container(sheet.leaves, path), name.value)
        held = sheet.leaves.get((*path[:-1], "value"))
        if held is not None:
            why = f"env of container {names[0]}, {reason}"
            yield Entry(about, names, field(sheet.file, held, why), rank, refusal)
            continue
        for part, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if other := value(sheet.leaves, *path[:-1], "valueFrom", part, "name"):
                key = value(sheet.leaves, *path[:-1], "valueFrom", part, "key")
                yield Entry(about, names, field(sheet.file, name, reason), rank, "", ((kind, other), key))


def _container(leaves: Document, path: Path) -> str:
    """The name of the container that a path leads through."""
    for at, part in enumerate(path[:-1]):
        if part in _CONTAINERS and isinstance(path[at + 1], int):
            return value(leaves, *path[: at + 2], "name")
    return ""


def _refusal(sheet: Sheet, kind: str, about: Object) -> str:
    if about[0] == "Secret" or kind in SECRETS:
        return f"{sheet.file}: {kind or about[0]} {about[1]} holds it, and secrets are never edited; change it by hand"
    if any(path[:1] == ("sops",) for path in sheet.leaves):
        return f"{sheet.file}: encrypted by SOPS; an edit would break its checksum, use sops"
    return ""
