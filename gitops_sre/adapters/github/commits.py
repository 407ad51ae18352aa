"""Commits that GitHub signs as the bot's: by GraphQL on a branch, or by REST where files have modes, are large, or
GraphQL lacks the mutation. Refs move by compare-and-swap."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from github import GithubException
from github.GitTreeElement import GitTreeElement
from github.InputGitTreeElement import InputGitTreeElement

from gitops_sre.adapters.github.read import by_bot
from gitops_sre.adapters.github.session import Again, Session, Stop, error_types, message
from gitops_sre.model.change import FileEdit
from gitops_sre.model.outcome import Refused

PLAIN = "100644"
"""Git's mode of a file that cannot be executed: the only one that `createCommitOnBranch` writes."""
_FILES = (PLAIN, "100755")
_LARGE = 1_000_000
"""Bytes of all files together from which each travels in a request of its own: one mutation would hold them all, half
as long again by base64 and JSON, within one time limit."""


def entries(session: Session, commit: str, paths: Iterable[str]) -> Mapping[str, GitTreeElement]:
    """The regular files among `paths` at a commit, with blob and mode."""
    tree = session.repo.get_git_tree(commit, recursive=True)
    if tree.raw_data.get("truncated"):  # GitHub lists 100,000 at most
        found = {path: entry for path in paths if (entry := _walked(session, commit, path)) is not None}
    else:
        listed = {entry.path: entry for entry in tree.tree}
        found = {path: listed[path] for path in paths if path in listed}
    return {path: entry for path, entry in found.items() if entry.mode in _FILES}


def _walked(session: Session, commit: str, path: str) -> GitTreeElement | None:
    at, entry = commit, None
    for name in path.split("/"):
        entry = next((one for one in session.repo.get_git_tree(at).tree if one.path == name), None)
        if entry is None:
            return None
        at = entry.sha
    return entry


def blob_id(text: str) -> str:
    """Git's object id of a file with this text."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Contents:
    """What a commit is to hold: its parent, its message as headline and body, and the files with their modes."""

    parent: str
    message: tuple[str, str]
    files: Sequence[FileEdit]
    modes: Mapping[str, str]


def append(session: Session, branch: str, wanted: Contents) -> str:
    """One commit on a branch that stands at its parent; its SHA. Raises Again when the branch has moved."""
    size = sum(len(file.after.encode()) for file in wanted.files)
    if size >= _LARGE or any(mode != PLAIN for mode in wanted.modes.values()):
        return _by_rest(session, branch, wanted)
    headline, body = wanted.message
    session.pace()
    files = {file.path: file.after for file in wanted.files}
    try:
        commit_on(session, branch, wanted.parent, {"headline": headline, "body": body}, files)
    except GithubException as error:
        if not is_unknown(error):
            raise
        return _by_rest(session, branch, wanted)
    tip = tip_of(session, branch)
    if tip is None or tip == wanted.parent:
        raise Again(f"branch {branch} has no commit yet")
    _assert_signed(session, tip)
    return tip


def commit_on(session: Session, branch: str, parent: str, message: Mapping[str, str], files: Mapping[str, str]) -> str:
    """One commit with these files (path -> text) by GraphQL's compare-and-swap; its SHA, empty where the answer does
    not name it. `message` has a headline and perhaps a body. Pace before it. Raises Again when the branch has moved."""
    additions = [{"path": path, "contents": base64.b64encode(text.encode()).decode()} for path, text in files.items()]
    change = {
        "branch": {"repositoryNameWithOwner": session.repository, "branchName": branch},
        "message": message,
        "expectedHeadOid": parent,
        "fileChanges": {"additions": additions},
    }
    try:
        made = session.repo.requester.graphql_named_mutation("createCommitOnBranch", change, "commit { oid }")[1]
    except GithubException as error:
        if "STALE_DATA" in error_types(error):
            raise Again(f"branch {branch} moved meanwhile") from error
        raise
    return str(((made or {}).get("commit") or {}).get("oid") or "")


def _by_rest(session: Session, branch: str, wanted: Contents) -> str:
    sha = loose(session, wanted)
    ref = session.repo.get_git_ref(f"heads/{branch}")
    if ref.object.sha != wanted.parent:
        raise Again(f"branch {branch} moved meanwhile")
    session.pace()
    try:
        ref.edit(sha)  # not forced: only forward
    except GithubException as error:
        if error.status == 422:
            raise Again(f"branch {branch} moved meanwhile: {message(error)}") from error
        raise
    return sha


def loose(session: Session, wanted: Contents) -> str:
    """A signed commit that no branch has yet; its SHA. GitHub signs it for an App that names no author."""
    repo = session.repo
    changed = []
    for file in wanted.files:
        session.pace()
        blob = repo.create_git_blob(base64.b64encode(file.after.encode()).decode(), "base64")
        changed.append(InputGitTreeElement(file.path, wanted.modes[file.path], "blob", sha=blob.sha))
    before = repo.get_git_commit(wanted.parent)
    session.pace()
    tree = repo.create_git_tree(changed, before.tree)
    session.pace()
    sha = repo.create_git_commit("\n\n".join(wanted.message), tree, [before]).sha
    _assert_signed(session, sha)
    return sha


def _assert_signed(session: Session, sha: str) -> None:
    if not by_bot(session.repo.get_commit(sha), session.identity):
        reason = "GitHub did not sign the commit as the bot's; use a GitHub App, or a token of the bot's own account"
        raise Stop(Refused(reason))


def swap(session: Session, branch: str, before: str, after: str) -> None:
    """Move a branch to another commit in one step. Raises Again when it does not stand at `before` any more."""
    update = {"name": f"refs/heads/{branch}", "beforeOid": before, "afterOid": after, "force": True}
    change = {"repositoryId": session.repo.raw_data["node_id"], "refUpdates": [update]}
    session.pace()
    try:
        session.repo.requester.graphql_named_mutation("updateRefs", change, "clientMutationId")
    except GithubException as error:
        if tip_of(session, branch) != before:
            raise Again(f"branch {branch} moved meanwhile: {message(error)}") from error
        raise


def is_unknown(error: GithubException) -> bool:
    """Whether GraphQL refused a mutation that this GitHub does not have (an old Enterprise server)."""
    data = error.data if isinstance(error.data, dict) else {}
    errors = [one for one in data.get("errors") or () if isinstance(one, dict)]
    codes = {(one.get("extensions") or {}).get("code") for one in errors}
    return "undefinedField" in codes or any("doesn't exist on type" in str(one.get("message")) for one in errors)


def tip_of(session: Session, branch: str) -> str | None:
    """The commit that a branch stands at, None when there is no such branch."""
    try:
        return session.repo.get_git_ref(f"heads/{branch}").object.sha
    except GithubException as error:
        if error.status == 404:
            return None
        raise
