"""The circuit breaker: ceilings from the bot's own record that stop what keeps failing, whatever has been earned.

Nothing of this is stored: it follows from the ledger, so it can be neither forgotten nor edited, and it is the same
with a database and with a ledger branch. Reverts are not asked: an action's verdict has authorised its exact inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from gitops_sre.model.plan import Plan
from gitops_sre.model.precedent import Precedent
from gitops_sre.model.track import Trial
from gitops_sre.model.verdict import Level, Reason
from gitops_sre.settings import BreakerSettings

_BAD = frozenset({"failed", "inconclusive", "taken back"})


def ceilings(plan: Plan, record: Sequence[Trial], settings: BreakerSettings, now: datetime) -> tuple[Reason, ...]:
    """What the record allows a plan at most, with the incidents that say so. `record` is in order of time."""
    return (*_broken(plan, record, settings), *_flapping(plan, record, settings, now))


def first_time(plan: Plan, known: Iterable[Precedent], settings: BreakerSettings) -> tuple[Reason, ...]:
    """At most L3 for a cause of which no fix has been verified in the environment yet, where settings ask for that."""
    cause, environment = plan.hypothesis.partition("/")[0], plan.target.environment
    if not settings.first_time or any((each.cause, each.environment) == (cause, environment) for each in known):
        return ()
    text = f"no fix of {cause.replace('_', ' ')} has been verified in {environment} yet; a person approves the first"
    return (Reason("breaker", Level.L3, text),)


def _broken(plan: Plan, record: Sequence[Trial], settings: BreakerSettings) -> Iterator[Reason]:
    """Failures in a row open the breaker for an action on a service, for a service, for an action, for everything. Only
    a success closes it again, and at L2 that is one that a person has merged."""
    place = (plan.target.service, plan.target.environment)
    scopes: tuple[tuple[str, int, Callable[[Trial], bool]], ...] = (
        (
            f"{plan.action} of {plan.target.service} in {plan.target.environment}",
            settings.same_action,
            lambda one: (one.action, one.service, one.environment) == (plan.action, *place),
        ),
        (
            f"{plan.target.service} in {plan.target.environment}",
            settings.service,
            lambda one: (one.service, one.environment) == place,
        ),
        (plan.action, settings.action, lambda one: one.action == plan.action),
        ("everything", settings.everything, lambda _: True),
    )
    for scope, most, belongs in scopes:
        tried = [one for one in record if belongs(one) and one.outcome != "rejected"]
        row = _streak(tried, lambda one: one.outcome in _BAD)
        if len(row) >= most:
            names = ", ".join(dict.fromkeys(one.incident for one in row[-5:]))
            text = f"open for {scope}: {len(row)} actions in a row did not help ({names})"
            yield Reason("breaker", Level.L2, f"{text}; a person merges until one has")


def _flapping(plan: Plan, record: Sequence[Trial], settings: BreakerSettings, now: datetime) -> Iterator[Reason]:
    """What has to be fixed again and again is not fixed: somebody undoes it, or the cause is another one."""
    same = (plan.action, plan.target.service, plan.target.environment)
    since = now - timedelta(seconds=settings.flap_window)
    lately = [
        one
        for one in record
        if (one.action, one.service, one.environment) == same and one.outcome == "recovered" and one.at >= since
    ]
    if len(lately) >= settings.flaps:
        names = ", ".join(dict.fromkeys(one.incident for one in lately[-5:]))
        hours = settings.flap_window / 3600
        text = f"flapping: {plan.action} of {same[1]} in {same[2]} has helped {len(lately)} times in {hours:g} h"
        yield Reason("breaker", Level.L2, f"{text} ({names}), and here it is again")


def _streak(record: Sequence[Trial], goes_on: Callable[[Trial], bool]) -> list[Trial]:
    """The last trials for which something holds without a break, in order."""
    return list(reversed(list(takewhile(goes_on, reversed(record)))))
