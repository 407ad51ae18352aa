"""Each kind of incident shows what would tell it apart in a real system, and its label says what an expert could."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from gitops_sre.sandbox.incidents import build
from gitops_sre.sandbox.incidents.incident import Incident
from gitops_sre.sandbox.incidents.observe import Line, Monitor
from gitops_sre.sandbox.incidents.publish import case_of, label_of
from gitops_sre.sandbox.incidents.rollouts import MINUTE
from gitops_sre.sandbox.incidents.simulate import simulate

CASES = 6


def incidents(kind: str, count: int = CASES) -> Iterator[Incident]:
    return (build(kind, number, seed=31)[0] for number in range(count))


def lines(incident: Incident) -> list[Line]:
    rng = np.random.default_rng(1)
    return Monitor(incident.world, incident.effects, incident.flow, incident.habits, rng).lines()


def test_external_faults_strike_what_has_no_telemetry_of_its_own() -> None:
    for incident in incidents("external"):
        assert incident.fault is not None
        name = incident.world.name(incident.fault.service)
        assert incident.world.graph.services[incident.fault.service].role == "external"
        assert label_of(incident, "x")["cause"] == "dependency_failure"
        assert not any(f"service={name}" in line.labels.split(";") for line in lines(incident))


def test_what_no_series_names_may_be_answered_with_its_callers() -> None:
    seen = set()
    for incident in incidents("external"):
        label, edges = label_of(incident, "x"), case_of(incident, "x").get("edges")
        named = edges is not None
        assert bool(label["also"]) != named
        seen.add(named)
    assert seen == {True, False}


def test_defects_and_settings_are_the_same_in_every_pod() -> None:
    for kind in ("code", "config"):
        for incident in incidents(kind):
            assert incident.fault is not None
            assert set(incident.fault.pods) == set(incident.world.pods_of(incident.fault.service))


def test_code_defects_return_early_too_and_starve_what_they_called() -> None:
    early = [each for each in incidents("code", 10) if each.fault and each.fault.raw_type == "early_return"]
    assert early
    for incident in early:
        assert incident.fault is not None
        calls = incident.world.graph.calls_of(incident.fault.service)
        after = incident.world.times >= incident.fault.onset + 60
        calm = simulate(incident.world, incident.calm)
        ratio = incident.flow.call_rate[calls][:, after] / np.maximum(calm.call_rate[calls][:, after], 1e-9)
        assert ratio.mean() < 0.75


def test_a_sick_node_holds_every_pod_of_the_fault_and_any_of_its_services_is_right() -> None:
    for incident in incidents("infrastructure"):
        assert incident.fault is not None
        pods = [incident.world.pods[pod] for pod in incident.fault.pods]
        assert len({pod.node for pod in pods}) == 1
        label = label_of(incident, "x")
        also = label["also"]
        assert isinstance(also, list)
        assert {incident.world.name(pod.service) for pod in pods} == {label["root_service"], *also}
        assert str(label["root_pod"]).startswith(str(label["root_service"]))
        assert all(incident.world.graph.services[pod.service].role != "external" for pod in pods)


def test_pods_of_one_node_report_the_same_gauges_of_it() -> None:
    incident = next(each for each in incidents("infrastructure", 12) if each.habits.nodes and not each.habits.gaps)
    place = {pod.name: pod.node for pod in incident.world.pods}
    by_node: dict[int, list[dict[float, float]]] = defaultdict(list)
    for line in lines(incident):
        if line.name == "node_cpu_usage_percent":
            labels = dict(part.split("=") for part in line.labels.split(";"))
            by_node[place[labels["pod"]]].append(dict(zip(line.times.tolist(), line.values.tolist(), strict=True)))
    assert any(len(rows) > 1 for rows in by_node.values())
    for rows in by_node.values():
        assert all(row[at] == rows[0][at] for row in rows for at in row.keys() & rows[0].keys())


@pytest.mark.parametrize("number", range(CASES))
def test_calls_that_an_expired_certificate_refuses_never_reach_the_callee(number: int) -> None:
    incident, _ = build("certificate", number, seed=31)
    assert incident.fault is not None
    world, fault = incident.world, incident.fault
    struck = [fault.call] if fault.call >= 0 else world.graph.callers_of(fault.service)
    after = world.times >= fault.onset + world.step
    sent = incident.flow.call_rate[struck][:, after].sum(axis=0)
    others = [number for number in world.graph.callers_of(fault.service) if number not in struck]
    arrived = incident.flow.demand[fault.service][after] - incident.flow.call_rate[others][:, after].sum(axis=0)
    side_door = world.traffic[fault.service][after]
    assert ((arrived - side_door) <= 0.11 * sent + 1e-9).all()


def test_a_watched_certificate_runs_out_when_the_trouble_begins_and_others_hold() -> None:
    for incident in incidents("certificate", 14):
        if not incident.habits.expiry or incident.fault is None or incident.fault.call >= 0:
            continue
        left = {line.labels: line for line in lines(incident) if line.name == "certificate_expiry_seconds"}
        root = left.pop(f"service={incident.world.name(incident.fault.service)}")
        assert root.values[root.times < incident.fault.onset - incident.world.step].min() > 0
        assert root.values[-1] == 0
        assert all(line.values.min() > 3600 for line in left.values())
        return
    pytest.fail("no system watches its certificates")


def test_many_rollouts_keep_the_old_version_beside_the_new_for_minutes() -> None:
    both = []
    for incident in incidents("rollouts", 25):
        if incident.culprit is not None:
            asked = incident.alert_ts + 2 * MINUTE
            steps = [step for step in incident.steps if step.service == incident.culprit.service and step.ts <= asked]
            both.append(steps[-1].old > 0)
    assert 0.3 <= np.mean(both) <= 0.7


def test_no_system_drowns_in_its_usual_traffic() -> None:
    for incident in incidents("rollouts", 8):
        calm = simulate(incident.world, incident.calm)
        assert np.median(calm.failed[incident.world.pods_of(0)].mean(axis=0)) < 0.1
