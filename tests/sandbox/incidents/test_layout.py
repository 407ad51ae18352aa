from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitops_sre.adapters.cases import Case, read_cases
from gitops_sre.sandbox.incidents import KINDS, build, generate

NAMES = {
    "request_duration_seconds", "request_count", "request_rate", "request_success_percent", "availability_percent",
    "edge_client_duration_seconds", "edge_server_duration_seconds", "edge_client_success_percent",
    "container_cpu_usage_percent", "container_memory_usage_percent", "container_memory_usage_bytes",
    "node_cpu_usage_percent", "node_memory_usage_percent", "container_network_receive_bytes",
    "container_network_transmit_bytes", "container_syscall_read", "container_syscall_write",
    "ingress_duration_seconds", "ingress_success_percent", "certificate_expiry_seconds",
}  # fmt: skip
CAUSES = {
    "new_deploy", "config_change", "code_defect", "resource_exhaustion", "network_or_dependency", "traffic_spike",
    "infrastructure", "certificate_expiry", "no_fault",
}  # fmt: skip
CHANGE = {
    "kind", "service", "ts", "done_ts", "from_version", "to_version", "v1", "v2", "target_replica", "deleted_pods",
    "new_pods",
}  # fmt: skip


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cases of every kind in turn."""
    out = tmp_path_factory.mktemp("made")
    generate(out, str(request.param), 2, seed=8)
    return out


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("traced")
    generate(out, "traced", 5, seed=5)
    return out


def test_metrics_use_the_layouts_names_and_finite_numbers(made: Path) -> None:
    case, _ = records(made / "cases.jsonl")
    rows = table(made / case["metrics"])
    assert {row["name"] for row in rows} <= NAMES
    for row in rows:
        assert 0 <= float(row["value"]) < 1e12
        if row["name"].endswith("_percent") and not row["name"].startswith("container_cpu"):
            assert float(row["value"]) <= 100


def test_labels_speak_the_vocabulary_and_name_services_of_the_case(made: Path) -> None:
    cases = {case["id"]: case for case in records(made / "cases.jsonl")}
    for label in records(made / "labels.jsonl"):
        assert label["cause_type"] in CAUSES
        assert bool(label["root_service"]) == (label["cause_type"] != "no_fault")
        if label["cause_type"] == "new_deploy":
            changes = {(each["service"], each["to_version"]) for each in cases[label["id"]]["changes"]}
            assert (label["change"]["service"], label["change"]["to_version"]) in changes
            assert label["change"]["service"] == label["root_service"]
        for change in cases[label["id"]].get("changes", []):
            assert set(change) == CHANGE


def test_no_word_of_a_label_reaches_the_case(made: Path) -> None:
    text = (made / "cases.jsonl").read_text()
    assert not any(word in text for word in ("root_", "cause", "raw_type", "culprit", "fault", "onset", *CAUSES))


@pytest.mark.parametrize("kind", ["rollouts", "cloud", "traced"])
def test_the_products_reader_takes_the_cases(kind: str, tmp_path: Path) -> None:
    generate(tmp_path, kind, 1, seed=3)
    (header,) = read_cases(tmp_path / "cases.jsonl")
    case = Case(header, tmp_path)
    assert case.reach[1] <= header.end
    assert case.history <= header.start + 1  # whole seconds in files
    whole = (datetime.fromtimestamp(0, UTC), datetime.fromtimestamp(2e9, UTC))
    spans, lines = case.spans(*whole), case.lines(*whole)
    assert bool(spans) == bool(lines) == (kind == "traced")


def test_a_baseline_is_a_day_without_the_fault_dated_later(tmp_path: Path) -> None:
    generate(tmp_path, "cloud", 1, seed=3)
    (case,) = records(tmp_path / "cases.jsonl")
    baseline = [int(row["ts"]) for row in table(tmp_path / case["baseline"])]
    assert min(baseline) > case["end"]
    assert max(baseline) - min(baseline) > 23 * 3600


def test_spans_form_trees_and_children_lie_inside_their_parents_call(traced: Path) -> None:
    for case in records(traced / "cases.jsonl"):
        for name in case["traces"]:
            spans = {row["span_id"]: row for row in table(traced / name)}
            assert sum(row["parent_id"] == "root" for row in spans.values()) >= 1
            for row in spans.values():
                if row["parent_id"] != "root":
                    parent = spans[row["parent_id"]]
                    assert parent["trace_id"] == row["trace_id"]
                    assert int(row["start_ns"]) >= int(parent["start_ns"]) - 1000


def test_log_lines_belong_to_spans_of_the_same_minute(traced: Path) -> None:
    (case, *_) = records(traced / "cases.jsonl")
    for trace, log in zip(case["traces"], case["logs"], strict=True):
        traces = {row["trace_id"] for row in table(traced / trace)}
        lines = table(traced / log)
        assert lines
        assert {row["trace_id"] for row in lines} <= traces
        assert [int(row["ts_ns"]) for row in lines] == sorted(int(row["ts_ns"]) for row in lines)


def test_a_set_of_traces_has_fault_free_minutes_of_the_same_services(traced: Path) -> None:
    normal = {row["service"] for path in (traced / "traces_normal").iterdir() for row in table(path)}
    seen = {row["service"] for path in (traced / "traces").iterdir() for row in table(path)}
    assert len(list((traced / "logs_normal").iterdir())) == len(list((traced / "traces_normal").iterdir())) >= 1
    assert seen <= normal


def test_exceptions_show_in_the_faulty_services_log_and_early_returns_in_missing_calls(tmp_path: Path) -> None:
    generate(tmp_path, "traced", 12, seed=2)
    cases = {case["id"]: case for case in records(tmp_path / "cases.jsonl")}
    checked: dict[str, int] = defaultdict(int)
    for label in records(tmp_path / "labels.jsonl"):
        case, root = cases[label["id"]], label["root_service"]
        if label["raw_type"] == "errors":
            lines = [row for name in case["logs"][1:] for row in table(tmp_path / name) if row["service"] == root]
            served = [row for row in lines if "received" in row["message"]]
            failed = [row for row in lines if "failed:" in row["message"]]
            assert failed or len(served) < 10
        elif label["raw_type"] == "early_return":
            spans = [row for name in case["traces"][1:] for row in table(tmp_path / name) if row["service"] == root]
            served = [row for row in spans if row["operation"].startswith("/api")]
            calling = {row["parent_id"] for row in spans if row["operation"].startswith("HTTP")}
            assert len(served) < 10 or sum(row["span_id"] in calling for row in served) < 0.8 * len(served)
        checked[label["raw_type"]] += 1
    assert checked["errors"]
    assert checked["early_return"]


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="rollouts"):
        build("nonsense", 0, 1)


def test_traced_cases_of_a_seed_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        generate(tmp_path / name, "traced", 1, seed=9)
    one, two = (sorted(p for p in (tmp_path / name).rglob("*") if p.is_file()) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
