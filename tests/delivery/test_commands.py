"""Which comments are orders, and what they ask for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.delivery.commands import LONGEST_HOLD, parse
from gitops_sre.model.command import Order


@pytest.mark.parametrize("verb", ["help", "explain", "why-not", "retry", "hold", "resume", "revert", "close"])
def test_a_line_of_its_own_is_an_order(verb: str) -> None:
    said = parse(f"Thanks!\n\n/sre {verb}\nI will have a look later.")
    assert said is not None
    assert said.verb == verb


@pytest.mark.parametrize(
    ("body", "span"),
    [
        ("/sre hold for 2h", timedelta(hours=2)),
        ("/sre hold 30 min", timedelta(minutes=30)),
        ("/SRE Hold for 1 day", timedelta(days=1)),
        ("/sre hold for 90d", LONGEST_HOLD),
        ("/sre hold", None),
    ],
)
def test_a_hold_lasts_as_long_as_was_said_and_a_week_at_most(body: str, span: timedelta | None) -> None:
    said = parse(body)
    assert said is not None
    assert (said.verb, said.span) == ("hold", span)


@pytest.mark.parametrize(
    "body",
    [
        "> /sre close",
        "    /sre close",
        "```\n/sre close\n```",
        "~~~text\n/sre close\n~~~",
        "````\n```\n/sre close\n```\n````",
        "<!-- \n/sre close\n-->",
        "please do not /sre close this",
        "/srevert",
        "",
    ],
)
def test_what_is_quoted_shown_or_only_mentioned_is_no_order(body: str) -> None:
    assert parse(body) is None


@pytest.mark.parametrize("rest", ["frobnicate", "close now", "hold for ever", "hold for 0h", "revert --force"])
def test_what_is_not_understood_is_answered_with_what_was_written(rest: str) -> None:
    assert parse(f"/sre {rest}") == Order("", word=rest)


def test_without_a_verb_it_is_a_call_for_help() -> None:
    assert parse("/sre") == Order("help", word="help")


def test_only_the_first_order_counts() -> None:
    said = parse("/sre hold\n/sre close")
    assert said is not None
    assert said.verb == "hold"


@given(st.text())
def test_no_comment_breaks_the_reading(body: str) -> None:
    said = parse(body)
    assert said is None or len(said.word) <= 40
