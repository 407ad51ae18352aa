"""The ledger branch on a GitHub server, read by real git."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gitops_sre.adapters.git import GitRepository
from gitops_sre.adapters.github import GitHubForge
from gitops_sre.adapters.store import SqlStore
from gitops_sre.delivery.seal import Key
from gitops_sre.engine.journal import Journal
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.outcome import Done, Unavailable
from gitops_sre.model.pull import Report
from gitops_sre.ports import StoreError, Transition
from gitops_sre.wiring import memory
from tests.adapters.github.conftest import KEY, Stage
from tests.delivery import sample

BRANCH = "gitops-sre/ledger"
LEASE = timedelta(seconds=60)


@dataclass
class At:
    """A clock that a test moves."""

    moment = sample.T0

    def now(self) -> object:
        return self.moment


@dataclass
class Pass:
    """One pass on a machine of its own."""

    journal: Journal
    store: SqlStore
    forge: GitHubForge
    clock: At

    def decide(self, name: str = "inc-1", version: int = 0) -> None:
        """Something that goes into the ledger."""
        incident = Incident(name, (), State.RECEIVED, sample.T0, sample.T0, version=version)
        self.store.save(incident, [Transition("Alerts", "received", "received", "{}", sample.T0)])

    def act(self, key: str = "inc-1") -> str | Unavailable:
        """An effect on GitHub."""
        return self.forge.report(Report(key, "A report", "It is so.", ("report",)))


def begun(stage: Stage, number: int = 1, key: Key = KEY) -> Pass:
    """A pass that has not read the branch yet."""
    forge, store, clock = stage.forge(), SqlStore(memory()), At()
    clone = GitRepository(forge.git_url, BRANCH, stage.folder / f"cache-{number}", forge.git_token)
    journal = Journal(forge.ledger(BRANCH), clone, store, clock, key, stage.name, LEASE)  # type: ignore[arg-type]  # test clock
    forge.guard(journal.before_write)
    return Pass(journal, store, forge, clock)


def written(stage: Stage) -> Pass:
    """A pass that has left its pages."""
    one = begun(stage)
    assert one.journal.begin() == ""
    one.decide()
    assert one.journal.finish() == ""
    return one


def tip(stage: Stage) -> str | None:
    return stage.repo.git.ref(f"refs/heads/{BRANCH}")


def test_what_one_pass_leaves_the_next_one_finds(stage: Stage) -> None:
    written(stage)
    other = begun(stage, 2)
    assert other.journal.begin() == ""
    assert [incident.id for incident in other.store.unfinished()] == ["inc-1"]
    other.decide(version=1)
    assert other.journal.finish() == ""
    third = begun(stage, 3)
    assert third.journal.begin() == ""
    assert [entry.sequence for entry in third.store.ledger()] == [1, 2]
    assert third.store.verify() is None


def test_an_idle_pass_writes_nothing(stage: Stage) -> None:
    one = begun(stage)
    assert (one.journal.begin(), one.journal.finish()) == ("", "")
    assert tip(stage) is None
    assert stage.writes("/git/refs") == 0


def test_pages_are_verified_commits(stage: Stage) -> None:
    written(stage)
    assert tip(stage) in stage.repo.verified


def test_of_two_that_began_together_one_acts(stage: Stage) -> None:
    written(stage)
    one, other = begun(stage, 2), begun(stage, 3)
    assert (one.journal.begin(), other.journal.begin()) == ("", "")
    one.decide("inc-2")
    other.decide("inc-2")
    assert isinstance(one.act(), str)
    refused = other.act("inc-2")
    assert isinstance(refused, Unavailable)
    assert "another pass has written" in refused.reason
    assert "another pass" in other.journal.finish()
    assert one.journal.finish() == ""
    assert len(stage.repo.issues) == 1


def test_two_that_make_the_branch_at_once_do_not_both_act(stage: Stage) -> None:
    one, other = begun(stage, 2), begun(stage, 3)
    assert (one.journal.begin(), other.journal.begin()) == ("", "")
    assert isinstance(one.act(), str)
    assert isinstance(other.act("inc-2"), Unavailable)
    assert len(stage.repo.issues) == 1


def test_who_comes_while_another_one_acts_goes_and_comes_back_when_it_died(stage: Stage) -> None:
    one, other = begun(stage, 2), begun(stage, 3)
    one.journal.begin()
    assert isinstance(one.act(), str)
    assert "another pass is at work" in other.journal.begin()
    late = begun(stage, 4)
    late.clock.moment = sample.T0 + LEASE
    assert late.journal.begin() == ""
    assert isinstance(late.act("inc-2"), str)
    one.clock.moment = sample.T0 + LEASE  # it was only slow: too slow
    assert isinstance(one.act("inc-3"), Unavailable)


def test_the_dashboard_needs_the_right_to_act_and_no_record_of_its_own(stage: Stage) -> None:
    one = begun(stage)
    one.journal.begin()
    assert isinstance(one.act(), str)
    before = tip(stage)
    one.decide("inc-2")
    assert isinstance(one.forge.board(Report("board", "All", "It is so.", ("gitops-sre", "board"))), Done)
    assert tip(stage) == before
    one.clock.moment = sample.T0 + LEASE
    other = begun(stage, 2)
    other.clock.moment = sample.T0 + LEASE
    assert other.journal.begin() == ""
    assert isinstance(other.act("inc-2"), str)
    assert isinstance(one.forge.board(Report("board", "Mine", "It was so.", ("gitops-sre", "board"))), Unavailable)
    assert "Mine" not in [issue.title for issue in stage.repo.issues.values()]


def test_what_was_decided_is_on_record_before_each_effect(stage: Stage) -> None:
    one = begun(stage)
    one.journal.begin()
    one.decide()
    assert isinstance(one.act(), str)
    at_first = tip(stage)
    assert isinstance(one.act("other"), str)
    assert tip(stage) == at_first
    one.decide(version=1)
    assert isinstance(one.act("third"), str)
    assert tip(stage) != at_first


def test_reading_needs_no_leave(stage: Stage) -> None:
    one = begun(stage)
    one.journal.begin()
    assert isinstance(one.forge.check(), Done)
    assert tip(stage) is None


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"pages/000001.jsonl": b"{}\n"}, "does not just add page 2"),
        ({"pages/000001.jsonl": None}, "does not just add page 2"),
        ({"pages/000003.jsonl": b"{}\n"}, "does not just add page 2"),
        ({"README.md": b"hello\n"}, "does not just add page 2"),
        ({"pages/000002.jsonl": b"{}\n", "more": b""}, "does not just add page 2"),
        ({"pages/000002.jsonl": b"{}\n"}, "not a page of the ledger"),
    ],
)
def test_what_others_do_to_the_branch_stops_the_bot(stage: Stage, files: dict[str, bytes | None], why: str) -> None:
    written(stage)
    stage.commit("alice", files, branch=BRANCH)
    other = begun(stage, 2)
    with pytest.raises(StoreError, match=f"{why}.*protect it.*name a new one") as refused:
        other.journal.begin()
    assert BRANCH in str(refused.value)


def test_a_page_that_was_copied_is_refused(stage: Stage) -> None:
    written(stage)
    page = stage.repo.git.entry(tip(stage) or "", "pages/000001.jsonl")
    assert page is not None
    stage.commit("alice", {"pages/000002.jsonl": stage.repo.git.blob(page.sha)}, branch=BRANCH)
    with pytest.raises(StoreError, match="written for another place"):
        begun(stage, 2).journal.begin()


def test_a_page_of_another_key_is_refused(stage: Stage) -> None:
    written(stage)
    other = begun(stage, 2, Key(Ed25519PrivateKey.from_private_bytes(b"x" * 32)))
    with pytest.raises(StoreError, match="another key"):
        other.journal.begin()
