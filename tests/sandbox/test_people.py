"""Alice against a real GitHub server: she approves what is the bot's and ready, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import requests

from gitops_sre.sandbox.github import GitHub
from gitops_sre.sandbox.people import Approver, GitHubUser
from gitops_sre.sandbox.serving import Served

PATHS = ("values/production/catalog.yaml", "values/staging/catalog.yaml")


@dataclass
class Forge:
    """A GitHub with one repository, and how the bot and people propose there."""

    github: GitHub
    repository: str
    url: str
    bot: str
    alice: str
    bob: str

    def propose(self, token: str, path: str, *, draft: bool = False) -> int:
        """A pull request that changes one file."""
        branch = f"change-{time.monotonic_ns()}"
        self.github.commit(self.repository, "bob", {path: branch.encode()}, "A change", branch=branch)
        body = {"title": "A change", "head": branch, "base": "main", "draft": draft}
        return int(self._post("/pulls", token, body)["number"])

    def push(self, number: int) -> None:
        """Another commit on a pull request's branch."""
        branch = self.github.repository(self.repository).pulls[number].head
        self.github.commit(self.repository, "bob", {PATHS[0]: b"later"}, "Another change", branch=branch)

    def approvals(self, number: int) -> list[tuple[str, str]]:
        """Who approved which commit."""
        reviews = self.github.repository(self.repository).reviews_of(number)
        return [(review.user, review.commit_id) for review in reviews if review.state == "APPROVED"]

    def head(self, number: int) -> str:
        return self.github.repository(self.repository).pulls[number].head_sha

    def _post(self, path: str, token: str, body: dict[str, object]) -> Any:
        answer = requests.post(f"{self.url}{path}", json=body, headers={"Authorization": f"token {token}"}, timeout=10)
        answer.raise_for_status()
        return answer.json()


@dataclass
class Server:
    """A GitHub with an App, on which every test finds a repository of its own."""

    github: GitHub
    api: str
    bot: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    github, served = GitHub(tmp_path_factory.mktemp("github")), Served("test-github")
    app = github.register_app("gitops-sre", {"contents": "write", "pull_requests": "write"})
    served.start(github.app)
    api = f"{served.url}/api/v3"
    now = int(time.time())
    identity = jwt.encode(
        {"iat": now, "exp": now + 300, "iss": str(app.app_id)}, app.private_key_pem, algorithm="RS256"
    )
    answer = requests.post(
        f"{api}/app/installations/{app.installation_id}/access_tokens",
        headers={"Authorization": f"Bearer {identity}"},
        timeout=10,
    )
    answer.raise_for_status()
    yield Server(github, api, answer.json()["token"])
    served.stop()


@pytest.fixture
def forge(server: Server, request: pytest.FixtureRequest) -> Forge:
    alice, bob = server.github.add_user("alice", "admin"), server.github.add_user("bob", "write")
    name = request.node.name.replace("_", "-").replace("[", "-").rstrip("]")
    files = dict.fromkeys(PATHS, b"tag: v1.0.0\n")
    when = datetime(2026, 11, 1, tzinfo=UTC)
    server.github.create_repository("acme", name, files, author="bob", message="Begin", when=when)
    repository = f"acme/{name}"
    return Forge(server.github, repository, f"{server.api}/repos/{repository}", server.bot, alice, bob)


@pytest.fixture
def look(forge: Forge) -> Iterator[Callable[[float], None]]:
    """Let Alice look at a moment, in seconds."""
    user = GitHubUser("alice", forge.alice, forge.url)
    yield Approver(user, delay=2.0).look
    user.close()


@pytest.mark.parametrize("path", PATHS, ids=["production", "staging"])
def test_she_approves_the_bots_pull_request_after_a_while_and_once(
    forge: Forge, look: Callable[[float], None], path: str
) -> None:
    number = forge.propose(forge.bot, path)
    look(0.0)
    look(1.9)
    assert forge.approvals(number) == []
    look(2.0)
    look(10.0)
    assert forge.approvals(number) == [("alice", forge.head(number))]


def test_a_later_commit_is_looked_at_anew(forge: Forge, look: Callable[[float], None]) -> None:
    number = forge.propose(forge.bot, PATHS[0])
    look(0.0)
    forge.push(number)
    look(2.0)
    assert forge.approvals(number) == []
    look(4.0)
    assert forge.approvals(number) == [("alice", forge.head(number))]


def test_drafts_and_peoples_own_pull_requests_are_left_alone(forge: Forge, look: Callable[[float], None]) -> None:
    numbers = [
        forge.propose(forge.bot, PATHS[0], draft=True),
        forge.propose(forge.alice, PATHS[0]),
        forge.propose(forge.bob, PATHS[0]),
    ]
    for moment in (0.0, 3.0, 6.0):
        look(moment)
    assert [forge.approvals(number) for number in numbers] == [[], [], []]


def test_pull_requests_are_shown_as_they_stand(forge: Forge) -> None:
    number = forge.propose(forge.bot, PATHS[0], draft=True)
    user = GitHubUser("alice", forge.alice, forge.url)
    (proposal,) = user.proposals("all")
    user.close()
    assert (proposal.number, proposal.by_bot, proposal.draft, proposal.merged) == (number, True, True, False)
    assert (proposal.author, proposal.head) == ("gitops-sre[bot]", forge.head(number))
