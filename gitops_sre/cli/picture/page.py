"""A diagnosis as one self-contained HTML page: no script, nothing fetched, every text from outside escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gitops_sre.cli.picture.belief import Belief, Step, Without, factor, leaders, place_of, shown
from gitops_sre.cli.picture.believing import Chart, chart
from gitops_sre.cli.picture.scale import amount, clock
from gitops_sre.cli.picture.series import Picked, picked
from gitops_sre.cli.picture.servicemap import Map, feelings, service_map
from gitops_sre.cli.picture.timeline import Event, Timeline, events, timeline
from gitops_sre.delivery.neutral import visible
from gitops_sre.model.diagnosis import Blame, Diagnosis, Hypothesis, certainty
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.findings import Findings
from gitops_sre.model.telemetry import Measure
from gitops_sre.reasoning.catalogue import Catalogue
from gitops_sre.reasoning.findings import lead, lead_shown
from gitops_sre.settings import shipped

_PATH = re.compile(r"[MLCh0-9., -]*")
LONGEST = 600
"""Characters of a text from outside that are shown."""
RANKED, HARDLY = 15, 0.01
"""Places in the table of the ranking: so many at most, and after the first few none that is hardly possible."""
UNCLEAR = "cause not clear"
LEADERS = 5
"""Places whose probabilities are drawn as evidence came in."""
REASONED = 3
"""Hypotheses whose evidence for and against is told."""


@dataclass(frozen=True)
class Candidate:
    """A place that may be to blame, in words. `means` explains the cause."""

    service: str
    what: str
    cause: str
    means: str
    posterior: float
    change: str


@dataclass(frozen=True)
class Argument:
    """A hypothesis with the findings for and against it, each with how many times it makes the odds."""

    candidate: Candidate
    supports: tuple[tuple[str, str], ...]
    opposes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class View:
    """Everything that the template shows."""

    title: str
    findings: Findings
    diagnosis: Diagnosis
    candidates: tuple[Candidate, ...]
    listed: int
    doubts: tuple[tuple[str, float], ...]
    onset: str
    asked: str
    timeline: Timeline
    pictures: tuple[Picked, ...]
    events: tuple[Event, ...]
    map: Map
    blame: dict[str, float]
    felt: dict[str, float]
    steps: tuple[Step, ...]
    leaders: tuple[str, ...]
    chart: Chart
    arguments: tuple[Argument, ...]
    without: tuple[Without, ...]
    absent: tuple[str, ...]


def page(
    title: str, findings: Findings, diagnosis: Diagnosis, measures: Sequence[Measure], catalogue: Catalogue
) -> str:
    """The page of a diagnosis. `measures` are those that the findings were read from; `catalogue` the one that they
    were weighed by. The text holds no lone surrogates: it can be written as UTF-8."""
    return (
        _environment()
        .get_template("diagnosis.html.j2")
        .render(view=_view(title, findings, diagnosis, measures, catalogue))
    )


def _view(
    title: str, findings: Findings, diagnosis: Diagnosis, measures: Sequence[Measure], catalogue: Catalogue
) -> View:
    blames = diagnosis.ranking
    top = blames[0]
    belief = Belief.of(findings, catalogue)
    steps = belief.steps()
    first = leaders(steps, place_of(top), LEADERS)
    named = [blame.service for blame in blames if blame.service]
    pictures = picked(findings, measures, named[:2] if top.service else (), top.top.supports)
    happened = events(findings.rollouts, diagnosis, top.top if top.service else None)
    candidates = tuple(_candidate(blame, findings, catalogue) for blame in blames)
    blame = {each.service: each.posterior for each in blames if each.service}
    return View(
        title,
        findings,
        diagnosis,
        candidates,
        max(5, min(RANKED, sum(each.posterior >= HARDLY for each in candidates))),
        tuple(
            (shown(place_of(each)), each.posterior)
            for each in diagnosis.services
            if not each.service and each not in blames and each.posterior >= HARDLY
        ),
        clock(findings.scope.onset.timestamp(), seconds=True),
        findings.scope.now.strftime("%Y-%m-%d %H:%M:%S"),
        timeline(findings.scope, pictures, happened),
        pictures,
        happened,
        service_map(findings, blame),
        blame,
        feelings(findings.evidence),
        steps,
        first,
        chart(steps, first),
        tuple(
            _argument(candidate, blame.top, diagnosis, belief)
            for candidate, blame in zip(candidates[:REASONED], blames, strict=False)
        ),
        belief.without(place_of(top)),
        belief.absent(),
    )


def _candidate(blame: Blame, findings: Findings, catalogue: Catalogue) -> Candidate:
    top = blame.top
    means = catalogue.causes[top.cause].means if blame.cause == top.cause else ""
    if blame.service:
        cause = UNCLEAR if blame.cause == "unknown" else blame.cause.replace("_", " ")
        return Candidate(blame.service, blame.service, cause, means, blame.posterior, _change(top, findings))
    what = "Nothing is wrong, as far as can be seen" if top.cause == "no_fault" else "Something that fits no pattern"
    return Candidate("", what, top.cause.replace("_", " "), means, blame.posterior, "")


def _change(hypothesis: Hypothesis, findings: Findings) -> str:
    """The change that a hypothesis blames, in words; empty where it blames none."""
    if hypothesis.change is not None:
        change = hypothesis.change
        sha, when = change.commit.sha[:12], lead_shown(change.lead)
        return f"{change.kind} change {sha} ({change.commit.subject}) by {change.commit.author}, {when}"
    if hypothesis.rollout is not None:
        moved = hypothesis.rollout
        when = lead_shown(lead(moved, findings.scope))
        return f"rollout of {moved.service} from {moved.before} to {moved.after}, begun {when}"
    return ""


def _argument(candidate: Candidate, hypothesis: Hypothesis, diagnosis: Diagnosis, belief: Belief) -> Argument:
    weights = belief.weighed(hypothesis)

    def told(ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
        items: list[Evidence | None] = [diagnosis.find(name) for name in ids]
        return tuple((item.statement, factor(weights.get(item.id, 0.0))) for item in items if item is not None)

    return Argument(candidate, told(hypothesis.supports), told(hypothesis.opposes))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(shipped("templates")),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_honest,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        certainty=certainty, amount=amount, clock=lambda at: clock(at, seconds=True), place=shown, drawing=_drawing
    )
    environment.globals.update(unclear=UNCLEAR)
    return environment


def _drawing(data: str) -> Markup:
    """Path data of ours as it is. Raises ValueError for anything else."""
    if not _PATH.fullmatch(data):
        raise ValueError(f"not the path data of a curve: {data[:80]!r}")
    return Markup(data)  # noqa: S704 - numbers and letters of path commands only


def _honest(value: object) -> object:
    """Text from outside without what is hidden or disguised, and not endless; escaping comes after it."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = visible(" ".join(value[: 4 * LONGEST].split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
