"""The lifecycle of an incident as data: which event leads from which state to which.

What is not in the table changes nothing. The diagram in docs/ is generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from gitops_sre.engine import messages as m
from gitops_sre.model.incident import TERMINAL, State

S = State

REOPENS: Mapping[State, Mapping[type[m.Event], State]] = {
    S.RESOLVED: {m.RevertAsked: S.REVERTING},
    **{state: {m.RetryAsked: S.INVESTIGATING} for state in sorted(TERMINAL - {S.RESOLVED})},
}
"""What has ended begins again only when a person asks for it."""

TABLE: Mapping[State, Mapping[type[m.Event], State]] = {
    S.RECEIVED: {
        m.Triaged: S.INVESTIGATING,
        m.Cleared: S.DISMISSED,
        m.TimedOut: S.ESCALATING,
    },
    S.INVESTIGATING: {
        m.Diagnosed: S.DIAGNOSED,
        m.NoFault: S.DISMISSED,
        m.TimedOut: S.ESCALATING,
    },
    S.DIAGNOSED: {
        m.Asking: S.DIAGNOSED,
        m.Consulted: S.DIAGNOSED,
        m.Planned: S.PLANNED,
        m.HumanNeeded: S.ESCALATING,
        m.OnlyReport: S.REPORTING,
    },
    S.PLANNED: {
        m.Allowed: S.PROPOSED,
        m.OnlyReport: S.REPORTING,
        m.Forbidden: S.ESCALATING,
        m.Merged: S.SYNCING,
        m.Closed: S.REJECTED,
        m.HandsOff: S.SUPERSEDED,
        m.Moot: S.SUPERSEDED,
        m.TimedOut: S.ESCALATING,
    },
    S.PROPOSED: {
        m.Opened: S.AWAITING_APPROVAL,
        m.MayMerge: S.MERGING,
        m.Merged: S.SYNCING,
        m.Closed: S.REJECTED,
        m.HandsOff: S.SUPERSEDED,
        m.BaseMoved: S.PLANNED,
        m.Denied: S.ESCALATING,
        m.TimedOut: S.ESCALATING,
    },
    S.AWAITING_APPROVAL: {
        m.Approved: S.MERGING,
        m.Merged: S.SYNCING,
        m.Closed: S.REJECTED,
        m.HandsOff: S.SUPERSEDED,
        m.Moot: S.SUPERSEDED,
        m.BaseMoved: S.PLANNED,
        m.Reminded: S.AWAITING_APPROVAL,
        m.ApprovalSaid: S.AWAITING_APPROVAL,
        m.HoldAsked: S.AWAITING_APPROVAL,
        m.ResumeAsked: S.AWAITING_APPROVAL,
        m.CloseAsked: S.REJECTED,
        m.TimedOut: S.ESCALATING,
    },
    S.MERGING: {
        m.Merged: S.SYNCING,
        m.Closed: S.REJECTED,
        m.HandsOff: S.SUPERSEDED,
        m.Opened: S.AWAITING_APPROVAL,
        m.Lapsed: S.AWAITING_APPROVAL,
        m.Lowered: S.AWAITING_APPROVAL,
        m.Moot: S.SUPERSEDED,
        m.BaseMoved: S.PLANNED,
        m.HoldAsked: S.MERGING,
        m.ResumeAsked: S.MERGING,
        m.CloseAsked: S.REJECTED,
        m.Denied: S.ESCALATING,
        m.TimedOut: S.ESCALATING,
    },
    S.SYNCING: {
        m.WentLive: S.VERIFYING,
        m.NeverLive: S.REVERTING,
        m.Undone: S.ESCALATING,
        m.RevertAsked: S.REVERTING,
        m.TimedOut: S.ESCALATING,
    },
    S.VERIFYING: {
        m.Recovered: S.RESOLVED,
        m.NotRecovered: S.REVERTING,
        m.RevertAsked: S.REVERTING,
        m.NeverLive: S.ESCALATING,
        m.Undone: S.ESCALATING,
        m.TimedOut: S.ESCALATING,
    },
    S.REVERTING: {
        m.RevertOpened: S.REVERTING,
        m.RevertMerged: S.REVERT_SYNCING,
        m.RevertClosed: S.ESCALATING,
        m.Denied: S.ESCALATING,
        m.TimedOut: S.ESCALATING,
    },
    S.REVERT_SYNCING: {
        m.WentLive: S.REVERTED,
        m.NeverLive: S.ESCALATING,
        m.TimedOut: S.ESCALATING,
    },
    S.REVERTED: {
        m.Reinvestigate: S.INVESTIGATING,
        m.HandsOff: S.SUPERSEDED,
        m.Exhausted: S.ESCALATING,
    },
    S.ESCALATING: {m.Filed: S.ESCALATED},
    S.REPORTING: {m.Filed: S.REPORTED},
    **{state: {m.Concluded: state, **REOPENS.get(state, {})} for state in sorted(TERMINAL - {S.REPORTED})},
    S.REPORTED: {m.Concluded: S.REPORTED, m.Compared: S.REPORTED, **REOPENS[S.REPORTED]},
}
"""Rows for the exact type of an event; subclasses are events of their own."""

CAN_REVERT = frozenset({S.SYNCING, S.VERIFYING})
"""States after a merge from which one event starts the revert."""


def diagram() -> str:
    """The table as a Mermaid state diagram (one line per state pair, events joined)."""
    lines = ["stateDiagram-v2", f"    [*] --> {S.RECEIVED.value}"]
    for state, row in TABLE.items():
        targets: dict[State, list[str]] = {}
        for event, target in row.items():
            if target is not state:
                targets.setdefault(target, []).append(event.__name__)
        lines += [f"    {state.value} --> {target.value}: {', '.join(events)}" for target, events in targets.items()]
    lines += [f"    {state.value} --> [*]" for state in sorted(TERMINAL)]
    return "\n".join(lines) + "\n"
