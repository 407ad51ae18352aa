"""git over HTTP: `git http-backend` behind token authentication and branch protection."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from gitops_sre.sandbox.github import pulls, requirements
from gitops_sre.sandbox.github.auth import Tokens
from gitops_sre.sandbox.github.gitrepo import ZERO, environment
from gitops_sre.sandbox.github.http import ApiError, Caller
from gitops_sre.sandbox.github.state import Hub, Repo

SERVICES = {"git-upload-pack": "read", "git-receive-pack": "write"}
_BACKEND_TIMEOUT = 60


@dataclass(frozen=True)
class GitRequest:
    """One request of a git client; `tail` is the path below the repository."""

    method: str
    full_name: str
    tail: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def service(self) -> str:
        """Which of the two services it is for, empty for anything else (the dumb protocol is not spoken)."""
        if self.tail == "info/refs" and self.method == "GET":
            return self.query.removeprefix("service=") if self.query.startswith("service=") else ""
        return self.tail if self.method == "POST" else ""


@dataclass(frozen=True)
class GitAnswer:
    """What goes back to the client."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def serve(hub: Hub, tokens: Tokens, request: GitRequest) -> GitAnswer:
    """Serve one request; a push is serialised with everything else that changes the repository."""
    try:
        caller = tokens.caller(request.headers.get("authorization", ""))
    except ApiError:
        return GitAnswer(401, {"WWW-Authenticate": 'Basic realm="GitHub"'}, b"Invalid username or token.")
    repo = hub.repo(request.full_name)
    level = SERVICES.get(request.service)
    if repo is None or level is None or (caller.repositories is not None and repo.full_name not in caller.repositories):
        return GitAnswer(404, {}, b"Repository not found.")
    if not caller.may("contents", level):
        return GitAnswer(403, {}, f"Permission to {repo.full_name}.git denied to {caller.account.login}.".encode())
    if request.service == "git-upload-pack" or request.method == "GET":
        return _backend(repo, request, caller)
    with hub.lock:
        return _receive(hub, repo, request, caller)


def _receive(hub: Hub, repo: Repo, request: GitRequest, caller: Caller) -> GitAnswer:
    refused = [name for name in _updated_refs(_body(request)) if not _may_move(repo, name, caller)]
    if refused:
        message = (
            f"GH006: Protected branch update failed for {refused[0]}. Changes must be made through a pull request."
        )
        return GitAnswer(403, {}, message.encode())
    before = repo.git.refs()
    answer = _backend(repo, request, caller)
    after = repo.git.refs()
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ZERO), after.get(name, ZERO)
        if old != new:
            pulls.ref_moved(hub, repo, name, old, new, caller.account)
    return answer


def _may_move(repo: Repo, ref: str, caller: Caller) -> bool:
    return requirements.may_push(repo, ref.removeprefix("refs/heads/"), caller.account)


def _body(request: GitRequest) -> bytes:
    if request.headers.get("content-encoding") != "gzip":
        return request.body
    return zlib.decompress(request.body, wbits=31)


def _updated_refs(body: bytes) -> list[str]:
    """Ref names in the command list of a push: pkt-lines `old new name[NUL capabilities]` up to the flush packet."""
    names, at = [], 0
    while (size := _length(body[at : at + 4])) >= 4:
        line = body[at + 4 : at + size].partition(b"\0")[0].decode("utf-8", "replace").rstrip("\n")
        command = line.split(" ", 2)
        if len(command) == 3:  # a shallow clone first says `shallow <id>`
            names.append(command[2])
        at += size
    return names


def _length(digits: bytes) -> int:
    """A pkt-line's length; 0 ends the list, as does anything that is none."""
    try:
        return int(digits, 16)
    except ValueError:
        return 0


def _backend(repo: Repo, request: GitRequest, caller: Caller) -> GitAnswer:
    variables = {
        **environment(repo.git.path),
        "GIT_PROJECT_ROOT": str(repo.git.path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{request.tail}",
        "QUERY_STRING": request.query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REMOTE_USER": caller.account.login,
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"],
        input=request.body,
        env=variables,
        capture_output=True,
        check=False,
        timeout=_BACKEND_TIMEOUT,
    )
    head, separator, body = done.stdout.partition(b"\r\n\r\n")
    if not separator:
        return GitAnswer(500, {}, b"git http-backend gave no answer")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200").split()[0])
    return GitAnswer(status, headers, body)
