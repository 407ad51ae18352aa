"""REST: labels of a repository and on issues."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from gitops_sre.sandbox.github import events, pulls
from gitops_sre.sandbox.github.http import Answer, ApiError, Call, Route, invalid, label_names, not_found
from gitops_sre.sandbox.github.state import Issue, Label

_COLOR = "ededed"


def the_issue(call: Call) -> Issue:
    """The issue or pull request that the path names."""
    issue = call.repo.issues.get(call.number("issue_number"))
    if issue is None:
        raise not_found()
    return issue


def ensure(call: Call, names: Iterable[str]) -> tuple[str, ...]:
    """Labels by name, each once; those that the repository lacks are made, as GitHub does."""
    known = call.repo.labels
    for name in names:
        if not name or len(name) > 50:
            raise invalid("Label", "name")
        if name.lower() not in known:
            known[name.lower()] = Label(next(call.hub.ids), name, _COLOR, None)
    return tuple(dict.fromkeys(known[name.lower()].name for name in names))


def _list(call: Call) -> Answer:
    return call.page(list(call.repo.labels.values())).answer(lambda label: call.lens.label(call.repo, label))


def _the_label(call: Call) -> Label:
    label = call.repo.labels.get(call.path["name"].lower())
    if label is None:
        raise not_found()
    return label


def _get(call: Call) -> Answer:
    return Answer(call.lens.label(call.repo, _the_label(call)))


def _create(call: Call) -> Answer:
    name, color = call.body.text("name"), call.body.maybe("color") or _COLOR
    if name.lower() in call.repo.labels:
        raise invalid("Label", "name", "already_exists")
    if len(name) > 50 or not re.fullmatch(r"[0-9a-fA-F]{6}", color):
        raise invalid("Label", "color" if len(name) <= 50 else "name")
    label = Label(next(call.hub.ids), name, color, call.body.maybe("description"))
    call.repo.labels[name.lower()] = label
    return Answer(call.lens.label(call.repo, label), 201)


def _on_issue(call: Call) -> Answer:
    issue = the_issue(call)
    views = call.page(issue.labels)
    return views.answer(lambda name: call.lens.label(call.repo, call.repo.labels[name.lower()]))


def _set(call: Call, issue: Issue, names: tuple[str, ...]) -> Answer:
    repo = call.repo
    changed = replace(issue, labels=names)
    repo.issues[issue.number] = changed
    pulls.touch(call.hub, repo, issue.number)
    _tell(call, issue, changed)
    return Answer(call.lens.labels(repo, changed))


def _tell(call: Call, before: Issue, after: Issue) -> None:
    repo = call.repo
    moves = {"labeled": set(after.labels) - set(before.labels), "unlabeled": set(before.labels) - set(after.labels)}
    for action, names in moves.items():
        for name in sorted(names):
            if pull := repo.pulls.get(after.number):
                label = call.lens.label(repo, repo.labels[name.lower()])
                events.pull_request(call.hub, repo, pull, action, call.by, label=label)
            else:
                events.issue(call.hub, repo, after, action, call.by)


def _add(call: Call) -> Answer:
    issue = the_issue(call)
    return _set(call, issue, tuple(dict.fromkeys((*issue.labels, *ensure(call, label_names(call.body))))))


def _replace(call: Call) -> Answer:
    return _set(call, the_issue(call), ensure(call, label_names(call.body)))


def _remove(call: Call) -> Answer:
    issue, name = the_issue(call), call.path["name"].lower()
    left = tuple(label for label in issue.labels if label.lower() != name)
    if left == issue.labels:
        raise ApiError(404, "Label does not exist")
    return _set(call, issue, left)


def routes() -> tuple[Route, ...]:
    """The operations of this module."""
    repo = "/repos/{owner}/{repo}"
    on = f"{repo}/issues/{{issue_number}}/labels"
    read, write = ("issues", "read"), ("issues", "write")
    return (
        Route("GET", f"{repo}/labels", _list, read),
        Route("POST", f"{repo}/labels", _create, write),
        Route("GET", f"{repo}/labels/{{name}}", _get, read),
        Route("GET", on, _on_issue, read),
        Route("POST", on, _add, write),
        Route("PUT", on, _replace, write),
        Route("DELETE", f"{on}/{{name}}", _remove, write),
    )
