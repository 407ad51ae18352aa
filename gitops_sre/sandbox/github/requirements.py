"""What stands between a pull request and its base branch: conflicts, drafts, reviews, checks and protection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitops_sre.sandbox.github.state import Account, Hub, Protection, Pull, Repo

_GREEN = ("success", "neutral", "skipped")


@dataclass(frozen=True)
class Mergeability:
    """GitHub's `mergeable` and `mergeable_state`, and why a merge would be refused (empty: it would not)."""

    mergeable: bool | None
    state: str
    refusal: str = ""


def judge(hub: Hub, repo: Repo, pull: Pull, *, admin: bool = False) -> Mergeability:
    """Look at a pull request as it stands now. `admin`: the protection lets administrators pass, unless enforced."""
    base = repo.head_of(pull.base)
    if repo.issues[pull.number].state != "open" or base is None:
        return Mergeability(None, "unknown", "Pull Request is not mergeable")
    if repo.git.merge_tree(base, pull.head_sha) is None:
        return Mergeability(False, "dirty", "Pull Request is not mergeable")
    if pull.draft:
        return Mergeability(True, "draft", "Pull Request is still a draft")
    protection = repo.protections.get(pull.base, Protection())
    missing = next(_unmet(hub, repo, pull, protection), "")
    if missing and not (admin and not protection.enforce_admins):
        return Mergeability(True, "blocked", missing)
    results = check_results(repo, pull.head_sha).values()
    return Mergeability(True, "clean" if all(r in _GREEN for r in results) else "unstable")


def _unmet(hub: Hub, repo: Repo, pull: Pull, protection: Protection) -> Iterator[str]:
    if protection.required_reviews:
        states = review_states(hub, repo, pull)
        if "CHANGES_REQUESTED" in states.values():
            yield "Changes have been requested on this pull request."
        if sum(state == "APPROVED" for state in states.values()) < protection.required_reviews:
            count = protection.required_reviews
            plural = "reviews are" if count > 1 else "review is"
            yield f"At least {count} approving {plural} required by reviewers with write access."
    results = check_results(repo, pull.head_sha)
    for context in protection.required_checks:
        result = results.get(context)
        if result is None:
            yield f'Required status check "{context}" is expected.'
        elif result not in _GREEN:
            yield f'Required status check "{context}" is {result}.'


def review_states(hub: Hub, repo: Repo, pull: Pull) -> dict[str, str]:
    """The standing word of each person with write access: approval or request for changes, the last one counts."""
    states = {}
    for review in repo.reviews_of(pull.number):
        account = hub.account(review.user)
        writer = account is not None and account.permission in ("admin", "write")
        if writer and review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            states[review.user] = review.state
    return states


def check_results(repo: Repo, sha: str) -> dict[str, str]:
    """The last result by check-run name and status context on a commit; `pending` while there is none."""
    statuses = {s.context: s.state for s in repo.statuses.values() if s.sha == sha}
    checks = {c.name: c.conclusion or "pending" for c in repo.checks.values() if c.head_sha == sha}
    return {**statuses, **checks}


def may_push(repo: Repo, branch: str, account: Account) -> bool:
    """Whether an account with write access may move a branch without a pull request."""
    protection = repo.protections.get(branch)
    if protection is None or not (protection.required_reviews or protection.required_checks):
        return True
    return account.permission == "admin" and not protection.enforce_admins
