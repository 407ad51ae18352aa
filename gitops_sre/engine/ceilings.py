"""Ceilings from the bot's own record: autonomy is lost at once, and the circuit breaker stops what keeps failing.

Nothing of this is stored: it follows from the ledger, so it can be neither forgotten nor edited, and it is the same
with a database and with a ledger branch. Reverts are not asked: an action's verdict has authorised its exact inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from gitops_sre.model.plan import Plan
from gitops_sre.model.track import Trial
from gitops_sre.model.verdict import Level, Reason
from gitops_sre.settings import BreakerSettings

_BAD = frozenset({"failed", "inconclusive", "taken back"})
_WRONG = frozenset({"failed", "taken back"})


def ceilings(plan: Plan, record: Sequence[Trial], settings: BreakerSettings, now: datetime) -> tuple[Reason, ...]:
    """What the record allows a plan at most, with the incidents that say so. `record` is in order of time."""
    kind = [one for one in record if (one.action, one.tier) == (plan.action, plan.target.tier)]
    return (
        *_demoted(kind, settings),
        *_broken(plan, record, settings),
        *_flapping(plan, record, settings, now),
    )


def demotions(record: Sequence[Trial], settings: BreakerSettings) -> tuple[Reason, ...]:
    """What has lost its L4 now, for each kind of action in each tier."""
    kinds: dict[tuple[str, str], list[Trial]] = {}
    for one in record:
        kinds.setdefault((one.action, one.tier), []).append(one)
    return tuple(reason for kind in kinds.values() for reason in _demoted(kind, settings))


def _demoted(kind: Sequence[Trial], settings: BreakerSettings) -> Iterator[Reason]:
    """A wrong action takes L4 from its kind in its tier, until it has helped again under review a few times."""
    wrong = next((one for one in reversed(kind) if one.outcome in _WRONG), None)
    since = _streak(kind, lambda one: one.outcome not in _WRONG)
    helped = sum(one.outcome == "recovered" for one in since)
    if wrong is not None and helped < settings.earn_back:
        what = "made it worse" if wrong.worse else "did not help" if wrong.outcome == "failed" else "was taken back"
        left = f"{helped} of {settings.earn_back} reviewed successes since"
        text = f"{wrong.action} {what} in {wrong.incident} (tier {wrong.tier or 'unknown'}); {left}"
        yield Reason("demotion", Level.L3, text)


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
