from __future__ import annotations

import difflib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.cli.evaluation.score import Total, calibration_error, changed
from gitops_sre.sandbox.scenarios import generate
from gitops_sre.sandbox.scenarios.plots import Plot
from tests.cli.conftest import Run, Said

PLOTS = (
    Plot("new_deploy", "staging", "search", "two changes", "web", raw="errors"),
    Plot("certificate_expiry", "staging", "inventory"),
    Plot("new_deploy", "staging", "inventory", "resolved before the question"),
)
FIX, CALL, PASSED = "scenario-01", "scenario-02", "scenario-03"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("eval") / "scenarios"
    generate(out, 1, PLOTS)
    return out


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """The scenarios, to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "scenarios"))


def edited(scenario: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = scenario / "scenario.yaml"
    data = yaml.safe_load(path.read_text())
    edit(data)
    path.write_text(yaml.safe_dump(data))


def expecting(**wanted: Any) -> Callable[[dict[str, Any]], None]:
    """An edit of what is right; None takes a key away."""

    def edit(data: dict[str, Any]) -> None:
        data["expected"] = {k: v for k, v in {**data["expected"], **wanted}.items() if v is not None}

    return edit


def as_json(said: Said) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said.out)
    return found


def one(run: Run, place: Path, name: str) -> dict[str, Any]:
    said = run("eval", place, "--id", name, "--json")
    assert said.code == 0, said.err
    (found,) = as_json(said)["scenarios"]
    assert isinstance(found, dict)
    return found


def test_a_bad_deploy_is_taken_back_with_exactly_the_right_diff(run: Run, made: Path) -> None:
    found = one(run, made, FIX)
    assert found["diagnosis"]["service"] == "search"
    assert found["diagnosis"]["change"] == found["expected"]["change"]
    assert found["right"] == {"service": True, "cause": True, "change": True, "place": 1} | {
        "posterior": found["right"]["posterior"]
    }
    assert found["action"] == "rollback_image"
    assert "values/staging/search.yaml" in found["diff"]
    assert found["action_right"]
    assert not found["false_action"]


def test_a_person_is_called_where_no_action_takes_the_cause_back(run: Run, made: Path) -> None:
    found = one(run, made, CALL)
    assert found["action"] == "escalate"
    assert found["action_right"]
    assert found["diff"] == ""


def test_an_alert_that_has_resolved_is_left_alone_and_not_diagnosed(run: Run, made: Path) -> None:
    found = one(run, made, PASSED)
    assert found["action"] == "none"
    assert found["action_right"]
    assert found["diagnosis"] is None
    assert found["right"] is None


@pytest.mark.parametrize(
    "wanted",
    [
        {"action": "escalate", "diff": None},
        {"action": "none", "diff": None},
        {"action": "scale"},
        {"diff": "--- a/other.yaml\n+++ b/other.yaml\n@@ -1 +1 @@\n-tag: v1\n+tag: v0\n"},
    ],
    ids=["a person should have been called", "nothing was to do", "another action was right", "another diff was right"],
)
def test_acting_where_something_else_was_right_is_a_false_action(
    run: Run, place: Path, wanted: dict[str, str | None]
) -> None:
    edited(place / FIX, expecting(**wanted))
    found = one(run, place, FIX)
    assert found["false_action"]
    assert not found["action_right"]
    total = as_json(run("eval", place, "--json"))["total"]
    assert (total["false_actions"], total["acted"]) == (1, 1)
    assert total["false_action_rate"] == pytest.approx(1 / 3)
    printed = run("eval", place).out
    assert "FALSE ACTION" in printed
    assert "False actions: 1 in 3 scenarios (33.3%" in printed


def test_a_bit_more_than_the_right_diff_is_a_false_action_too(run: Run, place: Path) -> None:
    right = yaml.safe_load((place / FIX / "scenario.yaml").read_text())["expected"]["diff"]
    edited(place / FIX, expecting(diff=right + "@@ -90 +90 @@\n-replicas: 1\n+replicas: 2\n"))
    assert one(run, place, FIX)["false_action"]


def test_calling_a_person_where_an_action_was_right_is_no_false_action_and_not_right(run: Run, place: Path) -> None:
    diff = yaml.safe_load((place / FIX / "scenario.yaml").read_text())["expected"]["diff"]
    edited(place / CALL, expecting(action="rollback_image", diff=diff))
    found = one(run, place, CALL)
    assert not found["false_action"]
    assert not found["action_right"]
    total = as_json(run("eval", place, "--json"))["total"]
    assert (total["needed"], total["fixed"], total["false_actions"]) == (2, 1, 0)


def test_what_is_right_does_not_reach_the_bot(run: Run, place: Path) -> None:
    before = one(run, place, FIX)
    edited(place / FIX, expecting(services=None, change=None, cause="no_fault", action="none", diff=None))
    shutil.move(place / FIX, place / "renamed")
    after = one(run, place, "renamed")
    assert {key: after[key] for key in ("diagnosis", "action", "reason", "diff")} == {
        key: before[key] for key in ("diagnosis", "action", "reason", "diff")
    }
    assert after["false_action"]


def test_the_false_action_rate_stands_beside_every_success_rate(run: Run, made: Path) -> None:
    lines = run("eval", made).out.splitlines()
    head = next(line for line in lines if "action right" in line)
    assert [cell.strip() for cell in head.split("|")][3:5] == ["false actions", "action right"]
    for group in ("all", "cause: new_deploy", "tier: standard", "layout: helm", "misleading: any", "misleading: no"):
        assert any(line.startswith(f"| {group} ") for line in lines)


def test_a_folder_may_be_one_scenario(run: Run, made: Path) -> None:
    said = run("eval", made / CALL, "--json")
    assert [each["id"] for each in as_json(said)["scenarios"]] == [CALL]


def test_a_folder_without_scenarios_says_what_to_name(run: Run, tmp_path: Path) -> None:
    said = run("eval", tmp_path)
    assert said.code == 1
    assert "no folder with a scenario.yaml" in said.err


def test_an_unknown_id_is_refused(run: Run, made: Path) -> None:
    said = run("eval", made, "--id", "nobody")
    assert said.code == 1
    assert "no scenario nobody" in said.err


Spoil = Callable[[Path], object]


def written(file: str, text: str) -> Spoil:
    return lambda scenario: (scenario / file).write_text(text)


def told(edit: Callable[[dict[str, Any]], None]) -> Spoil:
    return lambda scenario: edited(scenario, edit)


BOMB = "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(9))
SPOILT: dict[str, tuple[Spoil, str, str]] = {
    "no YAML": (written("scenario.yaml", "a: [\n"), "scenario.yaml", "write plain YAML"),
    "a control character": (written("scenario.yaml", "a: \x07\n"), "scenario.yaml", "write plain YAML"),
    "a list": (written("scenario.yaml", "- 1\n"), "scenario.yaml", "docs/evaluation.md"),
    "empty": (written("scenario.yaml", ""), "scenario.yaml", "docs/evaluation.md"),
    "a bomb": (written("scenario.yaml", BOMB), "scenario.yaml:1", "anchors, aliases, tags"),
    "a tag": (written("scenario.yaml", "a: !!python/object/apply:os.abort []\n"), "scenario.yaml:1", "plain YAML"),
    "deep": (written("scenario.yaml", "[" * 5000), "scenario.yaml:1", "deep nesting"),
    "long": (written("scenario.yaml", "a: " + "x" * 1_000_001), "scenario.yaml", "make it shorter"),
    "a key twice": (written("scenario.yaml", "tier: a\ntier: b\n"), "scenario.yaml:2", "given twice"),
    "no UTF-8": (
        lambda scenario: (scenario / "scenario.yaml").write_bytes(b"\xff\xfe"),
        "scenario.yaml",
        "save it as UTF-8",
    ),
    "an unknown key": (told(lambda data: data.update(expcted={})), "scenario.yaml", "expcted"),
    "no date": (told(lambda data: data.update(asked_at="soon")), "scenario.yaml", "asked_at"),
    "no time zone": (told(lambda data: data.update(asked_at="2026-03-04T08:00:00")), "scenario.yaml", "asked_at"),
    "an unknown cause": (told(expecting(cause="gremlins")), "scenario.yaml", "expected.cause"),
    "an unknown action": (told(expecting(action="reboot")), "scenario.yaml", "give none, escalate or one of"),
    "an action without its diff": (told(expecting(diff=None)), "scenario.yaml", "diff belongs to an action"),
    "nobody to blame": (told(expecting(services=[])), "scenario.yaml", "services are to blame"),
    "a short commit": (told(expecting(change="abc")), "scenario.yaml", "expected.change"),
    "no bundle": (lambda scenario: (scenario / "infra.bundle").unlink(), "infra.bundle", "a scenario has"),
    "a broken bundle": (written("infra.bundle", "# v2 git bundle\nx\n"), "infra.bundle", "git bundle create"),
    "no cluster": (written("cluster.json", "{}"), "cluster.json", "`applications` and `workloads`"),
    "a cluster of numbers": (written("cluster.json", '{"applications": [1], "workloads": []}'), "cluster.json", "name"),
    "no case": (written("telemetry/cases.jsonl", ""), "cases.jsonl", "exactly one"),
    "a broken case": (written("telemetry/cases.jsonl", "{}\n"), "cases.jsonl:1", "id"),
    "no metrics": (
        lambda scenario: (scenario / "telemetry" / "metrics" / "scenario.csv.gz").unlink(),
        "scenario.csv.gz",
        "CSV",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_broken_scenario_is_one_clear_error_and_the_others_are_played(run: Run, place: Path, name: str) -> None:
    spoil, file, remedy = SPOILT[name]
    spoil(place / FIX)
    shutil.rmtree(place / CALL)
    said = run("eval", place, "--json")
    assert said.code == 1
    (line,) = said.err.splitlines()
    assert line.startswith("gitops-sre: ")
    assert file in line
    assert FIX in line
    assert remedy in line
    assert [each["id"] for each in as_json(said)["scenarios"]] == [PASSED]


def test_when_no_scenario_can_be_read_nothing_is_printed(run: Run, place: Path) -> None:
    (place / FIX / "cluster.json").write_text("[]")
    said = run("eval", place / FIX)
    assert said.code == 1
    assert said.out == ""


TEXT = st.lists(st.sampled_from(["a\n", "b\n", "-- c\n", "++ d\n", "\n", "e\r\n", "\\ f\n"]), max_size=8)


@given(TEXT, TEXT, st.integers(0, 3))
def test_a_diff_is_read_as_what_it_takes_and_puts_whatever_its_context(
    one: list[str], other: list[str], context: int
) -> None:
    text = "".join(difflib.unified_diff(one, other, "a/f.yaml", "b/f.yaml", n=context))
    found = changed(text)
    assert found == changed("".join(difflib.unified_diff(one, other, "a/f.yaml", "b/f.yaml", n=context + 2)))
    assert {file for file, _ in found} <= {"f.yaml"}
    gone, come = (Counter({line[1:]: n for (_, line), n in found.items() if line[0] == sign}) for sign in "-+")
    before, after = (Counter(line.removesuffix("\n") for line in lines) for lines in (one, other))
    before.subtract(gone)
    before.update(come)
    assert +before == +after
    assert min(before.values(), default=0) >= 0


def test_the_same_lines_in_another_file_are_another_diff() -> None:
    text = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-tag: 2\n+tag: 1\n"
    assert changed(text.format("x.yaml")) != changed(text.format("y.yaml"))


def test_calibration_error_is_the_mean_gap_between_what_was_said_and_what_was_so() -> None:
    assert calibration_error([(0.75, True)] * 3 + [(0.75, False)]) == pytest.approx(0.0)
    assert calibration_error([(1.0, False)] * 2 + [(0.0, False)] * 2) == pytest.approx(0.5)


def test_no_false_action_in_few_scenarios_does_not_promise_none() -> None:
    def of(count: int, false_actions: int) -> Total:
        return Total("x", count, 0, 0, 0, 0, 0, 0, 0, 0, 0, false_actions, 0, 0, 0)

    # Wilson's interval by hand: z^2 / (n + z^2) where nothing was seen.
    assert of(49, 0).at_most == pytest.approx(1.96**2 / (49 + 1.96**2))
    assert of(490, 0).at_most < of(49, 0).at_most < of(49, 1).at_most
