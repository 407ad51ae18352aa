"""What an entry of a document applies to, and in one phrase why it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import translate
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

from gitops_sre.policy.cel import Condition, Facts, Prepared, compiled, prepared
from gitops_sre.policy.documents import Placed, Policies
from gitops_sre.policy.schema import LadderEntry, Match, Rule, Team, Window
from gitops_sre.policy.situation import Situation, Touched
from gitops_sre.policy.times import holds

_ANY = ("*",)


@lru_cache(maxsize=65_536)
def globs(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Whether a whole name matches one of some globs; upper and lower case distinguished."""
    return re.compile("|".join(map(translate, patterns)) if patterns else r"(?!)").match


def fits(patterns: tuple[str, ...], names: Sequence[str]) -> bool:
    """Whether one of the globs matches one of the names."""
    if patterns == _ANY:
        return bool(names)
    matches = globs(patterns)
    for name in names:  # noqa: SIM110 (this is asked for every selector of every rule: a generator takes twice as long)
        if matches(name):
            return True
    return False


@dataclass(frozen=True)
class View:
    """A situation as rules see it, under these policies: with its owners, and its facts computed once."""

    situation: Situation
    policies: Policies

    @cached_property
    def claims(self) -> tuple[tuple[Touched, tuple[Placed[Team], ...]], ...]:
        """Everything that is touched, with all the teams that claim it."""
        it = self.situation
        alone = {each.namespace for each in it.touched}
        things = (*it.touched, *(Touched(name, "") for name in it.namespaces if name not in alone))
        service = Touched(it.touched[0].namespace if it.touched else it.namespaces[0], it.service)
        every = dict.fromkeys((service, *things))
        return tuple(
            (thing, tuple(each for each in self.policies.teams if _owns(each.entry, thing))) for thing in every
        )

    @cached_property
    def teams(self) -> tuple[Placed[Team], ...]:
        """Every team that claims something that is touched."""
        return tuple({id(team): team for _, teams in self.claims for team in teams}.values())

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """Names of the teams, and the empty one: a rule must not cease to apply because somebody claims something."""
        return ("", *(each.entry.name for each in self.teams))

    @cached_property
    def names(self) -> Mapping[str, Sequence[str] | None]:
        """What each selector by globs is held against; None where that is not known."""
        it = self.situation
        return {
            "actions": (it.action,),
            "environments": it.environments,
            "tiers": it.tiers,
            "services": it.services,
            "namespaces": it.namespaces,
            "owners": self.owners,
            "causes": (it.cause,) if it.cause else None,
            "clusters": (it.cluster,) if it.cluster else None,
        }

    @cached_property
    def moment(self) -> str:
        """When it is judged, for people."""
        return f"{self.situation.at:%a %Y-%m-%d %H:%M} UTC"

    @cached_property
    def _facts(self) -> Facts:
        """With the first of everything that is touched."""
        it = self.situation
        return Facts(
            action=it.action,
            service=it.service,
            environment=it.environment,
            tier=it.tiers[0],
            kube_namespace=it.namespaces[0],
            confidence=it.confidence,
            fleet_share=it.fleet_share,
            objects=it.objects,
            replicas=it.replicas,
            files=it.files,
            lines=it.lines,
            hour_utc=it.at.hour,
            weekday=it.at.weekday(),
            reversible=it.reversible,
            labels=it.labels,
            owner="",
            now=it.at,
            evidence_kinds=len(it.evidence),
            cause=it.cause or None,
            cluster=it.cluster or None,
            service_share=it.service_share,
            cpu_step=it.steps.get("cpu"),
            memory_step=it.steps.get("memory"),
            replicas_step=it.steps.get("replicas"),
            alert_age=it.alert_age,
        )

    @cached_property
    def _prepared(self) -> dict[tuple[str, ...], tuple[Prepared, ...]]:
        return {}

    def facts(self, condition: Condition) -> tuple[Prepared, ...]:
        """One set of facts for each combination of environments, tiers, namespaces and owners that it speaks of."""
        names = condition.names
        if names not in self._prepared:
            self._prepared[names] = tuple(prepared(each, names) for each in self._combined(names))
        return self._prepared[names]

    def _combined(self, names: Sequence[str]) -> Iterator[Facts]:
        it = self.situation
        several: Mapping[str, Sequence[str]] = {
            "environment": it.environments,
            "tier": it.tiers,
            "kube_namespace": it.namespaces,
            "owner": self.owners,
        }
        spoken = {name: values for name, values in several.items() if name in names}
        for values in product(*spoken.values()):
            changed: dict[str, Any] = dict(zip(spoken, values, strict=True))
            yield self._facts._replace(**changed)


def _owns(team: Team, thing: Touched) -> bool:
    return bool(globs(team.namespaces)(thing.namespace) or (thing.name and globs(team.services)(thing.name)))


def opens(entry: LadderEntry, it: Situation, environment: str, tier: str) -> bool:
    """Whether a ladder's entry speaks of this action and service in one environment and tier."""
    return bool(
        globs((entry.action,))(it.action)
        and globs((entry.environment,))(environment)
        and globs((entry.tier,))(tier)
        and globs((entry.service,))(it.service)
    )


def selected(match: Match, view: View) -> str:
    """Why a rule's selectors leave a situation out; empty when they do not. What is not known is never left out."""
    it = view.situation
    for name, patterns in match.named:
        names = view.names[name]
        if names is not None and not fits(patterns, names):
            said = ", ".join(each for each in names if each) or "nothing"
            return f"{name}: {said} is not {' or '.join(patterns)}"
    if match.reversible is not None and match.reversible is not it.reversible:
        return f"reversible: {it.action} is {'' if it.reversible else 'not '}reversible"
    if match.timed and not holds(it.at, match.timezone, match.hours, match.weekdays):
        return f"time: {view.moment} is outside, by the clocks of {match.timezone}"
    return ""


@dataclass(frozen=True)
class Applied:
    """What became of a rule: why it does not apply (empty when it does), and why its condition failed, which counts
    as applying."""

    apart: str = ""
    failure: str = ""


_APPLIES, _FALSE = Applied(), Applied("its condition is false")


def applies(rule: Rule, view: View) -> Applied:
    """Whether a rule applies: its selectors match, and its condition is true of one of the combinations."""
    apart = selected(rule.match, view)
    if apart:
        return Applied(apart)
    if rule.when == "true":
        return _APPLIES
    condition = compiled(rule.when)
    answers = [condition.holds(facts) for facts in view.facts(condition)]
    failed = next((answer for answer in answers if not isinstance(answer, bool)), None)
    if failed is not None:
        return Applied(failure=failed.reason or "no reason given")
    return _APPLIES if True in answers else _FALSE


def frozen(window: Window, environments: Sequence[str], now: datetime) -> str:
    """Why a freeze window does not hold for any of these environments at an aware time; empty when it does."""
    if not window.open_at(now):
        return f"open from {window.from_:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC"
    if not fits(window.environments, environments):
        return f"environments: {', '.join(environments)} is not {' or '.join(window.environments)}"
    return ""
