"""What stands on the forge is the truth about actions: incidents are rebuilt from it, whatever the database says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gitops_sre.model.incident import TERMINAL, Incident, State
from gitops_sre.model.verdict import Level
from gitops_sre.ports import OpenedAction

_BEFORE_PROPOSAL = frozenset(
    {State.RECEIVED, State.INVESTIGATING, State.DIAGNOSED, State.PLANNED, State.PROPOSED, State.REVERTED}
)
"""States in which a pull request of the present attempt may have been made without this memory knowing of it."""


def adopt(known: Incident | None, actions: Iterable[OpenedAction]) -> Incident | None:
    """The incident that these actions (all of one incident) and the memory of it add up to.

    Memory that is as far along as the forge is kept: its next look at the pull request brings it up to date. Returns
    None when there is neither.
    """
    newest = _newest_attempt(actions)
    if not newest:
        return known
    fix = newest.get("fix")
    if fix is None or (known is not None and not _behind(known, fix)):
        return known
    return _merge(known, fix, newest.get("revert"))


def _newest_attempt(actions: Iterable[OpenedAction]) -> dict[str, OpenedAction]:
    everything = list(actions)
    last = max((action.record.attempt for action in everything), default=0)
    return {action.record.kind: action for action in everything if action.record.attempt == last}


def _behind(known: Incident, fix: OpenedAction) -> bool:
    if known.attempt != fix.record.attempt:
        return known.attempt < fix.record.attempt
    # While a pull request is to be made again, somebody may merge it as it was: then that is what landed.
    unknown = known.fix is None or (fix.pull.state == "merged" and known.record != fix.record)
    return unknown and known.state in _BEFORE_PROPOSAL


def _merge(known: Incident | None, fix: OpenedAction, revert: OpenedAction | None) -> Incident:
    record, pull = fix.record, fix.pull
    state = _state(fix, revert)
    since = (revert.pull.created_at if revert else None) or pull.merged_at or pull.created_at
    base = known or Incident(record.incident, record.alerts, state, record.opened_at, since)
    return replace(
        base,
        state=state,
        since=since,
        reason="found on the forge",
        attempt=record.attempt,
        refuted=record.refuted,
        target=record.plan.target,
        plan=record.plan,
        verdict=record.verdict,
        record=record,
        fix=pull,
        revert=revert.pull if revert else None,
        merged_at=pull.merged_at,
        concluded=bool(fix.outcome),
    )


def _state(fix: OpenedAction, revert: OpenedAction | None) -> State:
    if fix.outcome:
        return State(fix.outcome) if fix.outcome in TERMINAL else State.ESCALATED
    if fix.pull.state == "closed":
        return State.REJECTED
    if fix.pull.state == "open":
        return State.MERGING if fix.record.verdict.level is Level.L4 else State.AWAITING_APPROVAL
    if revert is None:
        return State.SYNCING
    return State.REVERT_SYNCING if revert.pull.state == "merged" else State.REVERTING
