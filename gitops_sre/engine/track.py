"""The bot's own record, read back from its ledger: every action and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from gitops_sre.model.track import Outcome, Trial
from gitops_sre.ports import LedgerEntry

_ENDS: Mapping[tuple[str, str], Outcome] = {
    ("verifying", "Recovered"): "recovered",
    ("verifying", "NotRecovered"): "failed",
    ("verifying", "NeverLive"): "inconclusive",
    ("verifying", "TimedOut"): "inconclusive",
    ("syncing", "NeverLive"): "inconclusive",
    ("syncing", "TimedOut"): "inconclusive",
    ("syncing", "Undone"): "taken back",
    ("verifying", "Undone"): "taken back",
    ("syncing", "RevertAsked"): "taken back",
    ("verifying", "RevertAsked"): "taken back",
    ("resolved", "RevertAsked"): "taken back",
    ("planned", "Closed"): "rejected",
    ("proposed", "Closed"): "rejected",
    ("awaiting_approval", "Closed"): "rejected",
    ("awaiting_approval", "CloseAsked"): "rejected",
    ("merging", "Closed"): "rejected",
    ("merging", "CloseAsked"): "rejected",
}
"""(state before, event) -> what it says of the action that was planned last."""
_DONE = frozenset({"Merged", "Found"})
EVENTS = frozenset({"Planned", *_DONE, *(event for _, event in _ENDS)})
"""The ledger's events that are read."""
_PLACE = ("action", "service", "environment", "tier")


def trials(entries: Iterable[LedgerEntry]) -> tuple[Trial, ...]:
    """Every action whose outcome is known, in the order in which it became known. Of an action that was taken back
    after it had helped, only that counts. Plans of versions that did not record what they were for are left out."""
    plans: dict[str, Mapping[str, object]] = {}
    found: dict[tuple[str, int], Trial] = {}
    attempts: dict[str, int] = {}
    for entry in entries:
        facts = entry.facts
        if entry.event == "Planned":
            plans[entry.incident] = facts
            attempts[entry.incident] = attempts.get(entry.incident, 0) + 1
            continue
        outcome, plan = _ENDS.get((entry.source, entry.event)), plans.get(entry.incident)
        if outcome is None or plan is None or not isinstance(plan.get("service"), str):
            continue
        key = (entry.incident, attempts[entry.incident])
        found.pop(key, None)
        action, service, environment, tier = (str(plan.get(name, "")) for name in _PLACE)
        worse = outcome == "failed" and facts.get("worse") is True
        found[key] = Trial(entry.incident, action, service, environment, tier, entry.at, outcome, worse)
    return tuple(found.values())


def since_last(
    entries: Iterable[LedgerEntry], action: str, service: str, environment: str, now: datetime
) -> float | None:
    """Seconds since an action was last merged for a service in an environment, by whatever incident; None: never."""
    plans: dict[str, Mapping[str, object]] = {}
    last: datetime | None = None
    for entry in entries:
        facts = entry.facts
        if entry.event in ("Planned", "Found"):
            plans[entry.incident] = facts
        plan = plans.get(entry.incident, {})
        same = tuple(plan.get(name) for name in _PLACE[:3]) == (action, service, environment)
        at = _merged(entry, facts)
        if same and at is not None:
            last = at if last is None else max(last, at)
    return None if last is None else max(0.0, (now - last).total_seconds())


def _merged(entry: LedgerEntry, facts: Mapping[str, object]) -> datetime | None:
    """When an entry says that a fix landed."""
    if entry.event == "Merged":
        return entry.at
    said = facts.get("merged_at") if entry.event == "Found" else None
    return datetime.fromisoformat(said) if isinstance(said, str) else None
