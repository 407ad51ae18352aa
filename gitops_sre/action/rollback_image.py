"""Put an earlier version back: tag, digest, chart version or revision, wherever the repository decides them."""

from __future__ import annotations

from dataclasses import replace

from gitops_sre import yamltext
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.image import VERSION, Image
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

NAME = r"[a-z0-9](?:[a-z0-9._/:-]{0,253}[a-z0-9])?"
SHA = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
CHART = r"[A-Za-z0-9](?:[A-Za-z0-9._/:-]{0,253}[A-Za-z0-9])?"
CHART_VERSION = r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,127}"

SPEC = ActionSpec(
    name="rollback_image",
    summary="Put an earlier version of one image or chart back, with everything that moved together with it",
    parameters=(
        Parameter("image", "an image name without tag", pattern=NAME, optional=True),
        Parameter("chart", "a chart name", pattern=CHART, optional=True),
        Parameter("ref", "a Git or OCI source's name, or the end of its URL", pattern=CHART, optional=True),
        Parameter("to", "a version to go back to: `tag`, `sha256:...`, `tag@sha256:...` or a chart's version",
                  pattern=rf"{VERSION}|{CHART_VERSION}", optional=True),
        Parameter("good", "the SHA of a commit that was live while all was well", pattern=SHA, optional=True),
        Parameter("culprit", "the SHA of the commit to undo", pattern=SHA, optional=True),
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the values that stood before, byte for byte",
    not_for=("releases that migrated a schema", "images that an update automation writes again", "mutable tags"),
)  # fmt: skip


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """What puts the version back; nothing is written.

    With a culprit, that commit's value changes are undone for the target; else the last good values are looked up
    in the history: those of version `to`, or those of the commit `good`, where one is given. A `to` that the history
    does not know is written where the place can hold it exactly. Refused when the parameters, the place or the history
    do not allow it.
    """
    given = plan.parameters
    if problem := SPEC.problem(given):
        return Refused(problem)
    if len([name for name in ("image", "chart", "ref") if given.get(name)]) != 1:
        return Refused(f"{SPEC.name}: give either an image, a chart or a ref")
    if culprit := given.get("culprit", ""):
        return locator.undo(commit, plan.target, culprit)
    image, to, good = given.get("image", ""), given.get("to", ""), given.get("good", "")
    if image and not to and not good:
        return locator.last_good_image(commit, plan.target, image)
    if image:
        fields = locator.image_fields(commit, plan.target, image)
    elif chart := given.get("chart", ""):
        fields = locator.chart_fields(commit, plan.target, chart)
    else:
        fields = locator.ref_fields(commit, plan.target, given["ref"])
    if isinstance(fields, Refused):
        return fields
    if any(to in (_now(field).version, _now(field).tag) for field in fields if to):
        return Refused(f"{fields[0].file} already says {to}: nothing to roll back")
    found = locator.last_good(commit, plan.target, fields, to, good)
    return found if isinstance(found, Draft) or not to else _written(fields, to)


def _written(fields: tuple[Field, ...], version: str) -> Draft | Refused:
    """Edits that write a version which the history does not know. The tag and a digest move as a pair."""
    to = Image.read_version(version)
    if any("://" in field.value or "?" in field.value for field in fields):
        return Refused(f"{fields[0].file}: {version} is not in the history, and a URL is only put back whole")
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
    if roles <= {"chart", "ref"}:
        return ""
    if "tag" in roles and not to.tag:
        return f"a tag stands beside the digest, and {to.version} names none; give tag@sha256:..."
    if to.digest and roles == {"tag"} and not any(version.digest for version in now):
        return f"only a tag stands there, and {to.version} has a digest; give the tag alone"
    return ""


def _edit(field: Field, to: Image) -> FieldEdit:
    now = _now(field)
    after = {"digest": to.digest, "tag": to.version if now.digest else to.tag, "chart": to.tag, "ref": to.tag}.get(
        field.role
    )
    after = after or str(replace(to, name=now.name))
    raw = yamltext.quoted_like(field.raw, after)
    return FieldEdit(field.file, field.document, field.path, field.value, after, field.raw, raw, reason=field.reason)
