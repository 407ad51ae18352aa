"""Merging: merge, squash and rebase commits by plumbing, and auto-merge once nothing stands in the way."""

from __future__ import annotations

from dataclasses import replace

from gitops_sre.sandbox.github import pulls
from gitops_sre.sandbox.github.gitrepo import GitRepo, Signature
from gitops_sre.sandbox.github.requirements import judge
from gitops_sre.sandbox.github.state import Account, Hub, Pull, Repo


def merge(
    hub: Hub, repo: Repo, pull: Pull, by: Account, method: str = "merge", title: str = "", message: str = ""
) -> str | None:
    """Merge what `judge` allows; the commit that landed. None: it conflicts (a rebase can where a merge does not)."""
    base = repo.tip(pull.base)
    issue = repo.issues[pull.number]
    now = hub.now()
    people = (by.sign(now), hub.web_flow_signature(now))
    if method == "rebase":
        landed = _rebase(repo.git, base, pull.head_sha, people[1])
    else:
        tree = repo.git.merge_tree(base, pull.head_sha)
        if tree is None:
            return None
        if method == "squash":
            text = _text(title or f"{issue.title} (#{pull.number})", message)
            landed = repo.git.write_commit(tree, [base], text, *people)
        else:
            default = f"Merge pull request #{pull.number} from {repo.owner.login}/{pull.head}"
            text = _text(title or default, message or issue.title)
            landed = repo.git.write_commit(tree, [base, pull.head_sha], text, *people)
    if landed is None:
        return None
    repo.verified[landed] = now
    repo.pulls[pull.number] = replace(
        pull, base_sha=base, merged_at=now, merged_by=by.login, merge_sha=landed, auto_merge=None
    )
    pulls.close(hub, repo, pull.number, by)
    pulls.move_ref(hub, repo, f"refs/heads/{pull.base}", landed, base, by)
    return landed


def _text(title: str, message: str) -> str:
    return f"{title}\n\n{message}" if message else title


def _rebase(git: GitRepo, base: str, head: str, committer: Signature) -> str | None:
    """Replay the commits of base..head on base, oldest first; the new tip, None on a conflict."""
    tip = base
    start = git.merge_base(base, head)
    for commit in reversed(git.commits(git.rev_list(head, exclude=start or ""))):
        parent = commit.parents[0]
        # merge-tree finds its own merge base: a stand-in for the tip whose parent is the commit's parent makes it that.
        stand_in = git.write_commit(git.commit(tip).tree, [parent], "", committer, committer)
        tree = git.merge_tree(stand_in, commit.sha)
        if tree is None:
            return None
        tip = git.write_commit(tree, [tip], commit.message, commit.author, committer)
    return tip


def auto_merge(hub: Hub, repo: Repo) -> None:
    """Merge every pull request with auto-merge whose requirements are met now."""
    for pull in list(repo.pulls.values()):
        wish = pull.auto_merge
        if wish is None or judge(hub, repo, pull).refusal:
            continue
        merge(hub, repo, pull, hub.known(wish.by), wish.method, wish.title or "", wish.message or "")
