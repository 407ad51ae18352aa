"""What there is to tell, from incidents and the ledger: nothing of it is stored, so nothing of it can be forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from gitops_sre.engine import autonomy, ceilings
from gitops_sre.model.autonomy import Ceiling
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.notice import Notice, NoticeKind
from gitops_sre.model.target import Target
from gitops_sre.model.track import Trial
from gitops_sre.ports import LedgerEntry
from gitops_sre.settings import BreakerSettings

BOT = "bot"
"""Whose the ledger's entries are that are about the bot itself."""
HALTED, RESUMED = "Halted", "Resumed"
KEPT = timedelta(days=1)
"""What happened longer ago is told to nobody any more: so is what happened before there were channels."""

_STATES: Mapping[str, NoticeKind] = {
    State.ESCALATING.value: "escalated",
    State.AWAITING_APPROVAL.value: "approval_wanted",
    State.RESOLVED.value: "resolved",
}
"""By the state that is entered. A person is called before the issue is filed: GitHub may be what is down."""
_AGAIN = frozenset({"Reinvestigate", "RetryAsked"})


def of_incident(incident: Incident, entries: Iterable[LedgerEntry]) -> Iterator[Notice]:
    """What an incident's own ledger entries tell, each kind once for each of its attempts."""
    attempt, told = 1, set[str]()
    for entry in entries:
        attempt += entry.event in _AGAIN
        kind = _STATES.get(entry.target)
        key = f"{kind}/{attempt}"
        if kind is None or entry.source == entry.target or entry.event == "Found" or key in told:
            continue
        told.add(key)
        yield _notice(incident, kind, key, entry.at, str(entry.facts.get("why", "")))


def of_record(
    incident: Incident, record: Sequence[Trial], lost: Iterable[Ceiling], settings: BreakerSettings
) -> Iterator[Notice]:
    """What an incident's last action has made of the bot's own record: a breaker that opened, a level that was lost.
    `record` is in order of time."""
    last = next((at for at in reversed(range(len(record))) if record[at].incident == incident.id), None)
    opened = ceilings.opened(record[: last + 1], settings) if last is not None else ()
    if last is not None and opened:
        key = f"breaker_opened/{record[last].at.isoformat()}"
        yield _notice(incident, "breaker_opened", key, record[last].at, "; ".join(opened))
    fallen = [each for each in lost if each.incidents[-1] == incident.id]
    if fallen:
        why = "; ".join(f"at most {each.level.name}: {autonomy.reason(each).text}" for each in fallen)
        at = max(each.since for each in fallen)
        yield _notice(incident, "demoted", f"demoted/{at.isoformat()}", at, why)


def of_bot(entries: Iterable[LedgerEntry]) -> Iterator[Notice]:
    """Each time that somebody has stopped the bot."""
    for entry in entries:
        if entry.event == HALTED:
            yield Notice("halted", BOT, f"halted/{entry.sequence}", entry.at, str(entry.facts.get("why", "")))


def _notice(incident: Incident, kind: NoticeKind, key: str, at: datetime, why: str) -> Notice:
    target = incident.target
    pulls = [pull.url for pull in incident.pulls]
    # Where a person is needed the issue is the place to go, elsewhere the pull request.
    pages = [incident.report_url, *reversed(pulls)] if kind == "escalated" else [*reversed(pulls), incident.report_url]
    return Notice(
        kind=kind,
        subject=incident.id,
        key=key,
        at=at,
        why=why or incident.reason,
        severity=incident.severity,
        service=target.service if target is not None else "",
        environment=target.environment if target is not None else "",
        tier=target.tier if isinstance(target, Target) else "",
        url=next((page for page in pages if page), ""),
    )
