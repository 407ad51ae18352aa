from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_sre.adapters.cases import Case, CaseError, moment, read_cases
from gitops_sre.cli.diagnose import as_line, one
from gitops_sre.cli.recorded import gathered
from gitops_sre.model.evidence import Answer, Query
from gitops_sre.model.outcome import Unavailable
from gitops_sre.perception import presets
from gitops_sre.reasoning.catalogue import load_catalogue
from tests.cases import ALERT, END, ONSET, SERVICES, START, STEP, Row, case, metrics, recorded, rows, write

QUERIES, CATALOGUE = presets.load(), load_catalogue()
LATENCY = "request_duration_seconds"


def opened(file: Path, horizon: float | None = None) -> Case:
    return Case(read_cases(file)[0], file.parent, horizon)


def ask(given: Case, expr: str) -> Answer:
    (found,) = given.ask([Query("x", expr, moment(0), datetime(2100, 1, 1, tzinfo=UTC), 60)])
    assert isinstance(found, Answer)
    return found


def ranking(file: Path, horizon: float | None = None) -> object:
    return as_line(one(opened(file, horizon), QUERIES, CATALOGUE))["ranking"]


def test_a_metric_is_asked_by_its_name(tmp_path: Path) -> None:
    given = opened(recorded(tmp_path))
    assert {series.label("service") for series in ask(given, LATENCY).series} == set(SERVICES)
    assert ask(given, f"{LATENCY}{{}}").series
    assert ask(given, "no_such_metric").series == ()


def test_what_is_no_plain_name_is_refused(tmp_path: Path) -> None:
    (found,) = opened(recorded(tmp_path)).ask([Query("x", "sum(rate(a[5m]))", moment(0), moment(1), 60)])
    assert isinstance(found, Unavailable)
    assert "plain name" in found.reason


def test_the_culprit_is_found_and_the_victims_are_not_blamed(tmp_path: Path) -> None:
    for culprit in SERVICES:
        line = as_line(one(opened(recorded(tmp_path / culprit, culprit)), QUERIES, CATALOGUE))
        assert line["ranking"][0]["service"] == culprit  # type: ignore[index] # a list of entries


def test_the_onset_is_estimated_and_no_matter_of_the_alert(tmp_path: Path) -> None:
    found = gathered(opened(recorded(tmp_path)), QUERIES)
    assert abs(found.scope.onset.timestamp() - ONSET) <= STEP
    for jitter in (-60, -7, 45, 60):
        metrics(tmp_path / f"{jitter}/metrics/a.csv.gz", rows())
        other = write(tmp_path / f"{jitter}", case(alert_ts=ALERT + jitter))
        assert ranking(other) == ranking(tmp_path / "cases.jsonl")


def test_ids_and_names_of_files_are_opaque(tmp_path: Path) -> None:
    metrics(tmp_path / "metrics/other.csv.gz", rows())
    first = recorded(tmp_path)
    before = ranking(first)
    assert ranking(write(tmp_path, case("db-exploded", "metrics/other.csv.gz"))) == before


def test_labels_are_never_opened(tmp_path: Path) -> None:
    file = recorded(tmp_path)
    before = ranking(file)
    (tmp_path / "labels.jsonl").mkdir()  # reading it would raise
    assert ranking(file) == before


def test_nothing_after_the_moment_of_asking_gets_in(tmp_path: Path) -> None:
    horizon = 60.0
    metrics(tmp_path / "metrics/a.csv.gz", rows())
    steps = [rollout_step("cart", ALERT - 300), rollout_step("db", ALERT + 61)]
    before = ranking(write(tmp_path, case(changes=steps)), horizon)
    wild: list[Row] = [(at, LATENCY, "service=web;stat=Average", 1e6) for at in range(ALERT + 61, ALERT + 300)]
    metrics(tmp_path / "metrics/b.csv.gz", [*(row for row in rows() if row[0] <= ALERT + horizon), *wild])
    assert ranking(write(tmp_path, case(file="metrics/b.csv.gz", changes=steps[:1])), horizon) == before


def rollout_step(service: str, at: int) -> dict[str, object]:
    return {
        "kind": "rollout_step",
        "service": service,
        "ts": at,
        "done_ts": at + 600,
        "from_version": "v1",
        "to_version": "v2",
        "v1": 1,
        "v2": 1,
        "target_replica": 2,
        "deleted_pods": ["a"],
        "new_pods": ["b"],
    }


def test_a_rollout_is_told_as_far_as_it_had_gone(tmp_path: Path) -> None:
    steps = [rollout_step("cart", ALERT - 100), rollout_step("cart", ALERT + 30), rollout_step("cart", ALERT + 90)]
    given = opened(recorded(tmp_path, changes=steps), 60.0)
    (rollout,) = given.rollouts
    assert [step.at.timestamp() for step in rollout.steps] == [ALERT - 100, ALERT + 30]
    assert rollout.steps[-1].done.timestamp() == ALERT + 60


def test_a_baseline_is_moved_before_the_start(tmp_path: Path) -> None:
    later = [(at + 10_000_000, name, labels, value) for at, name, labels, value in rows("")]
    metrics(tmp_path / "metrics/quiet.csv.gz", later)
    given = opened(recorded(tmp_path, baseline="metrics/quiet.csv.gz"))
    times = ask(given, LATENCY).series[0].times
    assert times[0] == given.history
    assert START - 300 in times
    assert max(times) <= END
    assert list(times) == sorted(times)


def test_a_horizon_never_reaches_past_the_end(tmp_path: Path) -> None:
    assert opened(recorded(tmp_path), 1e9).asked == END


def spans(path: Path, starts: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["trace_id", "span_id", "parent_id", "service", "pod", "operation", "start_ns", "duration_us"])
        writer.writerows(["t", f"s{at}", "root", "web", "web-1", "GET /", at * 10**9, 2_000_000] for at in starts)


def test_spans_count_once_they_have_ended(tmp_path: Path) -> None:
    spans(tmp_path / "traces/a.csv.gz", [ALERT, END - 1, END + 5])
    spans(tmp_path / "traces_normal/n.csv.gz", [5])
    given = opened(recorded(tmp_path, traces=["traces/a.csv.gz"]))
    found = given.spans(moment(START), moment(END + 100))
    assert not isinstance(found, Unavailable)
    assert [(span.start, span.parent, span.duration) for span in found] == [(ALERT, "", 2.0)]
    assert [span.start for span in given.normal_spans] == [5]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "cases.jsonl:1"),
        ('{"id": "x"}', "metrics: Field required"),
        ('{"id": "x", "metrics": "m", "start": 5, "end": 4, "alert_ts": 4}', "must lie before end"),
        (
            '{"id": "x", "metrics": "m", "start": "soon", "end": 4, "alert_ts": 4}',
            "start: Input should be a valid number",
        ),
    ],
)
def test_a_broken_line_is_named_with_its_place(line: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(line)
    with pytest.raises(CaseError, match=message):
        read_cases(file)


def test_ids_are_there_once(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="'one' is there twice"):
        read_cases(write(tmp_path, case(), case()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip at all", "not a readable CSV file"),
        (gzip.compress(b"ts,name,value\n", mtime=0), "no column labels"),
        (gzip.compress(b"ts,name,labels,value\nsoon,a,service=x,1\n", mtime=0), "ts and value are numbers"),
        (gzip.compress(b"ts,name,labels,value\n1,a,service,1\n", mtime=0), "has no value"),
        (gzip.compress(b"ts,name,labels,value\n", mtime=0), "no samples"),
        (gzip.compress(b"ts,name,labels,value\n1,a\n", mtime=0), "not a readable CSV file"),
    ],
)
def test_a_broken_file_is_one_clear_error(content: bytes, message: str, tmp_path: Path) -> None:
    file = recorded(tmp_path)
    (tmp_path / "metrics/bad.csv.gz").write_bytes(content)
    write(tmp_path, case(file="metrics/bad.csv.gz"))
    with pytest.raises(CaseError, match=message):
        one(opened(file), QUERIES, CATALOGUE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"gone\.csv\.gz"):
        one(opened(write(tmp_path, case(file="metrics/gone.csv.gz"))), QUERIES, CATALOGUE)
