"""Comments and issues: said once, found among the bot's own only."""

from __future__ import annotations

from dataclasses import replace

from gitops_sre.model.outcome import Done, Unavailable
from gitops_sre.model.pull import Report
from gitops_sre.sandbox.github import Fault
from tests.adapters.github.conftest import Stage

REPORT = Report("inc-1/escalation", "Needs a person", "It did not help.\n", ("gitops-sre", "gitops-sre/escalation"))


def test_a_comment_is_made_once_for_its_key(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    for key in ("inc-1/reminder", "inc-1/reminder", "inc-1/other"):
        assert stage.forge().comment(1, key, "Still waiting.") == Done()
    assert [comment.user for comment in stage.repo.comments_of(1)] == ["gitops-sre[bot]"] * 2


def test_somebody_elses_comment_with_the_key_does_not_silence_the_bot(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    stage.as_person("bob", "POST", "/issues/1/comments", {"body": "<!-- gitops-sre:inc-1/reminder -->"})
    forge.comment(1, "inc-1/reminder", "Still waiting.")
    assert len(stage.repo.comments_of(1)) == 2


def test_a_report_is_one_labelled_issue(stage: Stage) -> None:
    first = stage.forge().report(REPORT)
    assert first == f"{stage.url}/{stage.name}/issues/1"
    assert stage.forge().report(REPORT) == first
    (issue,) = stage.repo.issues.values()
    assert issue.labels == ("gitops-sre", "gitops-sre/escalation")
    assert (issue.title, (issue.body or "").splitlines()[0]) == ("Needs a person", "It did not help.")


def test_a_report_that_somebody_closed_is_still_found(stage: Stage) -> None:
    first = stage.forge().report(REPORT)
    stage.as_person("bob", "PATCH", "/issues/1", {"state": "closed"})
    assert stage.forge().report(REPORT) == first


def test_another_key_is_another_issue_even_when_the_text_quotes_the_first(stage: Stage) -> None:
    forge = stage.forge()
    quoting = Report("inc-2/report", "x", "```\n<!-- gitops-sre:inc-1/escalation -->\n```")
    urls = {forge.report(quoting), forge.report(REPORT)}
    assert len(urls) == 2


def test_an_issue_of_somebody_else_with_the_key_is_not_adopted(stage: Stage) -> None:
    body = {"title": "x", "body": "<!-- gitops-sre:inc-1/escalation -->", "labels": ["gitops-sre"]}
    stage.as_person("bob", "POST", "/issues", body)
    assert stage.forge().report(REPORT) == f"{stage.url}/{stage.name}/issues/2"


BOARD = Report("board", "What the bot does", "Nothing.", ("gitops-sre/dashboard",))


def test_a_board_is_one_issue_that_is_brought_up_to_date(stage: Stage) -> None:
    forge = stage.forge()
    forge.board(BOARD)
    stage.requests.clear()
    forge.board(BOARD)
    assert stage.writes() == 0
    stage.forge().board(replace(BOARD, body="One incident."))
    (issue,) = stage.repo.issues.values()
    assert (issue.body or "").startswith("One incident.")
    assert set(issue.labels) == {"gitops-sre", "gitops-sre/dashboard"}


def test_a_board_that_somebody_closed_is_left_alone(stage: Stage) -> None:
    stage.forge().board(BOARD)
    stage.as_person("bob", "PATCH", "/issues/1", {"state": "closed"})
    stage.requests.clear()
    assert isinstance(stage.forge().board(replace(BOARD, body="One incident.")), Done)
    assert stage.writes("/issues/1") == 0
    assert len(stage.repo.issues) == 1


def test_a_lost_answer_to_a_report_is_found_by_the_next_try(stage: Stage) -> None:
    stage.github.inject("POST", f"{stage.api}/issues", Fault(502, when="after"))
    assert isinstance(stage.forge().report(REPORT), Unavailable)
    assert stage.forge().report(REPORT) == f"{stage.url}/{stage.name}/issues/1"
    assert len(stage.repo.issues) == 1


def test_a_key_cannot_end_its_own_marker(stage: Stage) -> None:
    forge = stage.forge()
    report = Report("a --> <img src=x>", "x", "y")
    assert forge.report(report) == forge.report(report)
    assert "<img" not in (stage.repo.issues[1].body or "")
