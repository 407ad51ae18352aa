"""From telemetry to findings: ask the sources and look at everything at once. Reads only.

Live incidents and recorded cases go through here alike; what differs is only who answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from gitops_sre.model.change_feed import Rollout
from gitops_sre.model.evidence import Answer, Evidence, Gap, Scope
from gitops_sre.model.findings import Findings
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.telemetry import LogLine, Span
from gitops_sre.perception import patterns, presets, servicemap, traces
from gitops_sre.perception.lasting import lasting
from gitops_sre.perception.survey import survey
from gitops_sre.ports import Logs, Metrics, Traces


@dataclass(frozen=True)
class Question:
    """What is asked. `history` is how far back metrics are looked at, `quiet_until` until when all is taken to have
    been well at least, `asked` the moment of asking. `service` is the one that alerts, or empty."""

    history: datetime
    quiet_until: datetime
    asked: datetime
    step: float
    service: str = ""
    environment: str = ""


@dataclass(frozen=True)
class Sources:
    """Who answers. `presets` are the instrumentations that the metrics source has; `edges` declared (caller, callee)
    pairs; `normal_spans` and `normal_lines` a fault-free reference, where the sources' own past is not it."""

    metrics: Metrics
    presets: Sequence[str]
    traces: Traces | None = None
    logs: Logs | None = None
    edges: tuple[tuple[str, str], ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    normal_spans: tuple[Span, ...] = ()
    normal_lines: tuple[LogLine, ...] = ()


def gather(question: Question, sources: Sources, queries: presets.Catalogue) -> Findings:
    """Ask every source at once and read the answers. What does not answer is a gap."""
    asked = queries.queries(sources.presets, question.history, question.asked, question.step, window=question.step)
    with ThreadPoolExecutor(max_workers=3) as pool:
        spans = pool.submit(_spans, question, sources.traces)
        lines = pool.submit(_lines, question, sources.logs)
        answers = sources.metrics.ask(asked)
        seen, said = spans.result(), lines.result()
    measures = queries.measures(answer for answer in answers if isinstance(answer, Answer))
    gaps = [
        Gap(query.id, "metrics", question.service, answer)
        for query, answer in zip(asked, answers, strict=True)
        if isinstance(answer, Unavailable)
    ]
    gaps += [
        Gap(name, name, question.service, got)
        for name, got in (("traces", seen), ("logs", said))
        if isinstance(got, Unavailable)
    ]
    gaps.append(Gap("changes", "changes", question.service, Unavailable("no change feed is known for this")))
    known = servicemap.draw(
        measures,
        () if isinstance(seen, Unavailable) else seen,
        sources.normal_spans,
        sources.edges,
        (question.history.timestamp(), question.quiet_until.timestamp(), question.asked.timestamp()),
    )
    edges = known.sure(servicemap.CERTAIN).pairs
    looked = survey(
        measures,
        edges,
        question.history.timestamp(),
        question.asked.timestamp(),
        question.quiet_until.timestamp(),
        question.service,
        sources.rollouts,
    )
    scope = Scope(
        question.service,
        question.environment,
        "",
        onset=datetime.fromtimestamp(looked.onset, UTC),
        now=question.asked,
        baseline_start=question.history,
        baseline_end=question.quiet_until,
    )
    now = lasting(measures, question.history.timestamp(), question.asked.timestamp(), looked.onset, question.service)
    evidence = (*looked.evidence, *now, *_followed(seen, said, sources, looked.onset))
    return Findings(scope, evidence, tuple(gaps), edges, sources.rollouts, measures=measures, service_map=known)


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
