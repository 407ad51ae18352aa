"""One service in one environment: its counters, its rollout, and the series it shows."""

from __future__ import annotations

from collections.abc import Mapping

from gitops_sre.sandbox.shop import Service
from gitops_sre.sandbox.telemetry import flow
from gitops_sre.sandbox.telemetry.flow import BUCKETS, DOWN, Response
from gitops_sre.sandbox.telemetry.series import Series, series

MIB = 1024 * 1024

ROLLOUT = (0.4, 0.8)
"""Share of traffic that a new version gets in its first ticks; all of it afterwards."""


class Counters:
    """Counters that move together: parallel lists of series and their values."""

    def __init__(self, members: list[Series]) -> None:
        self.members = members
        self.values = [0.0] * len(members)

    def add(self, amounts: list[float]) -> None:
        """Add to every counter; `amounts` in the order of the members."""
        self.values = [value + amount for value, amount in zip(self.values, amounts, strict=True)]


class PlaceState:
    """Counters and gauges of one place. `parts` are the versions that share its traffic: (tag, share) pairs."""

    def __init__(self, environment: str, service: Service) -> None:
        self.environment = environment
        self.service = service
        self.present = False
        self.parts: list[tuple[str, float]] = []
        self.ready = 0
        self.cpu = 0.0
        self.memory = 0.0
        self.leaked = 0.0
        self._replicas = 0
        self._ticks_of_rollout = 0
        self._labels = {"environment": environment, "namespace": environment, "service": service.name}
        self._requests: dict[str, Counters] = {}
        self._calls: dict[tuple[str, str], Counters] = {}
        for callee, _ in service.calls:
            self._call_counter(callee, "200")
            self._call_counter(callee, "500")
        self._gauges = [series(name, **self._labels) for name in GAUGES]

    def observe(self, tag: str, ready: int, replicas: int) -> None:
        """Take over what runs now. A changed tag starts a rollout that splits the traffic for a few ticks."""
        self.ready, self._replicas = ready, replicas
        if ready == 0:
            self.parts, self.memory, self.leaked = [], 0.0, 0.0
        elif not self.parts:
            self.parts = [(tag, 1.0)]
        elif tag == self.parts[-1][0]:
            self._roll_on(tag)
        else:
            # The version that had most of the traffic so far hands over; one that was still coming is dropped.
            leaving = max(self.parts, key=lambda part: part[1])[0]
            self.leaked, self._ticks_of_rollout = 0.0, 0
            self.parts = [(leaving, 1.0), (tag, 0.0)] if leaving != tag else [(tag, 1.0)]
            self._roll_on(tag)

    def _roll_on(self, tag: str) -> None:
        if len(self.parts) == 1:
            return
        if self._ticks_of_rollout >= len(ROLLOUT):
            self.parts = [(tag, 1.0)]
            return
        share = ROLLOUT[self._ticks_of_rollout]
        self._ticks_of_rollout += 1
        self.parts = [(self.parts[0][0], 1 - share), (tag, share)]

    def count_requests(self, tag: str, requests: float, answer: Response) -> None:
        """Count `requests` served by version `tag`."""
        if tag not in self._requests:
            self._requests[tag] = Counters(self._request_series(tag))
        failed = requests * answer.failure
        within = [requests * share for share in flow.cumulative(answer)]
        self._requests[tag].add([requests - failed, failed, *within, requests, requests * answer.mean, requests])

    def count_calls(self, requests: float, responses: Mapping[str, Response]) -> None:
        """Count the calls made while serving `requests`; a refused call (nobody ready) is a 503."""
        for callee, mean_count in self.service.calls:
            answer = responses[callee]
            failed = requests * mean_count * answer.failure
            self._call_counter(callee, "200").add([requests * mean_count - failed])
            self._call_counter(callee, "503" if answer is DOWN else "500").add([failed])

    def samples(self) -> list[tuple[Series, float]]:
        """Every series this place shows now, with its value. Request series of versions that are gone are not shown."""
        if not self.present:
            return []
        up = 1.0 if self.ready else 0.0
        rows = list(zip(self._gauges, (self.cpu, self.memory, self._replicas, self.ready, up), strict=True))
        for tag, _ in self.parts:
            if tag in self._requests:
                rows += zip(self._requests[tag].members, self._requests[tag].values, strict=True)
        if self.ready:
            for counter in self._calls.values():
                rows += zip(counter.members, counter.values, strict=True)
        return rows

    def _call_counter(self, callee: str, code: str) -> Counters:
        if (callee, code) not in self._calls:
            member = series("http_client_requests_total", peer=callee, code=code, **self._labels)
            self._calls[callee, code] = Counters([member])
        return self._calls[callee, code]

    def _request_series(self, tag: str) -> list[Series]:
        labels = {**self._labels, "version": tag}
        bounds = [str(bound).removesuffix(".0") for bound in BUCKETS] + ["+Inf"]
        return [
            *(series("http_requests_total", code=code, **labels) for code in ("200", "500")),
            *(series("http_request_duration_seconds_bucket", le=bound, **labels) for bound in bounds),
            series("http_request_duration_seconds_sum", **labels),
            series("http_request_duration_seconds_count", **labels),
        ]


GAUGES = (
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "kube_deployment_status_replicas",
    "kube_deployment_status_replicas_available",
    "up",
)
"""Series that every place shows whatever version runs (the first one is a counter)."""
