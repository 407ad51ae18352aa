"""A GitHub served on loopback for tests, and clients of it."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import github
import uvicorn
from github.Auth import AppAuth, Auth, Token
from github.PullRequest import PullRequest
from github.Repository import Repository
from starlette.types import ASGIApp, Receive, Scope, Send

from gitops_sre.sandbox.github import AppCredentials, GitHub
from tests.sandbox.github.openapi import Recorder

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
BOT_PERMISSIONS = {
    "contents": "write",
    "pull_requests": "write",
    "checks": "write",
    "issues": "write",
    "statuses": "write",
    "administration": "read",
}
FILES = {
    "README.md": b"# infra\n",
    "apps/cart.yaml": b"image: cart:1.0\nreplicas: 3\n",
    "apps/web.yaml": b"image: web:1.0\n",
    "bin/deploy": b"#!/bin/sh\n",
}


class Server:
    """One uvicorn for the whole test session; each test puts its own application behind it."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            host="127.0.0.1",
            port=0,
            log_level="warning",
            lifespan="off",
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "uvicorn did not start"
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None, "no application is being served"
        await self.app(scope, receive, send)

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(timeout=10)


@dataclass
class Clock:
    """The machine's clock, moved."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        """Now."""
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True)
class World:
    """A GitHub with the repository acme/infra, an App, and three people: ada (admin), wes (write), rae (read)."""

    hub: GitHub
    url: str
    recorder: Recorder
    bot: AppCredentials
    tokens: dict[str, str]
    first: str
    clock: Clock
    folder: Path

    def client(self, auth: Auth) -> github.Github:
        """A PyGithub client that neither waits nor retries."""
        return github.Github(
            base_url=f"{self.url}/api/v3",
            auth=auth,
            seconds_between_requests=0,
            seconds_between_writes=0,
            retry=None,
        )

    def integration(self, app: AppCredentials | None = None) -> github.GithubIntegration:
        """PyGithub as an App, the bot's unless told."""
        app = app or self.bot
        return github.GithubIntegration(
            base_url=f"{self.url}/api/v3",
            auth=AppAuth(app.app_id, app.private_key_pem),
            seconds_between_requests=0,
            seconds_between_writes=0,
            retry=None,
        )

    def installation_token(self, permissions: dict[str, str] | None = None, app: AppCredentials | None = None) -> str:
        """A token of an App's installation, the bot's unless told."""
        wanted = (app or self.bot).installation_id
        token = self.integration(app).get_access_token(wanted, permissions=permissions)
        return str(token.token)

    def as_bot(self, permissions: dict[str, str] | None = None) -> Repository:
        """The repository as the App's installation sees it."""
        return self.with_token(self.installation_token(permissions))

    def as_person(self, login: str) -> Repository:
        """The repository as a person sees it."""
        return self.with_token(self.tokens[login])

    def with_token(self, token: str) -> Repository:
        """The repository as seen with a token."""
        return self.client(Token(token)).get_repo("acme/infra")

    def propose(
        self, repo: Repository, branch: str = "fix/cart", text: str = "image: cart:0.9\n", **options: Any
    ) -> PullRequest:
        """A branch with one verified commit to apps/cart.yaml, and a pull request of it."""
        head = repo.get_branch("main").commit.sha
        repo.create_git_ref(f"refs/heads/{branch}", head)
        commit_on_branch(repo, branch, head, {"apps/cart.yaml": text.encode()})
        return repo.create_pull(base="main", head=branch, title=f"Roll back {branch}", body="Because.", **options)

    def clone_url(self, token: str) -> str:
        """Address for git with a token in it."""
        return f"{self.url.replace('://', f'://x-access-token:{token}@')}/acme/infra.git"

    def git(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A real git client with nobody's configuration."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
        name = ["-c", "user.name=wes", "-c", "user.email=wes@example.com"]
        return subprocess.run(
            ["git", *name, *args],
            cwd=cwd or self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


def commit_on_branch(
    repo: Repository, branch: str, expected: str, additions: dict[str, bytes], deletions: tuple[str, ...] = ()
) -> str:
    """createCommitOnBranch through PyGithub; the new head."""
    encoded = [{"path": path, "contents": base64.b64encode(data).decode()} for path, data in additions.items()]
    _, data = repo.requester.graphql_named_mutation(
        "createCommitOnBranch",
        {
            "branch": {"repositoryNameWithOwner": repo.full_name, "branchName": branch},
            "expectedHeadOid": expected,
            "message": {"headline": "Roll back", "body": "Incident: 7"},
            "fileChanges": {"additions": encoded, "deletions": [{"path": path} for path in deletions]},
        },
        "commit { oid url }",
    )
    return str(data["commit"]["oid"])
