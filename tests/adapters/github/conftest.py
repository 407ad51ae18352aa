"""The forge against the sandbox's GitHub server, over real HTTP."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from gitops_sre.adapters.github import GitHubForge
from gitops_sre.delivery.seal import Key
from gitops_sre.model.change import Proof
from gitops_sre.model.outcome import Outdated, Refused, Unavailable
from gitops_sre.model.pull import Cover, PullRequest
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.verdict import Level
from gitops_sre.sandbox.github import GitHub, Repo
from gitops_sre.sandbox.github.state import Permission, Use
from gitops_sre.settings import GitHubSettings
from tests.delivery import sample
from tests.sandbox.github import graphql_schema, openapi

BRANCH = "gitops-sre/inc-0123456789ab/fix-1"
BOT = "gitops-sre[bot]"
KEY = Key(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
POWERS = dict.fromkeys(("contents", "pull_requests", "checks", "issues", "administration"), "write")


class Recorder:
    """Notes each request; gives answers that the server has none of: errors of GraphQL, links."""

    def __init__(self, github: GitHub) -> None:
        self.github, self.seen, self.link = github, list[tuple[str, str]](), ""
        self.graphql: list[Mapping[str, object]] = []
        self.asked: list[Mapping[str, Any]] = []
        """Every request of GraphQL."""
        self.before: dict[str, Callable[[], None]] = {}
        """What happens in the moment in which a request to a path arrives."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.github.app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        self.seen.append((method, path))
        if path == "/api/graphql":
            body, receive = await _whole(receive)
            asked = json.loads(body or b"{}")
            self.asked.append(asked)
            if asked.get("query", "").startswith("query"):  # it writes nothing
                self.seen[-1] = ("QUERY", path)
            if "$file" in asked.get(
                "query", ""
            ):  # whether somebody has said stop, before each write: no test is about it
                await self.github.app(scope, receive, send)
                return
        self.before.get(path, lambda: None)()
        if path == "/api/graphql" and self.graphql:
            await JSONResponse(self.graphql.pop())(scope, receive, send)
            return
        await self.github.app(scope, receive, self._linked(send) if self.link else send)

    def _linked(self, send: Send) -> Send:
        """Answers that name a next page."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"link", self.link.encode())]
            await send(message)

        return sent


async def _whole(receive: Receive) -> tuple[bytes, Receive]:
    """A request's body, and the request to be received again."""
    parts, more = list[bytes](), True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


@dataclass
class Stage:
    """A GitHub with one repository, the bot's App on it, and people."""

    github: GitHub
    url: str
    name: str
    base: str
    settings: GitHubSettings
    recorder: Recorder
    folder: Path
    tokens: Mapping[str, str]

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request since the test began."""
        return self.recorder.seen

    @property
    def api(self) -> str:
        """Path of the repository in the API."""
        return f"/api/v3/repos/{self.name}"

    def commit(self, who: str, files: Mapping[str, bytes | None], message: str = "other", branch: str = "main") -> str:
        """A push."""
        return self.github.commit(self.name, who, files, message, branch=branch)

    def writes(self, path: str = "") -> int:
        """How many requests that write went to paths that end so; without one, of all but those for tokens."""
        writing = [at for method, at in self.requests if method not in ("GET", "QUERY")]
        return sum(at.endswith(path) and (bool(path) or not at.endswith("/access_tokens")) for at in writing)

    @property
    def repo(self) -> Repo:
        """What the server holds."""
        return self.github.repository(self.name)

    def forge(self, **changes: object) -> GitHubForge:
        """A bot that has just started."""
        return GitHubForge(self.settings.model_copy(update=changes), KEY, {})

    def weak_forge(self, permissions: Mapping[str, str]) -> GitHubForge:
        """A bot whose App was granted less."""
        return self._as_app("weak", permissions)

    def _as_app(self, slug: str, permissions: Mapping[str, str]) -> GitHubForge:
        app = self.github.register_app(slug, permissions)
        key_file = self.folder / f"{slug}.pem"
        key_file.write_text(app.private_key_pem)
        return self.forge(app_id=app.app_id, private_key_file=key_file)

    def other_app(self, slug: str = "other") -> GitHubForge:
        """Another App with the same powers (and even the same signing key)."""
        return self._as_app(slug, POWERS)

    def as_person(self, login: str, method: str, path: str, body: Mapping[str, object]) -> None:
        """A person's own call of the API."""
        headers = {"Authorization": f"Bearer {self.tokens[login]}"}
        answer = requests.request(method, f"{self.url}{self.api}{path}", json=body, headers=headers, timeout=10)
        assert answer.ok, answer.text

    def record(self, level: Level = Level.L4, base: str = "") -> ActionRecord:
        """The sample's record on the present base."""
        return replace(sample.record(level), base=base or self.base)

    def proof(self, record: ActionRecord) -> Proof:
        """The sample's proof for a record."""
        return replace(sample.PROOF, change=replace(sample.PROOF.change, base=record.base))

    def offer(
        self,
        forge: GitHubForge,
        level: Level = Level.L4,
        record: ActionRecord | None = None,
        cover: Cover | None = None,
    ) -> PullRequest | Outdated | Refused | Unavailable:
        """Propose the sample."""
        record = record or self.record(level)
        proof = self.proof(record)
        return forge.propose(record, proof.change.files, proof, record.verdict, cover or Cover("The body."))

    def opened(self, forge: GitHubForge, level: Level = Level.L4) -> PullRequest:
        """Propose the sample, which works."""
        pull = self.offer(forge, level)
        assert isinstance(pull, PullRequest), pull
        return pull

    def bot_branches(self) -> list[str]:
        """Branches with the bot's prefix."""
        return [ref.removeprefix("refs/heads/") for ref in self.repo.git.refs("refs/heads/gitops-sre/")]


@dataclass
class Server:
    """The server that all tests share; each has a repository of its own."""

    github: GitHub
    url: str
    recorder: Recorder
    wire: openapi.Recorder
    settings: GitHubSettings
    tokens: Mapping[str, str]
    numbers: Iterator[int]
    spoilt: bool = False
    """Whether the present test lets something go wrong on the wire."""


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("github")
    github = GitHub(folder / "repositories")
    recorder = Recorder(github)
    wire = openapi.Recorder(recorder)
    web = uvicorn.Server(uvicorn.Config(wire, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=web.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not web.started and time.monotonic() < deadline:
        time.sleep(0.005)
    url = f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}"
    github.base_url = url
    people: dict[str, Permission] = {"alice": "admin", "bob": "write", "carol": "write", "eve": "read"}
    tokens = {login: github.add_user(login, permission) for login, permission in people.items()}
    app = github.register_app("gitops-sre", POWERS)
    key_file = folder / "app.pem"
    key_file.write_text(app.private_key_pem)
    settings = GitHubSettings(
        repository="acme/none",
        api_url=f"{url}/api/v3",
        app_id=app.app_id,
        private_key_file=key_file,
        timeout=5,
        min_write_interval=0,
    )
    yield Server(github, url, recorder, wire, settings, tokens, itertools.count(1))
    web.should_exit = True
    thread.join(10)


@pytest.fixture
def stage(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    name = f"infra-{next(server.numbers)}"
    base = server.github.create_repository(
        "acme",
        name,
        {sample.FILE: sample.BEFORE.encode(), "README.md": b"# infra\n"},
        author="alice",
        message="checkout 1.5.0 to production",
        when=sample.T0,
    )
    server.recorder.seen.clear()
    server.recorder.asked.clear()
    server.wire.exchanges.clear()
    server.spoilt = False
    inject = server.github.inject

    def spoil(*given: Any, **named: Any) -> None:
        server.spoilt = True
        inject(*given, **named)

    monkeypatch.setattr(server.github, "inject", spoil)
    settings = server.settings.model_copy(update={"repository": f"acme/{name}"})
    yield Stage(server.github, server.url, f"acme/{name}", base, settings, server.recorder, tmp_path, server.tokens)
    server.spoilt |= bool(server.recorder.link)
    server.github.clear_faults()
    server.recorder.link = ""
    server.recorder.graphql.clear()
    server.recorder.before.clear()
    _assert_listed(server.wire.exchanges, server.github.uses)
    _assert_in_schema(server.recorder.asked)
    if not server.spoilt:
        _assert_as_described(server.wire.exchanges)


PAGE = Path(__file__).parents[3] / "docs" / "github.md"


@cache
def _listed() -> frozenset[tuple[str, str]]:
    """(method, operation) of every row of the table of operations in the docs."""
    table = PAGE.read_text().partition("## Every operation")[2].partition("\n## ")[0]
    return frozenset(re.findall(r"^\| `([A-Z]+) (/\S+)` \|", table, re.MULTILINE))


def _assert_listed(exchanges: Sequence[openapi.Exchange], uses: Sequence[Use]) -> None:
    """What the bot asked for stands in the table. Other clients' requests are people's, in these tests."""
    bot = {(each.method, each.path) for each in exchanges if each.request_headers.get("user-agent") == "gitops-sre"}
    for use in uses:
        operation = re.sub(r":path}", "}", use.operation)
        pattern = re.compile(re.sub(r"\\{\w+\\}", "[^?]+", re.escape(operation)))
        if any(method == use.method and pattern.fullmatch(path) for method, path in bot):
            assert (use.method, operation) in _listed(), f"{use.method} {operation} is missing in docs/github.md"


def _assert_in_schema(asked: Sequence[Mapping[str, Any]]) -> None:
    """Every request of GraphQL, and its variables, is one that GitHub's own schema knows."""
    published = graphql_schema.schema()
    for each in asked if published is not None else ():
        wrong = _problems(each["query"], json.dumps(each.get("variables") or {}))
        assert not wrong, f"{each['query']}\n{wrong}"


@cache
def _problems(query: str, variables: str) -> Sequence[str]:
    published = graphql_schema.schema()
    return graphql_schema.problems(published, query, json.loads(variables)) if published is not None else ()


def _assert_as_described(exchanges: Sequence[openapi.Exchange]) -> None:
    """Every request of the bot, and every answer to it, is as GitHub's own description has it."""
    described = openapi.description()
    if described is not None:
        problems = [problem for exchange in exchanges for problem in described.problems(exchange)]
        assert not problems, "\n".join(problems)
