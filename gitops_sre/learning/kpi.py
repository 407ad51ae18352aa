"""How good the bot is, by its own record. docs/kpi.md defines each figure; all count verified outcomes alone.

How many alerts were handled is not offered: it grows with the trouble, not with the help.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, median

from gitops_sre.model.story import Story
from gitops_sre.model.verdict import Level

_Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""
BINS = 5
"""Bins of the reliability of stated posteriors."""


@dataclass(frozen=True)
class Share:
    """`count` of `of`, with the 95 % interval by Wilson (Journal of the American Statistical Association 22, 1927)."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Between which shares it lies."""
        if not self.of:
            return 0.0, 1.0
        share, z2 = self.count / self.of, _Z * _Z
        middle = (share + z2 / (2 * self.of)) / (1 + z2 / self.of)
        half = _Z / (1 + z2 / self.of) * math.sqrt(share * (1 - share) / self.of + z2 / (4 * self.of * self.of))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Span:
    """Durations in seconds of `of` incidents, None without any. `baseline` is what the team had before the bot."""

    of: int
    mean: float | None
    median: float | None
    baseline: float | None = None


@dataclass(frozen=True)
class Bin:
    """Labelled diagnoses whose stated posterior was in `low`..`high`: its mean, and how many were right."""

    low: float
    high: float
    stated: float
    right: Share


@dataclass(frozen=True)
class Kpis:
    """All figures. `incidents` are those that ended with a fault in them."""

    incidents: int
    detect: Span
    diagnose: Span
    recover: Span
    resolved: Share
    unaided: Share
    """Resolved without a person."""
    false_actions: Share
    """Of the merged fixes whose outcome is known, those that were taken back."""
    escalated: Share
    rejected: Share
    rca: Share
    brier: float | None
    """Mean squared distance of the stated posterior from what a person labelled (Brier, Monthly Weather Review 78,
    1950); lower is better, 0.25 is what a coin achieves."""
    reliability: tuple[Bin, ...]
    asked: int
    """Incidents about which a language model was asked."""
    tokens: int
    money: float


def kpis(
    told: Iterable[Story],
    since: datetime | None = None,
    baseline_detect: float | None = None,
    baseline_recover: float | None = None,
) -> Kpis:
    """The figures of the incidents that were opened at `since` or later and have ended. Baselines are in seconds."""
    over = [each for each in told if each.ended and (since is None or each.opened >= since)]
    faults = [each for each in over if each.ended != "dismissed"]
    back = sum(each.taken_back for each in faults)
    resolved = [each for each in faults if each.ended == "resolved"]
    labelled = [each for each in over if each.label is not None and each.beliefs]
    return Kpis(
        incidents=len(faults),
        detect=_span(faults, lambda story: (story.onset, story.opened), baseline_detect),
        diagnose=_span(faults, lambda story: (story.opened, story.diagnosed)),
        recover=_span(resolved, lambda story: (story.onset, story.recovered), baseline_recover),
        resolved=Share(len(resolved), len(faults)),
        unaided=Share(sum(_unaided(each) for each in resolved), len(faults)),
        false_actions=Share(back, back + len(resolved)),
        escalated=Share(sum(each.ended == "escalated" for each in faults), len(faults)),
        rejected=Share(sum(each.rejected for each in faults), sum(len(each.proposed) for each in faults)),
        rca=Share(sum(_right(each) for each in labelled), len(labelled)),
        brier=fmean((each.beliefs[0].posterior - _right(each)) ** 2 for each in labelled) if labelled else None,
        reliability=tuple(_bins(labelled)),
        asked=sum(each.asked > 0 for each in over),
        tokens=sum(each.tokens for each in over),
        money=sum(each.money for each in over),
    )


def _span(
    told: Sequence[Story],
    ends: Callable[[Story], tuple[datetime | None, datetime | None]],
    baseline: float | None = None,
) -> Span:
    pairs = [ends(each) for each in told]
    seconds = [max(0.0, (end - begin).total_seconds()) for begin, end in pairs if begin is not None and end is not None]
    if not seconds:
        return Span(0, None, None, baseline)
    return Span(len(seconds), fmean(seconds), median(seconds), baseline)


def _unaided(story: Story) -> bool:
    """Whether the fix that helped was merged by itself. A person who approved, though nobody had to, has helped."""
    return story.level is Level.L4 and not story.approved


def _right(story: Story) -> bool:
    return story.label is not None and bool(story.beliefs) and story.beliefs[0].fits(story.label)


def _bins(labelled: Sequence[Story]) -> Iterable[Bin]:
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = [
            each
            for each in labelled
            if low <= each.beliefs[0].posterior < high or (high == 1.0 and each.beliefs[0].posterior == 1.0)
        ]
        if inside:
            stated = fmean(each.beliefs[0].posterior for each in inside)
            yield Bin(low, high, stated, Share(sum(map(_right, inside)), len(inside)))
