"""An incident from end to end, and what the figures then say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from gitops_sre.cli.main import cli
from gitops_sre.delivery.seal import create_key
from gitops_sre.model.incident import State
from tests.loop.conftest import Founder
from tests.loop.place import Place


def typed(place: Place, *words: str) -> str:
    """What a command says of the place's own records."""
    key, path = place.folder / "key.pem", place.folder / "settings.yaml"
    if not key.exists():
        create_key(key)
    told: dict[str, Any] = {
        "github": {"repository": place.name},
        "prometheus": {"url": "http://127.0.0.1:9"},
        "signing": {"key_file": "key.pem"},
        "learning": {"baseline_recover": 3600},
    }
    path.write_text(json.dumps(told))
    environment = {"DATABASE_URL": f"sqlite:///{place.folder / 'bot.db'}", "GITHUB_TOKEN": "none"}
    said = CliRunner().invoke(cli, [*words, "--settings", str(path)], env=environment, catch_exceptions=False)
    assert said.exit_code == 0, said.output
    return said.output


def test_what_was_resolved_is_told_with_its_times_and_held_against_the_label(found: Founder) -> None:
    place = found("L4")
    deployed = place.deploy_bad()
    began = place.clock.at
    resolved = place.until(place.bot(), State.RESOLVED)

    got = json.loads(typed(place, "kpi", "--json"))
    assert got["incidents"] == 1
    assert (got["resolved"]["count"], got["unaided"]["count"], got["false_actions"]) == (
        1, 1, {"count": 0, "of": 1, "value": 0.0, "interval": got["false_actions"]["interval"]}
    )  # fmt: skip
    assert 0 <= got["detect"]["mean"] <= 10
    assert got["recover"]["mean"] <= resolved.since.timestamp() - began + 10
    assert got["recover"]["baseline"] == 3600
    assert got["rca"]["of"] == 0

    said = typed(place, "label", resolved.id, "--cause", "new_deploy", "--commit", deployed[:9], "--by", "alice")
    assert f"{resolved.id} was new_deploy; the bot believed new_deploy of {place.service}" in said
    assert json.loads(typed(place, "kpi", "--json"))["rca"]["count"] == 1
    typed(place, "label", resolved.id, "--cause", "network")
    table = typed(place, "kpi", "--since", "1d")
    assert "0 of 1" in next(line for line in table.splitlines() if "Diagnoses right" in line)
    by_itself = next(number for number, line in enumerate(table.splitlines()) if "without a person" in line)
    assert "False actions" in table.splitlines()[by_itself + 1]
    assert place.bot().world.store.verify() is None


def test_a_postmortem_tells_what_happened_and_can_be_an_issue(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    resolved = place.until(place.bot(), State.RESOLVED)
    page = typed(place, "postmortem", resolved.id)
    assert page.startswith(f"# Postmortem: {place.service} ({place.environment}): HighErrorRate\n")
    for part in (
        "### Impact",
        "| `error_ratio` | 0.1% | 25% | 2% |",
        "merged by itself, and the SLO recovered",
        "### Timeline",
    ):
        assert part in page
    told = [line for line in page.splitlines() if line.startswith("| 20")]
    assert [line.split("|")[2].strip() for line in told][-2:] == ["Recovered", "Concluded"]


def test_bad_input_is_one_clear_error(found: Founder) -> None:
    place = found("L1")
    place.deploy_bad()
    resolved = place.until(place.bot(), State.REPORTED)
    typed(place, "kpi")
    known = resolved.id
    for words, why in (
        (
            ["label", "inc-none", "--cause", "network"],
            f"no incident inc-none in the ledger; the latest are: {known}",
        ),
        (["label", resolved.id, "--cause", "gremlins"], "'gremlins' is not one of"),
        (["label", resolved.id, "--cause", "network", "--commit", "abc"], "at least seven characters"),
        (["kpi", "--since", "yesterday"], "'yesterday' is no day, moment or number of days"),
    ):
        settings = ["--settings", str(Path(place.folder) / "settings.yaml")]
        environment = {"DATABASE_URL": f"sqlite:///{place.folder / 'bot.db'}", "GITHUB_TOKEN": "none"}
        said = CliRunner().invoke(cli, [*words, *settings], env=environment)
        assert said.exit_code != 0
        assert why in said.output + str(said.exception)
