from __future__ import annotations

import csv
import gzip
import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_sre.sandbox.infra import tree
from gitops_sre.sandbox.scenarios import generate
from gitops_sre.sandbox.scenarios.fleet import OUTSIDE
from gitops_sre.sandbox.scenarios.happening import CHANGED
from gitops_sre.sandbox.scenarios.plots import ALL, MISLEADING, TIERS, Plot, action
from gitops_sre.sandbox.scenarios.repository import SETTINGS
from gitops_sre.sandbox.shop import BY_NAME, SERVICES

SEED = 5
PLOTS = (
    Plot("new_deploy", "staging", "catalog", "two changes", "web"),
    Plot("new_deploy", "production", "checkout", "one commit, two services", "orders"),
    Plot("config_change", "production", "mobile-api"),
    Plot("flag_flip", "staging", "payments"),
    Plot("config_change", "staging", "shipping"),
    Plot("network", "production", "payments", "healed itself"),
    Plot("new_deploy", "staging", "inventory", "service not measured"),
    Plot("config_change", "production", "search", moves="memory limit", raw="memory"),
    Plot("new_deploy", "production", "cart", moves="image and setting"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenarios") / "out"
    generate(out, SEED, PLOTS)
    return out


@pytest.fixture(params=range(1, len(PLOTS) + 1))
def scenario(made: Path, request: pytest.FixtureRequest) -> Path:
    return made / f"scenario-{request.param:02d}"


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "scenario.yaml").read_text())
    return found


def case(folder: Path) -> dict[str, Any]:
    (line,) = (folder / "telemetry" / "cases.jsonl").read_text().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def asked(folder: Path) -> float:
    return datetime.fromisoformat(told(folder)["asked_at"]).timestamp()


def rows(folder: Path) -> Iterator[tuple[float, str, dict[str, str]]]:
    with gzip.open(folder / "telemetry" / case(folder)["metrics"], "rt") as text:
        for row in csv.DictReader(text):
            labels = dict(part.split("=") for part in row["labels"].split(";") if part)
            yield float(row["ts"]), row["name"], labels


def stamps(folder: Path) -> list[float]:
    """When spans began and lines were written."""
    found = []
    for kind, column in (("traces", "start_ns"), ("logs", "ts_ns")):
        for name in case(folder)[kind]:
            with gzip.open(folder / "telemetry" / name, "rt") as text:
                found += [int(row[column]) / 1e9 for row in csv.DictReader(text)]
    return found


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def cloned(folder: Path, into: Path) -> Path:
    git(folder, "clone", "--quiet", "--branch", tree.BRANCH, str(folder / "infra.bundle"), str(into))
    return into


def test_there_are_scenarios_of_every_cause_in_both_tiers_and_of_every_layout() -> None:
    assert len(ALL) >= 40
    causes = {plot.cause for plot in ALL}
    assert len(causes) == 11
    assert {(plot.cause, plot.environment) for plot in ALL} == {(cause, tier) for cause in causes for tier in TIERS}
    for cause in ("new_deploy", "config_change"):
        layouts = {BY_NAME[plot.service].layout for plot in ALL if plot.cause == cause}
        assert layouts == {"kustomize", "helm", "raw"}


def test_a_third_misleads() -> None:
    assert len(MISLEADING) >= len(ALL) / 3
    assert all(plot.twist for plot in MISLEADING)


def test_the_same_seed_writes_the_same_files_and_another_seed_others(made: Path, tmp_path: Path) -> None:
    for name, seed in (("same", SEED), ("other", SEED + 1)):
        generate(tmp_path / name, seed, PLOTS[:1])
    files = {path.relative_to(tmp_path / "same") for path in (tmp_path / "same").rglob("*") if path.is_file()}
    assert {"scenario.yaml", "cluster.json", "infra.bundle", "cases.jsonl"} <= {file.name for file in files}
    for file in files:
        content = (made / file).read_bytes()
        assert (tmp_path / "same" / file).read_bytes() == content
        other = tmp_path / "other" / file
        assert not other.exists() or other.read_bytes() != content


def test_rounds_go_on_with_the_next_seed(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, SEED - 1, PLOTS[:1], rounds=2)
    names = ("scenario-01/scenario.yaml", "scenario-02/scenario.yaml")
    first, second = ((tmp_path / name).read_text() for name in names)
    assert second == (made / names[0]).read_text()
    assert first != second


def test_a_folder_that_is_there_is_left_alone(made: Path) -> None:
    with pytest.raises(FileExistsError):
        generate(made, SEED, PLOTS[:1])


def test_nothing_is_dated_after_the_question(scenario: Path, tmp_path: Path) -> None:
    end = asked(scenario)
    assert max(ts for ts, _, _ in rows(scenario)) <= end
    assert case(scenario)["alert_ts"] <= end
    assert all(step["ts"] <= end for step in case(scenario).get("changes", ()))
    assert all(at <= end for at in stamps(scenario))
    times = git(cloned(scenario, tmp_path / "infra"), "log", "--format=%ct").split()
    assert max(map(int, times)) <= end


def test_telemetry_and_cluster_speak_of_the_services_of_the_repository(scenario: Path) -> None:
    names = {item.name for item in SERVICES}
    outside = {name for name, *_ in OUTSIDE}
    measured = {labels["service"] for _, _, labels in rows(scenario) if "service" in labels}
    assert measured <= names | outside
    assert len(measured) > len(names) / 2
    cluster = json.loads((scenario / "cluster.json").read_text())
    assert {each["metadata"]["name"] for each in cluster["workloads"]} == names
    environment = told(scenario)["environment"]
    assert {each["metadata"]["name"] for each in cluster["applications"]} == {f"{environment}-{name}" for name in names}


def test_what_is_right_stands_in_the_plot(made: Path) -> None:
    for number, plot in enumerate(PLOTS, 1):
        expected = told(made / f"scenario-{number:02d}")["expected"]
        assert expected["action"] == action(plot)
        if action(plot) == "none":
            assert expected["cause"] == "no_fault"
        else:
            assert expected["cause"] == plot.cause
            assert plot.service in expected["services"]
            assert bool(expected.get("change")) == (plot.cause in CHANGED)


def test_names_and_telemetry_do_not_tell_the_cause(scenario: Path) -> None:
    text = json.dumps({key: value for key, value in case(scenario).items() if key not in ("changes", "edges")})
    names = " ".join(str(path.relative_to(scenario.parent)) for path in scenario.rglob("*"))
    words = {word for plot in ALL for word in (plot.cause, plot.cause.replace("_", " "), plot.twist) if word}
    assert not [word for word in words if word in text + names]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 8, 9])
def test_the_right_diff_applies_and_leaves_the_guilty_file_as_it_was_before(
    made: Path, tmp_path: Path, number: int
) -> None:
    folder = made / f"scenario-{number:02d}"
    expected, plot = told(folder)["expected"], PLOTS[number - 1]
    infra = cloned(folder, tmp_path / "infra")
    path = tree.image_path(plot.environment, plot.service)
    before = git(infra, "show", f"{expected['change']}^:{path}")
    (tmp_path / "fix.diff").write_bytes(expected["diff"].encode())
    git(infra, "apply", "--unidiff-zero", str(tmp_path / "fix.diff"))
    assert (infra / path).read_text() == before
    assert git(infra, "diff", "--name-only").split() == [path]


def test_one_commit_may_move_two_services(made: Path, tmp_path: Path) -> None:
    infra = cloned(made / "scenario-02", tmp_path / "infra")
    culprit = told(made / "scenario-02")["expected"]["change"]
    files = git(infra, "show", "--name-only", "--format=", culprit).split()
    assert files == [tree.image_path("production", name) for name in ("checkout", "orders")]


@pytest.mark.parametrize("number", [3, 4, 5])
def test_a_guilty_setting_moves_in_a_file_that_is_still_yaml(made: Path, tmp_path: Path, number: int) -> None:
    folder, plot = made / f"scenario-{number:02d}", PLOTS[number - 1]
    infra, culprit = cloned(folder, tmp_path / "infra"), told(folder)["expected"]["change"]
    path = tree.image_path(plot.environment, plot.service)
    name = SETTINGS[CHANGED[plot.cause]]
    before, after = (git(infra, "show", f"{commit}:{path}") for commit in (f"{culprit}^", culprit))
    assert before != after
    for text in (before, after):
        assert name in json.dumps(list(yaml.safe_load_all(text)))


def test_one_commit_may_move_an_image_and_a_setting_of_one_service(made: Path, tmp_path: Path) -> None:
    infra, culprit = cloned(made / "scenario-09", tmp_path / "infra"), told(made / "scenario-09")["expected"]["change"]
    changed = git(infra, "show", "--format=", "--unified=0", culprit)
    assert [name in changed for name in ("newTag", SETTINGS["config"])] == [True, True]
    assert git(infra, "show", "--name-only", "--format=", culprit).split() == [tree.image_path("production", "cart")]


def test_a_flag_that_is_read_without_new_pods_is_mounted(made: Path, tmp_path: Path) -> None:
    infra = cloned(made / "scenario-04", tmp_path / "infra")
    objects = list(yaml.safe_load_all((infra / tree.image_path("staging", "payments")).read_text()))
    (flags,) = (each for each in objects if SETTINGS["flag"] in each.get("data", {}))
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert [volume["configMap"]["name"] for volume in pod["volumes"]] == [flags["metadata"]["name"]]
    assert pod["volumes"][0]["name"] == pod["containers"][0]["volumeMounts"][0]["name"]
    assert SETTINGS["flag"] not in str(pod["containers"])


def test_pods_of_a_bad_deploy_bear_the_tags_that_its_commit_moves(made: Path) -> None:
    folder = made / "scenario-01"
    removed, added = (
        next(line for line in told(folder)["expected"]["diff"].splitlines() if line.startswith(f"{sign} "))
        for sign in "-+"
    )
    versions = {labels["version"] for _, _, labels in rows(folder) if labels.get("service") == "catalog"}
    (old, new) = sorted(versions, key=lambda version: version not in added)
    assert len(versions) == 2
    assert new in removed
    steps = [step for step in case(folder)["changes"] if step["service"] == "catalog"]
    assert {(step["from_version"], step["to_version"]) for step in steps} == {(old, new)}


def test_requests_can_be_followed_in_some_scenarios_and_not_in_others(made: Path) -> None:
    followed = [bool(stamps(folder)) for folder in sorted(made.iterdir())]
    assert any(followed)
    assert not all(followed)


def test_a_service_may_not_be_measured(made: Path) -> None:
    services = {labels.get("service") for _, _, labels in rows(made / "scenario-07")}
    assert "inventory" not in services
    assert "orders" in services
