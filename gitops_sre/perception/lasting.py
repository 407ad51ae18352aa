"""Is the trouble still there? The last minutes before the moment of asking, held against the time before the onset.

A service that has come back to its usual is none to act on, whoever was to blame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception import anomaly
from gitops_sre.perception.board import Board, by_service, lay

FELT: Mapping[SignalName, float] = {"latency": 0.002, "errors": 0.005}
"""What users feel, with the least standard deviation of each in its unit."""
MARGIN = 900.0
"""Seconds before the onset that are left out of what is usual: the onset is an estimate, and may be late."""
NOW, NOW_COLUMNS = 150.0, 3
"""Seconds, and at least columns, before the moment of asking that say what is the case now."""
MATTERS = 2.0
"""Standard deviations from which a service is out of its usual."""
SIGNAL = "lasting"


def lasting(measures: Sequence[Measure], start: float, asked: float, onset: float, focus: str = "") -> list[Evidence]:
    """For each service whether users still feel anything now (`high`, else `normal`), with the score of the worse of
    errors and latency; and, without a subject, for `focus`, the service whose users complain.

    `start`, `asked` and `onset` are epoch seconds. A service without samples before the onset or lately is left out.
    """
    board = by_service(lay((row for row in measures if row.signal in FELT), start, asked), tuple(FELT))
    first, last = board.column(onset), board.values.shape[1]
    if not board.rows or not 0 < first < last:
        return []
    quiet = max(first - board.columns(MARGIN, 0), first // 2)
    now = max(first, last - board.columns(NOW, NOW_COLUMNS))
    found = [
        _evidence(board, name, numbers, quiet, now, asked) for name, numbers in _by_name(board, quiet, now).items()
    ]
    ours = [
        Evidence(SIGNAL, SIGNAL, "", item.symptom, item.statement, item.at, source=item.source, score=item.score)
        for item in found
        if item.subject == focus
    ]
    return [*found, *ours]


def _by_name(board: Board, quiet: int, now: int) -> dict[str, list[int]]:
    """Rows with samples before the onset and now, by service."""
    found: dict[str, list[int]] = {}
    for number, row in enumerate(board.rows):
        known = np.isfinite(board.values[number])
        if known[:quiet].sum() >= anomaly.MIN_HISTORY and known[now:].any():
            found.setdefault(row.service, []).append(number)
    return found


def _evidence(board: Board, service: str, numbers: Sequence[int], quiet: int, now: int, asked: float) -> Evidence:
    floor = np.array([FELT[board.rows[number].signal] for number in numbers])
    usual = anomaly.usual(board.values[numbers][:, :quiet], floor)
    level = np.nanmean(board.values[numbers][:, now:], axis=1)
    far = np.nan_to_num(np.maximum(0.0, (level - usual.middle) / usual.up))  # without a past nothing is unusual
    worst = int(np.argmax(far))
    score, row = float(far[worst]), board.rows[numbers[worst]]
    high = score >= MATTERS
    return Evidence(
        id=f"{SIGNAL}/{service}",
        signal=SIGNAL,
        subject=service,
        symptom="high" if high else "normal",
        statement=f"{row.signal} of {service} lately: {level[worst]:.4g}, "
        f"{'still out of' if high else 'within'} its usual {usual.middle[worst]:.4g}",
        at=datetime.fromtimestamp(asked, UTC),
        source=row.query,
        score=score,
    )
