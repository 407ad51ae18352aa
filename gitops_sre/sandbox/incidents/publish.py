"""Writes cases in the layout: what the program may see, and apart from it the labels."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

from gitops_sre.sandbox.incidents.incident import Incident, Step
from gitops_sre.sandbox.incidents.observe import Line

Json = dict[str, object]
KNOWN = {"delay": "network", "loss": "network", "expired": "certificate_expiry", "node": "infrastructure"}
"""The cause that is meant, where the label's word says less."""
LATER = 3 * 86400.0
"""Seconds between where a baseline was taken and where it is dated."""


def case_of(incident: Incident, ident: str) -> Json:
    world = incident.world
    start = world.times[0] if incident.begins is None else incident.begins
    found: Json = {
        "id": ident,
        "metrics": f"metrics/{ident}.csv.gz",
        "start": int(start),
        "end": math.ceil(world.times[-1]),
        "alert_ts": incident.alert_ts,
        "alert_service": world.name(incident.alert_service),
        "alert_metric": incident.alert_metric,
        "alert_stat": "Average",
        "traces": [],
        "logs": [],
    }
    if incident.begins is not None:
        found["baseline"] = f"metrics/{ident}-baseline.csv.gz"
    if incident.habits.edges or incident.habits.declared:
        found["edges"] = [[world.name(c.caller), world.name(c.callee)] for c in world.graph.calls]
    if incident.steps:
        found["changes"] = [change_of(incident, step) for step in incident.steps]
    return found


def change_of(incident: Incident, step: Step) -> Json:
    return {
        "kind": "rollout_step",
        "service": incident.world.name(step.service),
        "ts": step.ts,
        "done_ts": step.done_ts,
        "from_version": step.from_version,
        "to_version": step.to_version,
        "v1": step.old,
        "v2": step.new,
        "target_replica": step.target,
        "deleted_pods": list(step.deleted_pods),
        "new_pods": list(step.new_pods),
    }


def label_of(incident: Incident, ident: str) -> Json:
    fault, world = incident.fault, incident.world
    found: Json = {"id": ident, "cause_type": incident.cause_type, "raw_type": fault.raw_type if fault else "none"}
    found["root_service"] = world.name(fault.service) if fault else ""
    found["root_pod"] = world.pods[fault.pods[0]].name if fault and fault.pods else ""
    found["also"] = [world.name(each) for each in incident.also]
    found["cause"] = KNOWN.get(fault.raw_type if fault else "", "") if not outside(incident) else "dependency_failure"
    if incident.culprit:
        culprit = incident.culprit
        found["change"] = {"service": world.name(culprit.service), "to_version": culprit.to_version}
    return found


def outside(incident: Incident) -> bool:
    """Whether the fault struck what is not ours."""
    fault = incident.fault
    return fault is not None and incident.world.graph.services[fault.service].role == "external"


def write_metrics(path: Path, lines: list[Line]) -> None:
    """Long form, sorted by series. The compression is a light one: speed matters more than size here."""
    rows: list[str] = []
    for line in lines:
        head = f",{line.name},{line.labels},"
        rows += [
            f"{ts:.0f}{head}{value:.6g}\n" for ts, value in zip(line.times.tolist(), line.values.tolist(), strict=True)
        ]
    write_rows(path, "ts,name,labels,value", rows)


def split(lines: list[Line], begins: float) -> tuple[list[Line], list[Line]]:
    """Every series before a moment and from it on. The older part is dated three days later than it was: readers have
    to move a baseline to where it belongs."""
    older = [Line(e.name, e.labels, e.times[e.times < begins] + LATER, e.values[e.times < begins]) for e in lines]
    newer = [Line(e.name, e.labels, e.times[e.times >= begins], e.values[e.times >= begins]) for e in lines]
    return older, newer


def write_rows(path: Path, head: str, rows: list[str]) -> None:
    """A table of whole lines, packed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
        packed.write("".join([head, "\n", *rows]).encode())


def write_lines(path: Path, records: list[Json]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, sort_keys=True) + "\n" for record in records))
