"""The bot's own record, read back from a real store's ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_sre.adapters.store import SqlStore
from gitops_sre.engine import audit
from gitops_sre.engine import messages as m
from gitops_sre.engine.advance import Hands, hear
from gitops_sre.engine.track import EVENTS, since_last, trials
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.track import Trial
from gitops_sre.model.verification import Assessment
from gitops_sre.ports import Transition
from tests import builders as b


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(f"sqlite:///{tmp_path / 'bot.db'}")
    yield opened
    opened.close()


def heard(store: SqlStore, incident: Incident, *events: m.Event) -> Incident:
    """Events as the engine takes them in, with what it puts on record."""

    def save(changed: Incident, transition: object) -> Incident:
        return store.save(changed, [transition])  # type: ignore[list-item]  # hands over what it was given

    hands = Hands(lambda one: m.Nothing(one.since), lambda one, _: m.Nothing(one.since), save)
    for event in events:
        incident, _ = hear(incident, event, hands)
    return incident


def merged(store: SqlStore, name: str = "inc-1") -> Incident:
    """An incident whose fix is live."""
    landed = b.pull(state="merged", merge_sha="d" * 40)
    return heard(
        store,
        b.incident(State.DIAGNOSED, id=name),
        m.Planned(b.after(1), "so", b.plan()),
        m.Allowed(b.after(2), "L4", b.proof(), b.verdict(), b.record()),
        m.MayMerge(b.after(3), "", b.pull()),
        m.Merged(b.after(4), "", landed),
        m.WentLive(b.after(5), "", b.after(5)),
    )


def found(store: SqlStore) -> tuple[Trial, ...]:
    return trials(store.ledger(events=EVENTS))


def trial(outcome: str, at: float, *, worse: bool = False, name: str = "inc-1") -> Trial:
    plain = Trial(name, "rollback_image", "checkout", "staging", "staging", b.after(at), "recovered", worse)
    return replace(plain, outcome=outcome)  # type: ignore[arg-type]  # one of the words


def test_a_fix_that_helped_counts_once_it_is_verified(store: SqlStore) -> None:
    incident = merged(store)
    assert found(store) == ()
    heard(store, incident, m.Recovered(b.after(9), "", Assessment("recovered", "it is back")))
    assert found(store) == (trial("recovered", 9),)


@pytest.mark.parametrize("worse", [False, True])
def test_a_fix_that_did_not_help_counts_as_failed(store: SqlStore, worse: bool) -> None:
    heard(store, merged(store), m.NotRecovered(b.after(9), "", Assessment("not_recovered", "still", (), worse)))
    assert found(store) == (trial("failed", 9, worse=worse),)


def test_what_was_never_known_is_inconclusive(store: SqlStore) -> None:
    heard(store, merged(store), m.TimedOut(b.after(9), "no data"))
    heard(store, merged(store, "inc-2"), m.NeverLive(b.after(10), "gone"))
    assert found(store) == (trial("inconclusive", 9), trial("inconclusive", 10, name="inc-2"))


def test_a_persons_no_and_a_persons_revert_count_as_such(store: SqlStore) -> None:
    closed = heard(
        store,
        b.incident(State.DIAGNOSED),
        m.Planned(b.after(1), "so", b.plan()),
        m.Allowed(b.after(2), "L3", b.proof(), b.verdict(), b.record()),
        m.Opened(b.after(3), "", b.pull()),
        m.Closed(b.after(4), "no", b.pull(state="closed")),
    )
    assert closed.state is State.REJECTED
    back = heard(store, merged(store, "inc-2"), m.Recovered(b.after(9), "", Assessment("recovered", "")))
    heard(store, back, m.RevertAsked(b.after(20), "", "alice", 5))
    assert found(store) == (trial("rejected", 4, name=closed.id), trial("taken back", 20, name="inc-2"))


def test_each_attempt_of_an_incident_counts_by_itself(store: SqlStore) -> None:
    incident = heard(store, merged(store), m.NotRecovered(b.after(9), "", Assessment("not_recovered", "still")))
    again = replace(incident, state=State.DIAGNOSED, attempt=2, fix=None)
    again = heard(store, again, m.Planned(b.after(12), "so", b.plan(action="scale")))
    again = replace(again, state=State.VERIFYING)
    heard(store, again, m.Recovered(b.after(19), "", Assessment("recovered", "")))
    assert [(one.action, one.outcome) for one in found(store)] == [("rollback_image", "failed"), ("scale", "recovered")]


SAME = ("rollback_image", "checkout", "staging")


def test_an_action_was_last_done_when_its_fix_was_merged(store: SqlStore) -> None:
    merged(store)
    entries = store.ledger(events=EVENTS)
    assert since_last(entries, *SAME, b.after(64)) == 60
    assert since_last(entries, "scale", "checkout", "staging", b.after(64)) is None
    assert since_last(entries, "rollback_image", "cart", "staging", b.after(64)) is None
    assert since_last(entries, "rollback_image", "checkout", "production", b.after(64)) is None


def test_what_was_only_proposed_was_not_done(store: SqlStore) -> None:
    heard(
        store,
        b.incident(State.DIAGNOSED),
        m.Planned(b.after(1), "so", b.plan()),
        m.Allowed(b.after(2), "L3", b.proof(), b.verdict(), b.record()),
    )
    assert since_last(store.ledger(events=EVENTS), *SAME, b.after(64)) is None


def test_what_was_found_on_the_forge_was_done_when_it_was_merged_there(store: SqlStore) -> None:
    found = b.incident(State.VERIFYING, merged_at=b.after(4))
    store.save(found, [Transition("Found", "", "verifying", audit.found(found), b.after(50))])
    assert since_last(store.ledger(events=EVENTS), *SAME, b.after(64)) == 60
