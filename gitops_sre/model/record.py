"""What a pull request's head commit says for ever: the immutable plan of an action, signed by the bot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gitops_sre.model.change import FieldEdit
from gitops_sre.model.plan import Plan
from gitops_sre.model.pull import PullKind
from gitops_sre.model.signal import Alert
from gitops_sre.model.verdict import Verdict


@dataclass(frozen=True)
class ActionRecord:
    """Enough to carry an action on without a database: plan (with its verification), inverse and verdict.

    `edits` are the edits that the commit makes; their inverses undo it. `attempt` counts investigations (1, 2);
    `refuted` are keys of hypotheses that a failed fix has refuted before this one.
    """

    incident: str
    kind: PullKind
    attempt: int
    alerts: tuple[Alert, ...]
    opened_at: datetime
    plan: Plan
    edits: tuple[FieldEdit, ...]
    base: str
    verdict: Verdict
    refuted: tuple[str, ...] = ()

    @property
    def inverse(self) -> tuple[FieldEdit, ...]:
        """The edits that take the action back."""
        return tuple(edit.inverted() for edit in reversed(self.edits))
