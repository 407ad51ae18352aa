"""What is only looked at: clock, metrics, traces, logs, alerts, and the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gitops_sre.model.change_feed import ReplicaSet
from gitops_sre.model.evidence import Answer, Query
from gitops_sre.model.grant import Rule
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.signal import Alert
from gitops_sre.model.telemetry import ClusterEvent, LogLine, Span


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...


class Metrics(Protocol):
    """A Prometheus-compatible source."""

    def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
        """Answer range queries in parallel, each bounded in time and size; one result per query, in order."""
        ...

    def names(self) -> frozenset[str] | Unavailable:
        """Names of the metrics that it has; they tell which instrumentation there is. Some minutes old at most."""
        ...


class Traces(Protocol):
    """A source of distributed traces (Tempo, Jaeger, OTLP files)."""

    def spans(self, start: datetime, end: datetime) -> tuple[Span, ...] | Unavailable:
        """Spans that start in a time range, in order of time, bounded in number."""
        ...


class Logs(Protocol):
    """A source of log lines (Loki, Elasticsearch, files)."""

    def lines(self, start: datetime, end: datetime) -> tuple[LogLine, ...] | Unavailable:
        """Lines of a time range, in order of time, bounded in number."""
        ...


class Alerts(Protocol):
    """A source of alerts that can be polled. `source` is what its alerts say they come from (`Alert.source`)."""

    @property
    def source(self) -> str:
        """`prometheus` or `alertmanager`."""
        ...

    def firing(self) -> tuple[Alert, ...] | Unavailable:
        """All alerts that fire now."""
        ...


class Cluster(Protocol):
    """Read-only view of the cluster and its GitOps controller."""

    def applications(self) -> tuple[Application, ...] | Unavailable:
        """Every Argo CD Application that may be read."""
        ...

    def workloads(self, namespace: str = "") -> tuple[Workload, ...] | Unavailable:
        """Deployments, StatefulSets and DaemonSets of a namespace (empty: all)."""
        ...

    def versions(self, namespace: str = "") -> tuple[ReplicaSet, ...] | Unavailable:
        """The versions of workloads' pod templates that the cluster keeps, of a namespace (empty: all)."""
        ...

    def events(self, since: datetime, namespace: str = "") -> tuple[ClusterEvent, ...] | Unavailable:
        """Warnings in a namespace (empty: all) that were given, perhaps once more, at `since` or later; bounded."""
        ...

    def rules(self, namespaces: Sequence[str]) -> tuple[Rule, ...] | Unavailable:
        """What the bot's credential may do in these namespaces, as the cluster's authorization tells it."""
        ...
