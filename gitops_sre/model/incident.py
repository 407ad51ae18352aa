"""An incident: everything the bot knows of one trouble, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from gitops_sre.model.autonomy import Shadow
from gitops_sre.model.change import Proof
from gitops_sre.model.command import Hold
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.opinion import Opinion
from gitops_sre.model.plan import Plan
from gitops_sre.model.pull import PullRequest, Review
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.signal import Alert
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.model.usage import Usage
from gitops_sre.model.verdict import Verdict
from gitops_sre.model.verification import Assessment

Severity = Literal["page", "ticket", "info"]
"""By SLO burn: `page` burns budget fast enough to wake somebody, `ticket` slowly, `info` not at all."""


class State(StrEnum):
    """Where an incident stands. The table of transitions is engine/lifecycle.py."""

    RECEIVED = "received"
    INVESTIGATING = "investigating"
    DIAGNOSED = "diagnosed"
    PLANNED = "planned"
    PROPOSED = "proposed"
    AWAITING_APPROVAL = "awaiting_approval"
    MERGING = "merging"
    SYNCING = "syncing"
    VERIFYING = "verifying"
    REVERTING = "reverting"
    REVERT_SYNCING = "revert_syncing"
    ESCALATING = "escalating"
    REPORTING = "reporting"
    RESOLVED = "resolved"
    REVERTED = "reverted"
    ESCALATED = "escalated"
    REPORTED = "reported"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    DISMISSED = "dismissed"


TERMINAL = frozenset(
    {State.RESOLVED, State.ESCALATED, State.REPORTED, State.REJECTED, State.SUPERSEDED, State.DISMISSED}
)


@dataclass(frozen=True)
class Incident:
    """One trouble from alert to outcome. Immutable: the engine makes the next one from an event.

    `since` is when the present state was entered; `attempt` counts investigations; `refuted` holds the keys of
    hypotheses that a failed fix has refuted; `reason` says in one sentence why it stands where it stands.
    `version` counts saved changes (compare-and-swap in the store).
    """

    id: str
    alerts: tuple[Alert, ...]
    state: State
    opened_at: datetime
    since: datetime
    reason: str = ""
    severity: Severity = "ticket"
    attempt: int = 1
    refuted: tuple[str, ...] = ()
    target: Target | NoTarget | None = None
    diagnosis: Diagnosis | None = None
    asked: int = 0
    """The attempt for which a language model was asked last: once for each, whatever becomes of it."""
    opinion: Opinion | None = None
    """What the model made of it."""
    plan: Plan | None = None
    proof: Proof | None = None
    verdict: Verdict | None = None
    record: ActionRecord | None = None
    """The record of the fix that is (or will be) on the forge."""
    fix: PullRequest | None = None
    revert: PullRequest | None = None
    merged_at: datetime | None = None
    live_at: datetime | None = None
    assessment: Assessment | None = None
    past_pulls: tuple[PullRequest, ...] = ()
    """Pull requests of earlier attempts."""
    reminded: bool = False
    hold: Hold | None = None
    """Somebody asked to wait with merging."""
    taken_back_by: str = ""
    """Who asked for the revert, when somebody did."""
    obeyed: tuple[int, ...] = ()
    """Ids of the comments whose orders have had their effect."""
    said: tuple[Review, ...] = ()
    """Approvals of the fix that were given in comments."""
    report_url: str = ""
    concluded: bool = False
    """The outcome stands on the forge."""
    shadow: Shadow = ""
    """What people did to the fields of the change, when it was only reported."""
    spent: Usage = field(default_factory=Usage)
    """What looking after it has cost on the forge: its own looks, not the sweeps that all incidents share."""
    version: int = 0

    @property
    def finished(self) -> bool:
        """Nothing is left to do: it has ended, and every pull request bears the outcome."""
        return self.state in TERMINAL and (self.concluded or not self.pulls)

    @property
    def pulls(self) -> tuple[PullRequest, ...]:
        """All pull requests, oldest first."""
        return self.past_pulls + tuple(pull for pull in (self.fix, self.revert) if pull)

    @property
    def numbers(self) -> frozenset[int]:
        """Numbers of everything on the forge that speaks of it: pull requests, and the report's issue."""
        filed = self.report_url.rstrip("/").rpartition("/")[2]
        return frozenset((*(pull.number for pull in self.pulls), *((int(filed),) if filed.isdecimal() else ())))

    def held(self, at: datetime) -> bool:
        """Whether somebody's hold keeps it from being merged at a moment."""
        return self.hold is not None and self.hold.holds(at)

    @property
    def onset(self) -> datetime:
        """When the earliest alert began to fire."""
        return min(alert.starts_at for alert in self.alerts)
