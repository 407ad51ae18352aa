"""Two contents of a file as field changes, each with its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from gitops_sre import yamltext
from gitops_sre.model.change_feed import ChangeKind, FieldChange
from gitops_sre.perception import images
from gitops_sre.redact import under

MAX_FILE = 1_000_000
"""Bytes; a longer file is mapped but not compared."""
MAX_FIELDS = 500
"""Field changes kept of one file in one commit; a formatter or a generator changes thousands."""

_YAML = frozenset({".yaml", ".yml", ".json"})
_SCALE_KEYS = frozenset(
    {"replicas", "replicaCount", "minReplicas", "maxReplicas", "minReplicaCount", "maxReplicaCount"}
)
_RESOURCE_KEYS = frozenset({"resources", "limits", "requests"})
_FLAG_WORDS = ("flag", "feature", "toggle")
_CONFIG_KEYS = frozenset(
    {"env", "envFrom", "data", "stringData", "config", "args", "command", "configMapGenerator", "literals", "settings"}
)
_INFRASTRUCTURE = frozenset(
    {"NetworkPolicy", "Ingress", "Service", "Gateway", "HTTPRoute", "VirtualService", "DestinationRule", "Namespace"}
    | {"PersistentVolumeClaim", "StorageClass", "PodDisruptionBudget", "PriorityClass", "ResourceQuota", "LimitRange"}
)

Comparison = tuple[tuple[FieldChange, ...], ChangeKind | None]
"""A file's field changes; and the kind of a change that cannot be compared by fields."""


def compare(path: str, before: bytes | None, after: bytes | None) -> Comparison:
    """What was done to a file; None is no file. Without a difference that YAML readers see there is nothing (a comment,
    a blank)."""
    if before == after:
        return (), None
    if PurePosixPath(path).suffix not in _YAML:
        return (), "flag" if _about_flags(path) else "other"
    one, two = _text(before), _text(after)
    if one is None or two is None:
        return (), "other"
    try:
        fields = _fields(path, one, two)
    except yamltext.YamlTextError:
        return (), "other"
    if before is None or after is None:
        return tuple(replace(field, kind="other") for field in fields), None
    return tuple(fields), None


def _text(content: bytes | None) -> str | None:
    """A file's text, empty where it is not there; None where it is too long or is not UTF-8."""
    if content is None:
        return ""
    if len(content) > MAX_FILE:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _fields(path: str, before: str, after: str) -> list[FieldChange]:
    """What differs. Raises YamlTextError."""
    old, new = yamltext.leaves(before), yamltext.leaves(after)
    changed = [place for place in {**old, **new} if old.get(place) != new.get(place)][:MAX_FIELDS]
    objects = {document: value for (document, place), value in {**old, **new}.items() if place == ("kind",)}
    leaves = [FieldChange(path, place[0], place[1], old.get(place), new.get(place)) for place in changed]
    wholes, others = images.joined(leaves, old, new)
    found = [replace(field, kind="image") for field in wholes]
    for field in others:
        named = replace(field, name=_name(field, {**old, **new}))
        kind = _kind(named, objects.get(field.document, ""))
        names = (named.name, _name(field, {**new, **old}), str(field.path[-1]) if field.path else "")
        was, now = _hidden(field.before, names), _hidden(field.after, names)
        found.append(replace(named, kind=kind, before=was, after=now))
    return found


def _hidden(value: str | None, names: tuple[str, ...]) -> str | None:
    """A value as evidence shows it: no secret, by its form or by what it is called before or after."""
    if value is None:
        return None
    for name in names:
        value = under({name: value})[name]
    return value


def _name(field: FieldChange, values: Mapping[yamltext.Place, str]) -> str:
    """The setting of a generator's literal `NAME=value`, and of a container's variable."""
    if field.path[-2:-1] == ("literals",):
        return (field.after or field.before or "").partition("=")[0]
    if field.path[-1:] == ("value",) and field.path[-3:-2] == ("env",):
        return values.get((field.document, (*field.path[:-1], "name")), "")
    return ""


def _kind(field: FieldChange, object_kind: str) -> ChangeKind:
    keys = [part for part in (*field.path, field.name) if part and isinstance(part, str)]
    last = keys[-1] if keys else ""
    if last in images.PARTS or last == images.WHOLE or keys[:1] == ["images"]:
        return "image"
    if _about_flags(field.file) or any(_about_flags(key) for key in keys):
        return "flag"
    rules: tuple[tuple[ChangeKind, bool], ...] = (
        ("resources", bool(_RESOURCE_KEYS & set(keys))),
        ("scale", last in _SCALE_KEYS or keys[:1] == ["replicas"]),
        ("config", bool(_CONFIG_KEYS & set(keys))),
        ("infrastructure", object_kind in _INFRASTRUCTURE),
    )
    return next((kind for kind, fits in rules if fits), "other")


def _about_flags(word: str) -> bool:
    return any(part in word.lower() for part in _FLAG_WORDS)
