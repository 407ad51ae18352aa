from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from gitops_sre.adapters import prometheus as adapter
from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.model.evidence import Answer, Query
from gitops_sre.model.outcome import Unavailable
from gitops_sre.perception.promql import where
from gitops_sre.ports import Alerts, Metrics
from gitops_sre.sandbox.telemetry.prometheus import free_port, missing_binaries, start_prometheus
from gitops_sre.settings import PrometheusSettings
from tests.adapters.misbehaving import Request, server

BASE = 1_760_000_000
START = datetime.fromtimestamp(BASE, UTC)
ODD = 'a"b\\c} or up{x="'
needs_prometheus = pytest.mark.skipif(
    bool(missing_binaries()), reason=f"not on PATH: {', '.join(missing_binaries())} (Debian: prometheus)"
)


def query(expr: str = "up", *, start: float = 0, seconds: float = 20, step: float = 1, name: str = "q") -> Query:
    begin = START + timedelta(seconds=start)
    return Query(name, expr, begin, begin + timedelta(seconds=seconds), step)


def ask(url: str, *queries: Query, **settings: object) -> tuple[Answer | Unavailable, ...]:
    client = Prometheus(PrometheusSettings.model_validate({"url": url, "timeout": 2, **settings}), {"TOKEN": "s3cret"})
    try:
        return client.ask(queries or (query(),))
    finally:
        client.close()


def answered(answer: Answer | Unavailable) -> Answer:
    assert isinstance(answer, Answer), answer
    return answer


def refused(answer: object) -> str:
    assert isinstance(answer, Unavailable), answer
    return answer.reason


def matrix(*rows: tuple[dict[str, str], list[list[object]]], **more: object) -> str:
    result = [{"metric": labels, "values": values} for labels, values in rows]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}, **more})


def always(status: int, body: str, **headers: str) -> Callable[[Request], None]:
    return lambda request: request.answer(status, body, **headers)


def test_it_satisfies_the_ports() -> None:
    client = Prometheus(PrometheusSettings(url="http://127.0.0.1:9"), {})
    metrics: Metrics = client
    alerts: Alerts = client
    assert (alerts.source, metrics.ask(())) == ("prometheus", ())


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    escaped = ODD.replace("\\", "\\\\").replace('"', '\\"')
    lines = []
    for at in range(60):
        count = at * 10 if at < 30 else (at - 30) * 10  # the counter starts again in the middle
        lines.append(f'c_total{{service="cart"}} {count} {BASE + at}')
    for at in range(60):
        value = "NaN" if at % 10 == 3 else "+Inf" if at % 10 == 4 else str(at)
        lines.append(f'odd{{service="{escaped}"}} {value} {BASE + at}')
    for number in range(30):
        lines += [f'wide{{n="{number:02}"}} {number} {BASE + at}' for at in range(60)]
    source = folder / "metrics.txt"
    source.write_text("\n".join([*lines, "# EOF\n"]))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(source), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)
    process = start_prometheus(folder, Path(__file__).with_name("rules.yaml").read_text())
    try:
        yield process.url
    finally:
        process.stop()


@needs_prometheus
def test_a_range_is_answered_with_labels_and_samples(real: str) -> None:
    (series,) = answered(ask(real, query('c_total{service="cart"}', seconds=3))[0]).series
    assert series.label("service") == "cart"
    assert series.samples == tuple((BASE + n, 10.0 * n) for n in range(4))


@needs_prometheus
def test_plain_series_come_as_they_were_sampled(real: str) -> None:
    asked = replace(query('c_total{service="cart"}', start=0.5, seconds=3, step=2, name="p"), plain=True)
    (series,) = answered(ask(real, asked)[0]).series
    assert series.samples == tuple((BASE + n, 10.0 * n) for n in (1, 2, 3))
    long = replace(asked, end=asked.start + timedelta(seconds=300), step=20)
    (coarse,) = answered(ask(real, long, max_points=20)[0]).series
    assert {at % 20 for at in coarse.times} == {asked.start.timestamp() % 20}  # 20 samples are not enough: a grid


@needs_prometheus
def test_times_are_exact_not_rounded_to_seconds(real: str) -> None:
    (series,) = answered(ask(real, query("c_total", start=5.25, seconds=1, step=0.5))[0]).series
    assert [at for at, _ in series.samples] == [BASE + 5.25, BASE + 5.75, BASE + 6.25]


@needs_prometheus
def test_many_queries_come_back_in_order(real: str) -> None:
    queries = [query(f"vector({number})", name=str(number), seconds=1) for number in range(25)]
    answers = ask(real, *queries)
    assert [answered(answer).query.id for answer in answers] == [str(number) for number in range(25)]
    assert [answered(answer).series[0].samples[0][1] for answer in answers] == list(range(25))


@needs_prometheus
def test_values_that_are_no_numbers_are_left_out_and_said_so(real: str) -> None:
    answer = answered(ask(real, query("odd", seconds=59))[0])
    assert len(answer.series[0].samples) == 48
    assert all(math.isfinite(value) for _, value in answer.series[0].samples)
    assert answer.warnings == ("12 samples were NaN or infinite and were left out",)


@needs_prometheus
def test_a_label_value_cannot_inject_a_query(real: str) -> None:
    (series,) = answered(ask(real, query(f"odd{{{where(service=ODD)}}}", seconds=1))[0]).series
    assert series.label("service") == ODD


@needs_prometheus
def test_a_label_explosion_is_capped_and_said_so(real: str) -> None:
    answer = answered(ask(real, query("wide"), max_series=10)[0])
    assert [series.label("n") for series in answer.series] == [f"{number:02}" for number in range(10)]
    assert answer.warnings == ("30 series are more than 10; the rest was cut off",)


@needs_prometheus
def test_a_counter_that_starts_again_makes_no_spike(real: str) -> None:
    (series,) = answered(ask(real, query("rate(c_total[5s])", start=10, seconds=45))[0]).series
    assert max(value for _, value in series.samples) <= 10.5


@needs_prometheus
def test_a_query_longer_than_a_url_goes_by_post(real: str) -> None:
    names = "|".join(f"s{number}" for number in range(3000))
    (series,) = answered(ask(real, query(f'c_total{{service=~"cart|{names}"}}'))[0]).series
    assert series.label("service") == "cart"


@needs_prometheus
def test_what_is_no_promql_is_refused_with_prometheus_own_word(real: str) -> None:
    assert "parse error" in refused(ask(real, query("sum by"))[0])


@needs_prometheus
def names(url: str, times: int = 1) -> frozenset[str] | Unavailable:
    client = Prometheus(PrometheusSettings.model_validate({"url": url, "timeout": 2}), {})
    try:
        return [client.names() for _ in range(times)][-1]
    finally:
        client.close()


@needs_prometheus
def test_the_names_of_its_metrics_are_known(real: str) -> None:
    found = names(real)
    assert isinstance(found, frozenset), found
    assert {"c_total", "odd", "wide"} <= found


def test_the_names_are_not_asked_again_within_minutes() -> None:
    asked: list[str] = []

    def behave(request: Request) -> None:
        asked.append(request.path)
        request.answer(200, json.dumps({"status": "success", "data": ["a", "b"]}))

    with server(behave) as url:
        assert names(url, times=3) == frozenset({"a", "b"})
    assert asked == ["/api/v1/label/__name__/values"]


@pytest.mark.parametrize(
    ("status", "body"), [(500, "no"), (200, "{}"), (200, '{"data": null}'), (200, '{"data": [1]}'), (200, "[]")]
)
def test_without_names_it_says_why_and_asks_again(status: int, body: str) -> None:
    asked: list[str] = []

    def behave(request: Request) -> None:
        asked.append(request.path)
        request.answer(status, body)

    with server(behave) as url:
        assert refused(names(url, times=2)).startswith("Prometheus at 127.0.0.1: ")
    assert len(asked) == 2


def test_firing_alerts_are_read_from_the_api(real: str) -> None:
    client = Prometheus(PrometheusSettings(url=real), {})
    deadline = monotonic() + 10
    alerts = client.firing()
    while not alerts and monotonic() < deadline:
        alerts = client.firing()
    client.close()
    assert isinstance(alerts, tuple)
    assert [(alert.name, alert.labels["service"], alert.source) for alert in alerts] == [
        ("AlwaysFiring", "cart", "prometheus")
    ]
    assert alerts[0].starts_at.tzinfo is UTC


def test_a_dead_host_is_unavailable_at_once() -> None:
    began = monotonic()
    reason = refused(ask(f"http://127.0.0.1:{free_port()}")[0])
    assert "cannot be reached" in reason
    assert monotonic() - began < 1


def test_a_server_that_hangs_is_given_up_in_parallel() -> None:
    began = monotonic()
    with server(lambda request: request.released.wait(20)) as url:
        answers = ask(url, *[query()] * 6, timeout=0.5)
    assert all("no answer within 0.5 s" in refused(answer) for answer in answers)
    assert monotonic() - began < 4


def test_an_answer_that_trickles_in_is_given_up_too() -> None:
    def trickle(request: Request) -> None:
        request.begin()
        while not request.released.wait(0.05):
            request.more(b" " * adapter.CHUNK)

    with server(trickle) as url:
        assert "no answer within 0.5 s" in refused(ask(url, timeout=0.5)[0])


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "MAX_BYTES", 4 * adapter.CHUNK)
    with server(always(200, " " * (6 * adapter.CHUNK))) as url:
        assert "MiB; ask for less" in refused(ask(url, timeout=20)[0])


@pytest.mark.parametrize("status", [400, 401, 422, 500, 502, 503])
def test_an_error_is_unavailable_and_asked_only_once(status: int) -> None:
    asked: list[str] = []

    def fail(request: Request) -> None:
        asked.append(request.path)
        request.answer(status, json.dumps({"status": "error", "error": "too busy"}))

    with server(fail) as url:
        reason = refused(ask(url)[0])
    assert str(status) in reason
    assert "too busy" in reason
    assert len(asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "null",
        '{"data": null}',
        '{"status": "success", "data": {"result": null}}',
        '{"status": "success", "data": {"result": [{"values": [[1, "1"]]}]}}',
        '{"status": "success", "data": {"result": [{"metric": {}, "values": [[1]]}]}}',
        '{"status": "success", "data": {"result": [{"metric": {}, "values": [[1, "x"]]}]}}',
        '{"status": "success", "warnings": ',
        "[" * 100_000,
    ],
)
def test_what_is_no_answer_of_the_api_is_unavailable(body: str) -> None:
    with server(always(200, body)) as url:
        assert "not what the API promises" in refused(ask(url)[0])
        client = Prometheus(PrometheusSettings(url=url), {})
        assert isinstance(client.firing(), Unavailable)
        client.close()


def test_the_sources_own_warnings_are_kept_for_their_answer_alone() -> None:
    def partly(request: Request) -> None:
        more = {"warnings": ["store-2 did not answer"]} if request.parameters["query"] == ["partial"] else {}
        request.answer(200, matrix(({"a": "b"}, [[BASE, "1"]]), **more))

    with server(partly) as url:
        answers = ask(url, *(query(expr) for expr in ["partial", "whole"] * 10))
    warnings = [answered(answer).warnings for answer in answers]
    assert warnings == [("store-2 did not answer",), ()] * 10


def test_the_token_is_sent_and_follows_no_redirect() -> None:
    seen: list[str] = []

    def elsewhere(request: Request) -> None:
        seen.append(request.headers.get("Authorization", ""))
        request.answer(302, "", Location="/stolen")

    with server(elsewhere) as url:
        assert "302" in refused(ask(url, token_env="TOKEN")[0])
    assert seen == ["Bearer s3cret"]


def test_a_credential_in_the_url_is_refused_by_the_settings() -> None:
    with pytest.raises(ValueError, match="environment variable") as refusal:
        ask(f"http://user:hunter2@127.0.0.1:{free_port()}")
    assert "hunter2" not in str(refusal.value)


def test_short_queries_are_read_only_gets() -> None:
    seen: list[Request] = []

    def record(request: Request) -> None:
        seen.append(request)
        request.answer(200, matrix())

    with server(record) as url:
        ask(url, query("up"), query("up + " * 500 + "up"))
    methods = {len(request.parameters["query"][0]) > 100: (request.method, bool(request.in_url)) for request in seen}
    assert methods == {False: ("GET", True), True: ("POST", False)}


def test_more_samples_than_allowed_are_not_even_asked_for() -> None:
    reason = refused(ask(f"http://127.0.0.1:{free_port()}", query(seconds=100_000), max_points=1000)[0])
    assert "raise timing.step" in reason


def test_malformed_alerts_are_unavailable_with_their_place() -> None:
    body = json.dumps({"status": "success", "data": {"alerts": [{"state": "firing", "labels": {}}]}})
    with server(always(200, body)) as url:
        client = Prometheus(PrometheusSettings(url=url), {})
        reason = refused(client.firing())
        client.close()
    assert "data.alerts[0].labels.alertname: missing" in reason
