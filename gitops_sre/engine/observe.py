"""Which look belongs to which state."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitops_sre.engine import again, consult, investigate, merging, watch
from gitops_sre.engine import messages as m
from gitops_sre.engine.world import World
from gitops_sre.model.incident import Incident, State


def observe(incident: Incident, world: World) -> m.Event:
    """Look at what the present state waits for. When nothing came and its time is up, say so."""
    try:
        look = _LOOKS.get(incident.state)
        event = look(incident, world) if look else m.Nothing(world.clock.now())
    except OSError as error:  # the repository's local copy could not be read or brought up to date
        event = m.Nothing(world.clock.now(), f"Git: {error}")
    if isinstance(event, m.Nothing | m.RemindDue | m.Wavered):
        late = watch.overdue(incident, event.at, world)
        if late:
            return m.TimedOut(event.at, f"{late}: {event.why}")
    return event


def _again(incident: Incident, world: World) -> m.Event:
    at = world.clock.now()
    if incident.taken_back_by:
        return m.HandsOff(at, f"taken back at the word of {incident.taken_back_by}: it is theirs now")
    allowed = world.settings.decision.investigations
    if incident.attempt >= allowed:
        return m.Exhausted(at, f"the fix did not help and was taken back; {allowed} investigations are used up")
    return m.Reinvestigate(at, "the fix did not help and was taken back: its hypothesis is refuted")


_LOOKS: Mapping[State, Callable[[Incident, World], m.Event]] = {
    State.RECEIVED: investigate.begin,
    State.INVESTIGATING: investigate.investigate,
    State.DIAGNOSED: consult.look,
    State.PLANNED: again.judge,
    State.AWAITING_APPROVAL: watch.fix,
    State.MERGING: merging.look,
    State.SYNCING: watch.sync,
    State.VERIFYING: watch.slo,
    State.REVERTING: watch.revert,
    State.REVERT_SYNCING: watch.sync,
    State.REVERTED: _again,
}
