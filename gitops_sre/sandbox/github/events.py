"""What happens to git and to pull requests, told to the webhooks in GitHub's shapes."""

from __future__ import annotations

from gitops_sre.sandbox.github import views_git, views_pull
from gitops_sre.sandbox.github.gitrepo import ZERO
from gitops_sre.sandbox.github.state import Account, Comment, Hub, Issue, Pull, Repo, Review
from gitops_sre.sandbox.github.views import Json, Lens

_PUSH_COMMITS = 20


def _send(hub: Hub, event: str, repo: Repo, sender: Account, fields: Json) -> None:
    lens = Lens(hub, hub.base_url)
    common = {"repository": lens.repository(repo), "sender": lens.account(sender)}
    hub.deliver(event, {**fields, **common})


def pushed(hub: Hub, repo: Repo, ref: str, before: str, after: str, sender: Account) -> None:
    """A branch or tag was made, moved or deleted."""
    lens = Lens(hub, hub.base_url)
    new: tuple[str, ...] = ()
    if after != ZERO:
        new = repo.git.rev_list(after, exclude="" if before == ZERO else before)[:_PUSH_COMMITS]
    commits = [
        {**views_git.push_commit(repo, commit, lens), **_paths(repo, commit.sha)}
        for commit in reversed(repo.git.commits(new))
    ]
    fields = {
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


def _paths(repo: Repo, sha: str) -> Json:
    paths: dict[str, list[str]] = {"added": [], "removed": [], "modified": []}
    for file in views_git.changes(repo, repo.git.commit(sha)):
        paths[file.status if file.status in paths else "modified"].append(file.path)
    return dict(paths)


def pull_request(hub: Hub, repo: Repo, pull: Pull, action: str, sender: Account, **extra: object) -> None:
    """A pull request changed."""
    view = views_pull.full(Lens(hub, hub.base_url), repo, pull)
    _send(hub, "pull_request", repo, sender, {"action": action, "number": pull.number, "pull_request": view, **extra})


def reviewed(hub: Hub, repo: Repo, pull: Pull, review: Review, sender: Account) -> None:
    """A review was submitted."""
    lens = Lens(hub, hub.base_url)
    # Webhooks write the state in lower case, the REST API in upper case.
    view = {**views_pull.review(lens, repo, review), "state": review.state.lower()}
    fields = {"action": "submitted", "review": view, "pull_request": views_pull.simple(lens, repo, pull)}
    _send(hub, "pull_request_review", repo, sender, fields)


def commented(hub: Hub, repo: Repo, comment: Comment, action: str, sender: Account, **extra: object) -> None:
    """A comment on an issue or pull request was written or changed."""
    lens = Lens(hub, hub.base_url)
    fields = {
        "action": action,
        "issue": views_pull.issue(lens, repo, repo.issues[comment.number]),
        "comment": views_pull.comment(lens, repo, comment),
        **extra,
    }
    _send(hub, "issue_comment", repo, sender, fields)


def issue(hub: Hub, repo: Repo, value: Issue, action: str, sender: Account) -> None:
    """An issue changed."""
    view = views_pull.issue(Lens(hub, hub.base_url), repo, value)
    _send(hub, "issues", repo, sender, {"action": action, "issue": view})


def check_run(hub: Hub, repo: Repo, view: Json, action: str, sender: Account) -> None:
    """A check run was made or completed; the view is the REST API's."""
    _send(hub, "check_run", repo, sender, {"action": action, "check_run": view})
