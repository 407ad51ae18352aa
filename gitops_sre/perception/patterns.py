"""Where requests take another course than usual: what follows what within a span, traces and logs together.

Each span tells a short story: the calls that it makes and the lines that it logs, in order of time. How often one event
follows another is counted once a trace, in a fault-free reference and now. A method that returns early ends where it
used to go on; an exception brings error lines; a lost call is missing. The idea to compare such patterns is Nezha's
(Yu et al., ESEC/FSE 2023); what is compared here are conditional frequencies of the next event, by likelihood ratio.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

from gitops_sre.model.evidence import Evidence
from gitops_sre.model.servicemap import CallGraph
from gitops_sre.model.telemetry import LogLine, Span
from gitops_sre.perception.logs import is_error, template

BEGIN, END = "(begins)", "(ends)"
Context = tuple[str, str, str]
"""(service, operation of the span, event)."""
SATURATED = 30.0
"""Traces beyond which more of them add little: a hundred equal requests are not a hundred witnesses."""
MAX_SPANS = 8_000
"""Spans of an incident that are read; more hardly tell more."""
LEAST = 1.5
"""Score from which a change of course counts; below it is chance."""


@dataclass(frozen=True)
class Courses:
    """For each context, in how many traces it was seen and what followed it in how many of them; and in which."""

    seen: Mapping[Context, int]
    following: Mapping[Context, Mapping[str, float]]
    traces: Mapping[tuple[Context, str], frozenset[str]]


@dataclass(frozen=True)
class Break:
    """An event that follows its context more or less often than usual, and the traces in which it goes wrong."""

    context: Context
    event: str
    score: float
    usual: float
    now: float
    traces: frozenset[str]


def read(
    spans: Sequence[Span],
    lines: Sequence[LogLine],
    normal_spans: Sequence[Span],
    normal_lines: Sequence[LogLine],
    at: float,
) -> tuple[Evidence, ...]:
    """One finding for each service whose spans take another course than in the fault-free reference.

    A break that goes along with one further down in the same traces is counted as its consequence. `at` is the moment
    that the findings are about.
    """
    if not spans or not normal_spans:
        return ()
    spans = thinned(spans)
    breaks = _breaks(_reference(tuple(normal_spans), tuple(normal_lines)), courses(spans, lines))
    broken: dict[str, set[str]] = defaultdict(set)
    for each in breaks:
        broken[each.context[0]] |= each.traces
    calls = _calls(spans)
    best: dict[str, tuple[float, Break]] = {}
    for each in breaks:
        service = each.context[0]
        deeper = {trace for other in calls.below(service) for trace in broken.get(other, ())}
        own = 1 - len(each.traces & deeper) / len(each.traces) if each.traces else 1.0
        score = each.score * own
        if score > best.get(service, (0.0, each))[0]:
            best[service] = (score, each)
    return tuple(_evidence(service, score, each, at) for service, (score, each) in sorted(best.items()))


def thinned(spans: Sequence[Span]) -> Sequence[Span]:
    """Every n-th trace, whole, where there are more spans than need be read; the choice is by order, so always the
    same."""
    every = -(-len(spans) // MAX_SPANS)
    if every <= 1:
        return spans
    traces = set(list(dict.fromkeys(span.trace for span in spans))[::every])
    return [span for span in spans if span.trace in traces]


def courses(spans: Sequence[Span], lines: Iterable[LogLine]) -> Courses:
    """What followed what."""
    counts: dict[Context, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for span, events in _stories(spans, lines):
        story = [BEGIN, *events, END]
        for event, following in pairwise(story):
            counts[span.service, span.operation, event][span.trace][following] += 1
    seen: dict[Context, int] = {}
    following_all: dict[Context, dict[str, float]] = {}
    traces: dict[tuple[Context, str], set[str]] = defaultdict(set)
    for context, by_trace in counts.items():
        total: dict[str, float] = defaultdict(float)  # a trace counts once, in parts
        for trace, nexts in by_trace.items():
            size = sum(nexts.values())
            for event, count in nexts.items():
                total[event] += count / size
                traces[context, event].add(trace)
        seen[context] = len(by_trace)
        following_all[context] = total
    return Courses(seen, following_all, {key: frozenset(value) for key, value in traces.items()})


@lru_cache(maxsize=4)
def _reference(spans: tuple[Span, ...], lines: tuple[LogLine, ...]) -> Courses:
    """The fault-free reference, which many questions share."""
    return courses(spans, lines)


def _stories(spans: Sequence[Span], lines: Iterable[LogLine]) -> Iterator[tuple[Span, list[str]]]:
    """Each span with its events: calls made (children) and lines logged, in order of time."""
    by_id = {span.id: span for span in spans}
    events: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for span in spans:
        if span.parent in by_id:
            events[span.parent].append((span.start, f"calls {span.operation}"))
    for line in lines:
        span_of = by_id.get(line.span)
        if span_of is not None and span_of.service == line.service:
            events[line.span].append((line.at, template(line.message)))
    for span in spans:
        yield span, [event for _, event in sorted(events[span.id])]


def _breaks(usual: Courses, now: Courses) -> list[Break]:
    found = []
    for context, count in now.seen.items():
        if context not in usual.seen:
            continue
        before = usual.seen[context]
        events = {*usual.following[context], *now.following[context]}
        for event in sorted(events, key=lambda each: (not _bad(each), each)):  # of equal breaks, an error is told
            then, here = usual.following[context].get(event, 0.0), now.following[context].get(event, 0.0)
            score = surprise(then, before, here, count)
            bad = _bad(event)
            if bad and score >= LEAST:
                traces = now.traces.get((context, event), frozenset())
            elif not bad and score <= -LEAST:
                others = (
                    now.traces.get((context, other), frozenset()) for other in now.following[context] if other != event
                )
                traces = frozenset().union(*others)
            else:
                continue
            found.append(Break(context, event, abs(score), then / before, here / count, traces))
    return found


def _bad(event: str) -> bool:
    """Whether an event is no good: more of it is a break, less of it is none."""
    return event == END or is_error(event)


def surprise(before: float, of_before: float, now: float, of_now: float) -> float:
    """How much more often (above 0) or seldom something happens now, in standard deviations: the signed root of the
    likelihood ratio statistic of two binomials, with saturated counts and half a pseudo trace."""
    thin, dense = 1 / (1 + of_before / SATURATED), 1 / (1 + of_now / SATURATED)
    a, n = before * thin + 0.25, of_before * thin + 0.5
    b, m = now * dense + 0.25, of_now * dense + 0.5
    statistic = 2 * (_log_likelihood(a, n) + _log_likelihood(b, m) - _log_likelihood(a + b, n + m))
    return math.copysign(math.sqrt(max(statistic, 0.0)), b / m - a / n)


def _log_likelihood(count: float, of: float) -> float:
    """Of a binomial at its own rate."""
    rest = max(of - count, 1e-12)
    return count * math.log(count / of) + rest * math.log(rest / of)


def _calls(spans: Sequence[Span]) -> CallGraph:
    """Who calls whom in these requests."""
    by_id = {span.id: span.service for span in spans}
    pairs = {(by_id[span.parent], span.service) for span in spans if span.parent in by_id}
    return CallGraph(sorted(pairs))


def _evidence(service: str, score: float, each: Break, at: float) -> Evidence:
    context, event = each.context, each.event
    return Evidence(
        id=f"pattern/{service}",
        signal="pattern",
        subject=service,
        symptom="high",
        statement=f"in {context[1]} of {service}, {context[2]!r} is followed by {event!r} in {each.now:.0%} of the "
        f"traces, usually in {each.usual:.0%}",
        at=datetime.fromtimestamp(at, UTC),
        value=each.now,
        baseline=each.usual,
        unit="ratio",
        source="traces and logs",
        score=score,
    )
