"""Several settings files on one command line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, edited


@pytest.fixture
def other(nowhere: Path) -> Path:
    """The settings of a second repository, in a folder of its own."""
    folder = nowhere.parent.parent / "other"
    shutil.copytree(nowhere.parent, folder)
    return edited(folder / nowhere.name, "acme/infra", "acme/shop")


def test_each_repository_has_its_pass_and_its_own_complaint(
    run: Run, nowhere: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "none")
    said = run("run", "--once", "--settings", nowhere, "--settings", other)
    assert said.code == 1
    assert "acme/infra: GitHub does not answer" in said.err
    assert "acme/shop: GitHub does not answer" in said.err


def test_one_repository_that_cannot_be_used_does_not_hold_back_the_next(
    run: Run, nowhere: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "none")
    (nowhere.parent / "key.pem").unlink()
    said = run("run", "--once", "--settings", nowhere, "--settings", other)
    assert said.code == 1
    assert "acme/infra: " in said.err
    assert "acme/shop: GitHub does not answer" in said.err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("acme/shop", "acme/Infra"), "github.repository: is that of"),
        (("prometheus:", "cache_dir: ../nowhere/.gitops-sre-cache\nprometheus:"), "cache_dir: is that of"),
    ],
)
def test_two_of_them_share_nothing(run: Run, nowhere: Path, other: Path, change: tuple[str, str], says: str) -> None:
    edited(other, *change)
    for command in (("run", "--once"), ("serve",)):
        said = run(*command, "--settings", nowhere, "--settings", other)
        assert said.code == 1
        assert f"{other}: {says} {nowhere} too" in said.err


def test_one_database_for_all_is_refused(run: Run, nowhere: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{nowhere.parent}/shared.db")
    said = run("run", "--once", "--settings", nowhere, "--settings", other)
    assert said.code == 1
    assert "engine.database_url: is that of" in said.err
    assert "leave DATABASE_URL unset" in said.err


def test_the_environment_may_name_several(
    run: Run, nowhere: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "none")
    monkeypatch.setenv("GITOPS_SRE_SETTINGS", os.pathsep.join([str(nowhere), str(other)]))
    said = run("run", "--once")
    assert "acme/infra: " in said.err
    assert "acme/shop: " in said.err
