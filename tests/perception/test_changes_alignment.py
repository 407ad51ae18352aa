"""Which changes may have caused an onset."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.change_feed import ChangeEvent, ChangeRecord, Commit, Rollout, RolloutStep
from gitops_sre.perception.changes import align
from tests.builders import after

ONSET = after(0)
SKEW = timedelta(seconds=30)


def rollout(*steps: tuple[float, float, int, int]) -> Rollout:
    """Steps of (begin, end, old replicas, new replicas), in seconds from the onset."""
    made = (RolloutStep(after(begin), after(end), old, new) for begin, end, old, new in steps)
    return Rollout("cart", "prod", "v1", "v2", tuple(made), 3)


def record(seconds: float, live: float | None = None, made: Rollout | None = None) -> ChangeRecord:
    commit = Commit(f"{abs(int(seconds)):040d}", after(seconds), "alice", "Deploy", ("a.yaml",))
    moment = None if live is None else after(live)
    return ChangeRecord(commit, "cart", "prod", "image", (), -seconds, moment, made)


def event(seconds: float) -> ChangeEvent:
    return ChangeEvent("unleash", "1", after(seconds), "flag", "new-checkout", "prod")


def test_all_that_had_begun_stay_and_the_latest_comes_first() -> None:
    early, late, flag = record(-3000), record(-100), event(-50)
    assert [each.change for each in align([early, late, flag], ONSET, SKEW)] == [flag, late, early]


def test_clocks_may_differ() -> None:
    within, beyond = record(20), record(40)
    (found,) = align([within, beyond], ONSET, SKEW)
    assert (found.change, found.lead) == (within, -20)


def test_the_rollouts_first_step_counts_before_the_sync_and_the_sync_before_the_commit() -> None:
    moving = rollout((-60, -40, 2, 1), (-10, 20, 1, 2))
    given_all = [record(-900), record(-900, live=-300), record(-900, live=-300, made=moving)]
    found = align(given_all, ONSET, SKEW)
    assert [(each.lead, each.exact) for each in found] == [(60, True), (300, True), (900, False)]


def test_an_onset_inside_a_rollout_is_said_to_be_inside() -> None:
    inside = rollout((-60, -40, 2, 1), (-10, 90, 1, 2))
    over = rollout((-900, -880, 2, 1), (-850, -800, 0, 3))
    stuck = rollout((-900, -880, 2, 1))
    found = {each.change: (each.during, each.share) for each in align([inside, over, stuck], ONSET, SKEW)}
    assert found == {inside: (True, 2 / 3), over: (False, 1.0), stuck: (True, 1 / 3)}


def test_a_rollout_that_began_too_late_clears_its_commit() -> None:
    assert align([record(-900, live=-300, made=rollout((60, 90, 2, 1)))], ONSET, SKEW) == ()


def test_what_reaches_all_at_once_is_all_new() -> None:
    (found,) = align([event(-5)], ONSET, SKEW)
    assert (found.during, found.share, found.exact) == (False, 1.0, True)


@given(st.lists(st.integers(-5000, 5000)), st.integers(-1000, 1000), st.integers(0, 600))
def test_alignment_does_not_depend_on_what_time_it_is(leads: list[int], shift: int, skew: int) -> None:
    def found(by: int) -> list[float]:
        onset: datetime = after(by)
        return [each.lead for each in align([event(by - lead) for lead in leads], onset, timedelta(seconds=skew))]

    assert found(0) == found(shift)
    assert found(0) == sorted(lead for lead in leads if lead >= -skew)
