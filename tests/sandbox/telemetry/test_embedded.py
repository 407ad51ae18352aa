"""The embedded endpoint speaks Prometheus' HTTP API, errors included."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gitops_sre.sandbox.telemetry.alerting import RuleGroup
from gitops_sre.sandbox.telemetry.embedded import Api, number
from gitops_sre.sandbox.telemetry.faults import ImageFault
from gitops_sre.sandbox.telemetry.model import Simulation
from gitops_sre.sandbox.telemetry.rules import rules_file
from gitops_sre.sandbox.telemetry.series import Tick, series
from gitops_sre.sandbox.telemetry.store import CAPACITY, Store
from tests.sandbox.telemetry.conftest import BASE, world

END = BASE + 30


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """Half a minute of a shop whose payments fail."""
    simulation, store, rules = Simulation(1), Store(), RuleGroup(rules_file())
    fault = ImageFault("payments", "v5.2.0", error_rate=0.4)
    for at in range(BASE, END + 1):
        store.add(simulation.step(at, 1, world(), (fault,)))
        rules.evaluate(store, at * 1000)
    with TestClient(Starlette(routes=Api(store, rules).routes())) as client:
        yield client


def data(client: TestClient, path: str, **parameters: str | list[str]) -> object:
    answer = client.get(f"/api/v1/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


def test_an_instant_query_answers_by_get_and_by_post_form(client: TestClient) -> None:
    query = {"query": 'up{service="web", environment="production"}', "time": str(END)}
    labels = {"__name__": "up", "environment": "production", "namespace": "production", "service": "web"}
    expected = {"resultType": "vector", "result": [{"metric": labels, "value": [END, "1"]}]}
    assert client.get("/api/v1/query", params=query).json() == {"status": "success", "data": expected}
    assert client.post("/api/v1/query", data=query).json() == {"status": "success", "data": expected}


def test_scalars_and_range_vectors_have_their_shapes(client: TestClient) -> None:
    assert data(client, "query", query="1 / 0", time="5.5") == {"resultType": "scalar", "result": [5.5, "+Inf"]}
    answer = data(client, "query", query='up{service="web", environment="dev"}[2s]', time=str(END))
    labels = {"__name__": "up", "environment": "dev", "namespace": "dev", "service": "web"}
    values = [[END - 2, "1"], [END - 1, "1"], [END, "1"]]
    assert answer == {"resultType": "matrix", "result": [{"metric": labels, "values": values}]}


def test_a_range_query_answers_by_post_form_with_times_in_both_notations(client: TestClient) -> None:
    form = {"query": "time()", "start": "2025-10-09T08:53:20Z", "end": str(BASE + 2), "step": "1s"}
    values = [[BASE + i, str(BASE + i)] for i in range(3)]
    answer = client.post("/api/v1/query_range", data=form)
    assert answer.json()["data"] == {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}


def test_series_labels_and_values(client: TestClient) -> None:
    match = ['up{service="web"}', 'up{service="cart", environment="dev"}']
    found = data(client, "series", **{"match[]": match})
    assert isinstance(found, list)
    assert len(found) == 4
    names = data(client, "labels")
    assert isinstance(names, list)
    assert {"__name__", "environment", "service", "version", "le", "code", "peer"} <= set(names)
    assert data(client, "label/environment/values") == ["dev", "production", "staging"]
    assert data(client, "label/service/values", **{"match[]": ['up{service=~"c.*"}']}) == [
        "cart",
        "catalog",
        "checkout",
    ]
    assert data(client, "label/service/values", start=str(END + 100)) == []


def test_rules_and_alerts(client: TestClient) -> None:
    alerts = data(client, "alerts")
    assert isinstance(alerts, dict)
    place = {"environment": "staging", "namespace": "staging", "service": "checkout"}
    found = [alert for alert in alerts["alerts"] if place.items() <= alert["labels"].items()]
    assert [alert["labels"] for alert in found] == [{"alertname": "HighErrorRate", "severity": "critical", **place}]
    assert found[0]["annotations"] == {"summary": "More than 5% of the requests to checkout in staging fail"}
    assert found[0]["state"] == "firing"
    assert found[0]["activeAt"].startswith("2025-10-09T08:53:2")
    assert float(found[0]["value"]) == pytest.approx(0.4, abs=0.02)
    groups = data(client, "rules")
    assert isinstance(groups, dict)
    rules = {(rule["name"], rule["state"]) for rule in groups["groups"][0]["rules"]}
    assert {("HighErrorRate", "firing"), ("HighLatency", "inactive"), ("SearchLatencyTight", "inactive")} == rules


def test_status_pages_exist(client: TestClient) -> None:
    assert client.get("/-/ready").status_code == 200
    assert client.get("/api/v1/status/buildinfo").json()["data"]["version"]
    assert client.get("/api/v1/targets").json()["data"]["activeTargets"][0]["health"] == "up"
    assert client.get("/api/v1/nothing").status_code == 404


@pytest.mark.parametrize("query", ["", "topk(3, up)", "up{", "rate(up)", "up offset x"])
def test_a_query_outside_the_grammar_is_422(client: TestClient, query: str) -> None:
    for path in ("query", "query_range"):
        parameters = {"query": query, "start": "1", "end": "2", "step": "1"}
        for answer in (
            client.get(f"/api/v1/{path}", params=parameters),
            client.post(f"/api/v1/{path}", data=parameters),
        ):
            assert answer.status_code == 422
            assert answer.json()["errorType"] == "bad_data"
            assert len(answer.json()["error"]) > 10


def test_an_undefined_evaluation_is_422_execution(client: TestClient) -> None:
    answer = client.get("/api/v1/query", params={"query": '-{service="web"}', "time": str(END)})
    assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")


@pytest.mark.parametrize(
    ("path", "parameters", "message"),
    [
        ("query", {}, '"query"'),
        ("query", {"query": "up", "time": "noon"}, "valid timestamp"),
        ("query", {"query": "up", "time": "1e300"}, "out of range"),
        ("query", {"query": "up", "time": "nan"}, "out of range"),
        ("query_range", {"query": "up", "start": "1", "end": "2"}, '"step"'),
        ("query_range", {"query": "up", "start": "1", "end": "2", "step": "0"}, "zero or negative"),
        ("query_range", {"query": "up", "start": "1", "end": "2", "step": "inf"}, "valid duration"),
        ("query_range", {"query": "up", "start": "1", "end": "2", "step": "soon"}, "valid duration"),
        ("query_range", {"query": "up", "start": "2", "end": "1", "step": "1"}, "before start"),
        ("query_range", {"query": "up", "start": "0", "end": "20000", "step": "1"}, "11,000 points"),
        ("series", {}, "match[]"),
        ("series", {"match[]": "up[5m]"}, "plain series selector"),
    ],
)
def test_a_bad_parameter_is_400_with_a_message(
    client: TestClient, path: str, parameters: dict[str, str], message: str
) -> None:
    answer = client.get(f"/api/v1/{path}", params=parameters)
    assert answer.status_code == 400
    assert answer.json()["errorType"] == "bad_data"
    assert message in answer.json()["error"]


def test_numbers_are_written_as_prometheus_writes_them() -> None:
    values = [1.0, 0.25, float("nan"), float("inf"), -float("inf"), 1795398050.0]
    assert [number(v) for v in values] == ["1", "0.25", "NaN", "+Inf", "-Inf", "1795398050"]


def test_the_ring_forgets_its_oldest_samples() -> None:
    store, counter = Store(), series("ticks_total", a="b")
    for at in range(CAPACITY + 10):
        store.add(Tick(at, [(counter, float(at))]))
    (points,) = store.select((), 0, 2**53)
    assert CAPACITY // 2 < len(points.times) <= CAPACITY
    assert points.times[-1] == (CAPACITY + 9) * 1000
