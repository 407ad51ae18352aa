"""OTLP traces as JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"), and Tempo's answers in it.

OTLP writes ids in hexadecimal; Tempo lets protobuf's own JSON mapping write them, which is base64. Numbers of 64 bits
come as text or as numbers, enumerations as numbers or by name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

from gitops_sre.model.telemetry import Span
from gitops_sre.perception.spans.reading import Reader, identity, named, peer_of

_KINDS: Mapping[int, str] = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_ERROR = (2, "2", "STATUS_CODE_ERROR", "error")
_BATCHES = ("resourceSpans", "resource_spans", "batches")
_WRAPPERS = ("trace", "result")
"""Tempo's second API answers `{"trace": ...}`, Jaeger's third `{"result": ...}`."""
_SCOPES = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
"""The last was the name before OTLP 0.19."""
_PODS = ("k8s.pod.name", "pod", "host.name", "service.instance.id")
_HEX_LENGTHS = frozenset({16, 32})


def recognised(payload: object) -> bool:
    """Whether this is OTLP, bare or wrapped."""
    return any(key in body for body in _bodies(payload) for key in _BATCHES)


def read(payload: object, reader: Reader) -> None:
    """Every span of a payload."""
    for body in _bodies(payload):
        for batch in _listed(body, _BATCHES, reader, "a batch that is no object"):
            resource = _attributes(_part(batch, "resource").get("attributes"))
            service = named(resource.get("service.name", ""))
            pod = next((named(resource[key]) for key in _PODS if resource.get(key)), "")
            for scope in _listed(batch, _SCOPES, reader, "a scope that is no object"):
                for raw in _listed(scope, ("spans",), reader, "a span that is no object"):
                    reader.add(_span(raw, service, pod))


def _bodies(payload: object) -> Iterator[Mapping[str, object]]:
    if isinstance(payload, Mapping):
        yield payload
        yield from (part for key in _WRAPPERS if (part := _part(payload, key)))


def _span(raw: Mapping[str, object], service: str, pod: str) -> Span:
    start, end = _seconds(raw.get("startTimeUnixNano")), _seconds(raw.get("endTimeUnixNano"))
    return Span(
        _identity(raw.get("traceId")),
        _identity(raw.get("spanId")),
        _identity(raw.get("parentSpanId")),
        service,
        pod,
        named(_text(raw.get("name"))),
        start,
        end - start,
        _part(raw, "status").get("code") in _ERROR,
        peer_of(_kind(raw.get("kind")), _attributes(raw.get("attributes"))),
    )


def _part(raw: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = raw.get(key)
    return value if isinstance(value, Mapping) else {}


def _listed(
    raw: Mapping[str, object], keys: tuple[str, ...], reader: Reader, otherwise: str
) -> Iterator[Mapping[str, object]]:
    for key in keys:
        value = raw.get(key)
        for each in value if isinstance(value, list) else ():
            if isinstance(each, Mapping):
                yield each
            else:
                reader.skip(otherwise)


def _attributes(raw: object) -> dict[str, str]:
    """Attributes that are text; no other tells who somebody is."""
    found: dict[str, str] = {}
    for each in raw if isinstance(raw, list) else ():
        if isinstance(each, Mapping) and isinstance(each.get("key"), str):
            value = _part(each, "value").get("stringValue")
            if isinstance(value, str):
                found[each["key"]] = value
    return found


def _identity(raw: object) -> str:
    text = _text(raw)
    if len(text) not in _HEX_LENGTHS and text:
        try:
            decoded = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return ""
        return identity(decoded.hex()) if len(decoded) in (8, 16) else ""
    return identity(text)


def _kind(raw: object) -> str:
    if isinstance(raw, str):
        return raw.lower().removeprefix("span_kind_")
    return _KINDS.get(raw, "") if isinstance(raw, int) else ""


def _seconds(raw: object) -> float:
    """Nanoseconds since 1970, as a number or as text, in seconds; 0 for anything else."""
    if isinstance(raw, str) and raw.isascii() and raw.isdecimal():
        return int(raw[:20]) / 1e9
    if isinstance(raw, (int, float)) and not isinstance(raw, bool) and 0 <= raw < 1e20:
        return raw / 1e9
    return 0.0


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""
