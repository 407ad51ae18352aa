"""Fixtures: a served GitHub whose every exchange is checked against GitHub's own description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from github.Repository import Repository

from gitops_sre.sandbox.github import GitHub
from gitops_sre.sandbox.github.state import Permission
from tests.sandbox.github.openapi import Recorder, description
from tests.sandbox.github.world import BOT_PERMISSIONS, FILES, START, Clock, Server, World


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    served = Server()
    yield served
    served.stop()


@pytest.fixture
def world(server: Server, tmp_path: Path) -> Iterator[World]:
    clock = Clock()
    hub = GitHub(tmp_path / "repos", clock=clock)
    hub.base_url = server.url
    roles: dict[str, Permission] = {"ada": "admin", "wes": "write", "rae": "read"}
    tokens = {login: hub.add_user(login, role) for login, role in roles.items()}
    first = hub.create_repository("acme", "infra", FILES, author="ada", message="Begin", when=START)
    bot = hub.register_app("sre-bot", BOT_PERMISSIONS)
    recorder = Recorder(hub.app)
    server.app = recorder
    yield World(hub, server.url, recorder, bot, tokens, first, clock, tmp_path)
    if described := description():
        problems = [problem for exchange in recorder.exchanges for problem in described.problems(exchange)]
        assert not problems, "\n".join(problems)


@pytest.fixture
def repo(world: World) -> Repository:
    """acme/infra as the bot sees it."""
    return world.as_bot()
