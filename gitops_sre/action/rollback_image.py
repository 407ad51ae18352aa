"""Put an earlier image back: the tag, the digest or both, wherever the repository decides them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitops_sre import yamltext
from gitops_sre.model.change import Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_VERSION = rf"{_TAG}|(?:{_TAG}@)?{_DIGEST}"

SPEC = ActionSpec(
    name="rollback_image",
    summary="Put an earlier image tag or digest of one workload back",
    parameters=(
        Parameter("image", "image name without tag", pattern=r"[a-z0-9](?:[a-z0-9._/:-]{0,253}[a-z0-9])?"),
        Parameter("to", "`tag`, `sha256:...` or `tag@sha256:...` to go back to", pattern=_VERSION),
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the tag and digest that stood before, byte for byte",
    not_for=("releases that migrated a schema", "images that an update automation writes again", "mutable tags"),
)  # fmt: skip


@dataclass(frozen=True)
class _Version:
    """What comes after an image's name; either may be empty."""

    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.tag}@{self.digest}" if self.tag and self.digest else self.tag or self.digest


def edits(plan: Plan, locator: Locator, commit: str) -> tuple[FieldEdit, ...] | Refused:
    """The edits that make the image what the plan says; nothing is written. The tag and a digest move as a pair.

    Refused when `to` is no version, when the place cannot hold it exactly, and when nothing would change.
    """
    for parameter in SPEC.parameters:
        if not re.fullmatch(parameter.pattern, plan.parameters.get(parameter.name, "")):
            return Refused(
                f"{SPEC.name}: {parameter.name}={plan.parameters.get(parameter.name)!r} is not a {parameter.meaning}"
            )
    to = _parse(plan.parameters["to"])
    fields = locator.image_fields(commit, plan.target, plan.parameters["image"])
    if isinstance(fields, Refused):
        return fields
    if problem := _unfit(fields, to):
        return Refused(f"{fields[0].file}: {problem}")
    try:
        found = tuple(edit for field in fields if (edit := _edit(field, to)).before != edit.after)
    except YamlTextError as error:
        return Refused(f"{fields[0].file}: {error}")
    return found or Refused(f"{fields[0].file} already says {to}: nothing to roll back")


def _parse(text: str) -> _Version:
    if text.startswith("sha256:"):
        return _Version("", text)
    tag, _, digest = text.partition("@")
    return _Version(tag, digest)


def _split(field: Field) -> tuple[str, _Version]:
    """A field's value as image name (empty for tags and digests) and version."""
    if field.role == "digest":
        return "", _Version("", field.value)
    if field.role == "tag":
        tag, _, digest = field.value.partition("@")
        return "", _Version(tag, digest)
    reference, _, digest = field.value.partition("@")
    name, colon, tag = reference.rpartition(":")
    return (name, _Version(tag, digest)) if colon and "/" not in tag else (reference, _Version("", digest))


def _unfit(fields: tuple[Field, ...], to: _Version) -> str:
    """Why these fields cannot hold the version exactly, or the empty string."""
    now = [_split(field)[1] for field in fields]
    if any(version.digest for version in now) and not to.digest:
        return f"the image is pinned by digest, and {to} names none; give tag@sha256:..."
    roles = {field.role for field in fields}
    if "tag" in roles and not to.tag:
        return f"a tag stands beside the digest, and {to} names none; give tag@sha256:..."
    if to.digest and roles == {"tag"} and not any(version.digest for version in now):
        return f"only a tag stands there, and {to} has a digest; give the tag alone"
    return ""


def _edit(field: Field, to: _Version) -> FieldEdit:
    name, now = _split(field)
    after = {"digest": to.digest, "tag": str(to) if now.digest else to.tag}.get(field.role) or _reference(name, to)
    raw = yamltext.quoted_like(field.raw, after)
    return FieldEdit(field.file, field.document, field.path, field.value, after, field.raw, raw)


def _reference(name: str, to: _Version) -> str:
    tag = f":{to.tag}" if to.tag else ""
    digest = f"@{to.digest}" if to.digest else ""
    return f"{name}{tag}{digest}"
