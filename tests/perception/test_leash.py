"""PromQL by somebody who is not trusted with it."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.outcome import Refused
from gitops_sre.perception.leash import MAX_TEXT, bounded


@pytest.mark.parametrize(
    "query",
    [
        "up",
        'sum by (pod) (rate(http_requests_total{service="checkout",code=~"5.."}[5m]))',
        "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[1h] offset 7d)))",
        '{__name__="up"}',
        "(a / on (pod) b) > 1 or c unless d",
    ],
)
def test_what_is_asked_on_means_the_same(query: str) -> None:
    written = bounded(query)
    assert isinstance(written, str)
    assert bounded(written) == written
    assert promql_parser.parse(written).prettify() == promql_parser.parse(query).prettify()


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "not PromQL"),
        ("sum(", "not PromQL"),
        ("up; drop table", "not PromQL"),
        ("http://169.254.169.254/latest", "not PromQL"),
        ("1", "must select series"),
        ("time()", "must select series"),
        ('"text"', "is no answer"),
        ("up[5m]", "is no answer"),
        ('{job=~".+"}', "name its metric"),
        ('{__name__=~"http.*"}', "name its metric"),
        ('sum({job="x" or __name__="up"})', "name its metric"),
        ("rate(up[2h])", "range is at most"),
        ("up offset 15d", "offset is at most"),
        ("up offset -15d", "offset is at most"),
        ("up @ 0", "@ is not allowed"),
        ("max_over_time(up[1h:1s])", "query within the query"),
        (" + ".join(["up"] * 9), "at most 8 times"),
        ("a" * (MAX_TEXT + 1), "longer than"),
        ("(" * 400 + "up" + ")" * 400, "nested deeper"),
    ],
)
def test_what_is_beyond_the_bounds_is_refused_with_the_reason(query: str, why: str) -> None:
    said = bounded(query)
    assert isinstance(said, Refused)
    assert why in said.reason


@given(st.text(alphabet="abup_{}[]()\"'=~!@:,+-*/ 0159smhd\n\\\u0000é", max_size=60))
def test_whatever_it_is_it_is_bounded_or_refused(text: str) -> None:
    said = bounded(text)
    assert isinstance(said, Refused) or bounded(said) == said
