"""What the ledger tells of one incident, from which figures and postmortems are made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops_sre.model.verdict import Level

Ending = Literal["resolved", "escalated", "reported", "rejected", "superseded", "dismissed", ""]
"""The state in which it ended last; empty while it is under way."""


@dataclass(frozen=True)
class Label:
    """What a person says that it was. `service` and `commit` (at least seven characters) are empty where that was not
    said."""

    cause: str
    service: str
    commit: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Belief:
    """One hypothesis as it was put on record."""

    cause: str
    service: str
    posterior: float
    commit: str

    def fits(self, label: Label) -> bool:
        """Whether it says what a label says, as far as that goes."""
        if self.cause != label.cause or label.service not in ("", self.service):
            return False
        return not label.commit or self.commit.startswith(label.commit)


@dataclass(frozen=True)
class Step:
    """One entry of an incident's record, for people."""

    at: datetime
    event: str
    target: str
    why: str


@dataclass(frozen=True)
class Story:
    """An incident. Moments are None where they did not come or are not on record; `onset` is when the telemetry shows
    the trouble to begin, else when the first alert began to fire.

    `action`, `service`, `environment`, `tier` and `level` are those of the last plan; `merges` counts fixes that were
    merged, `taken_back` those of them that were taken back again. `beliefs` are those of the last diagnosis, most
    probable first.
    """

    incident: str
    opened: datetime
    onset: datetime | None = None
    diagnosed: datetime | None = None
    recovered: datetime | None = None
    ended: Ending = ""
    action: str = ""
    service: str = ""
    environment: str = ""
    tier: str = ""
    level: Level = Level.DENIED
    merges: int = 0
    taken_back: int = 0
    approved: bool = False
    plans: int = 0
    proposed: tuple[int, ...] = ()
    """Which of the plans, counted from 1, came to a pull request."""
    rejected: int = 0
    beliefs: tuple[Belief, ...] = ()
    tokens: int = 0
    money: float = 0.0
    asked: int = 0
    label: Label | None = None
    steps: tuple[Step, ...] = ()
