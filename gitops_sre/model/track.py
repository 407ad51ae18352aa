"""What came of actions: the record from which trust is earned and lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Outcome = Literal["recovered", "failed", "inconclusive", "rejected", "taken back"]
"""recovered: verified by the SLO. failed: verified, and it did not help. inconclusive: merged, and never known.
rejected: a person closed the pull request. taken back: a person had it reverted."""


@dataclass(frozen=True)
class Trial:
    """One action in one incident, and what came of it. `at` is when that was known; `worse` (only with failed): the SLO
    was clearly worse than without it."""

    incident: str
    action: str
    service: str
    environment: str
    tier: str
    at: datetime
    outcome: Outcome
    worse: bool = False
