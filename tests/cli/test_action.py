"""The action's own steps, run from its file as GitHub runs them: bash, a clean folder, only the documented inputs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_sre.cli.demo.processes import Place
from gitops_sre.delivery.seal import create_key

ACTION = Path(__file__).parents[2] / ".github" / "actions" / "gitops-sre" / "action.yml"
Done = subprocess.CompletedProcess[str]
WORKFLOW = ACTION.parents[2] / "workflows" / "investigate.yml"


def the_action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(ACTION.read_text())
    return loaded


def the_job() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]["pass"]
    return loaded


def evaluated(text: str, inputs: dict[str, str]) -> str:
    """The expressions that the file uses: an input, or whether one is empty."""

    def value(match: re.Match[str]) -> str:
        name, compared = match["name"], match["compared"]
        return inputs[name] if compared is None else str(inputs[name] == compared).lower()

    return re.sub(r"\$\{\{ inputs\.(?P<name>[\w-]+)(?: == '(?P<compared>[^']*)')? \}\}", value, text)


def run_action(given: dict[str, str], folder: Path, action_path: Path = ACTION.parent) -> list[Done]:
    """The steps in order until one fails, as a runner makes them. Those of others are not: the machine has Python."""
    action = the_action()
    for name, described in action["inputs"].items():
        assert name in given or not described.get("required"), name
    inputs = {name: given.get(name, described.get("default", "")) for name, described in action["inputs"].items()}
    assert set(given) <= set(inputs)
    steps = [s for s in action["runs"]["steps"] if evaluated(s.get("if", "true"), inputs) == "true"]
    runner = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "RUNNER_TEMP": str(folder)}
    runner |= {"GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "GITHUB_ACTION_PATH": str(action_path)}
    runner |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    done: list[Done] = []
    for step in steps:
        if "run" in step:
            environment = {**runner, **{name: evaluated(text, inputs) for name, text in step.get("env", {}).items()}}
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done.append(
                subprocess.run(
                    command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
                )
            )
            if done[-1].returncode:
                break
    return done


@pytest.fixture
def inputs(place: Place, settings: Path, tmp_path: Path) -> dict[str, str]:
    """What a workflow gives; the settings are those of an infra repository."""
    keys, made = tmp_path / "keys", tmp_path / "made.pem"
    loaded = yaml.safe_load(settings.read_text())
    loaded["github"]["private_key_file"] = str(keys / "app.pem")
    loaded["signing"] = {"key_file": str(keys / "signing.pem")}
    loaded["engine"] = {"state": "branch", "ledger_branch": f"ledger/{tmp_path.name}"}
    settings.write_text(yaml.safe_dump(loaded))
    create_key(made)
    return {
        "settings": str(settings),
        "keys": str(keys),
        "app-private-key": place.private_key_file.read_text(),
        "signing-key": made.read_text(),
        "command": str(Path(sys.executable).parent / "gitops-sre"),
    }


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A clean folder."""
    folder = tmp_path / "runner"
    folder.mkdir()
    return folder


def test_the_action_makes_a_pass_and_leaves_no_key(inputs: dict[str, str], runner: Path, tmp_path: Path) -> None:
    (done,) = run_action(inputs, runner)
    assert done.returncode == 0, done
    summary = (runner / "summary.md").read_text()
    assert summary.startswith("### gitops-sre: `acme/shop-infra`\n\nNothing is open.")
    assert list((tmp_path / "keys").iterdir()) == []
    assert "PRIVATE KEY" not in done.stdout + done.stderr + summary


def test_keys_below_a_home_never_touch_those_of_the_runner(
    inputs: dict[str, str], settings: Path, runner: Path
) -> None:
    loaded = yaml.safe_load(settings.read_text())
    loaded["github"]["private_key_file"], loaded["signing"] = "~/keys/app.pem", {"key_file": "~/keys/signing.pem"}
    settings.write_text(yaml.safe_dump(loaded))
    mine = runner / "home" / "keys" / "app.pem"
    mine.parent.mkdir(parents=True)
    mine.write_text("the runner's own")
    (done,) = run_action({**inputs, "keys": "~/keys"}, runner)
    assert done.returncode == 0, done
    assert mine.read_text() == "the runner's own"
    assert [file.name for file in runner.rglob("*.pem")] == ["app.pem"]


def test_a_pass_that_fails_fails_the_action_and_leaves_no_key(
    inputs: dict[str, str], runner: Path, tmp_path: Path
) -> None:
    (done,) = run_action({**inputs, "settings": "nowhere.yaml"}, runner)
    assert done.returncode == 1
    assert "nowhere.yaml" in (runner / "summary.md").read_text()
    assert list((tmp_path / "keys").iterdir()) == []


@pytest.mark.slow
def test_without_a_command_it_installs_what_its_own_checkout_locks(
    inputs: dict[str, str], runner: Path, tmp_path: Path
) -> None:
    project, root = runner / "project", ACTION.parents[3]
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, project / name)
    del inputs["command"]
    done = run_action(inputs, runner, project / ".github" / "actions" / "gitops-sre")
    assert [each.returncode for each in done] == [0, 0], done
    assert "Nothing is open." in (runner / "summary.md").read_text()
    assert (runner / "gitops-sre" / "bin" / "gitops-sre").is_file()
    assert list((tmp_path / "keys").iterdir()) == []


def test_what_others_wrote_is_pinned_by_commit() -> None:
    used = [step["uses"] for step in (*the_action()["runs"]["steps"], *the_job()["steps"]) if "uses" in step]
    foreign = [each for each in used if not each.startswith("./")]
    assert len(foreign) == 3
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each) for each in foreign)


def test_the_workflow_gives_the_action_what_it_needs() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    called = workflow[True]["workflow_call"]  # YAML 1.1 reads `on` as a truth value
    step = the_job()["steps"][-1]
    inputs = the_action()["inputs"]
    assert {name for name, one in inputs.items() if one.get("required")} <= set(step["with"]) <= set(inputs)
    for text in step["with"].values():
        kind, _, name = text.removeprefix("${{ ").removesuffix(" }}").partition(".")
        assert name in called[kind]
    assert workflow["permissions"] == {"contents": "read"}
    assert not workflow["concurrency"]["cancel-in-progress"]
    assert the_job()["timeout-minutes"] <= 10
