"""Which of GitHub's events matter, by the real payloads and by ones that nobody should send."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.delivery.webhooks import EVENTS, Happening, read
from tests.webhooks import examples

REPOSITORY = {"full_name": "Acme/Infra"}


def test_every_event_that_is_used_is_read_from_a_real_payload() -> None:
    found = Counter(event for event, payload in examples() if read(event, payload) is not None)
    assert set(found) == set(EVENTS)


def test_a_comments_number_is_the_pull_requests_or_the_issues() -> None:
    for event, payload in examples():
        heard = read(event, payload)
        if event == "issue_comment" and heard is not None:
            assert heard.repository == payload["repository"]["full_name"].lower()
            assert (heard.numbers, heard.comment) == (frozenset({payload["issue"]["number"]}), True)
        if event.startswith("pull_request") and heard is not None:
            assert heard.numbers == {payload["pull_request"]["number"]}
            assert not heard.comment


_OTHER: tuple[Any, ...] = (None, [], {}, 0, "x")


def _broken(value: Any) -> Iterator[Any]:
    """The payload once for each key, with that key gone, null, or of another type; two levels deep."""
    for key in list(value):
        yield from ({**value, key: other} for other in _OTHER)
        yield {k: v for k, v in value.items() if k != key}
        if isinstance(value[key], dict):
            for inner in list(value[key]):
                changed = copy.copy(value)
                changed[key] = {**value[key], inner: None}
                yield changed


def test_no_missing_or_null_field_breaks_the_reading() -> None:
    first = {event: payload for event, payload in reversed(examples()) if event in EVENTS}
    for event, payload in first.items():
        for broken in _broken(payload):
            heard = read(event, broken)
            assert heard is None or all(isinstance(number, int) for number in heard.numbers)


def test_bots_give_no_orders() -> None:
    comment = {
        "action": "created",
        "issue": {"number": 7},
        "repository": REPOSITORY,
        "sender": {"login": "gitops-sre[bot]", "type": "Bot"},
    }
    assert read("issue_comment", comment) is None
    person = {**comment, "sender": {"login": "alice", "type": "User"}}
    assert read("issue_comment", person) == Happening("acme/infra", frozenset({7}), comment=True)


@pytest.mark.parametrize("event", ["star", "ping", "installation", "", "issue_comment\n"])
def test_other_events_do_not_matter(event: str) -> None:
    assert read(event, {"action": "created", "repository": REPOSITORY}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(EVENTS)), JSON)
def test_whatever_is_sent_is_read_or_left_alone(event: str, payload: object) -> None:
    read(event, payload)
