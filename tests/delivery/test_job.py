"""The summary of a scheduled pass."""

from __future__ import annotations

from datetime import timedelta

from gitops_sre.delivery.job import failure, idle, summary
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.usage import Usage
from gitops_sre.ports import LedgerEntry
from tests import builders as b
from tests.delivery.sample import T0

SPENT = Usage(9, 2, 1, 1)


def went(incident: Incident, *states: str) -> list[LedgerEntry]:
    """A ledger in which it enters a state each minute."""
    return [
        LedgerEntry(n, incident.id, T0 + timedelta(minutes=n), "Event", "", state, "{}", "", "")
        for n, state in enumerate(states)
    ]


def test_what_is_open_and_what_has_ended_stand_in_tables() -> None:
    waiting = b.incident(State.AWAITING_APPROVAL, id="inc-1", reason="#7 waits for alice")
    done = b.incident(State.RESOLVED, id="inc-2", concluded=True, reason="the SLO is back")
    text = summary("acme/infra", [waiting, done], {}, T0, spent=SPENT)
    assert "### gitops-sre: `acme/infra`" in text
    assert "| `inc-1` | `checkout (staging)`: `HighErrorRate` | awaiting approval" in text
    assert "resolved: the SLO is back." in text
    assert "GitHub was asked: 11 reads (2 unchanged), 1 write, 1 token." in text
    assert "mermaid" not in text


def test_the_chart_has_a_bar_for_each_state_until_the_next_one() -> None:
    one = b.incident(State.SYNCING, id="inc-1")
    entries = {"inc-1": went(one, "investigating", "investigating", "awaiting_approval", "syncing")}
    text = summary("acme/infra", [one], entries, T0 + timedelta(minutes=10), spent=SPENT)
    chart = text.partition("```mermaid\n")[2].partition("\n```")[0].splitlines()
    assert chart == [
        "gantt",
        "  dateFormat YYYY-MM-DDTHH:mm:ss",
        "  axisFormat %d %b %H:%M",
        "  section inc-1",
        "  investigating :2026-11-03T02:40:00, 2026-11-03T02:42:00",
        "  awaiting approval :2026-11-03T02:42:00, 2026-11-03T02:43:00",
        "  syncing :2026-11-03T02:43:00, 2026-11-03T02:50:00",
    ]


def test_the_chart_of_what_has_ended_does_not_grow() -> None:
    done = b.incident(State.RESOLVED, id="inc-2", concluded=True)
    entries = {"inc-2": went(done, "verifying", "resolved")}
    texts = {summary("acme/infra", [done], entries, T0 + timedelta(hours=n), spent=SPENT) for n in (1, 2)}
    assert len(texts) == 1


def test_what_could_not_be_done_is_said_and_is_harmless() -> None:
    text = failure("Prometheus: time-out\n```\n@everyone <img src=x>")
    assert text.startswith("### gitops-sre\n\n**Not all could be done:**\n\n````text\n")
    assert text.endswith("\n````\n")
    assert idle("acme/infra", "another pass is at work") == (
        "### gitops-sre: `acme/infra`\n\nNothing was done: another pass is at work.\n"
    )


def test_it_stays_below_githubs_limit() -> None:
    many = [b.incident(State.ESCALATED, concluded=True, reason="x" * 600, id=f"inc-{n}") for n in range(100)]
    entries = {one.id: went(one, *["a", "b"] * 300) for one in many}
    assert len(summary("acme/infra", many, entries, T0, spent=SPENT).encode()) < 65_000
