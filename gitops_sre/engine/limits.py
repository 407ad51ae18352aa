"""How much may be open at once: habits that keep a bot bearable, each with a name that people can look up and change.

Reverts are never counted and never held back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from gitops_sre.model.change import FieldEdit
from gitops_sre.model.record import ActionRecord
from gitops_sre.ports import OpenedAction
from gitops_sre.settings import LimitSettings

_HOUR = timedelta(hours=1)


def waits_for(record: ActionRecord, actions: Sequence[OpenedAction], limits: LimitSettings, at: datetime) -> str:
    """Why a fix must not be proposed yet, empty when it may. `actions` are all of the bot's, open and closed lately."""
    if any(_is_same(record, other.record) for other in actions):
        return ""  # it stands on the forge already
    rival = next((each for each in actions if each.pull.state == "open" and _shared(record, each.record)), None)
    if rival is not None:
        return f"#{rival.pull.number} changes {_shared(record, rival.record)} too: one open pull request per field"
    fixes = [each for each in actions if each.record.kind == "fix"]
    open_now = [each for each in fixes if each.pull.state == "open"]
    here = [each for each in open_now if _place(each.record) == _place(record)]
    lately = [each for each in fixes if at - each.pull.created_at < _HOUR]
    counts = (
        (len(here), limits.open_per_service, f"limits.open_per_service: {_numbers(here)} open for {_named(record)}"),
        (len(open_now), limits.open, f"limits.open: {len(open_now)} pull requests of the bot are open"),
        (len(lately), limits.per_hour, f"limits.per_hour: {len(lately)} pull requests within the last hour"),
    )
    return next((why for count, most, why in counts if count >= most), "")


def _is_same(one: ActionRecord, other: ActionRecord) -> bool:
    return (one.incident, one.kind, one.attempt) == (other.incident, other.kind, other.attempt)


def _shared(one: ActionRecord, other: ActionRecord) -> str:
    """A place that both change, as people write it; empty when there is none. A key and what is below it are one."""
    for edit in one.edits:
        if any(_overlap(edit, theirs) for theirs in other.edits):
            return f"{'.'.join(map(str, edit.path))} in {edit.file}"
    return ""


def _overlap(one: FieldEdit, other: FieldEdit) -> bool:
    length = min(len(one.path), len(other.path))
    same_text = (one.file, one.document) == (other.file, other.document)
    return same_text and one.path[:length] == other.path[:length]


def _place(record: ActionRecord) -> tuple[str, str]:
    return record.plan.target.service, record.plan.target.environment


def _named(record: ActionRecord) -> str:
    return f"{record.plan.target.service} ({record.plan.target.environment})"


def _numbers(actions: Collection[OpenedAction]) -> str:
    return ", ".join(f"#{each.pull.number}" for each in actions)
