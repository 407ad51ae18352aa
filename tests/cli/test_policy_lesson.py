"""The lesson of docs/policy.md: its files are written, its commands typed, and they answer what it says."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from gitops_sre.adapters.store import SqlStore
from gitops_sre.cli.main import cli
from gitops_sre.delivery.seal import create_key
from gitops_sre.engine import audit
from gitops_sre.engine import messages as m
from gitops_sre.model.verdict import Level
from gitops_sre.policy.situation import Around, Origin, Situation, situation
from gitops_sre.ports import Transition
from gitops_sre.settings import shipped
from tests import builders as b
from tests.policy.cases import ROLLBACK, plan, proof

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
LESSON = re.compile(r"(?<=## From day one to L4, with one action\n).*?(?=\n## )", re.DOTALL)
BLOCK = re.compile(r"```(yaml|console)\n(.*?)```", re.DOTALL)


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository as `init` leaves it, and three drafts that the bot made while L2 was open."""
    shutil.copytree(shipped("policies"), tmp_path / ".gitops-sre" / "policies")
    create_key(tmp_path / "key.pem")
    (tmp_path / ".gitops-sre.yaml").write_text(
        yaml.safe_dump(
            {
                "github": {"repository": "acme/infra"},
                "prometheus": {"url": "http://127.0.0.1:9"},
                "signing": {"key_file": "key.pem"},
                "engine": {"database_url": f"sqlite:///{tmp_path}/bot.db"},
            }
        )
    )
    store = SqlStore(f"sqlite:///{tmp_path}/bot.db")
    for number, it in enumerate(drafts()):
        event = m.Allowed(it.at, "allowed", b.proof(), b.verdict(Level.L2), b.record(Level.L2), it)
        incident = b.incident(id=f"inc-{number:012x}")
        store.save(incident, [Transition("Allowed", "planned", "proposed", audit.detail(event), it.at)])
    store.close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drafts() -> Iterator[Situation]:
    """Two sure ones, and one that rests on metrics alone."""
    kinds = (("metrics", "changes"), ("metrics", "changes", "logs"), ("metrics",))
    for day, evidence in enumerate(kinds):
        at = b.NOW + timedelta(days=day)
        around = Around(at, {}, (Origin("alertmanager", "checkout"),), evidence=evidence)
        yield situation(plan(), proof(), ROLLBACK, around)


def answered(kind: str, text: str) -> str:
    """What a block of the lesson should say: a file is written and stays, a command is run and shows its answer."""
    if kind == "yaml":
        path = Path(text.partition("\n")[0].removeprefix("# "))
        path.write_text(text)
        return text
    commands = [line for line in text.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{printed(command)}" for command in commands)


def printed(command: str) -> str:
    """What a command prints to a person."""
    done = CliRunner().invoke(cli, shlex.split(command.removeprefix("$ gitops-sre ")))
    error = f"gitops-sre: {done.exception}\n" if done.exit_code else ""
    return done.output + error


def test_the_lesson_is_what_happens(team: Path) -> None:
    page = PAGE.read_text()
    (told,) = LESSON.findall(page)
    made = BLOCK.sub(lambda block: f"```{block[1]}\n{answered(block[1], block[2])}```", told)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page.replace(told, made))
    else:
        assert told == made, "out of date; UPDATE_GOLDEN=1 writes it anew"
    assert list((team / ".gitops-sre" / "policies").glob("rollbacks.yaml"))
