"""The service map: edges from every source, merged in any order, kept up to date."""

from __future__ import annotations

import math
import warnings
from array import array
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_sre.model.servicemap import SOURCES, Baseline, Edge, EdgeSource, ServiceMap, Sighting
from gitops_sre.model.telemetry import Measure, Side, SignalName, Span
from gitops_sre.perception import servicemap

QUIET = (0.0, 1000.0)


def span(
    ident: str, parent: str, service: str, *, at: float = 10.0, took: float = 0.1, failed: bool = False, peer: str = ""
) -> Span:
    return Span("t", ident, parent, service, f"{service}-1", "GET /", at, took, failed, peer)


def edge_of(known: ServiceMap, caller: str, callee: str) -> Edge:
    found = known.between(caller, callee)
    assert found is not None, known.pairs
    return found


def test_a_parent_in_another_service_is_a_call() -> None:
    known = servicemap.from_spans([span("a", "", "web"), span("b", "a", "web"), span("c", "b", "cart")], *QUIET)
    assert known.pairs == (("web", "cart"),)
    assert edge_of(known, "web", "cart").source == "traces"


def test_spans_of_other_traces_with_the_same_id_are_no_parents() -> None:
    other = span("a", "", "web")._replace(trace="u")
    assert servicemap.from_spans([other, span("b", "a", "cart")], *QUIET).pairs == ()


def test_a_calling_span_that_nobody_answers_is_a_call_of_the_peer_it_tells() -> None:
    spans = [span("a", "", "web"), span("b", "a", "web", peer="payments.example.com", took=0.3)]
    edge = edge_of(servicemap.from_spans(spans, *QUIET), "web", "payments.example.com")
    assert edge.latency == 0.3
    assert edge.confidence < servicemap.traced.SURE


def test_a_calling_span_that_is_answered_is_a_call_of_who_answers_and_takes_what_the_caller_waits() -> None:
    spans = [span("a", "", "web", peer="cart.shop", took=0.5), span("b", "a", "cart", took=0.2)]
    known = servicemap.from_spans(spans, *QUIET)
    assert known.pairs == (("web", "cart"),)
    assert edge_of(known, "web", "cart").latency == 0.5


def test_calls_that_never_arrive_count_as_failures_of_the_edge() -> None:
    spans = [span("a", "", "web"), span("b", "a", "web", peer="cart"), span("c", "b", "cart")]
    spans.append(span("d", "a", "web", peer="cart", failed=True))
    edge = edge_of(servicemap.from_spans(spans, *QUIET), "web", "cart")
    assert edge.errors == 0.5
    assert edge.confidence == servicemap.traced.SURE


def request(n: int, at: float, took: float = 0.1, *, failed: bool = False) -> list[Span]:
    parts = [span(f"w{n}", "", "web", at=at), span(f"c{n}", f"w{n}", "cart", at=at, took=took, failed=failed)]
    return [part._replace(trace=f"t{n}") for part in parts]


def test_what_is_usual_is_taken_from_the_quiet_time_only() -> None:
    spans = [part for n in range(10) for part in request(n, float(n), 0.1 + n / 1000, failed=n == 0)]
    spans += request(99, 2000.0, 9.0, failed=True)
    edge = edge_of(servicemap.from_spans(spans, *QUIET), "web", "cart")
    assert edge.latency == pytest.approx(0.1045)
    assert edge.errors == pytest.approx(0.1)
    assert edge.traffic == pytest.approx(10 / 9)
    assert edge.seen == 2000.0


def test_two_minutes_of_different_days_are_two_minutes() -> None:
    spans = [part for n in range(120) for part in request(n, n + 86_400.0 * (n >= 60))]
    edge = edge_of(servicemap.from_spans(spans, -math.inf, math.inf), "web", "cart")
    assert edge.traffic == pytest.approx(1.0, rel=0.1)


def test_one_trace_says_nothing_of_traffic() -> None:
    edge = edge_of(servicemap.from_spans(request(1, 10.0), *QUIET), "web", "cart")
    assert (edge.latency, edge.traffic) == (0.1, None)


def test_without_a_quiet_time_there_is_an_edge_and_nothing_usual() -> None:
    spans = [span("a", "", "web", at=5000.0), span("b", "a", "cart", at=5000.0)]
    edge = edge_of(servicemap.from_spans(spans, *QUIET), "web", "cart")
    assert (edge.latency, edge.traffic, edge.errors) == (None, None, None)


def measure(
    signal: SignalName,
    query: str,
    values: list[float],
    *,
    unit: str = "",
    stat: str = "",
    side: Side = "client",
    pair: tuple[str, str] = ("web", "cart"),
) -> Measure:
    times = array("d", (float(100 * n) for n in range(len(values))))
    return Measure(signal, pair[0], times, array("d", values), unit, peer=pair[1], stat=stat, side=side, query=query)


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("istio.edge_traffic", "mesh"),
        ("linkerd.edge_traffic", "mesh"),
        ("spanmetrics.edge_traffic", "span_metrics"),
        ("http.edge_traffic", "client_metrics"),
        ("otel.edge_traffic", "client_metrics"),
    ],
)
def test_metrics_with_a_peer_are_edges_of_their_kind(query: str, source: str) -> None:
    known = servicemap.from_measures([measure("traffic", query, [2.0, 4.0, 3.0], unit="req/s")], *QUIET)
    edge = edge_of(known, "web", "cart")
    assert edge.source == source
    assert edge.traffic == 3.0


def test_the_usual_latency_is_the_median_where_there_is_one_and_says_what_it_is() -> None:
    rows = [
        measure("latency", "gauges.edge_client_latency", [0.9] * 5, stat="p99"),
        measure("latency", "gauges.edge_client_latency", [0.2] * 5, stat="p50"),
        measure("latency", "gauges.edge_server_latency", [0.1] * 5, stat="p50", side="server"),
    ]
    edge = edge_of(servicemap.from_measures(rows, *QUIET), "web", "cart")
    baseline = edge.sightings[0].baseline
    assert baseline is not None
    assert (edge.latency, baseline.stat) == (0.2, "p50")


def test_an_incident_after_the_quiet_time_changes_nothing_that_is_usual() -> None:
    values = [0.1] * 11 + [7.0] * 20
    edge = edge_of(servicemap.from_measures([measure("latency", "istio.edge_latency", values)], *QUIET), "web", "cart")
    assert edge.latency == 0.1


def test_traffic_that_never_was_is_no_edge() -> None:
    rows = [
        measure("traffic", "istio.edge_traffic", [0.0] * 5, unit="req/s"),
        measure("latency", "istio.edge_latency", [0.0] * 5),
    ]
    assert servicemap.from_measures(rows, *QUIET).pairs == ()


def test_the_most_certain_source_names_the_edge_and_gaps_are_filled_from_the_others() -> None:
    traced = Edge("web", "cart", (Sighting("traces", 0.99, 10.0, Baseline(10.0, 0.2, 0.5, 0.0, "median")),))
    meshed = Edge("web", "cart", (Sighting("mesh", 0.98, 20.0, Baseline(20.0, None, 40.0, 0.01)),))
    said = servicemap.declared([("web", "cart"), ("web", "web")], 30.0)
    known = servicemap.merge(ServiceMap((meshed,)), said, ServiceMap((traced,)))
    edge = edge_of(known, "web", "cart")
    assert edge.source == "traces"
    assert edge.confidence == pytest.approx(1 - 0.01 * 0.02 * 0.1)
    assert (edge.latency, edge.errors) == (0.2, 0.0)
    assert edge.traffic == 40.0, "traces are sampled, metrics are not"
    assert len(known.edges) == 1


def test_sources_can_be_left_out_and_uncertain_edges_too() -> None:
    traced = Edge("web", "cart", (Sighting("traces", 0.99, 1.0), Sighting("declared", 0.9, 1.0)))
    guessed = Edge("web", "mail", (Sighting("correlation", 0.4, 1.0),))
    known = servicemap.of_edges([traced, guessed])
    assert known.sure(0.5).pairs == (("web", "cart"),)
    told, guesses = SOURCES[4:5], SOURCES[5:]
    assert known.sure(0.5, told).edges[0].source == "declared"
    assert known.sure(0.3, guesses).pairs == (("web", "mail"),)


names = st.sampled_from(["a", "b", "c", "d"])
values = st.none() | st.floats(0, 10)
baselines = st.none() | st.builds(
    Baseline, st.integers(0, 5).map(float), values, values, values, st.sampled_from(["", "p50", "p99"])
)
sightings = st.builds(
    Sighting, st.sampled_from(SOURCES), st.floats(0.01, 0.99), st.integers(0, 20).map(float), baselines
)
maps = st.lists(st.builds(lambda a, b, each: Edge(a, b, (each,)), names, names, sightings), max_size=8).map(
    servicemap.of_edges
)


@settings(max_examples=40)
@given(st.lists(maps, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_what_comes_in_does_not_matter(parts: list[ServiceMap], random: Random) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)
    assert servicemap.merge(*parts) == servicemap.merge(*shuffled)


@settings(max_examples=40)
@given(maps, maps, maps)
def test_it_can_come_in_portions_and_more_than_once(one: ServiceMap, two: ServiceMap, three: ServiceMap) -> None:
    whole = servicemap.merge(one, two, three)
    assert servicemap.merge(servicemap.merge(one, two), three) == whole
    assert servicemap.merge(one, servicemap.merge(two, three)) == whole
    assert servicemap.merge(whole, two, whole) == whole


@settings(max_examples=40)
@given(maps, maps, st.integers(0, 30))
def test_a_map_keeps_what_was_seen_lately_and_forgets_the_rest(known: ServiceMap, new: ServiceMap, keep: int) -> None:
    now = 20.0
    fresh = servicemap.update(known, new, now, float(keep))
    told = {(e.pair, s.source) for e in new.edges for s in e.sightings}
    lately = {(e.pair, s.source) for e in known.edges for s in e.sightings if s.seen >= now - keep}
    assert {(e.pair, s.source) for e in fresh.edges for s in e.sightings} == lately | told
    assert len(set(fresh.pairs)) == len(fresh.pairs)
    assert list(fresh.pairs) == sorted(fresh.pairs)
    assert servicemap.update(fresh, new, now, float(keep)) == fresh
    assert all(0 < edge.confidence <= 1 and edge.caller != edge.callee for edge in fresh.edges)


def test_everything_together_is_one_map() -> None:
    normal = [span("a", "", "web", at=-5e6), span("b", "a", "cart", at=-5e6)]
    known = servicemap.draw(
        [measure("traffic", "istio.edge_traffic", [1.0, 1.0], unit="req/s", pair=("cart", "db"))],
        [span("x", "", "web"), span("y", "x", "mail")],
        normal,
        [("web", "cart")],
        (*QUIET, 2000.0),
    )
    assert known.pairs == (("cart", "db"), ("web", "cart"), ("web", "mail"))
    assert [each.source for each in edge_of(known, "web", "cart").sightings] == ["traces", "declared"]
    assert edge_of(known, "web", "cart").latency == 0.1
    assert math.isfinite(edge_of(known, "web", "cart").seen)


def loads(samples: int = 400, seed: int = 1) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """web calls cart, cart calls db for a part of its requests; jobs does nothing with them; all have the same day."""
    rng = np.random.default_rng(seed)
    day = 1 + 0.5 * np.sin(np.arange(samples) / 60)
    web = rng.poisson(400 * day).astype(float)
    cart = rng.binomial(web.astype(int), 0.8).astype(float)
    db = rng.binomial(cart.astype(int), 0.7).astype(float)
    jobs = rng.poisson(300 * day).astype(float)
    return {"web": web, "cart": cart, "db": db, "jobs": jobs}


def moving(latencies: dict[str, float], **more: int) -> list[Measure]:
    rows = []
    for name, values in loads(**more).items():
        times = array("d", (60.0 * n for n in range(len(values))))
        rows.append(Measure("traffic", name, times, array("d", values), "req/s"))
        if name in latencies:
            usual = array("d", [latencies[name]] * len(values))
            rows.append(Measure("latency", name, times, usual, "s", stat="average"))
    return rows


LATENCIES = {"web": 0.4, "cart": 0.2, "db": 0.05, "jobs": 0.3}


def test_traffic_that_moves_together_is_a_guess_with_the_slower_one_calling() -> None:
    known = servicemap.from_movement(moving(LATENCIES), 0, 400 * 60)
    assert known.pairs == (("cart", "db"), ("web", "cart"))
    assert all(edge.confidence < servicemap.CERTAIN for edge in known.edges)
    assert all(edge.source == "correlation" for edge in known.edges)


def test_a_common_day_is_no_call() -> None:
    for seed in range(20):
        pairs = servicemap.from_movement(moving(LATENCIES, seed=seed), 0, 400 * 60).pairs
        assert "jobs" not in {name for pair in pairs for name in pair}


def test_traffic_alone_does_not_say_who_calls() -> None:
    assert servicemap.from_movement(moving({}), 0, 400 * 60).pairs == ()
    assert servicemap.from_movement(moving(dict.fromkeys(LATENCIES, 0.1)), 0, 400 * 60).pairs == ()


def test_too_short_a_time_says_nothing() -> None:
    assert servicemap.from_movement(moving(LATENCIES), 0, 20 * 60).pairs == ()


def test_nothing_is_guessed_of_services_that_better_sources_know() -> None:
    rows = moving(LATENCIES)
    assert servicemap.from_movement(rows, 0, 400 * 60, known=[*LATENCIES]).pairs == ()
    assert servicemap.from_movement(rows, 0, 400 * 60, known=["web", "cart", "jobs"]).pairs == (("cart", "db"),)
    drawn = servicemap.draw(rows, (), (), [("web", "cart")], (0, 400 * 60, 500 * 60))
    assert {edge.pair: edge.source for edge in drawn.edges} == {
        ("cart", "db"): "correlation",
        ("web", "cart"): "declared",
    }
    assert drawn.sure(servicemap.CERTAIN).pairs == (("web", "cart"),)


def test_samples_that_are_missing_or_constant_break_nothing() -> None:
    rows = moving(LATENCIES)
    empty = Measure("traffic", "idle", rows[0].times, array("d", [0.0] * 400), "req/s")
    sparse = Measure("traffic", "cron", rows[0].times[::2], rows[0].values[::2], "req/s")
    odd = Measure("traffic", "odd", rows[0].times[:390], array("d", [-1.0, 1.0] * 195), "req/s")
    late = Measure("traffic", "late", rows[0].times[390:], rows[0].values[390:], "req/s")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = servicemap.from_movement([*rows, empty, sparse, late, odd], 0, 400 * 60)
    assert known.pairs == (("cart", "db"), ("web", "cart"))


def shop(*edges: tuple[str, str, float | None]) -> ServiceMap:
    return servicemap.of_edges(
        Edge(a, b, (Sighting("mesh", 0.9, 1.0, Baseline(1.0, traffic=traffic)),)) for a, b, traffic in edges
    )


SHOP = shop(
    ("web", "cart", 50.0),
    ("web", "search", 100.0),
    ("app", "cart", 50.0),
    ("cart", "db", 60.0),
    ("search", "index", 100.0),
    ("jobs", "index", 1.0),
)


def test_the_blast_radius_is_weighed_by_traffic() -> None:
    found = servicemap.blast_radius(SHOP, "db", {"web": 200.0, "app": 50.0, "jobs": 10.0})
    shares = {each.service: each.share for each in found.services}
    assert shares == {"db": 1.0, "cart": 0.6, "app": pytest.approx(0.6), "web": pytest.approx(0.15)}
    assert [each.service for each in found.entries] == ["app", "web"]
    assert found.share == pytest.approx((200 * 0.15 + 50 * 0.6) / 260)


def test_without_traffic_it_is_known_who_suffers_but_not_how_much() -> None:
    found = servicemap.blast_radius(shop(("web", "cart", None), ("cart", "db", None)), "db")
    assert {each.service: each.share for each in found.services} == {"db": 1.0, "cart": None, "web": None}
    assert found.share is None


def test_a_service_that_nobody_calls_affects_itself_alone() -> None:
    found = servicemap.blast_radius(SHOP, "app", {"web": 100.0, "app": 100.0, "jobs": 0.0})
    assert [each.service for each in found.services] == ["app"]
    assert found.share == pytest.approx(0.5)


def test_the_blast_radius_is_told_in_a_sentence() -> None:
    told = servicemap.told(servicemap.blast_radius(SHOP, "db", {"web": 200.0, "app": 50.0, "jobs": 10.0}))
    assert (
        told == "Blast radius: 3 services need db, for at most 23% of all requests: app (60%), cart (60%), web (15%)."
    )
    unknown = servicemap.told(servicemap.blast_radius(shop(("web", "cart", None)), "cart"))
    assert unknown == "Blast radius: 1 service needs cart: web."
    many = servicemap.told(servicemap.blast_radius(shop(*((f"s{n}", "db", None) for n in range(7))), "db"))
    assert many.endswith("s4 and 2 more.")
    assert servicemap.told(servicemap.blast_radius(SHOP, "app")) == ""


def edge(caller: str, callee: str, source: EdgeSource, seen: float, confidence: float = 0.9) -> ServiceMap:
    return servicemap.of_edges([Edge(caller, callee, (Sighting(source, confidence, seen),))])


def test_guesses_are_not_remembered_and_what_nobody_tells_of_is_forgotten() -> None:
    old, fresh = edge("web", "cart", "mesh", 0.0), edge("cart", "db", "traces", 10.0)
    guess = edge("jobs", "db", "correlation", 10.0)
    known = servicemap.remembered(old, servicemap.merge(fresh, guess), 10.0)
    assert known == servicemap.merge(old, fresh)
    assert servicemap.remembered(known, ServiceMap(), servicemap.KEEP + 1.0) == fresh


def test_reasoning_goes_by_what_is_remembered_only_of_callers_whose_calls_nothing_tells_of_now() -> None:
    before = servicemap.merge(edge("web", "cart", "mesh", 0.0), edge("jobs", "index", "mesh", 0.0))
    doubtful = edge("cron", "index", "mesh", 0.0, 0.3)
    now = servicemap.merge(edge("web", "search", "mesh", 9.0), edge("jobs", "db", "correlation", 9.0, 0.4))
    assert servicemap.relied_on(servicemap.merge(before, doubtful), now) == (("web", "search"), ("jobs", "index"))
    assert servicemap.relied_on(before, ServiceMap()) == before.pairs


@settings(max_examples=40)
@given(maps, names)
def test_circles_and_anything_else_end(known: ServiceMap, service: str) -> None:
    found = servicemap.blast_radius(known, service)
    assert all(each.share is None or 0 <= each.share <= 1 for each in found.services)
    assert found.share is None or 0 <= found.share <= 1
