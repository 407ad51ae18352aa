"""Why a verdict is what it is: every entry of every document, in order, with what it says or why it says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from gitops_sre.model.verdict import Level
from gitops_sre.policy.documents import Policies
from gitops_sre.policy.gate import ruled
from gitops_sre.policy.limits import exceeded
from gitops_sre.policy.match import View, applies, frozen, opens
from gitops_sre.policy.schema import LadderEntry, level
from gitops_sre.policy.situation import Situation


@dataclass(frozen=True)
class Word:
    """One entry's word. `ceiling` None: it does not apply, and `why` says why not."""

    kind: str
    name: str
    place: str
    ceiling: Level | None
    why: str


def words(it: Situation, policies: Policies) -> tuple[Word, ...]:
    """Every entry: ladders, owners, rules, freeze windows; each kind in the order of files and entries."""
    view = View(it, policies)
    return (*_ladder(view), *_owners(view), *_rules(view), *_windows(view))


def _ladder(view: View) -> Iterator[Word]:
    it = view.situation
    for placed in view.policies.ladder:
        entry = placed.entry
        where = [(e, t) for e, t in product(it.environments, it.tiers) if opens(entry, it, e, t)]
        name = f"{entry.action} -> {entry.level}"
        if where:
            said = ", ".join(f"{environment} (tier {tier})" for environment, tier in where)
            yield Word("AutonomyLadder", name, placed.place, level(entry.level), f"opens it in {said}")
        else:
            yield Word("AutonomyLadder", name, placed.place, None, _closed(entry, it))


def _closed(entry: LadderEntry, it: Situation) -> str:
    """The first thing in which an entry of the ladder differs."""
    for name, glob, said in (
        ("action", entry.action, (it.action,)),
        ("service", entry.service, (it.service,)),
        ("environment", entry.environment, it.environments),
        ("tier", entry.tier, it.tiers),
    ):
        if glob != "*":
            yet = ", ".join(said)
            if not any(opens(entry.model_copy(update=_rest(name)), it, *_at(name, each, it)) for each in said):
                return f"{name}: {yet} is not {glob}"
    return "no touched environment and tier matches both"


def _rest(name: str) -> dict[str, str]:
    return {each: "*" for each in ("action", "service", "environment", "tier") if each != name}


def _at(name: str, value: str, it: Situation) -> tuple[str, str]:
    environment = value if name == "environment" else it.environments[0]
    return environment, value if name == "tier" else it.tiers[0]


def _owners(view: View) -> Iterator[Word]:
    owning = {id(team) for team in view.teams}
    for team in view.policies.teams:
        mine = id(team) in owning
        sources = f"owns it; alerts from {' or '.join(team.entry.sources)} count"
        why = sources if mine else "owns nothing that is touched"
        yield Word("Ownership", team.entry.name, team.place, Level.L4 if mine else None, why)


def _rules(view: View) -> Iterator[Word]:
    for placed in view.policies.rules:
        rule, found = placed.entry, applies(placed.entry, view)
        if found.apart:
            yield Word("RemediationPolicy", rule.name, placed.place, None, found.apart)
            continue
        said = f"its condition cannot be evaluated: {found.failure}" if found.failure else "applies"
        said = "; ".join((said, *exceeded(view.situation, rule)))
        lowest = min(reason.ceiling for reason in ruled(view.situation, placed, found.failure))
        yield Word("RemediationPolicy", rule.name, placed.place, lowest, said)


def _windows(view: View) -> Iterator[Word]:
    for placed in view.policies.windows:
        window = placed.entry
        apart = frozen(window, view.situation.environments, view.situation.at)
        ceiling = None if apart else level(window.ceiling)
        yield Word("FreezeWindow", window.name, placed.place, ceiling, apart or window.reason)
