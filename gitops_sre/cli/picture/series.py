"""Which series decided, and what is drawn of them: the blamed service, its victims, new version against old."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gitops_sre.model.change_feed import Rollout
from gitops_sre.model.evidence import Evidence, Scope
from gitops_sre.model.findings import Findings
from gitops_sre.model.servicemap import CallGraph
from gitops_sre.model.telemetry import Measure
from gitops_sre.perception.board import lay
from gitops_sre.perception.survey import MATTERS

Row = NDArray[np.float64]
MAX_CURVES = 8
OF_BLAMED, OF_SECOND = 3, 1
FELT = ("latency", "errors")
STATISTICS = ("average", "mean", "", "p50", "0.5", "p90", "p95", "p99")
"""Statistics of one quantity, what tells most about the most requests first."""
USUAL = (5, 95)
"""Percentiles of the history that the usual range reaches."""
LEAST_HISTORY = 4
ALL = "all pods"
ALIKE = 0.02
"""Curves that differ by no more than this part are drawn as one."""


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn: a signal of a service, or of the calls from `caller` to it; and why."""

    service: str
    signal: str
    why: str
    pod: str = ""
    caller: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """Values at `times` (epoch seconds), NaN for holes. `role` is `main`, or `other` for what it is compared with."""

    name: str
    role: str
    times: Row
    values: Row


@dataclass(frozen=True, eq=False)
class Picked:
    """One small picture: its curves and what was usual before the onset (of the curve it is compared with)."""

    wanted: Wanted
    unit: str
    stat: str
    curves: tuple[Curve, ...]
    usual: tuple[float, float] | None
    level: tuple[float, float] | None
    """The median before and since the onset, of the first curve."""


def picked(
    findings: Findings, measures: Sequence[Measure], blamed: Sequence[str], cited: Iterable[str]
) -> tuple[Picked, ...]:
    """The few pictures that decided. `blamed` are services, most probable first; `cited` ids of evidence that speaks
    for the first of them."""
    own: dict[tuple[str, str], list[Measure]] = defaultdict(list)
    for measure in measures:
        if measure.peer:
            own[f"{measure.service}>{measure.peer}", measure.signal].append(measure)
        elif measure.side != "client":
            own[measure.service, measure.signal].append(measure)
    found: list[Picked] = []
    for wanted in wishes(findings, blamed, frozenset(cited)):
        place = f"{wanted.caller}>{wanted.service}" if wanted.caller else wanted.service
        rows = own.get((place, wanted.signal), [])
        drawn = _picked(wanted, rows, findings.scope, findings.rollouts) if rows else None
        if drawn is not None:
            found.append(drawn)
    return tuple(found[:MAX_CURVES])


def wishes(findings: Findings, blamed: Sequence[str], cited: frozenset[str]) -> tuple[Wanted, ...]:
    """What is worth a picture, by how much it decided: the blamed service, what its callers notice, who suffers, and
    the runner-up; without anybody to blame, whoever is the furthest from usual."""
    symptoms = _symptoms(findings.evidence)
    focus = findings.scope.service
    callers, others = _victims(findings, blamed[:1], symptoms)
    found: dict[tuple[str, str, str], Wanted] = {}
    for wanted in (
        *_of(blamed[:1], symptoms, "blamed", OF_BLAMED, cited),
        *_calls(findings.evidence, blamed[:1], cited),
        *_of([focus] if focus else [], symptoms, "alerting", 1),
        *_of(callers, symptoms, "suffers, calls it", 1),
        *_of(others, symptoms, "unusual too", 1),
        *_of(blamed[1:2], symptoms, "second candidate", OF_SECOND),
        *_of([] if blamed else _loudest(symptoms), symptoms, "the furthest from usual", 1),
    ):
        found.setdefault((wanted.service, wanted.signal, wanted.caller), wanted)
    return tuple(found.values())


def _symptoms(evidence: Iterable[Evidence]) -> dict[str, list[tuple[float, Evidence, str]]]:
    """(score, finding, signal) by service, the furthest from usual first; each signal once."""
    best: dict[tuple[str, str], tuple[float, Evidence]] = {}
    for item in evidence:
        signal = _signal(item)
        if signal and item.subject and not item.caller:
            key, score = (item.subject, signal), item.score or 0.0
            if key not in best or score > best[key][0]:
                best[key] = (score, item)
    found: dict[str, list[tuple[float, Evidence, str]]] = defaultdict(list)
    for (service, signal), (score, item) in sorted(best.items(), key=lambda pair: (-pair[1][0], pair[0])):
        found[service].append((score, item, signal))
    return found


_SAME = {"own_time": "latency", "own_failures": "errors", "own_latency": "latency", "own_errors": "errors"}


def _signal(item: Evidence) -> str:
    """The measured signal that a finding is about; empty where it is about none."""
    name = item.signal.removeprefix("version_").removeprefix("replaced_").removesuffix("_drop")
    plain = {*FELT, "traffic", "cpu", "memory", "saturation", "replicas", "restarts", "expiry"}
    more = {"network_in", "network_out", "disk_read", "disk_write", "node_cpu", "node_memory"}
    return name if name in plain | more else ""


def _of(
    services: Sequence[str],
    symptoms: dict[str, list[tuple[float, Evidence, str]]],
    why: str,
    most: int,
    cited: frozenset[str] = frozenset(),
) -> Iterator[Wanted]:
    """A service's most telling signals: cited ones, then what users feel and is unusual, then the most unusual."""
    for service in services:

        def rank(entry: tuple[float, Evidence, str]) -> tuple[bool, bool, float]:
            score, item, signal = entry
            told = item.id in cited or any(f"{own}/{item.subject}" in cited and _SAME[own] == signal for own in _SAME)
            return (not told, not (signal in FELT and score >= 1), -score)

        order = sorted(symptoms.get(service, ()), key=rank)
        unusual = [entry for entry in order if entry[0] >= MATTERS or not rank(entry)[0] or entry[2] in FELT]
        for _, item, signal in (unusual or order[:1])[:most]:
            yield Wanted(service, signal, why, pod=item.pod)


def _calls(evidence: Iterable[Evidence], services: Sequence[str], cited: frozenset[str]) -> Iterator[Wanted]:
    """What callers notice of the blamed service, where that was cited."""
    some = [item for item in evidence if item.caller and item.subject in services and item.id in cited]
    for item in sorted(some, key=lambda item: (-(item.score or 0.0), item.id))[:1]:
        yield Wanted(item.subject, item.signal.rpartition("_")[2], "noticed by its caller", caller=item.caller)


def _victims(
    findings: Findings, blamed: Sequence[str], symptoms: dict[str, list[tuple[float, Evidence, str]]]
) -> tuple[list[str], list[str]]:
    """At most three services that feel it: those that depend on the blamed one, directly or not, then others."""
    graph = CallGraph(findings.edges)
    felt = {
        service: max((score for score, item, signal in some if signal in FELT and item.symptom == "high"), default=0.0)
        for service, some in symptoms.items()
        if service not in blamed
    }
    if not blamed:
        return [], []
    suffering = [service for service, score in felt.items() if score > 0]
    needed = {name for each in blamed for name in graph.below(each)}
    above = {service for service in suffering if set(blamed) & set(graph.below(service)) and service not in needed}
    order = sorted(suffering, key=lambda service: (service not in above, -felt[service], service))[:3]
    return [service for service in order if service in above], [service for service in order if service not in above]


def _loudest(symptoms: dict[str, list[tuple[float, Evidence, str]]]) -> list[str]:
    return sorted(symptoms, key=lambda service: (-symptoms[service][0][0], service))[:4]


def _picked(wanted: Wanted, rows: Sequence[Measure], scope: Scope, rollouts: Sequence[Rollout]) -> Picked | None:
    stat = min({row.stat for row in rows}, key=lambda name: (_rank(name), name))
    rows = [row for row in rows if row.stat == stat]
    board = lay(rows, scope.baseline_start.timestamp(), scope.now.timestamp())
    groups = _sides(rows) if wanted.caller else _versions(rows, wanted, rollouts) or _pods(rows, wanted)
    add = wanted.signal == "traffic" and len(groups) == 1
    curves = tuple(
        Curve(name, role, board.times, _joined(board.values[numbers], add=add)) for name, role, numbers in groups
    )
    curves = _distinct(tuple(curve for curve in curves if np.isfinite(curve.values).any()), scope.onset.timestamp())
    if not curves:
        return None
    before = board.times < scope.onset.timestamp()
    history = curves[-1].values[before]
    history = history[np.isfinite(history)]
    low, high = np.percentile(history, USUAL) if len(history) >= LEAST_HISTORY else (np.nan, np.nan)
    usual = (float(low), float(high)) if np.isfinite(low) else None
    return Picked(wanted, rows[0].unit, stat, curves, usual, _level(curves, before))


def _distinct(curves: tuple[Curve, ...], onset: float) -> tuple[Curve, ...]:
    """Without a pod that does just as all pods together do since the onset."""
    if len(curves) < 2 or curves[1].name != ALL:
        return curves
    since = curves[0].times >= onset
    same = np.allclose(curves[0].values[since], curves[1].values[since], rtol=ALIKE, equal_nan=True)
    return (replace(curves[1], name="", role="main"),) if same else curves


def _level(curves: Sequence[Curve], before: NDArray[np.bool_]) -> tuple[float, float] | None:
    then, now = curves[-1].values[before], curves[0].values[~before]
    then, now = then[np.isfinite(then)], now[np.isfinite(now)]
    return (float(np.median(then)), float(np.median(now))) if len(then) and len(now) else None


def _rank(stat: str) -> int:
    name = stat.lower()
    return STATISTICS.index(name) if name in STATISTICS else len(STATISTICS)


Group = tuple[str, str, list[int]]


def _sides(rows: Sequence[Measure]) -> list[Group]:
    """What the caller waits against what the callee says of itself."""
    client = [n for n, row in enumerate(rows) if row.side == "client"]
    server = [n for n, row in enumerate(rows) if row.side != "client"]
    return [
        (name, role, numbers)
        for name, role, numbers in (("caller", "main", client), ("callee", "other", server))
        if numbers
    ]


def _versions(rows: Sequence[Measure], wanted: Wanted, rollouts: Sequence[Rollout]) -> list[Group]:
    """Pods of the new version against pods of the old one; nothing where it cannot be told which is which."""
    mine = [each for each in rollouts if each.service == wanted.service]
    if not mine:
        return []
    last = max(mine, key=lambda each: each.at)
    created = {pod for step in last.steps for pod in step.new_pods}
    new = [n for n, row in enumerate(rows) if row.pod in created or (row.version and row.version == last.after)]
    old = [n for n, row in enumerate(rows) if n not in set(new) and (row.pod or row.version)]
    return [(last.after, "main", new), (last.before, "other", old)] if new and old else []


def _pods(rows: Sequence[Measure], wanted: Wanted) -> list[Group]:
    """The pod that a finding is about against all pods together; where there is one pod only, that."""
    every = list(range(len(rows)))
    pods = {row.pod for row in rows}
    one = [n for n in every if wanted.pod and rows[n].pod == wanted.pod]
    if not one or len(pods) == 1:
        return [("", "main", every)]
    return [(wanted.pod, "main", one), (ALL, "other", every)]


def _joined(values: NDArray[np.float64], *, add: bool) -> Row:
    """Several rows as one: their sum, or their mean."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.where(count > 0, total if add else total / np.maximum(count, 1), np.nan)
