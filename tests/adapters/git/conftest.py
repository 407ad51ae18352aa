"""A remote for each test, and its bare repository as the bot reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_sre.adapters.git import LocalRepository
from tests.adapters.git.repositories import Remote


@pytest.fixture
def made(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


@pytest.fixture
def repository(made: Remote) -> Iterator[LocalRepository]:
    with closing(LocalRepository(made.bare)) as opened:
        yield opened
