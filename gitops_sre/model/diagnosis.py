"""What is believed to be wrong, how sure that is, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitops_sre.model.change_feed import ChangeRecord, Rollout
from gitops_sre.model.evidence import Evidence, Gap

Cause = Literal[
    "new_deploy",
    "config_change",
    "flag_flip",
    "code_defect",
    "dependency_failure",
    "resource_exhaustion",
    "traffic_spike",
    "network",
    "infrastructure",
    "certificate_expiry",
    "unexplained",
    "no_fault",
]
"""`code_defect` is one without a change that would have brought it; `dependency_failure` is of something outside the
map; `unexplained` is none of the others: something is wrong that fits no pattern of the catalogue."""

NOBODY: frozenset[Cause] = frozenset({"no_fault", "unexplained"})
"""Causes that blame no service."""


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
    rollout: Rollout | None = None

    @property
    def key(self) -> str:
        """`cause/service[/commit or rollout]`."""
        parts = [self.cause, self.service]
        if self.change is not None:
            parts.append(self.change.commit.sha[:12])
        elif self.rollout is not None:
            parts.append(self.rollout.after)
        return "/".join(parts)


EVEN = 0.5
"""That nobody is to blame is said from this probability on."""
PLAIN = 0.5
"""A service's most probable cause is named when it has this part of the service's posterior; else it is unknown."""


@dataclass(frozen=True)
class Blame:
    """A service with the sum of the posteriors of all hypotheses that blame it, and the most probable of them.

    `cause` is `unknown` where nothing tells the causes at this service apart. `change` is the key of the most probable
    change of that cause: a commit's SHA or a rollout's version; empty where none is blamed.
    """

    service: str
    cause: Cause | Literal["unknown"]
    posterior: float
    change: str
    top: Hypothesis


def _blame(hypotheses: list[Hypothesis]) -> Blame:
    by_cause: dict[Cause, float] = {}
    for each in hypotheses:
        by_cause[each.cause] = by_cause.get(each.cause, 0.0) + each.posterior
    total = sum(by_cause.values())
    cause = max(by_cause, key=lambda name: by_cause[name])
    top = max((each for each in hypotheses if each.cause == cause), key=lambda each: each.posterior)
    change = top.change.commit.sha if top.change else top.rollout.after if top.rollout else ""
    plain = by_cause[cause] >= PLAIN * total
    service = "" if cause in ("no_fault", "unexplained") else top.service
    return Blame(service, cause if plain else "unknown", total, change, top)


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

    @property
    def services(self) -> tuple[Blame, ...]:
        """One entry for each blamed service, most probable first; `no_fault` and `unexplained` have entries without a
        service."""
        found: dict[str, list[Hypothesis]] = {}
        for each in self.hypotheses:
            place = each.service if each.cause not in ("no_fault", "unexplained") else f"({each.cause})"
            found.setdefault(place, []).append(each)
        blames = [_blame(hypotheses) for hypotheses in found.values()]
        return tuple(sorted(blames, key=lambda blame: (-blame.posterior, blame.service)))

    @property
    def ranking(self) -> tuple[Blame, ...]:
        """Who is to blame, most probable first; nobody, in the first place, only where that is more probable than
        not."""
        services = self.services
        nobody = [blame for blame in services if not blame.service]
        doubt = sum(blame.posterior for blame in nobody)
        return (*(nobody[:1] if doubt >= EVEN else ()), *(blame for blame in services if blame.service))

    def probability(self, cause: Cause) -> float:
        """The posterior of a cause, wherever it is."""
        return sum(each.posterior for each in self.hypotheses if each.cause == cause)

    @property
    def notable(self) -> tuple[Evidence, ...]:
        """What the most probable hypothesis rests on, then whatever else is out of the ordinary, the most unusual
        first."""
        cited = [item for item in map(self.find, (*self.top.supports, *self.top.opposes)) if item is not None]
        ids = {item.id for item in cited}
        odd = [item for item in self.evidence if item.id not in ids and item.symptom in ("high", "low", "present")]
        return (*cited, *sorted(odd, key=lambda item: -(item.score or 0.0)))

    def find(self, evidence_id: str) -> Evidence | None:
        """The evidence with this id."""
        return next((item for item in self.evidence if item.id == evidence_id), None)
