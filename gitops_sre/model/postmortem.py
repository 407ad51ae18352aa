"""What is written down after an incident, blameless: what happened, what it cost, what is to be done."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.model.story import Belief, Step, Story


@dataclass(frozen=True)
class Impact:
    """One SLI during the incident: what it was before and during it, the objective, and which share of the error budget
    of `window` seconds the incident has cost (None where that cannot be told)."""

    sli: str
    before: float | None
    during: float | None
    objective: float
    unit: str
    spent: float | None
    window: float


@dataclass(frozen=True)
class Postmortem:
    """The whole of it. `seconds` is from the onset until the recovery, None while there is none."""

    story: Story
    title: str
    seconds: float | None
    impact: tuple[Impact, ...]
    causes: tuple[Belief, ...]
    timeline: tuple[Step, ...]
    worked: tuple[str, ...]
    failed: tuple[str, ...]
    actions: tuple[str, ...]
