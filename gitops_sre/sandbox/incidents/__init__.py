"""Generated incidents with known causes, for calibrating and testing diagnosis. See docs/incidents.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gitops_sre.sandbox.incidents import publish, requests
from gitops_sre.sandbox.incidents.cloud import cloud
from gitops_sre.sandbox.incidents.incident import Incident
from gitops_sre.sandbox.incidents.observe import Monitor
from gitops_sre.sandbox.incidents.rollouts import rollouts
from gitops_sre.sandbox.incidents.shop import shop
from gitops_sre.sandbox.incidents.single import CAUSES, quiet, single
from gitops_sre.sandbox.incidents.traced import minutes, normal_minute, shared, traced

MADE: dict[str, Callable[[np.random.Generator], Incident]] = {
    "rollouts": rollouts,
    "quiet": quiet,
    **{kind: single(kind) for kind in CAUSES},
    "shop": shop,
    "cloud": cloud,
}
"""Makers of incidents that stand alone, by their kind."""
KINDS = (*MADE, "traced", "mixed")
"""All kinds. The place of a kind is part of its seed: new ones go to the end."""
NORMAL = 3
"""How many cases of a traced set leave a fault-free minute."""


def build(kind: str, number: int, seed: int) -> tuple[Incident, np.random.Generator]:
    """The incident of one case and the generator to measure it with. Raises KeyError on an unknown kind."""
    if kind not in KINDS:
        raise KeyError(f"no incidents of kind {kind!r}; there are {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, number, KINDS.index(kind)])
    if kind == "traced":
        return traced(rng, shared(seed)[0]), rng
    if kind == "mixed":
        kind = str(rng.choice(list(MADE)))
    return MADE[kind](rng), rng


def generate(out: Path, kind: str, count: int, seed: int) -> None:
    """Writes `count` cases of a kind under `out`; the same arguments write the same bytes. Raises KeyError on an
    unknown kind."""
    cases, labels = [], []
    for number in range(count):
        incident, rng = build(kind, number, seed)
        ident = f"case-{rng.integers(16**8):08x}"  # the kind would give the cause away
        _write_metrics(out, ident, incident, rng)
        case = publish.case_of(incident, ident)
        if incident.requests:
            case |= _write_requests(out, ident, incident, seed, number)
        cases.append(case)
        labels.append(publish.label_of(incident, ident))
    publish.write_lines(out / "cases.jsonl", cases)
    publish.write_lines(out / "labels.jsonl", labels)


def _write_metrics(out: Path, ident: str, incident: Incident, rng: np.random.Generator) -> None:
    lines = Monitor(incident.world, incident.effects, incident.flow, incident.habits, rng).lines()
    if incident.begins is not None:
        older, lines = publish.split(lines, incident.begins)
        publish.write_metrics(out / "metrics" / f"{ident}-baseline.csv.gz", older)
    publish.write_metrics(out / "metrics" / f"{ident}.csv.gz", lines)


def _write_requests(out: Path, ident: str, incident: Incident, seed: int, number: int) -> publish.Json:
    """Traces and logs of the minutes that matter, and of a fault-free one from the first cases of the set."""
    rng, prose = np.random.default_rng([seed, number, 78]), shared(seed)[1]
    found: dict[str, list[str]] = {"traces": [], "logs": []}
    for begin, minute in minutes(incident, prose, rng).items():
        name = f"{ident}_{begin}.csv.gz"
        found["traces"].append(_write_minute(out, "", name, minute))
        found["logs"].append(f"logs/{name}")
    if number < NORMAL:
        begin, minute = normal_minute(incident, prose, rng)
        _write_minute(out, "_normal", f"{ident}_{begin}.csv.gz", minute)
    return dict(found)


def _write_minute(out: Path, suffix: str, name: str, minute: requests.Minute) -> str:
    publish.write_rows(out / f"traces{suffix}" / name, requests.SPAN_HEAD, minute.spans)
    publish.write_rows(out / f"logs{suffix}" / name, requests.LINE_HEAD, minute.ordered_lines())
    return f"traces{suffix}/{name}"
