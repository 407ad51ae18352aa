"""Orders in comments: found, and answered once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from itertools import islice

from github.IssueComment import IssueComment

from gitops_sre.adapters.github import marks
from gitops_sre.adapters.github.read import login_of
from gitops_sre.adapters.github.session import Session
from gitops_sre.delivery.commands import parse
from gitops_sre.model.command import LASTING, Command, Order, Reply

LOOKBACK = timedelta(days=7)
"""Older comments are not read again: what they asked for was done, or is forgotten."""
MOST = 500
"""Comments of the whole repository that are read in one go, the latest first."""

_NUMBER = re.compile(r".*/issues/([0-9]+)")


def commands(
    session: Session, numbers: Collection[int], may_write: Callable[[str], bool], now: datetime
) -> tuple[Command, ...]:
    """Orders in the comments on these issues and pull requests, the oldest first. Bots' comments are none.

    All comments of the repository come in one list (`GET /repos/{owner}/{repo}/issues/comments`), however many pull
    requests are open.
    """
    since = now.astimezone(UTC) - LOOKBACK
    listed = session.repo.get_issues_comments(sort="updated", direction="desc", since=since.replace(minute=0, second=0))
    comments = [one for one in islice(listed, MOST) if _number(one) in numbers]
    found = ((one, parse(one.body)) for one in reversed(comments) if _is_person(one))
    return tuple(
        _command(one, order, may_write, answered=any(marks.is_mine(session, each, _key(one.id)) for each in comments))
        for one, order in found
        if order is not None
    )


def _command(one: IssueComment, order: Order, may_write: Callable[[str], bool], *, answered: bool) -> Command:
    # A stranger is answered by a reaction alone, which is looked for in the count: to ask who gave it costs a request.
    answered = answered or bool(one.reactions.get("-1"))
    writer = (not answered or order.verb in LASTING) and may_write(one.user.login)
    return Command(one.id, _number(one), one.user.login, one.updated_at, order, writer=writer, answered=answered)


def _key(comment: int) -> str:
    return f"command-{comment}"


def _is_person(one: IssueComment) -> bool:
    return bool(login_of(one.user)) and one.user.type == "User"


def _number(one: IssueComment) -> int:
    found = _NUMBER.fullmatch(one.issue_url)
    return int(found[1]) if found is not None else 0


def answer(session: Session, command: Command, reply: Reply) -> None:
    """React to an order, and reply below it where there is something to say. Look first (`commands`): the reply's mark
    is what says that an order has been answered."""
    issue = session.repo.get_issue(command.number)
    if reply.body:
        session.pace()
        issue.create_comment(marks.marked(reply.body, _key(command.id)))
    session.pace()
    issue.get_comment(command.id).create_reaction(reply.reaction)
