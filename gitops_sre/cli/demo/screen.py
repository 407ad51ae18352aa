"""What a person sees of the demo, and what a machine gets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gitops_sre.cli import show
from gitops_sre.cli.demo.processes import Place
from gitops_sre.cli.demo.story import Progress
from gitops_sre.delivery import text
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.incident import State
from gitops_sre.model.verification import Assessment
from gitops_sre.ports import OpenedAction

_COLOURS = {"resolved": "green", "dismissed": "green", "escalated": "yellow"}


def live(progress: Sequence[Progress]) -> RenderableType:
    """The stories as they go: the last few things that happened in each."""
    blocks: list[RenderableType] = []
    for each in progress:
        mark = "·" if each.began is None else "✓" if each.passed else "✗" if each.ended else "▸"
        title = Text(f"{mark} Story {each.story.number}: {each.story.title}  ", style="bold")
        title.append(f"{each.outcome if each.incident else ''} {each.seconds:.0f}s", style="dim")
        blocks.append(title)
        for entry in each.entries[-4:]:
            blocks.append(Text(f"    {entry.at:%H:%M:%S}  {entry.target:<18} {show.why(entry)[:110]}", style="dim"))
    return Group(*blocks)


def summary(progress: Sequence[Progress], actions: Mapping[str, Sequence[OpenedAction]]) -> Table:
    """One row a story."""
    table = Table(title="What happened", title_justify="left", show_lines=True, expand=True)
    for column, share in (("Story", 3), ("Outcome", 2), ("Diagnosis", 5), ("Pull requests", 3), ("In the end", 4)):
        table.add_column(column, ratio=share, overflow="fold")
    table.add_column("s", justify="right")
    for each in progress:
        incident = each.incident
        colour = _COLOURS.get(each.outcome, "red") if each.passed else "red"
        table.add_row(
            f"{each.story.number}. {escape(each.story.title)}",
            f"[{colour}]{each.outcome}[/]" + ("" if each.passed else f" (must be {each.story.expected})"),
            escape(_diagnosis_line(incident.diagnosis if incident else None)),
            "\n".join(_pull_line(action) for action in actions.get(incident.id if incident else "", ())) or "none",
            escape(_first(incident.reason) if incident else ""),
            f"{each.seconds:.0f}",
        )
    return table


def _diagnosis_line(diagnosis: Diagnosis | None) -> str:
    return _first(diagnosis.summary) if diagnosis else "none needed"


def _first(text: str) -> str:
    """The first sentence; the whole of it is what `explain` is for."""
    return text.partition(". ")[0]


def _pull_line(action: OpenedAction) -> str:
    return f"#{action.pull.number} {action.record.kind}, {action.record.verdict.level.name}, {action.pull.state}"


def pages(
    progress: Sequence[Progress], actions: Mapping[str, Sequence[OpenedAction]], place: Place
) -> Iterator[tuple[str, str]]:
    """(title, Markdown) of everything that was written for people: pull requests with their diffs, and the short report
    of a dismissed alert."""
    for each in progress:
        if each.incident is None:
            continue
        for action in actions.get(each.incident.id, ()):
            number = action.pull.number
            title = f"Pull request #{number} ({action.record.kind})"
            yield title, f"{place.body(number)}\n\n```diff\n{place.diff(number)}```\n"
        if each.incident.state is State.DISMISSED:
            yield f"Report of {each.incident.id} (dismissed)", text.dismissal(each.incident)


def machine(progress: Sequence[Progress], actions: Mapping[str, Sequence[OpenedAction]], place: Place) -> str:
    """The JSON object on stdout."""
    return json.dumps({"stories": [_story(each, actions, place) for each in progress]}, ensure_ascii=False)


def _story(each: Progress, actions: Mapping[str, Sequence[OpenedAction]], place: Place) -> dict[str, Any]:
    incident = each.incident
    return {
        "story": each.story.number,
        "title": each.story.title,
        "incident": incident.id if incident else None,
        "outcome": each.outcome,
        "diagnosis": _diagnosis(incident.diagnosis) if incident and incident.diagnosis else None,
        "pull_requests": [_pull(action, place) for action in actions.get(incident.id if incident else "", ())],
        "verification": _verification(incident.assessment) if incident and incident.assessment else None,
        "seconds": round(each.seconds, 1),
    }


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    top = diagnosis.top
    return {
        "service": top.service,
        "cause": top.cause,
        "culprit": top.change.commit.sha if top.change else None,
        "confidence": round(top.posterior, 4),
        "summary": diagnosis.summary,
        "supports": list(top.supports),
        "opposes": list(top.opposes),
    }


def _pull(action: OpenedAction, place: Place) -> dict[str, Any]:
    return {
        "number": action.pull.number,
        "kind": action.record.kind,
        "state": action.pull.state,
        "level": action.record.verdict.level.name,
        "diff": place.diff(action.pull.number),
        "verdict": [str(reason) for reason in action.record.verdict.reasons],
    }


def _verification(assessment: Assessment) -> dict[str, Any]:
    return {"state": assessment.state, "worse": assessment.worse, "reason": assessment.reason}
