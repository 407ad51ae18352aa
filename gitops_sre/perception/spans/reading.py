"""What every format of traces has in common: bounds, what is left out, and whom a span calls."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitops_sre.model.telemetry import Span
from gitops_sre.perception.presets.labels import host

MAX_SPANS = 200_000
"""Spans that are read; what comes after them is left out and counted."""
MAX_NAME = 512
"""Characters of a name that are kept."""
LONGEST = 7 * 86_400.0
"""Seconds; whatever seems to last longer has a broken clock."""
FIRST, LAST = 1e8, 1e10
"""Epoch seconds between which a span may lie (1973 and 2286): a time in another unit falls outside."""
CALLING = frozenset({"client", "producer"})
_HEX = re.compile(r"[0-9a-fA-F]{1,32}")
_NAMED = ("service.peer.name", "peer.service")
_ADDRESSES = (
    "server.address",
    "net.peer.name",
    "peer.hostname",
    "http.host",
    "url.full",
    "http.url",
    "peer.address",
    "net.sock.peer.name",
)
_SYSTEMS = ("db.system.name", "db.system", "messaging.system", "rpc.service")
"""Attributes that tell the other side of a call, by its name, by its address, or at least what it is
(opentelemetry.io/docs/specs/semconv, new and old names; OpenTracing's semantic conventions for `peer.*`)."""


class SpansError(Exception):
    """The payload is no traces, or not in a known format; the message says what was found. Sending it again helps
    nothing."""


@dataclass(frozen=True)
class Parsed:
    """Spans in order of time, and how many were left out, by reason."""

    spans: tuple[Span, ...]
    skipped: Mapping[str, int]


class Reader:
    """Collects spans; what is no whole span is counted, not raised, since one broken exporter must not blind all."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], Span] = {}
        self._skipped: Counter[str] = Counter()

    def add(self, span: Span) -> None:
        """Keep a span, unless it cannot be one. Of two with one id, as Zipkin's two sides of a call have, the side
        that answers is kept: its children are its own."""
        key = span.trace, span.id
        problem = _problem(span)
        if not problem and len(self._spans) >= MAX_SPANS and key not in self._spans:
            problem = f"more than {MAX_SPANS} spans"
        if problem:
            self._skipped[problem] += 1
        elif key not in self._spans or not span.peer:
            self._spans[key] = span

    def skip(self, why: str) -> None:
        """Count something that is no span."""
        self._skipped[why] += 1

    def parsed(self) -> Parsed:
        """Everything so far, in order of time."""
        ordered = sorted(self._spans.values(), key=lambda span: (span.start, span.trace, span.id))
        return Parsed(tuple(ordered), dict(sorted(self._skipped.items())))


def _problem(span: Span) -> str:
    if not span.trace or not span.id:
        return "no id"
    if not span.service or span.service.startswith("unknown_service"):
        return "no service name"
    if not FIRST <= span.start <= LAST:
        return "no time"
    return "" if 0 <= span.duration <= LONGEST else "no duration"


def named(text: str) -> str:
    """A name of bounded length, without space around it."""
    return text[:MAX_NAME].strip()


def identity(text: str) -> str:
    """An id in lower-case hexadecimal without leading zeros, since some systems drop them; empty for anything else."""
    return text.lower().lstrip("0") if _HEX.fullmatch(text) else ""


def peer_of(kind: str, attributes: Mapping[str, str]) -> str:
    """Whom a span calls: the other side's name, else its address as a service, else what system it is. Empty for spans
    that are not the calling side, and for bare IP addresses, which name nobody."""
    if kind not in CALLING:
        return ""
    if name := _first(attributes, _NAMED):
        return name
    addresses = (host(_authority(attributes[key])) for key in _ADDRESSES if attributes.get(key))
    for address in addresses:
        if address and address != "localhost" and not _is_ip(address):
            return named(address)
    return _first(attributes, _SYSTEMS)


def _first(attributes: Mapping[str, str], keys: Iterable[str]) -> str:
    return next((named(attributes[key]) for key in keys if attributes.get(key)), "")


def _authority(address: str) -> str:
    """`cart:8080` of `https://user:secret@cart:8080/items?from=//mail`."""
    rest = address.partition("//")[2] or address
    return rest.partition("/")[0].partition("?")[0].rpartition("@")[2]


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return text.startswith("[")
    return True
