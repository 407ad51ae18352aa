from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gitops_sre.sandbox.incidents import KINDS, build, generate


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_writes_cases_in_the_layout(kind: str, tmp_path: Path) -> None:
    generate(tmp_path, kind, 2, seed=4)
    cases, labels = lines(tmp_path / "cases.jsonl"), lines(tmp_path / "labels.jsonl")
    assert [each["id"] for each in cases] == [each["id"] for each in labels]
    for case in cases:
        assert case["start"] < case["alert_ts"] < case["end"]
        with gzip.open(tmp_path / case["metrics"], "rt") as text:
            rows = list(csv.DictReader(text))
        assert {"ts", "name", "labels", "value"} == set(rows[0])
        assert all(case["start"] <= float(row["ts"]) <= case["end"] for row in rows)
        assert not {"root_service", "cause_type", "raw_type", "root_pod"} & set(case)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        generate(tmp_path / name, "rollouts", 2, seed=9)
    one, two = (sorted((tmp_path / name).rglob("*.*")) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_another_seed_writes_other_cases(tmp_path: Path) -> None:
    generate(tmp_path / "one", "resources", 1, seed=1)
    generate(tmp_path / "two", "resources", 1, seed=2)
    assert (tmp_path / "one/cases.jsonl").read_text() != (tmp_path / "two/cases.jsonl").read_text()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"quiet", "mixed", "traced"}))
def test_somebody_suffers_from_every_fault(kind: str) -> None:
    """An alert exists because callers or users noticed: slower answers or more failures at the one that alerts."""
    for number in range(3):
        incident, _ = build(kind, number, seed=5)
        assert incident.fault is not None
        if incident.fault.raw_type == "early_return":  # quick and wrong: only users see it
            continue
        pods = incident.world.pods_of(incident.alert_service)
        after = incident.world.times >= incident.fault.onset
        assert after.any()
        before = ~after
        if incident.alert_metric == "availability":
            failed = incident.flow.failed[pods].mean(axis=0)
        else:
            failed = sum(incident.flow.served[pod].mean(axis=0) for pod in pods)
        assert failed[after].max() > failed[before].mean()


def test_labels_of_quiet_windows_say_that_nothing_is_wrong(tmp_path: Path) -> None:
    generate(tmp_path, "quiet", 3, seed=2)
    assert {each["cause_type"] for each in lines(tmp_path / "labels.jsonl")} == {"no_fault"}


def test_a_rollout_tells_which_pods_it_replaced(tmp_path: Path) -> None:
    generate(tmp_path, "rollouts", 3, seed=3)
    for case in lines(tmp_path / "cases.jsonl"):
        for change in case["changes"]:
            assert change["kind"] == "rollout_step"
            assert change["ts"] <= change["done_ts"]
            assert len(change["new_pods"]) == len(change["deleted_pods"])
            assert change["v1"] + change["v2"] == change["target_replica"]
