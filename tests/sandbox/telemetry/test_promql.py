"""Everything outside the documented grammar is refused, with a message that says where."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.sandbox.telemetry import promql
from gitops_sre.sandbox.telemetry.evaluate import Evaluation
from gitops_sre.sandbox.telemetry.nodes import Aggregate, Binary, QueryError, Selector
from gitops_sre.sandbox.telemetry.promql import parse, parse_duration
from gitops_sre.sandbox.telemetry.store import Store

OUTSIDE = (
    "",
    "   # only a comment",
    ")",
    "up up",
    "up{",
    "up}",
    "(up",
    'up{service="web"',
    "up{service=web}",
    'up{service=="web"}',
    'up{"service"="web"}',
    '{"up"}',
    'up{__name__="up"}',
    "{}",
    '{service=""}',
    '{service=~".*"}',
    "up[0s]",
    "up[5]",
    "up[5m",
    "up[1m1h]",
    "up[1.5m]",
    "up[5m:1m]",
    "up[5m][5m]",
    "(up)[5m]",
    "up @ 1600000000",
    "up offset 5",
    "(up) offset 5m",
    "rate(up)",
    "rate(up[5m]",
    "rate(up[5m], 2)",
    "rate(sum(up)[5m])",
    "rate()",
    "irate(up[5m])",
    "RATE(up[5m])",
    "abs(up)",
    "vector(1)",
    "scalar(up)",
    'label_replace(up, "a", "b", "c", "d")',
    "time(1)",
    "histogram_quantile(up)",
    "histogram_quantile(up, up)",
    "histogram_quantile(0.9, 1)",
    "histogram_quantile(0.9, up[5m])",
    "sum",
    "sum(1)",
    "sum(up[5m])",
    "sum(up, up)",
    "sum by (a) (up) by (b)",
    "sum by service (up)",
    "sum by (a:b) (up)",
    "sum without (service) (up)",
    "topk(3, up)",
    "quantile(0.5, up)",
    "up ^ 2",
    "up % 2",
    "up atan2 up",
    "up > bool 1",
    "up + on(service) up",
    "up + ignoring(service) up",
    "up * on(service) group_left up",
    "1 > 2",
    "up and 1",
    "1 or up",
    "up[5m] + 1",
    "-up[5m]",
    "--up",
    "up =~ up",
    "0x1f",
    "010",
    "1_000",
    "5m",
    '"text"',
    'up{service="\\x41"}',
    'up{service="a\nb"}',
    'up{service="unclosed}',
    'up{service=~"("}',
    'up{service=~"(?i)web"}',
    'up{service=~"(?P<x>web)"}',
    'up{service=~"(?=w)web"}',
    'up{service=~"(w)\\\\1"}',
    'up{service=~"\\\\bweb"}',
    'up{service=~"w++"}',
    'up{service=~"w{,3}"}',
    'up{service=~"w{1000}"}',
    'up{service=~"[[:alpha:]]"}',
    "up$",
    "üp",
    "(" * 60 + "up" + ")" * 60,
    " + ".join(["up"] * 300),
)


_SYMBOLS = [*'up{}()[]=~!"\\a1.5m,+-*/<>', "sum", " by ", "rate", " or "]


@pytest.mark.parametrize("query", OUTSIDE)
def test_a_query_outside_the_grammar_is_refused_with_a_message(query: str) -> None:
    with pytest.raises(QueryError) as refusal:
        parse(query)
    assert refusal.value.kind == "bad_data"
    assert len(str(refusal.value)) > 10


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_SYMBOLS), max_size=25).map("".join)))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with suppress(QueryError):
        assert parse(text).kind in ("scalar", "vector", "matrix")


def test_the_deepest_and_the_longest_query_can_be_evaluated() -> None:
    for query in ("sum(" * 49 + "up" + ")" * 49, "-(" * 49 + "up" + ")" * 49, " + ".join(["up"] * 249)):
        assert Evaluation(parse(query), Store(), 0, 0).vector(0) == []


def test_the_message_names_the_place() -> None:
    with pytest.raises(QueryError, match=r"at char 8: expected '\)', found the end of the query"):
        parse("sum(up ")


def test_multiplication_binds_tighter_than_addition_and_that_than_comparison() -> None:
    node = parse("a + b * c > d")
    assert isinstance(node, Binary)
    assert node.operator == ">"
    assert isinstance(node.left, Binary)
    assert node.left.operator == "+"


def test_keywords_come_in_any_case_and_by_on_either_side() -> None:
    for query in ("SUM BY (a, b) (up)", "sum(up) by (a, b)", "Sum By (a, b,) (up)"):
        node = parse(query)
        assert isinstance(node, Aggregate)
        assert (node.operator, node.by) == ("sum", ("a", "b"))


def test_strings_are_unescaped() -> None:
    node = parse(r"""{a="x\"\\\n", b='it\'s', c=`\d`}""")
    assert isinstance(node, Selector)
    assert [matcher.value for matcher in node.matchers] == ['x"\\\n', "it's", r"\d"]


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("6s", 6000), ("1h30m", 5_400_000), ("500ms", 500), ("1d", 86_400_000)]
)
def test_durations_are_milliseconds(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


def test_every_word_of_the_documented_grammar_is_accepted() -> None:
    assert promql.__doc__ is not None
    for query in (
        "histogram_quantile(0.9, sum by (le) (rate(b[6s] offset -1m)))",
        "a unless b and c or d",
        "min_over_time(a[1h]) / max_over_time(a[1h]) * avg_over_time(a[1h])",
        "increase(a[1m]) - time()",
        "avg(a) + min(b) + max(c) + count(d)",
        "-a == +Inf",
    ):
        assert parse(query).kind == "vector"
