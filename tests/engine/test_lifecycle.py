"""The table itself: every state has a way out, and after every merge a revert can be reached."""

from __future__ import annotations

from gitops_sre.engine import lifecycle, messages
from gitops_sre.engine.lifecycle import TABLE
from gitops_sre.model.incident import TERMINAL, State


def reachable(start: State) -> set[State]:
    found, todo = {start}, [start]
    while todo:
        fresh = set(TABLE[todo.pop()].values()) - found
        found |= fresh
        todo += fresh
    return found


def test_every_state_has_a_row() -> None:
    assert set(TABLE) == set(State)


def test_every_state_that_is_not_terminal_has_an_exit_to_a_terminal_one() -> None:
    for state in set(State) - TERMINAL:
        assert reachable(state) & TERMINAL, state
        assert any(target is not state for target in TABLE[state].values()), state


def test_terminal_states_are_left_only_when_a_person_asks() -> None:
    for state in TERMINAL:
        leaving = {event for event, target in TABLE[state].items() if target is not state}
        assert leaving <= {messages.RevertAsked, messages.RetryAsked}


def test_every_state_is_reached_from_received() -> None:
    assert reachable(State.RECEIVED) == set(State)


def test_a_revert_is_reachable_after_every_merge() -> None:
    landed = {row[messages.Merged] for row in TABLE.values() if messages.Merged in row}
    assert landed == {State.SYNCING}
    for state in lifecycle.CAN_REVERT:
        assert State.REVERTING in TABLE[state].values()
    assert landed <= lifecycle.CAN_REVERT


def test_merging_is_entered_only_by_approval_or_by_policy() -> None:
    ways = {event for state, row in TABLE.items() for event, target in row.items() if target is State.MERGING}
    staying = {event for event, target in TABLE[State.MERGING].items() if target is State.MERGING}
    assert staying == {messages.HoldAsked, messages.ResumeAsked}
    ways -= staying
    assert ways == {messages.Approved, messages.MayMerge}


def test_every_waiting_state_times_out() -> None:
    waiting = {State.INVESTIGATING, State.PROPOSED, State.AWAITING_APPROVAL, State.MERGING, State.SYNCING}
    waiting |= {State.VERIFYING, State.REVERTING, State.REVERT_SYNCING, State.PLANNED}
    assert all(messages.TimedOut in TABLE[state] for state in waiting)


def test_the_diagram_names_every_state() -> None:
    drawn = lifecycle.diagram()
    assert all(state.value in drawn for state in State)
