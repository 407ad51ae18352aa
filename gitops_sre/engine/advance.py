"""observe -> step -> perform -> observe, for one incident, until nothing moves any more. Idempotent.

Every change is saved (with its ledger entry) before the effects that the new state wants are performed; the effects
are find-or-adopt, so a pass that is killed anywhere is simply made again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gitops_sre.engine import messages as m
from gitops_sre.engine.audit import detail
from gitops_sre.engine.step import step
from gitops_sre.model.incident import Incident, State
from gitops_sre.ports import Transition

MAX_HOPS = 60
"""More hops in one pass than the longest path through the lifecycle: a bound, not a limit that is met."""


@dataclass(frozen=True)
class Hands:
    """What advance needs of the world: look at it, change it, remember."""

    observe: Callable[[Incident], m.Event]
    perform: Callable[[Incident, m.Intent], m.Event]
    save: Callable[[Incident, Transition], Incident]


def advance(incident: Incident, hands: Hands) -> Incident:
    """Move an incident as far as the world allows now. Raises what `save` raises (ConflictError among it)."""
    for _ in range(MAX_HOPS):
        before = incident
        incident, intents = hear(incident, hands.observe(incident), hands)
        for intent in intents:
            incident, _ = hear(incident, hands.perform(incident, intent), hands)
        if incident == before or incident.finished:
            return incident
    return incident


def hear(incident: Incident, event: m.Event, hands: Hands) -> tuple[Incident, tuple[m.Intent, ...]]:
    """Step on one event and save what changed."""
    after, intents = step(incident, event)
    if after != incident:
        transition = Transition(type(event).__name__, incident.state.value, after.state.value, detail(event), event.at)
        after = hands.save(after, transition)
    return after, intents


REHEARSED = frozenset({State.RECEIVED, State.INVESTIGATING, State.DIAGNOSED, State.PLANNED})
"""States whose looks only read: from alert to verdict."""


def rehearse(incident: Incident, look: Callable[[Incident], m.Event]) -> Incident:
    """Go from alert to verdict without saving or performing anything."""
    while incident.state in REHEARSED:
        event = look(incident)
        after, _ = step(incident, event)
        if after == incident:
            return replace(incident, reason=event.why)
        incident = after
    return incident
