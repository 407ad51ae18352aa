"""Golden signals per service (latency, traffic, errors, saturation): what is asked, as data.

The signals follow Google, Site Reliability Engineering, chapter 6. The preset speaks the metric names of common HTTP
instrumentation, cAdvisor and kube-state-metrics, with the labels `environment`, `service`, `peer`, `version`, `code`.
One query covers every service of the environment, so that the map and the neighbours come with the alert's service.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from gitops_sre.model.evidence import Answer, Evidence, Gap, Query, Scope
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Sli
from gitops_sre.model.target import Target
from gitops_sre.perception import reading
from gitops_sre.perception.baseline import Sensitivity
from gitops_sre.perception.promql import fill, where
from gitops_sre.settings import Settings, SloSettings, TimingSettings

MAX_POINTS = 2_000
"""Samples a series; a longer range is asked with a larger step."""


ANY = Sensitivity(0.0, 1.0)


@dataclass(frozen=True)
class Signal:
    """One thing to look at. `expr` is a template (see promql.fill); `by` are the labels that tell series apart.

    `role` says what its series stand for: a service's symptom, a comparison of its versions, a callee as its callers
    see it, or the service map.
    """

    id: str
    expr: str
    unit: str
    role: Literal["symptom", "versions", "seen_by_callers", "map"] = "symptom"
    by: str = "service"
    sensitivity: Sensitivity = ANY


_SERVED = "sum by ($by) (rate(http_requests_total{$where}[$window]))"
_FAILED = 'sum by ($by) (rate(http_requests_total{$where,code=~"5.."}[$window]))'
# A service without a single failure has no 5xx series, which is good news and not a missing number; one without
# traffic has no ratio at all.
ERRORS = f"({_FAILED} or {_SERVED} * 0) / ({_SERVED} > 0)"
TRAFFIC = _SERVED
LATENCY = (
    "histogram_quantile(0.99, sum by (le, $by) (rate(http_request_duration_seconds_bucket{$where}[$window]))) >= 0"
)
_CALLED = "sum by ($by) (rate(http_client_requests_total{$where}[$window]))"
_CALLS_FAILED = 'sum by ($by) (rate(http_client_requests_total{$where,code=~"5.."}[$window]))'
_AVAILABLE = "sum by ($by) (kube_deployment_status_replicas_available{$where})"
_WANTED = "sum by ($by) (kube_deployment_status_replicas{$where})"

HTTP: tuple[Signal, ...] = (
    Signal("errors", ERRORS, "ratio", sensitivity=Sensitivity(0.01, 2.0)),
    Signal("latency", LATENCY, "s", sensitivity=Sensitivity(0.005, 1.6)),
    Signal("traffic", TRAFFIC, "req/s", sensitivity=Sensitivity(0.1, 1.6)),
    Signal(
        "cpu",
        "sum by ($by) (rate(container_cpu_usage_seconds_total{$where}[$window]))",
        "cores",
        sensitivity=Sensitivity(0.02, 1.6),
    ),
    Signal(
        "memory",
        "sum by ($by) (container_memory_working_set_bytes{$where})",
        "bytes",
        sensitivity=Sensitivity(16 * 2**20, 1.3),
    ),
    Signal("replicas", f"{_AVAILABLE} / ({_WANTED} > 0)", "ratio", sensitivity=Sensitivity(0.1, 1.1)),
    Signal("version_errors", ERRORS, "ratio", "versions", "service, version", Sensitivity(0.01, 2.0)),
    Signal("version_latency", LATENCY, "s", "versions", "service, version", Sensitivity(0.005, 1.6)),
    Signal(
        "errors_seen_by_callers",
        f"({_CALLS_FAILED} or {_CALLED} * 0) / ({_CALLED} > 0)",
        "ratio",
        "seen_by_callers",
        "peer",
        Sensitivity(0.01, 2.0),
    ),
    Signal("calls", _CALLED, "req/s", "map", "service, peer"),
)
"""The preset `http`."""


def queries(scope: Scope, timing: TimingSettings) -> tuple[Query, ...]:
    """What to ask about a scope's environment, in the order of the preset."""
    matchers = where(environment=scope.environment)
    return tuple(
        _ranged(
            signal.id,
            fill(signal.expr, matchers=matchers, by=signal.by, window=timing.rate_window),
            scope.baseline_start,
            scope.now,
            timing.step,
            signal.unit,
        )
        for signal in HTTP
    )


def map_query(now: datetime, timing: TimingSettings) -> Query:
    """Who calls whom lately, in any environment: the service map that alerts are grouped by. Read with `edges`."""
    text = fill(_CALLED, matchers="", by="service, peer", window=timing.rate_window)
    return _ranged("calls", text, now - timedelta(seconds=timing.step), now, timing.step, "req/s")


def read(answers: Sequence[Answer | Unavailable], scope: Scope, timing: TimingSettings) -> tuple[Evidence | Gap, ...]:
    """Answers to `queries(scope, timing)`, in its order, as evidence about the scope's service and its neighbours."""
    asked = queries(scope, timing)
    near, cut = reading.neighbourhood(scope.service, edges(answers))
    lens = reading.Lens(scope, asked[0].step, timing.rate_window, near)
    symptoms: list[Evidence] = []
    rest: list[Evidence | Gap] = [cut] if cut else []
    by_callers: list[Evidence] = []
    for signal, query, answer in zip(HTTP, asked, answers, strict=True):
        if isinstance(answer, Unavailable):
            rest.append(Gap(signal.id, signal.id, scope.service, answer))
        elif signal.role == "symptom":
            symptoms += reading.symptoms(lens, query, answer, signal.sensitivity)
        elif signal.role == "versions":
            rest += reading.versions(lens, query, answer, signal.sensitivity)
        elif signal.role == "seen_by_callers":
            by_callers += reading.symptoms(lens, query, answer, signal.sensitivity, subject_label="peer")
    return (*reading.filled_in(symptoms, by_callers), *rest)


def edges(answers: Iterable[Answer | Unavailable]) -> tuple[tuple[str, str], ...]:
    """The service map, sorted (caller, callee) pairs: who has called whom in the range of the answers."""
    found: set[tuple[str, str]] = set()
    for answer in answers:
        if isinstance(answer, Answer) and answer.query.id == "calls":
            found |= {
                (series.label("service"), series.label("peer"))
                for series in answer.series
                if any(value > 0 for _, value in series.samples)
            }
    return tuple(sorted(pair for pair in found if all(pair) and pair[0] != pair[1]))


def onset(evidence: Iterable[Evidence], scope: Scope) -> datetime:
    """When the trouble of the scope's service began: the first sustained deviation of what its users feel.

    What the alert said stands where nothing deviates: a rule's `for` and its window make an alert late.
    """
    felt = ("errors", "latency", "traffic", "replicas")
    began = (
        item.at
        for item in evidence
        if item.subject == scope.service and item.signal in felt and item.symptom in ("high", "low")
    )
    return min([*began, scope.onset])


def objective(service: str, environment: str, settings: Settings) -> SloSettings | None:
    """The first objective whose globs match."""
    return next(
        (
            slo
            for slo in settings.slos
            if any(fnmatchcase(service, glob) for glob in slo.services)
            and any(fnmatchcase(environment, glob) for glob in slo.environments)
        ),
        None,
    )


def slis(target: Target, settings: Settings) -> tuple[tuple[Sli, ...], str]:
    """The indicators of a target and PromQL for its requests a second; no indicators where no objective applies.

    Each expression yields one series, or none where there is no traffic.
    """
    matchers = where(environment=target.environment, service=target.service)

    def expr(template: str) -> str:
        return fill(template, matchers=matchers, by="", window=settings.timing.rate_window)

    slo = objective(target.service, target.environment, settings)
    if slo is None:
        return (), expr(TRAFFIC)
    found = [Sli("error_ratio", expr(ERRORS), slo.error_ratio)]
    if slo.latency_p99 is not None:
        found.append(Sli("latency_p99", expr(LATENCY), slo.latency_p99, unit="s"))
    return tuple(found), expr(TRAFFIC)


def _ranged(name: str, expr: str, start: datetime, end: datetime, step: float, unit: str) -> Query:
    """A range query that has a sample exactly at `end`, and not too many in all."""
    seconds = max((end - start).total_seconds(), step)
    coarse = step * max(1, math.ceil(seconds / MAX_POINTS / step))
    count = math.ceil(seconds / coarse)
    return Query(name, expr, end - timedelta(seconds=count * coarse), end, coarse, unit)
