from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.telemetry import Measure
from gitops_sre.perception import golden, presets
from gitops_sre.perception.presets import Budget, Catalogue, PresetsError, Range
from gitops_sre.perception.presets.labels import certificate, host, last, side, statistic, workload
from gitops_sre.yamltext.data import DataError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPAN = Range(NOW - timedelta(hours=1), NOW, 15, 60)
CATALOGUE = presets.load()


def answer(row: str, *series: tuple[dict[str, str], Sequence[float]]) -> Answer:
    (query,) = (each for each in CATALOGUE.queries([row.partition(".")[0]], NOW, NOW, 15, 60) if each.id == row)
    return Answer(
        query,
        tuple(
            Series(tuple(sorted(labels.items())), array("d", range(len(values))), array("d", values))
            for labels, values in series
        ),
    )


def measured(row: str, labels: dict[str, str], values: Sequence[float] = (1.0,)) -> Measure:
    (measure,) = CATALOGUE.measures([answer(row, (labels, values))])
    return measure


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        ("adservice-5f6585d649-fnmft", "adservice"),
        ("my-web-7d8c9b5f6d-x2k4j", "my-web"),
        ("reviews-v1-6d8bc58dd7-2xq7z", "reviews-v1"),
        ("legacy-1876844462-q0w2x", "legacy"),
        ("redis-0", "redis"),
        ("redis-cluster-12", "redis-cluster"),
        ("kube-proxy-x7k2p", "kube-proxy"),
        ("node-local", "node-local"),
        ("cart", "cart"),
        ("cart-5f6585d649", "cart-5f6585d649"),
    ],
)
def test_a_pod_is_told_by_its_workload(pod: str, expected: str) -> None:
    assert workload(pod) == expected


@given(
    st.from_regex(r"[a-z]{2,8}(-[a-z]{2,6})?", fullmatch=True),
    st.text("bcdfghjklmnpqrstvwxz2456789", min_size=8, max_size=10),
    st.text("bcdfghjklmnpqrstvwxz2456789", min_size=5, max_size=5),
)
def test_whatever_hash_a_replica_set_has_it_is_stripped(name: str, template: str, pod: str) -> None:
    assert workload(f"{name}-{template}-{pod}") == name


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("cart", "cart"),
        ("cart:8080", "cart"),
        ("cart.shop", "cart"),
        ("cart.shop.svc.cluster.local:8080", "cart"),
        ("http://cart.shop.svc/health", "cart"),
        ("api.bank.example:443", "api.bank.example"),
        ("https://shop.example.com/login", "shop.example.com"),
        ("10.0.0.5:9100", "10.0.0.5"),
        ("PassthroughCluster", "PassthroughCluster"),
    ],
)
def test_an_address_inside_is_a_service_and_one_outside_stays_whole(address: str, expected: str) -> None:
    assert host(address) == expected


def test_small_readers() -> None:
    assert [last(name) for name in ("shop/cart", "cart", "shop.v1.Cart")] == ["cart", "cart", "Cart"]
    names = ("cart-tls", "cart-cert", "cart", "cart-tls-secret")
    assert [certificate(name) for name in names] == ["cart"] * 4
    assert [statistic(text) for text in ("0.99", "0.999", "0.5", "Average", "p95", "")] == [
        "p99",
        "p99.9",
        "p50",
        "average",
        "p95",
        "",
    ]
    words = ("inbound", "outbound", "destination", "source", "SPAN_KIND_SERVER", "client", "else", "")
    assert [side(word) for word in words] == ["server", "client", "server", "client", "server", "client", "", ""]


def test_the_first_label_that_says_something_counts() -> None:
    both = {"service_name": "cart", "job": "shop/basket"}
    assert measured("otel.traffic", both).service == "cart"
    assert measured("otel.traffic", {"job": "shop/basket"}).service == "basket"
    unknown = {"source_canonical_service": "web", "destination_canonical_service": "unknown"}
    edge = measured("istio.edge_traffic", {**unknown, "destination_service_name": "db.shop.svc.cluster.local"})
    assert edge.peer == "db"


def test_series_without_a_service_or_half_an_edge_are_counted_not_guessed() -> None:
    reading = CATALOGUE.read(
        [
            answer("http.traffic", ({}, [1.0]), ({"service": "cart"}, [1.0]), ({"service": "none"}, [1.0])),
            answer("http.edge_traffic", ({"service": "cart"}, [1.0]), ({"peer": "cart"}, [1.0])),
        ]
    )
    assert [measure.service for measure in reading.measures] == ["cart"]
    assert dict(reading.unknown) == {"http.traffic": 2, "http.edge_traffic": 2}


def test_arrays_are_handed_on_where_nothing_changes() -> None:
    asked = answer("http.traffic", ({"service": "cart"}, [1.0, 2.0]))
    (measure,) = CATALOGUE.measures([asked])
    assert measure.times is asked.series[0].times
    assert measure.values is asked.series[0].values


def test_percentages_of_success_become_ratios_of_errors() -> None:
    measure = measured("gauges.success", {"service": "cart", "pod": "cart-0"}, [100.0, 97.0, 0.0])
    assert measure.signal == "errors"
    assert measure.unit == "ratio"
    assert list(measure.values) == pytest.approx([0.0, 0.03, 1.0])


def test_what_is_no_number_is_left_out() -> None:
    labels = {"service": "cart"}
    measure = measured("http.latency", labels, [math.nan, 1.0, math.inf, 2.0, -math.inf])
    assert (list(measure.times), list(measure.values)) == ([1.0, 3.0], [1.0, 2.0])
    reading = CATALOGUE.read([answer("http.latency", (labels, [math.nan]), (labels, []))])
    assert (reading.measures, dict(reading.empty)) == ((), {"http.latency": 2})


def test_a_series_that_was_ever_alive_is_not_dead() -> None:
    labels = {"service": "cart"}
    reading = CATALOGUE.read([answer("gauges.success", (labels, [0.0, 0.0]), (labels, [0.0, 1.0]))])
    assert [list(measure.values) for measure in reading.measures] == [[1.0, 0.99]]
    assert dict(reading.dead) == {"gauges.success": 1}
    idle = CATALOGUE.read([answer("http.errors", (labels, [0.0, 0.0]))])
    assert len(idle.measures) == 1  # no failure at all is good news


def test_an_answer_that_no_row_asked_for_is_an_error() -> None:
    stray = Answer(Query("stray", "up", NOW, NOW, 15), ())
    with pytest.raises(PresetsError, match="no row 'stray'"):
        CATALOGUE.measures([stray])


def test_objectives_are_judged_by_what_the_preset_http_asks() -> None:
    def plain(text: str) -> str:
        return "".join(text.replace('{code=~"5..",$where}', '{$where,code=~"5.."}').split())

    asked = {name: plain(CATALOGUE.rows[f"http.{name}"].expr) for name in ("errors", "latency", "traffic")}
    judged = {"errors": golden.ERRORS, "latency": golden.LATENCY, "traffic": golden.TRAFFIC}
    assert asked == {name: plain(text) for name, text in judged.items()}


def test_queries_end_exactly_at_the_end_and_have_a_bounded_number_of_points() -> None:
    (query, *_) = CATALOGUE.queries(["http"], NOW - timedelta(days=30), NOW, 15, 60)
    assert query.end == NOW
    steps = (query.end - query.start).total_seconds() / query.step
    assert steps == int(steps) <= presets.MAX_POINTS
    assert query.step % 15 == 0


def test_an_unknown_preset_is_said_with_those_there_are() -> None:
    with pytest.raises(PresetsError, match=r"no preset htpp; there are gauges, http"):
        CATALOGUE.queries(["http", "htpp"], NOW, NOW, 15, 60)


def test_cheap_queries_that_tell_much_go_first() -> None:
    plan = presets.plan(CATALOGUE, ["http", "kubernetes"], SPAN)
    costs = [[CATALOGUE.rows[query.id].cost for query in wave] for wave in plan.waves]
    assert [set(wave) for wave in costs] == [{1}, {2}, {3}]
    assert [query.id for query in plan.waves[0][:2]] == ["http.errors", "http.latency"]
    asked = [query.id for wave in plan.waves for query in wave]
    assert sorted(asked) == sorted(row.id for row, _ in CATALOGUE.rows_of(["http", "kubernetes"], SPAN))
    assert plan.left_out == ()


def test_a_budget_bounds_number_and_points_and_says_what_it_leaves_out() -> None:
    plan = presets.plan(CATALOGUE, ["http"], SPAN, Budget(queries=7, points=10, at_once=3))
    assert [len(wave) for wave in plan.waves] == [3, 3, 1]
    assert len(plan.left_out) == len(CATALOGUE.rows_of(["http"], SPAN)) - 7
    assert "http.version_latency" in plan.left_out  # the dearest
    assert {(query.end - query.start) / timedelta(seconds=query.step) for query in plan.waves[0]} == {10}


def test_what_says_that_it_is_elsewhere_is_left_out_and_what_says_nothing_is_not() -> None:
    span = replace(SPAN, environment="staging", namespaces=("shop-*", "web"), matchers='zone="b"')
    (errors, *_), *_ = presets.plan(CATALOGUE, ["http"], span).waves
    narrowed = 'zone="b",environment=~"staging|",namespace=~"shop\\\\-.*|web|"'
    assert errors.expr.count(narrowed) == errors.expr.count("{") == 3
    (traffic, *_) = presets.plan(CATALOGUE, ["node"], span).waves[0]
    assert "staging" not in traffic.expr  # its namespace is the exporter's


def test_rows_whose_metrics_are_not_there_are_not_asked() -> None:
    plan = presets.plan(CATALOGUE, ["http", "slo"], SPAN, metric_names=["http_requests_total"])
    asked = {query.id for wave in plan.waves for query in wave}
    assert asked == {"http.errors", "http.traffic", "http.version_errors", "http.version_traffic", "slo.pyrra"}


class Counting:
    """A source that counts how often it is asked."""

    def __init__(self) -> None:
        self.waves = 0

    def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
        self.waves += 1
        return tuple(Answer(query, ()) for query in queries)

    def names(self) -> frozenset[str]:
        return frozenset()


def test_who_has_seen_enough_asks_no_further_wave() -> None:
    source = Counting()
    answers = presets.gather(presets.plan(CATALOGUE, ["http"], SPAN), source)
    assert all(isinstance(each, Answer) for each in next(answers))
    assert source.waves == 1
    assert len(list(answers)) == 2
    assert source.waves == 3


ROW = {"id": "x.a", "signal": "cpu", "expr": "a{$where}", "unit": "", "labels": {"service": "s"}, "why": "w"}
PRESET = {"name": "x", "means": "m", "source": "s", "recognise": ["a"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expr": "a"}, r"x\.a: expr: every selector must end with \$where"),
        ({"expr": "a{$where} + b{c='d'}"}, r"x\.a: expr: every selector must end with \$where"),
        ({"expr": "rate(a{$where}[$wndow])"}, r"x\.a: expr: unknown placeholders wndow"),
        ({"expr": 'label_replace(a{$where}, "b", "$1", "c", "d")'}, r"x\.a: expr: a `\$` that begins no placeholder"),
        ({"id": "y.a"}, r"y\.a: the id must begin with `x\.`"),
        ({"signal": "heat"}, r"presets\.0\.rows\.0\.signal"),
        ({"labels": {"pod": "pod"}}, r"labels\.service: Field required"),
        ({"labels": {"service": "pod|workers"}}, r"'workers' is none of certificate, host, last, workload"),
        ({"labels": {"service": "a-b"}}, r"'a-b' is no label name"),
        ({"labels": {"service": 1}}, r"a label or a list of labels"),
        ({"cost": 4}, r"cost"),
        ({"colour": "red"}, r"colour: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_is_named_with_its_place(change: dict[str, object], message: str) -> None:
    text = yaml.safe_dump({"presets": [{**PRESET, "rows": [{**ROW, **change}]}]})
    with pytest.raises(DataError, match=message):
        presets.load(text)


def test_ids_are_unique_and_the_text_must_be_yaml() -> None:
    assert isinstance(presets.load(yaml.safe_dump({"presets": [{**PRESET, "rows": [ROW]}]})), Catalogue)
    with pytest.raises(DataError, match=r"row x\.a is there 2 times"):
        presets.load(yaml.safe_dump({"presets": [{**PRESET, "rows": [ROW, ROW]}]}))
    with pytest.raises(DataError, match="preset x is there 2 times"):
        presets.load(yaml.safe_dump({"presets": [{**PRESET, "rows": [ROW]}] * 2}))
    with pytest.raises(DataError, match="not valid YAML"):
        presets.load("presets: [")


def test_the_page_shows_every_row() -> None:
    page = (Path(__file__).parents[2] / "docs" / "signals.md").read_text()
    head, _, rest = page.partition("<!-- presets: generated -->\n")
    assert head.startswith("# Signals")
    assert rest == presets.table()
    assert all(f"| `{row}` |" in rest for row in CATALOGUE.rows)
