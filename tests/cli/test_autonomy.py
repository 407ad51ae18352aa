"""`autonomy` over a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gitops_sre import settings as s
from gitops_sre import wiring
from gitops_sre.cli.demo.processes import Place, write_settings
from gitops_sre.delivery.seal import create_key
from gitops_sre.model.incident import Incident, State
from gitops_sre.ports import Transition
from tests.cli.conftest import NOBODY, Run
from tests.delivery.sample import T0

RESET = ("autonomy", "reset", "rollback_image", "--tier", "standard")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a bot that had to take a fix back."""
    create_key(tmp_path / "signing.pem")
    monkeypatch.setenv("GITHUB_TOKEN", "none")
    path = tmp_path / "settings.yaml"
    told = {
        "github": {"repository": "acme/infra"},
        "prometheus": {"url": NOBODY},
        "signing": {"key_file": str(tmp_path / "signing.pem")},
        "engine": {"database_url": f"sqlite:///{tmp_path / 'bot.db'}"},
    }
    path.write_text(yaml.safe_dump(told))
    store = wiring.build(s.load(path, {}), {"GITHUB_TOKEN": "none"}).store
    planned = json.dumps({"action": "rollback_image", "tier": "standard"})
    steps = [
        Transition("Planned", "diagnosed", "planned", planned, T0),
        Transition("NotRecovered", "verifying", "reverting", "{}", T0),
    ]
    store.save(Incident("inc-1", (), State.REVERTING, T0, T0), steps)
    return path


def test_a_person_lifts_a_ceiling_once_and_it_is_signed(
    settings: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "none")
    said = run(*RESET, "--settings", settings, "--why", "a flaky probe, mended", "--by", "alice")
    assert said.code == 0, said.err
    assert "no longer held at L3; alice lifted it: a flaky probe, mended" in said.out
    assert run("ledger", "verify", "--settings", settings).out.startswith("3 entries are whole and signed")
    told = json.loads(run("ledger", "show", "autonomy", "--json", "--settings", settings).out)
    assert told["detail"]["by"] == "alice"
    assert told["detail"]["why"] == "a flaky probe, mended"

    monkeypatch.setenv("GITHUB_TOKEN", "none")
    twice = run(*RESET, "--settings", settings, "--why", "again")
    assert (twice.code, twice.out) == (1, "")
    assert "rollback_image in tier standard is not held back (held: nothing is)" in twice.err


def test_a_wrong_name_changes_nothing_and_says_what_is_held(
    settings: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "none")
    said = run("autonomy", "reset", "scale", "--tier", "standard", "--why", "x", "--settings", settings)
    assert (said.code, said.out) == (1, "")
    assert "held: rollback_image in standard" in said.err


def test_a_reason_is_asked_for(settings: Path, run: Run) -> None:
    assert run(*RESET, "--settings", settings).code == 2
    assert "--why" in run(*RESET, "--settings", settings, "--why", " ").err


def test_the_ladder_is_shown_with_the_figures_behind_it(place: Place, run: Run, tmp_path: Path) -> None:
    path = write_settings(place, tmp_path / "bot")
    nothing = run("autonomy", "--settings", path)
    assert (nothing.code, nothing.out) == (1, "")
    assert "no database yet" in nothing.err
    store = wiring.build(s.load(path, {}), {}).store
    planned = json.dumps({"action": "rollback_image", "tier": "critical"})
    for number in range(3):
        store.note(f"inc-{number}", Transition("Planned", "diagnosed", "planned", planned, T0))
        store.note(f"inc-{number}", Transition("Recovered", "verifying", "resolved", "{}", T0))
    store.note("inc-9", Transition("Planned", "diagnosed", "planned", planned, T0))
    store.note("inc-9", Transition("NotRecovered", "verifying", "reverting", "{}", T0))

    said = run("autonomy", "--json", "--settings", path)
    assert said.code == 0, said.err
    (row,) = (each for each in json.loads(said.out) if each["tier"] == "critical" and each["cases"])
    told = {name: row[name] for name in ("action", "cases", "verified", "false", "ceiling", "incidents", "effective")}
    assert told == {
        "action": "rollback_image",
        "cases": 4,
        "verified": 3,
        "false": 1,
        "ceiling": "L3",
        "incidents": ["inc-9"],
        "effective": min(row["policy"], "L3"),
    }
    assert row["lower_bound"] < row["mean"] == 0.7
    shown = run("autonomy", "--settings", path)
    assert shown.code == 0, shown.err
    assert "rollback_image" in shown.out
    assert "0.700" in shown.out
