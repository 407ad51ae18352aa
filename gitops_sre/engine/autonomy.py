"""What the bot has earned and lost, from the store's ledger."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_sre.action import ACTIONS
from gitops_sre.delivery.promotion import promotion
from gitops_sre.engine.world import World
from gitops_sre.gitops.diff import unified
from gitops_sre.gitops.target import environment_of
from gitops_sre.model.autonomy import Ceiling, Standing
from gitops_sre.model.change import Proof
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Plan
from gitops_sre.model.verdict import Level, Reason
from gitops_sre.policy import autonomy, experience
from gitops_sre.policy.documents import Policies, PolicyError, read
from gitops_sre.policy.promotion import patch
from gitops_sre.ports import LedgerEntry, Store, Transition
from gitops_sre.settings import Settings

PAUSE = timedelta(hours=1)
"""Between two looks at who has earned a promotion: people need days to decide."""


def ceilings(store: Store) -> tuple[Ceiling, ...]:
    """What false actions have lowered and no person has lifted. Raises StoreError."""
    entries = store.ledger(events=experience.EVENTS)
    return experience.ceilings(experience.cases(entries), entries)


def demoted(plan: Plan, proof: Proof | None, found: Collection[Ceiling]) -> tuple[Reason, ...]:
    """What a plan may do at most after earlier false actions of its kind, in a tier that it touches: its target's,
    where there is no proof, which is not kept on the forge."""
    tiers = (plan.target.tier, *(proof.radius.tiers if proof is not None else ()))
    return tuple(reason(each) for each in found if each.action == plan.action and each.tier in tiers)


def reason(ceiling: Ceiling) -> Reason:
    """A ceiling in words, with how a person lifts it."""
    times = "once" if ceiling.count == 1 else f"{ceiling.count} times"
    text = (
        f"{ceiling.action} in tier {ceiling.tier} had to be taken back {times}, last in {ceiling.incidents[-1]} on"
        f" {ceiling.since:%Y-%m-%d %H:%M} UTC; a person lifts this by"
        f" `gitops-sre autonomy reset {ceiling.action} --tier {ceiling.tier}`"
    )
    return Reason("demotion", ceiling.level, text)


def known(settings: Settings) -> tuple[experience.Key, ...]:
    """Every action in every tier."""
    tiers = dict.fromkeys((*(each.tier for each in settings.environments.values()), environment_of("", {})[1]))
    return tuple((action, tier) for action in ACTIONS for tier in tiers)


def standings(entries: Iterable[LedgerEntry], policies: Policies, settings: Settings) -> tuple[Standing, ...]:
    """Where each action stands in each tier, from the ledger and the policies."""
    told = tuple(entries)
    cases = experience.cases(told)
    lowered = experience.ceilings(cases, told)
    return autonomy.standings(cases, lowered, policies.ladder, known(settings), settings.autonomy)


@dataclass
class Promoter:
    """Proposes what has been earned, once for each action, tier and level. The ledger remembers what was proposed."""

    _at: datetime | None = None

    def keep(self, world: World) -> None:
        """Look whether anything is due, now and then. What cannot be read now is looked at the next time."""
        now = world.clock.now()
        if self._at is not None and now - self._at < PAUSE:
            return
        self._at = now
        # Without enough cases nothing can be due, and nobody has to be asked.
        told = experience.cases(world.store.ledger(events=experience.EVENTS))
        head = world.repository.head() if experience.figures(told).cases >= world.settings.autonomy.cases else ""
        if not head or isinstance(head, Unavailable):
            return
        try:
            policies = read(world.repository, head, world.settings.policy.path)
            for standing in due(world, policies):
                _propose(standing, policies, world)
        except (PolicyError, OSError):  # the dashboard says so
            return


def due(world: World, policies: Policies) -> tuple[Standing, ...]:
    """What has earned a promotion that has not been proposed yet."""
    entries = world.store.ledger(events=experience.EVENTS)
    asked = {entry.detail for entry in entries if entry.event == experience.PROPOSED}
    found = standings(entries, policies, world.settings)
    return tuple(each for each in found if not each.missing and _detail(each) not in asked)


def _detail(standing: Standing) -> str:
    up = Level(standing.opened + 1)
    why = f"the record of {standing.action} in tier {standing.tier} has reached what {up.name} asks for"
    facts = {"why": why, "action": standing.action, "tier": standing.tier, "to": up.name}
    return json.dumps(facts, sort_keys=True, ensure_ascii=False)


def _propose(standing: Standing, policies: Policies, world: World) -> None:
    path = world.settings.policy.path
    edits = patch(world.repository, policies, path, (standing.action, standing.tier), known(world.settings))
    report = promotion(standing, world.settings.autonomy, unified(edits), path)
    if not isinstance(world.forge.report(report), Unavailable):
        said = Transition(experience.PROPOSED, "", "", _detail(standing), world.clock.now())
        world.store.note(experience.SUBJECT, said)
