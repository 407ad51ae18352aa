"""Pods of a new version against pods of the old one, at the same time: the strongest test that there is.

What happens to a service from outside happens to both of its versions; what a version does itself happens to it alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gitops_sre.model.change_feed import Rollout
from gitops_sre.model.evidence import Evidence
from gitops_sre.perception import anomaly
from gitops_sre.perception.board import Board, Matrix

SETTLE = 90.0
"""Seconds that a new pod takes to warm up: caches, compilers, connection pools."""
COMPARED = frozenset({"latency", "errors", "cpu", "memory", "restarts", "saturation"})
MATTERS = 2.0
SMOOTH = 6
"""Samples that a level is the middle of at least, as far as its spread is concerned: more resemble each other."""
RATES = frozenset({"errors", "restarts"})
"""Signals of which the mean says how much there is, however seldom it comes; of all others the median."""
OVERLAP = 2
"""Samples of both versions at the same time that make a comparison."""


def compare(board: Board, floor: Matrix, rollouts: Iterable[Rollout], onset: int) -> list[Evidence]:
    """Findings for each rollout and signal that pods of both versions report. `version_<signal>` compares both versions
    at the same time; `replaced_<signal>` the new one with what the old one was used to; `early_<signal>` the same at
    first, before column `onset`, when nothing was wrong yet; `leaving_<signal>` the old one beside the new one
    with what it was used to. But for the third the time from column `onset` on counts, where anything is known of it: a
    new version may turn bad later. The score is in standard deviations of the old version."""
    found: list[Evidence | None] = []
    for rollout in rollouts:
        new, old = _rows(board, rollout)
        test = _Test(board, floor, rollout, onset)
        for signal in sorted({board.rows[number].signal for number in new} & COMPARED):
            same, past, early, last = test.of(
                signal,
                [number for number in new if board.rows[number].signal == signal],
                [number for number in old if board.rows[number].signal == signal],
            )
            found += [
                _found(f"version_{signal}", rollout, same, "at the same time"),
                _found(f"replaced_{signal}", rollout, past, "before it"),
                _found(f"early_{signal}", rollout, early, "before it, at first"),
                _found(f"leaving_{signal}", rollout, last, "before", of=rollout.before),
            ]
    return [item for item in found if item is not None]


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


class _Compared(NamedTuple):
    """How far the new version's `level` lies above the old one's `base`, in standard deviations of the latter."""

    score: float
    base: float
    level: float


def _found(name: str, rollout: Rollout, kinds: Sequence[_Compared], when: str, *, of: str = "") -> Evidence | None:
    """Several statistics of one signal as one finding, so that a lone wild quantile decides nothing."""
    if not kinds:
        return None
    score = float(np.expm1(np.log1p(np.array([each.score for each in kinds])).mean()))
    last = kinds[-1]
    return Evidence(
        id=f"{name}/{rollout.service}/{rollout.after}",
        signal=name,
        subject=rollout.service,
        symptom="high" if score >= MATTERS else "normal",
        statement=f"{name.partition('_')[2]} of {rollout.service} {of or rollout.after}: {last.level:.4g}, "
        f"{rollout.before} {when}: {last.base:.4g}",
        at=rollout.at,
        value=last.level,
        baseline=last.base,
        source="rollouts",
        score=score,
        version=rollout.after,
    )


@dataclass(frozen=True, eq=False)
class _Test:
    board: Board
    floor: Matrix
    rollout: Rollout
    onset: int

    def of(self, signal: str, new: Sequence[int], old: Sequence[int]) -> tuple[list[_Compared], ...]:
        """New pods against old ones at the same time, against what the old ones were used to, and the same at first;
        old pods in their last moments against what they were used to. For each statistic of the signal that allows
        it."""
        rows, values = self.board.rows, self.board.values
        fresh = _settled(self.board, self.rollout, new)
        begins = max(1, self.board.column(self.rollout.at.timestamp()))
        since = np.arange(values.shape[1]) >= self.onset
        same: list[_Compared | None] = []
        past: list[_Compared | None] = []
        early: list[_Compared | None] = []
        last: list[_Compared | None] = []
        for kind in sorted({rows[number].stat for number in new} & {rows[number].stat for number in old}):
            theirs = [number for number in old if rows[number].stat == kind]
            ours = [n for n, number in enumerate(new) if rows[number].stat == kind]
            now = _middle(fresh[ours], signal)
            then = _middle(values[theirs], signal)
            least = float(np.median(self.floor[theirs]))
            both = np.isfinite(now) & np.isfinite(then)
            shared = both & since
            both = shared if shared.sum() >= OVERLAP else both
            if both.sum() >= OVERLAP:
                same.append(_compared(then[:begins], now[both], then[both], least, signal))
            lately = np.isfinite(now) & since
            lately = lately if lately.any() else np.isfinite(now)
            past.append(_compared(then[:begins], now[lately], then[:begins], least, signal))
            first = self._first(_middle(values[[new[n] for n in ours]], signal))
            if first.size:
                early.append(_compared(then[:begins], first, then[:begins], least, signal))
            if shared.any():
                last.append(_compared(then[:begins], then[shared], then[:begins], least, signal))
        return _known(same), _known(past), _known(early), _known(last)

    def _first(self, level: Matrix) -> Matrix:
        """The new version's first samples: half of those before the onset, which may have been found too late."""
        begins = max(0, self.board.column(self.rollout.at.timestamp()))
        before = level[begins : self.onset]
        before = before[np.isfinite(before)]
        return before[: max(1, before.size // 2)]


def _known(compared: Iterable[_Compared | None]) -> list[_Compared]:
    return [each for each in compared if each is not None]


def _compared(history: Matrix, now: Matrix, then: Matrix, least: float, signal: str) -> _Compared | None:
    """How far two levels are apart, in standard deviations of a mean of as many samples of the history; None where that
    cannot be told."""
    if not now.size or not np.isfinite(then).any():
        return None
    smooth = anomaly.smoothed(history[None, :], history.size, min(now.size, SMOOTH))
    usual = anomaly.usual(smooth, np.array([least]))
    if not np.isfinite(usual.middle[0]):
        return None
    level, base = float(_middle(now[:, None], signal)[0]), float(_middle(then[:, None], signal)[0])
    return _Compared(max(0.0, (level - base) / float(usual.up[0])), base, level)


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


def _middle(values: Matrix, signal: str) -> Matrix:
    """The mean of each column for a rate, else its median; NaN for an empty one."""
    known = np.isfinite(values).any(axis=0) if len(values) else np.zeros(values.shape[1], dtype=bool)
    out = np.full(values.shape[1], np.nan)
    if known.any():
        centre = np.nanmean if signal in RATES else np.nanmedian
        out[known] = centre(values[:, known], axis=0)
    return out
