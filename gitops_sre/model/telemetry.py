"""Telemetry in the product's own terms, whatever it was called where it came from."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

SignalName = Literal[
    "latency",
    "errors",
    "traffic",
    "cpu",
    "memory",
    "network_in",
    "network_out",
    "disk_read",
    "disk_write",
    "saturation",
    "replicas",
    "restarts",
    "node_cpu",
    "node_memory",
    "expiry",
]
"""What a time series measures. `errors` is a ratio 0..1 (availability and success percentages are turned round);
`saturation` is the used share of a bounded resource (connections, queue, quota, disk), 0..1; `expiry` is the seconds
that a certificate or credential has left."""

Side = Literal["", "server", "client"]
"""Who measured: the service that was called, the one that called; empty where it does not say."""


@dataclass(frozen=True, eq=False)
class Measure:
    """One time series of one thing: a service, one pod or version of it, or an edge of the service map.

    `times` are epoch seconds in ascending order, `values` are in `unit` and have no NaN; both are as long as each
    other. On an edge `service` is the caller and `peer` the callee. `stat` tells statistics of one quantity apart
    (`average`, `p50`, `p99`); `query` is the catalogue's row that it came from; `node` is the machine that the pod runs
    on, where a label says.
    """

    signal: SignalName
    service: str
    times: array[float]
    values: array[float]
    unit: str = ""
    pod: str = ""
    version: str = ""
    peer: str = ""
    stat: str = ""
    side: Side = ""
    query: str = ""
    node: str = ""


class Span(NamedTuple):
    """One span of a trace. `start` is in epoch seconds, `duration` in seconds; `parent` is empty for a root.

    `peer` is whom the span calls, where it is the calling side of a call and says so; empty otherwise.
    """

    trace: str
    id: str
    parent: str
    service: str
    pod: str
    operation: str
    start: float
    duration: float
    failed: bool = False
    peer: str = ""


@dataclass(frozen=True)
class ClusterEvent:
    """A Kubernetes event with its repetitions: `reason` in one word, about the object `kind`/`name`."""

    kind: str
    name: str
    reason: str
    message: str
    first: datetime
    last: datetime
    count: int = 1


class LogLine(NamedTuple):
    """One line of a log; `at` is in epoch seconds. `trace` and `span` are empty where the line does not say."""

    at: float
    service: str
    pod: str
    message: str
    trace: str = ""
    span: str = ""
