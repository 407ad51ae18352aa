from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.evidence import Answer, Evidence, Gap, Query, Scope, Series
from gitops_sre.model.outcome import Unavailable
from gitops_sre.perception import golden, reading
from gitops_sre.sandbox.telemetry.promql import parse
from gitops_sre.settings import Settings, TimingSettings
from tests.builders import NOW, target

TIMING = TimingSettings(rate_window=6, step=1, investigate=30, baseline=60)
SCOPE = Scope(
    "checkout",
    "staging",
    "staging",
    onset=NOW - timedelta(seconds=10),
    now=NOW,
    baseline_start=NOW - timedelta(seconds=100),
    baseline_end=NOW - timedelta(seconds=40),
)
EDGES = (("cart", "checkout"), ("checkout", "payments"), ("checkout", "shipping"), ("payments", "ledger"))
Values = Mapping[str, Mapping[tuple[tuple[str, str], ...], Iterable[float]]]


def flat(usual: float, now: float | None = None, since: int = 12) -> list[float]:
    """101 samples, the last at NOW; from `since` seconds ago on another value."""
    return [usual] * (101 - since) + [usual if now is None else now] * since


def answer(query: Query, rows: Mapping[tuple[tuple[str, str], ...], Iterable[float]], warned: bool = False) -> Answer:
    series = []
    for labels, values in rows.items():
        listed = list(values)
        begin = NOW.timestamp() - len(listed) + 1
        series.append(Series.of(labels, tuple((begin + n, value) for n, value in enumerate(listed))))
    return Answer(query, tuple(series), ("partial response: a store is down",) if warned else ())


def named(**values: Iterable[float]) -> dict[tuple[tuple[str, str], ...], Iterable[float]]:
    return {(("service", name),): each for name, each in values.items()}


def healthy() -> dict[str, dict[tuple[tuple[str, str], ...], Iterable[float]]]:
    services = ("cart", "checkout", "payments", "shipping", "ledger")
    usual = {"errors": 0.001, "latency": 0.1, "traffic": 50.0, "cpu": 0.5, "memory": 2e8, "replicas": 1.0}
    answers: dict[str, dict[tuple[tuple[str, str], ...], Iterable[float]]] = {
        name: named(**{service: flat(value) for service in services}) for name, value in usual.items()
    }
    answers["calls"] = {(("peer", peer), ("service", service)): flat(5.0) for service, peer in EDGES}
    return answers


def read(rows: Values, *, warned: bool = False, scope: Scope = SCOPE) -> dict[str, Evidence | Gap]:
    answers = [answer(query, rows.get(query.id, {}), warned) for query in golden.queries(scope, TIMING)]
    return {item.id: item for item in golden.read(answers, scope, TIMING)}


def evidence(rows: Values, name: str, **options: Any) -> Evidence:
    found = read(rows, **options)[name]
    assert isinstance(found, Evidence)
    return found


def test_one_query_covers_every_service_and_reaches_from_the_baseline_to_now() -> None:
    for query in golden.queries(SCOPE, TIMING):
        assert 'environment="staging"' in query.expr
        assert "checkout" not in query.expr
        assert query.end == SCOPE.now
        assert query.start <= SCOPE.baseline_start


def test_every_query_is_promql_whatever_the_environment_is_called() -> None:
    hostile = replace(SCOPE, environment='x"} or on() vector(1) or up{a="\\\n')
    for query in golden.queries(hostile, TIMING):
        parse(query.expr)
    slis, traffic = golden.slis(replace(target(), service='a"b\\', environment="x\n"), settings())
    for expr in (*(sli.expr for sli in slis), traffic):
        parse(expr)
    parse(golden.map_query(NOW, TIMING).expr)


@given(st.text(max_size=40))
def test_a_label_value_never_adds_a_matcher(value: str) -> None:
    plain = len(golden.queries(SCOPE, TIMING)[0].expr.replace("staging", ""))
    text = golden.queries(replace(SCOPE, environment=value), TIMING)[0].expr
    growth = sum({"\\": 2, '"': 2, "\n": 2}.get(char, 1) for char in value)
    assert len(text) == plain + text.count('environment="') * growth


def test_a_long_range_is_asked_with_a_larger_step() -> None:
    long = replace(SCOPE, baseline_start=NOW - timedelta(days=7))
    query = golden.queries(long, TIMING)[0]
    assert (query.end - query.start).total_seconds() / query.step <= golden.MAX_POINTS + 1
    assert query.step > TIMING.step


def test_a_rise_is_high_with_its_onset_and_its_baseline() -> None:
    rows = healthy()
    rows["errors"] |= named(checkout=flat(0.001, 0.25))
    found = evidence(rows, "errors/checkout")
    assert (found.symptom, found.value, found.baseline, found.trust) == ("high", 0.25, 0.001, 1.0)
    assert found.at == NOW - timedelta(seconds=11)
    assert "25.0%" in found.statement
    assert evidence(rows, "errors/payments").symptom == "normal"


def test_what_has_just_begun_asks_for_a_second_look() -> None:
    rows = healthy()
    assert reading.unsettled(only_evidence(rows), "checkout") == ""
    rows["errors"] |= named(checkout=flat(0.001, 0.25, since=2))
    assert evidence(rows, "errors/checkout").symptom == "unknown"
    assert "begins or ends just now" in reading.unsettled(only_evidence(rows), "checkout")
    assert reading.unsettled(only_evidence(rows), "payments") == ""


def test_a_fall_of_traffic_is_low() -> None:
    rows = healthy()
    rows["traffic"] |= named(checkout=flat(50, 2))
    assert evidence(rows, "traffic/checkout").symptom == "low"


def test_the_neighbourhood_is_what_the_service_calls_and_who_calls_it() -> None:
    subjects = {item.subject for item in read(healthy()).values()}
    assert subjects == {"checkout", "payments", "shipping", "ledger", "cart"}


@pytest.mark.parametrize("values", [[], [0.001] * 20])
def test_without_samples_or_without_a_baseline_nothing_is_known(values: list[float]) -> None:
    rows = healthy()
    rows["errors"] |= named(checkout=values)
    assert evidence(rows, "errors/checkout").symptom == "unknown"


def test_a_stale_series_is_unknown_never_healthy() -> None:
    found = with_errors([(NOW.timestamp() - 110 + n, 0.001) for n in range(100)])
    assert found.symptom == "unknown"
    assert "stale" in found.statement


def with_errors(samples: list[tuple[float, float]]) -> Evidence:
    """The evidence that exactly these samples of checkout's errors make."""
    rows, asked = healthy(), golden.queries(SCOPE, TIMING)
    series = Series.of((("service", "checkout"),), tuple(samples))
    answers = [
        Answer(each, (series,)) if each.id == "errors" else answer(each, rows.get(each.id, {})) for each in asked
    ]
    found = {item.id: item for item in golden.read(answers, SCOPE, TIMING)}["errors/checkout"]
    assert isinstance(found, Evidence)
    return found


def test_an_unavailable_source_is_a_gap() -> None:
    asked = golden.queries(SCOPE, TIMING)
    answers = [Unavailable("down") for _ in asked]
    found = golden.read(answers, SCOPE, TIMING)
    assert all(isinstance(item, Gap) for item in found)
    assert {item.id for item in found} == {query.id for query in asked}


def test_warnings_lower_the_trust() -> None:
    assert evidence(healthy(), "errors/checkout", warned=True).trust == reading.TRUST_WARNED


def test_a_series_with_holes_is_trusted_less() -> None:
    samples = [(NOW.timestamp() - 100 + n, 0.001) for n in range(101)]
    assert with_errors([*samples[:60], *samples[-5:]]).trust == reading.TRUST_SPARSE


def test_callers_tell_what_a_dead_callee_cannot() -> None:
    rows = healthy()
    rows["errors"] |= named(payments=[])
    rows["errors_seen_by_callers"] = {(("peer", "payments"),): flat(0.001, 1.0)}
    found = evidence(rows, "errors/payments")
    assert (found.symptom, found.trust) == ("high", reading.TRUST_SECOND_HAND)
    assert "callers" in found.statement


def compared(old: list[float], new: list[float]) -> Evidence | Gap | None:
    """`new` ends now; `old` ends three seconds earlier and was healthy before."""
    now = NOW.timestamp()
    before = [0.001] * (98 - len(old)) + old
    first = tuple((now - 100 + n, value) for n, value in enumerate(before))
    second = tuple((now - len(new) + 1 + n, value) for n, value in enumerate(new))
    series = tuple(
        Series.of((("service", "checkout"), ("version", version)), samples)
        for version, samples in (("v2", second), ("v1", first))
    )
    rows, asked = healthy(), golden.queries(SCOPE, TIMING)
    answers = [
        Answer(each, series) if each.id == "version_errors" else answer(each, rows.get(each.id, {})) for each in asked
    ]
    return {item.id: item for item in golden.read(answers, SCOPE, TIMING)}.get("version_errors/checkout")


def test_a_new_version_that_alone_is_bad_is_told_from_the_old_one() -> None:
    found = compared([0.001] * 10, [0.3] * 8)
    assert isinstance(found, Evidence)
    assert (found.symptom, found.value, found.baseline) == ("high", 0.3, 0.001)


def test_both_bad_for_longer_than_the_rates_look_back_acquits_the_new_version() -> None:
    found = compared([0.3] * 20, [0.3] * 15)
    assert isinstance(found, Evidence)
    assert found.symptom == "normal"


def test_a_short_overlap_acquits_nobody() -> None:
    assert compared([0.2] * 3, [0.3] * 6) is None


def test_two_healthy_versions_say_nothing() -> None:
    assert compared([0.001] * 20, [0.001] * 15) is None


def test_the_service_map_is_made_of_calls_that_happen() -> None:
    rows = healthy()
    rows["calls"] |= {(("peer", "old"), ("service", "checkout")): flat(0.0)}
    answers = [answer(query, rows.get(query.id, {})) for query in golden.queries(SCOPE, TIMING)]
    assert golden.edges([*answers, Unavailable("down")]) == tuple(sorted(EDGES))


def test_a_crowded_neighbourhood_is_cut_and_said_so() -> None:
    near, gap = reading.neighbourhood("hub", [("hub", f"s{n}") for n in range(100)])
    assert len(near) == reading.MAX_SUBJECTS
    assert near[0] == "hub"
    assert gap is not None
    assert "100" not in near


def test_the_onset_is_measured_and_else_the_alerts() -> None:
    rows = healthy()
    assert golden.onset(only_evidence(rows), SCOPE) == SCOPE.onset
    rows["errors"] |= named(checkout=flat(0.001, 0.25, since=25))
    assert golden.onset(only_evidence(rows), SCOPE) == NOW - timedelta(seconds=24)


def only_evidence(rows: Values) -> list[Evidence]:
    return [item for item in read(rows).values() if isinstance(item, Evidence)]


def settings(**slo: Any) -> Settings:
    return Settings.model_validate(
        {
            "github": {"repository": "acme/infra"},
            "prometheus": {"url": "http://127.0.0.1:9"},
            "signing": {"key_file": "key.pem"},
            "slos": [
                {"services": ["pay*"], "error_ratio": 0.001, "latency_p99": 0.5},
                {"environments": ["staging"], "error_ratio": 0.05, **slo},
            ],
        }
    )


def test_the_first_objective_that_matches_gives_the_indicators() -> None:
    slis, traffic = golden.slis(target("payments", "production"), settings())
    assert [(sli.name, sli.threshold, sli.unit) for sli in slis] == [
        ("error_ratio", 0.001, "ratio"),
        ("latency_p99", 0.5, "s"),
    ]
    assert 'service="payments"' in traffic
    assert [sli.threshold for sli in golden.slis(target("cart", "staging"), settings())[0]] == [0.05]


def test_no_objective_gives_no_indicators() -> None:
    assert golden.slis(target("cart", "production"), settings())[0] == ()


@given(
    st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=101), min_size=10, max_size=10
    )
)
def test_any_finite_numbers_make_nan_free_evidence(values: list[list[float]]) -> None:
    rows = {query.id: named(checkout=each) for query, each in zip(golden.queries(SCOPE, TIMING), values, strict=True)}
    for item in read(rows).values():
        assert isinstance(item, Evidence)
        assert item.value is None or item.value == item.value
        assert item.at.tzinfo is not None
        assert datetime.fromtimestamp(0, UTC) < item.at <= NOW
