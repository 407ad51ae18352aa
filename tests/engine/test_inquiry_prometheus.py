"""The same incidents, once from files and once from a real Prometheus, give the same diagnosis."""

from __future__ import annotations

import csv
import gzip
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from gitops_sre.adapters.cases import Case, moment, read_cases
from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.cli.recorded import gathered
from gitops_sre.engine.inquiry import Question, Sources, gather
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.findings import Findings
from gitops_sre.perception import presets
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.reasoning.diagnose import diagnose
from gitops_sre.sandbox import incidents
from gitops_sre.sandbox.telemetry.prometheus import missing_binaries, start_prometheus
from gitops_sre.settings import PrometheusSettings

pytestmark = pytest.mark.skipif(
    bool(missing_binaries()), reason=f"not on PATH: {', '.join(missing_binaries())} (Debian: prometheus)"
)
QUERIES, CATALOGUE = presets.load(), load_catalogue()
AS_SURE = 1e-6
"""By how much a posterior may differ."""


def openmetrics(case: Case) -> str:
    """The case's metrics as promtool reads them: gauges, family by family, in order of time."""
    found: dict[str, dict[str, list[tuple[float, str]]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(case.folder / case.header.metrics, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            labels = ",".join(
                '{}="{}"'.format(*part.split("=", 1)) for part in sorted(row["labels"].split(";")) if part
            )
            found[row["name"]][labels].append((float(row["ts"]), row["value"]))
    lines = []
    for name, family in sorted(found.items()):
        lines.append(f"# TYPE {name} gauge")
        for labels, samples in sorted(family.items()):
            lines += [f"{name}{{{labels}}} {value} {at:.3f}" for at, value in sorted(samples)]
    return "\n".join([*lines, "# EOF\n"])


def from_prometheus(case: Case, folder: Path) -> Findings:
    """As `gathered` asks the files, but of a real Prometheus that holds them."""
    folder.mkdir()
    (folder / "metrics.txt").write_text(openmetrics(case), encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "data"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    server = start_prometheus(folder, "groups: []\n")
    client = Prometheus(PrometheusSettings(url=server.url), {})
    try:
        start, asked = moment(case.header.start), moment(case.asked)
        question = Question(moment(case.history), start, asked, case.step, case.header.alert_service)
        sources = Sources(client, (), case, case, case.edges, case.rollouts, case.normal_spans, case.normal_lines)
        return gather(question, sources, QUERIES)
    finally:
        client.close()
        server.stop()


def ranking(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    return [(each.service, each.cause, each.change) for each in diagnosis.ranking]


@pytest.mark.parametrize("horizon", [None, 130.0])
@pytest.mark.parametrize("kind", ["rollouts", "quiet", "resources", "network", "traffic", "shop", "traced"])
def test_prometheus_and_files_tell_the_same(tmp_path: Path, kind: str, horizon: float | None) -> None:
    incidents.generate(tmp_path / "cases", kind, 1, seed=41)
    (header,) = read_cases(tmp_path / "cases" / "cases.jsonl")
    case = Case(header, tmp_path / "cases", horizon)
    files = gathered(case, QUERIES)
    served = from_prometheus(case, tmp_path / "prometheus")
    assert {gap.id for gap in served.gaps} == {gap.id for gap in files.gaps}
    assert served.scope.onset == files.scope.onset
    one, other = diagnose(files, CATALOGUE), diagnose(served, CATALOGUE)
    assert ranking(other) == ranking(one)
    for mine, theirs in zip(one.ranking, other.ranking, strict=True):
        assert theirs.posterior == pytest.approx(mine.posterior, abs=AS_SURE)
