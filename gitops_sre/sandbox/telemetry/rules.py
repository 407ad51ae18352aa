"""The shop's alert rules as a Prometheus rules file, generated from the shop's data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import yaml

from gitops_sre.sandbox.telemetry import flow
from gitops_sre.sandbox.telemetry.evaluate import bucket_quantile
from gitops_sre.sandbox.telemetry.faults import NO_EFFECT
from gitops_sre.sandbox.telemetry.flow import BUCKETS, CALLERS_FIRST, Response

WINDOW = "6s"
HOLD_SECONDS = 2
ERROR_RATIO = 0.05
LATENCY_MARGIN = 2.0
"""`HighLatency` compares p99 with this multiple of the healthy p99."""
TIGHT_MARGIN = 1.12
"""`SearchLatencyTight` compares the median with this multiple of the healthy one: hardly above its daily noise."""
GROUP = "shop"
INTERVAL_SECONDS = 1

_PLACE = "environment, namespace, service"


@dataclass(frozen=True)
class AlertRule:
    """One alerting rule. `hold` is the rule's `for` in seconds; the summary may use `{{ $labels.NAME }}`."""

    alert: str
    expression: str
    hold: int
    labels: dict[str, str]
    summary: str


def healthy() -> dict[str, Response]:
    """How each service answers on a quiet day."""
    responses: dict[str, Response] = {}
    for service in reversed(CALLERS_FIRST):
        responses[service.name] = flow.respond(service, NO_EFFECT, 1.0, responses)
    return responses


def quantile(response: Response, share: float) -> float:
    """The latency quantile (s) that `histogram_quantile` reports for a service that answers like `response`."""
    counts = [*flow.cumulative(response), 1.0]
    return bucket_quantile(share, dict(zip((*BUCKETS, math.inf), counts, strict=True)))


def alert_rules() -> list[AlertRule]:
    """All rules: errors for every place at once, latency with a threshold a service, and one that is too tight."""
    usual = healthy()
    tight = quantile(usual["search"], 0.5) * TIGHT_MARGIN
    return [
        AlertRule(
            "HighErrorRate",
            f'sum by ({_PLACE}) (rate(http_requests_total{{code=~"5.."}}[{WINDOW}]))'
            f" / sum by ({_PLACE}) (rate(http_requests_total[{WINDOW}])) > {ERROR_RATIO}",
            HOLD_SECONDS,
            {"severity": "critical"},
            f"More than {ERROR_RATIO:.0%} of the requests to {{{{ $labels.service }}}} in "
            "{{ $labels.environment }} fail",
        ),
        *(_latency_rule(name, quantile(usual[name], 0.99) * LATENCY_MARGIN) for name in sorted(usual)),
        AlertRule(
            "SearchLatencyTight",
            _latency(0.5, 'service="search", environment="production"') + f" > {tight:.4f}",
            HOLD_SECONDS,
            {"severity": "warning"},
            f"The median latency of {{{{ $labels.service }}}} in {{{{ $labels.environment }}}} is above {tight:.4f} s",
        ),
    ]


def _latency_rule(service: str, threshold: float) -> AlertRule:
    return AlertRule(
        "HighLatency",
        _latency(0.99, f'service="{service}"') + f" > {threshold:.3f}",
        HOLD_SECONDS,
        {"severity": "warning", "service": service},  # said again, so that no two rules are alike
        f"The 99th percentile of the latency of {service} in {{{{ $labels.environment }}}} is above {threshold:.3f} s",
    )


def _latency(share: float, where: str) -> str:
    buckets = f"rate(http_request_duration_seconds_bucket{{{where}}}[{WINDOW}])"
    return f"histogram_quantile({share}, sum by ({_PLACE}, le) ({buckets}))"


def rules_file() -> str:
    """The rules as YAML that Prometheus loads."""
    rules = [
        {
            "alert": rule.alert,
            "expr": rule.expression,
            "for": f"{rule.hold}s",
            "labels": rule.labels,
            "annotations": {"summary": rule.summary},
        }
        for rule in alert_rules()
    ]
    group = {"name": GROUP, "interval": f"{INTERVAL_SECONDS}s", "rules": rules}
    return yaml.safe_dump({"groups": [group]}, sort_keys=False, width=200)
