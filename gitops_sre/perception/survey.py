"""All series of an incident in one look: since when something is wrong, and what is unusual at each service since.

Every finding is Evidence with a score; what the scores mean for each cause is the reasoning's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from gitops_sre.model.change_feed import Rollout
from gitops_sre.model.evidence import Evidence, Symptom
from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception import anomaly, between, demand, excess, places, versions, waits
from gitops_sre.perception.board import Board, Matrix, by_service, lay, settled, whole

FLOORS: Mapping[SignalName, float] = {
    "latency": 0.002,
    "errors": 0.005,
    "traffic": 0.1,
    "cpu": 1.0,
    "memory": 1.0,
    "node_cpu": 1.0,
    "node_memory": 1.0,
    "saturation": 0.02,
    "replicas": 0.1,
    "restarts": 0.2,
}
"""The least standard deviation of a signal, in its unit: less is no news."""
BYTES_FLOOR = 1000.0
RECENT, RECENT_COLUMNS = 300.0, 10
"""Seconds, and at least columns, just before the onset that say what was the case lately."""
SEARCH, SEARCH_COLUMNS = 2700.0, 6
"""Seconds, and at least columns, before the moment of asking in which the onset may lie."""
LASTING, LASTING_COLUMNS = 45.0, 1
"""Seconds, and at least columns, for which a deviation must have lasted."""
DOWN_TOO: frozenset[SignalName] = frozenset({"traffic", "replicas", "expiry"})
DOWN_ONLY: frozenset[SignalName] = frozenset({"replicas", "expiry"})
"""Signals whose fall is bad (too); of all others only the rise is."""
SMOOTH, SMOOTH_COLUMNS = 180.0, 6
"""Seconds, and at most columns, that samples are averaged over before they are scored."""
DISTURBED = 40.0
"""Strength of an onset that one row alone can reach."""
FELT, OURS = 3.0, 6.0
"""Votes of a symptom that users feel, and of a row of the service that alerts, for the moment of the onset."""
MEANS = ("average", "mean", "")
"""Names of the statistic that multiplies with traffic."""
MATTERS = 2.0
"""Standard deviations from which an excess counts in full."""
CLEAR = 4.0
"""Standard deviations from which a service's share of everything additional counts in full: a large part of next to
nothing is no news."""


@dataclass(frozen=True, eq=False)
class Survey:
    """`onset` in epoch seconds; `strength` says how much speaks for it (0: nothing has changed)."""

    onset: float
    strength: float
    evidence: tuple[Evidence, ...]


def survey(
    measures: Sequence[Measure],
    edges: Sequence[tuple[str, str]],
    start: float,
    asked: float,
    quiet: float,
    focus: str = "",
    rollouts: Sequence[Rollout] = (),
) -> Survey:
    """Look at all measures in `start`..`asked` (epoch seconds). The onset lies after `quiet` at the earliest.

    `edges` are (caller, callee) pairs of the service map; `focus` is the service whose users complain, if known.
    """
    every = lay(measures, start, asked)
    board = whole(every)
    if not board.rows:
        return Survey(asked, 0.0, ())
    floor = np.array([_floor(row) for row in board.rows])
    recent = board.columns(RECENT, RECENT_COLUMNS)
    lasting = board.columns(LASTING, LASTING_COLUMNS)
    services = by_service(settled(board, versions.SETTLE), ("latency", "errors", "traffic"))
    service_floor = np.array([_floor(row) for row in services.rows])
    column, strength = anomaly.onset(
        np.concatenate([board.values, services.values]),
        _first(board, quiet),
        recent,
        lasting,
        np.concatenate([floor, service_floor]),
        np.array([_votes(row, focus) for row in (*board.rows, *services.rows)]),
    )
    onset = float(board.times[min(column, len(board.times) - 1)])
    width = min(SMOOTH_COLUMNS, int(SMOOTH // board.step), (board.values.shape[1] - column) // 2)

    def scored(some: Board) -> anomaly.Scores:
        least = np.array([_floor(row) for row in some.rows])
        return anomaly.scores(anomaly.smoothed(some.values, column, width), column, recent, least)

    scores, of_services = scored(board), scored(services)
    waited = waits.read(board, services, of_services, scored)
    look = _Look(board, scores, services, of_services, onset, focus, tuple(edges), waited)
    found = [look.disturbance(strength), *look.symptoms(), *look.own(), *look.edges()]
    found += look.blamed(versions.compare(every, np.array([_floor(row) for row in every.rows]), rollouts, column))
    found += places.shared(board, scores, onset)
    found += demand.read(services, of_services, edges, onset)
    found += between.read(board, scores, services, of_services, onset)
    found += between.unseen(waited.calls, board, services, of_services, edges, onset)
    found += between.hubs(board, scores, services, of_services, onset)
    found += between.expired(board, onset, onset - RECENT)
    return Survey(onset, strength, tuple(found))


def _floor(row: Measure) -> float:
    if row.unit == "bytes":
        return BYTES_FLOOR
    return FLOORS.get(row.signal, 1.0)


def _votes(row: Measure, focus: str) -> float:
    """How many times a row counts when the onset is looked for: what users feel more than what machines do, and what
    concerns the service whose users complain more than all else."""
    felt = FELT if row.signal in ("latency", "errors") else 1.0
    return felt * (OURS if focus and focus in (row.service, row.peer) else 1.0)


def _first(board: Board, quiet: float) -> int:
    """The first column that may be the onset: enough must lie before it to know what is usual."""
    known = np.isfinite(board.values).any(axis=0)
    begins = int(np.argmax(known))
    width = board.values.shape[1]
    return int(
        min(
            width - 1,
            max(
                board.column(quiet) + 1,
                width - board.columns(SEARCH, SEARCH_COLUMNS),
                begins + (width - begins) // 5,
                begins + 4,
            ),
        )
    )


def _together(board: Board, numbers: Sequence[int], values: Matrix) -> float:
    """Several statistics of one quantity as one score: the average's where there is one, else their geometric mean, so
    that a lone wild quantile decides nothing."""
    average = [n for n, number in enumerate(numbers) if board.rows[number].stat.lower() in ("average", "mean")]
    return float(values[average].max() if average else np.expm1(np.log1p(values).mean()))


@dataclass(frozen=True, eq=False)
class _Look:
    board: Board
    scores: anomaly.Scores
    services: Board
    of_services: anomaly.Scores
    onset: float
    focus: str
    pairs: tuple[tuple[str, str], ...]
    waits: waits.Waits

    def disturbance(self, strength: float) -> Evidence:
        """Whether anything has changed at all, in many places at once."""
        return Evidence(
            id="disturbance",
            signal="disturbance",
            subject="",
            symptom="present" if strength > 0 else "absent",
            statement=f"{'much' if strength > DISTURBED else 'little'} speaks for a common onset",
            at=datetime.fromtimestamp(self.onset, UTC),
            value=strength,
            source="all metrics",
            score=strength,
        )

    def symptoms(self) -> list[Evidence]:
        """The strongest deviation of each signal of each service, whichever pod shows it."""
        groups: dict[tuple[str, SignalName, str], list[int]] = defaultdict(list)
        for number, row in enumerate(self.board.rows):
            if not row.peer and row.side != "client":
                groups[row.service, row.signal, row.pod].append(number)
        found: dict[tuple[str, str], Evidence] = {}
        for (service, signal, pod), numbers in groups.items():
            for up in (True, False):
                if signal in DOWN_ONLY if up else signal not in DOWN_TOO:
                    continue
                item = self._symptom(service, signal, pod, numbers, up)
                best = found.get((service, item.signal))
                if best is None or (item.score or 0.0) > (best.score or 0.0):
                    found[service, item.signal] = item
        return list(found.values())

    def _symptom(self, service: str, signal: SignalName, pod: str, numbers: Sequence[int], up: bool) -> Evidence:
        values = (self.scores.up if up else self.scores.down)[list(numbers)]
        score = _together(self.board, numbers, values)
        loudest = numbers[int(np.argmax(values))]
        name = signal if up else f"{signal}_drop"
        symptom: Symptom = "normal" if score < MATTERS else "high" if up else "low"
        before, after = float(self.scores.before[loudest]), float(self.scores.after[loudest])
        unit = self.board.rows[loudest].unit
        return Evidence(
            id=f"{name}/{service}",
            signal=name,
            subject=service,
            symptom=symptom,
            statement=f"{name.replace('_', ' ')} of {pod or service}: {before:.4g} -> {after:.4g} {unit}".rstrip(),
            at=datetime.fromtimestamp(self.onset, UTC),
            value=None if np.isnan(after) else after,
            baseline=None if np.isnan(before) else before,
            unit=unit,
            source=self.board.rows[loudest].query,
            score=score,
            pod=pod,
        )

    def own(self) -> list[Evidence]:
        """Each service's share of the additional seconds and of the additional failures, and how unusual its own part
        of them is."""
        found = []
        for signal, name, noun in (("latency", "own_time", "seconds"), ("errors", "own_failures", "failures")):
            felt, loudest, owns = self._felt(signal), self._loudest(signal), self._owns[signal]
            worst = max((loudest[service] * own.share * felt for service, own in owns.items()), default=0.0)
            found.append(self._overall(f"worst_{signal}", worst, f"the worst of it is {worst:.3g} sigmas of {noun}"))
            for service, own in owns.items():
                share = f"{own.share:.0%} of the additional {noun} since the onset are added by {service} itself"
                sure = min(1.0, loudest[service] * own.part / CLEAR)
                found.append(self._own(name, service, own.share * felt * sure, own.share, share))
                part = f"{own.part:.0%} of the additional {noun} of {service} are its own"
                if not self.pairs:  # with a map the shares say it better: what is far from usual may be next to nothing
                    found.append(self._own(f"own_{signal}", service, loudest[service] * own.part, own.part, part))
            found.append(places.spread({service: own.share for service, own in owns.items()}, signal, self.onset))
            found += waits.outside(self.waits, signal, owns, self.onset)
            found.append(self._felt_at_all(signal, noun))
        return found

    def blamed(self, found: Sequence[Evidence]) -> list[Evidence]:
        """What is worse since a version was replaced, without what the service only waits for."""
        if not self.pairs and not self.waits.parts:
            return list(found)
        out = []
        for item in found:
            own = self._owns.get(item.signal.removeprefix("replaced_"), {}).get(item.subject)
            out.append(replace(item, score=(item.score or 0.0) * own.part) if own is not None else item)
        return out

    @cached_property
    def _owns(self) -> dict[str, dict[str, excess.Own]]:
        return {signal: excess.own(loads, self.pairs, self.waits.of(signal)) for signal, loads in self._loads.items()}

    def _felt_at_all(self, signal: str, noun: str) -> Evidence:
        """How much there is to explain: all additional seconds in percent of the usual ones, or all additional failures
        in a thousand requests; and at the focus by itself, where one is known, whichever is more."""
        loads = self._loads[signal]
        scale = 100.0 if signal == "latency" else 1000.0
        name = "extra_time" if signal == "latency" else "extra_failures"
        usual = sum(load.usual if signal == "latency" else load.requests for load in loads.values())
        score = scale * sum(load.extra for load in loads.values()) / usual if usual > 0 else 0.0
        if self.focus in loads:
            own = loads[self.focus]
            usual = own.usual if signal == "latency" else own.requests
            score = max(score, scale * own.extra / usual if usual > 0 else 0.0)
        unit = "percent" if signal == "latency" else "per mille"
        return self._overall(name, score, f"{score:.3g} {unit} additional {noun} since the onset")

    def _overall(self, name: str, score: float, statement: str) -> Evidence:
        """A finding about everything together."""
        return Evidence(
            id=name,
            signal=name,
            subject="",
            symptom="present" if score >= 1 else "absent",
            statement=statement,
            at=datetime.fromtimestamp(self.onset, UTC),
            value=score,
            source="golden signals",
            score=score,
        )

    def _own(self, name: str, service: str, score: float, value: float, statement: str) -> Evidence:
        return Evidence(
            id=f"{name}/{service}",
            signal=name,
            subject=service,
            symptom="high" if value > 0.5 else "normal",
            statement=statement,
            at=datetime.fromtimestamp(self.onset, UTC),
            value=value,
            unit="ratio",
            source="service map",
            score=score,
        )

    def _loudest(self, signal: str) -> dict[str, float]:
        """How far a service as a whole lies outside its usual range."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(self.services.rows):
            if row.signal == signal:
                numbers[row.service].append(number)
        found = {name: _together(self.services, some, self.of_services.up[some]) for name, some in numbers.items()}
        return found | between.loudest(self.board, self.scores, signal, self._silent)

    def _felt(self, signal: str) -> float:
        """How far it is this signal that the focus suffers from, 0..1; 1 where no focus is known."""
        scores = {name: float(np.log1p(self._loudest(name).get(self.focus, 0.0))) for name in ("latency", "errors")}
        total = sum(scores.values())
        return scores[signal] / total if total > 0 else 1.0

    def _traffic(self) -> dict[str, float]:
        """Requests of each service since the onset, over all its pods, in whatever unit the source counts them."""
        total: dict[str, float] = defaultdict(float)
        for number, row in enumerate(self.services.rows):
            if row.signal == "traffic":
                after = self.of_services.after[number]
                total[row.service] += 0.0 if np.isnan(after) else float(after)
        return total

    @cached_property
    def _loads(self) -> dict[str, dict[str, excess.Load]]:
        """What latency and errors of each service amount to, by signal."""
        traffic = self._traffic()
        return {signal: self._load(signal, traffic) for signal in ("latency", "errors")}

    def _load(self, signal: str, traffic: Mapping[str, float]) -> dict[str, excess.Load]:
        rows: dict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(self.services.rows):
            if row.signal == signal:
                rows[row.service].append(number)
        loads = {}
        for service, numbers in rows.items():
            mean = [number for number in numbers if self.services.rows[number].stat.lower() in MEANS] or numbers
            sure = np.minimum(1.0, self.of_services.up[mean] / MATTERS)
            extra = float(np.mean(self.of_services.extra[mean] * sure))
            usual = float(np.mean(np.nan_to_num(self.of_services.before[mean])))
            requests = traffic.get(service, 1.0)
            loads[service] = excess.Load(extra * requests, usual * requests, requests)
        return loads | between.loads(self.board, self.scores, signal, traffic, self._silent)

    @cached_property
    def _silent(self) -> frozenset[str]:
        return between.silent(self.board, self.services)

    def edges(self) -> list[Evidence]:
        """What callers notice of each callee: latency and failures on the way to it, beyond what it notices itself."""
        noticed: dict[tuple[str, str], tuple[float, int]] = {}
        itself: dict[str, float] = defaultdict(float)
        for number, row in enumerate(self.board.rows):
            if row.signal not in ("latency", "errors"):
                continue
            score = float(self.scores.up[number])
            if row.peer and row.side == "client":
                key = (row.peer, row.signal)
                if score >= noticed.get(key, (-1.0, 0))[0]:
                    noticed[key] = (score, number)
            elif row.signal == "latency" and (row.peer or row.side == "server"):
                itself[row.peer or row.service] = max(itself[row.peer or row.service], score)
        found = []
        for (callee, signal), (score, number) in noticed.items():
            row = self.board.rows[number]
            for name, value in ((f"edge_{signal}", score), (f"edge_gap_{signal}", max(0.0, score - itself[callee]))):
                found.append(
                    Evidence(
                        id=f"{name}/{callee}",
                        signal=name,
                        subject=callee,
                        symptom="high" if value >= MATTERS else "normal",
                        statement=f"{signal} of calls from {row.service} to {callee}: "
                        f"{self.scores.before[number]:.4g} -> {self.scores.after[number]:.4g}",
                        at=datetime.fromtimestamp(self.onset, UTC),
                        source=row.query,
                        score=value,
                        caller=row.service,
                    )
                )
        return found
