"""The ladder with the figures behind it: where each action stands in each tier, and what a promotion lacks.

Pure: from cases, ceilings and policies to standings. Nothing here opens a level; a person does, in the policies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from gitops_sre.model.autonomy import Case, Ceiling, Standing
from gitops_sre.model.verdict import Level
from gitops_sre.policy.documents import Placed
from gitops_sre.policy.experience import Key, figures
from gitops_sre.policy.posterior import lower_bound, mean
from gitops_sre.policy.schema import LadderEntry
from gitops_sre.settings import AutonomySettings

Ladder = Sequence[Placed[LadderEntry]]


def opened(ladder: Ladder, action: str, tier: str) -> Level:
    """The lowest level that a general entry (for every service) opens for an action in any environment of a tier."""
    return min((Level[each.level] for each in general(ladder, action, tier)), default=Level.L1)


def general(ladder: Ladder, action: str, tier: str) -> tuple[LadderEntry, ...]:
    """The entries that speak of an action in a tier, without those for some services only: they are exceptions."""
    entries = (placed.entry for placed in ladder)
    return tuple(
        each
        for each in entries
        if each.service == "*" and fnmatchcase(action, each.action) and fnmatchcase(tier, each.tier)
    )


def standings(
    told: Iterable[Case],
    lowered: Collection[Ceiling],
    ladder: Ladder,
    known: Iterable[Key],
    threshold: AutonomySettings,
) -> tuple[Standing, ...]:
    """Every action and tier that has a record, a ceiling or a level above L1; `known` are all that there are."""
    cases = tuple(told)
    held = {(each.action, each.tier): each for each in lowered}
    keys = {(each.action, each.tier) for each in cases} | held.keys()
    keys |= {key for key in known if opened(ladder, *key) > Level.L1}
    return tuple(
        _standing(key, [each for each in cases if (each.action, each.tier) == key], held.get(key), ladder, threshold)
        for key in sorted(keys)
    )


def _standing(
    key: Key, told: Sequence[Case], ceiling: Ceiling | None, ladder: Ladder, threshold: AutonomySettings
) -> Standing:
    level, counted = opened(ladder, *key), figures(told)
    due = sum(bool(case.result) and case.level >= level for case in told)
    bound = lower_bound(counted.verified, counted.cases)
    missing = "; ".join(_missing(level, ceiling, due, bound, threshold))
    return Standing(*key, level, ceiling, counted, mean(counted.verified, counted.cases), bound, due, missing)


def _missing(
    level: Level, ceiling: Ceiling | None, due: int, bound: float, threshold: AutonomySettings
) -> Iterable[str]:
    if level is Level.L4:
        yield "nothing is above L4"
        return
    if level < Level.L2:
        # Nothing is merged at L1, so nothing can be verified there: the shadow's figures are for a person's judgement.
        yield "a person opens L2 first"
        return
    if ceiling is not None:
        yield f"held at {ceiling.level.name} until a person lifts that"
    if due < threshold.cases:
        more = threshold.cases - due
        yield f"{more} more {'case' if more == 1 else 'cases'} at {level.name} or higher"
    if bound < threshold.lower_bound:
        yield f"lower bound {bound:.3f} of {threshold.lower_bound:g}"
