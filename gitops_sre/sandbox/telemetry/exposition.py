"""Ticks as text: the exposition format that any Prometheus can scrape, and OpenMetrics for back-filling.

Samples carry explicit timestamps, so what is stored does not depend on when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from gitops_sre.sandbox.telemetry.series import DECIMALS, Tick

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

METRICS: dict[str, tuple[str, str]] = {
    "http_requests_total": ("counter", "Requests served, by status code."),
    "http_request_duration_seconds": ("histogram", "Duration of the requests served, callees included."),
    "http_client_requests_total": ("counter", "Requests made to other services, by peer and status code."),
    "container_cpu_usage_seconds_total": ("counter", "CPU seconds used by all replicas together."),
    "container_memory_working_set_bytes": ("gauge", "Memory in use by all replicas together."),
    "kube_deployment_status_replicas": ("gauge", "Replicas wanted."),
    "kube_deployment_status_replicas_available": ("gauge", "Replicas ready."),
    "up": ("gauge", "1 if any replica answers a scrape."),
}
"""Metric families: type and help text."""


def family(name: str) -> str:
    """The metric family that a series name belongs to."""
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def text(tick: Tick) -> str:
    """One tick in the text exposition format: one family after the other, times in milliseconds."""
    rows = [
        (family(series.name), f"{series.text} {value:.{DECIMALS}f} {round(tick.at * 1000)}\n")
        for series, value in tick.samples
    ]
    rows.sort(key=lambda row: row[0])
    parts: list[str] = []
    for name, members in groupby(rows, key=lambda row: row[0]):
        kind, meaning = METRICS[name]
        parts.append(f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n")
        parts.extend(row for _, row in members)
    return "".join(parts)


def write_openmetrics(path: Path, ticks: Iterable[Tick]) -> None:
    """Write ticks, oldest first, as OpenMetrics lines in order of time, times in seconds.

    No metadata lines: `promtool` needs none, and a family may so spread over the whole file.
    """
    with path.open("w", encoding="ascii") as file:
        for tick in ticks:
            end = f" %.{DECIMALS}f {tick.at:.3f}\n"
            template = "".join([series.text.replace("%", "%%") + end for series, _ in tick.samples])
            file.write(template % tuple([value for _, value in tick.samples]))
        file.write("# EOF\n")
