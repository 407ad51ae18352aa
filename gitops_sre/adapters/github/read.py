"""What GitHub answers, as nouns: which commits are the bot's, what a pull request amounts to, who has approved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from github import GithubException
from github.Commit import Commit
from github.GitCommitVerification import GitCommitVerification
from github.NamedUser import NamedUser
from github.Organization import Organization
from github.Repository import Repository

from gitops_sre.adapters.github import nodes
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
_PULL_STATES: Mapping[str, Literal["open", "closed", "merged"]] = {
    "OPEN": "open",
    "CLOSED": "closed",
    "MERGED": "merged",
}
_NEVER = datetime.min.replace(tzinfo=UTC)


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


def _is_verified(verification: GitCommitVerification | None) -> bool:
    return verification is not None and verification.verified is True


def record_of(
    commit: Commit, branch: str, me: Identity, keys: Mapping[str, Ed25519PublicKey], repository: str
) -> ActionRecord | Refused | None:
    """The record that a commit on a branch carries; None when the commit is not the bot's or carries none."""
    if not by_bot(commit, me) or len(commit.parents) != 1:
        return None
    return _record(commit.commit.message, commit.parents[0].sha, branch, keys, repository)


def _record(
    message: str, parent: str, branch: str, keys: Mapping[str, Ed25519PublicKey], repository: str
) -> ActionRecord | Refused | None:
    record = unseal(message, keys, repository, parent)
    if isinstance(record, ActionRecord) and branch_name(record.incident, record.kind, record.attempt) != branch:
        return Refused("the record belongs to another branch")
    return record


def made_by_bot(commit: nodes.Commit, me: Identity) -> bool:
    """The same as `by_bot`, of a commit as GraphQL tells it, and as strong.

    REST's `author.login` is itself derived from the author's e-mail, which is a claim; what proves it is GitHub's own
    signature, put only on what went through its API or pages as somebody who is signed in. GraphQL names no account for
    a bot, so the address is compared here: the bot's no-reply address, which holds the account's number and belongs to
    nobody else, as author; GitHub's (or the bot's own) as committer; and a signature that GitHub made and finds valid.
    REST's verdict, `verification.verified`, is also given to a person's own key: `wasSignedByGitHub` asks for more. And
    what a commit says that is to be done counts only under the bot's own seal (Ed25519), as ever.
    """
    signature = commit.signature
    if signature is None or not (signature.is_valid and signature.by_github and signature.state == "VALID"):
        return False
    return _is_me(commit.author, me) and (_is_me(commit.committer, me) or _is_github(commit.committer, me))


def _is_me(who: nodes.Signer | None, me: Identity) -> bool:
    if who is None:
        return False
    if me.app_id is None:
        return who.user is not None and who.user.login == me.login
    name, _, domain = (who.email or "").lower().rpartition("@")
    return name == f"{me.user_id}+{me.login}".lower() and domain in {f"users.noreply.{host}" for host in me.hosts}


def _is_github(who: nodes.Signer | None, me: Identity) -> bool:
    return who is not None and (who.email or "").lower() in {f"noreply@{host}" for host in me.hosts}


def action_of(
    pull: nodes.Pull, me: Identity, keys: Mapping[str, Ed25519PublicKey], repository: str
) -> ActionRecord | Refused | None:
    """The record that a pull request's first commit carries; None when it is not the bot's or carries none."""
    if not pull.commits.nodes:
        return None
    first = pull.commits.nodes[0].commit
    if not made_by_bot(first, me) or len(first.parents.nodes) != 1:
        return None
    return _record(first.message, first.parents.nodes[0].oid, pull.head_ref_name, keys, repository)


def pull_of(pull: nodes.Pull, me: Identity, may_write: Callable[[str], bool]) -> PullRequest:
    """A pull request as it stands now; reviews while it is open, who closed it when it was not merged."""
    state: Literal["open", "closed", "merged"] = _PULL_STATES[pull.state]
    commits = [each.commit for each in pull.commits.nodes]
    seen = 0 < pull.commits.total_count == len(commits)
    landed = pull.merge_commit.oid if state == "merged" and pull.merge_commit is not None else ""
    return PullRequest(
        number=pull.number,
        url=pull.url,
        branch=pull.head_ref_name,
        head=pull.head_ref_oid,
        base=pull.base_ref_name,
        state=state,
        draft=pull.is_draft,
        ours=not pull.is_cross_repository and seen and all(made_by_bot(commit, me) for commit in commits),
        created_at=pull.created_at,
        title=pull.title,
        merge_sha=landed,
        merged_at=pull.merged_at,
        closed_by=_closed_by(pull) if state == "closed" else "",
        reviews=_reviews(pull, me, may_write) if state == "open" else (),
        base_tip=pull.base_ref.target.oid if pull.base_ref is not None and pull.base_ref.target is not None else "",
    )


def _closed_by(pull: nodes.Pull) -> str:
    actors = [event.actor for event in pull.timeline_items.nodes if event.actor is not None]
    return actors[-1].login if actors else "somebody"


def _reviews(pull: nodes.Pull, me: Identity, may_write: Callable[[str], bool]) -> tuple[Review, ...]:
    """The standing review of each person: the latest that decides, else the latest comment; never a pending one."""
    standing: dict[str, nodes.Review] = {}
    for review in pull.reviews.nodes:
        login = review.author.login if review.author is not None else ""
        before = standing.get(login)
        decides = before is None or review.state != "COMMENTED" or before.state == "COMMENTED"
        if login and review.state in _STATES and decides:
            standing[login] = review
    return tuple(_review(login, review, pull.head_ref_oid, me, may_write) for login, review in standing.items())


def _review(login: str, raw: nodes.Review, head: str, me: Identity, may_write: Callable[[str], bool]) -> Review:
    """One review. Whether its author may write is asked only when something hangs on it: not for what was said about an
    earlier head, which approves nothing."""
    state, commit = _STATES[raw.state], raw.commit.oid if raw.commit is not None else ""
    person = raw.author is not None and raw.author.kind == "User" and login != me.login
    counts = person and (state == "changes_requested" or (state == "approved" and commit == head))
    return Review(login, state, commit, raw.submitted_at or _NEVER, counts and may_write(login))


def outcome_of(pull: nodes.Pull, me: Identity) -> str | None:
    """What the bot itself left as the outcome on the head commit: empty for nothing, None when somebody else's status
    of the same name hides whether there is one."""
    if not pull.tip.nodes:
        return ""
    tip = pull.tip.nodes[0].commit
    for suite in tip.check_suites.nodes:
        for run in suite.check_runs.nodes:
            if me.app_id is not None and suite.app is not None and suite.app.database_id == me.app_id:
                return run.title or "" if run.status == "COMPLETED" else ""
    context = tip.status.context if tip.status is not None else None
    if me.app_id is not None or context is None:
        return ""
    mine = context.creator is not None and context.creator.login == me.login
    return context.description or "" if mine else None


def may_write(repo: Repository, login: str) -> bool:
    """Whether somebody has write permission; a stranger has none."""
    try:
        return repo.get_collaborator_permission(login) in ("admin", "write", "maintain")
    except GithubException as error:
        if error.status == 404:
            return False
        raise
