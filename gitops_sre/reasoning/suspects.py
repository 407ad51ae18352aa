"""The hypotheses worth testing: every cause at the alerting service and at each service that it depends on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gitops_sre.model.change_feed import ChangeRecord, Rollout
from gitops_sre.model.diagnosis import Cause, Hypothesis
from gitops_sre.model.precedent import Precedent
from gitops_sre.reasoning.catalogue import BlameModel, Catalogue
from gitops_sre.reasoning.causes import CAUSES, FAULTS
from gitops_sre.reasoning.priors import priors

MAX_SERVICES = 60
"""Services that may be blamed; the nearest on the map come first."""


@dataclass(frozen=True)
class Suspect:
    """A hypothesis before its test. `share` is what a refutation nearby has left of its prior, 0..1."""

    cause: Cause
    service: str
    prior: float
    change: ChangeRecord | None = None
    rollout: Rollout | None = None
    share: float = 1.0

    @property
    def changed(self) -> bool:
        """Whether a change is in sight that brought the cause about."""
        return self.change is not None or self.rollout is not None

    @property
    def key(self) -> str:
        """The same key as the hypothesis that it becomes."""
        return Hypothesis(self.cause, self.service, 0.0, self.prior, change=self.change, rollout=self.rollout).key


@dataclass(frozen=True)
class Candidates:
    """Services that may be blamed: the one that alerts (`focus`, may be empty), what it calls, and any others."""

    focus: str
    below: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every candidate, the focus first."""
        return (*((self.focus,) if self.focus or not self.others else ()), *self.below, *self.others)

    def shares(self, blame: BlameModel) -> dict[str, float]:
        """Which part of the blame each has before any evidence; they sum to 1."""
        parts = dict.fromkeys(self.others, blame.elsewhere if self.focus else 1.0)
        parts |= dict.fromkeys(self.below, 1.0)
        if self.focus or not self.others:
            parts[self.focus] = blame.focus
        total = sum(parts.values())
        return {service: part / total for service, part in parts.items()}


def enumerate_suspects(
    candidates: Candidates,
    changes: Sequence[ChangeRecord],
    rollouts: Sequence[Rollout],
    refuted: Collection[str],
    catalogue: Catalogue,
    precedents: Iterable[Precedent] = (),
) -> tuple[Suspect, ...]:
    """Every hypothesis, their priors summing to 1. `precedents` are what earlier incidents turned out to be."""
    first = candidates.all[0]
    found = [Suspect(cause, first, catalogue.causes[cause].prior) for cause in CAUSES if cause not in FAULTS]
    for (service, cause), prior in priors(candidates.shares(catalogue.blame), FAULTS, catalogue, precedents).items():
        found += _of_cause(cause, service, prior, changes, rollouts, catalogue)
    return tuple(_after(suspect, refuted, catalogue) for suspect in found)


def _of_cause(
    cause: Cause,
    service: str,
    prior: float,
    changes: Sequence[ChangeRecord],
    rollouts: Sequence[Rollout],
    catalogue: Catalogue,
) -> Iterator[Suspect]:
    """A cause at a service: by each change that may have brought it about, and by one that the feed does not show."""
    culprits = [change for change in changes if change.service == service and cause in catalogue.causes_of(change.kind)]
    known = {change.rollout.key for change in changes if change.rollout}
    moved = [
        each
        for each in rollouts
        if each.service == service and cause in catalogue.causes_of("image") and each.key not in known
    ]
    count = len(culprits) + len(moved)
    watched = bool(rollouts) and cause in catalogue.causes_of("image")  # whoever sees rollouts sees all of them
    visible = catalogue.change.visible if count or watched else 0.0
    yield Suspect(cause, service, prior * (1 - visible))
    yield from (Suspect(cause, service, prior * visible / count, change, change.rollout) for change in culprits)
    yield from (Suspect(cause, service, prior * visible / count, None, each) for each in moved)


def _after(suspect: Suspect, refuted: Collection[str], catalogue: Catalogue) -> Suspect:
    """What refutations leave of a suspect: nothing of a refuted one, little of others of its kind and place, for the
    state before them has been tried."""
    if suspect.key in refuted:
        return replace(suspect, share=0.0)
    if any(key.startswith(f"{suspect.cause}/{suspect.service}/") for key in refuted):
        return replace(suspect, share=catalogue.change.after_refutation)
    return suspect
