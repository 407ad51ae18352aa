"""Find or make the branch, the verified commit and the pull request of an action: whatever a crash or a lost answer
left behind is adopted when it is the bot's, and nothing of anybody else is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from github import GithubException
from github.PullRequest import PullRequest as RawPull

from gitops_sre.adapters.github.commits import Contents, append, blob_id, entries, loose, swap, tip_of
from gitops_sre.adapters.github.read import by_bot, record_of
from gitops_sre.adapters.github.session import Again, Session, Stop, is_there_already
from gitops_sre.delivery.branch import branch_name
from gitops_sre.model.change import FileEdit
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.model.record import ActionRecord


class BaseMovedError(Exception):
    """The base branch has another version of an edited file: the change must be made again."""


@dataclass(frozen=True)
class Proposal:
    """What is to be on GitHub. `message` is the whole commit message as headline and body, seal included."""

    record: ActionRecord
    files: Sequence[FileEdit]
    base: str
    """Name of the base branch."""
    message: tuple[str, str]
    title: str
    body: str
    draft: bool

    @property
    def branch(self) -> str:
        """The branch that belongs to the record."""
        return branch_name(self.record.incident, self.record.kind, self.record.attempt)


def find_or_open(
    session: Session, wanted: Proposal, keys: Mapping[str, Ed25519PublicKey], before_open: Callable[[str], None]
) -> RawPull:
    """The action's pull request. Raises Stop with the answer when there must not be one, Again when overtaken.

    `before_open` is called with the head commit before a pull request is opened on it: what must stand there for
    every pull request, since whoever dies afterwards finds it opened and goes on from there.
    """
    owner = session.repository.partition("/")[0]
    pulls = list(session.repo.get_pulls(state="all", base=wanted.base, head=f"{owner}:{wanted.branch}"))
    for raw in sorted(pulls, key=lambda pull: (pull.state != "open", -pull.number)):
        return _adopted(session, raw, wanted, keys, before_open)
    before_open(_branch_with_commit(session, wanted, keys))
    return _open(session, wanted)


def _adopted(
    session: Session,
    raw: RawPull,
    wanted: Proposal,
    keys: Mapping[str, Ed25519PublicKey],
    before_open: Callable[[str], None],
) -> RawPull:
    """An earlier pull request of this branch: adopted when its first commit is the bot's and says the same, brought up
    to date when the base branch has moved on since that."""
    if raw.state != "open" and raw.merged_at is None:
        _refuse(f"#{raw.number} for this very action was closed by a person: that means no")
    commits = list(raw.get_commits())
    record = record_of(commits[0], wanted.branch, session.identity, keys, session.repository) if commits else None
    if not isinstance(record, ActionRecord):
        _refuse(f"#{raw.number} stands on {wanted.branch} and is not the bot's")
    if raw.state == "open":
        if not all(by_bot(commit, session.identity) for commit in commits):
            return raw  # a person has pushed to it
        if _has_moved(session, record, wanted):
            return _made_again(session, raw, wanted, before_open)
    if not _same(record, wanted.record):
        raise Stop(Unavailable(f"#{raw.number} carries another record of {record.incident}: it is to be adopted first"))
    return raw


def _has_moved(session: Session, record: ActionRecord, wanted: Proposal) -> bool:
    """Whether an edited file was another one on the base that a record was made on."""
    if record.base == wanted.record.base:
        return False
    found = entries(session, record.base, [file.path for file in wanted.files])
    return any(file.path not in found or found[file.path].sha != blob_id(file.before) for file in wanted.files)


def _made_again(session: Session, raw: RawPull, wanted: Proposal, before_open: Callable[[str], None]) -> RawPull:
    """Give an open pull request the commit on the present base.

    The branch goes from the one commit to the other in one step, which is the last: whoever dies before it begins
    anew, and GitHub, which closes a pull request whose branch has nothing of its own, never sees it without a commit.
    """
    modes = _assert_base(session, wanted)
    sha = loose(session, Contents(wanted.record.base, wanted.message, wanted.files, modes))
    before_open(sha)
    if (raw.title, raw.body) != (wanted.title, wanted.body):
        session.pace()
        raw.edit(title=wanted.title, body=wanted.body)
    if bool(raw.draft) != wanted.draft:
        session.pace()
        _ = raw.convert_to_draft() if wanted.draft else raw.mark_ready_for_review()
    swap(session, wanted.branch, raw.head.sha, sha)
    return session.repo.get_pull(raw.number)


def _same(one: ActionRecord, other: ActionRecord) -> bool:
    """Whether two records speak of the same act: what it does and how far it may go. Its base may have moved on."""
    return (one.incident, one.kind, one.attempt, one.edits, one.verdict.level) == (
        other.incident, other.kind, other.attempt, other.edits, other.verdict.level,
    )  # fmt: skip


def _branch_with_commit(session: Session, wanted: Proposal, keys: Mapping[str, Ed25519PublicKey]) -> str:
    """Have the branch carry exactly one commit: the bot's, with this record. Its SHA."""
    repo, record = session.repo, wanted.record
    modes = _assert_base(session, wanted)
    tip = tip_of(session, wanted.branch)
    if tip is None:
        session.pace()
        try:
            repo.create_git_ref(f"refs/heads/{wanted.branch}", record.base)
        except GithubException as error:
            if is_there_already(error):
                raise Again(f"branch {wanted.branch} was made meanwhile") from error
            raise
    elif tip != record.base:
        there = record_of(repo.get_commit(tip), wanted.branch, session.identity, keys, session.repository)
        if isinstance(there, ActionRecord) and _same(there, record):
            return tip
        if not isinstance(there, ActionRecord) and not _is_empty(session, wanted.base, tip):
            _refuse(f"branch {wanted.branch} has commits that are not the bot's; delete it or finish it by hand")
        # Left over from an earlier try that never became a pull request: made again on the present base.
        ref = repo.get_git_ref(f"heads/{wanted.branch}")
        if ref.object.sha != tip:
            raise Again(f"branch {wanted.branch} moved meanwhile")
        session.pace()
        ref.edit(record.base, force=True)
    return append(session, wanted.branch, Contents(record.base, wanted.message, wanted.files, modes))


def _is_empty(session: Session, base: str, tip: str) -> bool:
    """Whether a commit is part of the base branch: a branch there holds nothing of its own."""
    return session.repo.compare(base, tip).ahead_by == 0


def _assert_base(session: Session, wanted: Proposal) -> Mapping[str, str]:
    """The base branch still has every edited file as it was when the change was made; the files' modes."""
    tip = tip_of(session, wanted.base)
    if tip is None:
        _refuse(f"the repository has no branch {wanted.base}; see github.branch")
    found = entries(session, tip, [file.path for file in wanted.files])
    for file in wanted.files:
        if file.path not in found or found[file.path].sha != blob_id(file.before):
            raise BaseMovedError(f"{file.path} is another one on {wanted.base} now")
    return {path: entry.mode for path, entry in found.items()}


def _open(session: Session, wanted: Proposal) -> RawPull:
    session.pace()
    try:
        return session.repo.create_pull(
            wanted.base, wanted.branch, title=wanted.title, body=wanted.body, draft=wanted.draft
        )
    except GithubException as error:
        if is_there_already(error):
            raise Again(f"the pull request of {wanted.branch} was made meanwhile") from error
        raise


def _refuse(reason: str) -> NoReturn:
    raise Stop(Refused(reason))
