"""Edges from metrics that name both ends of a call, and from what people declare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gitops_sre.model.servicemap import Baseline, Edge, EdgeSource, ServiceMap, Sighting
from gitops_sre.model.telemetry import Measure
from gitops_sre.perception.servicemap.merging import of_edges

PRESETS: Mapping[str, EdgeSource] = {"istio": "mesh", "linkerd": "mesh", "spanmetrics": "span_metrics"}
"""The source that a preset's rows are; all others are what clients measure themselves."""
CONFIDENCE: Mapping[EdgeSource, float] = {
    "mesh": 0.98,
    "span_metrics": 0.95,
    "client_metrics": 0.9,
    "declared": 0.9,
}
"""A mesh names both ends by their identities; the service graph pairs spans, some wrongly; clients know an address;
what people write down was true once."""
STATISTICS = ("p50", "median", "average", "mean", "")
"""The most telling statistic of a latency's usual value first; any other stands behind."""


def from_measures(measures: Iterable[Measure], quiet_from: float, quiet_until: float) -> ServiceMap:
    """Edges of all series with a peer, baselines from `quiet_from`..`quiet_until` (epoch seconds).

    Where traffic is measured and there never was any, there is no edge.
    """
    groups: dict[tuple[str, str, EdgeSource], list[Measure]] = defaultdict(list)
    for each in measures:
        if each.peer and len(each.times):
            groups[each.service, each.peer, PRESETS.get(each.query.partition(".")[0], "client_metrics")].append(each)
    found = []
    for (caller, callee, source), rows in groups.items():
        traffic = [row for row in rows if row.signal == "traffic"]
        if traffic and not any(np.asarray(row.values).any() for row in traffic):
            continue
        seen = max(row.times[-1] for row in rows)
        baseline = _baseline(rows, quiet_from, quiet_until)
        found.append(Edge(caller, callee, (Sighting(source, CONFIDENCE[source], seen, baseline),)))
    return of_edges(found)


def declared(pairs: Iterable[tuple[str, str]], at: float) -> ServiceMap:
    """Edges that people say there are, as of a moment in epoch seconds."""
    return of_edges(
        Edge(caller, callee, (Sighting("declared", CONFIDENCE["declared"], at),)) for caller, callee in pairs
    )


def _baseline(rows: Sequence[Measure], start: float, end: float) -> Baseline | None:
    usual = [(row, value) for row in rows if (value := _median(row, start, end)) is not None]
    if not usual:
        return None
    latencies = sorted(
        (_place(row), row.side != "client", row.stat, value) for row, value in usual if row.signal == "latency"
    )
    best = [each for each in latencies if each[:3] == latencies[0][:3]]
    requests = [value for row, value in usual if row.signal == "traffic" and row.unit == "req/s"]
    failures = [value for row, value in usual if row.signal == "errors"]
    return Baseline(
        end,
        float(np.median([value for *_, value in best])) if best else None,
        sum(requests) if requests else None,
        max(failures) if failures else None,
        (best[0][2] or "average") if best else "",
    )


def _place(row: Measure) -> int:
    return STATISTICS.index(row.stat) if row.stat in STATISTICS else len(STATISTICS)


def _median(row: Measure, start: float, end: float) -> float | None:
    times = np.asarray(row.times)
    first, last = np.searchsorted(times, start), np.searchsorted(times, end, side="right")
    return float(np.median(np.asarray(row.values)[first:last])) if last > first else None
