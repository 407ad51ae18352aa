"""One pass over everything: alerts in, actions found on the forge, each unfinished incident looked at."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import groupby

from gitops_sre.delivery.answer import answer
from gitops_sre.engine import audit, shadow, steer
from gitops_sre.engine import messages as m
from gitops_sre.engine.adopt import adopt
from gitops_sre.engine.advance import Hands, advance, hear, rehearse
from gitops_sre.engine.advise import advise
from gitops_sre.engine.autonomy import Promoter
from gitops_sre.engine.board import Board
from gitops_sre.engine.intake import Intake
from gitops_sre.engine.notify import Caller
from gitops_sre.engine.observe import observe
from gitops_sre.engine.perform import perform
from gitops_sre.engine.world import World
from gitops_sre.model.command import Command
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.signal import Alert
from gitops_sre.model.usage import Usage
from gitops_sre.ports import ConflictError, OpenedAction, Transition

_log = logging.getLogger(__name__)

Told = Callable[[Incident, Transition], None]
"""Somebody who wants to know of every transition (a display, a log)."""


def nobody(_: Incident, __: Transition) -> None:
    """Nobody listens."""


TRIES = 5
"""How often alerts are taken in again when somebody else changes the same incidents meanwhile."""


class BusySet:
    """Incidents that a thread of this process is looking at: a lease tells processes apart, not threads."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def take(self, name: str) -> bool:
        """False while another thread has it."""
        with self._lock:
            if name in self._names:
                return False
            self._names.add(name)
            return True

    def give(self, name: str) -> None:
        """Done with it."""
        with self._lock:
            self._names.discard(name)


@dataclass(frozen=True)
class Bot:
    """The engine over one world. `owner` names this process in leases, and is the same after a restart."""

    world: World
    intake: Intake
    owner: str
    told: Told = nobody
    _busy: BusySet = field(default_factory=BusySet)
    _waits: dict[str, str] = field(default_factory=dict)
    """What incidents wait for, as last seen by this process: for people who ask."""
    _owed: dict[str, Usage] = field(default_factory=dict)
    """What looks at incidents have cost on the forge that is not saved with them yet: nothing had changed."""
    _board: Board = field(default_factory=Board)
    _promoter: Promoter = field(default_factory=Promoter)
    _caller: Caller = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_caller", Caller(self.owner, self.told))

    def sweep(self) -> tuple[Incident, ...]:
        """Find actions on the forge, poll the alert sources, open and update incidents; the unfinished ones."""
        self._adopt()
        self.steer()
        self._compare()
        if self.world.settings.github.advise:
            advise(self.world)
        polled = {source.source: source.firing() for source in self.world.alerts}
        answered = {name: alerts for name, alerts in polled.items() if not isinstance(alerts, Unavailable)}
        self.receive([alert for alerts in answered.values() for alert in alerts], answered.keys())
        return self.world.store.unfinished()

    def receive(self, alerts: Iterable[Alert], complete: Collection[str] = ()) -> tuple[Incident, ...]:
        """Take alerts in (see Intake.take); when this returns they are stored. The new and changed incidents.

        Raises ConflictError when others keep changing the same incidents: nothing that was taken is lost by trying
        again.
        """
        given = tuple(alerts)
        for _ in range(TRIES - 1):
            with suppress(ConflictError):
                return self._receive(given, complete)
        return self._receive(given, complete)

    def _receive(self, alerts: Sequence[Alert], complete: Collection[str]) -> tuple[Incident, ...]:
        at = self.world.clock.now()
        changed = self.intake.take(alerts, self._known(), at, complete)
        return tuple(
            self._save(incident, Transition("Alerts", incident.state, incident.state, _firing(incident), at))
            for incident in changed
        )

    def look(self, incident_id: str) -> float | None:
        """Advance one incident as far as the world allows; seconds until the next look, None when it is finished.

        While the forge wants to be left alone there is nothing to look for: the next look is when it may be asked.
        """
        poll, forge = self.world.settings.timing.poll, self.world.forge
        with self._alone(incident_id) as mine, suppress(ConflictError):
            if mine:
                incident = self.world.store.load(incident_id)
                if incident is None or incident.finished:
                    return None
                if self._advance(incident).finished:
                    return None
        return max(poll, forge.wait())

    def _advance(self, incident: Incident) -> Incident:
        """Advance it, and keep with it what that costs on the forge."""
        forge, hands = self.world.forge, self._hands()
        mark = forge.spent() - self._owed.pop(incident.id, Usage())

        def save(changed: Incident, transition: Transition) -> Incident:
            nonlocal mark
            cost, mark = forge.spent() - mark, forge.spent()
            return hands.save(replace(changed, spent=changed.spent + cost), transition)

        try:
            after = advance(incident, replace(hands, save=save))
        finally:
            self._owed[incident.id] = forge.spent() - mark
        if after.finished:
            _log.info("%s has ended: %s on GitHub", after.id, after.spent + self._owed.pop(after.id))
        return after

    @contextmanager
    def _alone(self, incident_id: str) -> Iterator[bool]:
        """Whether nobody else, in this process or another, works on an incident; nobody will until the block ends."""
        if not self._busy.take(incident_id):
            yield False
            return
        store, now = self.world.store, self.world.clock.now()
        try:
            if not store.lease(incident_id, self.owner, now + timedelta(seconds=self.world.settings.engine.lease), now):
                yield False
                return
            try:
                yield True
            finally:
                store.release(incident_id, self.owner)
        finally:
            self._busy.give(incident_id)

    def steer(self) -> None:
        """Carry out what people ask for in comments, and answer: each order once, also after a crash in between."""
        store = self.world.store
        homes = {number: incident.id for incident in self._known() for number in incident.numbers}
        orders = self.world.forge.commands(homes.keys()) if homes else ()
        if isinstance(orders, Unavailable):
            return
        for incident_id in dict.fromkeys(homes[order.number] for order in orders):
            with self._alone(incident_id) as mine, suppress(ConflictError):
                incident = store.load(incident_id)
                if mine and incident is not None:
                    self._obey(incident, [order for order in orders if homes[order.number] == incident_id])

    def _compare(self) -> None:
        """Hold what was only reported against what people have done since."""
        world, at = self.world, self.world.clock.now()
        waiting = shadow.pending(world.store.recent())
        head = world.repository.head() if waiting else ""
        if isinstance(head, Unavailable):
            return
        for each in waiting:
            with self._alone(each.id) as mine, suppress(ConflictError, OSError):
                event = shadow.compare(each, head, at, world) if mine else None
                if event is not None:
                    hear(each, event, self._hands())

    def _known(self) -> tuple[Incident, ...]:
        """The newest incidents, and those that are not finished."""
        store = self.world.store
        return tuple({incident.id: incident for incident in (*store.recent(), *store.unfinished())}.values())

    def _obey(self, incident: Incident, orders: Sequence[Command]) -> None:
        hands = self._hands()
        lost = steer.forgotten(incident, orders, self.world.clock.now())
        if lost is not None:
            incident, _ = hear(incident, lost, hands)
        for order in orders:
            if order.answered:
                continue
            event = steer.heard(incident, order, self.world.clock.now())
            if event is not None:
                incident, _ = hear(incident, event, hands)
            taken = order.id in incident.obeyed
            said = answer(order, incident, taken=taken, waits=self._waits.get(incident.id, incident.reason))
            self.world.forge.answer(order, said)

    def once(self) -> tuple[Incident, ...]:
        """One whole pass, for a scheduled job: sweep, then look at everything that is unfinished."""
        incidents = self.sweep()
        for incident in incidents:
            self.look(incident.id)
        self.show(last=True)
        return tuple(self.world.store.load(incident.id) or incident for incident in incidents)

    def show(self, *, last: bool = False) -> None:
        """Call people, bring the dashboard up to date, and propose what has been earned. `last`: this process ends
        soon."""
        self._caller.keep(self.world)
        self._promoter.keep(self.world)
        self._board.keep(self.world, self._waits, last=last)

    def rehearse(self, alerts: Iterable[Alert]) -> tuple[Incident, ...]:
        """From alerts to verdicts, writing nothing anywhere."""
        opened = self.intake.take(alerts, (), self.world.clock.now())
        return tuple(rehearse(incident, partial(observe, world=self.world)) for incident in opened)

    def _adopt(self) -> None:
        actions = self.world.forge.actions()
        if isinstance(actions, Unavailable):
            return
        for incident_id, group in _by_incident(actions):
            known = self.world.store.load(incident_id)
            found = adopt(known, group)
            if found is not None and found != known:
                source = known.state if known else "unknown"
                transition = Transition("Found", source, found.state, audit.found(found), self.world.clock.now())
                with suppress(ConflictError):  # somebody else has just brought it up to date
                    self._save(found, transition)

    def _hands(self) -> Hands:
        return Hands(self._observe, self._perform, self._save)

    def _observe(self, incident: Incident) -> m.Event:
        event = observe(incident, self.world)
        waited = self._waits.pop(incident.id, "")
        if isinstance(event, m.Nothing):
            self._waits[incident.id] = event.why
        elif isinstance(event, m.TimedOut) and waited and waited not in event.why:
            event = replace(event, why=f"{event.why}; last seen: {waited}")
        return event

    def _perform(self, incident: Incident, intent: m.Intent) -> m.Event:
        event = perform(incident, intent, self.world)
        if isinstance(event, m.Nothing):
            self._waits[incident.id] = event.why
        return event

    def _save(self, incident: Incident, transition: Transition) -> Incident:
        saved = self.world.store.save(incident, [transition])
        self.told(saved, transition)
        return saved


def _by_incident(actions: Sequence[OpenedAction]) -> Iterable[tuple[str, list[OpenedAction]]]:
    def key(action: OpenedAction) -> str:
        return action.record.incident

    for incident, group in groupby(sorted(actions, key=key), key=key):
        yield incident, list(group)


def _firing(incident: Incident) -> str:
    firing = sum(alert.status == "firing" for alert in incident.alerts)
    return f"{firing} of {len(incident.alerts)} alerts firing: {', '.join(sorted({a.name for a in incident.alerts}))}"
