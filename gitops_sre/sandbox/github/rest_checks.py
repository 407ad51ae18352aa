"""REST: check runs, check suites and commit statuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gitops_sre.sandbox.github import events, merging, views_git, views_pull
from gitops_sre.sandbox.github.http import Answer, ApiError, Body, Call, Route, invalid, not_found
from gitops_sre.sandbox.github.rest_contents import resolved
from gitops_sre.sandbox.github.state import App, CheckRun, Repo, Status
from gitops_sre.sandbox.github.views import Json, Lens, maybe_stamp, stamp

_CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out")
_OPEN = ("queued", "in_progress")


def _app(lens: Lens, slug: str) -> App:
    return next(app for app in lens.hub.apps.values() if app.slug == slug)


def _suite_id(repo: Repo, check: CheckRun) -> int:
    """One suite per App and commit: it goes by the number of its first run."""
    return next(c.id for c in repo.checks.values() if (c.app, c.head_sha) == (check.app, check.head_sha))


def view(lens: Lens, repo: Repo, check: CheckRun) -> Json:
    """A check run."""
    url = lens.at(repo, f"/check-runs/{check.id}")
    output = {"title": check.title, "summary": check.summary, "text": check.text}
    return {
        "id": check.id,
        "node_id": f"CR_{check.id}",
        "head_sha": check.head_sha,
        "external_id": check.external_id or "",
        "url": url,
        "html_url": lens.page(repo, f"/runs/{check.id}"),
        "details_url": check.details_url or lens.page(repo, f"/runs/{check.id}"),
        "status": check.status,
        "conclusion": check.conclusion,
        "started_at": maybe_stamp(check.started_at),
        "completed_at": maybe_stamp(check.completed_at),
        "name": check.name,
        "output": {**output, "annotations_count": 0, "annotations_url": f"{url}/annotations"},
        "check_suite": {"id": _suite_id(repo, check)},
        "app": lens.app(_app(lens, check.app)),
        "pull_requests": _pulls(lens, repo, check.head_sha),
    }


def _pulls(lens: Lens, repo: Repo, sha: str) -> list[Json]:
    return [
        views_pull.minimal(lens, repo, pull)
        for pull in repo.pulls.values()
        if pull.head_sha == sha and repo.issues[pull.number].state == "open"
    ]


def _filled(call: Call, check: CheckRun) -> CheckRun:
    """A check run with what the body says; a conclusion completes it."""
    body, now = call.body, call.hub.now()
    status, conclusion = body.maybe("status") or check.status, body.maybe("conclusion") or check.conclusion
    if body.has("conclusion"):
        status = "completed"
    if status not in (*_OPEN, "completed") or conclusion not in (None, *_CONCLUSIONS):
        raise invalid("CheckRun", "conclusion" if status in (*_OPEN, "completed") else "status")
    if status == "completed" and conclusion is None:
        raise invalid("CheckRun", "conclusion", "missing_field")
    done = status == "completed"
    output = body.child("output")
    return replace(
        check,
        name=body.maybe("name") or check.name,
        status=status,
        conclusion=conclusion if done else None,
        started_at=_when(body, "started_at") or check.started_at or now,
        completed_at=(_when(body, "completed_at") or check.completed_at or now) if done else None,
        external_id=body.maybe("external_id") or check.external_id,
        details_url=body.maybe("details_url") or check.details_url,
        title=output.maybe("title") if output else check.title,
        summary=output.text("summary") if output else check.summary,
        text=output.maybe("text") if output else check.text,
    )


def _when(body: Body, name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if (text := body.maybe(name)) else None
    except ValueError as error:
        raise invalid("CheckRun", name) from error


def _store(call: Call, check: CheckRun, action: str) -> Json:
    call.repo.checks[check.id] = check
    shown = view(call.lens, call.repo, check)
    events.check_run(call.hub, call.repo, lambda lens: view(lens, call.repo, check), action, call.by)
    merging.auto_merge(call.hub, call.repo)
    return shown


def _create(call: Call) -> Answer:
    if call.caller.app is None:
        raise ApiError(403, "You must authenticate via a GitHub App.")
    sha = call.body.text("head_sha")
    if call.repo.git.kind(sha) != "commit":
        raise ApiError(422, f"No commit found for SHA: {sha}")
    blank = CheckRun(next(call.hub.ids), call.body.text("name"), sha, call.caller.app.slug, "queued", None)
    check = _filled(call, blank)
    return Answer(_store(call, check, "completed" if check.conclusion else "created"), 201)


def _the_check(call: Call) -> CheckRun:
    check = call.repo.checks.get(call.number("check_run_id"))
    if check is None:
        raise not_found()
    return check


def _get(call: Call) -> Answer:
    return Answer(view(call.lens, call.repo, _the_check(call)))


def _update(call: Call) -> Answer:
    check = _the_check(call)
    if call.caller.app is None or call.caller.app.slug != check.app:
        raise ApiError(403, "Invalid app_id `check_run` can only be modified by the GitHub App that created it.")
    changed = _filled(call, check)
    return Answer(_store(call, changed, "completed" if changed.conclusion else "created"))


def _for_ref(call: Call) -> Answer:
    repo, query = call.repo, call.query
    sha = resolved(repo, call.path["ref"])
    found = [
        check
        for check in repo.checks.values()
        if check.head_sha == sha
        and query.get("check_name", check.name) == check.name
        and query.get("status", check.status) == check.status
        and query.get("app_id", str(_app(call.lens, check.app).id)) == str(_app(call.lens, check.app).id)
    ]
    if query.get("filter", "latest") == "latest":
        found = list({(check.app, check.name): check for check in found}.values())
    found.reverse()
    return call.page(found).counted("check_runs", len(found), lambda check: view(call.lens, repo, check))


def _suites(call: Call) -> Answer:
    repo = call.repo
    sha = resolved(repo, call.path["ref"])
    slugs = list(dict.fromkeys(check.app for check in repo.checks.values() if check.head_sha == sha))
    return call.page(slugs).counted("check_suites", len(slugs), lambda slug: _suite(call, repo, sha, slug))


def _suite(call: Call, repo: Repo, sha: str, slug: str) -> Json:
    lens = call.lens
    runs = [check for check in repo.checks.values() if (check.head_sha, check.app) == (sha, slug)]
    number, done = runs[0].id, all(check.conclusion for check in runs)
    bad = next((check.conclusion for check in runs if check.conclusion not in ("success", "neutral", "skipped")), None)
    url = lens.at(repo, f"/check-suites/{number}")
    heads = [pull for pull in repo.pulls.values() if pull.head_sha == sha]
    started = [check.started_at for check in runs if check.started_at]
    commit = views_git.push_commit(repo, repo.git.commit(sha), lens)
    return {
        "id": number,
        "node_id": f"CS_{number}",
        "head_branch": heads[0].head if heads else None,
        "head_sha": sha,
        "status": "completed" if done else "in_progress",
        "conclusion": (bad or "success") if done else None,
        "url": url,
        "before": None,
        "after": sha,
        "pull_requests": _pulls(lens, repo, sha),
        "app": lens.app(_app(lens, slug)),
        "repository": lens.repo_links(repo),
        "created_at": maybe_stamp(min(started, default=None)),
        "updated_at": maybe_stamp(max(started, default=None)),
        "head_commit": {key: commit[key] for key in ("id", "tree_id", "message", "timestamp", "author", "committer")},
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{url}/check-runs",
    }


def _create_status(call: Call) -> Answer:
    sha, state = resolved(call.repo, call.path["sha"]), call.body.text("state")
    if state not in ("error", "failure", "pending", "success"):
        raise invalid("Status", "state")
    status = Status(
        id=next(call.hub.ids),
        sha=sha,
        context=call.body.maybe("context") or "default",
        state=state,
        description=call.body.maybe("description"),
        target_url=call.body.maybe("target_url"),
        creator=call.by.login,
        created_at=call.hub.now(),
    )
    call.repo.statuses[status.id] = status
    merging.auto_merge(call.hub, call.repo)
    return Answer({**_status(call, status), "creator": call.lens.account(call.by)}, 201)


def _status(call: Call, status: Status) -> Json:
    return {
        "url": call.lens.at(call.repo, f"/statuses/{status.sha}"),
        "avatar_url": call.lens.user(status.creator)["avatar_url"],
        "id": status.id,
        "node_id": f"SC_{status.id}",
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": stamp(status.created_at),
        "updated_at": stamp(status.created_at),
    }


def _statuses(call: Call) -> Answer:
    sha = resolved(call.repo, call.path["ref"], not_found())
    found = [status for status in call.repo.statuses.values() if status.sha == sha][::-1]  # newest first
    return call.page(found).answer(lambda s: {**_status(call, s), "creator": call.lens.user(s.creator)})


def _combined(call: Call) -> Answer:
    repo, lens = call.repo, call.lens
    sha = resolved(repo, call.path["ref"], not_found())
    latest = list({s.context: s for s in repo.statuses.values() if s.sha == sha}.values())
    states = {status.state for status in latest}
    worst = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    page = call.page(latest)
    view = {
        "state": worst,
        "sha": sha,
        "total_count": len(latest),
        "statuses": [_status(call, status) for status in page.items],
        "repository": lens.repo_links(repo),
        "commit_url": lens.at(repo, f"/commits/{sha}"),
        "url": lens.at(repo, f"/commits/{sha}/status"),
    }
    return Answer(view, headers=page.headers)


def routes() -> tuple[Route, ...]:
    """The operations of this module."""
    repo = "/repos/{owner}/{repo}"
    read, write = ("checks", "read"), ("checks", "write")
    return (
        Route("POST", f"{repo}/check-runs", _create, write),
        Route("GET", f"{repo}/check-runs/{{check_run_id}}", _get, read),
        Route("PATCH", f"{repo}/check-runs/{{check_run_id}}", _update, write),
        Route("GET", f"{repo}/commits/{{ref:path}}/check-runs", _for_ref, read),
        Route("GET", f"{repo}/commits/{{ref:path}}/check-suites", _suites, read),
        Route("POST", f"{repo}/statuses/{{sha}}", _create_status, ("statuses", "write")),
        Route("GET", f"{repo}/commits/{{ref:path}}/statuses", _statuses, ("statuses", "read")),
        Route("GET", f"{repo}/commits/{{ref:path}}/status", _combined, ("statuses", "read")),
    )
