"""What a language model may look at. Every tool reads, none takes an address, and each is bounded.

What a tool finds can be cited: it comes with a finding that says what was asked and, in one sentence, what came of it.
Such findings have no score, so that nothing ever rests on them but the model's own word.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from gitops_sre.engine import investigate
from gitops_sre.engine.precedents import precedents
from gitops_sre.engine.world import World
from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.consult import Tool
from gitops_sre.model.evidence import Evidence, Query, Scope, Series
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.model.precedent import Precedent
from gitops_sre.model.servicemap import Edge, ServiceMap
from gitops_sre.perception import leash
from gitops_sre.reasoning.briefing import clean
from gitops_sre.reasoning.consult import Found

MAX_ROWS = 12
"""Rows of an answer that are shown: series, warnings, workloads, changes."""
POINTS = 30
"""Points of a series that is asked for; it is shown by its figures alone."""
MAX_NAMES = 60
Arguments = Mapping[str, object]
Row = dict[str, object]


@dataclass(frozen=True)
class Lookup:
    """A tool with what it does."""

    tool: Tool
    run: Callable[[Arguments], Found | Unavailable]


@dataclass(frozen=True)
class _Place:
    """What an incident is about, as all tools need it."""

    incident: Incident
    scope: Scope
    world: World


def lookups(incident: Incident, at: datetime, world: World) -> tuple[Lookup, ...]:
    """The tools for an incident. Raises StoreError."""
    if incident.target is None:
        return ()
    scope = investigate.scope_of(incident, incident.target, at, world)
    place = _Place(incident, scope, world)
    calls = world.store.service_map(scope.environment)
    earlier = precedents(world.store, scope.environment)
    return (
        _lookup(
            "metric_names",
            "Names of metrics that contain a text (at most 60).",
            {"contains": "part of the name"},
            partial(_metric_names, place),
        ),
        _lookup(
            "metrics",
            "A PromQL query over the time from well before the incident until now. For each series: its first, lowest, "
            "highest and last value. Name the metric in every selector; ranges of at most 1h, no subqueries, no @.",
            {"query": "the query"},
            partial(_metrics, place),
        ),
        _lookup(
            "cluster_events",
            "Warnings of the cluster about a service since shortly before the incident.",
            {"service": "the service, or an empty text for all"},
            partial(_events, place),
        ),
        _lookup(
            "workloads",
            "What runs: images, wanted and ready replicas.",
            {"service": "the service, or an empty text for all"},
            partial(_workloads, place),
        ),
        _lookup(
            "changes",
            "What commits of the infra repository changed at a service before the incident, value by value.",
            {"service": "the service, or an empty text for all"},
            partial(_changes, place),
        ),
        _lookup(
            "service_map",
            "Who calls a service and whom it calls, with what is usual there.",
            {"service": "the service"},
            lambda given: _answered("service_map", given, _edges(calls, given), "who calls it, whom it calls", at),
        ),
        _lookup(
            "past_incidents",
            "What earlier incidents of a service turned out to be, by fixes that were verified.",
            {"service": "the service, or an empty text for all"},
            lambda given: _answered("past_incidents", given, _known(earlier, given), "earlier incidents", at),
        ),
    )


def _lookup(
    name: str, description: str, given: Mapping[str, str], run: Callable[[Arguments], Found | Unavailable]
) -> Lookup:
    schema = {
        "type": "object",
        "properties": {key: {"type": "string", "description": said} for key, said in given.items()},
        "required": list(given),
        "additionalProperties": False,
    }
    return Lookup(Tool(name, description, schema), run)


def _text(given: Arguments, name: str) -> str:
    """An argument as text; the model's word, so that it may be anything."""
    found = given.get(name, "")
    return found.strip() if isinstance(found, str) else ""


def _answered(tool: str, given: Arguments, rows: list[Row], what: str, at: datetime) -> Found:
    """Rows as text for the model, with the finding by which it can cite them."""
    asked = " ".join(str(value) for _, value in sorted(given.items()) if value)
    name = hashlib.sha256(json.dumps([tool, asked]).encode()).hexdigest()[:6]
    count = f"{len(rows)} rows" if len(rows) != 1 else json.dumps(rows[0], sort_keys=True, default=str)
    said = clean(f"{what} ({asked or 'all'}): {count}")
    finding = Evidence(f"{tool}/{name}", tool, _text(given, "service"), "unknown", said, at)
    shown = "\n".join(json.dumps(row, sort_keys=True, default=str) for row in rows[:MAX_ROWS])
    more = f"\n{len(rows) - MAX_ROWS} more rows are not shown" if len(rows) > MAX_ROWS else ""
    return Found(f"{shown}{more}" if rows else "there is none", (finding,))


def _metric_names(place: _Place, given: Arguments) -> Found | Unavailable:
    names = place.world.metrics.names()
    if isinstance(names, Unavailable):
        return names
    part = _text(given, "contains").lower()
    found = sorted(name for name in names if part in name.lower())
    more = f", and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
    return Found(", ".join(found[:MAX_NAMES]) + more)


def _metrics(place: _Place, given: Arguments) -> Found | Unavailable:
    query = leash.bounded(_text(given, "query"))
    if isinstance(query, Refused):
        return Unavailable(f"the query was not asked: {query.reason}")
    scope, step = place.scope, place.world.settings.timing.step
    start = scope.baseline_end - (scope.now - scope.baseline_end)
    step = max(step, (scope.now - start).total_seconds() / POINTS)
    (answer,) = place.world.metrics.ask([Query("asked", query, start, scope.now, step)])
    if isinstance(answer, Unavailable):
        return answer
    rows = sorted((_series(each) for each in answer.series), key=lambda row: -abs(float(str(row["highest"]))))
    return _answered("metrics", {"query": query}, rows, "metrics", scope.now)


def _series(series: Series) -> Row:
    values = [value for value in series.values if math.isfinite(value)]
    if not values:
        return {"labels": dict(series.labels), "highest": 0.0, "says": "no number"}
    figures = {"first": values[0], "lowest": min(values), "highest": max(values), "last": values[-1]}
    return {"labels": dict(series.labels), **{name: float(f"{value:.4g}") for name, value in figures.items()}}


def _events(place: _Place, given: Arguments) -> Found | Unavailable:
    scope = place.scope
    since = scope.onset - timedelta(seconds=place.world.settings.timing.investigate)
    warned = place.world.cluster.events(since, scope.namespace)
    if isinstance(warned, Unavailable):
        return warned
    service = _text(given, "service")
    rows: list[Row] = [
        {"about": f"{each.kind}/{each.name}", "reason": each.reason, "says": each.message, "times": each.count}
        for each in sorted(warned, key=lambda each: each.last, reverse=True)
        if service in each.name
    ]
    return _answered("cluster_events", given, rows, "warnings of the cluster", scope.now)


def _workloads(place: _Place, given: Arguments) -> Found | Unavailable:
    seen = place.world.cluster.workloads(place.scope.namespace)
    if isinstance(seen, Unavailable):
        return seen
    service = _text(given, "service")
    rows: list[Row] = [
        {
            "workload": f"{each.ref.kind}/{each.ref.name}",
            "images": each.images,
            "wanted": each.replicas,
            "ready": each.ready,
        }
        for each in seen
        if service in ("", each.ref.name)
    ]
    return _answered("workloads", given, rows, "what runs", place.scope.now)


def _changes(place: _Place, given: Arguments) -> Found | Unavailable:
    diagnosis, service = place.incident.diagnosis, _text(given, "service")
    known: dict[tuple[str, str], ChangeRecord] = {}
    for each in diagnosis.hypotheses if diagnosis else ():
        if each.change is not None and service in ("", each.change.service):
            known.setdefault((each.change.commit.sha, each.change.service), each.change)
    rows = [_change(each) for each in sorted(known.values(), key=lambda each: each.lead)]
    return _answered("changes", given, rows, "changes before the incident", place.scope.now)


def _change(each: ChangeRecord) -> Row:
    fields = [
        {"at": ".".join(map(str, field.path)), "before": field.before, "after": field.after}
        for field in each.fields[:MAX_ROWS]
    ]
    return {
        "commit": each.commit.sha[:12],
        "says": each.commit.subject,
        "service": each.service,
        "kind": each.kind,
        "seconds_before": round(each.lead),
        "fields": fields,
    }


def _known(earlier: Sequence[Precedent], given: Arguments) -> list[Row]:
    service = _text(given, "service")
    return [{"service": each.service, "cause": each.cause} for each in earlier if service in ("", each.service)]


def _edges(calls: ServiceMap, given: Arguments) -> list[Row]:
    service = _text(given, "service")
    return [_edge(each) for each in (*calls.called_by(service), *calls.calls(service))]


def _edge(each: Edge) -> Row:
    return {
        "caller": each.caller,
        "callee": each.callee,
        "certain": round(each.confidence, 2),
        "usual_seconds": each.latency,
        "usual_requests_per_second": each.traffic,
        "usual_errors": each.errors,
    }
