"""Payloads of tracing systems as spans: OTLP as JSON, Tempo's and Jaeger's answers, told apart by their shape."""

from __future__ import annotations

import json
from collections.abc import Iterator

from gitops_sre.perception.spans import jaeger, otlp
from gitops_sre.perception.spans.reading import MAX_SPANS, Parsed, Reader, SpansError

__all__ = ["MAX_SPANS", "Parsed", "SpansError", "from_anything", "read"]

MAX_CHARACTERS = 256 * 1024 * 1024
MAX_SHOWN = 40


def read(text: str | bytes) -> Parsed:
    """JSON text, or one JSON document a line, as the OpenTelemetry Collector's file exporter writes. Raises SpansError
    when any of it is no JSON or none of the known formats."""
    if len(text) > MAX_CHARACTERS:
        raise SpansError(f"{len(text)} characters; at most {MAX_CHARACTERS} are read, ask for a shorter time")
    try:
        content = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise SpansError(f"not UTF-8 text: {error}") from error
    return from_anything(*_documents(content))


def from_anything(*payloads: object) -> Parsed:
    """Parsed JSON documents, together. Raises SpansError when one is none of the known formats."""
    reader = Reader()
    for payload in payloads:
        form = next((form for form in (otlp, jaeger) if form.recognised(payload)), None)
        if form is None:
            raise SpansError(
                f"no known format of traces: {_shape(payload)}; expected an object with `resourceSpans` (OTLP), "
                "`batches` or `trace` (Tempo), or `data` (Jaeger)"
            )
        form.read(payload, reader)
    return reader.parsed()


def _documents(text: str) -> Iterator[object]:
    try:
        yield json.loads(text)
    except RecursionError as error:
        raise SpansError("nested too deeply for a payload of traces") from error
    except ValueError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise SpansError(f"not JSON: {whole}") from whole
        yield from (_line(line, number) for number, line in enumerate(lines, 1))


def _line(line: str, number: int) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SpansError(f"not JSON, neither as a whole nor line by line: line {number}: {error}") from error


def _shape(payload: object) -> str:
    if isinstance(payload, dict):
        return f"an object with {', '.join(sorted(map(repr, payload))[:5]) or 'nothing in it'}"[: 5 * MAX_SHOWN]
    return f"{type(payload).__name__} {payload!r:.{MAX_SHOWN}}"
