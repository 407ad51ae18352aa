"""How pull requests, reviews, issues and comments look as JSON."""

from __future__ import annotations

from gitops_sre.sandbox.github import diffs
from gitops_sre.sandbox.github.requirements import judge
from gitops_sre.sandbox.github.state import AutoMerge, Comment, Issue, Pull, Repo, Review
from gitops_sre.sandbox.github.views import Json, Lens, maybe_stamp, stamp


def simple(lens: Lens, repo: Repo, pull: Pull) -> Json:
    """A pull request as lists show it."""
    issue = repo.issues[pull.number]
    return {
        **_addresses(lens, repo, pull),
        "id": pull.id,
        "node_id": node_id(pull),
        "number": pull.number,
        "state": issue.state,
        "locked": False,
        "title": issue.title,
        "user": lens.user(issue.user),
        "body": issue.body,
        "created_at": stamp(issue.created_at),
        "updated_at": stamp(issue.updated_at),
        "closed_at": maybe_stamp(issue.closed_at),
        "merged_at": maybe_stamp(pull.merged_at),
        "merge_commit_sha": pull.merge_sha,
        "assignee": lens.maybe_user(next(iter(issue.assignees), None)),
        "assignees": [lens.user(login) for login in issue.assignees],
        "requested_reviewers": [lens.user(login) for login in pull.requested_reviewers],
        "requested_teams": [],
        "labels": lens.labels(repo, issue),
        "milestone": None,
        "draft": pull.draft,
        "head": _side(lens, repo, pull.head, pull.head_sha),
        "base": _side(lens, repo, pull.base, pull.base_sha),
        "author_association": lens.association(issue.user),
        "auto_merge": _auto_merge(lens, pull.auto_merge),
        "active_lock_reason": None,
    }


def full(lens: Lens, repo: Repo, pull: Pull) -> Json:
    """A pull request on its own, with what takes git to find out."""
    begin = start(repo, pull)
    files, additions, deletions = diffs.totals(repo.git, begin, pull.head_sha)
    verdict = judge(lens.hub, repo, pull)
    return {
        **simple(lens, repo, pull),
        "merged": pull.merged_at is not None,
        "mergeable": verdict.mergeable,
        "rebaseable": verdict.mergeable,
        "mergeable_state": verdict.state,
        "merged_by": lens.maybe_user(pull.merged_by),
        "comments": len(repo.comments_of(pull.number)),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": len(repo.git.rev_list(pull.head_sha, exclude=begin)),
        "additions": additions,
        "deletions": deletions,
        "changed_files": files,
    }


def start(repo: Repo, pull: Pull) -> str:
    """Where a pull request's own commits begin: the merge base with what it is to be merged into."""
    base = pull.base_sha if pull.merged_at else repo.head_of(pull.base) or pull.base_sha
    return repo.git.merge_base(base, pull.head_sha) or base


def node_id(pull: Pull) -> str:
    """The identifier by which GraphQL knows a pull request."""
    return f"PR_{pull.id}"


def minimal(lens: Lens, repo: Repo, pull: Pull) -> Json:
    """A pull request as check runs refer to it."""
    here = {"id": repo.id, "url": lens.at(repo), "name": repo.name}
    return {
        "id": pull.id,
        "number": pull.number,
        "url": lens.at(repo, f"/pulls/{pull.number}"),
        "head": {"ref": pull.head, "sha": pull.head_sha, "repo": here},
        "base": {"ref": pull.base, "sha": pull.base_sha, "repo": here},
    }


def review(lens: Lens, repo: Repo, value: Review) -> Json:
    """A review."""
    pull = lens.at(repo, f"/pulls/{value.number}")
    page = lens.page(repo, f"/pull/{value.number}#pullrequestreview-{value.id}")
    view = {
        "id": value.id,
        "node_id": f"PRR_{value.id}",
        "user": lens.user(value.user),
        "body": value.body,
        "state": value.state,
        "commit_id": value.commit_id,
        "html_url": page,
        "pull_request_url": pull,
        "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
        "author_association": lens.association(value.user),
    }
    return {**view, "submitted_at": stamp(value.submitted_at)} if value.submitted_at else view


def issue(lens: Lens, repo: Repo, value: Issue) -> Json:
    """An issue; a pull request among the issues says so."""
    url = lens.at(repo, f"/issues/{value.number}")
    pull = repo.pulls.get(value.number)
    view = {
        "id": value.id,
        "node_id": f"I_{value.id}",
        "url": url,
        "repository_url": lens.at(repo),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": lens.page(repo, f"/{'pull' if pull else 'issues'}/{value.number}"),
        "number": value.number,
        "title": value.title,
        "body": value.body,
        "user": lens.user(value.user),
        "labels": lens.labels(repo, value),
        "state": value.state,
        "state_reason": value.state_reason,
        "locked": False,
        "active_lock_reason": None,
        "assignee": lens.maybe_user(next(iter(value.assignees), None)),
        "assignees": [lens.user(login) for login in value.assignees],
        "milestone": None,
        "comments": len(repo.comments_of(value.number)),
        "created_at": stamp(value.created_at),
        "updated_at": stamp(value.updated_at),
        "closed_at": maybe_stamp(value.closed_at),
        "closed_by": lens.maybe_user(value.closed_by),
        "reactions": lens.reactions(url),
        "author_association": lens.association(value.user),
    }
    if pull is None:
        return view
    links = {key: text for key, text in _addresses(lens, repo, pull).items() if key in _ISSUE_LINKS}
    return {**view, "draft": pull.draft, "pull_request": {**links, "merged_at": maybe_stamp(pull.merged_at)}}


_ISSUE_LINKS = ("url", "html_url", "diff_url", "patch_url")


def comment(lens: Lens, repo: Repo, value: Comment) -> Json:
    """A comment on an issue or pull request."""
    folder = "pull" if value.number in repo.pulls else "issues"
    url = lens.at(repo, f"/issues/comments/{value.id}")
    return {
        "id": value.id,
        "node_id": f"IC_{value.id}",
        "url": url,
        "html_url": lens.page(repo, f"/{folder}/{value.number}#issuecomment-{value.id}"),
        "issue_url": lens.at(repo, f"/issues/{value.number}"),
        "body": value.body,
        "user": lens.user(value.user),
        "created_at": stamp(value.created_at),
        "updated_at": stamp(value.updated_at),
        "author_association": lens.association(value.user),
        "performed_via_github_app": None,
        "reactions": lens.reactions(url, repo.reactions_to(value.id)),
    }


def _addresses(lens: Lens, repo: Repo, pull: Pull) -> Json:
    url, page = lens.at(repo, f"/pulls/{pull.number}"), lens.page(repo, f"/pull/{pull.number}")
    issue_url = lens.at(repo, f"/issues/{pull.number}")
    links = {
        "self": url,
        "html": page,
        "issue": issue_url,
        "comments": f"{issue_url}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": lens.at(repo, "/pulls/comments{/number}"),
        "commits": f"{url}/commits",
        "statuses": lens.at(repo, f"/statuses/{pull.head_sha}"),
    }
    return {
        "url": url,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue_url,
        "comments_url": links["comments"],
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "statuses_url": links["statuses"],
        "_links": {name: {"href": address} for name, address in links.items()},
    }


def _side(lens: Lens, repo: Repo, branch: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner.login}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": lens.account(repo.owner),
        "repo": lens.repository(repo),
    }


def _auto_merge(lens: Lens, value: AutoMerge | None) -> Json | None:
    if value is None:
        return None
    return {
        "enabled_by": lens.user(value.by),
        "merge_method": value.method,
        "commit_title": value.title or "",
        "commit_message": value.message or "",
    }
