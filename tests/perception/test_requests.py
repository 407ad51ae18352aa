"""Single requests: logs as templates, courses that break, time lost between services."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import LogLine, Span
from gitops_sre.perception import patterns, traces
from gitops_sre.perception.logs import is_error, template

IDS = count()


def request(
    at: float, *, gap: float = 0.01, early: bool = False, error: bool = False
) -> tuple[list[Span], list[LogLine]]:
    """web calls cart, cart calls db; cart logs what it does. `gap` is lost between web and cart."""
    n = next(IDS)
    trace, web, cart, db = f"t{n}", f"w{n}", f"c{n}", f"d{n}"
    work = 0.05
    spans = [
        Span(trace, web, "", "web", "web-1", "GET /", at, work + gap + 0.02),
        Span(trace, cart, web, "cart", "cart-1", "load", at + gap / 2, work),
    ]
    lines = [LogLine(at + gap / 2 + 0.001, "cart", "cart-1", f"INFO loading cart {n}", trace, cart)]
    if error:
        lines.append(LogLine(at + gap / 2 + 0.002, "cart", "cart-1", f"ERROR cannot read cart {n}", trace, cart))
    if not early:
        spans.append(Span(trace, db, cart, "db", "db-1", "select", at + gap, work / 2))
        lines.append(LogLine(at + gap / 2 + 0.03, "cart", "cart-1", f"INFO loaded {n} items", trace, cart))
    return spans, lines


def many(size: int, **how: float) -> tuple[list[Span], list[LogLine]]:
    found = [request(1000.0 + n, **how) for n in range(size)]  # type: ignore[arg-type] # flags and a gap alike
    return [span for spans, _ in found for span in spans], [line for _, lines in found for line in lines]


def worst(found: tuple[Evidence, ...]) -> Evidence:
    return max(found, key=lambda item: item.score or 0.0)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("12:03:04.567 INFO order 17 for user 42", "23:59:59.001 INFO order 99 for user 7"),
        ("TraceID: ab12 SpanID: cd34 [get][Id: 5]", "TraceID: ffff SpanID: 0000 [get][Id: 77]"),
        ('GET {"id": 5, "name": "x"} done', 'GET {"id": 6, "name": "y"} done'),
        ("took=5ms status=200", "took=17ms status=503"),
        ("peer 10.0.0.1:8080 connected", "peer 192.168.1.77:9 connected"),
    ],
)
def test_lines_of_one_statement_have_one_template(one: str, two: str) -> None:
    assert template(one) == template(two)


def test_lines_of_different_statements_have_different_templates() -> None:
    assert template("INFO order 5 created") != template("INFO order 5 cancelled")


@pytest.mark.parametrize("line", ["ERROR no such cart", "java.lang.NullPointerException: x", "Traceback (most recent"])
def test_errors_are_known_as_such(line: str) -> None:
    assert is_error(template(line))
    assert not is_error(template("INFO no errors found so far"))


def test_a_method_that_returns_early_is_found_at_its_own_service() -> None:
    normal_spans, normal_lines = many(40)
    spans, lines = many(30, early=True)
    found = worst(patterns.read(spans, lines, normal_spans, normal_lines, 2000.0))
    assert found.subject == "cart"
    assert (found.score or 0) > 3


def test_an_exception_is_found_where_it_is_logged() -> None:
    normal_spans, normal_lines = many(40)
    spans, lines = many(30, error=True)
    found = worst(patterns.read(spans, lines, normal_spans, normal_lines, 2000.0))
    assert found.subject == "cart"
    assert "ERROR" in found.statement


def test_the_usual_course_breaks_nothing() -> None:
    normal_spans, normal_lines = many(40)
    spans, lines = many(30)
    assert patterns.read(spans, lines, normal_spans, normal_lines, 2000.0) == ()


def test_a_caller_that_only_follows_its_callee_is_not_blamed() -> None:
    normal_spans, normal_lines = many(40)
    spans, lines = many(30, error=True)
    lines += [
        LogLine(span.start + 0.06, "web", "web-1", "ERROR cart failed", span.trace, span.id)
        for span in spans
        if span.service == "web"
    ]
    scores = {item.subject: item.score or 0 for item in patterns.read(spans, lines, normal_spans, normal_lines, 2000.0)}
    assert scores["cart"] > scores.get("web", 0)


def test_nothing_is_said_without_a_reference_or_requests() -> None:
    spans, lines = many(3)
    assert patterns.read([], [], spans, lines, 0.0) == ()
    assert patterns.read(spans, lines, [], [], 0.0) == ()
    assert traces.read([], spans, 0.0) == ()


def test_orphans_and_partial_traces_are_borne() -> None:
    normal_spans, normal_lines = many(40)
    spans, lines = many(30, early=True)
    orphans = [replace_parent(span) for span in spans if span.service == "cart"][:5]
    found = patterns.read([*spans[2:], *orphans], lines, normal_spans, normal_lines, 2000.0)
    assert worst(found).subject == "cart"


def replace_parent(span: Span) -> Span:
    return span._replace(id=f"{span.id}-x", parent="gone")


def test_a_service_that_calls_wait_for_is_found_by_the_gap() -> None:
    normal, _ = many(30)
    slow, _ = many(20, gap=0.4)
    found = {item.subject: item for item in traces.read(slow, normal, 2000.0)}
    assert (found["cart"].score or 0) > 10
    assert (found["db"].score or 0) < 5
    assert replace(found["cart"], score=0.0).unit == "s"


def test_a_time_range_is_thinned_by_whole_traces() -> None:
    spans, _ = many(patterns.MAX_SPANS)
    thin = patterns.thinned(spans)
    assert len(thin) <= patterns.MAX_SPANS + 3  # the last trace is whole too
    assert {span.trace for span in thin if span.service == "db"} == {span.trace for span in thin}
