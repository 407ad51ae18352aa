"""What GitHub answers, as nouns: which commits are the bot's, what a pull request amounts to, who has approved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from github import GithubException
from github.Commit import Commit
from github.GitCommitVerification import GitCommitVerification
from github.NamedUser import NamedUser
from github.Organization import Organization
from github.PullRequest import PullRequest as RawPull
from github.PullRequestReview import PullRequestReview
from github.Repository import Repository

from gitops_sre.adapters.github.session import Identity
from gitops_sre.delivery.branch import branch_name
from gitops_sre.delivery.seal import unseal
from gitops_sre.model.outcome import Refused
from gitops_sre.model.pull import PullRequest, Review
from gitops_sre.model.record import ActionRecord

_SIGNER = "web-flow"
"""GitHub's own account: the committer of what it signs."""
ReviewState = Literal["approved", "changes_requested", "commented", "dismissed"]
_STATES: Mapping[str, ReviewState] = {
    "APPROVED": "approved",
    "CHANGES_REQUESTED": "changes_requested",
    "COMMENTED": "commented",
    "DISMISSED": "dismissed",
}


def by_bot(commit: Commit, me: Identity) -> bool:
    """Whether GitHub vouches that the bot made this commit.

    The author is a claim that anybody can make; GitHub's signature is put only on what went through its API as that
    author, hence author, committer and verification together.
    """
    made = login_of(commit.author) == me.login and login_of(commit.committer) in (_SIGNER, me.login)
    return made and _is_verified(commit.commit.verification)


def login_of(account: NamedUser | Organization | None) -> str:
    """An account's login; empty for one that is gone, which PyGithub's annotations do not know of."""
    return account.login if account is not None else ""


def is_at_home(raw: RawPull) -> bool:
    """Whether a pull request's branch is in the repository itself, not in a fork (which may be gone)."""
    return _full_name(raw.head.repo) == _full_name(raw.base.repo) != ""


def _full_name(repo: Repository | None) -> str:
    return repo.full_name.lower() if repo is not None else ""


def _is_verified(verification: GitCommitVerification | None) -> bool:
    return verification is not None and verification.verified is True


def record_of(
    commit: Commit, branch: str, me: Identity, keys: Mapping[str, Ed25519PublicKey], repository: str
) -> ActionRecord | Refused | None:
    """The record that a commit on a branch carries; None when the commit is not the bot's or carries none."""
    if not by_bot(commit, me) or len(commit.parents) != 1:
        return None
    record = unseal(commit.commit.message, keys, repository, commit.parents[0].sha)
    if isinstance(record, ActionRecord) and branch_name(record.incident, record.kind, record.attempt) != branch:
        return Refused("the record belongs to another branch")
    return record


def pull_of(raw: RawPull, commits: Sequence[Commit], me: Identity, repo: Repository) -> PullRequest:
    """A pull request as it stands now; reviews while it is open, who closed it when it was not merged."""
    merged = raw.merged_at is not None
    state: Literal["open", "closed", "merged"] = "merged" if merged else "open" if raw.state == "open" else "closed"
    return PullRequest(
        number=raw.number,
        url=raw.html_url,
        branch=raw.head.ref,
        head=raw.head.sha,
        base=raw.base.ref,
        state=state,
        draft=bool(raw.draft),
        ours=is_at_home(raw) and bool(commits) and all(by_bot(commit, me) for commit in commits),
        created_at=raw.created_at,
        title=raw.title,
        merge_sha=raw.merge_commit_sha or "" if merged else "",
        merged_at=raw.merged_at,
        closed_by=_closed_by(raw) if state == "closed" else "",
        reviews=_reviews(raw.get_reviews(), me, repo) if state == "open" else (),
    )


def _closed_by(raw: RawPull) -> str:
    return login_of(raw.as_issue().closed_by) or "somebody"


def _reviews(raw: Iterable[PullRequestReview], me: Identity, repo: Repository) -> tuple[Review, ...]:
    """The standing review of each person: the latest that decides, else the latest comment; never a pending one."""
    standing: dict[str, PullRequestReview] = {}
    for review in raw:
        login = login_of(review.user)
        before = standing.get(login)
        decides = before is None or review.state != "COMMENTED" or before.state == "COMMENTED"
        if login and review.state in _STATES and decides:
            standing[login] = review
    return tuple(_review(review, me, repo) for review in standing.values())


def _review(raw: PullRequestReview, me: Identity, repo: Repository) -> Review:
    login, state = raw.user.login, _STATES[raw.state]
    person = raw.user.type == "User" and login != me.login
    counts = person and state != "commented"
    return Review(login, state, raw.commit_id or "", raw.submitted_at, counts and may_write(repo, login))


def may_write(repo: Repository, login: str) -> bool:
    """Whether somebody has write permission; a stranger has none."""
    try:
        return repo.get_collaborator_permission(login) in ("admin", "write", "maintain")
    except GithubException as error:
        if error.status == 404:
            return False
        raise
