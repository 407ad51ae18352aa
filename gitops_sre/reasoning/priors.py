"""How probable each cause at each service is before any evidence: base rates, and what the team's incidents were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from gitops_sre.model.diagnosis import Cause
from gitops_sre.model.evidence import Evidence, Scope
from gitops_sre.model.precedent import Precedent
from gitops_sre.reasoning import capacity
from gitops_sre.reasoning.catalogue import Catalogue

WORTH = 50.0
"""How many of the team's own incidents the base rates are worth: the sum of the Dirichlet distribution's parameters."""
MOST = 2.0
"""The factor up to which history raises or lowers a prior: the odds of two hypotheses move by its square at most."""

Place = tuple[str, Cause]
"""A service and a cause."""


def priors(
    shares: Mapping[str, float], causes: Collection[Cause], catalogue: Catalogue, precedents: Iterable[Precedent] = ()
) -> dict[Place, float]:
    """The prior of each cause at each service, by its base rate and the service's share of the blame, and by history.

    Base rates are the mean of a Dirichlet distribution worth WORTH incidents; n verified ones of a place, of N at all
    places that are looked at, make WORTH p + n of WORTH + N out of its p (Gelman et al., Bayesian Data Analysis, 3rd
    ed., section 3.4). Only causes that the bot has an action for can be verified, so that all others would seem to
    become rare: theirs, and the sum of those that can, stay as they were. Precedents of places that are not looked at
    do not count.
    """
    base = {
        (service, cause): catalogue.causes[cause].prior * share for service, share in shares.items() for cause in causes
    }
    open_to = {place: prior for place, prior in base.items() if curable(place[1], catalogue)}
    seen = Counter(place for each in precedents if (place := (each.service, each.cause)) in open_to)
    if not seen:
        return base
    mass, count = sum(open_to.values()), seen.total()
    factors = {
        place: _bounded((WORTH * prior / mass + seen[place]) / (WORTH + count) * mass / prior)
        for place, prior in open_to.items()
    }
    raised = {place: prior * factors[place] for place, prior in open_to.items()}
    scale = mass / sum(raised.values())
    return base | {place: prior * scale for place, prior in raised.items()}


def _bounded(factor: float) -> float:
    return min(max(factor, 1 / MOST), MOST)


def curable(cause: Cause, catalogue: Catalogue) -> bool:
    """Whether there are actions against a cause, so that recovery can bear it out."""
    return bool(catalogue.causes[cause].changes) or cause in capacity.CAUSES


def told(precedents: Iterable[Precedent], services: Sequence[str], scope: Scope) -> list[Evidence]:
    """History as evidence, for people to see: it says nothing by itself, since the priors already hold it."""
    counts: dict[str, Counter[Cause]] = {service: Counter() for service in services}
    for each in precedents:
        if each.service in counts:
            counts[each.service][each.cause] += 1
    return [_told(service, count, scope) for service, count in counts.items() if count]


def _told(service: str, count: Counter[Cause], scope: Scope) -> Evidence:
    what = ", ".join(f"{cause.replace('_', ' ')} ({times})" for cause, times in sorted(count.items()))
    return Evidence(
        id=f"precedents/{service}",
        signal="precedents",
        subject=service,
        symptom="present",
        statement=f"earlier incidents of {service} that ended with a verified fix: {what}",
        at=scope.onset,
        value=float(count.total()),
        source="ledger",
    )
