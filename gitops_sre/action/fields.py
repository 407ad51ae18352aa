"""From owning fields to edits: what the actions that set a field of an object share."""

from __future__ import annotations

from collections.abc import Iterable

from gitops_sre import yamltext
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Plan
from gitops_sre.model.target import ObjectField
from gitops_sre.ports import Locator

Found = tuple[Field, ...] | Refused
"""The owning fields; none when the source makes no such object."""


def of_workload(plan: Plan, locator: Locator, commit: str, kind: str, *path: str) -> Found:
    """The fields that own a field of the plan's workload, or of an autoscaler that scales it."""
    ref = plan.target.workload
    if not ref.name:
        return Refused("no workload is named, and more than one may be meant; name it")
    return locator.object_fields(commit, plan.target, ObjectField(kind, ref.namespace, ref.name, path))


def current(fields: tuple[Field, ...]) -> str:
    """What stands there now; empty when nothing is set."""
    return next((field.value for field in fields if field.present), "")


def edits(fields: Iterable[Field], after: str, why: str = "") -> tuple[FieldEdit, ...]:
    """The edits that make fields hold a value. Raises YamlTextError when a value cannot be written."""
    found = (_edit(field, after, why) for field in fields)
    return tuple(edit for edit in found if edit.before != edit.after)


def removal(field: Field, why: str) -> FieldEdit:
    """The edit that takes an entry away."""
    return FieldEdit(field.file, field.document, field.path, field.value, None, field.raw, "", reason=_said(field, why))


def drafted(found: tuple[FieldEdit, ...], nothing: str, notes: tuple[str, ...] = ()) -> Draft | Refused:
    """A draft, or the reason why nothing would change."""
    return Draft(found, notes=notes) if found else Refused(nothing)


def _edit(field: Field, after: str, why: str) -> FieldEdit:
    if field.present:
        raw = yamltext.quoted_like(field.raw, after)
        return FieldEdit(
            field.file, field.document, field.path, field.value, after, field.raw, raw, reason=_said(field, why)
        )
    value = field.value if field.role == "name" else after
    return FieldEdit(field.file, field.document, field.path, None, value, "", "", reason=_said(field, why))


def _said(field: Field, why: str) -> str:
    return f"{field.reason}; {why}" if why else field.reason
