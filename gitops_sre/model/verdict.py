"""What policy allows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How far the bot may go by itself. Ordered: the lower one is the more restrictive."""

    DENIED = 0
    """Not even a proposal; the report says why."""
    L1 = 1
    """Report only; the diff it would have made is kept."""
    L2 = 2
    """Draft pull request."""
    L3 = 3
    """Pull request that merges on an approving review by somebody allowed."""
    L4 = 4
    """Auto-merge."""


@dataclass(frozen=True)
class Reason:
    """One rule's word: the level that it allows at most, and why."""

    rule: str
    ceiling: Level
    text: str

    def __str__(self) -> str:
        """`rule: text`."""
        return f"{self.rule}: {self.text}"


@dataclass(frozen=True)
class Verdict:
    """The gate's decision: the lowest ceiling of all reasons. Only policy/ makes one.

    `approvers` may approve at L3 (logins; empty: anybody with write permission); `policy_commit` is the base
    commit that policy was read at. `quorum` is how many of them must approve; `window` how many seconds verification
    must last at least.
    """

    level: Level
    reasons: tuple[Reason, ...]
    approvers: tuple[str, ...]
    policy_commit: str
    quorum: int = 1
    window: float = 0.0

    @property
    def binding(self) -> tuple[Reason, ...]:
        """The reasons that hold the level where it is."""
        return tuple(reason for reason in self.reasons if reason.ceiling == self.level)

    @property
    def why(self) -> str:
        """The same in words."""
        return "; ".join(map(str, self.binding))
