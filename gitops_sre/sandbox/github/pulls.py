"""Pull requests and the branches they follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gitops_sre.sandbox.github import events
from gitops_sre.sandbox.github.gitrepo import ZERO
from gitops_sre.sandbox.github.state import Account, Hub, Issue, Pull, Repo


def move_ref(hub: Hub, repo: Repo, ref: str, new: str, old: str, by: Account) -> bool:
    """Compare-and-swap a ref and tell everybody; False when it was not at `old`."""
    if not repo.git.update_ref(ref, new, old):
        return False
    ref_moved(hub, repo, ref, old, new, by)
    return True


def ref_moved(hub: Hub, repo: Repo, ref: str, before: str, after: str, by: Account) -> None:
    """Follow a ref that has moved: heads of pull requests, merges made by hand, deleted branches, webhooks."""
    repo.pushed_at = hub.now()
    events.pushed(hub, repo, ref, before, after, by)
    branch = ref.removeprefix("refs/heads/")
    if branch == ref:
        return
    for pull in [p for p in repo.pulls.values() if repo.issues[p.number].state == "open"]:
        if pull.head == branch:
            _follow_head(hub, repo, pull, before, after, by)
        elif pull.base == branch and after != ZERO and repo.git.contains(after, pull.head_sha):
            repo.pulls[pull.number] = replace(
                pull, base_sha=before, merged_at=hub.now(), merged_by=by.login, merge_sha=after, auto_merge=None
            )
            close(hub, repo, pull.number, by)


def _follow_head(hub: Hub, repo: Repo, pull: Pull, before: str, after: str, by: Account) -> None:
    if after == ZERO:
        close(hub, repo, pull.number, by)
        return
    base = repo.head_of(pull.base)
    if base is not None and repo.git.contains(base, after):
        # GitHub closes what has nothing to merge any more, and keeps the head that it had.
        close(hub, repo, pull.number, by)
        return
    moved = replace(pull, head_sha=after, queued_by=None)
    repo.pulls[pull.number] = moved
    repo.git.run("update-ref", f"refs/pull/{pull.number}/head", after)
    touch(hub, repo, pull.number)
    events.pull_request(hub, repo, moved, "synchronize", by, before=before, after=after)


def touch(hub: Hub, repo: Repo, number: int) -> None:
    """Note that something about an issue or pull request has just changed."""
    repo.issues[number] = replace(repo.issues[number], updated_at=hub.now())


def open_pull(hub: Hub, repo: Repo, issue: Issue, head: str, base: str, *, draft: bool) -> Pull:
    """Record a new pull request between two branches that exist."""
    pull = Pull(next(hub.ids), issue.number, head, base, repo.tip(head), repo.tip(base), draft)
    repo.issues[issue.number] = issue
    repo.pulls[issue.number] = pull
    repo.git.run("update-ref", f"refs/pull/{issue.number}/head", pull.head_sha)
    events.pull_request(hub, repo, pull, "opened", hub.known(issue.user))
    return pull


def new_issue(hub: Hub, repo: Repo, by: Account, title: str, body: str | None, labels: Sequence[str] = ()) -> Issue:
    """A numbered issue, not yet stored."""
    now = hub.now()
    number = next(repo.numbers)
    return Issue(next(hub.ids), number, title, body, by.login, now, now, labels=tuple(labels))


def close(hub: Hub, repo: Repo, number: int, by: Account, reason: str | None = None) -> None:
    """Close an issue or pull request that is open."""
    now = hub.now()
    issue = replace(
        repo.issues[number], state="closed", state_reason=reason, closed_at=now, closed_by=by.login, updated_at=now
    )
    repo.issues[number] = issue
    if pull := repo.pulls.get(number):
        repo.pulls[number] = replace(pull, queued_by=None)  # what is closed stands in no queue
    _tell(hub, repo, issue, "closed", by)


def reopen(hub: Hub, repo: Repo, number: int, by: Account) -> None:
    """Open an issue or pull request again."""
    issue = replace(
        repo.issues[number], state="open", state_reason="reopened", closed_at=None, closed_by=None, updated_at=hub.now()
    )
    repo.issues[number] = issue
    if pull := repo.pulls.get(number):
        repo.pulls[number] = replace(pull, head_sha=repo.head_of(pull.head) or pull.head_sha)
    _tell(hub, repo, issue, "reopened", by)


def _tell(hub: Hub, repo: Repo, issue: Issue, action: str, by: Account) -> None:
    if pull := repo.pulls.get(issue.number):
        events.pull_request(hub, repo, pull, action, by)
    else:
        events.issue(hub, repo, issue, action, by)


def set_draft(hub: Hub, repo: Repo, pull: Pull, draft: bool, by: Account) -> Pull:
    """Turn a pull request into a draft, or a draft into one that is ready."""
    if pull.draft == draft:
        return pull
    changed = replace(pull, draft=draft, auto_merge=None if draft else pull.auto_merge)
    repo.pulls[pull.number] = changed
    touch(hub, repo, pull.number)
    events.pull_request(hub, repo, changed, "converted_to_draft" if draft else "ready_for_review", by)
    return changed
