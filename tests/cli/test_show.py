"""Incidents at a terminal: everything that is known, and nothing that a terminal would obey."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from gitops_sre.cli import show
from gitops_sre.model.incident import State
from gitops_sre.ports import LedgerEntry
from tests import builders

NASTY = "[/bold]\x1b]0;owned\x07 [red]\u202e"


def printed(*parts: RenderableType) -> str:
    """As it comes out, without styles."""
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(*parts)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("state", State)
def test_an_incident_in_any_state_can_be_shown(state: State) -> None:
    incident = builders.incident(state)
    assert incident.id in printed(show.incident(incident))
    assert state.value in printed(show.overview([incident]))


def test_an_incident_shows_plan_diff_and_verdict() -> None:
    text = printed(show.incident(builders.incident(State.VERIFYING)))
    for part in ("Plan: rollback_image", builders.proof().diff.splitlines()[0], "Blast radius", "Verdict: L4"):
        assert part in text


def test_what_came_from_outside_stays_text() -> None:
    incident = builders.incident(State.RECEIVED, alerts=(builders.alert(name=NASTY),), reason=NASTY)
    entry = LedgerEntry(1, incident.id, builders.NOW, "Triaged", "received", "received", NASTY, "0" * 64, "1" * 64)
    text = printed(show.overview([incident]), show.incident(incident), show.ledger([entry]))
    assert "[red]" in text
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("detail", "why"), [('{"why": "so"}', "so"), ("{}", ""), ("[1]", "[1]"), ("as it is", "as it is")]
)
def test_the_ledger_tells_why(detail: str, why: str) -> None:
    entry = LedgerEntry(1, "inc-1", builders.NOW, "Triaged", "received", "received", detail, "0" * 64, "1" * 64)
    assert show.why(entry) == why
