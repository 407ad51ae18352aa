"""`gitops-sre eval`: recorded incidents from the alert to the diff, held against what would have been right."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_sre.cli.common import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_sre.cli.evaluation.score import Score, Total

HEAD = ("scenario", "what is right", "found", "said", "diagnosis", "should", "would", "verdict", "s")
TOTALS = (
    "group", "n", "false actions", "action right", "fixed", "service", "in top 3", "+ cause", "+ change", "Brier",
    "ECE", "median s",
)  # fmt: skip
Row = tuple[str, ...]


@click.command("eval")
@click.argument("place", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--id", "ids", multiple=True, help="Only the scenario in this folder; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(place: Path, ids: tuple[str, ...], as_json: bool) -> int:
    """Play recorded incidents, from the alert to the diff, and say how often that was right; propose nothing.

    DIR is a scenario, or a folder of scenarios. Exit code 1 when one of them cannot be read.
    """
    from gitops_sre.cli.evaluation import scenario  # noqa: PLC0415 - numpy and all: only here

    folders = scenario.folders(place)
    if unknown := sorted(set(ids) - {folder.name for folder in folders}):
        raise Failure(f"{place}: no scenario {', '.join(unknown)} in it")
    wanted = [folder for folder in folders if not ids or folder.name in ids]
    scores = _played(wanted, told=not as_json)
    if scores:
        click.echo(json.dumps(as_data(scores), indent=2) if as_json else as_text(scores))
    return 0 if len(scores) == len(wanted) else 1


def _played(folders: Sequence[Path], *, told: bool) -> list[Score]:
    """The scores of those that can be read; of the others the reason goes to stderr."""
    from gitops_sre.cli.evaluation.run import answer  # noqa: PLC0415
    from gitops_sre.cli.evaluation.scenario import read  # noqa: PLC0415
    from gitops_sre.cli.evaluation.score import score  # noqa: PLC0415
    from gitops_sre.perception import presets  # noqa: PLC0415
    from gitops_sre.reasoning.catalogue import load_catalogue  # noqa: PLC0415

    queries, catalogue = presets.load(), load_catalogue()
    scores: list[Score] = []
    for number, folder in enumerate(folders, 1):
        if told and len(folders) > 1:
            click.echo(f"{number} of {len(folders)}: {folder.name}", err=True)
        try:
            scenario = read(folder)
            scores.append(score(scenario, answer(scenario, queries, catalogue)))
        except Failure as error:
            click.echo(f"gitops-sre: {error}", err=True)
    return scores


def as_text(scores: Sequence[Score]) -> str:
    """Tables that a terminal and a Markdown page show alike."""
    from gitops_sre.cli.evaluation.score import grouped, total  # noqa: PLC0415

    whole = total("all", scores)
    parts = [
        _table(HEAD, [_row(each) for each in scores]),
        _table(TOTALS, [_total(each) for each in (whole, *grouped(scores))]),
        f"False actions: {whole.false_actions} in {whole.scenarios} scenarios ({whole.false_action_rate:.1%}; with 95% "
        f"confidence at most {whole.at_most:.1%}); of {whole.acted} actions {whole.acted - whole.false_actions} right. "
        f"Where an action was right, it was taken in {whole.fixed} of {whole.needed}.",
    ]
    return "\n\n".join(parts)


def as_data(scores: Sequence[Score]) -> dict[str, object]:
    """The same for programs; what cannot be counted is null."""
    from gitops_sre.cli.evaluation.score import grouped, total  # noqa: PLC0415

    return {
        "scenarios": [_entry(each) for each in scores],
        "total": _numbers(total("all", scores)),
        "groups": [_numbers(each) for each in grouped(scores)],
    }


def _entry(each: Score) -> dict[str, object]:
    answer, found = each.answer, each.found
    top = answer.diagnosis.top if answer.diagnosis else None
    return {
        "id": each.id,
        "groups": dict(each.groups),
        "expected": {**each.expected.model_dump(exclude={"diff"}), "diff": each.expected.diff},
        "diagnosis": {
            "service": top.service,
            "cause": top.cause,
            "change": top.change.commit.sha if top.change else "",
            "posterior": round(top.posterior, 6),
        }
        if top
        else None,
        "right": asdict(found) if found else None,
        "action": answer.action,
        "reason": answer.reason,
        "diff": answer.diff,
        "action_right": each.action,
        "false_action": each.false_action,
        "seconds": round(answer.seconds, 4),
    }


def _numbers(each: Total) -> dict[str, object]:
    found = {**asdict(each), "false_action_rate": each.false_action_rate, "false_action_rate_at_most": each.at_most}
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in found.items()}


def _row(each: Score) -> Row:
    expected, answer, found = each.expected, each.answer, each.found
    truth = expected.cause if not expected.services else f"{expected.cause} at {' or '.join(expected.services[:3])}"
    top = answer.diagnosis.top if answer.diagnosis else None
    return (
        each.id,
        truth + (f" ({each.groups['misleading']})" if each.groups["misleading"] != "no" else ""),
        "nothing to find" if top is None else top.cause if top.cause == "no_fault" else f"{top.cause} at {top.service}",
        f"{top.posterior:.0%}" if top else "",
        "" if found is None else "right" if found.right else "place right" if found.service else "wrong",
        expected.action,
        answer.action,
        "FALSE ACTION" if each.false_action else "right" if each.action else "not right",
        f"{answer.seconds:.2f}",
    )


def _total(each: Total) -> Row:
    return (
        each.name,
        str(each.scenarios),
        f"{each.false_actions} ({each.false_action_rate:.1%})",
        _percent(each.action),
        f"{each.fixed}/{each.needed}" if each.needed else "-",
        _percent(each.service),
        _percent(each.top3),
        _percent(each.cause),
        _percent(each.change),
        _number(each.brier),
        _number(each.ece),
        f"{each.seconds:.2f}",
    )


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.0%}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _table(head: Row, rows: Sequence[Row]) -> str:
    every = [head, *rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in every
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
