"""`gitops-sre policy`: check, test, explain and simulate, as somebody types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from gitops_sre.adapters.store import SqlStore
from gitops_sre.cli.main import cli
from gitops_sre.delivery.seal import create_key
from gitops_sre.engine import audit
from gitops_sre.engine import messages as m
from gitops_sre.model.verdict import Level
from gitops_sre.policy.documents import read_folder
from gitops_sre.policy.gate import judge
from gitops_sre.policy.situation import Around, Origin, Situation, situation
from gitops_sre.ports import Transition
from gitops_sre.settings import shipped
from tests import builders as b
from tests.policy.cases import ROLLBACK, plan, proof

LADDER = """\
apiVersion: gitops-sre.dev/v1
kind: AutonomyLadder
metadata: {name: ladder}
spec:
  levels:
    - {action: rollback_image, environment: staging, level: %s}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("policies"), tmp_path / "policies"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["policy", *map(str, arguments)])


def test_check_names_the_place_of_a_problem(folder: Path) -> None:
    assert run("check", "--policies", folder).output == f"{folder}: ok\n"
    (folder / "ladder.yaml").write_text(LADDER % "L5")
    wrong = run("check", "--policies", folder)
    assert wrong.exit_code == 1
    assert f"{folder}/ladder.yaml:6:54" in wrong.output


def test_the_shipped_examples_hold_and_one_that_does_not_is_shown_with_its_difference(folder: Path) -> None:
    fine = run("test", "--policies", folder)
    assert fine.exit_code == 0, fine.output
    (folder / "ladder.yaml").write_text(LADDER % "L2")
    wrong = run("test", "--policies", folder)
    assert wrong.exit_code == 1
    assert "a rollback in staging is only reported" in wrong.output
    assert "L2" in wrong.output
    assert "2 of 2 examples do not hold" in str(wrong.exception)  # each names the ladder among its reasons
    told = json.loads(run("test", "--policies", folder, "--json").stdout.partition("\nError")[0])
    assert len(told) == 2


def test_explain_says_what_applies_and_what_does_not_and_why(folder: Path) -> None:
    asked = ("--action", "rollback_image", "--service", "cart", "--environment", "production", "--policies", folder)
    said = run("explain", *asked)
    assert said.exit_code == 0, said.output
    assert "RemediationPolicy production-needs-a-person: applies" in said.output
    assert "verdict: L1" in said.output
    assert "no ladder opens rollback_image of cart in production" in said.output
    more = json.loads(run("explain", *asked, "--set", "objects=9", "--json").stdout)
    assert "small-blast-radius" in json.dumps(more)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--action", "scale"), "give --service, --environment"),
        (("--action", "scale", "--service", "x", "--environment", "y", "--set", "nonsense"), "give KEY=VALUE"),
        (("--action", "scale", "--service", "x", "--environment", "y", "--set", "colour=red"), "colour"),
    ],
)
def test_what_cannot_be_explained_is_one_clear_error(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    said = run("explain", "--policies", folder, *arguments)
    assert said.exit_code != 0
    assert words in f"{said.output}{said.exception}"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    create_key(tmp_path / "key.pem")
    path = tmp_path / ".gitops-sre.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "github": {"repository": "acme/infra"},
                "prometheus": {"url": "http://127.0.0.1:9"},
                "signing": {"key_file": "key.pem"},
                "engine": {"database_url": f"sqlite:///{tmp_path}/bot.db"},
            }
        )
    )
    return path


def remembered(tmp_path: Path, judged: Situation | None, level: Level) -> None:
    """A verdict in the bot's own ledger."""
    verdict = b.verdict(level)
    event = m.Allowed(b.NOW, "allowed", b.proof(), verdict, b.record(level), judged)
    store = SqlStore(f"sqlite:///{tmp_path}/bot.db")
    store.save(b.incident(), [Transition("Allowed", "planned", "proposed", audit.detail(event), b.NOW)])
    store.close()


def test_simulate_shows_which_past_verdicts_would_differ(tmp_path: Path, folder: Path, settings: Path) -> None:
    judged = situation(plan(), proof(), ROLLBACK, Around(b.NOW, {}, (Origin("alertmanager", "checkout"),)))
    (folder / "ladder.yaml").write_text(LADDER % "L3")
    before = judge(judged, read_folder(folder)).level
    assert before is Level.L3
    remembered(tmp_path, judged, before)
    same = run("simulate", "--settings", settings, "--policies", folder)
    assert same.exit_code == 0, same.output
    (folder / "ladder.yaml").write_text(LADDER % "L2")
    other = json.loads(run("simulate", "--settings", settings, "--policies", folder, "--json").stdout)
    assert b.incident().id in json.dumps(other)
    text = run("simulate", "--settings", settings, "--policies", folder).output
    assert b.incident().id in text
    assert "L3" in text
    assert "L2" in text
    assert b.incident().id not in run("simulate", "--settings", settings, "--policies", folder, "--since", "1d").output


def test_what_an_older_version_did_not_record_is_counted_and_left_out(
    tmp_path: Path, folder: Path, settings: Path
) -> None:
    remembered(tmp_path, None, Level.L3)
    said = run("simulate", "--settings", settings, "--policies", folder)
    assert said.exit_code == 0, said.output
    assert "1" in said.output
    assert b.incident().id not in said.output
