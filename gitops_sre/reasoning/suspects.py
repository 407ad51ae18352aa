"""The hypotheses worth testing: every cause at the alerting service and at each service that it depends on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.diagnosis import Cause, Hypothesis
from gitops_sre.reasoning.catalogue import FAULTS, Catalogue

MAX_SERVICES = 20
"""Services that may be blamed; the nearest on the map come first."""


@dataclass(frozen=True)
class Suspect:
    """A hypothesis before its test. `share` is what a refutation nearby has left of its prior, 0..1."""

    cause: Cause
    service: str
    prior: float
    change: ChangeRecord | None = None
    share: float = 1.0

    @property
    def key(self) -> str:
        """The same key as the hypothesis that it becomes."""
        return Hypothesis(self.cause, self.service, 0.0, self.prior, change=self.change).key


def enumerate_suspects(
    services: Sequence[str], changes: Sequence[ChangeRecord], refuted: Collection[str], catalogue: Catalogue
) -> tuple[Suspect, ...]:
    """Every hypothesis, their priors summing to 1. `services` are the candidates, the alerting one first."""
    quiet = Suspect("no_fault", services[0], catalogue.causes["no_fault"].prior)
    found = [quiet]
    for number, service in enumerate(services[:MAX_SERVICES]):
        share = _blame(number, min(len(services), MAX_SERVICES), catalogue.service_share)
        for cause in FAULTS:
            found += _of_cause(cause, service, share, changes, catalogue)
    return tuple(_after(suspect, refuted, catalogue) for suspect in found)


def _blame(number: int, count: int, first: float) -> float:
    """Which part of the blame a candidate service has before any evidence."""
    if count == 1:
        return 1.0
    return first if number == 0 else (1 - first) / (count - 1)


def _of_cause(
    cause: Cause, service: str, share: float, changes: Sequence[ChangeRecord], catalogue: Catalogue
) -> Iterator[Suspect]:
    """A cause at a service: by each change that may have brought it about, and by one that the feed does not show."""
    prior = catalogue.causes[cause].prior * share
    culprits = [change for change in changes if change.service == service and cause in catalogue.causes_of(change.kind)]
    visible = catalogue.change.visible if culprits else 0.0
    yield Suspect(cause, service, prior * (1 - visible))
    yield from (Suspect(cause, service, prior * visible / len(culprits), change) for change in culprits)


def _after(suspect: Suspect, refuted: Collection[str], catalogue: Catalogue) -> Suspect:
    """What refutations leave of a suspect: nothing of a refuted one, little of others of its kind and place, for the
    state before them has been tried."""
    if suspect.key in refuted:
        return _with_share(suspect, 0.0)
    if any(key.startswith(f"{suspect.cause}/{suspect.service}/") for key in refuted):
        return _with_share(suspect, catalogue.change.after_refutation)
    return suspect


def _with_share(suspect: Suspect, share: float) -> Suspect:
    return Suspect(suspect.cause, suspect.service, suspect.prior, suspect.change, share)
