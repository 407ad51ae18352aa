"""What a gathering of evidence knows of calls."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from gitops_sre.adapters.cases import Case, read_cases
from gitops_sre.cli.recorded import gathered
from gitops_sre.model.findings import Findings
from gitops_sre.perception import presets
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.reasoning.diagnose import diagnose
from tests.cases import ALERT, START, recorded

HEAD = ("trace_id", "span_id", "parent_id", "service", "pod", "operation", "start_ns", "duration_us")
CALLS = (("web", "cart"), ("cart", "db"))


def traced(path: Path, at: int) -> None:
    """Ten requests through all services."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(HEAD)
        for n in range(10):
            begin = (at + n) * 10**9
            for place, (service, parent) in enumerate((("web", "root"), ("cart", f"web{n}"), ("db", f"cart{n}"))):
                took = 300_000 - 100_000 * place
                writer.writerow([f"t{n}", f"{service}{n}", parent, service, f"{service}-1", "op", begin, took])


def findings(folder: Path, **more: object) -> Findings:
    file = recorded(folder, "db", **more)
    return gathered(Case(read_cases(file)[0], folder), presets.load())


def test_spans_draw_the_map_where_nobody_declares_one(tmp_path: Path) -> None:
    traced(tmp_path / "traces/a.csv.gz", ALERT)
    found = findings(tmp_path, edges=[], traces=["traces/a.csv.gz"])
    assert found.edges == tuple(sorted(CALLS))
    assert {edge.source for edge in found.service_map.edges} == {"traces"}
    assert all(edge.latency is None for edge in found.service_map.edges), "nothing of the incident is usual"
    assert diagnose(found, load_catalogue()).ranking[0].service == "db"


def test_a_fault_free_reference_says_what_is_usual_on_the_way(tmp_path: Path) -> None:
    traced(tmp_path / "traces/a.csv.gz", ALERT)
    traced(tmp_path / "traces_normal/n.csv.gz", START - 86_400)
    found = findings(tmp_path, traces=["traces/a.csv.gz"])
    edge = found.service_map.between("cart", "db")
    assert edge is not None
    assert [each.source for each in edge.sightings] == ["traces", "declared"]
    assert edge.latency == 0.1
    assert edge.seen > ALERT
