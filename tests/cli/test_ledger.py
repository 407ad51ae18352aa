"""`ledger` over a real database: what an auditor does with it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gitops_sre import settings as s
from gitops_sre import wiring
from gitops_sre.adapters.store import SqlStore
from gitops_sre.delivery.ledger import GENESIS, digest
from gitops_sre.delivery.seal import create_key, load_key
from gitops_sre.model.incident import Incident, State
from gitops_sre.ports import Transition
from tests.cli.conftest import NOBODY, Run
from tests.delivery.sample import T0


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings of a bot that has worked on two incidents."""
    create_key(tmp_path / "signing.pem")
    path = tmp_path / "settings.yaml"
    told = {
        "github": {"repository": "acme/infra"},
        "prometheus": {"url": NOBODY},
        "signing": {"key_file": str(tmp_path / "signing.pem")},
        "engine": {"database_url": f"sqlite:///{tmp_path / 'bot.db'}"},
    }
    path.write_text(yaml.safe_dump(told))
    world = wiring.build(s.load(path, {}), {"GITHUB_TOKEN": "none"})
    for number in (1, 2):
        incident = Incident(f"inc-{number}", (), State.RECEIVED, T0, T0)
        for step in range(3):
            detail = json.dumps({"why": f"step {step}", "level": "L3"})
            incident = world.store.save(incident, [Transition("Judged", "planned", "proposed", detail, T0)])
    return path


def test_what_the_bot_wrote_is_whole_and_signed(settings: Path, run: Run) -> None:
    said = run("ledger", "verify", "--settings", settings)
    assert said.code == 0, said.err
    assert said.out.startswith("6 entries are whole and signed. Head: 6:")


def test_an_auditor_needs_the_export_and_the_public_key_alone(settings: Path, run: Run, tmp_path: Path) -> None:
    export, public = tmp_path / "ledger.jsonl", tmp_path / "public.pem"
    assert run("ledger", "export", "--settings", settings, "--output", export).code == 0
    public.write_text(run("ledger", "key", "--settings", settings).out)
    settings.unlink()
    (tmp_path / "signing.pem").unlink()
    command = ("ledger", "verify", "--file", export, "--key", public, "--repository", "acme/infra")
    head = run(*command).out.rpartition(" ")[2].strip()
    assert head.startswith("6:")
    assert run(*command, "--head", head[:12]).code == 0
    lines = export.read_text().splitlines(keepends=True)
    export.write_text("".join(lines[:-1]))
    assert run(*command).code == 0  # from inside nothing is missing
    cut = run(*command, "--head", head)
    assert (cut.code, cut.out) == (1, "")
    assert "entry 6 is not there: the ledger ends with 5" in cut.err
    export.write_text("".join([*lines[:2], *lines[3:]]))
    assert "entry 3: entry 4 stands here" in run(*command).err


def test_changed_in_the_database_it_is_found_even_with_hashes_made_anew(
    settings: Path, run: Run, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "bot.db") as database:
        for name in ("ledger_no_update", "ledger_seals_no_delete"):
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE ledger SET target = 'resolved' WHERE sequence = 4")
    said = run("ledger", "verify", "--settings", settings)
    assert said.code == 1
    assert "entry 4: its content was changed" in said.err
    with sqlite3.connect(tmp_path / "bot.db") as database:
        database.execute("DELETE FROM ledger_seals")
    forge(tmp_path / "bot.db")
    said = run("ledger", "verify", "--settings", settings)
    assert (said.code, "no entry is signed" in said.err) == (1, True)


def forge(path: Path) -> None:
    """Make every hash anew, as somebody without the key can."""
    store = SqlStore(f"sqlite:///{path}")
    previous = GENESIS
    with sqlite3.connect(path) as database:
        for entry in store.ledger():
            forged = digest(replace(entry, previous=previous))
            database.execute(
                "UPDATE ledger SET previous = ?, hash = ? WHERE sequence = ?", (previous, forged, entry.sequence)
            )
            previous = forged
    store.close()


def test_another_key_is_not_the_bots(settings: Path, run: Run, tmp_path: Path) -> None:
    create_key(tmp_path / "other.pem")
    said = run("ledger", "verify", "--settings", settings, "--key", tmp_path / "other.pem")
    assert said.code == 1
    assert f"entry 1: it is signed by the unknown key '{load_key(tmp_path / 'signing.pem').id}'" in said.err
    both = ("--key", tmp_path / "other.pem", "--key", tmp_path / "signing.pem")
    assert run("ledger", "verify", "--settings", settings, *both).code == 0


def test_entries_are_shown_for_people_and_for_programs(settings: Path, run: Run) -> None:
    said = run("ledger", "show", "--settings", settings, "--last", "2")
    assert said.code == 0
    assert "step 1" in said.out
    assert "step 0" not in said.out
    lines = run("ledger", "show", "--settings", settings, "inc-1", "--json").out.splitlines()
    assert [json.loads(line)["detail"]["level"] for line in lines] == ["L3"] * 3
    assert {json.loads(line)["incident"] for line in lines} == {"inc-1"}
    none = run("ledger", "show", "--settings", settings, "inc-9")
    assert (none.code, "nothing of inc-9" in none.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--head", "six"), 2, "the number and the hash"),
        (("--file", "nowhere.jsonl"), 1, "nowhere.jsonl: cannot be read"),
        (("--key", "nowhere.pem"), 1, "nowhere.pem: cannot be read"),
    ],
)
def test_bad_input_is_one_clear_error(
    settings: Path, run: Run, arguments: tuple[str, ...], code: int, says: str
) -> None:
    said = run("ledger", "verify", "--settings", settings, *arguments)
    assert (said.code, said.out) == (code, "")
    assert says in said.err


def test_an_export_overwrites_nothing(settings: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    said = run("ledger", "export", "--settings", settings, "--output", tmp_path / "there")
    assert (said.code, (tmp_path / "there").read_text()) == (1, "mine")
    assert "name a new file" in said.err
