"""REST: branches and their protection, commits, comparisons, file contents."""

from __future__ import annotations

import base64
from posixpath import basename
from urllib.parse import quote

from gitops_sre.sandbox.github import diffs, pulls, views_git
from gitops_sre.sandbox.github.gitrepo import EMPTY_TREE, TreeEntry, safe_path
from gitops_sre.sandbox.github.http import Answer, ApiError, Call, Route, not_found, refused
from gitops_sre.sandbox.github.rest_git import decode_base64, demand_push
from gitops_sre.sandbox.github.state import Protection, Repo
from gitops_sre.sandbox.github.views import Json

DIFF = "text/plain; charset=utf-8"


def _branches(call: Call) -> Answer:
    names = [name.removeprefix("refs/heads/") for name in call.repo.git.refs("refs/heads/")]
    return call.page(names).answer(lambda name: _short_branch(call, name))


def _short_branch(call: Call, name: str) -> Json:
    sha = call.repo.head_of(name)
    return {
        "name": name,
        "commit": {"sha": sha, "url": call.lens.at(call.repo, f"/commits/{sha}")},
        "protected": name in call.repo.protections,
        "protection": _protection_summary(call.repo.protections.get(name)),
        "protection_url": _protection_url(call, name),
    }


def _protection_url(call: Call, name: str) -> str:
    return call.lens.at(call.repo, f"/branches/{quote(name)}/protection")


def _protection_summary(protection: Protection | None) -> Json:
    contexts = list(protection.required_checks) if protection else []
    level = "off" if not contexts else "everyone" if protection and protection.enforce_admins else "non_admins"
    checks = [{"context": context, "app_id": None} for context in contexts]
    return {
        "enabled": protection is not None,
        "required_status_checks": {"enforcement_level": level, "contexts": contexts, "checks": checks},
    }


def _branch(call: Call) -> Answer:
    repo, name = call.repo, call.path["branch"]
    sha = repo.head_of(name)
    if sha is None:
        raise ApiError(404, "Branch not found")
    links = {
        "self": call.lens.at(repo, f"/branches/{quote(name)}"),
        "html": call.lens.page(repo, f"/tree/{quote(name)}"),
    }
    commit = views_git.commit(call.lens, repo, repo.git.commit(sha))
    return Answer({**_short_branch(call, name), "commit": commit, "_links": links})


def _protection(call: Call) -> Answer:
    repo, name = call.repo, call.path["branch"]
    if repo.head_of(name) is None:
        raise ApiError(404, "Branch not found")
    if (protection := repo.protections.get(name)) is None:
        raise ApiError(404, "Branch not protected")
    url = _protection_url(call, name)
    off = {
        key: {"enabled": False}
        for key in (
            "required_linear_history",
            "allow_force_pushes",
            "allow_deletions",
            "block_creations",
            "lock_branch",
        )
    }
    view: Json = {
        **off,
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": protection.enforce_admins},
        "required_signatures": {"url": f"{url}/required_signatures", "enabled": False},
        "required_conversation_resolution": {"enabled": False},
        "allow_fork_syncing": {"enabled": False},
    }
    if protection.required_reviews:
        view["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": False,
            "require_code_owner_reviews": False,
            "require_last_push_approval": False,
            "required_approving_review_count": protection.required_reviews,
        }
    if protection.required_checks:
        view["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "contexts_url": f"{url}/required_status_checks/contexts",
            "strict": False,
            "contexts": list(protection.required_checks),
            "checks": [{"context": context, "app_id": None} for context in protection.required_checks],
        }
    return Answer(view)


def _rules(_: Call) -> Answer:
    # Rulesets only: classic protection is none, and the sandbox has no rulesets.
    return Answer([])


def resolved(repo: Repo, revision: str, missing: ApiError | None = None) -> str:
    """The commit that a branch, tag or SHA names. Raises `missing`, 422 unless told."""
    sha = repo.git.resolve(revision)
    if sha is None:
        raise missing or refused(f"No commit found for SHA: {revision}")
    return sha


def _commits(call: Call) -> Answer:
    query = call.query
    tip = resolved(call.repo, query.get("sha") or "main", not_found())
    limits = {name: query.get(name, "") for name in ("path", "since", "until")}
    page = call.page(call.repo.git.rev_list(tip, **limits))
    views = [views_git.commit(call.lens, call.repo, commit) for commit in call.repo.git.commits(page.items)]
    return Answer(views, headers=page.headers)


def _commit(call: Call) -> Answer:
    repo = call.repo
    commit = repo.git.commit(resolved(repo, call.path["ref"]))
    if "diff" in call.accept:
        start = commit.parents[0] if commit.parents else EMPTY_TREE
        return Answer(diffs.text(repo.git, start, commit.sha), media=DIFF)
    return Answer(views_git.commit(call.lens, repo, commit, views_git.changes(repo, commit)))


def _compare(call: Call) -> Answer:
    repo = call.repo
    left, dots, right = call.path["basehead"].partition("...")
    if not dots:
        raise not_found()
    base, head = (resolved(repo, name.rpartition(":")[2], not_found()) for name in (left, right))
    start = repo.git.merge_base(base, head)
    if start is None:
        raise ApiError(404, f"No common ancestor between {left} and {right}.")
    if "diff" in call.accept:
        return Answer(diffs.text(repo.git, start, head), media=DIFF)
    ahead, behind = repo.git.rev_list(head, exclude=base), repo.git.rev_list(base, exclude=head)
    status = ("diverged" if behind else "ahead") if ahead else ("behind" if behind else "identical")
    page = call.page(ahead[::-1])  # oldest first
    base_commit, merge_base = (views_git.commit(call.lens, repo, c) for c in repo.git.commits([base, start]))
    web = call.lens.page(repo, f"/compare/{quote(left)}...{quote(right)}")
    view = {
        "url": call.url,
        "html_url": web,
        "permalink_url": call.lens.page(repo, f"/compare/{base[:7]}...{head[:7]}"),
        "diff_url": f"{web}.diff",
        "patch_url": f"{web}.patch",
        "base_commit": base_commit,
        "merge_base_commit": merge_base,
        "status": status,
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [views_git.commit(call.lens, repo, commit) for commit in repo.git.commits(page.items)],
        "files": [views_git.file(call.lens, repo, f, head) for f in diffs.files(repo.git, start, head)],
    }
    return Answer(view, headers=page.headers)


def _contents(call: Call) -> Answer:
    repo, path = call.repo, call.path.get("path", "").strip("/")
    ref = call.query.get("ref") or "main"
    sha = resolved(repo, ref, ApiError(404, f"No commit found for the ref {ref}"))
    if not path:
        return Answer([_content(call, entry, ref) for entry in repo.git.tree(sha)])
    entry = repo.git.entry(sha, path)
    if entry is None:
        raise not_found()
    if entry.kind == "tree":
        return Answer([_content(call, e, ref) for e in repo.git.tree(sha, path=f"{path}/")])
    data = repo.git.blob(entry.sha)
    if "raw" in call.accept:
        return Answer(data, media="application/octet-stream")
    encoded = {"content": base64.encodebytes(data).decode(), "encoding": "base64"}
    return Answer({**_content(call, entry, ref), **encoded})


def _content(call: Call, entry: TreeEntry, ref: str) -> Json:
    folder = entry.kind == "tree"
    path, at = quote(entry.path), quote(ref, safe="")
    url = call.lens.at(call.repo, f"/contents/{path}?ref={at}")
    git = call.lens.at(call.repo, f"/git/{entry.kind}s/{entry.sha}")
    page = call.lens.page(call.repo, f"/{entry.kind}/{at}/{path}")
    return {
        "type": "dir" if folder else "file",
        "name": basename(entry.path),
        "path": entry.path,
        "sha": entry.sha,
        "size": entry.size or 0,
        "url": url,
        "git_url": git,
        "html_url": page,
        "download_url": None if folder else call.lens.page(call.repo, f"/raw/{at}/{path}"),
        "_links": {"self": url, "git": git, "html": page},
    }


def _put_contents(call: Call) -> Answer:
    repo, body, path = call.repo, call.body, call.path["path"]
    if not safe_path(path):
        raise refused("path contains a malformed path component")
    branch = body.maybe("branch") or "main"
    parent = repo.head_of(branch)
    if parent is None:
        raise ApiError(404, f"Branch {branch} not found")
    demand_push(call, f"refs/heads/{branch}")
    standing, sha = repo.git.entry(parent, path), body.maybe("sha")
    if standing and sha is None:
        raise refused('Invalid request.\n\n"sha" wasn\'t supplied.')
    if sha is not None and (standing is None or standing.sha != sha):
        raise ApiError(409, f"{path} does not match {sha}")
    now = call.hub.now()
    committer = call.hub.web_flow_signature(now)
    files = {path: decode_base64(body.maybe("content") or "")}
    new = repo.git.commit_files(branch, parent, files, body.text("message"), call.by.sign(now), committer)
    repo.verified[new] = now
    pulls.ref_moved(call.hub, repo, f"refs/heads/{branch}", parent, new, call.by)
    (entry,) = repo.git.tree(new, path=path)
    commit = views_git.git_commit(call.lens, repo, repo.git.commit(new))
    return Answer({"content": _content(call, entry, branch), "commit": commit}, 200 if standing else 201)


def routes() -> tuple[Route, ...]:
    """The operations of this module."""
    repo = "/repos/{owner}/{repo}"
    read = ("contents", "read")
    return (
        Route("GET", f"{repo}/branches", _branches, read),
        Route("GET", f"{repo}/branches/{{branch:path}}/protection", _protection, ("administration", "read")),
        Route("GET", f"{repo}/branches/{{branch:path}}", _branch, read),
        Route("GET", f"{repo}/rules/branches/{{branch:path}}", _rules, ("metadata", "read")),
        Route("GET", f"{repo}/commits", _commits, read),
        Route("GET", f"{repo}/commits/{{ref:path}}", _commit, read),
        Route("GET", f"{repo}/compare/{{basehead:path}}", _compare, read),
        Route("GET", f"{repo}/contents", _contents, read),
        Route("GET", f"{repo}/contents/{{path:path}}", _contents, read),
        Route("PUT", f"{repo}/contents/{{path:path}}", _put_contents, ("contents", "write")),
    )
