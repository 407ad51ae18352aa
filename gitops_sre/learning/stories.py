"""The ledger, told incident by incident. What is not on record is not guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

from gitops_sre.model.story import Belief, Ending, Label, Step, Story
from gitops_sre.model.verdict import Level
from gitops_sre.ports import LedgerEntry

LABELLED = "Labelled"
"""A person says what an incident was."""
_ENDINGS: Mapping[str, Ending] = {word: word for word in get_args(Ending) if word}
_NOTES = frozenset({"autonomy"})
"""Whose entries are about no incident."""
Facts = Mapping[str, object]


def stories(entries: Iterable[LedgerEntry]) -> tuple[Story, ...]:
    """Every incident that the ledger tells of, in the order in which they were opened."""
    found: dict[str, Story] = {}
    for entry in entries:
        if entry.incident in _NOTES:
            continue
        story = found.get(entry.incident) or Story(entry.incident, entry.at)
        found[entry.incident] = _told(story, entry)
    return tuple(sorted(found.values(), key=lambda each: (each.opened, each.incident)))


def _told(story: Story, entry: LedgerEntry) -> Story:
    """The story after one more entry."""
    facts = entry.facts
    tell = _TELL.get(entry.event)
    if tell is not None:
        story = tell(story, entry, facts)
    step = Step(entry.at, entry.event, entry.target, str(facts.get("why", "")))
    ended = _ENDINGS.get(entry.target, "") if entry.target else story.ended
    return replace(story, ended=ended, steps=(*story.steps, step))


def _triaged(story: Story, _: LedgerEntry, facts: Facts) -> Story:
    return replace(story, onset=story.onset or _moment(facts, "onset"))


def _diagnosed(story: Story, entry: LedgerEntry, facts: Facts) -> Story:
    given = facts.get("hypotheses")
    beliefs = tuple(_belief(each) for each in given if isinstance(each, dict)) if isinstance(given, list) else ()
    onset = _moment(facts, "onset")
    # The telemetry knows better than the alert when it began; a later diagnosis is of what is left of it.
    first = story.diagnosed is None
    return replace(
        story,
        onset=(onset or story.onset) if first else story.onset,
        diagnosed=story.diagnosed or entry.at,
        beliefs=beliefs or story.beliefs,
    )


def _planned(story: Story, _: LedgerEntry, facts: Facts) -> Story:
    action, service, environment, tier = (_text(facts, name) for name in ("action", "service", "environment", "tier"))
    story = replace(story, action=action, service=service, environment=environment, tier=tier)
    return replace(story, plans=story.plans + 1, approved=False)


def _judged(story: Story, _: LedgerEntry, facts: Facts) -> Story:
    return replace(story, level=Level.__members__.get(_text(facts, "level"), Level.DENIED))


def _opened(story: Story, _: LedgerEntry, __: Facts) -> Story:
    # A pull request that is made again is still the same proposal.
    return replace(story, proposed=tuple(dict.fromkeys((*story.proposed, story.plans))))


def _approved(story: Story, _: LedgerEntry, __: Facts) -> Story:
    return replace(story, approved=True)


def _merged(story: Story, entry: LedgerEntry, _: Facts) -> Story:
    return replace(story, merges=story.merges + (entry.target == "syncing"))


def _recovered(story: Story, entry: LedgerEntry, _: Facts) -> Story:
    return replace(story, recovered=entry.at) if entry.target == "resolved" else story


def _taken_back(story: Story, entry: LedgerEntry, _: Facts) -> Story:
    if entry.target != "reverting" and entry.event != "Undone":
        return story
    return replace(story, taken_back=story.taken_back + 1, recovered=None)


def _found(story: Story, entry: LedgerEntry, facts: Facts) -> Story:
    """What an incident was that was found again on the forge. When it recovered is not known there."""
    story = _judged(_planned(story, entry, facts), entry, facts)
    story = replace(story, proposed=(story.plans,), merges=story.merges + ("merged_at" in facts))
    story = replace(story, rejected=story.rejected + (entry.target == "rejected"))
    return replace(story, taken_back=story.taken_back + (facts.get("taken_back") is True))


def _closed(story: Story, entry: LedgerEntry, _: Facts) -> Story:
    return replace(story, rejected=story.rejected + (entry.target == "rejected"))


def _consulted(story: Story, _: LedgerEntry, facts: Facts) -> Story:
    money = _number(facts, "money")
    tokens = int(_number(facts, "tokens"))
    return replace(story, asked=story.asked + 1, tokens=story.tokens + tokens, money=story.money + money)


def _labelled(story: Story, entry: LedgerEntry, facts: Facts) -> Story:
    cause, service, commit, by = (_text(facts, name) for name in ("cause", "service", "commit", "by"))
    return replace(story, label=Label(cause, service, commit, by, entry.at))


_TELL: Mapping[str, Callable[[Story, LedgerEntry, Facts], Story]] = {
    "Triaged": _triaged,
    "Diagnosed": _diagnosed,
    "NoFault": _diagnosed,
    "Planned": _planned,
    "Allowed": _judged,
    "OnlyReport": _judged,
    "Forbidden": _judged,
    "Lowered": _judged,
    "Opened": _opened,
    "MayMerge": _opened,
    "Approved": _approved,
    "Merged": _merged,
    "Recovered": _recovered,
    "NotRecovered": _taken_back,
    "RevertAsked": _taken_back,
    "Undone": _taken_back,
    "Closed": _closed,
    "CloseAsked": _closed,
    "Consulted": _consulted,
    "Found": _found,
    LABELLED: _labelled,
}


def _belief(given: Facts) -> Belief:
    return Belief(_text(given, "cause"), _text(given, "service"), _number(given, "posterior"), _text(given, "change"))


def _text(facts: Facts, name: str) -> str:
    found = facts.get(name, "")
    return found if isinstance(found, str) else ""


def _number(facts: Facts, name: str) -> float:
    found = facts.get(name)
    return float(found) if isinstance(found, int | float) else 0.0


def _moment(facts: Facts, name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(facts, name))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
