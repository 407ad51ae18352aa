"""A PromQL query by somebody who is not trusted with one: parsed, held to bounds, and written anew.

What is sent on is what the parser has understood, never the text that came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import promql_parser as promql

from gitops_sre.model.outcome import Refused

MAX_TEXT = 1000
"""Characters of a query."""
MAX_SELECTORS = 8
MAX_DEPTH = 20
MAX_RANGE = timedelta(hours=1)
"""Of what is averaged over at each point; the points themselves are few."""
MAX_OFFSET = timedelta(days=14)
_PARTS = ("expr", "param", "lhs", "rhs", "vector_selector")
_NONE = timedelta(0)


def bounded(text: str) -> str | Refused:
    """The query in the parser's own words. Refused: what is no query, is too long, selects series without naming a
    metric, reaches too far, or asks for queries within the query."""
    if len(text) > MAX_TEXT:
        return Refused(f"longer than {MAX_TEXT} characters")
    try:
        parsed = promql.parse(text)
    except ValueError as error:
        return Refused(f"not PromQL: {error}")
    parts = tuple(_parts(parsed))
    if any(depth > MAX_DEPTH for depth, _ in parts):
        return Refused(f"nested deeper than {MAX_DEPTH}")
    if isinstance(parsed, promql.MatrixSelector | promql.StringLiteral):
        return Refused("a range of samples or a text is no answer: use a function such as rate() on it")
    selectors = [part for _, part in parts if isinstance(part, promql.VectorSelector)]
    if not selectors or len(selectors) > MAX_SELECTORS:
        return Refused(f"must select series, at most {MAX_SELECTORS} times")
    why = next((why for _, part in parts if (why := _beyond(part))), "")
    return Refused(why) if why else str(parsed.prettify())


def _parts(expression: promql.Expr, depth: int = 0) -> Iterator[tuple[int, promql.Expr]]:
    """An expression and all below it, to just beyond the greatest depth, each with its depth."""
    yield depth, expression
    if depth > MAX_DEPTH:
        return
    below = [getattr(expression, name, None) for name in _PARTS]
    for part in (*below, *getattr(expression, "args", ())):
        if isinstance(part, promql.Expr):
            yield from _parts(part, depth + 1)


def _beyond(part: promql.Expr) -> str:
    """Which bound a part of a query is beyond, or an empty string."""
    if isinstance(part, promql.SubqueryExpr):
        return "a query within the query is not allowed"
    if isinstance(part, promql.MatrixSelector) and part.range > MAX_RANGE:
        return f"a range is at most {MAX_RANGE}"
    if isinstance(part, promql.VectorSelector):
        if not _names_a_metric(part):
            return "every selector must name its metric"
        if part.at is not None:
            return "@ is not allowed: the time is that of the incident"
        if abs(part.offset or _NONE) > MAX_OFFSET:
            return f"an offset is at most {MAX_OFFSET.days} days"
    return ""


def _names_a_metric(selector: promql.VectorSelector) -> bool:
    given = (*selector.matchers.matchers, *(each for group in selector.matchers.or_matchers for each in group))
    exact = any(each.name == "__name__" and each.op == promql.MatchOp.Equal and each.value for each in given)
    return bool(selector.name) or (exact and not selector.matchers.or_matchers)
