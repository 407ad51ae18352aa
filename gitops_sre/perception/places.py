"""Are the services in trouble those of one machine? And is the machine busy with something that is in none of its pods?

A victim is in trouble wherever its pods run; what a machine does happens to its pods alone, of whatever service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from gitops_sre.model.evidence import Evidence
from gitops_sre.perception.anomaly import Scores
from gitops_sre.perception.board import Board, Matrix

ALIKE = 6
"""Samples in which the gauges of two pods' machines must be equal for the machine to be the same."""
MATTERS = 2.0
MANY = 2
"""Services that a machine must have for trouble to be called the machine's."""
HOST = ("node_cpu", "node_memory")
OWN_GAUGE = {"node_cpu": "cpu", "node_memory": "memory"}


def nodes(board: Board) -> Mapping[str, str]:
    """Pod -> machine: by label, or else by the gauges of machines that were joined to pods, which are the same series
    for every pod of one machine; such a machine is called after its first pod."""
    found = {row.pod: row.node for row in board.rows if row.pod and row.node}
    named: list[tuple[Matrix, str]] = []
    for number, row in enumerate(board.rows):
        if row.signal != "node_cpu" or not row.pod or row.pod in found:
            continue
        values = board.values[number]
        name = next((name for other, name in named if _alike(values, other)), "")
        if not name:
            name = f"the node of {row.pod}"
            named.append((values, name))
        found[row.pod] = name
    return found


def _alike(one: Matrix, other: Matrix) -> bool:
    both = np.isfinite(one) & np.isfinite(other)
    return bool(both.sum() >= ALIKE and (one[both] == other[both]).all() and np.ptp(one[both]) > 0)


def shared(board: Board, scores: Scores, onset: float) -> list[Evidence]:
    """`shared_node` of every service with a pod on the machine whose pods are in trouble more than those elsewhere are:
    the z of a rank-sum test (Mann and Whitney, 1947) without the machine's worst service, so that one bad service makes
    no bad machine. `host_load`: how much more unusual the machine's gauges are than those of its pods."""
    where = nodes(board)
    trouble = _trouble(board, scores)
    known = {pod: (service, own) for (service, pod), own in trouble.items() if pod in where}
    found = [] if len(set(where.values())) < MANY else _concentrated(known, where, onset)
    return found + _hosts(board, scores, where, onset)


def spread(shares: Mapping[str, float], signal: str, onset: float) -> Evidence:
    """`several_<signal>`: how far several services each have trouble of their own, which one cause at one service does
    not bring about: 1 - the sum of the squared parts that each has (Simpson, Measurement of Diversity, 1949)."""
    total = sum(shares.values())
    score = 1 - sum((share / total) ** 2 for share in shares.values()) if total > 0 else 0.0
    statement = f"trouble of their own in {signal}: {sum(share > 0.1 * total for share in shares.values())} services"
    return _evidence(f"several_{signal}", "", score * min(1.0, total), statement, onset)


def _trouble(board: Board, scores: Scores) -> dict[tuple[str, str], float]:
    """How unusual each pod's answers are, as log(1 + sigmas), beyond what it waits for itself."""
    served: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    waited: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number, row in enumerate(board.rows):
        if row.pod and not row.peer and row.signal in ("latency", "errors") and np.isfinite(scores.before[number]):
            side = waited if row.side == "client" else served
            side[row.service, row.pod][row.signal].append(float(np.log1p(scores.up[number])))
    found = {}
    for key, signals in served.items():
        own = (
            float(np.mean(values)) - (float(np.mean(waited[key][signal])) if waited[key][signal] else 0.0)
            for signal, values in signals.items()
        )
        found[key] = max(0.0, *own)
    return found


def _concentrated(known: Mapping[str, tuple[str, float]], where: Mapping[str, str], onset: float) -> list[Evidence]:
    found = []
    for node in sorted({where[pod] for pod in known}):
        here = [known[pod] for pod in known if where[pod] == node]
        away = [own for pod, (_, own) in known.items() if where[pod] != node]
        services = {service for service, _ in here}
        if len(services) < MANY or len(away) < MANY:
            continue
        worst = max(services, key=lambda service: max(own for name, own in here if name == service))
        rest = [own for name, own in here if name != worst]
        score = max(0.0, _rank_sum(rest, away)) * float(np.mean([min(1.0, own) for own in rest]))
        for service in sorted(services):
            found.append(_evidence("shared_node", service, score, f"pods on {node} are in trouble, others less", onset))
    return found


def _rank_sum(here: Sequence[float], away: Sequence[float]) -> float:
    """z of the Mann-Whitney U: how much more the first tend to be greater than the second."""
    ours, theirs = np.array(here)[:, None], np.array(away)[None, :]
    wins = float((ours > theirs).sum() + 0.5 * (ours == theirs).sum())
    count, others = len(here), len(away)
    spread = np.sqrt(count * others * (count + others + 1) / 12)
    return float((wins - count * others / 2) / spread)


def _hosts(board: Board, scores: Scores, where: Mapping[str, str], onset: float) -> list[Evidence]:
    """What a machine's gauges show beyond what those of the pods on it do."""
    host: dict[tuple[str, str], float] = defaultdict(float)
    pods: dict[tuple[str, str], float] = defaultdict(float)
    on: dict[str, set[str]] = defaultdict(set)
    for number, row in enumerate(board.rows):
        node = where.get(row.pod, "")
        if not node:
            continue
        on[node].add(row.service)
        if row.signal in HOST:
            host[node, row.signal] = max(host[node, row.signal], float(scores.up[number]))
        elif row.signal in OWN_GAUGE.values():
            pods[node, row.signal] = max(pods[node, row.signal], float(scores.up[number]))
    found = []
    for node, services in sorted(on.items()):
        score = max((max(0.0, host[node, name] - pods[node, OWN_GAUGE[name]]) for name in HOST), default=0.0)
        if any((node, name) in host for name in HOST) and score > 0:
            found += [
                _evidence("host_load", each, score, f"{node} is busier than its pods account for", onset)
                for each in sorted(services)
            ]
    return found


def _evidence(signal: str, service: str, score: float, statement: str, onset: float) -> Evidence:
    return Evidence(
        id="/".join(each for each in (signal, service, statement if signal == "shared_node" else "") if each),
        signal=signal,
        subject=service,
        symptom="high" if score >= MATTERS else "normal",
        statement=statement,
        at=datetime.fromtimestamp(onset, UTC),
        value=score,
        source="places",
        score=score,
    )
