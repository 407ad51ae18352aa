"""What happens to git and to pull requests, told to the webhooks in GitHub's shapes."""

from __future__ import annotations

from collections.abc import Callable

from gitops_sre.sandbox.github import views_git, views_pull
from gitops_sre.sandbox.github.gitrepo import ZERO
from gitops_sre.sandbox.github.state import Account, Comment, Hub, Issue, Pull, Repo, Review
from gitops_sre.sandbox.github.views import Json, Lens

_PUSH_COMMITS = 20


def _send(hub: Hub, event: str, repo: Repo, sender: Account, fields: Callable[[Lens], Json]) -> None:
    """Tell of an event; its payload is only worked out when somebody listens."""
    if hub.watched:
        lens = Lens(hub, hub.base_url)
        hub.deliver(event, {**fields(lens), "repository": lens.repository(repo), "sender": lens.account(sender)})


def pushed(hub: Hub, repo: Repo, ref: str, before: str, after: str, sender: Account) -> None:
    """A branch or tag was made, moved or deleted."""

    def fields(lens: Lens) -> Json:
        commits = _pushed_commits(lens, repo, before, after)
        return {
            "ref": ref,
            "before": before,
            "after": after,
            "created": before == ZERO,
            "deleted": after == ZERO,
            "forced": ZERO not in (before, after) and not repo.git.contains(after, before),
            "base_ref": None,
            "compare": lens.page(repo, f"/compare/{before[:12]}...{after[:12]}"),
            "commits": commits,
            "head_commit": commits[-1] if commits else None,
            "pusher": {"name": sender.login, "email": sender.email},
        }

    _send(hub, "push", repo, sender, fields)


def _pushed_commits(lens: Lens, repo: Repo, before: str, after: str) -> list[Json]:
    """The newest commits that a push brought, oldest first, each with the paths it touched."""
    if after == ZERO:
        return []
    new = repo.git.rev_list(after, exclude="" if before == ZERO else before)[:_PUSH_COMMITS]
    commits = repo.git.commits(new[::-1])
    return [{**views_git.push_commit(repo, commit, lens), **_paths(repo, commit.sha)} for commit in commits]


def _paths(repo: Repo, sha: str) -> Json:
    paths: dict[str, list[str]] = {"added": [], "removed": [], "modified": []}
    for file in views_git.changes(repo, repo.git.commit(sha)):
        paths[file.status if file.status in paths else "modified"].append(file.path)
    return dict(paths)


def pull_request(hub: Hub, repo: Repo, pull: Pull, action: str, sender: Account, **extra: object) -> None:
    """A pull request changed."""

    def fields(lens: Lens) -> Json:
        view = views_pull.full(lens, repo, pull)
        return {"action": action, "number": pull.number, "pull_request": view, **extra}

    _send(hub, "pull_request", repo, sender, fields)


def reviewed(hub: Hub, repo: Repo, pull: Pull, review: Review, sender: Account) -> None:
    """A review was submitted."""

    def fields(lens: Lens) -> Json:
        # Webhooks write the state in lower case, the REST API in upper case.
        view = {**views_pull.review(lens, repo, review), "state": review.state.lower()}
        return {"action": "submitted", "review": view, "pull_request": views_pull.simple(lens, repo, pull)}

    _send(hub, "pull_request_review", repo, sender, fields)


def commented(hub: Hub, repo: Repo, comment: Comment, action: str, sender: Account, **extra: object) -> None:
    """A comment on an issue or pull request was written or changed."""

    def fields(lens: Lens) -> Json:
        issue = views_pull.issue(lens, repo, repo.issues[comment.number])
        return {"action": action, "issue": issue, "comment": views_pull.comment(lens, repo, comment), **extra}

    _send(hub, "issue_comment", repo, sender, fields)


def issue(hub: Hub, repo: Repo, value: Issue, action: str, sender: Account, **extra: object) -> None:
    """An issue changed."""

    def fields(lens: Lens) -> Json:
        return {"action": action, "issue": views_pull.issue(lens, repo, value), **extra}

    _send(hub, "issues", repo, sender, fields)


def edited(hub: Hub, repo: Repo, before: Issue, sender: Account) -> None:
    """The title or body of an issue or pull request was changed; says what it was."""
    now = repo.issues[before.number]
    old = {"title": before.title, "body": before.body or ""}
    changes = {name: {"from": text} for name, text in old.items() if text != (getattr(now, name) or "")}
    if not changes:
        return
    if pull := repo.pulls.get(before.number):
        pull_request(hub, repo, pull, "edited", sender, changes=changes)
    else:
        issue(hub, repo, now, "edited", sender, changes=changes)


def check_run(hub: Hub, repo: Repo, view: Callable[[Lens], Json], action: str, sender: Account) -> None:
    """A check run was made or completed; the view is the REST API's."""
    _send(hub, "check_run", repo, sender, lambda lens: {"action": action, "check_run": view(lens)})
