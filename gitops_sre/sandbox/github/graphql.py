"""The GraphQL endpoint: the mutations and queries that automation uses, with GitHub's errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gitops_sre.sandbox.github import graphql_pulls, pulls, requirements, views_pull
from gitops_sre.sandbox.github import graphql_types as types
from gitops_sre.sandbox.github.gitrepo import ZERO, safe_path
from gitops_sre.sandbox.github.graphql_text import Field, GraphQLError, parse
from gitops_sre.sandbox.github.graphql_types import Node
from gitops_sre.sandbox.github.http import ApiError, Body, Call
from gitops_sre.sandbox.github.rest_git import decode_base64
from gitops_sre.sandbox.github.state import AutoMerge, Protection, Pull, Repo
from gitops_sre.sandbox.github.views import Json


def answer(call: Call) -> Json:
    """Answer one GraphQL request: `data`, `errors` or both, always with HTTP 200."""
    variables = call.body.child("variables")
    try:
        operation = parse(call.body.maybe("query") or "", variables.fields if variables else {})
        roots = _MUTATIONS if operation.kind == "mutation" else _QUERIES
    except GraphQLError as error:
        return {"errors": [_error(error, None)]}
    if unknown := [field.name for field in operation.fields if field.name not in roots]:
        message = f"Field '{unknown[0]}' doesn't exist on type '{operation.kind.capitalize()}'"
        return {"errors": [_error(GraphQLError(message, code="undefinedField"), None)]}
    data: Json = {}
    errors = []
    for field in operation.fields:
        try:
            data[field.alias] = types.pick(roots[field.name](call, field.arguments), field.selection)
        except (GraphQLError, ApiError) as error:
            data[field.alias] = None
            errors.append(_error(_worded(error), field))
    return {"data": data, "errors": errors} if errors else {"data": data}


def _worded(error: GraphQLError | ApiError) -> GraphQLError:
    if isinstance(error, GraphQLError):
        return error
    kinds = {403: "FORBIDDEN", 404: "NOT_FOUND"}
    return GraphQLError(error.message, kinds.get(error.status, "UNPROCESSABLE"))


def _error(error: GraphQLError, field: Field | None) -> Json:
    view: Json = {"message": error.message, "locations": [{"line": 1, "column": 1}]}
    if error.kind:
        view["type"] = error.kind
    if error.code:
        view["extensions"] = {"code": error.code}
    return {**view, "path": [field.alias]} if field else view


def _viewer(call: Call, _: Mapping[str, Any]) -> Node:
    return types.actor(call.lens, call.by)


def _repository(call: Call, given: Mapping[str, Any]) -> Node:
    return graphql_pulls.with_pulls(call, _find_repo(call, f"{given.get('owner')}/{given.get('name')}"))


def _node(call: Call, given: Mapping[str, Any]) -> Node:
    identifier = given.get("id")
    for repo in call.hub.repos.values():
        if identifier == f"R_{repo.id}":
            return graphql_pulls.with_pulls(call, _find_repo(call, repo.full_name))
    return graphql_pulls.pull_request(call, *_find_pull(call, identifier))


def _find_repo(call: Call, full_name: str) -> Repo:
    repo, reach = call.hub.repo(full_name), call.caller.repositories
    if repo is None or (reach is not None and repo.full_name not in reach):
        raise GraphQLError(f"Could not resolve to a Repository with the name '{full_name}'.", "NOT_FOUND")
    return repo


def _find_pull(call: Call, identifier: object) -> tuple[Repo, Pull]:
    for repo in call.hub.repos.values():
        for pull in repo.pulls.values():
            if identifier == views_pull.node_id(pull):
                return _find_repo(call, repo.full_name), pull
    raise GraphQLError(f"Could not resolve to a node with the global id of '{identifier}'", "NOT_FOUND")


@dataclass(frozen=True)
class _Input:
    """The `input` argument of a mutation."""

    body: Body

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> _Input:
        value = given.get("input")
        if not isinstance(value, dict):
            raise GraphQLError("Argument 'input' is required", code="missingRequiredArguments")
        return cls(Body.of(value))

    def payload(self, name: str, **fields: object) -> Node:
        return {"__typename": name, "clientMutationId": self.body.maybe("clientMutationId"), **fields}


def _create_commit(call: Call, given: Mapping[str, Any]) -> Node:
    value = _Input.of(given)
    repo, branch = _target(call, value.body)
    call.caller.demand("contents", "write")
    parent = repo.head_of(branch)
    if parent is None:
        raise GraphQLError(f"Could not resolve to a branch with the name '{branch}'.", "NOT_FOUND")
    expected = value.body.text("expectedHeadOid")
    if parent != expected:
        message = f'Expected branch to point to "{expected}" but it did not. Pull and try again.'
        raise GraphQLError(message, "STALE_DATA")
    if not requirements.may_push(repo, branch, call.by):
        raise GraphQLError("Changes must be made through a pull request.", "UNPROCESSABLE")
    files = _file_changes(repo, parent, value.body.child("fileChanges"))
    words = value.body.child("message")
    if words is None:
        raise GraphQLError("A commit message is required", code="argumentLiteralsIncompatible")
    headline, text = words.text("headline"), words.maybe("body")
    now = call.hub.now()
    message = f"{headline}\n\n{text}" if text else headline
    sha = repo.git.commit_files(branch, parent, files, message, call.by.sign(now), call.hub.web_flow_signature(now))
    repo.verified[sha] = now
    pulls.ref_moved(call.hub, repo, f"refs/heads/{branch}", parent, sha, call.by)
    return value.payload(
        "CreateCommitOnBranchPayload",
        commit=lambda _: types.commit(call.lens, repo, repo.git.commit(sha)),
        ref=lambda _: types.ref(call.lens, repo, f"refs/heads/{branch}"),
    )


def _update_refs(call: Call, given: Mapping[str, Any]) -> Node:
    """All or none: a ref that is not at its `beforeOid`, or would not be fast-forwarded without force, stops it."""
    value = _Input.of(given)
    identifier = value.body.text("repositoryId")
    repo = next((repo for repo in call.hub.repos.values() if identifier == f"R_{repo.id}"), None)
    if repo is None:
        raise GraphQLError(f"Could not resolve to a node with the global id of '{identifier}'", "NOT_FOUND")
    repo = _find_repo(call, repo.full_name)
    call.caller.demand("contents", "write")
    moves = [_ref_move(call, repo, update) for update in value.body.objects("refUpdates")]
    for name, old, new in moves:
        pulls.move_ref(call.hub, repo, name, new, old, call.by)
    return value.payload("UpdateRefsPayload")


def _ref_move(call: Call, repo: Repo, update: Body) -> tuple[str, str, str]:
    name, new = update.text("name"), update.text("afterOid")
    old, expected = repo.git.ref(name) or ZERO, update.maybe("beforeOid")
    if expected is not None and expected != old:
        raise GraphQLError(f"Expected {name} to point to {expected} but it did not.", "STALE_DATA")
    if new != ZERO and repo.git.kind(new) != "commit":
        raise GraphQLError(f"{new} is not a commit.", "UNPROCESSABLE")
    forward = ZERO in (old, new) or repo.git.contains(new, old)
    if not forward and not update.flag("force"):
        raise GraphQLError(f"{name} would not be fast-forwarded.", "UNPROCESSABLE")
    if not requirements.may_push(repo, name.removeprefix("refs/heads/"), call.by):
        raise GraphQLError("Changes must be made through a pull request.", "UNPROCESSABLE")
    return name, old, new


def _target(call: Call, body: Body) -> tuple[Repo, str]:
    branch = body.child("branch")
    if branch is None:
        raise GraphQLError("Argument 'branch' is required", code="missingRequiredArguments")
    name = branch.text("branchName").removeprefix("refs/heads/")
    return _find_repo(call, branch.text("repositoryNameWithOwner")), name


def _file_changes(repo: Repo, parent: str, changes: Body | None) -> dict[str, bytes | None]:
    files: dict[str, bytes | None] = {}
    for entry in changes.objects("deletions") if changes else ():
        path = _path(entry)
        if repo.git.entry(parent, path) is None:
            raise GraphQLError(f"A path was requested for deletion which does not exist: {path}", "UNPROCESSABLE")
        files[path] = None
    for entry in changes.objects("additions") if changes else ():
        files[_path(entry)] = decode_base64(entry.maybe("contents") or "")
    return files


def _path(entry: Body) -> str:
    path = entry.text("path")
    if not safe_path(path):
        raise GraphQLError(f"The path {path!r} is malformed.", "UNPROCESSABLE")
    return path


def _draft(draft: bool, name: str) -> Callable[[Call, Mapping[str, Any]], Node]:
    def change(call: Call, given: Mapping[str, Any]) -> Node:
        value = _Input.of(given)
        repo, pull = _find_pull(call, value.body.text("pullRequestId"))
        call.caller.demand("pull_requests", "write")
        if repo.issues[pull.number].state != "open":
            raise GraphQLError("Pull request is closed", "UNPROCESSABLE")
        changed = pulls.set_draft(call.hub, repo, pull, draft, call.by)
        return value.payload(name, pullRequest=lambda _: graphql_pulls.pull_request(call, repo, changed))

    return change


def _enable_auto_merge(call: Call, given: Mapping[str, Any]) -> Node:
    value = _Input.of(given)
    body = value.body
    repo, pull = _find_pull(call, body.text("pullRequestId"))
    call.caller.demand("pull_requests", "write")
    call.caller.demand("contents", "write")
    expected = body.maybe("expectedHeadOid")
    if expected is not None and expected != pull.head_sha:
        raise GraphQLError(f'Head branch was modified: expected "{expected}".', "STALE_DATA")
    verdict = requirements.judge(call.hub, repo, pull)
    # GitHub only waits for requirements: what could be merged now, or never, is refused.
    if verdict.state != "blocked":
        raise GraphQLError(f"Pull request Pull request is in {verdict.state} status", "UNPROCESSABLE")
    method = (body.maybe("mergeMethod") or "MERGE").lower()
    if method not in ("merge", "squash", "rebase"):
        raise GraphQLError("Argument 'mergeMethod' has an invalid value", code="argumentLiteralsIncompatible")
    wish = AutoMerge(call.by.login, method, body.maybe("commitHeadline"), body.maybe("commitBody"))
    return _set_auto_merge(call, value, (repo, pull), wish, "EnablePullRequestAutoMergePayload")


def _disable_auto_merge(call: Call, given: Mapping[str, Any]) -> Node:
    value = _Input.of(given)
    repo, pull = _find_pull(call, value.body.text("pullRequestId"))
    call.caller.demand("pull_requests", "write")
    if pull.auto_merge is None:
        raise GraphQLError("Can't disable auto-merge for this pull request.", "UNPROCESSABLE")
    return _set_auto_merge(call, value, (repo, pull), None, "DisablePullRequestAutoMergePayload")


def _set_auto_merge(call: Call, value: _Input, where: tuple[Repo, Pull], wish: AutoMerge | None, name: str) -> Node:
    repo, pull = where
    changed = replace(pull, auto_merge=wish)
    repo.pulls[pull.number] = changed
    pulls.touch(call.hub, repo, pull.number)
    return value.payload(
        name,
        actor=types.actor(call.lens, call.by),
        pullRequest=lambda _: graphql_pulls.pull_request(call, repo, changed),
    )


def _enqueue(call: Call, given: Mapping[str, Any]) -> Node:
    value = _Input.of(given)
    repo, pull = _find_pull(call, value.body.text("pullRequestId"))
    call.caller.demand("pull_requests", "write")
    call.caller.demand("contents", "write")
    if not repo.protections.get(pull.base, Protection()).merge_queue:
        raise GraphQLError("Merge queue is not enabled for this branch", "UNPROCESSABLE")
    expected = value.body.maybe("expectedHeadOid")
    if expected is not None and expected != pull.head_sha:
        raise GraphQLError(f'Head branch was modified: expected "{expected}".', "STALE_DATA")
    refusal = requirements.judge(call.hub, repo, pull).refusal
    if refusal:
        raise GraphQLError(refusal, "UNPROCESSABLE")
    changed = _requeued(call, repo, pull, call.by.login)
    entry = graphql_pulls.queue_entry(repo, changed)
    return value.payload("EnqueuePullRequestPayload", mergeQueueEntry=lambda _: entry)


def _dequeue(call: Call, given: Mapping[str, Any]) -> Node:
    value = _Input.of(given)
    repo, pull = _find_pull(call, value.body.text("id"))
    call.caller.demand("pull_requests", "write")
    if pull.queued_by is not None:
        pull = replace(pull, unqueued=(*pull.unqueued, ("manual", call.hub.now(), call.by.login)))
    _requeued(call, repo, pull, None)
    return value.payload("DequeuePullRequestPayload", mergeQueueEntry=None)


def _requeued(call: Call, repo: Repo, pull: Pull, by: str | None) -> Pull:
    changed = repo.pulls[pull.number] = replace(pull, queued_by=by)
    pulls.touch(call.hub, repo, pull.number)
    return changed


_Root = Callable[[Call, Mapping[str, Any]], Node]
_QUERIES: Mapping[str, _Root] = {"viewer": _viewer, "repository": _repository, "node": _node}
_MUTATIONS: Mapping[str, _Root] = {
    "createCommitOnBranch": _create_commit,
    "updateRefs": _update_refs,
    "convertPullRequestToDraft": _draft(True, "ConvertPullRequestToDraftPayload"),
    "markPullRequestReadyForReview": _draft(False, "MarkPullRequestReadyForReviewPayload"),
    "enablePullRequestAutoMerge": _enable_auto_merge,
    "disablePullRequestAutoMerge": _disable_auto_merge,
    "enqueuePullRequest": _enqueue,
    "dequeuePullRequest": _dequeue,
}
