"""REST: pull requests and merging them."""

from __future__ import annotations

from dataclasses import replace

from gitops_sre.sandbox.github import diffs, events, merging, pulls, requirements, views_git, views_pull
from gitops_sre.sandbox.github.http import Answer, ApiError, Call, Route, invalid, not_found, refused
from gitops_sre.sandbox.github.rest_contents import DIFF
from gitops_sre.sandbox.github.state import Protection, Pull

_METHODS = ("merge", "squash", "rebase")


def the_pull(call: Call) -> Pull:
    """The pull request that the path names."""
    pull = call.repo.pulls.get(call.number("pull_number"))
    if pull is None:
        raise not_found()
    return pull


def _list(call: Call) -> Answer:
    query, repo = call.query, call.repo
    state, head, base = query.get("state", "open"), query.get("head", ""), query.get("base", "")
    if state not in ("open", "closed", "all"):
        raise invalid("PullRequest", "state")
    found = [
        pull
        for pull in repo.pulls.values()
        if state in ("all", repo.issues[pull.number].state)
        and (":" not in head or head == f"{repo.owner.login}:{pull.head}")
        and base in ("", pull.base)
    ]
    sort = query.get("sort", "created")
    descending = query.get("direction", "desc" if sort == "created" else "asc") == "desc"
    found.sort(key=lambda pull: _sort_key(call, pull, sort), reverse=descending)
    return call.page(found).answer(lambda pull: views_pull.simple(call.lens, repo, pull))


def _sort_key(call: Call, pull: Pull, sort: str) -> tuple[float, int]:
    issue = call.repo.issues[pull.number]
    when = issue.updated_at if sort in ("updated", "long-running") else issue.created_at
    size = len(call.repo.comments_of(pull.number)) if sort == "popularity" else when.timestamp()
    return float(size), pull.number


def _create(call: Call) -> Answer:
    repo, body = call.repo, call.body
    title, base = body.text("title"), body.text("base")
    owner, _, branch = body.text("head").rpartition(":")
    head = repo.head_of(branch)
    if head is None or (owner and owner.lower() != repo.owner.login.lower()):
        raise invalid("PullRequest", "head")
    base_sha = repo.head_of(base)
    if base_sha is None:
        raise invalid("PullRequest", "base")
    if not repo.git.rev_list(head, exclude=base_sha):
        raise invalid("PullRequest", "base", "custom", f"No commits between {base} and {branch}")
    if any(p.head == branch and p.base == base and repo.issues[p.number].state == "open" for p in repo.pulls.values()):
        message = f"A pull request already exists for {repo.owner.login}:{branch}."
        raise ApiError(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    issue = pulls.new_issue(call.hub, repo, call.by, title, body.maybe("body"))
    pull = pulls.open_pull(call.hub, repo, issue, branch, base, draft=body.flag("draft"))
    return Answer(
        views_pull.full(call.lens, repo, pull), 201, {"Location": call.lens.at(repo, f"/pulls/{pull.number}")}
    )


def _get(call: Call) -> Answer:
    pull, repo = the_pull(call), call.repo
    if "diff" in call.accept:
        return Answer(diffs.text(repo.git, views_pull.start(repo, pull), pull.head_sha), media=DIFF)
    return Answer(views_pull.full(call.lens, repo, pull))


def _edit(call: Call) -> Answer:
    pull, repo, body = the_pull(call), call.repo, call.body
    issue = repo.issues[pull.number]
    state, base = body.maybe("state"), body.maybe("base")
    if state not in (None, "open", "closed"):
        raise invalid("PullRequest", "state")
    if base is not None and (repo.head_of(base) is None or issue.state == "closed"):
        raise invalid("PullRequest", "base")
    text = body.maybe("body") if "body" in body.fields else issue.body
    repo.issues[pull.number] = replace(issue, title=body.maybe("title") or issue.title, body=text)
    if base is not None:
        repo.pulls[pull.number] = replace(pull, base=base, base_sha=repo.head_of(base) or "")
    pulls.touch(call.hub, repo, pull.number)
    events.edited(call.hub, repo, issue, call.by)
    if state == "closed" and issue.state == "open":
        pulls.close(call.hub, repo, pull.number, call.by)
    elif state == "open" and issue.state == "closed":
        _reopen(call, pull)
    return Answer(views_pull.full(call.lens, repo, repo.pulls[pull.number]))


def _reopen(call: Call, pull: Pull) -> None:
    if pull.merged_at or call.repo.head_of(pull.head) is None:
        raise invalid("PullRequest", "state", "invalid", "state cannot be changed.")
    pulls.reopen(call.hub, call.repo, pull.number, call.by)


def _files(call: Call) -> Answer:
    pull, repo = the_pull(call), call.repo
    found = diffs.files(repo.git, views_pull.start(repo, pull), pull.head_sha)
    return call.page(found).answer(lambda file: views_git.file(call.lens, repo, file, pull.head_sha))


def _commits(call: Call) -> Answer:
    pull, repo = the_pull(call), call.repo
    page = call.page(repo.git.rev_list(pull.head_sha, exclude=views_pull.start(repo, pull))[::-1])
    views = [views_git.commit(call.lens, repo, commit) for commit in repo.git.commits(page.items)]
    return Answer(views, headers=page.headers)


def _is_merged(call: Call) -> Answer:
    if the_pull(call).merged_at is None:
        raise not_found()
    return Answer(status=204)


_NOT_ALLOWED = {
    "merge": "Merge commits are not allowed on this repository.",
    "squash": "Squash merges are not allowed on this repository.",
    "rebase": "Rebase merges are not allowed on this repository.",
}


def _merge(call: Call) -> Answer:
    pull, body = the_pull(call), call.body
    method, expected = body.maybe("merge_method") or "merge", body.maybe("sha")
    if method not in _METHODS:
        raise invalid("PullRequest", "merge_method")
    if pull.merged_at is None and expected is not None and expected != pull.head_sha:
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    if method not in call.repo.merge_methods:
        raise ApiError(405, _NOT_ALLOWED[method])
    if call.repo.protections.get(pull.base, Protection()).merge_queue:
        raise ApiError(405, "Changes must be made through the merge queue")
    verdict = requirements.judge(call.hub, call.repo, pull, admin=call.by.permission == "admin")
    if verdict.refusal:
        raise ApiError(405, verdict.refusal)
    texts = body.maybe("commit_title") or "", body.maybe("commit_message") or ""
    sha = merging.merge(call.hub, call.repo, pull, call.by, method, *texts)
    if sha is None:
        raise ApiError(405, "This branch can't be rebased")
    return Answer({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def _update_branch(call: Call) -> Answer:
    pull, repo = the_pull(call), call.repo
    expected, base = call.body.maybe("expected_head_sha"), repo.head_of(pull.base)
    if expected is not None and expected != pull.head_sha:
        raise refused("expected head sha didn't match current head ref.")
    if base is None or repo.git.contains(pull.head_sha, base):
        raise refused("There are no new commits on the base branch.")
    tree = repo.git.merge_tree(pull.head_sha, base)
    if tree is None:
        raise refused("merge conflict between base and head")
    now = call.hub.now()
    message = f"Merge branch '{pull.base}' into {pull.head}"
    people = call.by.sign(now), call.hub.web_flow_signature(now)
    sha = repo.git.write_commit(tree, [pull.head_sha, base], message, *people)
    repo.verified[sha] = now
    pulls.move_ref(call.hub, repo, f"refs/heads/{pull.head}", sha, pull.head_sha, call.by)
    url = call.lens.page(repo, f"/pull/{pull.number}")
    return Answer({"message": "Updating pull request branch.", "url": url}, 202)


def routes() -> tuple[Route, ...]:
    """The operations of this module."""
    here = "/repos/{owner}/{repo}/pulls"
    one = f"{here}/{{pull_number}}"
    read, write = ("pull_requests", "read"), ("pull_requests", "write")
    return (
        Route("GET", here, _list, read),
        Route("POST", here, _create, write),
        Route("GET", one, _get, read),
        Route("PATCH", one, _edit, write),
        Route("GET", f"{one}/files", _files, read),
        Route("GET", f"{one}/commits", _commits, read),
        Route("GET", f"{one}/merge", _is_merged, read),
        Route("PUT", f"{one}/merge", _merge, ("contents", "write")),
        Route("PUT", f"{one}/update-branch", _update_branch, write),
    )
