"""A fresh infra repository for each test, with one state or with a history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gitops import infra
from tests.gitops.commits import History
from tests.gitops.infra import Infra


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Infra]:
    made = infra.create(tmp_path)
    yield made
    made.repository.close()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "infra")
    yield history
    history.close()
