"""Traces at the door: every format gives the same spans, and nothing that is sent breaks the reading."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.telemetry import Span
from gitops_sre.perception import servicemap, spans
from gitops_sre.perception.spans import reading

TRACE = "5b8efff798038103d269b633813fc60c"
ROOT, CALL, SERVED = "eee19b7ec3c1b173", "00e19b7ec3c1b174", "eee19b7ec3c1b175"
AT = 1_700_000_000
EXPECTED = (
    Span(TRACE, ROOT, "", "web", "web-7f-x", "GET /", AT, 0.25, False, ""),
    Span(TRACE, CALL.lstrip("0"), ROOT, "web", "web-7f-x", "GET", AT + 0.01, 0.2, True, "cart"),
    Span(TRACE, SERVED, CALL.lstrip("0"), "cart", "cart-5c-y", "load", AT + 0.05, 0.1, True, ""),
)


def attributes(**values: str) -> list[dict[str, object]]:
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in values.items()]


def otlp_span(ident: str, parent: str, name: str, start: float, took: float, kind: int, **more: Any) -> dict[str, Any]:
    begin = AT * 10**9 + round(start * 1e9)
    return {
        "traceId": TRACE.upper(),
        "spanId": ident,
        "parentSpanId": parent,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": begin + round(took * 1e9),
        **more,
    }


def otlp() -> dict[str, Any]:
    """As the OpenTelemetry Collector writes it."""
    failed = {"status": {"code": 2, "message": "timeout"}}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(service__name="web", k8s__pod__name="web-7f-x")},
                "scopeSpans": [
                    {
                        "scope": {"name": "http"},
                        "spans": [
                            otlp_span(ROOT, "", "GET /", 0, 0.25, 2),
                            otlp_span(
                                CALL, ROOT, "GET", 0.01, 0.2, 3, attributes=attributes(server__address="cart"), **failed
                            ),
                        ],
                    }
                ],
            },
            {
                "resource": {"attributes": attributes(service__name="cart", k8s__pod__name="cart-5c-y")},
                "scopeSpans": [{"spans": [otlp_span(SERVED, CALL, "load", 0.05, 0.1, 2, **failed)]}],
            },
        ]
    }


def tempo() -> dict[str, Any]:
    """As Tempo answers: other names, ids in base64, enumerations by name."""
    raw = otlp()
    for batch in raw["resourceSpans"]:
        for scope in batch["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
                span["kind"] = {2: "SPAN_KIND_SERVER", 3: "SPAN_KIND_CLIENT"}[span["kind"]]
                if "status" in span:
                    span["status"]["code"] = "STATUS_CODE_ERROR"
    return {"batches": raw["resourceSpans"]}


def jaeger_span(ident: str, parent: str, process: str, name: str, start: float, took: float) -> dict[str, Any]:
    references = [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": parent}] if parent else []
    return {
        "traceID": TRACE,
        "spanID": ident,
        "flags": 1,
        "operationName": name,
        "references": references,
        "startTime": AT * 10**6 + round(start * 1e6),
        "duration": round(took * 1e6),
        "tags": [],
        "logs": [],
        "processID": process,
        "warnings": None,
    }


def jaeger() -> dict[str, Any]:
    """As Jaeger's query API answers."""
    root = jaeger_span(ROOT, "", "p1", "GET /", 0, 0.25)
    call = jaeger_span(CALL, ROOT, "p1", "GET", 0.01, 0.2)
    served = jaeger_span(SERVED, CALL, "p2", "load", 0.05, 0.1)
    failed = {"key": "error", "type": "bool", "value": True}
    kind = {"key": "span.kind", "type": "string", "value": "client"}
    call["tags"] = [failed, kind, {"key": "peer.service", "type": "string", "value": "cart"}]
    served["tags"] = [{"key": "otel.status_code", "type": "string", "value": "ERROR"}]

    def process(name: str, pod: str) -> dict[str, Any]:
        return {"serviceName": name, "tags": [{"key": "k8s.pod.name", "type": "string", "value": pod}]}

    processes = {"p1": process("web", "web-7f-x"), "p2": process("cart", "cart-5c-y")}
    trace = {"traceID": TRACE, "spans": [root, call, served], "processes": processes, "warnings": None}
    return {"data": [trace], "total": 0, "limit": 0, "offset": 0, "errors": None}


def old_otlp() -> dict[str, Any]:
    text = json.dumps(otlp()).replace("scopeSpans", "instrumentationLibrarySpans")
    found: dict[str, Any] = json.loads(text)
    return found


FORMATS = {
    "OTLP": otlp(),
    "OTLP before 0.19": old_otlp(),
    "Tempo": tempo(),
    "Tempo v2": {"trace": otlp()},
    "Jaeger v3": {"result": otlp()},
    "Jaeger": jaeger(),
}


@pytest.mark.parametrize("payload", FORMATS.values(), ids=list(FORMATS))
def test_every_format_gives_the_same_spans(payload: dict[str, Any]) -> None:
    found = spans.read(json.dumps(payload))
    assert found.skipped == {}
    assert [(*span[:6], span.failed, span.peer) for span in found.spans] == [
        (*span[:6], span.failed, span.peer) for span in EXPECTED
    ]
    for span, expected in zip(found.spans, EXPECTED, strict=True):
        assert span.start == pytest.approx(expected.start, abs=1e-5)
        assert span.duration == pytest.approx(expected.duration, abs=1e-6)


def test_they_make_a_map() -> None:
    known = servicemap.from_spans(spans.from_anything(otlp()).spans, AT - 60, AT + 60)
    (edge,) = known.edges
    assert edge.pair == ("web", "cart")
    assert edge.latency == pytest.approx(0.2)
    assert edge.errors == 1.0


def test_a_file_with_a_document_a_line_is_read_as_one() -> None:
    first, second = otlp(), otlp()
    first["resourceSpans"].pop()
    second["resourceSpans"].pop(0)
    text = f"{json.dumps(first)}\n\n{json.dumps(second)}\n"
    assert spans.read(text.encode()) == spans.read(json.dumps(otlp()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff\xfe", "UTF-8"),
        ("", "not JSON"),
        ("<html>Bad gateway</html>", "not JSON"),
        ('{"resourceSpans": []}\n{"resourceSp', "line 2"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "list"),
        ('{"status": "error"}', "'status'"),
        ('{"data": null, "errors": [{"code": 404, "msg": "trace not found"}]}', "trace not found"),
        ('{"data": {"result": []}}', "a list of traces"),
        ('{"resourceSpans": [{"x": 1' + "0" * 5000 + "}]}", "not JSON"),
    ],
)
def test_what_is_no_traces_is_one_clear_error(text: str | bytes, said: str) -> None:
    with pytest.raises(spans.SpansError, match=said) as raised:
        spans.read(text)
    assert len(str(raised.value)) < 400


def test_what_is_no_whole_span_is_counted_and_the_rest_is_read() -> None:
    payload = otlp()
    good = payload["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for broken in (
        {"traceId": "xyz"},
        {"spanId": 7},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": AT},
        {"endTimeUnixNano": "0"},
        {"endTimeUnixNano": 1e300},
    ):
        good.append({**deepcopy(good[0]), "spanId": "aaaaaaaaaaaaaaaa", **broken})
    good.append("span")
    nameless = {"scopeSpans": [{"spans": [good[0]]}]}
    unknown = {"resource": {"attributes": attributes(service__name="unknown_service:java")}, **nameless}
    payload["resourceSpans"] += [nameless, unknown, None]
    found = spans.from_anything(payload)
    assert len(found.spans) == len(EXPECTED)
    assert found.skipped == {
        "a batch that is no object": 1,
        "a span that is no object": 1,
        "no duration": 2,
        "no id": 2,
        "no service name": 2,
        "no time": 2,
    }


def test_no_more_spans_than_the_bound_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_SPANS", 2)
    found = spans.from_anything(jaeger())
    assert len(found.spans) == 2
    assert found.skipped == {"more than 2 spans": 1}


@pytest.mark.parametrize(
    ("attribute", "value", "peer"),
    [
        ("peer.service", "payments", "payments"),
        ("service.peer.name", "payments", "payments"),
        ("server.address", "cart.shop.svc.cluster.local", "cart"),
        ("url.full", "https://user:secret@api.example.com:8443/pay?back=//x", "api.example.com"),
        ("http.url", "http://cart:8080/@me", "cart"),
        ("peer.address", "10.1.2.3:5432", ""),
        ("server.address", "[::1]:5432", ""),
        ("server.address", "localhost", ""),
        ("db.system", "postgresql", "postgresql"),
        ("messaging.system", "kafka", "kafka"),
    ],
)
def test_the_other_side_of_a_call_is_told_by_name_or_address(attribute: str, value: str, peer: str) -> None:
    assert reading.peer_of("client", {attribute: value}) == peer
    assert reading.peer_of("server", {attribute: value}) == ""


def test_of_two_sides_with_one_id_the_answering_one_has_the_children() -> None:
    payload = jaeger()
    trace = payload["data"][0]
    for span in trace["spans"][1:]:
        span["spanID"] = CALL
        span["references"][0]["spanID"] = ROOT
    trace["spans"].append(jaeger_span("77", CALL, "p3", "select", 0.06, 0.01))
    trace["processes"]["p3"] = {"serviceName": "db"}
    for _ in range(2):
        known = servicemap.from_spans(spans.from_anything(payload).spans, AT, AT + 1)
        assert known.pairs == (("cart", "db"), ("web", "cart"))
        trace["spans"].reverse()


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data(), st.sampled_from(sorted(FORMATS)))
def test_junk_anywhere_in_a_payload_never_breaks_the_reading(data: st.DataObject, name: str) -> None:
    payload = deepcopy(FORMATS[name])
    place: Any = payload
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(junk)
    with suppress(spans.SpansError):
        found = spans.from_anything(payload)
        assert len(found.spans) <= len(EXPECTED)
        assert all(span.service and span.id and span.duration >= 0 for span in found.spans)
