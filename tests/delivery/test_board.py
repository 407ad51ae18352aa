"""The dashboard's text."""

from __future__ import annotations

from gitops_sre.delivery.board import Opened, board
from gitops_sre.model.incident import State
from gitops_sre.model.verdict import Level
from tests import builders as b

PATH = ".gitops-sre/policies"


def test_what_is_open_stands_with_what_it_waits_for() -> None:
    waiting = b.incident(State.AWAITING_APPROVAL, Level.L3)
    text = board([waiting], {waiting.id: "pull request #7 waits for alice"}, (), PATH).body
    assert "| `checkout (staging)`: `HighErrorRate` | awaiting approval (L3) |" in text
    assert "waits for alice." in text
    assert "#7" in text
    assert "Nothing is opened" in text


def test_what_has_ended_stands_with_its_outcome() -> None:
    done = b.incident(State.RESOLVED, concluded=True, reason="the SLO is back")
    text = board([done], {}, (), PATH).body
    assert "No incident is open." in text
    assert "resolved: the SLO is back." in text


def test_what_policy_opens_is_listed_and_a_broken_policy_is_said() -> None:
    levels = [Opened("rollback_*", "staging", "*", "*", Level.L4)]
    assert "| `rollback_*` | `staging` | `*` | `*` | L4 |" in board([], {}, levels, PATH).body
    text = board([], {}, (), PATH, "ladder.yaml:3:1: unknown key").body
    assert "nothing is changed" in text
    assert "ladder.yaml:3:1: unknown key." in text


def test_text_from_outside_is_harmless() -> None:
    odd = b.incident(State.ESCALATED, reason="@everyone ![x](https://evil.example/x.png) | a | b")
    text = board([odd], {}, (), PATH).body
    assert "@everyone" not in text
    assert "https://evil" not in text


def test_it_stays_below_githubs_limit() -> None:
    many = [b.incident(State.ESCALATED, concluded=True, reason="x" * 600, id=f"inc-{n}") for n in range(100)]
    assert len(board(many, {}, (), PATH).body) < 65_000


def test_the_same_facts_are_the_same_text() -> None:
    one = b.incident(State.MERGING)
    assert board([one], {}, (), PATH) == board([one], {}, (), PATH)
