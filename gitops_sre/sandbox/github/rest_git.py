"""REST: the git database (refs, commits, trees, blobs)."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from gitops_sre.sandbox.github import pulls, requirements, views_git
from gitops_sre.sandbox.github.gitrepo import ZERO, Signature, is_sha, safe_path
from gitops_sre.sandbox.github.http import Answer, ApiError, Body, Call, Route, invalid, not_found, refused

_MODES = ("100644", "100755", "040000", "160000", "120000")


def _ref(call: Call) -> Answer:
    name = f"refs/{call.path['ref']}"
    sha = call.repo.git.ref(name)
    if sha is None:
        raise not_found()
    return Answer(views_git.ref(call.lens, call.repo, name, sha))


def _matching(call: Call) -> Answer:
    found = list(call.repo.git.refs(f"refs/{call.path['ref']}").items())
    return call.page(found).answer(lambda pair: views_git.ref(call.lens, call.repo, *pair))


def _create_ref(call: Call) -> Answer:
    repo, name, sha = call.repo, call.body.text("ref"), call.body.text("sha")
    if not name.startswith("refs/") or name.count("/") < 2 or not repo.git.valid_ref(name):
        raise refused(f"{name} is not a valid ref name.")
    if repo.git.kind(sha) is None:
        raise refused("Object does not exist")
    if repo.git.ref(name) is not None:
        raise refused("Reference already exists")
    if not pulls.move_ref(call.hub, repo, name, sha, ZERO, call.by):
        raise refused("Reference cannot be created")  # a/b stands in the way of a, or the other way round
    return Answer(views_git.ref(call.lens, repo, name, sha), 201, {"Location": call.lens.at(repo, f"/git/{name}")})


def _update_ref(call: Call) -> Answer:
    repo, name, sha = call.repo, f"refs/{call.path['ref']}", call.body.text("sha")
    old = repo.git.ref(name)
    if old is None:
        raise refused("Reference does not exist")
    if repo.git.kind(sha) != "commit":
        raise refused("Object does not exist")
    if not call.body.flag("force") and not repo.git.contains(sha, old):
        raise refused("Update is not a fast forward")
    demand_push(call, name)
    pulls.move_ref(call.hub, repo, name, sha, old, call.by)
    return Answer(views_git.ref(call.lens, repo, name, sha))


def _delete_ref(call: Call) -> Answer:
    repo, name = call.repo, f"refs/{call.path['ref']}"
    old = repo.git.ref(name)
    if old is None:
        raise refused("Reference does not exist")
    if name.removeprefix("refs/heads/") in repo.protections or name == "refs/heads/main":
        raise refused("Cannot delete this protected branch")
    pulls.move_ref(call.hub, repo, name, ZERO, old, call.by)
    return Answer(status=204)


def demand_push(call: Call, ref: str) -> None:
    """422 unless the caller may move this ref without a pull request."""
    if not requirements.may_push(call.repo, ref.removeprefix("refs/heads/"), call.by):
        raise refused(f"Protected branch update failed for {ref}. Changes must be made through a pull request.")


def _commit(call: Call) -> Answer:
    sha = call.path["commit_sha"]
    if call.repo.git.kind(sha) != "commit":
        raise not_found()
    return Answer(views_git.git_commit(call.lens, call.repo, call.repo.git.commit(sha)))


def _create_commit(call: Call) -> Answer:
    repo, body, now = call.repo, call.body, call.hub.now()
    tree, parents = body.text("tree"), body.texts("parents")
    if repo.git.kind(tree) != "tree":
        raise refused("Tree SHA does not exist")
    if any(repo.git.kind(parent) != "commit" for parent in parents):
        raise refused("Parent SHA does not exist or is not a commit object")
    author = _signature(body.child("author"), now) or call.by.sign(now)
    committer = _signature(body.child("committer"), now)
    # GitHub signs for an App that names nobody: such a commit is the App's own word.
    own = call.caller.app is not None and not body.has("author") and not body.has("committer")
    committer = call.hub.web_flow_signature(now) if own else committer or author
    sha = repo.git.write_commit(tree, parents, body.text("message"), author, committer)
    if own:
        repo.verified[sha] = now
    return Answer(views_git.git_commit(call.lens, repo, repo.git.commit(sha)), 201)


def _signature(body: Body | None, now: datetime) -> Signature | None:
    if body is None:
        return None
    text = body.maybe("date")
    try:
        when = datetime.fromisoformat(text) if text else now
    except ValueError as error:
        raise invalid("Commit", "date") from error
    return Signature(body.text("name"), body.text("email"), when)


def _tree(call: Call) -> Answer:
    sha = call.path["tree_sha"]
    found = sha if call.repo.git.kind(sha) in ("tree", "commit") else call.repo.git.resolve(sha)
    if found is None:
        raise not_found()
    entries = call.repo.git.tree(found, recursive="recursive" in call.query)
    own = call.repo.git.commit(found).tree if call.repo.git.kind(found) == "commit" else found
    return Answer(views_git.tree(call.lens, call.repo, own, entries))


def _create_tree(call: Call) -> Answer:
    repo, base = call.repo, call.body.maybe("base_tree")
    if base is not None and repo.git.kind(base) not in ("tree", "commit"):
        raise refused("base_tree is not a valid tree oid")
    entries = [_tree_entry(call, entry) for entry in call.body.objects("tree")]
    if not entries:
        raise invalid("Tree", "tree", "missing_field")
    sha = repo.git.write_tree(base, entries)
    return Answer(views_git.tree(call.lens, repo, sha, repo.git.tree(sha)), 201)


def _tree_entry(call: Call, entry: Body) -> tuple[str, str, str | None]:
    path, mode = entry.text("path"), entry.text("mode")
    if not safe_path(path):
        raise refused("tree.path contains a malformed path component")
    if mode not in _MODES:
        raise refused("Must supply a valid tree.mode")
    if (content := entry.maybe("content")) is not None:
        return mode, path, call.repo.git.write_blob(content.encode())
    sha = entry.maybe("sha")
    if sha is not None and call.repo.git.kind(sha) is None:
        raise refused(f"tree.sha {sha} is not a valid blob")
    return mode, path, sha


def _blob(call: Call) -> Answer:
    sha = call.path["file_sha"]
    if not is_sha(sha) or call.repo.git.kind(sha) != "blob":
        raise not_found()
    data = call.repo.git.blob(sha)
    return Answer(
        {
            "sha": sha,
            "node_id": f"B_{sha}",
            "size": len(data),
            "url": call.lens.at(call.repo, f"/git/blobs/{sha}"),
            "content": base64.encodebytes(data).decode(),
            "encoding": "base64",
        }
    )


def _create_blob(call: Call) -> Answer:
    content = call.body.maybe("content") or ""
    data = decode_base64(content) if call.body.maybe("encoding") == "base64" else content.encode()
    sha = call.repo.git.write_blob(data)
    return Answer({"sha": sha, "url": call.lens.at(call.repo, f"/git/blobs/{sha}")}, 201)


def decode_base64(text: str) -> bytes:
    """Bytes of a base64 text with or without line breaks; 422 when it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(422, "content is not valid Base64") from error


def routes() -> tuple[Route, ...]:
    """The operations of this module."""
    git = "/repos/{owner}/{repo}/git"
    read, write = ("contents", "read"), ("contents", "write")
    return (
        Route("GET", f"{git}/ref/{{ref:path}}", _ref, read),
        Route("GET", f"{git}/refs/{{ref:path}}", _ref, read),
        Route("GET", f"{git}/matching-refs/{{ref:path}}", _matching, read),
        Route("POST", f"{git}/refs", _create_ref, write),
        Route("PATCH", f"{git}/refs/{{ref:path}}", _update_ref, write),
        Route("DELETE", f"{git}/refs/{{ref:path}}", _delete_ref, write),
        Route("POST", f"{git}/commits", _create_commit, write),
        Route("GET", f"{git}/commits/{{commit_sha}}", _commit, read),
        Route("POST", f"{git}/trees", _create_tree, write),
        Route("GET", f"{git}/trees/{{tree_sha:path}}", _tree, read),
        Route("POST", f"{git}/blobs", _create_blob, write),
        Route("GET", f"{git}/blobs/{{file_sha}}", _blob, read),
    )
