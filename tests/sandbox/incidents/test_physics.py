from __future__ import annotations

import numpy as np
import pytest

from gitops_sre.sandbox.incidents import faults
from gitops_sre.sandbox.incidents.distribution import Array, mean
from gitops_sre.sandbox.incidents.faults import Fault
from gitops_sre.sandbox.incidents.graph import Call, Graph, Service, random_graph
from gitops_sre.sandbox.incidents.simulate import Flow, simulate
from gitops_sre.sandbox.incidents.world import Pod, World, neutral

ONSET = 1200.0


@pytest.fixture
def world() -> World:
    """door -> middle (twice a request) -> base, one pod each, ten requests a second at the door."""
    names = ("door", "middle", "base")
    services = tuple(Service(name, "app", 0.01, 0.4, 0.2, 100, 0) for name in names)
    calls = (Call(0, 1, 2.0, 1.0, 30.0, 0), Call(1, 2, 1.0, 1.0, 30.0, 0))
    times = np.arange(0.0, 2400.0, 60.0)
    traffic = np.zeros((3, len(times)))
    traffic[0] = 10.0
    pods = [Pod(f"{name}-0", i, "v1", 0) for i, name in enumerate(names)]
    return World(Graph(services, calls), times, 60, traffic, np.array([10.0, 20.0, 20.0]), pods, [1, 1, 1])


def after(world: World, raw: str, service: int, call: int = -1) -> tuple[Flow, Flow]:
    """What happens without and with a fault at one service."""
    calm, broken = neutral(world), neutral(world)
    fault = Fault(raw, service, (service,), ONSET, call=call)
    faults.apply(world, broken, fault, np.random.default_rng(3))
    return simulate(world, calm), simulate(world, broken)


def late(values: Array, world: World) -> float:
    return float(values[world.times >= ONSET + 60].mean())


def test_callers_wait_for_a_slow_service_as_often_as_they_call_it(world: World) -> None:
    calm, slow = after(world, "latency", 2)
    lost = [late(mean(slow.served[pod]) - mean(calm.served[pod]), world) for pod in range(3)]
    assert lost[2] > 0.01
    assert lost[1] == pytest.approx(lost[2], rel=0.05)
    assert lost[0] == pytest.approx(2 * lost[2], rel=0.05)


def test_nothing_changes_before_the_onset(world: World) -> None:
    calm, slow = after(world, "latency", 2)
    early = world.times <= ONSET - 60
    assert np.array_equal(calm.served[0][:, early], slow.served[0][:, early])


def test_what_is_called_does_not_feel_a_slow_caller(world: World) -> None:
    calm, slow = after(world, "latency", 0)
    assert np.allclose(mean(calm.served[2]), mean(slow.served[2]))


def test_failures_travel_up_and_traffic_falls_below(world: World) -> None:
    calm, failing = after(world, "errors", 1)
    assert late(failing.failed[0], world) > late(calm.failed[0], world) + 0.05
    assert late(failing.demand[2], world) < 0.97 * late(calm.demand[2], world)


def test_an_early_return_starves_what_it_used_to_call_without_failing(world: World) -> None:
    calm, silent = after(world, "early_return", 1)
    assert late(silent.demand[2], world) < 0.6 * late(calm.demand[2], world)
    assert late(silent.failed[1], world) == pytest.approx(late(calm.failed[1], world), abs=1e-6)


def test_network_delay_is_seen_by_the_caller_and_not_by_the_answering_side(world: World) -> None:
    calm, far = after(world, "delay", 2)
    assert late(mean(far.call_waited[1]) - mean(calm.call_waited[1]), world) > 0.04
    assert late(mean(far.call_served[1]) - mean(calm.call_served[1]), world) == pytest.approx(0, abs=1e-6)


def test_an_expired_certificate_fails_its_edge_at_once_and_only_there(world: World) -> None:
    calm, broken = after(world, "expired", 2, call=1)
    assert late(broken.call_failed[1], world) > 0.85
    assert late(broken.failed[2], world) == pytest.approx(late(calm.failed[2], world), abs=1e-6)
    assert late(mean(broken.call_waited[1]), world) < late(mean(calm.call_waited[1]), world)


def test_a_surge_raises_utilisation_everywhere_below(world: World) -> None:
    calm, surged = after(world, "surge", 0)
    assert all(late(surged.busy[pod], world) > 1.5 * late(calm.busy[pod], world) for pod in range(3))


def test_retries_multiply_the_load_of_a_failing_service(world: World) -> None:
    calls = tuple(Call(c.caller, c.callee, c.per_request, c.vital, c.timeout_s, retries=2) for c in world.graph.calls)
    world.graph = Graph(world.graph.services, calls)
    calm, failing = after(world, "errors", 2)
    assert late(failing.call_rate[1], world) > late(calm.call_rate[1], world)


@pytest.mark.parametrize("shape", ["shop", "chain", "fan", "mesh"])
def test_call_graphs_are_ordered_and_reach_everybody_from_the_entry(shape: str) -> None:
    for seed in range(10):
        graph = random_graph(np.random.default_rng(seed), shape)
        assert all(call.caller < call.callee for call in graph.calls)
        assert {call.callee for call in graph.calls} == set(range(1, len(graph.services)))
        assert 5 <= len(graph.services) <= 40
        assert len({item.name for item in graph.services}) == len(graph.services)
