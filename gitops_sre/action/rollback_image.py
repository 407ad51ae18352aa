"""Put an earlier image back: the tag, the digest or both, wherever the repository decides them."""

from __future__ import annotations

from dataclasses import replace

from gitops_sre import yamltext
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.image import VERSION, Image
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

SPEC = ActionSpec(
    name="rollback_image",
    summary="Put an earlier image tag or digest of one workload back",
    parameters=(
        Parameter("image", "image name without tag", pattern=r"[a-z0-9](?:[a-z0-9._/:-]{0,253}[a-z0-9])?"),
        Parameter("to", "`tag`, `sha256:...` or `tag@sha256:...` to go back to", pattern=VERSION),
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the tag and digest that stood before, byte for byte",
    not_for=("releases that migrated a schema", "images that an update automation writes again", "mutable tags"),
)  # fmt: skip


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edits that make the image what the plan says; nothing is written. The tag and a digest move as a pair.

    Refused when `to` is no version, when the place cannot hold it exactly, and when nothing would change.
    """
    if problem := SPEC.problem(plan.parameters):
        return Refused(problem)
    to = Image.read_version(plan.parameters["to"])
    fields = locator.image_fields(commit, plan.target, plan.parameters["image"])
    if isinstance(fields, Refused):
        return fields
    if problem := _unfit(fields, to):
        return Refused(f"{fields[0].file}: {problem}")
    try:
        found = tuple(edit for field in fields if (edit := _edit(field, to)).before != edit.after)
    except YamlTextError as error:
        return Refused(f"{fields[0].file}: {error}")
    return Draft(found) if found else Refused(f"{fields[0].file} already says {to.version}: nothing to roll back")


def _now(field: Field) -> Image:
    """What a field holds of an image: its name and version, or a version alone."""
    return Image.read(field.value) if field.role == "image" else Image.read_version(field.value)


def _unfit(fields: tuple[Field, ...], to: Image) -> str:
    """Why these fields cannot hold the version exactly, or the empty string."""
    now = [_now(field) for field in fields]
    if any(version.digest for version in now) and not to.digest:
        return f"the image is pinned by digest, and {to.version} names none; give tag@sha256:..."
    roles = {field.role for field in fields}
    if "tag" in roles and not to.tag:
        return f"a tag stands beside the digest, and {to.version} names none; give tag@sha256:..."
    if to.digest and roles == {"tag"} and not any(version.digest for version in now):
        return f"only a tag stands there, and {to.version} has a digest; give the tag alone"
    return ""


def _edit(field: Field, to: Image) -> FieldEdit:
    now = _now(field)
    after = {"digest": to.digest, "tag": to.version if now.digest else to.tag}.get(field.role)
    after = after or str(replace(to, name=now.name))
    raw = yamltext.quoted_like(field.raw, after)
    return FieldEdit(
        field.file, field.document, field.path, field.value, after, field.raw, raw, reason=field.reason
    )
