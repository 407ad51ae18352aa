"""Shadow mode: what was only reported (L1), held against what people then did to the same fields.

So a team sees how often the bot would have been right before it opens a level. That people did the same does not show
that it helped, so it never counts as a success.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from gitops_sre.engine import messages as m
from gitops_sre.engine.world import World
from gitops_sre.gitops import edit
from gitops_sre.model.autonomy import Shadow
from gitops_sre.model.change import Change
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.verdict import Level


def pending(incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    """Those whose change was only reported and that have not been compared yet."""
    return tuple(
        each
        for each in incidents
        if each.state is State.REPORTED
        and not each.shadow
        and each.record is not None
        and each.verdict is not None
        and each.verdict.level is Level.L1
    )


def compare(incident: Incident, head: str, at: datetime, world: World) -> m.Compared | None:
    """What people have made of the reported change by now; None while that is open. Raises OSError."""
    if incident.record is None:
        return None
    late = at - incident.since > timedelta(seconds=world.settings.autonomy.shadow_window)
    found = _found(incident.record, head, world)
    if found:
        words = "just that" if found == "agreed" else "something else"
        return m.Compared(at, f"what was only reported: people did {words} by {head[:12]}", shadow=found)
    return m.Compared(at, "what was only reported: people left it as it was", shadow="unknown") if late else None


def _found(record: ActionRecord, head: str, world: World) -> Shadow:
    """Every edited field says what the edit would have made it say, or still what stood there (empty), or neither."""
    if head == record.base:
        return ""
    path = world.settings.policy.path
    if isinstance(edit.apply(world.repository, head, record.inverse, path), Change):
        return "agreed"
    return "" if isinstance(edit.apply(world.repository, head, record.edits, path), Change) else "disagreed"
