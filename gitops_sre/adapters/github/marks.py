"""What the bot leaves on GitHub beside commits: labels, check runs, comments, issues; each found before it is made."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from itertools import islice
from typing import Literal

from github import GithubException
from github.Commit import Commit
from github.CommitStatus import CommitStatus
from github.Issue import Issue
from github.IssueComment import IssueComment
from github.PaginatedList import PaginatedList
from github.PullRequest import PullRequest as RawPull

from gitops_sre.adapters.github.read import login_of
from gitops_sre.adapters.github.session import Session, message
from gitops_sre.delivery.text import LABEL
from gitops_sre.model.pull import Report

_log = logging.getLogger(__name__)

VERDICT = "gitops-sre/verdict"
OUTCOME = "gitops-sre/outcome"
ADVICE = "gitops-sre/advice"
Conclusion = Literal["success", "failure", "neutral", "action_required"]
_STATUS = {"success": "success", "failure": "failure", "neutral": "success", "action_required": "pending"}
_ISSUES = 300
_LEVEL = re.compile(rf"{LABEL}/L\d")


def label(session: Session, raw: RawPull, *names: str) -> None:
    """Put labels on a pull request, and take an earlier verdict's off; GitHub makes those that the repository lacks."""
    for old in [each.name for each in raw.labels if _LEVEL.fullmatch(each.name) and each.name not in names]:
        session.pace()
        raw.remove_from_labels(old)
    missing = [name for name in names if name not in {label.name for label in raw.labels}]
    if missing:
        session.pace()
        raw.add_to_labels(*missing)


def ask(session: Session, raw: RawPull, reviewers: Sequence[str]) -> None:
    """Ask people (`login`) and teams (`owner/team`) for a review, unless they have been asked.

    GitHub takes all that one request names or none, so after a refusal each is asked alone; who cannot be asked (a
    stranger to the repository) is left out: who may approve is policy's to say, and a review needs no request.
    """
    asked = {login_of(user).lower() for user in raw.requested_reviewers} | {login_of(raw.user).lower()}
    people = [one for one in reviewers if "/" not in one and one.lower() not in asked]
    slugs = {team.slug for team in raw.requested_teams}
    teams = [one.partition("/")[2] for one in reviewers if "/" in one and one.partition("/")[2] not in slugs]
    if not people and not teams:
        return
    if not _asked(session, raw, people, teams) and len(people) + len(teams) > 1:
        for person in people:
            _asked(session, raw, [person], [])
        for team in teams:
            _asked(session, raw, [], [team])


def _asked(session: Session, raw: RawPull, people: list[str], teams: list[str]) -> bool:
    """Ask for reviews; False when GitHub does not take it."""
    session.pace()
    try:
        raw.create_review_request(people, teams)
    except GithubException as error:
        if error.status in (404, 422):
            _log.warning(
                "#%d: no review can be asked of %s: %s", raw.number, ", ".join((*people, *teams)), message(error)
            )
            return False
        raise
    return True


def check(
    session: Session, sha: str, name: str, conclusion: Conclusion, title: str, summary: str, text: str = ""
) -> None:
    """A check run on a commit, made or brought up to date; `text` is what unfolds below its summary. Without an App a
    commit status, since only Apps may."""
    commit = session.repo.get_commit(sha)
    if not session.is_app:
        session.pace()
        commit.create_status(_STATUS[conclusion], description=title[:140], context=name)
        return
    output: dict[str, str | list[dict[str, str | int]]] = {"title": title, "summary": summary}
    if text:
        output["text"] = text
    for run in commit.get_check_runs(check_name=name, filter="latest"):
        if run.app.id == session.identity.app_id:
            if (run.conclusion, run.output.title) != (conclusion, title):
                session.pace()
                run.edit(status="completed", conclusion=conclusion, output=output)
            return
    session.pace()
    session.repo.create_check_run(name, sha, status="completed", conclusion=conclusion, output=output)


def read(session: Session, commit: Commit, name: str) -> str:
    """The title of the bot's own check run (or status) on a commit; empty when there is none."""
    if session.is_app:
        for run in commit.get_check_runs(check_name=name, filter="latest"):
            if run.app.id == session.identity.app_id and run.status == "completed":
                return run.output.title or ""
        return ""
    statuses = f"{commit.url}/statuses"  # newest first; PyGithub's own method asks an address that is not documented
    for status in PaginatedList(CommitStatus, session.repo.requester, statuses, None):
        if status.context == name and login_of(status.creator) == session.identity.login:
            return status.description or ""
    return ""


def say(session: Session, raw: RawPull | Issue, key: str, body: str) -> None:
    """Comment once: the key finds an earlier comment, among the bot's own only."""
    comments = raw.get_issue_comments() if isinstance(raw, RawPull) else raw.get_comments()
    if any(is_mine(session, comment, key) for comment in comments):
        return
    session.pace()
    text = marked(body, key)
    if isinstance(raw, RawPull):
        raw.create_issue_comment(text)
    else:
        raw.create_comment(text)


def issue(session: Session, report: Report) -> str:
    """Find or open a report's issue; its URL."""
    return (find(session, report, LABEL) or open_issue(session, report)).html_url


def board(session: Session, report: Report) -> str:
    """Find or open a report's issue and bring it up to date, unless a person has closed it; its URL."""
    # It is the oldest of all issues with the common label soon: looked for by its own.
    one = find(session, report, *report.labels)
    if one is None:
        return open_issue(session, report, lasting=False).html_url
    if one.state == "open" and (one.title, _text(one.body or "")) != (report.title, _text(_body(report))):
        session.pace(lasting=False)
        one.edit(title=report.title, body=_body(report))
    return one.html_url


def find(session: Session, report: Report, *labels: str) -> Issue | None:
    """The newest issue of the bot's with a report's key among those with these labels, open or closed."""
    found = session.repo.get_issues(state="all", labels=list(labels), sort="created", direction="desc")
    for one in islice(found, _ISSUES):
        if is_mine(session, one, report.key):
            return one
    return None


def open_issue(session: Session, report: Report, *, guarded: bool = True, lasting: bool = True) -> Issue:
    """Open an issue for a report. `guarded` and `lasting` as `Session.pace` has them."""
    session.pace(guarded=guarded, lasting=lasting)
    labels = list(dict.fromkeys((LABEL, *report.labels)))
    return session.repo.create_issue(report.title, _body(report), labels=labels)


def _body(report: Report) -> str:
    return marked(report.body, report.key)


def _text(body: str) -> str:
    """A body as it is compared: GitHub's editor ends lines in its own way."""
    return body.replace("\r\n", "\n").strip()


def marked(body: str, key: str) -> str:
    """A text that `is_mine` finds again by its key."""
    return f"{body.rstrip()}\n\n{_mark(key)}"


def is_mine(session: Session, one: Issue | IssueComment, key: str) -> bool:
    """Whether an issue or a comment is the bot's and bears a key."""
    # At the end only: what stands before is text from outside, which could quote another key's mark.
    return login_of(one.user) == session.identity.login and (one.body or "").rstrip().endswith(_mark(key))


def _mark(key: str) -> str:
    safe = re.sub(r"-{2,}|[^A-Za-z0-9._/-]", "-", key)
    return f"<!-- gitops-sre:{safe} -->"
