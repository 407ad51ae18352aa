"""The hypotheses worth testing: every cause at the alerting service and at each service that it depends on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from gitops_sre.model.change_feed import ChangeRecord, Rollout
from gitops_sre.model.diagnosis import Cause, Hypothesis
from gitops_sre.reasoning.catalogue import Catalogue
from gitops_sre.reasoning.causes import CAUSES, FAULTS

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
    def key(self) -> str:
        """The same key as the hypothesis that it becomes."""
        return Hypothesis(self.cause, self.service, 0.0, self.prior, change=self.change, rollout=self.rollout).key


def enumerate_suspects(
    services: Sequence[str],
    changes: Sequence[ChangeRecord],
    rollouts: Sequence[Rollout],
    refuted: Collection[str],
    catalogue: Catalogue,
    *,
    focused: bool = True,
) -> tuple[Suspect, ...]:
    """Every hypothesis, their priors summing to 1. `services` are the candidates, the alerting one first where the
    alert is `focused` on one."""
    candidates = services[:MAX_SERVICES]
    found = [Suspect(cause, candidates[0], catalogue.causes[cause].prior) for cause in CAUSES if cause not in FAULTS]
    for number, service in enumerate(candidates):
        share = _blame(number, len(candidates), catalogue.service_share if focused else 1 / len(candidates))
        for cause in FAULTS:
            found += _of_cause(cause, service, share, changes, rollouts, catalogue)
    return tuple(_after(suspect, refuted, catalogue) for suspect in found)


def _blame(number: int, count: int, first: float) -> float:
    """Which part of the blame a candidate service has before any evidence."""
    if count == 1:
        return 1.0
    return first if number == 0 else (1 - first) / (count - 1)


def _of_cause(
    cause: Cause,
    service: str,
    share: float,
    changes: Sequence[ChangeRecord],
    rollouts: Sequence[Rollout],
    catalogue: Catalogue,
) -> Iterator[Suspect]:
    """A cause at a service: by each change that may have brought it about, and by one that the feed does not show."""
    prior = catalogue.causes[cause].prior * share
    culprits = [change for change in changes if change.service == service and cause in catalogue.causes_of(change.kind)]
    known = {change.rollout.key for change in culprits if change.rollout}
    moved = [
        each
        for each in rollouts
        if each.service == service and cause in catalogue.causes_of("image") and each.key not in known
    ]
    count = len(culprits) + len(moved)
    visible = catalogue.change.visible if count else 0.0
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
