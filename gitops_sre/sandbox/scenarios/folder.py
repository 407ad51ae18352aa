"""A scenario as a folder: `scenario.yaml`, `telemetry/`, `infra.bundle`, `cluster.json`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import yaml

from gitops_sre.sandbox.incidents import publish, requests
from gitops_sre.sandbox.incidents.observe import Line, Monitor
from gitops_sre.sandbox.incidents.prose import random_prose
from gitops_sre.sandbox.incidents.publish import Json
from gitops_sre.sandbox.scenarios import cluster, repository
from gitops_sre.sandbox.scenarios.happening import Happening
from gitops_sre.sandbox.scenarios.plots import TIERS, action
from gitops_sre.sandbox.scenarios.repository import Base, Written
from gitops_sre.sandbox.shop import BY_NAME

CASE = "scenario"
"""The id of the one case in a scenario's telemetry: it tells nothing."""
FOLLOWED = 0.5
"""Share of scenarios in which requests can be followed through traces and logs."""
SPARSE = ("service not measured", "no container metrics", "no rollout log")
MINUTE = 60
MOST = 60
"""Requests that are kept of a minute."""


def write(start: Base, happening: Happening, into: Path, rng: np.random.Generator) -> None:
    """Writes one scenario into a new folder."""
    into.mkdir(parents=True)
    told = repository.tell(start, happening, rng)
    written = repository.write(start, told, happening, into / ".making", into / "infra.bundle")
    (into / "cluster.json").write_text(json.dumps(cluster.objects(told, written, happening), indent=1) + "\n")
    (into / "scenario.yaml").write_text(_scenario(happening, written))
    _telemetry(into / "telemetry", happening, rng)


def _scenario(happening: Happening, written: Written) -> str:
    plot, clock, incident = happening.plot, happening.clock, happening.incident
    victim = incident.world.name(incident.alert_service)
    layout = BY_NAME[plot.service].layout if plot.service in BY_NAME else "none"
    alert: Json = {
        "name": "HighLatency" if incident.alert_metric == "latency" else "HighErrorRate",
        "labels": {"service": victim, "namespace": plot.environment, "severity": "page"},
        "starts_at": _stamp(clock.alert),
    }
    if clock.resolved is not None:
        alert["ends_at"] = _stamp(clock.resolved)
    what = action(plot, happening.full)
    # What has passed is no fault any more, whoever was to blame.
    expected: Json = {"services": list(happening.services), "cause": plot.cause, "action": what}
    if what == "none":
        expected |= {"services": [], "cause": "no_fault"}
    elif written.culprit:
        expected["change"] = written.culprit
    if what not in ("none", "escalate"):
        expected["diff"] = written.diff
    scenario: Json = {
        "title": f"{plot.cause.replace('_', ' ')} at {plot.service} in {plot.environment}",
        "environment": plot.environment,
        "tier": TIERS[plot.environment],
        "layout": layout,
        "misleading": plot.twist,
        "repository_url": repository.URL,
        "asked_at": _stamp(clock.asked),
        "alert": alert,
        "expected": expected,
    }
    return yaml.dump(scenario, Dumper=_Dumper, sort_keys=False, width=100)


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a block, where YAML can."""

    def represent_text(self, text: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def _telemetry(into: Path, happening: Happening, rng: np.random.Generator) -> None:
    incident, twist = happening.incident, happening.plot.twist
    lines = Monitor(incident.world, incident.effects, incident.flow, incident.habits, rng).lines()
    if twist == "service not measured":
        lines = [line for line in lines if f"service={happening.plot.service}" not in line.labels.split(";")]
    publish.write_metrics(into / "metrics" / f"{CASE}.csv.gz", _until(lines, happening.clock.asked))
    case = publish.case_of(incident, CASE)
    if rng.random() < FOLLOWED and twist not in SPARSE:
        case |= _requests(into, happening, rng)
    if twist == "no rollout log":
        case.pop("changes", None)
    publish.write_lines(into / "cases.jsonl", [case])


def _requests(into: Path, happening: Happening, rng: np.random.Generator) -> Json:
    """Single requests as traces and logs: the minutes around the onset and the question, and a fault-free one."""
    clock = happening.clock
    sampler = requests.Sampler(happening.incident, random_prose(rng, happening.incident.world.graph), rng)
    last = int(clock.asked // MINUTE - 1) * MINUTE
    begins = sorted({int(clock.onset // MINUTE) * MINUTE, last - MINUTE, last})
    for begin in begins:
        _write_minute(into, "", f"{CASE}_{begin}.csv.gz", sampler.sample(begin, MOST))
    quiet = int(clock.start // MINUTE + 5) * MINUTE
    _write_minute(into, "_normal", f"{CASE}_{quiet}.csv.gz", sampler.sample(quiet, MOST))
    return {kind: [f"{kind}/{CASE}_{begin}.csv.gz" for begin in begins] for kind in ("traces", "logs")}


def _write_minute(into: Path, suffix: str, name: str, minute: requests.Minute) -> None:
    publish.write_rows(into / f"traces{suffix}" / name, requests.SPAN_HEAD, minute.spans)
    publish.write_rows(into / f"logs{suffix}" / name, requests.LINE_HEAD, minute.ordered_lines())


def _until(lines: list[Line], end: float) -> list[Line]:
    cut = (Line(e.name, e.labels, e.times[e.times <= end], e.values[e.times <= end]) for e in lines)
    return [line for line in cut if len(line.times)]


def _stamp(epoch: float) -> str:
    return datetime.fromtimestamp(round(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
