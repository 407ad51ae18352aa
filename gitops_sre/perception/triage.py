"""Which alerts are one trouble, which service it is about, how bad it is, and whether to look into it now. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from gitops_sre.model.incident import Severity
from gitops_sre.model.signal import Alert

Edge = tuple[str, str]
"""(caller, callee)."""

PAGE_BURN = 6.0
TICKET_BURN = 1.0
"""Burn rates (error ratio / allowed error ratio): at 6 a 30-day budget is gone in 5 days, at 1 exactly in time. Google,
The Site Reliability Workbook, chapter 5 (multiwindow, multi-burn-rate alerts)."""

_PAGE_WORDS = frozenset({"critical", "page", "emergency", "high", "p1", "sev1"})
_INFO_WORDS = frozenset({"info", "none", "low", "p4", "p5"})


@dataclass(frozen=True)
class Investigate:
    """It fires, and has done so long enough."""


@dataclass(frozen=True)
class Wait:
    """It fires, but a flap may end it: look again in `seconds`."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class Cleared:
    """Every alert has resolved before anybody looked."""

    reason: str


@dataclass(frozen=True)
class _Run:
    """Alerts of one place that follow each other within the window."""

    place: tuple[str, str]
    alerts: tuple[Alert, ...]

    @property
    def start(self) -> float:
        return self.alerts[0].starts_at.timestamp()

    @property
    def end(self) -> float:
        return self.alerts[-1].starts_at.timestamp()


def group(
    alerts: Sequence[Alert],
    edges: Iterable[Edge],
    window_seconds: float,
    service_of: Callable[[Alert], str],
    environment_of: Callable[[Alert], str],
) -> tuple[tuple[Alert, ...], ...]:
    """Alerts by cause: same environment, started within the window of each other, at one service or at services of
    which one calls the other, directly or through services that are silent.

    Alerts that name no service join those of the same name. Groups and their alerts come in order of time.
    """
    runs = _runs(alerts, window_seconds, service_of, environment_of)
    parent = list(range(len(runs)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, two in _linked(runs, edges, window_seconds):
        parent[root(one)] = root(two)
    groups: dict[int, list[Alert]] = defaultdict(list)
    for number, run in enumerate(runs):
        groups[root(number)] += run.alerts
    return tuple(
        sorted((tuple(sorted(each, key=_order)) for each in groups.values()), key=lambda each: _order(each[0]))
    )


def lead(alerts: Sequence[Alert], edges: Iterable[Edge], service_of: Callable[[Alert], str]) -> str:
    """The service of a group where the trouble most likely begins: one that calls no other service of the group.

    Among several, or when they call each other in a circle, the one whose alert began first.
    """
    first: dict[str, tuple[datetime, str]] = {}
    for alert in sorted(alerts, key=_order):
        first.setdefault(service_of(alert), _order(alert))
    callees = _callees(edges)
    deepest = [name for name in first if not (_reached(name, callees, frozenset(first)) - {name})]
    return min(deepest or first, key=lambda name: first[name])


def burn_rate(error_ratio: float, allowed: float) -> float:
    """How fast an error budget burns: 1 uses it up exactly by the end of its period. `allowed` is 1 - SLO."""
    if allowed > 0:
        return error_ratio / allowed
    return float("inf") if error_ratio > 0 else 0.0


def severity(alerts: Sequence[Alert], burn: float | None = None) -> Severity:
    """By SLO burn rate; where that is not known, by the sender's own `severity` label (the worst of the group)."""
    if burn is not None:
        return "page" if burn >= PAGE_BURN else "ticket" if burn >= TICKET_BURN else "info"
    words = {alert.labels.get("severity", "").lower() for alert in alerts}
    if words & _PAGE_WORDS:
        return "page"
    return "info" if words and words <= _INFO_WORDS else "ticket"


def readiness(alerts: Sequence[Alert], now: datetime, investigate_after: float) -> Investigate | Wait | Cleared:
    """Whether to look into a group now: some alert of it must have fired for `investigate_after` seconds without end.

    An alert from the future (clocks differ) counts as just begun.
    """
    firing = [alert for alert in alerts if alert.status == "firing"]
    if not firing:
        count = len({alert.occurrence for alert in alerts})
        ended = max((alert.ends_at for alert in alerts if alert.ends_at), default=now)
        flaps = f" after {count} flaps" if count > 1 else ""
        return Cleared(f"every alert had resolved{flaps} by {ended:%H:%M:%S} UTC, before it was investigated")
    longest = max(0.0, *((now - alert.starts_at).total_seconds() for alert in firing))
    if longest >= investigate_after:
        return Investigate()
    left = investigate_after - longest
    return Wait(left, f"fires for {longest:.0f} s; looked into when it lasts {investigate_after:g} s")


def _order(alert: Alert) -> tuple[datetime, str]:
    return alert.starts_at, alert.fingerprint


def _runs(
    alerts: Sequence[Alert],
    window: float,
    service_of: Callable[[Alert], str],
    environment_of: Callable[[Alert], str],
) -> list[_Run]:
    """Alerts by place, cut where nothing begins for longer than the window: few, however many alerts a storm has."""
    places: dict[tuple[str, str], list[Alert]] = defaultdict(list)
    for alert in sorted(alerts, key=_order):
        places[environment_of(alert), service_of(alert) or f"\x00{alert.name}"].append(alert)
    runs: list[_Run] = []
    for place, members in places.items():
        starts = [0]
        starts += [n + 1 for n, (one, two) in enumerate(pairwise(members)) if _apart(one, two) > window]
        runs += [_Run(place, tuple(members[a:b])) for a, b in pairwise([*starts, len(members)])]
    return runs


def _apart(one: Alert, two: Alert) -> float:
    return (two.starts_at - one.starts_at).total_seconds()


def _linked(runs: Sequence[_Run], edges: Iterable[Edge], window: float) -> Iterator[tuple[int, int]]:
    """Pairs of runs, by number, of one environment, related in the call graph and close in time."""
    by_place: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        by_place[run.place].append(number)
    callees = _callees(edges)
    environments: dict[str, set[str]] = defaultdict(set)
    for environment, service in by_place:
        environments[environment].add(service)
    for environment, services in environments.items():
        for caller in services:
            for callee in _reached(caller, callees, frozenset(services)):
                ours, theirs = by_place[environment, caller], by_place[environment, callee]
                yield from ((a, b) for a in ours for b in theirs if _close(runs[a], runs[b], window))


def _close(one: _Run, two: _Run, window: float) -> bool:
    """Within a run no gap is longer than the window, so runs are close when their spans are."""
    return one.start - two.end <= window and two.start - one.end <= window


def _callees(edges: Iterable[Edge]) -> Mapping[str, set[str]]:
    callees: dict[str, set[str]] = defaultdict(set)
    for caller, callee in edges:
        callees[caller].add(callee)
    return callees


def _reached(start: str, callees: Mapping[str, set[str]], alerting: frozenset[str]) -> set[str]:
    """The nearest alerting services on the paths down from a service: the walk goes on through silent ones only."""
    found: set[str] = set()
    seen = {start}
    waiting = deque([start])
    while waiting:
        for callee in callees.get(waiting.popleft(), ()):
            if callee not in seen:
                seen.add(callee)
                if callee in alerting:
                    found.add(callee)
                else:
                    waiting.append(callee)
    return found
