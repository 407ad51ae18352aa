"""The pure step: total, guarded, and never two open pull requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gitops_sre.engine import messages as m
from gitops_sre.engine.lifecycle import TABLE
from gitops_sre.engine.step import step
from gitops_sre.model.incident import TERMINAL, Incident, State
from gitops_sre.model.pull import PullRequest, Review
from gitops_sre.model.verdict import Level
from gitops_sre.model.verification import Assessment
from tests import builders as b

EVENTS = [kind for kind in vars(m).values() if isinstance(kind, type) and issubclass(kind, m.Event)]


UNASKED = [kind for kind in EVENTS if not issubclass(kind, m.Asked)]


def event(kind: type[m.Event]) -> m.Event:
    """An event of a kind with a plausible payload."""
    if issubclass(kind, m.Judged):
        return kind(b.NOW, "why", b.proof(), b.verdict(), b.record())
    if issubclass(kind, m.Approved):
        return kind(b.NOW, "why", b.pull(reviews=(b.review(),)), "alice")
    if issubclass(kind, m.PullEvent):
        return kind(b.NOW, "why", b.pull())
    if issubclass(kind, m.Planned):
        return kind(b.NOW, "why", b.plan())
    if issubclass(kind, m.Triaged):
        return kind(b.NOW, "why", b.target())
    return kind(b.NOW, "why")


@given(st.sampled_from(State), st.sampled_from(EVENTS), st.sampled_from(Level))
def test_step_is_total_and_what_the_table_does_not_name_changes_nothing(
    state: State, kind: type[m.Event], level: Level
) -> None:
    before = b.incident(state, level)
    after, _ = step(before, event(kind))
    if kind not in TABLE[state]:
        assert after == before
    else:
        assert after.state in {state, TABLE[state][kind]}


@given(st.sampled_from(sorted(TERMINAL)), st.lists(st.sampled_from(UNASKED), max_size=20))
def test_a_finished_incident_is_moved_by_no_late_event(state: State, kinds: list[type[m.Event]]) -> None:
    before = b.incident(state, concluded=True)
    after = before
    for kind in kinds:
        after, intents = step(after, event(kind))
        assert intents == ()
    assert after.state is state


@pytest.mark.parametrize("level", [Level.DENIED, Level.L1, Level.L2, Level.L3])
def test_nothing_below_l4_merges_by_itself(level: Level) -> None:
    for state in State:
        after, intents = step(b.incident(state, level), m.MayMerge(b.NOW, pull=b.pull()))
        assert after.state is state
        assert m.MergeFix() not in intents or state is State.MERGING


APPROVAL = b.pull(reviews=(b.review(),))


@pytest.mark.parametrize(
    ("pull", "approvers", "approver", "counts"),
    [
        (APPROVAL, ("alice",), "alice", True),
        (APPROVAL, (), "alice", True),
        (APPROVAL, ("bob",), "alice", False),
        (b.pull(reviews=(b.review(commit="d" * 40),)), ("alice",), "alice", False),
        (b.pull(reviews=(b.review(writer=False),)), (), "alice", False),
        (b.pull(reviews=(b.review(state="commented"),)), (), "alice", False),
        (replace(APPROVAL, draft=True), (), "alice", False),
        (b.pull(), (), "alice", False),
        (APPROVAL, (), "mallory", False),
    ],
)
def test_an_approval_counts_only_from_somebody_allowed_on_this_head(
    pull: PullRequest, approvers: tuple[str, ...], approver: str, *, counts: bool
) -> None:
    waiting = b.incident(State.AWAITING_APPROVAL, Level.L3, verdict=b.verdict(Level.L3, approvers))
    after, _ = step(waiting, m.Approved(b.NOW, "ok", pull, approver))
    assert after.state is (State.MERGING if counts else State.AWAITING_APPROVAL)


@pytest.mark.parametrize(
    ("reviews", "approvers", "counts"),
    [
        ((b.review(), b.review("bob")), ("alice", "bob"), True),
        ((b.review(), b.review("bob")), (), True),
        ((b.review(),), (), False),
        ((b.review(), b.review("Alice")), (), False),
        ((b.review(), b.review("carol")), ("alice", "bob"), False),
        ((b.review(), b.review("bob", commit="d" * 40)), (), False),
        ((b.review(), b.review("bob", writer=False)), (), False),
        ((b.review(), b.review("bob"), b.review("carol", state="changes_requested")), (), False),
    ],
)
def test_a_quorum_of_two_needs_two_people_who_may_approve_this_head(
    reviews: tuple[Review, ...], approvers: tuple[str, ...], *, counts: bool
) -> None:
    verdict = replace(b.verdict(Level.L3, approvers), quorum=2)
    waiting = b.incident(State.AWAITING_APPROVAL, Level.L3, verdict=verdict)
    after, _ = step(waiting, m.Approved(b.NOW, "ok", b.pull(reviews=reviews), "alice"))
    assert after.state is (State.MERGING if counts else State.AWAITING_APPROVAL)


def test_the_fix_is_verified_for_as_long_as_its_record_says() -> None:
    longer = replace(b.plan(), verification=replace(b.plan().verification, window=600))
    record = b.record(plan=longer)
    after, _ = step(b.incident(State.PLANNED), m.Allowed(b.NOW, "L4", b.proof(), b.verdict(), record))
    assert after.plan == longer


def test_an_approval_does_not_lift_a_draft_level() -> None:
    waiting = b.incident(State.AWAITING_APPROVAL, Level.L2)
    after, _ = step(waiting, m.Approved(b.NOW, "ok", APPROVAL, "alice"))
    assert after.state is State.AWAITING_APPROVAL


def test_a_failed_fix_refutes_its_hypothesis_when_the_diagnosis_runs_again() -> None:
    reverted = b.incident(State.REVERTED, revert=b.pull(8))
    after, _ = step(reverted, m.Reinvestigate(b.after(60)))
    assert after.state is State.INVESTIGATING
    assert after.attempt == 2
    assert after.refuted == (b.plan().hypothesis,)
    assert [pull.number for pull in after.past_pulls] == [7, 8]
    assert after.fix is None


def test_intents_are_wanted_again_until_something_moves() -> None:
    proposed = b.incident(State.PROPOSED)
    for _ in range(3):
        proposed, intents = step(proposed, m.Nothing(b.NOW))
        assert intents == (m.ProposeFix(),)


def test_a_revert_of_a_draft_level_fix_is_proposed_but_never_merged_by_the_bot() -> None:
    reverting = b.incident(State.REVERTING, Level.L2)
    assert step(reverting, m.Nothing(b.NOW))[1] == (m.ProposeRevert(),)
    assert step(replace(reverting, revert=b.pull(8)), m.Nothing(b.NOW))[1] == ()


def test_time_is_the_events_time() -> None:
    after, _ = step(b.incident(State.SYNCING), m.WentLive(b.after(9), live_at=b.after(7)))
    assert (after.since, after.live_at) == (b.after(9), b.after(7))


class Forge(RuleBasedStateMachine):
    """Any order of events that a world can produce, with pull requests opened and merged by the intents."""

    def __init__(self) -> None:
        super().__init__()
        self.incident: Incident = b.incident(State.PLANNED)
        self.open: dict[str, int] = {}
        self.merged: dict[str, int] = {}
        self.closed: set[str] = set()
        self.at = b.NOW

    def hear(self, event: m.Event) -> None:
        self.at += timedelta(seconds=1)
        self.incident, intents = step(self.incident, event)
        for intent in intents:
            self.perform(intent)

    def perform(self, intent: m.Intent) -> None:
        kind = {m.ProposeFix: "fix", m.ProposeRevert: "revert"}.get(type(intent))
        branch = f"{kind}-{self.incident.attempt}"
        if kind and branch not in self.closed | set(self.merged):
            self.open.setdefault(branch, len(self.merged) + 1)
        if isinstance(intent, m.MergeFix | m.MergeRevert):
            branch = f"{'fix' if isinstance(intent, m.MergeFix) else 'revert'}-{self.incident.attempt}"
            if branch in self.open:
                self.merged[branch] = self.open.pop(branch)
        if isinstance(intent, m.Conclude):
            self.closed |= set(self.open)
            self.open.clear()

    def seen(self, kind: str) -> PullRequest | None:
        branch = f"{kind}-{self.incident.attempt}"
        number = {**self.open, **self.merged}.get(branch)
        return None if number is None else b.pull(number, branch=branch, reviews=(b.review(),))

    @rule(level=st.sampled_from([Level.L2, Level.L3, Level.L4]))
    def judged(self, level: Level) -> None:
        self.hear(m.Allowed(self.at, "ok", b.proof(), b.verdict(level), b.record(level)))

    @rule(kind=st.sampled_from([m.Opened, m.MayMerge, m.HandsOff, m.Moot]))
    def the_open_fix_is_seen(self, kind: type[m.PullEvent]) -> None:
        if f"fix-{self.incident.attempt}" in self.open:
            self.hear(kind(self.at, "seen", self.seen("fix")))

    @rule()
    def approved(self) -> None:
        if f"fix-{self.incident.attempt}" in self.open:
            self.hear(m.Approved(self.at, "ok", self.seen("fix"), "alice"))

    @rule(kind=st.sampled_from(["fix", "revert"]))
    def a_person_merges(self, kind: str) -> None:
        branch = f"{kind}-{self.incident.attempt}"
        if branch in self.open:
            self.merged[branch] = self.open.pop(branch)

    @rule(kind=st.sampled_from(["fix", "revert"]))
    def a_person_closes(self, kind: str) -> None:
        branch = f"{kind}-{self.incident.attempt}"
        if branch in self.open:
            del self.open[branch]
            self.closed.add(branch)
            self.hear((m.Closed if kind == "fix" else m.RevertClosed)(self.at, "closed", b.pull()))

    @rule()
    def merges_are_seen(self) -> None:
        if f"fix-{self.incident.attempt}" in self.merged:
            self.hear(m.Merged(self.at, "landed", self.seen("fix")))
        if f"revert-{self.incident.attempt}" in self.merged:
            self.hear(m.RevertMerged(self.at, "landed", self.seen("revert")))

    @rule()
    def the_revert_is_seen(self) -> None:
        if f"revert-{self.incident.attempt}" in self.open:
            self.hear(m.RevertOpened(self.at, "seen", self.seen("revert")))

    @rule(
        kind=st.sampled_from(
            [
                m.WentLive,
                m.NeverLive,
                m.TimedOut,
                m.BaseMoved,
                m.Denied,
                m.Reinvestigate,
                m.Exhausted,
                m.Filed,
                m.Diagnosed,
                m.Concluded,
                m.Nothing,
                m.RemindDue,
            ]
        )
    )
    def anything_else_happens(self, kind: type[m.Event]) -> None:
        self.hear(kind(self.at, "happened"))

    @rule(good=st.booleans())
    def the_slo_is_judged(self, *, good: bool) -> None:
        kind = m.Recovered if good else m.NotRecovered
        self.hear(kind(self.at, "judged", Assessment("recovered" if good else "not_recovered", "judged")))

    @rule()
    def planned_again(self) -> None:
        self.hear(m.Planned(self.at, "plan", b.plan()))

    @invariant()
    def at_most_one_pull_request_is_open(self) -> None:
        assert len(self.open) <= 1, self.open

    @invariant()
    def a_revert_exists_only_for_a_merged_fix(self) -> None:
        for branch in [*self.open, *self.merged]:
            if branch.startswith("revert"):
                assert branch.replace("revert", "fix") in self.merged


TestForge = Forge.TestCase
TestForge.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
