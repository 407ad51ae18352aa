"""What the service says of itself to Prometheus: what incidents came to, what they cost on GitHub, what is under way.

Counters and histograms begin with the process, as Prometheus expects; what is under way is asked of the store at each
scrape. Whatever needs the whole record is the ledger's to tell, not a counter's.
"""

from __future__ import annotations

from collections import Counter as Counting
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gitops_sre.engine.bot import Told
from gitops_sre.engine.messages import Concluded
from gitops_sre.model.incident import TERMINAL, Incident
from gitops_sre.model.usage import Usage
from gitops_sre.ports import Forge, Store, StoreError, Transition

_REQUESTS = (0, 5, 10, 15, 20, 30, 40, 60, 100, 200)
"""Bounds of the buckets: 40 reads and 12 writes are what a rollback is held to."""


class Metrics:
    """The metrics of all repositories that one process serves."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._transitions = Counter(
            "gitops_sre_transitions", "Steps of incidents through the lifecycle.",
            ("repository", "event", "source", "target"), registry=self.registry,
        )  # fmt: skip
        self._outcomes = Counter(
            "gitops_sre_outcomes", "Incidents that have ended, by the state in which they did.",
            ("repository", "outcome", "action"), registry=self.registry,
        )  # fmt: skip
        self._requests = Histogram(
            "gitops_sre_incident_github_requests",
            "Requests that an incident took on GitHub until it ended; kind is read, unchanged, write or token.",
            ("repository", "kind"), registry=self.registry, buckets=_REQUESTS,
        )  # fmt: skip
        self._under_way = _UnderWay()
        self.registry.register(self._under_way)

    def told(self, repository: str) -> Told:
        """Who counts the transitions of one repository's incidents."""

        def told(incident: Incident, step: Transition) -> None:
            self._transitions.labels(repository, step.event, step.source, step.target).inc()
            entered = step.source != step.target
            if entered and incident.state in TERMINAL:
                action = incident.plan.action if incident.plan is not None else ""
                self._outcomes.labels(repository, incident.state.value, action).inc()
            if incident.finished and (entered or step.event == Concluded.__name__):
                self._cost(repository, incident.spent)

        return told

    def _cost(self, repository: str, spent: Usage) -> None:
        kinds = {"read": spent.reads, "unchanged": spent.unchanged, "write": spent.writes, "token": spent.tokens}
        for kind, count in kinds.items():
            self._requests.labels(repository, kind).observe(count)

    def watch(self, repository: str, store: Store, forge: Forge) -> None:
        """Have each scrape say what is under way in one repository."""
        self._under_way.places[repository] = store, forge

    def serve(self, host: str, port: int) -> tuple[str, Callable[[], None]]:
        """Answer scrapes at `/metrics`; the address, and what ends it. Raises OSError when the port is taken."""
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join(5)

        return f"http://{host}:{server.server_port}/metrics", stop


class _UnderWay(Collector):
    """Read at each scrape."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[Store, Forge]] = {}

    def collect(self) -> Iterable[Metric]:
        """Unfinished incidents by state, whether the store could be read, and for how long GitHub wants no requests."""
        under_way = GaugeMetricFamily(
            "gitops_sre_incidents_under_way", "Incidents that have not ended, by state.", labels=("repository", "state")
        )
        up = GaugeMetricFamily("gitops_sre_store_up", "1 while the store answers.", labels=("repository",))
        wait = GaugeMetricFamily(
            "gitops_sre_github_wait_seconds", "For how long GitHub still wants no requests.", labels=("repository",)
        )
        for repository, (store, forge) in self.places.items():
            found = _unfinished(store)
            for state, count in sorted(Counting(found or ()).items()):
                under_way.add_metric((repository, state), count)
            up.add_metric((repository,), found is not None)
            wait.add_metric((repository,), forge.wait())
        return under_way, up, wait


def _unfinished(store: Store) -> list[str] | None:
    """The states of what has not ended; None when the store does not answer."""
    try:
        return [each.state.value for each in store.unfinished()]
    except StoreError:
        return None
