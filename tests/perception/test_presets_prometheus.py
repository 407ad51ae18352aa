"""Every row is asked of a real Prometheus that holds what the exporters write, and its answer read."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.model.evidence import Answer
from gitops_sre.model.telemetry import Measure
from gitops_sre.perception import presets
from gitops_sre.perception.presets import Budget, Catalogue, Range, Reading
from gitops_sre.perception.promql import where
from gitops_sre.sandbox.telemetry.prometheus import missing_binaries, start_prometheus
from gitops_sre.settings import PrometheusSettings

pytestmark = pytest.mark.skipif(
    bool(missing_binaries()), reason=f"not on PATH: {', '.join(missing_binaries())} (Debian: prometheus)"
)
EXPORTERS = Path(__file__).with_name("test_presets_exporters.txt")
BEGIN, STEP, SAMPLES = 1_760_000_000, 15, 40
END = BEGIN + STEP * (SAMPLES - 1)
LINE = re.compile(r"(?P<name>[\w:]+)\{(?P<labels>.*)\} (?P<first>[-\d.]+)\+(?P<step>[-\d.]+)")
SPAN = Range(datetime.fromtimestamp(END - 60, UTC), datetime.fromtimestamp(END, UTC), 15, 120)


def exposition() -> Iterator[str]:
    """OpenMetrics text: the families of the file, a gauge each, so that counters keep their names."""
    found = [line for text in EXPORTERS.read_text().splitlines() if (line := LINE.fullmatch(text))]
    for name in dict.fromkeys(line["name"] for line in found):
        for line in found:
            if line["name"] == name:
                for number in range(SAMPLES):
                    value = float(line["first"]) + number * float(line["step"])
                    yield f"{name}{{{line['labels']}}} {value} {BEGIN + number * STEP}"
    yield "# EOF\n"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return presets.load()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("exporters")
    source = folder / "metrics.txt"
    source.write_text("\n".join(exposition()))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(source), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)
    process = start_prometheus(folder, "groups: []\n")
    client = Prometheus(PrometheusSettings(url=process.url), {})
    try:
        yield client
    finally:
        client.close()
        process.stop()


@pytest.fixture(scope="module")
def reading(prometheus: Prometheus, catalogue: Catalogue) -> Reading:
    """Every row of every preset, asked as an investigation asks."""
    plan = presets.plan(catalogue, [preset.name for preset in catalogue.presets], SPAN, Budget(queries=1_000))
    answers = [answer for wave in presets.gather(plan, prometheus) for answer in wave]
    failed = [f"{answer.reason}" for answer in answers if not isinstance(answer, Answer)]
    assert failed == []
    assert plan.left_out == ()
    return catalogue.read(answer for answer in answers if isinstance(answer, Answer))


def only(reading: Reading, query: str) -> Measure:
    (measure,) = (each for each in reading.measures if each.query == query)
    return measure


def test_no_row_goes_without_an_answer(reading: Reading, catalogue: Catalogue) -> None:
    answered = {measure.query for measure in reading.measures}
    assert set(catalogue.rows) - answered == {"http.cpu", "http.memory", "http.replicas"}
    assert set(reading.unknown) == {"http.cpu", "http.memory", "http.replicas"}  # not relabelled with a service


@pytest.mark.parametrize("matchers", ["", where(environment="staging", namespace='odd"name')])
def test_every_row_is_valid_promql_however_it_is_narrowed(
    prometheus: Prometheus, catalogue: Catalogue, matchers: str
) -> None:
    names = [preset.name for preset in catalogue.presets]
    asked = catalogue.queries(names, SPAN.start, SPAN.end, SPAN.step, SPAN.window, matchers)
    assert len(asked) == len(catalogue.rows)
    answers = prometheus.ask(asked)
    assert [answer for answer in answers if not isinstance(answer, Answer)] == []
    if matchers:
        assert [answer.query.id for answer in answers if isinstance(answer, Answer) and answer.series] == []


VALUES = {
    # row: service, peer, pod, version, stat, side, value
    "http.latency": ("cart", "", "", "", "p99", "", 0.099),
    "http.edge_errors": ("checkout", "cart", "", "", "", "client", 0.5),
    "http.edge_traffic": ("checkout", "cart", "", "", "", "client", 10.0),
    "process.files": ("cart", "", "cart-5f6585d649-fnmft", "", "files", "", 0.5),
    "process.hikari": ("orders", "", "", "", "connections", "", 0.9),
    "process.go_sql": ("ledger", "", "", "", "connections", "", 0.5),
    "process.heap": ("orders", "", "", "", "heap", "", 0.75),
    "istio.errors": ("reviews", "", "", "", "", "server", 0.2),
    "istio.latency": ("reviews", "", "", "", "p99", "server", 0.099),
    "istio.latency_average": ("reviews", "", "", "", "average", "server", 0.04),
    "istio.edge_latency": ("productpage", "reviews", "", "", "p99", "client", 0.198),
    "istio.edge_latency_average": ("productpage", "reviews", "", "", "average", "client", 0.06),
    "linkerd.errors": ("voting", "", "", "", "", "server", 0.1),
    "linkerd.latency_average": ("voting", "", "", "", "average", "server", 0.02),
    "linkerd.edge_latency_average": ("web", "voting", "", "", "average", "client", 0.03),
    "linkerd.pod_latency": ("voting", "", "voting-6b7f5d9c4b-x7k2p", "6b7f5d9c4b", "p99", "server", 0.0495),
    "otel.latency_average": ("frontend", "", "", "", "average", "server", 0.1),
    "otel.old_latency": ("quotes", "", "", "", "p99", "server", 0.495),
    "otel.old_latency_average": ("quotes", "", "", "", "average", "server", 0.2),
    "otel.rpc_errors": ("shipping", "", "", "", "", "server", 0.25),
    "otel.rpc_latency_average": ("shipping", "", "", "", "average", "server", 0.004),
    "otel.rpc_call_errors": ("email", "", "", "", "", "server", 0.25),
    "otel.rpc_call_latency_average": ("email", "", "", "", "average", "server", 0.25),
    "otel.edge_errors": ("frontend", "ad", "", "", "", "client", 0.5),
    "otel.edge_latency_average": ("frontend", "ad", "", "", "average", "client", 0.5),
    "otel.database_latency": ("orders", "orders-db", "", "", "p99", "client", 0.198),
    "otel.database_latency_average": ("orders", "orders-db", "", "", "average", "client", 0.1),
    "otel.connections": ("orders", "", "", "", "connections", "", 0.9),
    "spanmetrics.latency_average": ("search", "", "", "", "average", "server", 0.2),
    "spanmetrics.latency_ms": ("geo", "", "", "", "p99", "server", 0.0198),
    "spanmetrics.latency_ms_average": ("geo", "", "", "", "average", "server", 0.01),
    "spanmetrics.edge_client_latency_average": ("search", "geo", "", "", "average", "client", 0.02),
    "spanmetrics.edge_server_latency_average": ("search", "geo", "", "", "average", "server", 0.01),
    "spanmetrics.edge_errors": ("search", "geo", "", "", "", "client", 0.1),
    "slo.sloth": ("shop", "", "", "", "availability", "server", 0.02),
    "slo.pyrra": ("api-errors", "", "", "", "api-errors", "server", 0.3),
    "slo.pyrra_generic": ("api-errors", "", "", "", "api-errors", "server", 0.1),
    "kubernetes.replicas": ("cart", "", "", "", "", "", 0.75),
    "kubernetes.unavailable": ("cart", "", "", "", "unavailable", "", 0.5),
    "kubernetes.stateful_replicas": ("redis", "", "", "", "", "", 1.0),
    "kubernetes.daemon_replicas": ("shipper", "", "", "", "", "", 0.5),
    "kubernetes.out_of_memory": ("cart", "", "cart-5f6585d649-fnmft", "", "oomkilled", "", 8.0),
    "kubernetes.waiting": ("cart", "", "cart-7d8c9b5f6d-x2k4j", "", "imagepullbackoff", "", 1.0),
    "kubernetes.autoscaler": ("cart", "", "", "", "autoscaler", "", 1.0),
    "kubernetes.cpu": ("cart", "", "cart-5f6585d649-fnmft", "", "", "", 0.5),
    "kubernetes.throttled": ("cart", "", "cart-5f6585d649-fnmft", "", "throttled", "", 0.2),
    "kubernetes.memory": ("cart", "", "cart-5f6585d649-fnmft", "", "", "", 900.0),
    "kubernetes.memory_limit": ("cart", "", "cart-5f6585d649-fnmft", "", "memory", "", 0.9),
    "kubernetes.network_in": ("cart", "", "cart-5f6585d649-fnmft", "", "", "", 100.0),
    "kubernetes.volume": ("redis", "", "redis-0", "", "volume", "", 0.95),
    "certificates.cert_manager": ("cart", "", "", "", "certificate", "", 1_760_003_600.0 - END),
    "certificates.probe": ("shop.example.com", "", "", "", "certificate", "", 1_760_003_600.0 - END),
    "certificates.x509": ("ledger", "", "", "", "certificate", "", 1_760_003_600.0 - END),
    "gauges.availability": ("Orders::Table", "", "", "", "average", "", 0.01),
    "gauges.success": ("till", "", "till-5f6585d649-fnmft", "", "", "", 0.03),
    "gauges.edge_server_success": ("basket", "till", "", "", "", "server", 0.05),
    "gauges.ingress_latency": ("ingress", "", "", "", "p90", "client", 0.4),
    "gauges.memory_bytes": ("till", "", "till-5f6585d649-fnmft", "", "", "", 4096.0),
}


@pytest.mark.parametrize("query", VALUES)
def test_a_row_reads_its_exporter(reading: Reading, query: str) -> None:
    service, peer, pod, version, stat, side, value = VALUES[query]
    measure = only(reading, query)
    said = (measure.service, measure.peer, measure.pod, measure.version, measure.stat, measure.side)
    assert said == (service, peer, pod, version, stat, side)
    assert measure.values[-1] == pytest.approx(value)
    assert measure.times[-1] == END


def named(reading: Reading, query: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(part for part in (each.service, each.peer, each.pod, each.version, each.stat) if part): round(
            each.values[-1], 6
        )
        for each in reading.measures
        if each.query == query
    }


def test_a_service_without_a_failure_has_an_error_ratio_of_nothing(reading: Reading) -> None:
    assert named(reading, "http.errors") == {("cart",): 0.1, ("checkout",): 0.0}
    assert named(reading, "otel.errors") == {("frontend",): 0.5, ("ad",): 0.0}
    assert named(reading, "spanmetrics.errors") == {("search",): 0.5, ("geo",): 0.0}


def test_versions_are_told_apart(reading: Reading) -> None:
    assert named(reading, "istio.version_errors") == {("reviews", "v1"): 0.0, ("reviews", "v2"): 0.4}
    assert named(reading, "otel.version_errors")[("ad", "ad-7c9d8f6b5d-abcde", "3.1")] == 0.0


def test_what_lies_outside_the_mesh_is_named_by_its_host(reading: Reading) -> None:
    assert named(reading, "istio.edge_errors") == {
        ("productpage", "reviews"): 0.25,
        ("payments", "api.bank.example"): 1.0,
    }
    assert named(reading, "linkerd.edge_errors") == {("web", "voting"): 0.0, ("web", "api.mail.example"): 1.0}


def test_the_proxy_says_why_a_call_failed(reading: Reading) -> None:
    assert named(reading, "istio.edge_refused") == {
        ("productpage", "reviews", "uf,urx"): 0.25,
        ("payments", "api.bank.example", "uh"): 1.0,
    }


@pytest.mark.parametrize(
    ("query", "value", "stat"),
    [
        ("node.cpu", 70.0, ""),
        ("node.memory", 75.0, ""),
        ("node.disk", 0.8, "node_disk"),
        ("node.filesystem", 0.9, "node_filesystem"),
        ("node.conntrack", 0.99, "node_conntrack"),
        ("kubernetes.node_ready", 1.0, "node"),
        ("kubernetes.node_pressure", 1.0, "node"),
    ],
)
def test_what_ails_a_node_is_told_of_each_of_its_pods(reading: Reading, query: str, value: float, stat: str) -> None:
    end = (stat,) if stat else ()
    assert named(reading, query) == {
        ("cart", "cart-5f6585d649-fnmft", *end): value,
        ("redis", "redis-0", *end): value,
    }


def test_the_machine_of_a_pod_is_read_from_labels_and_from_what_runs_where(reading: Reading) -> None:
    places = {each.query: each.node for each in reading.measures if each.node}
    assert places["gauges.cpu"] == "node-b"
    assert {places[query] for query in places if query != "gauges.cpu"} == {"node-a"}
    assert {"node.cpu", "node.memory", "kubernetes.node_ready"} <= set(places)


def test_a_metric_that_nobody_feeds_is_left_out_and_counted(reading: Reading) -> None:
    assert dict(reading.dead) == {"gauges.success": 1}


def test_every_preset_is_recognised_by_what_its_exporter_writes(catalogue: Catalogue) -> None:
    lines = filter(None, map(LINE.fullmatch, EXPORTERS.read_text().splitlines()))
    names = {line["name"] for line in lines}
    assert catalogue.recognised(names) == tuple(preset.name for preset in catalogue.presets)
    assert catalogue.recognised(["up", "go_goroutines"]) == ()
    assert catalogue.recognised(["orders:burnrate5m"]) == ("slo",)
