"""How commits, refs, trees and differences look as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from gitops_sre.sandbox.github import diffs
from gitops_sre.sandbox.github.diffs import FileDiff
from gitops_sre.sandbox.github.gitrepo import EMPTY_TREE, GitCommit, Signature, TreeEntry
from gitops_sre.sandbox.github.state import Repo
from gitops_sre.sandbox.github.views import Json, Lens, maybe_stamp, stamp


def ref(lens: Lens, repo: Repo, name: str, sha: str) -> Json:
    """A git ref by its full name."""
    kind = repo.git.kind(sha) or "commit"
    return {
        "ref": name,
        "node_id": f"REF_{repo.id}_{name}",
        "url": lens.at(repo, f"/git/{quote(name)}"),
        "object": {"type": kind, "sha": sha, "url": lens.at(repo, f"/git/{kind}s/{sha}")},
    }


def git_commit(lens: Lens, repo: Repo, commit: GitCommit) -> Json:
    """A commit object of the git database."""
    return {
        "sha": commit.sha,
        "node_id": f"C_{commit.sha}",
        "url": lens.at(repo, f"/git/commits/{commit.sha}"),
        "html_url": lens.page(repo, f"/commit/{commit.sha}"),
        "author": _person(commit.author),
        "committer": _person(commit.committer),
        "tree": {"sha": commit.tree, "url": lens.at(repo, f"/git/trees/{commit.tree}")},
        "message": commit.message,
        "parents": _parents(lens, repo, commit, "git/commits"),
        "verification": _verification(repo, commit),
    }


def commit(lens: Lens, repo: Repo, value: GitCommit, files: Sequence[FileDiff] | None = None) -> Json:
    """A commit with the accounts behind it, and its files when they are given."""
    url = lens.at(repo, f"/commits/{value.sha}")
    inner = git_commit(lens, repo, value)
    people = {role: _account(lens, who) for role, who in (("author", value.author), ("committer", value.committer))}
    view = {
        "sha": value.sha,
        "node_id": f"C_{value.sha}",
        "url": url,
        "html_url": lens.page(repo, f"/commit/{value.sha}"),
        "comments_url": f"{url}/comments",
        "commit": {
            **{key: inner[key] for key in ("author", "committer", "message", "tree", "url", "verification")},
            "comment_count": 0,
        },
        **people,
        "parents": _parents(lens, repo, value, "commits"),
    }
    if files is None:
        return view
    added, deleted = sum(f.additions for f in files), sum(f.deletions for f in files)
    stats = {"additions": added, "deletions": deleted, "total": added + deleted}
    return {**view, "stats": stats, "files": [file(lens, repo, f, value.sha) for f in files]}


def changes(repo: Repo, value: GitCommit) -> tuple[FileDiff, ...]:
    """What a commit changed against its first parent."""
    return diffs.files(repo.git, value.parents[0] if value.parents else EMPTY_TREE, value.sha)


def file(lens: Lens, repo: Repo, value: FileDiff, sha: str) -> Json:
    """One changed file."""
    path = quote(value.path)
    view = {
        "sha": value.sha,
        "filename": value.path,
        "status": value.status,
        "additions": value.additions,
        "deletions": value.deletions,
        "changes": value.additions + value.deletions,
        "blob_url": lens.page(repo, f"/blob/{sha}/{path}"),
        "raw_url": lens.page(repo, f"/raw/{sha}/{path}"),
        "contents_url": lens.at(repo, f"/contents/{path}?ref={sha}"),
    }
    optional = {"patch": value.patch, "previous_filename": value.previous}
    return {**view, **{key: text for key, text in optional.items() if text}}


def tree(lens: Lens, repo: Repo, sha: str, entries: Sequence[TreeEntry]) -> Json:
    """A tree."""
    return {
        "sha": sha,
        "url": lens.at(repo, f"/git/trees/{sha}"),
        "tree": [_entry(lens, repo, entry) for entry in entries[: repo.tree_limit]],
        "truncated": len(entries) > repo.tree_limit,
    }


def _entry(lens: Lens, repo: Repo, entry: TreeEntry) -> Json:
    view: Json = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
    if entry.kind == "commit":
        return view
    url = lens.at(repo, f"/git/{entry.kind}s/{entry.sha}")
    return {**view, "url": url, **({"size": entry.size} if entry.size is not None else {})}


def push_commit(repo: Repo, value: GitCommit, lens: Lens) -> Json:
    """A commit as webhooks and check suites carry it."""
    return {
        "id": value.sha,
        "tree_id": value.tree,
        "distinct": True,
        "message": value.message,
        "timestamp": stamp(value.committer.when),
        "url": lens.page(repo, f"/commit/{value.sha}"),
        "author": _pusher(lens, value.author),
        "committer": _pusher(lens, value.committer),
    }


def _pusher(lens: Lens, who: Signature) -> Json:
    account = lens.hub.by_email(who.email)
    view = {"name": who.name, "email": who.email}
    return {**view, "username": account.login} if account else view


def _person(who: Signature) -> Json:
    return {"name": who.name, "email": who.email, "date": stamp(who.when)}


def _account(lens: Lens, who: Signature) -> Json | None:
    account = lens.hub.by_email(who.email)
    return lens.account(account) if account else None


def _parents(lens: Lens, repo: Repo, value: GitCommit, folder: str) -> list[Json]:
    return [
        {
            "sha": parent,
            "url": lens.at(repo, f"/{folder}/{parent}"),
            "html_url": lens.page(repo, f"/commit/{parent}"),
        }
        for parent in value.parents
    ]


def _verification(repo: Repo, value: GitCommit) -> Json:
    # The server vouches for the commits it made itself; it holds no signing key, so there is no signature to show.
    when = repo.verified.get(value.sha)
    return {
        "verified": when is not None,
        "reason": "valid" if when else "unsigned",
        "signature": None,
        "payload": None,
        "verified_at": maybe_stamp(when),
    }
