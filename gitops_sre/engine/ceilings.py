"""The circuit breaker: ceilings from the bot's own record that stop what keeps failing, whatever has been earned.

Nothing of this is stored: it follows from the ledger, so it can be neither forgotten nor edited, and it is the same
with a database and with a ledger branch. Reverts are not asked: an action's verdict has authorised its exact inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from gitops_sre.model.plan import Plan
from gitops_sre.model.precedent import Precedent
from gitops_sre.model.track import Trial
from gitops_sre.model.verdict import Level, Reason
from gitops_sre.settings import BreakerSettings

_BAD = frozenset({"failed", "inconclusive", "taken back"})


def ceilings(plan: Plan, record: Sequence[Trial], settings: BreakerSettings, now: datetime) -> tuple[Reason, ...]:
    """What the record allows a plan at most, with the incidents that say so. `record` is in order of time."""
    place = Place(plan.action, plan.target.service, plan.target.environment)
    return tuple(Reason("breaker", Level.L2, text) for text in _open(place, record, settings, now).values())


def first_time(plan: Plan, known: Iterable[Precedent], settings: BreakerSettings) -> tuple[Reason, ...]:
    """At most L3 for a cause of which no fix has been verified in the environment yet, where settings ask for that."""
    cause, environment = plan.hypothesis.partition("/")[0], plan.target.environment
    if not settings.first_time or any((each.cause, each.environment) == (cause, environment) for each in known):
        return ()
    text = f"no fix of {cause.replace('_', ' ')} has been verified in {environment} yet; a person approves the first"
    return (Reason("breaker", Level.L3, text),)


def opened(record: Sequence[Trial], settings: BreakerSettings) -> tuple[str, ...]:
    """What the last trial of a record (in order of time) has opened that was not open before it, in words."""
    last = record[-1]
    place = Place(last.action, last.service, last.environment)
    before = _open(place, record[:-1], settings, last.at)
    return tuple(text for scope, text in _open(place, record, settings, last.at).items() if scope not in before)


class Place(NamedTuple):
    """What an action is done to."""

    action: str
    service: str
    environment: str


def _open(place: Place, record: Sequence[Trial], settings: BreakerSettings, now: datetime) -> dict[str, str]:
    """Why the breaker is open for an action in a place, by scope."""
    return dict((*_broken(place, record, settings), *_flapping(place, record, settings, now)))


def _broken(place: Place, record: Sequence[Trial], settings: BreakerSettings) -> Iterator[tuple[str, str]]:
    """Failures in a row open the breaker for an action on a service, for a service, for an action, for everything. Only
    a success closes it again, and at L2 that is one that a person has merged."""
    action, service, environment = place
    scopes: tuple[tuple[str, int, Callable[[Trial], bool]], ...] = (
        (
            f"{action} of {service} in {environment}",
            settings.same_action,
            lambda one: (one.action, one.service, one.environment) == place,
        ),
        (
            f"{service} in {environment}",
            settings.service,
            lambda one: (one.service, one.environment) == (service, environment),
        ),
        (action, settings.action, lambda one: one.action == action),
        ("everything", settings.everything, lambda _: True),
    )
    for scope, most, belongs in scopes:
        tried = [one for one in record if belongs(one) and one.outcome != "rejected"]
        row = _streak(tried, lambda one: one.outcome in _BAD)
        if len(row) >= most:
            names = ", ".join(dict.fromkeys(one.incident for one in row[-5:]))
            text = f"open for {scope}: {len(row)} actions in a row did not help ({names})"
            yield scope, f"{text}; a person merges until one has"


def _flapping(
    place: Place, record: Sequence[Trial], settings: BreakerSettings, now: datetime
) -> Iterator[tuple[str, str]]:
    """What has to be fixed again and again is not fixed: somebody undoes it, or the cause is another one."""
    since = now - timedelta(seconds=settings.flap_window)
    lately = [
        one
        for one in record
        if (one.action, one.service, one.environment) == place and one.outcome == "recovered" and one.at >= since
    ]
    if len(lately) >= settings.flaps:
        names = ", ".join(dict.fromkeys(one.incident for one in lately[-5:]))
        hours = settings.flap_window / 3600
        text = f"flapping: {place.action} of {place.service} in {place.environment}"
        yield "flapping", f"{text} has helped {len(lately)} times in {hours:g} h ({names}), and here it is again"


def _streak(record: Sequence[Trial], goes_on: Callable[[Trial], bool]) -> list[Trial]:
    """The last trials for which something holds without a break, in order."""
    return list(reversed(list(takewhile(goes_on, reversed(record)))))
