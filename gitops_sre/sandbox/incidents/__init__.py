"""Generated incidents with known causes, for calibrating and testing diagnosis. See docs/incidents.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gitops_sre.sandbox.incidents import publish
from gitops_sre.sandbox.incidents.incident import Incident
from gitops_sre.sandbox.incidents.observe import Monitor
from gitops_sre.sandbox.incidents.rollouts import rollouts
from gitops_sre.sandbox.incidents.single import CAUSES, quiet, single

KINDS: dict[str, Callable[[np.random.Generator], Incident]] = {
    "rollouts": rollouts,
    "quiet": quiet,
    **{kind: single(kind) for kind in CAUSES},
}
"""Makers of incidents by their kind."""


def build(kind: str, number: int, seed: int) -> tuple[Incident, np.random.Generator]:
    """The incident of one case and the generator to measure it with. Raises KeyError on an unknown kind."""
    rng = np.random.default_rng([seed, number, list(KINDS).index(kind)])
    return KINDS[kind](rng), rng


def generate(out: Path, kind: str, count: int, seed: int) -> None:
    """Writes `count` cases of a kind under `out`; the same arguments write the same bytes. Raises KeyError on an
    unknown kind."""
    cases, labels = [], []
    for number in range(count):
        incident, rng = build(kind, number, seed)
        ident = f"{kind}-{rng.integers(16**8):08x}"
        monitor = Monitor(incident.world, incident.effects, incident.flow, incident.habits, rng)
        publish.write_metrics(out / "metrics" / f"{ident}.csv.gz", monitor.lines())
        cases.append(publish.case_of(incident, ident))
        labels.append(publish.label_of(incident, ident))
    publish.write_lines(out / "cases.jsonl", cases)
    publish.write_lines(out / "labels.jsonl", labels)
