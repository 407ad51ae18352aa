"""Which typed action takes a hypothesis back, and with which parameters; or who is needed instead. Pure.

A change that is known is undone by the narrowest action that does so exactly: one image, one flag, one setting, else
all that its commit did to the blamed workload.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gitops_sre.model.change_feed import ChangeKind, ChangeRecord, FieldChange
from gitops_sre.model.diagnosis import Cause, Hypothesis
from gitops_sre.model.image import Image
from gitops_sre.model.plan import NeedsHuman
from gitops_sre.model.target import SourceKind

_MUTABLE = frozenset({"latest", "main", "master", "edge", "nightly", "stable", "dev"})
_SETTINGS: frozenset[ChangeKind] = frozenset({"flag", "config", "resources", "scale", "infrastructure"})
"""Kinds that are not just the company of an image, as a label with its version or a chart's revision is."""
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,1024}")
_SWITCH = frozenset({"on", "off", "true", "false", "yes", "no", "1", "0", "enabled", "disabled"})
_SHOWN = 3

PERSON: Mapping[Cause, str] = {
    "new_deploy": "its version is not from a commit of the infra repository: whoever deployed it must take it back",
    "config_change": "no commit of the infra repository shows the change: whoever made it must take it back",
    "flag_flip": "no commit of the infra repository shows the flip: flip it back where flags are kept",
    "code_defect": "no change brought it, so none can be taken back: whoever maintains the service must mend it",
    "dependency_failure": "something outside the map that it needs has failed: ask whoever runs that",
    "network": "calls to it are delayed or lost on their way: ask whoever runs the network or the mesh",
    "infrastructure": "nodes or the platform below it have failed: ask whoever runs the cluster",
    "certificate_expiry": "a certificate or credential must be renewed where it is issued: secrets are never edited",
    "unexplained": "it fits no pattern that is known: somebody must look",
    "no_fault": "nothing seems to be wrong, but that is not sure enough to dismiss it",
}
"""Who is needed where nothing can be taken back; for what runs out, `capacity` says."""


@dataclass(frozen=True)
class Remedy:
    """An action with its parameters. `what` says what it takes back; `culprit` is the commit's SHA, or empty."""

    action: str
    parameters: Mapping[str, str]
    what: str
    culprit: str = ""


def remedy(blamed: Hypothesis, source: SourceKind) -> Remedy | NeedsHuman:
    """What takes a hypothesis back: by its change, else one of the causes in `PERSON`. `source` is how the blamed
    workload's source is rendered."""
    if blamed.change is None:
        return NeedsHuman(PERSON[blamed.cause])
    return undo(blamed.change, source)


def undo(change: ChangeRecord, source: SourceKind) -> Remedy | NeedsHuman:
    """What takes one commit back at one workload."""
    kinds = {field.kind for field in change.fields}
    if change.kind == "image" and not kinds & _SETTINGS:
        return _image(change)
    if not change.fields:
        return NeedsHuman(f"{_where(change)} changed what cannot be compared value by value; take it back by hand")
    if len(change.fields) == 1 and (single := _setting(change, change.fields[0], source)):
        return single
    names = ", ".join(dict.fromkeys(_shown(field) for field in change.fields[:_SHOWN]))
    more = f" and {len(change.fields) - _SHOWN} more" if len(change.fields) > _SHOWN else ""
    sha = change.commit.sha
    return Remedy("revert_change", {"culprit": sha}, f"{sha[:12]} changed {names}{more} of {change.service}", sha)


def _where(change: ChangeRecord) -> str:
    return f"{change.commit.sha[:12]} ({change.service})"


def _shown(field: FieldChange) -> str:
    return field.name or next((str(part) for part in reversed(field.path) if isinstance(part, str)), field.file)


def _setting(change: ChangeRecord, field: FieldChange, source: SourceKind) -> Remedy | None:
    """The remedy of one setting or flag that has a name and plain values; None where there is no such thing."""
    if field.kind not in ("flag", "config") or field.before is None or field.after is None:
        return None
    flag = _of_flag(field)
    key, before, after = flag or (_key(field, source), _value(field, field.before), _value(field, field.after))
    if not key or not _PRINTABLE.fullmatch(before) or not _PRINTABLE.fullmatch(after):
        return None
    sha = change.commit.sha
    switch = field.kind == "flag" and {before.lower(), after.lower()} <= _SWITCH
    action, name = ("set_flag", "flag") if flag or switch else ("set_config", "key")
    what = f"{sha[:12]} moved {key} from {before} to {after}"
    return Remedy(action, {name: key, "value": before, "was": after}, what, sha)


def _of_flag(field: FieldChange) -> tuple[str, str, str] | None:
    """Name, state or variant before and after, of a flag's definition (flagd, OpenFeature)."""
    at = next((n for n, part in enumerate(field.path) if part == "flags"), len(field.path))
    inside = field.path[at + 1 :]
    if len(inside) != 2 or inside[1] not in ("state", "defaultVariant"):
        return None
    before, after = field.before or "", field.after or ""
    return str(inside[0]), before.lower() if inside[1] == "state" else before, after


def _key(field: FieldChange, source: SourceKind) -> str:
    """The name by which a setting is found again, where it cannot mean another one; else empty."""
    if field.name:
        return field.name
    names = [part for part in field.path if isinstance(part, str)]
    if len(names) != len(field.path):
        return ""
    if names[:1] == ["data"]:
        return names[1] if len(names) == 2 else ""
    return ".".join(names) if source == "helm" else ""


def _value(field: FieldChange, text: str) -> str:
    """A setting's own value: a generator's literal also holds its name, and quotes that kustomize takes off."""
    if field.path[-2:-1] != ("literals",):
        return text
    value = text.partition("=")[2]
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _image(change: ChangeRecord) -> Remedy | NeedsHuman:
    """Back to the version before, of the one image that a change moved."""
    where = _where(change)
    found: set[tuple[str, str, str]] = set()
    for field in filter(_about_image, change.fields):
        before, after = _read(field.before), _read(field.after)
        if before is None or after is None or before.name != after.name or before == after:
            continue
        found.add((before.name, before.version, after.version))
    if not found:
        return NeedsHuman(
            f"{where} does not say which image it moved from which version; find the last good one by hand"
        )
    if len(found) > 1:
        names = ", ".join(f"{name} {before} -> {after}" for name, before, after in sorted(found))
        return NeedsHuman(f"{where} moved several images: {names}; which one is at fault cannot be told")
    name, version, now = found.pop()
    if version in _MUTABLE:
        return NeedsHuman(
            f"{where}: the version before, {version!r}, is a tag that moves: going back to it undoes nothing"
        )
    sha = change.commit.sha
    return Remedy(
        "rollback_image", {"image": name, "to": version}, f"{sha[:12]} moved {name} from {version} to {now}", sha
    )


def _about_image(field: FieldChange) -> bool:
    """Whether a field holds an image, by its key: other values may look like one (`cache:6379`)."""
    keys = [part.lower() for part in field.path if isinstance(part, str)]
    return any("image" in key for key in keys) or keys[-1:] in (["tag"], ["newtag"], ["digest"])


def _read(text: str | None) -> Image | None:
    return Image.strict(text) if text else None
