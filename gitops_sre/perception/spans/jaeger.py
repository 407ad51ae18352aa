"""Answers of Jaeger's query API, `/api/traces` and `/api/traces/{id}` (jaegertracing.io/docs, "HTTP JSON").

Times are microseconds. A process holds the service; a span refers to it and, by references, to its parent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitops_sre.model.telemetry import Span
from gitops_sre.perception.spans.reading import Reader, SpansError, identity, named, peer_of

_PODS = ("k8s.pod.name", "pod", "hostname", "host.name")
_TRUE = ("true", "True", "1")
MAX_SHOWN = 200


def recognised(payload: object) -> bool:
    """Whether this is an answer of Jaeger, a failure included."""
    return isinstance(payload, Mapping) and "data" in payload


def read(payload: object, reader: Reader) -> None:
    """Every span of an answer. Raises SpansError where the answer is but an error."""
    body = payload if isinstance(payload, Mapping) else {}
    traces = body.get("data")
    if not isinstance(traces, list):
        if errors := body.get("errors"):
            raise SpansError(f"Jaeger answered with an error: {errors!r:.{MAX_SHOWN}}")
        if traces is not None:
            raise SpansError(f"data: a list of traces was expected, found {type(traces).__name__}")
        return
    for trace in traces:
        if not isinstance(trace, Mapping):
            reader.skip("a trace that is no object")
            continue
        processes = _part(trace, "processes")
        for raw in _objects(trace.get("spans"), reader):
            process = _part(raw, "process") or _part(processes, _text(raw.get("processID")))
            reader.add(_span(raw, process))


def _span(raw: Mapping[str, object], process: Mapping[str, object]) -> Span:
    tags, whose = _tags(raw.get("tags")), _tags(process.get("tags"))
    trace = identity(_text(raw.get("traceID")))
    return Span(
        trace,
        identity(_text(raw.get("spanID"))),
        _parent(raw, trace),
        named(_text(process.get("serviceName"))),
        next((named(whose[key]) for key in _PODS if whose.get(key)), ""),
        named(_text(raw.get("operationName"))),
        _seconds(raw.get("startTime")),
        _seconds(raw.get("duration")),
        tags.get("error") in _TRUE or tags.get("otel.status_code", "").upper() == "ERROR",
        peer_of(tags.get("span.kind", ""), tags),
    )


def _parent(raw: Mapping[str, object], trace: str) -> str:
    """The span in the same trace that this one is a child of, else the one that it follows from."""
    references = raw.get("references")
    found: dict[str, str] = {}
    for each in references if isinstance(references, list) else ():
        if isinstance(each, Mapping) and identity(_text(each.get("traceID"))) == trace:
            found.setdefault(_text(each.get("refType")), identity(_text(each.get("spanID"))))
    return found.get("CHILD_OF") or found.get("FOLLOWS_FROM") or identity(_text(raw.get("parentSpanID")))


def _objects(raw: object, reader: Reader) -> Iterator[Mapping[str, object]]:
    for each in raw if isinstance(raw, list) else ():
        if isinstance(each, Mapping):
            yield each
        else:
            reader.skip("a span that is no object")


def _tags(raw: object) -> dict[str, str]:
    """Tags as text, whatever their type."""
    found: dict[str, str] = {}
    for each in raw if isinstance(raw, list) else ():
        if isinstance(each, Mapping) and isinstance(each.get("key"), str):
            value = each.get("value")
            if isinstance(value, (str, bool, int, float)):
                found[each["key"]] = str(value).lower() if isinstance(value, bool) else f"{value}"
    return found


def _part(raw: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = raw.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""


def _seconds(raw: object) -> float:
    """Microseconds in seconds; negative, which no span survives, for what is no number."""
    if isinstance(raw, (int, float)) and not isinstance(raw, bool) and 0 <= raw < 1e18:
        return raw / 1e6
    return -1.0
