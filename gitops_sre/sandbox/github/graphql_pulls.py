"""Pull requests in GraphQL: lists of them, and what stands on them and on their commits."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gitops_sre.sandbox.github import requirements, views_pull
from gitops_sre.sandbox.github.graphql_text import GraphQLError
from gitops_sre.sandbox.github.graphql_types import Node, actor, commit, repository
from gitops_sre.sandbox.github.http import Call
from gitops_sre.sandbox.github.state import (
    AutoMerge,
    CheckRun,
    Deployment,
    DeploymentStatus,
    Issue,
    Pull,
    Repo,
    Status,
)
from gitops_sre.sandbox.github.views import maybe_stamp, stamp

_MOST = 100
_MERGEABLE = {True: "MERGEABLE", False: "CONFLICTING", None: "UNKNOWN"}
Given = Mapping[str, Any]


def connection(kind: str, name: str, items: Sequence[object], view: Callable[[Any], Node], given: Given) -> Node:
    """A page of a list. Raises `GraphQLError` as GitHub does for one without a bound, or with too high a one."""
    first, last = given.get("first"), given.get("last")
    size = first if first is not None else last
    if not isinstance(size, int):
        message = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
        raise GraphQLError(message, "MISSING_PAGINATION_BOUNDARIES")
    if not 0 <= size <= _MOST:
        message = f"Requesting {size} records on the `{name}` connection exceeds the `first` limit of {_MOST} records."
        raise GraphQLError(message, "EXCESSIVE_PAGINATION")
    begin = _position(given.get("after")) if first is not None else max(len(items) - size, 0)
    page = items[begin : begin + size]
    end = begin + len(page)
    info = {
        "__typename": "PageInfo",
        "hasNextPage": first is not None and end < len(items),
        "hasPreviousPage": begin > 0,
        "startCursor": _cursor(begin + 1) if page else None,
        "endCursor": _cursor(end) if page else None,
    }
    return {
        "__typename": kind,
        "totalCount": len(items),
        "pageInfo": lambda _: info,
        "nodes": lambda _: [view(item) for item in page],
    }


def _cursor(position: int) -> str:
    return base64.b64encode(f"cursor:{position}".encode()).decode()


def _position(cursor: object) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.b64decode(str(cursor)).decode().removeprefix("cursor:"))
    except ValueError as error:
        raise GraphQLError(f"`{cursor}` does not appear to be a valid cursor.", "INVALID_CURSOR_ARGUMENTS") from error


def with_pulls(call: Call, repo: Repo) -> Node:
    """A repository with its pull requests."""

    def listed(given: Given) -> Node:
        call.caller.demand("pull_requests", "read")
        found = [pull for pull in repo.pulls.values() if _wanted(repo, pull, given)]
        order = given.get("orderBy") or {"field": "CREATED_AT", "direction": "ASC"}
        field = "updated_at" if order["field"] == "UPDATED_AT" else "created_at"
        found.sort(
            key=lambda pull: (getattr(repo.issues[pull.number], field), pull.number),
            reverse=order["direction"] == "DESC",
        )

        def view(pull: Pull) -> Node:
            return pull_request(call, repo, pull)

        return connection("PullRequestConnection", "pullRequests", found, view, given)

    def numbered(given: Given) -> Node:
        call.caller.demand("pull_requests", "read")
        pull = repo.pulls.get(given.get("number", 0))
        if pull is None:
            message = f"Could not resolve to a PullRequest with the number of {given.get('number')}."
            raise GraphQLError(message, "NOT_FOUND")
        return pull_request(call, repo, pull)

    def issues(given: Given) -> Node:
        call.caller.demand("issues", "read")
        wanted, states = set(given.get("labels") or ()), given.get("states")
        found = [
            issue
            for number, issue in sorted(repo.issues.items())
            if number not in repo.pulls and (not states or issue.state.upper() in states)
            if not wanted or wanted & set(issue.labels)
        ]
        return connection("IssueConnection", "issues", found, _issue, given)

    def object_at(given: Given) -> Node | None:
        call.caller.demand("contents", "read")
        if "oid" in given:
            oid = str(given["oid"])
            return with_checks(call, repo, oid) if repo.git.kind(oid) == "commit" else None
        branch, _, path = str(given.get("expression", "")).partition(":")
        head = repo.head_of(branch)
        entry = repo.git.entry(head, path) if head else None
        return {"__typename": "Tree" if entry.kind == "tree" else "Blob", "oid": entry.sha} if entry else None

    return {
        **repository(call.lens, repo),
        "pullRequests": listed,
        "pullRequest": numbered,
        "issues": issues,
        "object": object_at,
    }


def _issue(issue: Issue) -> Node:
    return {"__typename": "Issue", "number": issue.number, "title": issue.title, "state": issue.state.upper()}


def _wanted(repo: Repo, pull: Pull, given: Given) -> bool:
    states, base, head = given.get("states"), given.get("baseRefName"), given.get("headRefName")
    labels = set(given.get("labels") or ())
    if labels and not labels & set(repo.issues[pull.number].labels):
        return False
    return (not states or _state(repo, pull) in states) and base in (None, pull.base) and head in (None, pull.head)


def _state(repo: Repo, pull: Pull) -> str:
    return "MERGED" if pull.merged_at else repo.issues[pull.number].state.upper()


def pull_request(call: Call, repo: Repo, pull: Pull) -> Node:
    """A pull request."""
    lens, issue, merge_sha = call.lens, repo.issues[pull.number], pull.merge_sha
    return {
        "__typename": "PullRequest",
        "id": views_pull.node_id(pull),
        "databaseId": pull.id,
        "number": pull.number,
        "title": issue.title,
        "body": issue.body or "",
        "url": lens.page(repo, f"/pull/{pull.number}"),
        "state": _state(repo, pull),
        "isDraft": pull.draft,
        "isCrossRepository": False,
        "closed": issue.state == "closed",
        "merged": pull.merged_at is not None,
        "mergedAt": maybe_stamp(pull.merged_at),
        "createdAt": stamp(issue.created_at),
        "updatedAt": stamp(issue.updated_at),
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "baseRefName": pull.base,
        "baseRefOid": pull.base_sha,
        "baseRef": lambda _: _branch(repo, pull.base),
        "author": actor(lens, lens.hub.known(issue.user)),
        "mergeCommit": lambda _: with_checks(call, repo, merge_sha) if merge_sha else None,
        "mergeable": lambda _: _MERGEABLE[requirements.judge(lens.hub, repo, pull).mergeable],
        "mergeStateStatus": lambda _: requirements.judge(lens.hub, repo, pull).state.upper(),
        "autoMergeRequest": _auto_merge(call, pull.auto_merge),
        "repository": lambda _: with_pulls(call, repo),
        "commits": lambda given: _commits(call, repo, pull, given),
        "reviews": lambda given: _reviews(call, repo, pull, given),
        "mergeQueueEntry": lambda _: queue_entry(repo, pull),
        "timelineItems": lambda given: _timeline(call, repo, pull, given),
    }


def _branch(repo: Repo, name: str) -> Node | None:
    tip = repo.head_of(name)
    return {"__typename": "Ref", "name": name, "target": {"__typename": "Commit", "oid": tip}} if tip else None


def queue_entry(repo: Repo, pull: Pull) -> Node | None:
    """A pull request's place in the merge queue; None when it has none."""
    if pull.queued_by is None:
        return None
    before = sum(each.queued_by is not None and each.number < pull.number for each in repo.pulls.values())
    return {"__typename": "MergeQueueEntry", "state": "AWAITING_CHECKS", "position": before + 1}


def _auto_merge(call: Call, wish: AutoMerge | None) -> Node | None:
    if wish is None:
        return None
    view = {"commitHeadline": wish.title, "commitBody": wish.message, "mergeMethod": wish.method.upper()}
    return {"__typename": "AutoMergeRequest", "enabledBy": actor(call.lens, call.hub.known(wish.by)), **view}


def _commits(call: Call, repo: Repo, pull: Pull, given: Given) -> Node:
    call.caller.demand("contents", "read")
    shas = list(reversed(repo.git.rev_list(pull.head_sha, exclude=views_pull.start(repo, pull))))

    def view(sha: str) -> Node:
        return {"__typename": "PullRequestCommit", "id": f"PRC_{sha}", "commit": lambda _: with_checks(call, repo, sha)}

    return connection("PullRequestCommitConnection", "commits", shas, view, given)


def _reviews(call: Call, repo: Repo, pull: Pull, given: Given) -> Node:
    seen = [one for one in repo.reviews_of(pull.number) if one.state != "PENDING" or one.user == call.by.login]

    def view(one: Any) -> Node:
        return {
            "__typename": "PullRequestReview",
            "id": f"PRR_{one.id}",
            "databaseId": one.id,
            "author": actor(call.lens, call.hub.known(one.user)),
            "state": one.state,
            "body": one.body,
            "submittedAt": maybe_stamp(one.submitted_at),
            "commit": lambda _: with_checks(call, repo, one.commit_id),
        }

    return connection("PullRequestReviewConnection", "reviews", seen, view, given)


def _timeline(call: Call, repo: Repo, pull: Pull, given: Given) -> Node:
    """Of all items that it was closed, or that the merge queue has removed it: the others are not asked for."""
    issue = repo.issues[pull.number]

    def closed(login: str | None) -> Node:
        by = actor(call.lens, call.hub.known(login)) if login else None
        return {"__typename": "ClosedEvent", "actor": by, "createdAt": maybe_stamp(issue.closed_at)}

    def removed(one: tuple[str, datetime, str]) -> Node:
        why, when, login = one
        by = actor(call.lens, call.hub.known(login)) if login else None
        return {"__typename": "RemovedFromMergeQueueEvent", "actor": by, "reason": why, "createdAt": stamp(when)}

    kind = "PullRequestTimelineItemsConnection"
    if given.get("itemTypes") == ["CLOSED_EVENT"]:
        items = [issue.closed_by] if issue.state == "closed" else []
        return connection(kind, "timelineItems", items, closed, given)
    if given.get("itemTypes") == ["REMOVED_FROM_MERGE_QUEUE_EVENT"]:
        return connection(kind, "timelineItems", pull.unqueued, removed, given)
    raise GraphQLError("The sandbox knows no such timeline items.")


def with_checks(call: Call, repo: Repo, sha: str) -> Node:
    """A commit with what was reported about it."""
    return {
        **commit(call.lens, repo, repo.git.commit(sha)),
        "checkSuites": lambda given: _suites(call, repo, sha, given),
        "status": lambda _: _status(call, repo, sha),
        "deployments": lambda given: _deployments(call, repo, sha, given),
    }


def _deployments(call: Call, repo: Repo, sha: str, given: Given) -> Node:
    call.caller.demand("deployments", "read")
    found = [each for each in repo.deployments.values() if each.sha == sha]

    def view(made: Deployment) -> Node:
        said = [each for each in repo.deployment_statuses.values() if each.deployment == made.id]
        return {
            "__typename": "Deployment",
            "id": f"DE_{made.id}",
            "databaseId": made.id,
            "environment": made.environment,
            "description": made.description,
            "createdAt": stamp(made.created_at),
            "latestStatus": _deployment_status(said[-1]) if said else None,
        }

    return connection("DeploymentConnection", "deployments", found, view, given)


def _deployment_status(status: DeploymentStatus) -> Node:
    return {
        "__typename": "DeploymentStatus",
        "id": f"DES_{status.id}",
        "state": status.state.upper(),
        "description": status.description,
        "logUrl": status.log_url or None,
        "environmentUrl": status.environment_url or None,
        "createdAt": stamp(status.created_at),
    }


def _suites(call: Call, repo: Repo, sha: str, given: Given) -> Node:
    """Check runs by the App that reported them."""
    call.caller.demand("checks", "read")
    runs = [check for check in repo.checks.values() if check.head_sha == sha]
    wanted = given.get("filterBy") or {}
    apps = {app.slug: app for app in call.hub.apps.values()}
    slugs = [
        slug
        for slug in dict.fromkeys(check.app for check in runs)
        if wanted.get("appId") in (None, apps[slug].id)
        and any(wanted.get("checkName") in (None, check.name) for check in runs if check.app == slug)
    ]

    def view(slug: str) -> Node:
        app = {"__typename": "App", "databaseId": apps[slug].id, "slug": slug, "name": apps[slug].name or slug}
        of_app = [check for check in runs if check.app == slug]
        return {
            "__typename": "CheckSuite",
            "id": f"CS_{slug}_{sha}",
            "app": app,
            "checkRuns": lambda inner: _runs(of_app, inner),
        }

    return connection("CheckSuiteConnection", "checkSuites", slugs, view, given)


def _runs(runs: Sequence[CheckRun], given: Given) -> Node:
    wanted = given.get("filterBy") or {}
    found = [run for run in runs if wanted.get("checkName") in (None, run.name)]
    if wanted.get("checkType") != "ALL":
        found = list({run.name: run for run in found}.values())

    def view(run: CheckRun) -> Node:
        return {
            "__typename": "CheckRun",
            "id": f"CR_{run.id}",
            "databaseId": run.id,
            "name": run.name,
            "title": run.title,
            "summary": run.summary,
            "status": run.status.upper(),
            "conclusion": run.conclusion.upper() if run.conclusion else None,
        }

    return connection("CheckRunConnection", "checkRuns", found, view, given)


def _status(call: Call, repo: Repo, sha: str) -> Node | None:
    call.caller.demand("statuses", "read")
    latest = {status.context: status for status in repo.statuses.values() if status.sha == sha}
    if not latest:
        return None

    def view(status: Status | None) -> Node | None:
        if status is None:
            return None
        return {
            "__typename": "StatusContext",
            "id": f"SC_{status.id}",
            "context": status.context,
            "state": status.state.upper(),
            "description": status.description,
            "targetUrl": status.target_url,
            "creator": actor(call.lens, call.hub.known(status.creator)),
            "createdAt": stamp(status.created_at),
        }

    return {
        "__typename": "Status",
        "id": f"ST_{sha}",
        "contexts": lambda _: [view(status) for status in latest.values()],
        "context": lambda given: view(latest.get(str(given.get("name")))),
    }
