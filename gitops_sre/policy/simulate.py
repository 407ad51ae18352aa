"""Past verdicts again under other policies, from what the ledger has recorded of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gitops_sre.model.verdict import Level, Verdict
from gitops_sre.policy.documents import Policies
from gitops_sre.policy.gate import judge
from gitops_sre.policy.situation import Situation, load
from gitops_sre.ports import LedgerEntry

EVENTS = frozenset({"Allowed", "OnlyReport", "Forbidden"})
"""The ledger's events that hold a verdict."""


@dataclass(frozen=True)
class Past:
    """A verdict of the ledger. `situation` None: an older version did not record what it was made of."""

    incident: str
    at: datetime
    level: Level
    reasons: tuple[str, ...]
    situation: Situation | None


@dataclass(frozen=True)
class Replayed:
    """A past verdict, and what it would be."""

    past: Past
    situation: Situation
    verdict: Verdict

    @property
    def differs(self) -> bool:
        """Whether the level would be another one."""
        return self.past.level is not self.verdict.level


def past(entries: Iterable[LedgerEntry]) -> tuple[Past, ...]:
    """Every verdict that the ledger tells of, in order. Where nothing was judged (the change could not even be made)
    there is none."""
    return tuple(_past(entry, entry.facts) for entry in entries if entry.event in EVENTS and "level" in entry.facts)


def _past(entry: LedgerEntry, facts: Mapping[str, object]) -> Past:
    said = facts.get("reasons")
    reasons = tuple(map(str, said)) if isinstance(said, list) else ()
    level = Level.__members__.get(str(facts["level"]), Level.DENIED)
    return Past(entry.incident, entry.at, level, reasons, load(facts["judged"]) if "judged" in facts else None)


def replay(told: Iterable[Past], policies: Policies) -> tuple[Replayed, ...]:
    """Each past verdict that can be made again, under these policies."""
    return tuple(
        Replayed(each, each.situation, judge(each.situation, policies)) for each in told if each.situation is not None
    )
