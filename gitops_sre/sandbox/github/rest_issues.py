"""REST: issues, comments and search. Pull requests are issues too."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from gitops_sre.sandbox.github import events, pulls, views_pull
from gitops_sre.sandbox.github.http import Answer, Call, Route, invalid, label_names, not_found
from gitops_sre.sandbox.github.rest_labels import ensure, the_issue
from gitops_sre.sandbox.github.state import Comment, Issue, Reaction, Repo
from gitops_sre.sandbox.github.views import REACTIONS


def _list(call: Call) -> Answer:
    query, repo = call.query, call.repo
    state = query.get("state", "open")
    labels = {name.strip().lower() for name in query.get("labels", "").split(",") if name.strip()}
    since = _since(query.get("since"))
    found = [
        issue
        for issue in repo.issues.values()
        if state in ("all", issue.state)
        and labels <= {name.lower() for name in issue.labels}
        and query.get("creator", issue.user).lower() == issue.user.lower()
        and (since is None or issue.updated_at >= since)
    ]
    field = "updated_at" if query.get("sort") == "updated" else "created_at"
    descending = query.get("direction", "desc") == "desc"
    found.sort(key=lambda issue: (getattr(issue, field), issue.number), reverse=descending)
    return call.page(found).answer(lambda issue: views_pull.issue(call.lens, repo, issue))


def _since(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid("Issue", "since") from error


def _create(call: Call) -> Answer:
    repo, body = call.repo, call.body
    names = ensure(call, label_names(body)) if call.caller.may("issues", "write") else ()
    issue = pulls.new_issue(call.hub, repo, call.by, body.text("title"), body.maybe("body"), names)
    logins = body.texts("assignees") or tuple(filter(None, [body.maybe("assignee")]))
    repo.issues[issue.number] = replace(issue, assignees=_assignees(call, logins))
    events.issue(call.hub, repo, repo.issues[issue.number], "opened", call.by)
    location = {"Location": call.lens.at(repo, f"/issues/{issue.number}")}
    return Answer(views_pull.issue(call.lens, repo, repo.issues[issue.number]), 201, location)


def _assignees(call: Call, logins: tuple[str, ...]) -> tuple[str, ...]:
    """Assignees that may be assigned; GitHub drops the others silently."""
    accounts = [call.hub.account(login) for login in logins]
    return tuple(account.login for account in accounts if account and account.permission)


def _get(call: Call) -> Answer:
    return Answer(views_pull.issue(call.lens, call.repo, the_issue(call)))


def _edit(call: Call) -> Answer:
    repo, body, issue = call.repo, call.body, the_issue(call)
    state = body.maybe("state")
    if state not in (None, "open", "closed"):
        raise invalid("Issue", "state")
    changed = replace(
        issue,
        title=body.maybe("title") or issue.title,
        body=body.maybe("body") if "body" in body.fields else issue.body,
        labels=ensure(call, label_names(body)) if body.has("labels") else issue.labels,
        assignees=_assignees(call, body.texts("assignees")) if body.has("assignees") else issue.assignees,
    )
    repo.issues[issue.number] = changed
    pulls.touch(call.hub, repo, issue.number)
    events.edited(call.hub, repo, issue, call.by)
    if state == "closed" and issue.state == "open":
        pulls.close(call.hub, repo, issue.number, call.by, body.maybe("state_reason") or "completed")
    elif state == "open" and issue.state == "closed":
        pulls.reopen(call.hub, repo, issue.number, call.by)
    return Answer(views_pull.issue(call.lens, repo, repo.issues[issue.number]))


def _comments(call: Call) -> Answer:
    found = call.repo.comments_of(the_issue(call).number)
    return call.page(found).answer(lambda comment: views_pull.comment(call.lens, call.repo, comment))


def _add_comment(call: Call) -> Answer:
    issue, now = the_issue(call), call.hub.now()
    comment = Comment(next(call.hub.ids), issue.number, call.by.login, call.body.text("body"), now, now)
    call.repo.comments[comment.id] = comment
    pulls.touch(call.hub, call.repo, issue.number)
    events.commented(call.hub, call.repo, comment, "created", call.by)
    return Answer(views_pull.comment(call.lens, call.repo, comment), 201)


def _the_comment(call: Call) -> Comment:
    comment = call.repo.comments.get(call.number("comment_id"))
    if comment is None:
        raise not_found()
    return comment


def _comment(call: Call) -> Answer:
    return Answer(views_pull.comment(call.lens, call.repo, _the_comment(call)))


def _edit_comment(call: Call) -> Answer:
    before = _the_comment(call)
    comment = replace(before, body=call.body.text("body"), updated_at=call.hub.now())
    call.repo.comments[comment.id] = comment
    changes = {"body": {"from": before.body}}
    events.commented(call.hub, call.repo, comment, "edited", call.by, changes=changes)
    return Answer(views_pull.comment(call.lens, call.repo, comment))


def _all_comments(call: Call) -> Answer:
    """Comments of all issues and pull requests; newest first when sorted by a time, unless asked otherwise."""
    query, since = call.query, _since(call.query.get("since"))
    found = [each for each in call.repo.comments.values() if since is None or each.updated_at >= since]
    if "sort" in query:
        field = "updated_at" if query["sort"] == "updated" else "created_at"
        descending = query.get("direction", "desc") == "desc"
        found.sort(key=lambda comment: (getattr(comment, field), comment.id), reverse=descending)
    return call.page(found).answer(lambda comment: views_pull.comment(call.lens, call.repo, comment))


def _react(call: Call) -> Answer:
    comment, content = _the_comment(call), call.body.text("content")
    if content not in REACTIONS:
        raise invalid("Reaction", "content")
    for one in call.repo.reactions_to(comment.id):
        if (one.user, one.content) == (call.by.login, content):
            return Answer(call.lens.reaction(one))
    made = Reaction(next(call.hub.ids), comment.id, call.by.login, content, call.hub.now())
    call.repo.reactions[made.id] = made
    return Answer(call.lens.reaction(made), 201)


def _delete_comment(call: Call) -> Answer:
    del call.repo.comments[_the_comment(call).id]
    return Answer(status=204)


_Match = Callable[[Repo, Issue, str], bool]


def _is(repo: Repo, issue: Issue, value: str) -> bool:
    pull = repo.pulls.get(issue.number)
    facts = {
        "issue": pull is None,
        "pr": pull is not None,
        "open": issue.state == "open",
        "closed": issue.state == "closed",
        "merged": pull is not None and pull.merged_at is not None,
        "draft": pull is not None and pull.draft,
    }
    return facts.get(value, False)


_QUALIFIERS: Mapping[str, _Match] = {
    "repo": lambda repo, _, value: repo.full_name.lower() == value.lower(),
    "is": _is,
    "type": _is,
    "state": _is,
    "label": lambda _, issue, value: value.lower() in (name.lower() for name in issue.labels),
    "author": lambda _, issue, value: (
        issue.user.lower() in (value.lower(), f"{value.lower().removeprefix('app/')}[bot]")
    ),
    "head": lambda repo, issue, value: issue.number in repo.pulls and repo.pulls[issue.number].head == value,
    "base": lambda repo, issue, value: issue.number in repo.pulls and repo.pulls[issue.number].base == value,
}


def _search(call: Call) -> Answer:
    """Qualifiers of `_QUALIFIERS`, `in:title,body` and words; anything else is a 422, so that nothing is misread."""
    terms = _terms(call.query.get("q", ""))
    words = [value.lower() for key, value in terms if not key]
    places = {place for key, value in terms if key == "in" for place in value.split(",")} or {"title", "body"}
    tests = [(key, value) for key, value in terms if key not in ("", "in")]
    reach = call.caller.repositories
    found = [
        (repo, issue)
        for repo in call.hub.repos.values()
        if reach is None or repo.full_name in reach
        for issue in repo.issues.values()
        if all(_QUALIFIERS[key](repo, issue, value) for key, value in tests)
        and all(any(word in (getattr(issue, place) or "").lower() for place in places) for word in words)
    ]
    page = call.page(found[::-1])
    items = [{**views_pull.issue(call.lens, repo, issue), "score": 1.0} for repo, issue in page.items]
    body = {"total_count": len(found), "incomplete_results": False, "items": items, "search_type": "lexical"}
    return Answer(body, headers=page.headers)


def _terms(text: str) -> list[tuple[str, str]]:
    """(qualifier, value) pairs in order; the qualifier of a plain word is empty."""
    try:
        tokens = shlex.split(text)
    except ValueError as error:
        raise invalid("Search", "q") from error
    if not tokens:
        raise invalid("Search", "q", "missing")
    terms = []
    for token in tokens:
        key, colon, value = token.partition(":")
        known = colon and (key in _QUALIFIERS or (key == "in" and set(value.split(",")) <= {"title", "body"}))
        if colon and not known:
            raise invalid("Search", "q", "invalid", f"The sandbox does not know the search term {token!r}.")
        terms.append((key, value) if known else ("", token))
    return terms


def routes() -> tuple[Route, ...]:
    """The operations of this module."""
    here = "/repos/{owner}/{repo}/issues"
    read, say, write = ("issues", "read"), ("issues", "comment"), ("issues", "write")
    return (
        Route("GET", here, _list, read),
        Route("POST", here, _create, say),
        Route("GET", f"{here}/comments", _all_comments, read),
        Route("POST", f"{here}/comments/{{comment_id}}/reactions", _react, say),
        Route("GET", f"{here}/comments/{{comment_id}}", _comment, read),
        Route("PATCH", f"{here}/comments/{{comment_id}}", _edit_comment, write),
        Route("DELETE", f"{here}/comments/{{comment_id}}", _delete_comment, write),
        Route("GET", f"{here}/{{issue_number}}", _get, read),
        Route("PATCH", f"{here}/{{issue_number}}", _edit, write),
        Route("GET", f"{here}/{{issue_number}}/comments", _comments, read),
        Route("POST", f"{here}/{{issue_number}}/comments", _add_comment, say),
        Route("GET", "/search/issues", _search),
    )
