from __future__ import annotations

from dataclasses import replace
from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.signal import Alert
from gitops_sre.perception import triage
from gitops_sre.perception.triage import Cleared, Investigate, Wait
from tests.builders import NOW, after
from tests.builders import alert as firing

EDGES = (("web", "cart"), ("cart", "checkout"), ("checkout", "payments"), ("checkout", "shipping"))


def service(alert: Alert) -> str:
    return alert.labels.get("service", "")


def environment(alert: Alert) -> str:
    return alert.labels.get("environment", "")


def group(*alerts: Alert, window: float = 300, edges: tuple[tuple[str, str], ...] = EDGES) -> list[list[str]]:
    groups = triage.group(alerts, edges, window, service, environment)
    return [[f"{environment(a)}/{service(a)}" for a in each] for each in groups]


def test_alerts_of_a_caller_and_its_callee_are_one_incident() -> None:
    assert group(firing("cart"), firing("checkout", at=10)) == [["staging/cart", "staging/checkout"]]


def test_a_silent_service_between_two_does_not_part_them() -> None:
    assert len(group(firing("web"), firing("payments", at=5))) == 1


def test_siblings_are_two_incidents_until_their_caller_joins_them() -> None:
    assert len(group(firing("payments"), firing("shipping"))) == 2
    assert len(group(firing("payments"), firing("shipping"), firing("checkout"))) == 1


def test_environments_are_never_mixed() -> None:
    assert len(group(firing("cart"), firing("cart", "production"))) == 2


def test_what_begins_later_than_the_window_is_another_incident() -> None:
    assert len(group(firing("cart"), firing("checkout", at=301))) == 2
    assert len(group(firing("cart"), firing("cart", at=301))) == 2
    assert len(group(firing("cart"), firing("cart", at=299))) == 1


def test_unrelated_services_are_two_incidents() -> None:
    assert len(group(firing("cart"), firing("batch"))) == 2


def test_alerts_without_a_service_join_those_of_their_name() -> None:
    nameless = [
        replace(firing(at=n), labels={"alertname": "NodeDown", "node": str(n)}, name="NodeDown") for n in (0, 1)
    ]
    assert len(group(*nameless, firing("cart"))) == 2


def test_groups_and_their_alerts_come_in_order_of_time() -> None:
    assert group(firing("batch", at=9), firing("checkout", at=5), firing("cart", at=7)) == [
        ["staging/checkout", "staging/cart"],
        ["staging/batch"],
    ]


def test_a_storm_of_ten_thousand_alerts_is_grouped_in_a_moment() -> None:
    names = [f"s{n}" for n in range(500)]
    edges = tuple((names[n], names[(n * 7 + k) % 500]) for n in range(500) for k in range(1, 6))
    storm = [
        replace(firing(names[n % 500], at=n % 60), fingerprint=str(n), annotations={"n": str(n)}) for n in range(10_000)
    ]
    began = perf_counter()
    groups = triage.group(storm, edges, 300, service, environment)
    assert len(groups) == 1
    assert len(groups[0]) == 10_000
    assert perf_counter() - began < 3


@given(st.lists(st.tuples(st.sampled_from(["web", "cart", "checkout", "payments", "batch"]), st.integers(0, 900))))
def test_grouping_loses_and_doubles_nothing_and_ignores_the_order(seen: list[tuple[str, int]]) -> None:
    alerts = [replace(firing(name, at=at), fingerprint=str(n)) for n, (name, at) in enumerate(seen)]
    groups = triage.group(alerts, EDGES, 100, service, environment)
    assert sorted(a.fingerprint for each in groups for a in each) == sorted(a.fingerprint for a in alerts)
    backwards = triage.group(alerts[::-1], EDGES, 100, service, environment)
    assert {frozenset(a.fingerprint for a in each) for each in groups} == {
        frozenset(a.fingerprint for a in each) for each in backwards
    }


def test_the_lead_is_the_service_that_calls_no_other_of_the_group() -> None:
    alerts = [firing("web"), firing("checkout", at=20), firing("cart", at=10)]
    assert triage.lead(alerts, EDGES, service) == "checkout"


def test_in_a_circle_the_first_one_leads() -> None:
    assert triage.lead([firing("b", at=1), firing("a", at=2)], (("a", "b"), ("b", "a")), service) == "b"


def test_severity_follows_the_burn_rate_and_else_the_senders_label() -> None:
    critical = replace(firing(), labels={"severity": "critical"})
    assert triage.severity([critical], triage.burn_rate(0.0001, 0.001)) == "info"
    assert triage.severity([critical], triage.burn_rate(0.002, 0.001)) == "ticket"
    assert triage.severity([], triage.burn_rate(0.02, 0.001)) == "page"
    assert triage.severity([], triage.burn_rate(0.02, 0)) == "page"
    assert triage.severity([critical, firing()]) == "page"
    assert triage.severity([firing()]) == "ticket"
    assert triage.severity([replace(firing(), labels={"severity": "info"})]) == "info"


def test_a_group_that_has_resolved_is_cleared_whatever_its_age() -> None:
    over = replace(firing(), status="resolved", ends_at=after(5))
    assert isinstance(triage.readiness([over], after(100), 0), Cleared)


def test_an_alert_must_last_before_it_is_looked_into() -> None:
    assert triage.readiness([firing()], after(20), 30) == Wait(10, "fires for 20 s; looked into when it lasts 30 s")
    assert triage.readiness([firing()], after(30), 30) == Investigate()
    assert triage.readiness([firing()], NOW, 0) == Investigate()


def test_a_flap_does_not_count_towards_the_time_of_the_next_one() -> None:
    over = replace(firing(), status="resolved", ends_at=after(5))
    assert isinstance(triage.readiness([over, firing(at=28)], after(30), 10), Wait)


def test_an_alert_from_the_future_waits_no_longer_than_one_from_now() -> None:
    ready = triage.readiness([firing(at=600)], NOW, 30)
    assert isinstance(ready, Wait)
    assert ready.seconds == 30
