"""From telemetry to findings: ask the sources and look at everything at once. Reads only.

Live incidents and recorded cases go through here alike; what differs is only who answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gitops_sre.model.change_feed import ChangeRecord, Rollout
from gitops_sre.model.evidence import Answer, Evidence, Gap, Scope
from gitops_sre.model.findings import Findings
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.servicemap import ServiceMap
from gitops_sre.model.telemetry import ClusterEvent, LogLine, Measure, Span
from gitops_sre.perception import events, patterns, presets, rollouts, seasons, servicemap, traces
from gitops_sre.perception.lasting import lasting
from gitops_sre.perception.pace import Pace
from gitops_sre.perception.secondhand import stand_in
from gitops_sre.perception.settling import FELT
from gitops_sre.perception.survey import survey
from gitops_sre.ports import Logs, Metrics, Traces
from gitops_sre.reasoning.diagnose import CHANGES_GAP

EVENTS = "events"
"""Signal of the gap where the cluster's events cannot be read."""
METRICS = "metrics"
"""Signal of the gaps that metrics leave."""
UNSEEN = "symptoms"
"""The gap where nothing tells how the users of the service fare: what cannot be seen to be well is not taken to be."""


@dataclass(frozen=True)
class Question:
    """What is asked. `history` is how far back metrics are looked at, `quiet_until` until when all is taken to have
    been well at least, `asked` the moment of asking. `service` is the one that alerts, or empty.

    `step` is the resolution and `window` the range of rates in seconds (the step where None). Metrics are narrowed to
    `environment` and `namespaces` (names or globs) where these are given. `haste` is 1 where incidents are a matter of
    minutes; more in a world in a hurry (see perception.pace). `seasonal`: the same hour of earlier days is asked about
    too.
    """

    history: datetime
    quiet_until: datetime
    asked: datetime
    step: float
    service: str = ""
    environment: str = ""
    window: float | None = None
    namespaces: tuple[str, ...] = ()
    haste: float = 1.0
    seasonal: bool = False

    @property
    def span(self) -> presets.Range:
        """What metrics are asked for."""
        window = self.step if self.window is None else self.window
        place = (self.environment if self.namespaces else "", self.namespaces)
        return presets.Range(self.history, self.asked, self.step, window, "", *place)


@dataclass(frozen=True)
class Sources:
    """Who answers. `presets` are the instrumentations that the metrics source has, where that is known without asking;
    `edges` declared (caller, callee) pairs; `normal_spans` and `normal_lines` are a fault-free reference, where the
    sources' own past is not it; `remembered` is the map that earlier incidents left."""

    metrics: Metrics
    presets: Sequence[str] = ()
    traces: Traces | None = None
    logs: Logs | None = None
    edges: tuple[tuple[str, str], ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    normal_spans: tuple[Span, ...] = ()
    normal_lines: tuple[LogLine, ...] = ()
    remembered: ServiceMap = field(default_factory=ServiceMap)


def gather(question: Question, sources: Sources, queries: presets.Catalogue) -> Findings:
    """Ask every source at once and read the answers. What does not answer is a gap."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        spans = pool.submit(_spans, question, sources.traces)
        lines = pool.submit(_lines, question, sources.logs)
        answers, gaps = _asked(question, sources, queries)
        seen, said = spans.result(), lines.result()
    measures = stand_in(queries.measures(answers), question.asked.timestamp(), question.step)
    gaps += [
        Gap(name, name, question.service, got)
        for name, got in (("traces", seen), ("logs", said))
        if isinstance(got, Unavailable)
    ]
    if question.service and not any(item.service == question.service and item.signal in FELT for item in measures):
        why = Unavailable(f"neither errors nor latency of {question.service} are known")
        gaps.append(Gap(UNSEEN, METRICS, question.service, why))
    gaps.append(Gap(CHANGES_GAP, CHANGES_GAP, question.service, Unavailable("no change feed is known for this")))
    known = servicemap.draw(
        measures,
        () if isinstance(seen, Unavailable) else seen,
        sources.normal_spans,
        sources.edges,
        (question.history.timestamp(), question.quiet_until.timestamp(), question.asked.timestamp()),
    )
    edges = servicemap.relied_on(sources.remembered, known)
    days, missing = _earlier(question, sources, queries, answers)
    quiet = (question.history.timestamp(), question.quiet_until.timestamp())
    unusual, usual = seasons.discounted(measures, days, *quiet)
    gaps += missing
    onset, evidence = _looked(question, sources, unusual, edges)
    scope = Scope(
        question.service,
        question.environment,
        "",
        onset=datetime.fromtimestamp(onset, UTC),
        now=question.asked,
        baseline_start=question.history,
        baseline_end=question.quiet_until,
    )
    evidence = (*evidence, *usual, *_followed(seen, said, sources, onset))
    return Findings(scope, evidence, tuple(gaps), edges, sources.rollouts, measures=measures, service_map=known)


def _earlier(
    question: Question, sources: Sources, queries: presets.Catalogue, answers: Sequence[Answer]
) -> tuple[list[tuple[Measure, ...]], list[Gap]]:
    """What was measured at the same hour of earlier days, and the gap where that is not answered. Days of which nothing
    is kept are empty, and no gap: a new service has no past."""
    same = seasons.again(answers, queries.rows) if question.seasonal else ()
    if not same:
        return [], []
    asked = [seasons.earlier(query, days) for days in seasons.DAYS for query in same]
    got = sources.metrics.ask(asked)
    days = []
    for number, ago in enumerate(seasons.DAYS):
        part = got[number * len(same) : (number + 1) * len(same)]
        days.append(seasons.moved(queries.measures(each for each in part if isinstance(each, Answer)), ago))
    missing = next((each for each in got if isinstance(each, Unavailable)), None)
    return days, [Gap("seasons", METRICS, question.service, missing)] if missing else []


def _looked(
    question: Question, sources: Sources, measures: tuple[Measure, ...], edges: tuple[tuple[str, str], ...]
) -> tuple[float, tuple[Evidence, ...]]:
    """The onset in epoch seconds, and what all series together show."""
    asked = question.asked.timestamp()
    pace = Pace(asked, question.haste)
    start, quiet = (pace.out(at.timestamp()) for at in (question.history, question.quiet_until))
    rows = pace.measures(measures)
    looked = survey(rows, edges, start, asked, quiet, question.service, pace.rollouts(sources.rollouts))
    now = lasting(rows, start, asked, looked.onset, question.service)
    return pace.back(looked.onset), pace.evidence((*looked.evidence, *now))


def blind(found: Findings) -> str:
    """Why there is not a single series to look at, or an empty string."""
    if found.measures:
        return ""
    return next((gap.why.reason for gap in found.gaps if gap.signal == METRICS), "")


def with_events(found: Findings, warned: tuple[ClusterEvent, ...] | Unavailable, reach: timedelta) -> Findings:
    """Findings with what the cluster warned of since `reach` before the onset, or a gap."""
    scope = found.scope
    if isinstance(warned, Unavailable):
        return replace(found, gaps=(*found.gaps, Gap(EVENTS, EVENTS, scope.service, warned)))
    seen = events.read(warned, scope.onset - reach, scope.now)
    return replace(found, evidence=events.beside(found.evidence, seen))


def with_changes(found: Findings, changed: tuple[ChangeRecord, ...] | Unavailable, skew: float) -> Findings:
    """Findings with the change feed: each change with the rollout that it made, or a gap. `skew` is by how many seconds
    clocks may differ."""
    gaps = tuple(gap for gap in found.gaps if gap.signal != CHANGES_GAP)
    if isinstance(changed, Unavailable):
        return replace(found, gaps=(*gaps, Gap(CHANGES_GAP, CHANGES_GAP, found.scope.service, changed)))
    return replace(found, gaps=gaps, changes=rollouts.match(changed, found.rollouts, timedelta(seconds=skew)))


def _asked(question: Question, sources: Sources, queries: presets.Catalogue) -> tuple[tuple[Answer, ...], list[Gap]]:
    """Answers to what the metrics source can be asked, wave by wave, and what is missing of them. A source of which the
    whole first wave gets no answer is not asked on."""

    def gap(name: str, why: Unavailable) -> Gap:
        return Gap(name, METRICS, question.service, why)

    names = sources.metrics.names()
    if isinstance(names, Unavailable):
        return (), [gap(METRICS, names)]
    plan = presets.plan(queries, sources.presets or queries.recognised(names), question.span, metric_names=names)
    if not plan.waves:
        return (), [gap(METRICS, Unavailable(f"none of its {len(names)} metrics is known: see docs/signals.md"))]
    found: list[Answer] = []
    gaps = [gap("left_out", Unavailable(f"too much to ask: {', '.join(plan.left_out)}"))] if plan.left_out else []
    for wave, answers in zip(plan.waves, presets.gather(plan, sources.metrics), strict=False):
        found += (answer for answer in answers if isinstance(answer, Answer))
        missing = [
            gap(query.id, answer)
            for query, answer in zip(wave, answers, strict=True)
            if isinstance(answer, Unavailable)
        ]
        gaps += missing
        if not found:
            break
    return tuple(found), gaps


def _followed(
    seen: tuple[Span, ...] | Unavailable, said: tuple[LogLine, ...] | Unavailable, sources: Sources, onset: float
) -> tuple[Evidence, ...]:
    """What single requests show, against a fault-free reference."""
    if isinstance(seen, Unavailable):
        return ()
    lines = () if isinstance(said, Unavailable) else said
    return (
        *traces.read(seen, sources.normal_spans, onset),
        *patterns.read(seen, lines, sources.normal_spans, sources.normal_lines, onset),
    )


def _spans(question: Question, traces: Traces | None) -> tuple[Span, ...] | Unavailable:
    return traces.spans(question.quiet_until, question.asked) if traces else ()


def _lines(question: Question, logs: Logs | None) -> tuple[LogLine, ...] | Unavailable:
    return logs.lines(question.quiet_until, question.asked) if logs else ()
