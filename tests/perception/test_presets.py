"""The query catalogue: what is asked, and what answers mean."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta

import pytest

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.telemetry import Measure
from gitops_sre.perception import presets

CATALOGUE = presets.load()
END = datetime(2026, 1, 1, tzinfo=UTC)


def answered(row: str, labels: dict[str, str], values: list[float]) -> tuple[Measure, ...]:
    query = Query(row, row, END - timedelta(hours=1), END, 60)
    times = array("d", (float(60 * n) for n in range(len(values))))
    series = Series(tuple(sorted(labels.items())), times, array("d", values))
    return CATALOGUE.measures([Answer(query, (series,))])


def test_every_row_becomes_a_query_of_its_own() -> None:
    names = [preset.name for preset in CATALOGUE.presets]
    asked = CATALOGUE.queries(names, END - timedelta(hours=1), END, 60, 120)
    assert [query.id for query in asked] == list(CATALOGUE.rows)
    assert all("$" not in query.expr for query in asked)


def test_success_in_percent_becomes_a_ratio_of_errors() -> None:
    (found,) = answered("gauges.success", {"service": "cart", "pod": "cart-1"}, [100, 98])
    assert (found.signal, found.unit) == ("errors", "ratio")
    assert list(found.values) == pytest.approx([0, 0.02])


def test_a_metric_that_nobody_feeds_is_left_out() -> None:
    assert answered("gauges.success", {"service": "cart"}, [0, 0, 0]) == ()


def test_quantiles_and_statistics_are_told_apart() -> None:
    (p99,) = answered("gauges.latency", {"service": "cart", "quantile": "0.99", "direction": "client"}, [1])
    (mean,) = answered("gauges.latency", {"service": "cart", "stat": "Average"}, [1])
    assert (p99.stat, p99.side) == ("p99", "client")
    assert mean.stat == "average"


def test_an_edge_has_a_caller_and_a_callee() -> None:
    labels = {"source": "web", "destination": "cart", "quantile": "0.5"}
    (edge,) = answered("gauges.edge_client_latency", labels, [0.1])
    assert (edge.service, edge.peer, edge.side) == ("web", "cart", "client")


def test_no_number_is_no_sample() -> None:
    (found,) = answered("gauges.rate", {"service": "cart"}, [1, float("nan"), 3])
    assert list(found.values) == [1, 3]
    assert list(found.times) == [0, 120]


def test_a_series_without_a_service_is_left_out() -> None:
    assert answered("gauges.rate", {"pod": ""}, [1]) == ()


def test_instrumentation_is_recognised_by_its_metrics() -> None:
    assert CATALOGUE.recognised({"request_success_percent"}) == ("gauges",)
    assert "http" in CATALOGUE.recognised({"http_requests_total"})
    assert CATALOGUE.recognised({"something_else"}) == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("presets: [", "YAML"),
        ("presets: [{name: x}]", "presets.0"),
        (
            "presets: [{name: x, means: m, source: s, recognise: [a], rows: [{id: x.a, signal: latency, expr: 'a{}',"
            " unit: s, labels: {service: s}, why: w}]}]",
            "must end with \\$where",
        ),
    ],
)
def test_a_broken_catalogue_is_refused_with_the_place(text: str, place: str) -> None:
    with pytest.raises(presets.PresetsError, match=place):
        presets.load(text)
