"""What objectives are judged by: errors, latency and requests of one service, and who calls whom, as alerts need it.

The signals follow Google, Site Reliability Engineering, chapter 6. The queries speak the metric names of common HTTP
instrumentation, with the labels `environment`, `service`, `peer`, `code`. Diagnosis asks more, by `presets`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from gitops_sre.model.evidence import Answer, Query
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Sli
from gitops_sre.model.target import Target
from gitops_sre.perception.promql import fill, where
from gitops_sre.settings import Settings, SloSettings, TimingSettings

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


def budget(target: Target, settings: Settings) -> Sli | None:
    """The share of failed requests over the whole budget window, which spends the error budget where it reaches what
    the objective allows; None where no window is set or no objective applies."""
    window, slo = settings.breaker.budget_window, objective(target.service, target.environment, settings)
    if not window or slo is None:
        return None
    matchers = where(environment=target.environment, service=target.service)
    return Sli("error_budget", fill(ERRORS, matchers=matchers, by="", window=window), slo.error_ratio)


def map_query(now: datetime, timing: TimingSettings) -> Query:
    """Who calls whom lately, in any environment: the service map that alerts are grouped by. Read with `edges`."""
    text = fill(_CALLED, matchers="", by="service, peer", window=timing.rate_window)
    return Query("calls", text, now - timedelta(seconds=timing.step), now, timing.step, "req/s")


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
