"""A postmortem from the record. Every sentence follows from entries of the ledger or from the incident as it is kept;
what nobody has put on record is not told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from gitops_sre.model.incident import Incident
from gitops_sre.model.plan import Sli
from gitops_sre.model.postmortem import Impact, Postmortem
from gitops_sre.model.story import Step, Story

BUDGET_WINDOW = 30 * 86_400.0
"""Seconds over which an error budget is counted where the settings do not say."""
LATE = 300.0
"""Seconds from the onset to the alert from which on the alert is said to have come late."""
WAITED = 0.5
"""Share of the time to recover from which on waiting for a person is named as what took the longest."""
_NOISE = frozenset({"Alerts", "Reminded", "Concluded"})
"""Entries that a timeline does without, after the first."""


def postmortem(story: Story, kept: Incident | None = None, window: float = BUDGET_WINDOW) -> Postmortem:
    """What is to be written of a story. `kept` is the incident with its evidence, where it is still remembered;
    `window` is that of the error budget in seconds."""
    place = f"{story.service} ({story.environment})" if story.environment else story.service or story.incident
    alerts = ", ".join(sorted({alert.name for alert in kept.alerts})) if kept is not None else ""
    seconds = _between(story.onset, story.recovered)
    return Postmortem(
        story,
        f"{place}: {alerts or story.ended or 'under way'}",
        seconds,
        tuple(_impact(kept, seconds, window)) if kept is not None else (),
        story.beliefs,
        tuple(_timeline(story.steps)),
        tuple(_worked(story)),
        tuple(_failed(story, kept)),
        tuple(_actions(story, kept)),
    )


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, (end - begin).total_seconds()) if begin is not None and end is not None else None


def _impact(kept: Incident, seconds: float | None, window: float) -> Iterator[Impact]:
    checked = kept.plan.verification if kept.plan is not None else None
    if checked is None:
        return
    before = {each.sli: each.value for each in checked.baseline}
    during = {each.sli: each.value for each in checked.incident}
    for sli in checked.slis:
        value = during.get(sli.name)
        yield Impact(
            sli.name, before.get(sli.name), value, sli.threshold, sli.unit, _spent(sli, value, seconds, window), window
        )


def _spent(sli: Sli, value: float | None, seconds: float | None, window: float) -> float | None:
    """Which share of the error budget: what failed of the time, over what may fail of the window, as if requests came
    evenly (Google, The Site Reliability Workbook, chapter 2). Only for ratios that must stay small."""
    if value is None or seconds is None or sli.unit != "ratio" or sli.worse_when != "above" or sli.threshold <= 0:
        return None
    return value * seconds / (sli.threshold * window)


def _timeline(steps: Sequence[Step]) -> Iterator[Step]:
    seen: set[str] = set()
    for step in steps:
        if step.event not in _NOISE or step.event not in seen:
            yield step
        seen.add(step.event)


def _worked(story: Story) -> Iterator[str]:
    if (known := _between(story.onset, story.opened)) is not None and known < LATE:
        yield f"The trouble was known {_span(known)} after it began."
    if (found := _between(story.opened, story.diagnosed)) is not None:
        yield f"A diagnosis was there {_span(found)} later."
    if story.label is not None and story.beliefs and story.beliefs[0].fits(story.label):
        yield "The diagnosis was right."
    if story.recovered is not None and story.merges:
        how = "merged by itself" if not story.approved and story.level.name == "L4" else "merged after a person agreed"
        yield f"{story.action} of {story.service} was {how}, and the SLO recovered."
    if story.taken_back:
        yield "What did not help was taken back by its exact inverse."


def _failed(story: Story, kept: Incident | None) -> Iterator[str]:
    if (known := _between(story.onset, story.opened)) is not None and known >= LATE:
        yield f"The alert came {_span(known)} after the trouble began."
    if story.taken_back:
        yield f"{story.taken_back} of {story.merges} merged fixes did not help, or people took them back."
    if story.rejected:
        yield "A person closed what was proposed."
    if story.label is not None and story.beliefs and not story.beliefs[0].fits(story.label):
        believed = story.beliefs[0]
        yield f"The diagnosis was wrong: {believed.cause} of {believed.service}; it was {story.label.cause}."
    if story.ended == "escalated":
        last = next((step.why for step in reversed(story.steps) if step.target == "escalating" and step.why), "")
        yield f"A person had to be called{f': {last}' if last else ''}."
    waited = _waited(story)
    if waited:
        yield f"{_span(waited)} went by until a person had decided."
    for gap in kept.diagnosis.gaps if kept is not None and kept.diagnosis is not None else ():
        yield f"{gap.signal} of {gap.subject or 'everything'} could not be seen: {gap.why.reason}"


def _actions(story: Story, kept: Incident | None) -> Iterator[str]:
    if story.label is None:
        yield f"Say what it really was: gitops-sre label {story.incident} --cause ..."
    culprit = next((each.commit for each in story.beliefs[:1] if each.commit), "")
    if culprit and story.ended == "resolved":
        yield f"Find out why nothing stopped {culprit[:12]} before it was live, and add the test that would have."
    elif story.recovered is not None:
        yield "What was taken back has removed the symptom: find the cause, and whether it can come again."
    if (known := _between(story.onset, story.opened)) is not None and known >= LATE:
        yield "Have the alert fire earlier: the telemetry showed it long before."
    recover = _between(story.onset, story.recovered)
    if recover and _waited(story) >= WAITED * recover:
        yield "Waiting for a person took the longest: see whether this action has earned more (gitops-sre autonomy)."
    if story.taken_back:
        yield "Look at the evidence of the fix that did not help: what would have told the causes apart?"
    if kept is not None and kept.diagnosis is not None:
        for name in dict.fromkeys(gap.signal for gap in kept.diagnosis.gaps):
            yield f"Make {name} available to the bot (gitops-sre doctor)."


def _waited(story: Story) -> float:
    """Seconds from the first pull request until the first merge, where a person had to decide."""
    opened = _first(story.steps, ("Opened",))
    merged = _first(story.steps, ("Merged",))
    return (_between(opened, merged) or 0.0) if story.level.name in ("L2", "L3") else 0.0


def _first(steps: Iterable[Step], events: Sequence[str]) -> datetime | None:
    return next((step.at for step in steps if step.event in events), None)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
