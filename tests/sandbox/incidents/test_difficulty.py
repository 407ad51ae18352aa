"""Simple scorers must fail on generated rollouts about as they do on real ones; who knows the truth must not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from gitops_sre.sandbox.incidents import build
from gitops_sre.sandbox.incidents.incident import Incident
from gitops_sre.sandbox.incidents.observe import Line, Monitor

CASES = 40
Scored = dict[str, float]


@pytest.fixture(scope="module")
def measured() -> list[tuple[Incident, list[Line]]]:
    found = []
    for number in range(CASES):
        incident, rng = build("rollouts", number, seed=11)
        lines = Monitor(incident.world, incident.effects, incident.flow, incident.habits, rng).lines()
        found.append((incident, lines))
    return found


def n_sigma(incident: Incident, lines: list[Line]) -> Scored:
    """The largest deviation of any series of a service, in standard deviations of what came ten minutes before."""
    found: Scored = defaultdict(float)
    for line in lines:
        labels = dict(part.split("=") for part in line.labels.split(";") if part)
        service = labels.get("service") or labels.get("destination")
        before = line.values[line.times < incident.alert_ts - 600]
        after = line.values[line.times >= incident.alert_ts - 300]
        if service and len(before) >= 4 and len(after):
            spread = max(before.std(), 1e-3 * abs(before.mean()) + 1e-9)
            found[service] = max(found[service], float(np.abs(after - before.mean()).max() / spread))
    return found


def most_recent(incident: Incident, lines: list[Line]) -> Scored:
    return {incident.world.name(step.service): step.ts for step in incident.steps if step.ts <= incident.alert_ts}


def oracle(incident: Incident, lines: list[Line]) -> Scored:
    """Knows every pod's own slowness, failures and use of resources without noise, with the fault and without it."""
    found: Scored = {}
    for service in range(len(incident.world.graph.services)):
        pods = incident.world.pods_of(service)
        pairs = ((getattr(incident.effects, n)[pods], getattr(incident.calm, n)[pods]) for n in OWN)
        found[incident.world.name(service)] = max(float(np.abs(one - two).max()) for one, two in pairs)
    return found


OWN = ("slow", "extra", "error", "cpu", "memory", "ready")


def first_places(
    measured: list[tuple[Incident, list[Line]]], scorer: Callable[[Incident, list[Line]], Scored]
) -> float:
    """Share of cases whose root service gets the highest score; where no rollout is to blame, another service is."""
    right = []
    for incident, lines in measured:
        if incident.fault is not None:
            scores = scorer(incident, lines)
            root = incident.world.name(incident.fault.service)
            right.append(bool(scores) and max(scores, key=scores.__getitem__) == root)
    return float(np.mean(right))


def test_the_loudest_service_is_mostly_not_the_cause(measured: list[tuple[Incident, list[Line]]]) -> None:
    assert first_places(measured, n_sigma) < 0.6


def test_the_most_recent_rollout_is_right_in_about_every_second_case(
    measured: list[tuple[Incident, list[Line]]],
) -> None:
    assert 0.3 <= first_places(measured, most_recent) <= 0.65


def test_who_sees_the_truth_is_always_right(measured: list[tuple[Incident, list[Line]]]) -> None:
    assert first_places(measured, oracle) == 1.0


def test_some_rollouts_are_innocent_and_most_are_not(measured: list[tuple[Incident, list[Line]]]) -> None:
    guilty = sum(incident.culprit is not None for incident, _ in measured)
    assert 0.65 * CASES <= guilty < CASES


def test_alerts_come_half_a_minute_to_five_minutes_after_the_onset(
    measured: list[tuple[Incident, list[Line]]],
) -> None:
    delays = [i.alert_ts - i.fault.onset for i, _ in measured if i.fault is not None and i.culprit is None]
    assert all(29 <= delay <= 301 for delay in delays)
    assert len({round(delay) for delay in delays}) > 1
