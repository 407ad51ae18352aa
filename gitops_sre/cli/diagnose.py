"""`gitops-sre diagnose`: recorded incidents through the same evidence and reasoning as live ones."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_sre.cli.common import Failure

if TYPE_CHECKING:
    from gitops_sre.adapters.cases import Case
    from gitops_sre.model.diagnosis import Blame, Diagnosis
    from gitops_sre.model.findings import Findings
    from gitops_sre.perception.presets import Catalogue as Queries
    from gitops_sre.reasoning.asking import Question
    from gitops_sre.reasoning.catalogue import Catalogue

MAX_EVIDENCE = 40
WORDS = {
    "network": "network_or_dependency",
    "dependency_failure": "network_or_dependency",
    "certificate_expiry": "network_or_dependency",
    "flag_flip": "config_change",
}
"""Causes in the coarser words that labelled sets of incidents use; the finer one stands beside it."""


@dataclass(frozen=True)
class Diagnosed:
    """One case with what came of it; `seconds` for everything, reading included."""

    id: str
    findings: Findings
    diagnosis: Diagnosis
    questions: tuple[Question, ...]
    seconds: float


@click.command()
@click.option(
    "--cases", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="A file of cases."
)
@click.option("--id", "ids", multiple=True, help="Only the case with this id; may be given again.")
@click.option("--horizon", type=click.FloatRange(min=0), help="Ask so many seconds after the alert, not at the end.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, one for each case.")
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False), help="Write a page for each case into this folder."
)
def diagnose(cases: Path, ids: tuple[str, ...], horizon: float | None, as_json: bool, report: Path | None) -> int:
    """Diagnose recorded incidents: root service, cause and change, each with its probability."""
    from gitops_sre.adapters.cases import Case, CaseError, read_cases  # noqa: PLC0415 - numpy and all: only here
    from gitops_sre.perception import presets  # noqa: PLC0415
    from gitops_sre.reasoning.catalogue import load_catalogue  # noqa: PLC0415

    try:
        headers = read_cases(cases)
    except CaseError as error:
        raise Failure(str(error)) from error
    if unknown := sorted(set(ids) - {header.id for header in headers}):
        raise Failure(f"{cases}: no case {', '.join(unknown)} in it")
    wanted = [header for header in headers if not ids or header.id in ids]
    queries, catalogue = presets.load(), load_catalogue()
    broken = 0
    for number, header in enumerate(wanted, 1):
        if len(wanted) > 1 and not as_json:
            click.echo(f"{number} of {len(wanted)}: {header.id}", err=True)
        try:
            found = one(Case(header, cases.parent, horizon), queries, catalogue)
        except CaseError as error:
            broken += 1
            click.echo(f"gitops-sre: case {header.id}: {error}", err=True)
            continue
        click.echo(json.dumps(as_line(found)) if as_json else as_text(found))
        if report is not None:
            click.echo(f"{written(found, report, catalogue)}", err=True)
    return 1 if broken else 0


def one(case: Case, queries: Queries, catalogue: Catalogue) -> Diagnosed:
    """One case from its files to the diagnosis. Raises CaseError."""
    from gitops_sre.cli.recorded import gathered  # noqa: PLC0415
    from gitops_sre.reasoning.asking import next_questions  # noqa: PLC0415
    from gitops_sre.reasoning.diagnose import diagnose as weigh  # noqa: PLC0415

    began = time.perf_counter()
    findings = gathered(case, queries)
    diagnosis = weigh(findings, catalogue)
    questions = next_questions(diagnosis, catalogue.weights)
    return Diagnosed(case.header.id, findings, diagnosis, questions, time.perf_counter() - began)


def written(found: Diagnosed, folder: Path, catalogue: Catalogue) -> Path:
    """The page of a case in a folder, which is made. The file is called like the case; where a file system would mind
    that, what it minds is replaced and a part of a hash tells ids apart. Raises Failure."""
    from gitops_sre.cli.picture import page  # noqa: PLC0415

    name = re.sub(r"[^A-Za-z0-9._-]", "_", found.id).lstrip(".")[:100]
    if name != found.id:
        name += f"-{hashlib.sha256(found.id.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    path = folder / f"{name}.html"
    text = page(found.id, found.findings, found.diagnosis, found.findings.measures, catalogue)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path}: the report cannot be written: {error}") from error
    return path


def as_line(found: Diagnosed) -> dict[str, object]:
    """A case's answer as one JSON object; `ranking` has one entry for each service, see `Diagnosis.ranking`."""
    return {
        "id": found.id,
        "ranking": [_entry(blame) for blame in found.diagnosis.ranking],
        "no_fault": round(found.diagnosis.probability("no_fault"), 4),
        "unexplained": round(found.diagnosis.probability("unexplained"), 4),
        "onset": found.findings.scope.onset.timestamp(),
        "seconds": round(found.seconds, 4),
        "evidence": [
            {"id": item.id, "statement": item.statement, "score": round(item.score or 0.0, 3)}
            for item in found.diagnosis.notable[:MAX_EVIDENCE]
        ],
        "next": [
            {"ask": each.text, "signal": each.signal, "service": each.service, "bits": round(each.bits, 3)}
            for each in found.questions
        ],
        "missing": sorted({gap.id for gap in found.diagnosis.gaps}),
    }


def _entry(blame: Blame) -> dict[str, object]:
    return {
        "service": blame.service,
        "cause": WORDS.get(blame.cause, blame.cause),
        "detail": blame.cause,
        "posterior": round(blame.posterior, 6),
        "change": blame.change,
    }


def as_text(found: Diagnosed) -> str:
    """A case's answer for people."""
    lines = [f"{found.id}: {found.diagnosis.summary}"]
    for blame in found.diagnosis.ranking[:5]:
        change = f"  by {blame.change}" if blame.change else ""
        lines.append(f"  {blame.posterior:6.1%}  {blame.service or '(none)'}  {blame.cause}{change}")
    lines += [f"    {item.statement}" for item in found.diagnosis.notable[:5]]
    return "\n".join(lines)
