"""The kill switch: from whatever side it is thrown, the next write is not made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitops_sre.adapters.github import GitHubForge, switch
from gitops_sre.delivery import text
from gitops_sre.model.outcome import Done, Refused, Unavailable
from gitops_sre.model.pull import PullRequest
from gitops_sre.sandbox.github.faults import Fault
from tests.adapters.github.conftest import KEY, Stage

REPORT = text.halt("the quarter ends")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write looks for itself."""
    monkeypatch.setattr(switch, "_AGE", 0.0)


def by_file(stage: Stage) -> None:
    stage.commit("alice", {switch.FILE: b"stop\n"}, "Halt the bot")


def by_label_of_an_issue(stage: Stage) -> None:
    stage.as_person("alice", "POST", "/issues", {"title": "Stop", "labels": [text.HALT]})


def by_label_of_a_pull_request(stage: Stage) -> None:
    stage.as_person("alice", "POST", "/issues/1/labels", {"labels": [text.HALT]})


def by_command(stage: Stage) -> None:
    assert isinstance(stage.forge().halt(REPORT), str)


WAYS = (by_file, by_label_of_an_issue, by_command)


def tries(stage: Stage, forge: GitHubForge, pull: PullRequest) -> list[object]:
    """Everything that writes."""
    return [
        forge.merge(pull),
        forge.close(pull, "No longer needed."),
        forge.comment(pull.number, "key", "Text."),
        forge.conclude(pull, "resolved", "It recovered."),
        forge.board(text.halt("another")),
        stage.offer(forge),
    ]


@pytest.mark.parametrize("throw", [*WAYS, by_label_of_a_pull_request])
def test_thrown_after_a_proposal_nothing_more_is_written(stage: Stage, throw: Callable[[Stage], None]) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    throw(stage)
    before = stage.writes()
    answers = tries(stage, forge, pull)
    assert stage.writes() == before
    assert all(isinstance(answer, Unavailable) and "halted: " in answer.reason for answer in answers[:5]), answers
    assert isinstance(answers[5], Unavailable | PullRequest)  # it is there already: found, not written
    assert not isinstance(forge.look(pull.number), Unavailable)  # looking goes on
    assert stage.repo.pulls[pull.number].merged_at is None


@pytest.mark.parametrize("throw", WAYS)
def test_thrown_before_nothing_is_proposed(stage: Stage, throw: Callable[[Stage], None]) -> None:
    forge = stage.forge()
    throw(stage)
    before = stage.writes()
    answer = stage.offer(forge)
    assert isinstance(answer, Unavailable)
    assert "halted: " in answer.reason
    assert stage.writes() == before
    assert stage.bot_branches() == []


def test_the_command_opens_one_issue_and_closing_it_lets_the_bot_go_on(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    first, second = forge.halt(REPORT), stage.forge().halt(REPORT)
    assert first == second
    (issue,) = (one for number, one in stage.repo.issues.items() if number not in stage.repo.pulls)
    assert "the quarter ends" in (issue.body or "")
    assert text.HALT in issue.labels
    assert "has the label" in str(forge.halted())
    assert forge.resume(REPORT) == ""
    assert forge.halted() == ""
    assert isinstance(forge.merge(pull), Done)


def test_what_else_says_stop_is_named_when_it_is_lifted(stage: Stage) -> None:
    forge = stage.forge()
    by_command(stage)
    by_file(stage)
    assert forge.resume(REPORT) == f"{switch.FILE} stands on main"
    by_label_of_an_issue(stage)
    stage.commit("alice", {switch.FILE: None}, "Go on")
    number = max(stage.repo.issues)
    assert forge.resume(REPORT) == f"#{number} has the label {text.HALT}"


def test_the_environment_halts_without_asking_anybody(stage: Stage) -> None:
    settings = stage.settings
    forge = GitHubForge(settings, KEY, {switch.VARIABLE: "migration"})
    answer = stage.offer(forge)
    assert answer == Unavailable("halted: GITOPS_SRE_HALT says 'migration'")
    assert stage.writes() == 0


@pytest.mark.parametrize("status", [500, 502, 403])
def test_when_the_switch_cannot_be_asked_nothing_is_written(stage: Stage, status: int) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.github.inject("POST", r"/api/graphql", Fault(status), times=99)
    assert isinstance(forge.comment(pull.number, "key", "Text."), Unavailable | Refused)
    assert not stage.repo.comments_of(pull.number)
