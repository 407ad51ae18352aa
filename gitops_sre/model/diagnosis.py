"""What is believed to be wrong, how sure that is, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.evidence import Evidence, Gap

Cause = Literal[
    "new_deploy",
    "config_change",
    "flag_flip",
    "dependency_failure",
    "resource_exhaustion",
    "traffic_spike",
    "infrastructure",
    "no_fault",
]


def certainty(probability: float) -> str:
    """A posterior for people, as a percentage that never rounds to certainty or to impossibility."""
    if 0.99 < probability < 1:
        return "over 99%"
    return "under 1%" if 0 < probability < 0.01 else f"{probability:.0%}"


@dataclass(frozen=True)
class Hypothesis:
    """One explanation with its posterior probability. `supports`/`opposes` are evidence ids, strongest first.

    `key` names it across investigations of the incident, so that a failed fix can refute it.
    """

    cause: Cause
    service: str
    posterior: float
    prior: float
    supports: tuple[str, ...] = ()
    opposes: tuple[str, ...] = ()
    change: ChangeRecord | None = None
    refuted: bool = False

    @property
    def key(self) -> str:
        """`cause/service[/commit]`."""
        parts = [self.cause, self.service]
        if self.change is not None:
            parts.append(self.change.commit.sha[:12])
        return "/".join(parts)


@dataclass(frozen=True)
class Diagnosis:
    """Hypotheses, most probable first (posteriors sum to 1), with the evidence and the gaps behind them."""

    hypotheses: tuple[Hypothesis, ...]
    evidence: tuple[Evidence, ...]
    gaps: tuple[Gap, ...] = ()
    summary: str = ""

    @property
    def top(self) -> Hypothesis:
        """The most probable hypothesis."""
        return self.hypotheses[0]

    def find(self, evidence_id: str) -> Evidence | None:
        """The evidence with this id."""
        return next((item for item in self.evidence if item.id == evidence_id), None)
