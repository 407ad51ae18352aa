"""Pushing ticks to Prometheus' remote-write receiver (protocol 1.0).

Pushed, not scraped, because a starting Prometheus waits 5 s before its first scrape, and because a tick that is pushed
again after a failure is never lost. The message is a `prometheus.WriteRequest` (protobuf) in snappy's block format.
"""

from __future__ import annotations

import struct
import urllib.error
import urllib.request
from collections.abc import Iterable
from functools import lru_cache

from gitops_sre.sandbox.telemetry.series import DECIMALS, Series, Tick

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


def push(url: str, ticks: Iterable[Tick]) -> None:
    """Send ticks, oldest first, to the Prometheus at `url`.

    Raises `OSError` if it cannot take them now, `ValueError` if it refuses them for good.
    """
    body = snappy_block(write_request(ticks))
    request = urllib.request.Request(f"{url}/api/v1/write", body, HEADERS, method="POST")  # noqa: S310 - http on loopback
    try:
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            if error.code >= 500:
                raise
            raise ValueError(f"Prometheus refused samples ({error.code}): {error.read(500)!r}") from error


def write_request(ticks: Iterable[Tick]) -> bytes:
    """The protobuf message: one TimeSeries (labels = 1, samples = 2) a sample, repeated as field 1."""
    parts: list[bytes] = []
    for tick in ticks:
        time = b"\x10" + _varint(round(tick.at * 1000))
        for series, value in tick.samples:
            sample = b"\x09" + struct.pack("<d", round(value, DECIMALS)) + time
            parts.append(_field(1, _labels(series) + _field(2, sample)))
    return b"".join(parts)


def snappy_block(raw: bytes) -> bytes:
    """`raw` as one uncompressed literal of snappy's block format (format_description.txt, element type 00)."""
    return _varint(len(raw)) + (b"\xfc" + struct.pack("<I", len(raw) - 1) + raw if raw else b"")


@lru_cache(maxsize=8192)
def _labels(series: Series) -> bytes:
    pairs = sorted((*series.labels, ("__name__", series.name)))
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in pairs)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
