"""Calling people beside the forge: whatever is due, to whom policy says, at least once, and nothing waits for it.

What was told, and what could not be, stands in the ledger: so it survives the process, `explain` shows it, and a
channel that fails is tried again later. The issue or pull request on the forge does not depend on any of this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from gitops_sre.delivery.notice import message
from gitops_sre.engine import autonomy, notices
from gitops_sre.engine.track import EVENTS as TRACK
from gitops_sre.engine.track import trials
from gitops_sre.engine.world import World
from gitops_sre.gitops import customs
from gitops_sre.model.incident import Incident
from gitops_sre.model.notice import Notice
from gitops_sre.model.outcome import Done, Refused, Unavailable
from gitops_sre.model.target import Target
from gitops_sre.policy.documents import PolicyError, read
from gitops_sre.policy.routes import told
from gitops_sre.policy.schema import Route
from gitops_sre.ports import Channels, LedgerEntry, Transition

NOTIFIED, NOT_NOTIFIED = "Notified", "NotNotified"
"""Events of the ledger: a channel was told, or could not be."""
LONGEST_WAIT = timedelta(hours=1)
"""Between two tries."""
PAUSE = timedelta(minutes=1)
"""Between two looks at the routes and at the kill switch."""
_MOST = 10
"""Messages to one channel in one go: the next sweep goes on."""


class _Call(NamedTuple):
    notice: Notice
    channel: str
    number: int
    """Which try of this call it is, from 1."""


class _Tried(NamedTuple):
    """What came of earlier tries of one call."""

    told: bool = False
    failures: int = 0
    last: datetime | None = None


@dataclass
class Caller:
    """Tells people what there is to tell. One in a process; those that share a database take turns."""

    owner: str
    said: Callable[[Incident, Transition], None] = lambda _, __: None
    """Hears of each call that is about an incident."""
    _routes: tuple[Route, ...] = ()
    _head: str = ""
    _at: datetime | None = None

    def keep(self, world: World) -> None:
        """Tell whatever is due now. Raises StoreError."""
        channels = world.channels
        if channels is None or not channels.names():
            return
        now = world.clock.now()
        self._refresh(world, now)
        if not self._routes or not world.store.lease("notify", self.owner, now + _longest(world), now):
            return
        try:
            due = list(self._due(world, now))
            if due and not _kept_back(world):
                _tell(due, channels, world, self.said)
        finally:
            world.store.release("notify", self.owner)

    def _refresh(self, world: World, now: datetime) -> None:
        """Read the routes on the protected branch again, and ask whether somebody has stopped the bot. While they
        cannot be had the ones from before count: that GitHub is down may be what is to be told."""
        if self._at is not None and now - self._at < PAUSE:
            return
        head = world.repository.head()
        if isinstance(head, Unavailable):
            return
        with suppress(PolicyError, OSError):  # the dashboard and every report say so
            policies = read(world.repository, head, world.settings.policy.path)
            self._routes, self._head, self._at = tuple(placed.entry for placed in policies.routes), head, now
        if any("halted" in route.match.events for route in self._routes):
            _note_halted(world, now)

    def _due(self, world: World, now: datetime) -> Iterator[_Call]:
        """Calls to make now."""
        lately = [each for each in _notices(world, self._head, now) if now - each.at <= notices.KEPT]
        for subject, group in groupby(lately, key=lambda each: each.subject):
            tried = _tried(world.store.ledger(subject, (NOTIFIED, NOT_NOTIFIED)))
            for notice in group:
                for channel, at in told(notice, self._routes, now).items():
                    before = tried.get((notice.key, channel), _Tried())
                    if at <= now and _again(before, world, now):
                        yield _Call(notice, channel, before.failures + 1)


def silent(world: World, now: datetime) -> tuple[str, ...]:
    """Which channels could not be told when they were last tried, and why; what is long ago is left out. Raises
    StoreError."""
    if world.channels is None:
        return ()
    last: dict[object, LedgerEntry] = {}
    for entry in world.store.ledger(events=(NOTIFIED, NOT_NOTIFIED)):
        if now - entry.at <= notices.KEPT:
            last[entry.facts.get("channel")] = entry
    return tuple(str(entry.facts.get("why", "")) for entry in last.values() if entry.event == NOT_NOTIFIED)


def _kept_back(world: World) -> bool:
    """Whether another pass has the right to act (engine.state: branch); what is to be told is on record before."""
    return world.journal is not None and world.journal.before_write(True) is not None


def _longest(world: World) -> timedelta:
    """How long one go may take at most."""
    return timedelta(seconds=world.settings.engine.lease + 2 * _MOST * world.settings.notifications.timeout)


def _note_halted(world: World, now: datetime) -> None:
    """Keep in the ledger that somebody has stopped the bot, or lets it go on."""
    who = world.forge.halted()
    if isinstance(who, Unavailable):
        return
    last = next(reversed(world.store.ledger(notices.BOT, (notices.HALTED, notices.RESUMED))), None)
    before = str(last.facts.get("why", "")) if last is not None and last.event == notices.HALTED else ""
    if who == before:
        return
    event, why = (notices.HALTED, who) if who else (notices.RESUMED, "nobody keeps the bot from writing any more")
    world.store.note(notices.BOT, Transition(event, "", "", json.dumps({"why": why}, ensure_ascii=False), now))


def _notices(world: World, head: str, now: datetime) -> Iterator[Notice]:
    """All that there is to tell of, told or not; what is about one subject together."""
    yield from notices.of_bot(world.store.ledger(notices.BOT, (notices.HALTED,)))
    known = {one.id: one for one in (*world.store.unfinished(), *world.store.recent())}
    lately = [one for one in known.values() if now - one.since <= notices.KEPT]
    if not lately:
        return
    record, lost = trials(world.store.ledger(events=TRACK)), autonomy.ceilings(world.store)
    for one in lately:
        found = (
            *notices.of_incident(one, world.store.ledger(one.id)),
            *notices.of_record(one, record, lost, world.settings.breaker),
        )
        owners = _owners(one, world, head) if found else ()
        yield from (replace(each, owners=owners) for each in found)


def _owners(incident: Incident, world: World, head: str) -> tuple[str, ...]:
    """Whom CODEOWNERS names for what the incident is about; nobody when that cannot be read now."""
    target, record = incident.target, incident.record
    edits = record.edits if record is not None else ()
    files = [edit.file for edit in edits]
    if not files and isinstance(target, Target):
        files = [f"{target.source.path}/kustomization.yaml", *target.source.value_files]
    try:
        return customs.owners(world.repository, head, dict.fromkeys(files)) if files else ()
    except OSError:
        return ()


def _tried(entries: Iterable[LedgerEntry]) -> Mapping[tuple[str, str], _Tried]:
    """What the ledger's entries of earlier tries tell, by notice and channel."""
    found: dict[tuple[str, str], _Tried] = {}
    for entry in entries:
        key = str(entry.facts.get("notice", "")), str(entry.facts.get("channel", ""))
        before = found.get(key, _Tried())
        failed = entry.event == NOT_NOTIFIED
        found[key] = _Tried(before.told or not failed, before.failures + failed, entry.at)
    return found


def _again(before: _Tried, world: World, now: datetime) -> bool:
    """Whether a call is to be tried now: not when it was heard, has failed too often, or failed just now."""
    settings = world.settings.notifications
    if before.told or before.failures >= settings.tries:
        return False
    wait = min(LONGEST_WAIT, timedelta(seconds=settings.wait) * 2 ** min(before.failures - 1, 20))
    return before.last is None or now >= before.last + wait


def _tell(due: Sequence[_Call], channels: Channels, world: World, said: Callable[[Incident, Transition], None]) -> None:
    """Make calls, the channels side by side. A channel that fails is left alone until the next go."""
    by_channel: dict[str, list[_Call]] = {}
    for call in due:
        by_channel.setdefault(call.channel, []).append(call)

    def one(calls: Sequence[_Call]) -> None:
        for call in calls[:_MOST]:
            answer = channels.send(call.channel, message(call.notice, world.settings.github.repository))
            incident = world.store.load(call.notice.subject)
            step = _noted(call, answer, incident, world)
            world.store.note(call.notice.subject, step)
            if incident is not None:
                said(incident, step)
            if not isinstance(answer, Done):
                return

    with ThreadPoolExecutor(max_workers=min(8, len(by_channel))) as pool:
        list(pool.map(one, by_channel.values()))


def _noted(call: _Call, answer: Done | Refused | Unavailable, incident: Incident | None, world: World) -> Transition:
    """What the ledger keeps of a call. A process that dies before that makes the call again."""
    what = call.notice.kind.replace("_", " ")
    if isinstance(answer, Done):
        event, why = NOTIFIED, f"channel {call.channel} was told: {what}"
    else:
        tries = world.settings.notifications.tries
        event = NOT_NOTIFIED
        why = f"channel {call.channel} was not told: {what} (try {call.number} of {tries}): {answer.reason}"
    facts = {"why": why, "channel": call.channel, "notice": call.notice.key}
    state = incident.state.value if incident is not None else ""
    return Transition(event, state, state, json.dumps(facts, sort_keys=True, ensure_ascii=False), world.clock.now())
