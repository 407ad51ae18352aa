"""The forge is the truth: an incident is rebuilt from its pull requests."""

from __future__ import annotations

import pytest

from gitops_sre.engine.adopt import adopt
from gitops_sre.model.incident import State
from gitops_sre.model.verdict import Level
from gitops_sre.ports import OpenedAction
from tests import builders as b

OPEN = OpenedAction(b.record(), b.pull())
MERGED = OpenedAction(b.record(), b.pull(state="merged", merge_sha="e" * 40, merged_at=b.after(30)))
REVERT_OPEN = OpenedAction(b.record(kind="revert"), b.pull(8, created_at=b.after(60)))
REVERT_MERGED = OpenedAction(b.record(kind="revert"), b.pull(8, state="merged", merge_sha="f" * 40))


@pytest.mark.parametrize(
    ("actions", "state"),
    [
        ([OPEN], State.MERGING),
        ([OpenedAction(b.record(Level.L3), b.pull())], State.AWAITING_APPROVAL),
        ([OpenedAction(b.record(Level.L2), b.pull(draft=True))], State.AWAITING_APPROVAL),
        ([OpenedAction(b.record(), b.pull(state="closed"))], State.REJECTED),
        ([MERGED], State.SYNCING),
        ([MERGED, REVERT_OPEN], State.REVERTING),
        ([MERGED, REVERT_MERGED], State.REVERT_SYNCING),
        ([OpenedAction(b.record(), MERGED.pull, "resolved")], State.RESOLVED),
        ([OpenedAction(b.record(), MERGED.pull, "something unheard of")], State.ESCALATED),
    ],
)
def test_without_memory_the_forge_says_where_an_incident_stands(actions: list[OpenedAction], state: State) -> None:
    found = adopt(None, actions)
    assert found is not None
    assert found.state is state
    assert found.id == b.record().incident
    assert found.plan == b.plan()


def test_memory_as_far_as_the_forge_is_kept() -> None:
    known = b.incident(State.VERIFYING, live_at=b.after(40))
    assert adopt(known, [MERGED]) is known


def test_memory_that_lags_behind_the_forge_is_brought_up_to_date_with_its_record() -> None:
    known = b.incident(State.PLANNED)
    found = adopt(known, [OPEN])
    assert found is not None
    assert (found.state, found.record, found.fix) == (State.MERGING, OPEN.record, OPEN.pull)


def test_what_was_merged_while_it_was_to_be_made_again_is_what_landed() -> None:
    known = b.incident(State.PROPOSED, fix=b.pull(), record=b.record(base="9" * 40))
    found = adopt(known, [MERGED])
    assert found is not None
    assert (found.state, found.record, found.fix) == (State.SYNCING, MERGED.record, MERGED.pull)
    assert adopt(known, [OPEN]) is known, "while it is open it is going to be made again"


def test_only_the_newest_attempt_counts() -> None:
    second = OpenedAction(b.record(Level.L3, attempt=2, refuted=("x",)), b.pull(9))
    found = adopt(None, [MERGED, REVERT_MERGED, second])
    assert found is not None
    assert (found.attempt, found.state, found.refuted) == (2, State.AWAITING_APPROVAL, ("x",))


def test_neither_memory_nor_forge_is_no_incident() -> None:
    assert adopt(None, []) is None


def test_a_finished_one_stays_finished() -> None:
    found = adopt(None, [OpenedAction(b.record(), MERGED.pull, "resolved")])
    assert found is not None
    assert found.finished
