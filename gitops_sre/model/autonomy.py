"""What the bot's own record says of an action in a tier, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops_sre.model.verdict import Level

Result = Literal["", "verified", "false", "rejected", "reverted"]
"""What became of a proposed fix, when that is certain: verified (it was live and every SLI recovered), false (it was
live and did not help, or made things worse: the bot took it back), rejected (a person closed
it), reverted (a person had it taken back). Empty: not known, which counts for nothing."""

Shadow = Literal["", "agreed", "disagreed", "unknown"]
"""What people then did to the fields of a change that was only reported: the same, something else, nothing in time."""


@dataclass(frozen=True)
class Case:
    """One planned fix of an incident. `tiers` are all that its change touches, `level` is the verdict's."""

    incident: str
    action: str
    tier: str
    at: datetime
    level: Level = Level.DENIED
    tiers: tuple[str, ...] = ()
    result: Result = ""
    shadow: Shadow = ""


@dataclass(frozen=True)
class Ceiling:
    """A level that an action in a tier must not exceed until a person lifts it. `count` false actions caused it, in
    these `incidents`, the latest last, which was so `since` then."""

    action: str
    tier: str
    level: Level
    count: int
    incidents: tuple[str, ...]
    since: datetime


@dataclass(frozen=True)
class Figures:
    """How often what came of an action in a tier. The shadow's numbers stand beside the real ones."""

    verified: int = 0
    false: int = 0
    rejected: int = 0
    reverted: int = 0
    agreed: int = 0
    disagreed: int = 0
    unknown: int = 0

    @property
    def cases(self) -> int:
        """Those that count: with a certain result."""
        return self.verified + self.false + self.rejected + self.reverted


@dataclass(frozen=True)
class Standing:
    """Where an action stands in a tier. `opened` is the lowest level that the ladder's general entries open there,
    `effective` the lower one of that and the ceiling's; `mean` and `lower` are of the posterior of the share of
    verified fixes; `due` counts the cases at `opened` or higher; `missing` says what a promotion lacks, empty when it
    lacks nothing."""

    action: str
    tier: str
    opened: Level
    ceiling: Ceiling | None
    figures: Figures
    mean: float
    lower: float
    due: int
    missing: str

    @property
    def effective(self) -> Level:
        """min(policy, ceiling)."""
        return self.opened if self.ceiling is None else min(self.opened, self.ceiling.level)
