"""Pods of a new version against pods of the old one, at the same time: the strongest test that there is.

What happens to a service from outside happens to both of its versions; what a version does itself happens to it alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from gitops_sre.model.change_feed import Rollout
from gitops_sre.model.evidence import Evidence
from gitops_sre.perception import anomaly
from gitops_sre.perception.board import Board, Matrix

SETTLE = 90.0
"""Seconds that a new pod takes to warm up: caches, compilers, connection pools."""
COMPARED = frozenset({"latency", "errors", "cpu", "memory", "restarts", "saturation"})
MATTERS = 2.0


def compare(board: Board, floor: Matrix, rollouts: Iterable[Rollout]) -> list[Evidence]:
    """One finding for each rollout and signal that pods of both versions report. `version_<signal>` compares both
    versions at the same time; `replaced_<signal>`, where no old pod is left, the new one with what the old one was
    used to. The score is in standard deviations of the old version."""
    found: list[Evidence] = []
    for rollout in rollouts:
        new, old = _rows(board, rollout)
        for signal in sorted({board.rows[number].signal for number in new} & COMPARED):
            item = _compared(
                board,
                floor,
                rollout,
                signal,
                [number for number in new if board.rows[number].signal == signal],
                [number for number in old if board.rows[number].signal == signal],
            )
            if item is not None:
                found.append(item)
    return found


def _rows(board: Board, rollout: Rollout) -> tuple[list[int], list[int]]:
    """Numbers of the rows of new and of old pods: by their names where the rollout tells them, else by version."""
    created = {pod for step in rollout.steps for pod in step.new_pods}
    new: list[int] = []
    old: list[int] = []
    for number, row in enumerate(board.rows):
        if row.service != rollout.service or row.peer or row.side == "client" or not (row.pod or row.version):
            continue
        fresh = row.pod in created or (row.version == rollout.after and bool(rollout.after))
        (new if fresh else old).append(number)
    return new, old


def _compared(
    board: Board, floor: Matrix, rollout: Rollout, signal: str, new: Sequence[int], old: Sequence[int]
) -> Evidence | None:
    fresh = _settled(board, rollout, new)
    kinds = {board.rows[number].stat for number in new} & {board.rows[number].stat for number in old}
    scores, together, levels = [], False, (float("nan"), float("nan"))
    for kind in sorted(kinds):
        ours = [n for n, number in enumerate(new) if board.rows[number].stat == kind]
        theirs = [number for number in old if board.rows[number].stat == kind]
        now = _median(fresh[ours])
        then = _median(board.values[theirs])
        both = np.isfinite(now) & np.isfinite(then)
        together = together or bool(both.sum() >= 2)
        before = board.values[theirs][:, : max(1, board.column(rollout.at.timestamp()))]
        usual = anomaly.usual(before, floor[theirs])
        scale = float(np.nanmedian(usual.up)) if np.isfinite(usual.middle).any() else float("nan")
        base = float(np.nanmedian(then[both])) if both.sum() >= 2 else _finite(usual.middle)
        level = float(np.nanmedian(now[both])) if both.sum() >= 2 else _finite(now)
        if np.isfinite(base) and np.isfinite(level) and np.isfinite(scale):
            scores.append(max(0.0, (level - base) / scale))
            levels = (base, level)
    if not scores:
        return None
    score = float(np.expm1(np.log1p(np.array(scores)).mean()))
    name = f"{'version' if together else 'replaced'}_{signal}"
    return Evidence(
        id=f"{name}/{rollout.service}/{rollout.after}",
        signal=name,
        subject=rollout.service,
        symptom="high" if score >= MATTERS else "normal",
        statement=f"{signal} of {rollout.service} {rollout.after}: {levels[1]:.4g}, {rollout.before}"
        f"{' at the same time' if together else ' before it'}: {levels[0]:.4g}",
        at=datetime.fromtimestamp(rollout.at.timestamp(), UTC),
        value=levels[1] if np.isfinite(levels[1]) else None,
        baseline=levels[0] if np.isfinite(levels[0]) else None,
        source="rollouts",
        score=score,
        version=rollout.after,
    )


def _settled(board: Board, rollout: Rollout, new: Sequence[int]) -> Matrix:
    """Values of new pods without their first moments, as long as anything is left after them."""
    values = board.values[list(new)].copy()
    first: dict[str, int] = defaultdict(lambda: values.shape[1])
    started = max(0, board.column(rollout.at.timestamp()))
    values[:, :started] = np.nan
    for n, number in enumerate(new):
        seen = np.flatnonzero(np.isfinite(values[n]))
        if seen.size:
            pod = board.rows[number].pod
            first[pod] = min(first[pod], int(seen[0]))
    warm = int(SETTLE // board.step)
    settled = values.copy()
    for n, number in enumerate(new):
        settled[n, : first[board.rows[number].pod] + warm] = np.nan
    return settled if np.isfinite(settled).any() else values


def _median(values: Matrix) -> Matrix:
    """The median of each column, NaN for an empty one."""
    known = np.isfinite(values).any(axis=0) if len(values) else np.zeros(values.shape[1], dtype=bool)
    out = np.full(values.shape[1], np.nan)
    if known.any():
        out[known] = np.nanmedian(values[:, known], axis=0)
    return out


def _finite(values: Matrix) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
