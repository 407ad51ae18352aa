"""The summary of one pass, for the page of a scheduled job: what is open, what has ended, and how long it all took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from gitops_sre.delivery.neutral import Safe, code, fence
from gitops_sre.delivery.page import page, sentence
from gitops_sre.delivery.text import place
from gitops_sre.model.incident import Incident
from gitops_sre.model.usage import Usage
from gitops_sre.ports import LedgerEntry

MOST = 8
"""Incidents in the chart: more cannot be read."""
_SECOND = timedelta(seconds=1)


def summary(
    repository: str,
    incidents: Sequence[Incident],
    entries: Mapping[str, Sequence[LedgerEntry]],
    now: datetime,
    *,
    spent: Usage,
) -> str:
    """One pass over a repository as Markdown. `incidents` are those that the pass has looked at, `entries` their ledger
    by id; `spent` is what the pass has asked of the forge."""
    return page(
        "job",
        {
            "repository": repository,
            "open": tuple((one, place(one)) for one in incidents if not one.finished),
            "ended": tuple((one, place(one)) for one in incidents if one.finished),
            "chart": Safe(_chart(incidents[:MOST], entries, now)),
            "spent": Safe(str(spent)),
        },
        ("chart", "ended"),
    )


def idle(repository: str, why: str) -> str:
    """A pass that had to leave everything to another one."""
    return f"### gitops-sre: {code(repository)}\n\nNothing was done: {sentence(why)}\n"


def failure(reason: str) -> str:
    """What has kept a pass from doing all that it should."""
    return f"### gitops-sre\n\n**Not all could be done:**\n\n{fence(reason, 'text')}\n"


def _chart(incidents: Iterable[Incident], entries: Mapping[str, Sequence[LedgerEntry]], now: datetime) -> str:
    """A Mermaid Gantt chart, a section an incident, a bar for each state that it was in. Only ids and states come into
    it, words of ours."""
    lines: list[str] = []
    for incident in incidents:
        steps: list[LedgerEntry] = []
        for entry in entries.get(incident.id, ()):
            if not steps or steps[-1].target != entry.target:
                steps.append(entry)
        if steps:
            end = steps[-1].at if incident.finished else now
            lines.append(f"  section {incident.id}")
            lines += [
                _bar(step, until) for step, until in zip(steps, [*(each.at for each in steps[1:]), end], strict=True)
            ]
    return "\n".join(["gantt", "  dateFormat YYYY-MM-DDTHH:mm:ss", "  axisFormat %d %b %H:%M", *lines]) if lines else ""


def _bar(step: LedgerEntry, until: datetime) -> str:
    """At least a second wide, so that it can be seen. Mermaid takes numbers for milliseconds whatever it is told."""
    begin, end = (at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") for at in (step.at, max(until, step.at + _SECOND)))
    return f"  {step.target.replace('_', ' ')} :{begin}, {end}"
