"""What the engine hears (events) and what it wants done (intents). Every event says when it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gitops_sre.model.autonomy import Shadow
from gitops_sre.model.change import Proof
from gitops_sre.model.command import Hold
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.incident import Severity
from gitops_sre.model.opinion import Opinion
from gitops_sre.model.plan import Plan
from gitops_sre.model.pull import PullRequest, Review
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.model.verdict import Verdict
from gitops_sre.model.verification import Assessment
from gitops_sre.policy.situation import Situation


@dataclass(frozen=True)
class Event:
    """Something that was seen at a moment. `why` is one sentence for people and the ledger."""

    at: datetime
    why: str = ""


@dataclass(frozen=True)
class Nothing(Event):
    """The world was looked at and nothing moves the incident; `why` says what it waits for."""


@dataclass(frozen=True)
class Triaged(Event):
    """The alert is real enough to look into, and this is what it is about."""

    target: Target | NoTarget | None = None
    severity: Severity = "ticket"
    onset: datetime | None = None
    """When the first alert began to fire."""


@dataclass(frozen=True)
class Cleared(Event):
    """Every alert of the group resolved before anybody had to act."""


@dataclass(frozen=True)
class Diagnosed(Event):
    """A fault, with hypotheses."""

    diagnosis: Diagnosis | None = None
    target: Target | NoTarget | None = None
    """The target of the root-cause service, when it is another than the alert's."""


@dataclass(frozen=True)
class NoFault(Event):
    """The evidence says that nothing is wrong."""

    diagnosis: Diagnosis | None = None


@dataclass(frozen=True)
class Asking(Event):
    """The diagnosis is open: a language model is asked. On record before that, so that no crash asks twice."""


@dataclass(frozen=True)
class Consulted(Event):
    """The language model has been heard, or will not be."""

    opinion: Opinion | None = None


@dataclass(frozen=True)
class Planned(Event):
    """A typed action fits."""

    plan: Plan | None = None


@dataclass(frozen=True)
class HumanNeeded(Event):
    """No action fits, or none that is sure enough."""


@dataclass(frozen=True)
class Judged(Event):
    """The change was built, proven and held against policy."""

    proof: Proof | None = None
    verdict: Verdict | None = None
    record: ActionRecord | None = None
    judged: Situation | None = None
    """What the verdict is made of."""


@dataclass(frozen=True)
class Allowed(Judged):
    """Policy allows a pull request."""


@dataclass(frozen=True)
class OnlyReport(Judged):
    """Policy allows a report, or the target is not certain."""


@dataclass(frozen=True)
class Forbidden(Judged):
    """A rule that no policy lifts stands against it, or the change cannot be made."""


@dataclass(frozen=True)
class PullEvent(Event):
    """Something about the fix's pull request, as it stands now."""

    pull: PullRequest | None = None


@dataclass(frozen=True)
class Opened(PullEvent):
    """The pull request is there and waits for a person."""


@dataclass(frozen=True)
class MayMerge(PullEvent):
    """The pull request is there and policy lets it merge by itself (L4)."""


@dataclass(frozen=True)
class Approved(PullEvent):
    """Somebody allowed approved this very head, and telemetry still shows the fault."""

    approver: str = ""


@dataclass(frozen=True)
class Merged(PullEvent):
    """It landed on the base branch, by whomever."""


@dataclass(frozen=True)
class Closed(PullEvent):
    """A person closed it: that means no."""


@dataclass(frozen=True)
class HandsOff(PullEvent):
    """A person pushed to the branch: it is theirs now."""


@dataclass(frozen=True)
class Moot(PullEvent):
    """The trouble went away before the pull request was merged."""


@dataclass(frozen=True)
class BaseMoved(Event):
    """The base branch changed an edited file since the change was made: make it again. Whoever approved it approved
    another commit."""


@dataclass(frozen=True)
class Lapsed(PullEvent):
    """The approval no longer stands: it was dismissed, or somebody who may write asked for changes."""


@dataclass(frozen=True)
class Lowered(PullEvent):
    """What has become known of other actions since the verdict allows less now; `verdict` is what is left of it."""

    verdict: Verdict | None = None


@dataclass(frozen=True)
class Wavered(Event):
    """What allowed the merge is gone, but it may stand in a merge queue still: `then` follows once it does not."""

    then: Event | None = None


@dataclass(frozen=True)
class Denied(Event):
    """The forge refused (protection, permissions, a foreign branch); trying again changes nothing."""


@dataclass(frozen=True)
class RemindDue(Event):
    """Half of the patience is used up."""


@dataclass(frozen=True)
class Reminded(Event):
    """The reviewers were reminded."""


@dataclass(frozen=True)
class TimedOut(Event):
    """The state's time limit has passed."""


@dataclass(frozen=True)
class WentLive(Event):
    """The merged commit runs and is healthy since `live_at`."""

    live_at: datetime | None = None


@dataclass(frozen=True)
class NeverLive(Event):
    """Waiting will not bring the merged commit to life."""


@dataclass(frozen=True)
class Undone(Event):
    """Somebody has put back by hand exactly what the fix had changed, before it was verified."""


@dataclass(frozen=True)
class Assessed(Event):
    """The SLO was judged."""

    assessment: Assessment | None = None


@dataclass(frozen=True)
class Recovered(Assessed):
    """Every SLI is back."""


@dataclass(frozen=True)
class NotRecovered(Assessed):
    """At least one SLI is still bad: the fix did not help."""


@dataclass(frozen=True)
class RevertOpened(PullEvent):
    """The revert's pull request is there."""


@dataclass(frozen=True)
class RevertMerged(PullEvent):
    """The revert landed."""


@dataclass(frozen=True)
class RevertClosed(PullEvent):
    """A person closed the revert."""


@dataclass(frozen=True)
class Reinvestigate(Event):
    """The failed fix has refuted its hypothesis: look again with that as evidence."""


@dataclass(frozen=True)
class Exhausted(Event):
    """No investigation is left."""


@dataclass(frozen=True)
class Filed(Event):
    """The report or the call for a person is on the forge."""

    url: str = ""


@dataclass(frozen=True)
class Concluded(Event):
    """The outcome stands on the forge."""


@dataclass(frozen=True)
class Compared(Event):
    """It is known what people did to the fields of a change that was only reported."""

    shadow: Shadow = ""


@dataclass(frozen=True)
class Asked(Event):
    """A person with write permission asked for something in a comment, whose id is `command`."""

    by: str = ""
    command: int = 0


@dataclass(frozen=True)
class HoldAsked(Asked):
    """Do not merge while this holds."""

    hold: Hold | None = None


@dataclass(frozen=True)
class ResumeAsked(Asked):
    """The hold is over."""


@dataclass(frozen=True)
class ApprovalSaid(Asked):
    """The fix's head is approved, by a comment instead of a review."""

    review: Review | None = None


@dataclass(frozen=True)
class CloseAsked(Asked):
    """No: the fix is not wanted."""


@dataclass(frozen=True)
class RevertAsked(Asked):
    """Take the merged fix back, whatever the SLO says."""


@dataclass(frozen=True)
class RetryAsked(Asked):
    """Look at it anew, from the evidence on."""


@dataclass(frozen=True)
class Intent:
    """Something to be done in the world. Doing it twice must be the same as doing it once."""


@dataclass(frozen=True)
class Consult(Intent):
    """Ask the language model."""


@dataclass(frozen=True)
class ProposeFix(Intent):
    """Find or open the fix's pull request."""


@dataclass(frozen=True)
class MergeFix(Intent):
    """Merge the fix with the expected head."""


@dataclass(frozen=True)
class Unqueue(Intent):
    """Take the fix out of the merge queue: somebody asked to wait, or `then` follows and it must not merge before."""

    then: Event | None = None


@dataclass(frozen=True)
class ProposeRevert(Intent):
    """Find or open the pull request with the exact inverse."""


@dataclass(frozen=True)
class MergeRevert(Intent):
    """Merge the revert: the fix's verdict authorises it."""


@dataclass(frozen=True)
class Remind(Intent):
    """Remind the reviewers, once."""


@dataclass(frozen=True)
class FileReport(Intent):
    """Find or create the L1 report."""


@dataclass(frozen=True)
class CallHuman(Intent):
    """Find or create the escalation with the whole record."""


@dataclass(frozen=True)
class Conclude(Intent):
    """Leave the outcome on the pull request; close the pull request when it is still open."""
