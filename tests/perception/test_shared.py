"""Trouble that several services share: a machine, the network, something outside, a certificate, traffic."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import Measure, Side, SignalName
from gitops_sre.perception import anomaly, between, demand, places, waits
from gitops_sre.perception.board import Board, by_service, lay
from gitops_sre.perception.excess import Load, Own, own

STEP, ONSET, COUNT = 30.0, 60, 90
RECENT = 10
FLOORS: Mapping[SignalName, float] = {"latency": 0.002, "errors": 0.005, "traffic": 0.1, "cpu": 1.0, "node_cpu": 1.0}


def series(
    signal: SignalName,
    service: str,
    before: float,
    after: float,
    *,
    pod: str = "",
    peer: str = "",
    side: Side = "",
    node: str = "",
    seed: int = 0,
) -> Measure:
    """A level that changes at the onset, with 2% of noise."""
    noise = np.random.default_rng([seed, *f"{signal}{service}{pod}{peer}{side}".encode()]).normal(1, 0.02, COUNT)
    values = np.where(np.arange(COUNT) < ONSET, before, after) * noise
    times = array("d", (STEP * n for n in range(COUNT)))
    return Measure(signal, service, times, array("d", values.tolist()), pod=pod, peer=peer, side=side, node=node)


class Look:
    """A board with its scores at the onset, and the same by service."""

    def __init__(self, rows: Sequence[Measure]) -> None:
        self.board = lay(rows, 0.0, STEP * (COUNT - 1))
        self.scores = self._scores(self.board)
        self.services = by_service(self.board, ("latency", "errors", "traffic"))
        self.of_services = self._scores(self.services)

    def _scores(self, board: Board) -> anomaly.Scores:
        return anomaly.scores(board.values, ONSET, RECENT, np.array([FLOORS.get(r.signal, 1.0) for r in board.rows]))

    def between(self) -> list[Evidence]:
        return between.read(self.board, self.scores, self.services, self.of_services, 0.0)

    def hubs(self) -> list[Evidence]:
        return between.hubs(self.board, self.scores, self.services, self.of_services, 0.0)

    def demand(self, pairs: Sequence[tuple[str, str]] = ()) -> list[Evidence]:
        return demand.read(self.services, self.of_services, pairs, 0.0)

    def waits(self) -> waits.Waits:
        return waits.read(self.board, self.services, self.of_services, self._scores)


def score(found: Sequence[Evidence], signal: str, subject: str = "") -> float:
    return max((item.score or 0.0 for item in found if item.signal == signal and item.subject == subject), default=0.0)


def fleet(sick: str, *, labels: bool = True) -> list[Measure]:
    """Five services with a pod on each of three machines; on one of them everything takes four times as long."""
    rows = []
    for service in ("cart", "user", "mail", "stock", "price"):
        for node in ("n1", "n2", "n3"):
            pod, slow = f"{service}-{node}", 4.0 if node == sick else 1.0
            rows.append(series("latency", service, 0.1, 0.1 * slow, pod=pod))
            rows.append(series("cpu", service, 30, 30, pod=pod, node=node if labels else ""))
    return rows


def test_a_sick_machine_is_where_pods_of_several_services_are_slow() -> None:
    look = Look(fleet("n2"))
    found = places.shared(look.board, look.scores, 0.0)
    best = max(found, key=lambda item: item.score or 0.0)
    assert "n2" in best.statement
    assert {item.subject for item in found if item.score == best.score} == {"cart", "user", "mail", "stock", "price"}
    assert all((item.score or 0.0) < 0.2 * (best.score or 0.0) for item in found if "n2" not in item.statement)


def test_one_slow_service_makes_no_sick_machine() -> None:
    rows = [each for each in fleet("none") if not (each.service == "cart" and each.signal == "latency")]
    rows += [series("latency", "cart", 0.1, 0.6, pod=f"cart-{node}") for node in ("n1", "n2", "n3")]
    look = Look(rows)
    assert score(places.shared(look.board, look.scores, 0.0), "shared_node", "cart") < 0.5


def test_victims_on_one_machine_that_wait_for_another_are_not_its_trouble() -> None:
    rows = fleet("n2")
    calls = [series("latency", e.service, 0.05, 0.35 if e.pod.endswith("n2") else 0.05, pod=e.pod, side="client")
             for e in rows if e.signal == "latency"]  # fmt: skip
    sick, waiting = Look(rows), Look([*rows, *calls])
    assert score(places.shared(waiting.board, waiting.scores, 0.0), "shared_node", "cart") < 0.5 * score(
        places.shared(sick.board, sick.scores, 0.0), "shared_node", "cart"
    )


def test_machines_without_labels_are_told_by_their_gauges() -> None:
    rows = fleet("n2", labels=False)
    pods = sorted({row.pod for row in rows})
    gauges = [
        Measure("node_cpu", pod.partition("-")[0], each.times, each.values, pod=pod)
        for node in ("n1", "n2", "n3")
        for each in [series("node_cpu", node, 20, 70 if node == "n2" else 20)]
        for pod in pods
        if pod.endswith(node)
    ]
    look = Look([*rows, *gauges])
    where = places.nodes(look.board)
    assert len(set(where.values())) == 3
    assert len({where[pod] for pod in pods if pod.endswith("n2")}) == 1
    found = places.shared(look.board, look.scores, 0.0)
    assert score(found, "shared_node", "cart") > 2
    assert score(found, "host_load", "cart") > 5  # busy with what is in none of its pods


def test_trouble_that_is_spread_is_several_services() -> None:
    one, many = {"cart": 1.0, "user": 0.0}, {"cart": 0.25, "user": 0.25, "mail": 0.25, "stock": 0.25}
    assert places.spread(one, "latency", 0.0).score == pytest.approx(0.0)
    assert places.spread(many, "latency", 0.0).score == pytest.approx(0.75)
    assert places.spread({}, "errors", 0.0).score == 0.0


def victims() -> list[Measure]:
    """The shop waits for the cart; the cart is slow itself, its own calls are not."""
    return [
        series("latency", "shop", 0.2, 1.0, pod="shop-1"),
        series("latency", "shop", 0.1, 0.9, pod="shop-1", side="client"),
        series("latency", "cart", 0.1, 0.9, pod="cart-1"),
        series("latency", "cart", 0.02, 0.02, pod="cart-1", side="client"),
    ]


def test_a_service_that_waits_for_its_own_calls_adds_nothing_itself() -> None:
    parts = Look(victims()).waits().of("latency")
    assert parts["shop"] == 0.0
    assert parts["cart"] > 0.99


def test_without_a_map_the_waiting_tells_culprit_from_victim() -> None:
    loads = {"shop": Load(8.0, 2.0, 10.0), "cart": Load(8.0, 1.0, 10.0)}
    alike = own(loads, ())
    assert alike["shop"].share == alike["cart"].share
    told = own(loads, (), Look(victims()).waits().of("latency"))
    assert told["shop"].share == 0.0
    assert told["cart"].share > 0.9


def test_waiting_that_is_nobodys_own_points_outside() -> None:
    look = Look(victims()[:2])
    nobody = {"shop": Own(0.0, 0.0)}
    assert score(waits.outside(look.waits(), "latency", nobody, 0.0), "waits_outside", "shop") > 0.9
    known = {"shop": Own(0.0, 0.0), "cart": Own(0.98, 1.0)}
    assert score(waits.outside(look.waits(), "latency", known, 0.0), "waits_outside", "shop") < 0.05


def test_who_did_not_measure_its_calls_may_be_the_cause_of_all_it_adds() -> None:
    look = Look([each for each in victims() if each.side != "client"])
    assert look.waits().of("latency") == {}


def bank(after: float) -> list[Measure]:
    """Two services call a bank that has no telemetry of its own."""
    return [
        *(series("latency", name, 0.1, 0.1 + after, pod=f"{name}-1") for name in ("pay", "refund")),
        *(series("traffic", name, 10, 10, pod=f"{name}-1") for name in ("pay", "refund")),
        *(series("latency", name, 0.05, 0.05 + after, peer="bank", side="client") for name in ("pay", "refund")),
        series("latency", "pay", 0.01, 0.01, peer="ledger", side="client"),
        series("latency", "ledger", 0.01, 0.01),
    ]


def test_something_outside_is_known_by_its_callers() -> None:
    look = Look(bank(0.8))
    assert between.silent(look.board, look.services) == {"bank"}
    assert score(look.between(), "outside_latency", "bank") > 10
    assert score(look.between(), "outside_latency", "ledger") == 0.0


def test_what_callers_wait_for_the_outside_is_the_outsides_own() -> None:
    look = Look(bank(0.8))
    traffic = {"pay": 10.0, "refund": 10.0}
    silent = between.silent(look.board, look.services)
    loads = between.loads(look.board, look.scores, "latency", traffic, silent)
    callers = {name: Load(8.0, 1.0, 10.0) for name in traffic}
    told = own({**callers, **loads}, [("pay", "bank"), ("refund", "bank")])
    assert told["bank"].share > 0.9
    assert told["pay"].share < 0.05


def test_what_is_only_on_the_map_is_known_by_calls_that_no_other_callee_accounts_for() -> None:
    pairs = [("pay", "bank"), ("pay", "ledger"), ("shop", "pay")]

    def failing(ledger: float) -> float:
        rows = [
            series("errors", "shop", 0.001, 0.3),
            series("errors", "pay", 0.001, 0.3),
            series("errors", "pay", 0.001, 0.3, side="client"),
            series("errors", "ledger", 0.001, ledger),
        ]
        look = Look(rows)
        calls = look.waits().calls
        found = between.unseen(calls, look.board, look.services, look.of_services, pairs, 0.0)
        assert {item.subject for item in found} == {"bank"}
        return score(found, "outside_errors", "bank")

    assert failing(0.001) > 10
    assert failing(0.3) < 0.5


def test_refused_calls_fail_at_once_and_the_callee_does_not_know() -> None:
    def failing(admitted: float) -> Look:
        return Look(
            [
                series("errors", "shop", 0.001, 0.95, peer="cart", side="client"),
                series("latency", "shop", 0.2, 0.02, peer="cart", side="client"),
                series("errors", "cart", 0.001, admitted),
            ]
        )

    refused = failing(0.001).between()
    assert score(refused, "refused", "cart") > 0.9
    assert score(failing(0.95).between(), "refused", "cart") < 0.1


@pytest.mark.parametrize(("left", "expected"), [(0.0, 1.0), (86_400.0, 0.0)])
def test_a_certificate_counts_when_it_runs_out(left: float, expected: float) -> None:
    look = Look([series("expiry", "cart", 600.0, left)])
    assert score(between.expired(look.board, 0.0, STEP * ONSET), "expired", "cart") == expected


def test_a_certificate_that_had_run_out_long_before_is_no_news() -> None:
    look = Look([series("expiry", "cart", 0.0, 0.0)])
    assert score(between.expired(look.board, 0.0, STEP * ONSET), "expired", "cart") == 0.0


def mesh(slow: set[tuple[str, str]]) -> Look:
    """Calls between six services, of which some wait longer though the callee does not work longer."""
    pairs = [("shop", "cart"), ("user", "cart"), ("cart", "db"), ("cart", "mail"), ("shop", "user"), ("user", "mail")]
    rows = [series("latency", name, 0.1, 0.1) for name in ("shop", "cart", "user", "mail", "db")]
    rows += [series("latency", *pair[:1], 0.1, 0.5 if pair in slow else 0.1, peer=pair[1], side="client")
             for pair in pairs]  # fmt: skip
    return Look(rows)


def test_a_slow_network_at_a_service_is_on_all_its_ways_and_on_no_others() -> None:
    found = mesh({("shop", "cart"), ("user", "cart"), ("cart", "db"), ("cart", "mail")}).hubs()
    assert score(found, "network_hub", "cart") > 0.9
    assert max(score(found, "network_hub", name) for name in ("shop", "user", "mail", "db")) < 0.4


def test_without_lost_time_there_is_no_hub() -> None:
    assert mesh(set()).hubs() == []


CHAIN = [("shop", "cart"), ("cart", "db")]


def flow(shop: float, cart: float, db: float) -> Look:
    levels = {"shop": shop, "cart": cart, "db": db}
    return Look([series("traffic", name, 100, after) for name, after in levels.items()])


def test_a_spike_enters_where_no_caller_accounts_for_it() -> None:
    found = flow(300, 300, 300).demand(CHAIN)
    assert score(found, "surge") == 1.0
    assert score(found, "own_traffic", "shop") > 0.6
    assert [item.subject for item in found if item.signal == "own_traffic"] == ["shop"]


def test_more_requests_to_some_are_no_surge() -> None:
    found = flow(100, 100, 280).demand(CHAIN)
    assert score(found, "surge") < 0.5
    assert score(found, "own_traffic", "shop") < 0.1


def test_without_a_map_nobody_knows_where_requests_enter() -> None:
    assert [item.signal for item in flow(300, 300, 300).demand()] == ["surge"]


def test_without_traffic_nothing_is_said() -> None:
    assert Look(victims()).demand() == []
