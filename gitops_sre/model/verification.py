"""Did the fix help? Three states; no data is not success."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SliJudgement:
    """One SLI over the window. `bad_share` is the share of readings on the bad side of the threshold, 0..1."""

    sli: str
    state: Literal["recovered", "not_recovered", "inconclusive"]
    value: float | None
    threshold: float
    incident: float | None
    baseline: float | None
    samples: int
    bad_share: float
    unit: str = "ratio"


@dataclass(frozen=True)
class Assessment:
    """The verdict over all SLIs. `worse` (only with not_recovered): clearly worse than during the incident."""

    state: Literal["recovered", "not_recovered", "inconclusive"]
    reason: str
    slis: tuple[SliJudgement, ...] = ()
    worse: bool = False
