"""The bot's own record, read from the ledger: which fix of which action ended how, and what people have forgiven.

The ledger is signed, append-only and travels with every kind of state, so nothing is kept beside it. An incident's
entries tell one case for each attempt; what they do not say for certain counts for nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from gitops_sre.model.autonomy import Case, Ceiling, Figures, Result, Shadow
from gitops_sre.model.verdict import Level
from gitops_sre.ports import LedgerEntry

SUBJECT = "autonomy"
"""Whose the ledger's entries are that concern no incident."""
RESET = "AutonomyReset"
COMPARED = "Compared"
PROPOSED = "PromotionProposed"
EVENTS = frozenset(
    {
        *("Planned", "Allowed", "OnlyReport", "Forbidden", "Closed", "CloseAsked", "Found", "Reinvestigate"),
        *("Recovered", "NotRecovered", "RevertAsked", "Undone", "RetryAsked", COMPARED, RESET, PROPOSED),
    }
)
"""All that is read; the rest of the ledger may stay where it is."""

_LOWERED = (Level.L3, Level.L2, Level.L1)
"""The ceiling after one, two, and three or more false actions since the last reset."""
_TAKEN_BACK: Mapping[str, Result] = {"NotRecovered": "false", "RevertAsked": "reverted"}
"""What never came alive says nothing of the action: it counts for the circuit breaker alone."""
_SHADOWS: Mapping[str, Shadow] = {word: word for word in ("agreed", "disagreed", "unknown")}
Key = tuple[str, str]
"""Action and tier."""


def cases(entries: Iterable[LedgerEntry]) -> tuple[Case, ...]:
    """Every planned fix that the ledger tells of, in order. Entries from before tiers were kept tell of none."""
    attempts: dict[str, int] = defaultdict(lambda: 1)
    found: dict[tuple[str, int], Case] = {}
    for entry in entries:
        facts = entry.facts
        if entry.event in ("Reinvestigate", "RetryAsked"):
            attempts[entry.incident] += 1
        elif entry.event == "Found" and isinstance(facts.get("attempt"), int):
            attempts[entry.incident] = int(str(facts["attempt"]))
        key = entry.incident, attempts[entry.incident]
        after = _told(found.get(key), entry, facts)
        if after is not None:
            found[key] = after
    return tuple(found.values())


def _told(case: Case | None, entry: LedgerEntry, facts: Mapping[str, object]) -> Case | None:
    """The case after one more entry of its attempt."""
    if entry.event in ("Planned", "Found"):
        case = case or _begun(entry, facts)
    if case is None:
        return None
    if "level" in facts:
        tiers = facts.get("tiers")
        touched = tuple(map(str, tiers)) if isinstance(tiers, list) else case.tiers
        case = replace(case, level=Level.__members__.get(str(facts["level"]), Level.DENIED), tiers=touched)
    if entry.event == COMPARED:
        return replace(case, shadow=_SHADOWS.get(str(facts.get("shadow")), ""))
    result = _result(entry, facts)
    # The moment of a result is what a reset is compared with.
    return replace(case, result=result, at=entry.at) if result else case


def _begun(entry: LedgerEntry, facts: Mapping[str, object]) -> Case | None:
    action, tier = facts.get("action"), facts.get("tier")
    if not (isinstance(action, str) and isinstance(tier, str)):
        return None
    return Case(entry.incident, action, tier, entry.at, tiers=(tier,))


def _result(entry: LedgerEntry, facts: Mapping[str, object]) -> Result:
    if entry.event == "Found":
        return _found(entry.target, taken_back=bool(facts.get("taken_back")))
    if entry.target == "reverting" and entry.event in _TAKEN_BACK:
        return _TAKEN_BACK[entry.event]
    if entry.event == "Undone":
        return "reverted"
    if entry.event == "Recovered" and entry.target == "resolved":
        return "verified"
    return "rejected" if entry.target == "rejected" else ""


def _found(state: str, *, taken_back: bool) -> Result:
    """What the forge alone tells: who wanted a revert is not known there, so it is counted as the bot's."""
    if taken_back:
        return "false"
    return "verified" if state == "resolved" else "rejected" if state == "rejected" else ""


def ceilings(told: Sequence[Case], entries: Iterable[LedgerEntry]) -> tuple[Ceiling, ...]:
    """What false actions, and what people took back, have lowered, for each action and each tier that they touched: L3
    after the first one since a person's last reset, L2 after the second, L1 from the third on."""
    forgiven = _resets(entries)
    blamed: dict[Key, list[Case]] = defaultdict(list)
    for case in sorted(told, key=lambda each: each.at):
        for tier in dict.fromkeys((case.tier, *case.tiers)) if case.result in ("false", "reverted") else ():
            reset = forgiven.get((case.action, tier))
            if reset is None or case.at > reset:
                blamed[case.action, tier].append(case)
    return tuple(
        Ceiling(
            action,
            tier,
            _LOWERED[min(len(found), len(_LOWERED)) - 1],
            len(found),
            tuple(dict.fromkeys(case.incident for case in found)),
            found[-1].at,
        )
        for (action, tier), found in sorted(blamed.items())
    )


def _resets(entries: Iterable[LedgerEntry]) -> dict[Key, datetime]:
    """When a person last lifted what."""
    found: dict[Key, datetime] = {}
    for entry in entries:
        if entry.event == RESET and entry.incident == SUBJECT:
            facts = entry.facts
            found[str(facts.get("action")), str(facts.get("tier"))] = entry.at
    return found


def figures(told: Iterable[Case]) -> Figures:
    """The cases counted."""
    results = [(case.result, case.shadow) for case in told]
    named = {
        name: sum(result == name for result, _ in results) for name in ("verified", "false", "rejected", "reverted")
    }
    seen = {name: sum(shadow == name for _, shadow in results) for name in ("agreed", "disagreed", "unknown")}
    return Figures(**named, **seen)
