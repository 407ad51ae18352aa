"""Does what users feel begin or end just now? Then every further sample may turn the diagnosis round: look again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception import anomaly
from gitops_sre.perception.board import by_service, lay

FELT: Mapping[SignalName, float] = {"latency": 0.002, "errors": 0.005}
"""What users feel, with the least standard deviation of each in its unit."""
OUT = 4.0
"""Standard deviations from which a sample is out of the usual; nearer ones come and go."""
LEAST_RUN = 3


def run_length(window: float, step: float) -> int:
    """Samples that must agree before something is the case (both in seconds): a rate over `window` shows what happened
    in a single moment for as long as the window, and that is not sustained."""
    return max(LEAST_RUN, math.ceil(window / step) + 1)


def unsettled(
    measures: Sequence[Measure], service: str, start: float, quiet: float, asked: float, window: float, step: float
) -> str:
    """The reason to look again in a moment, or an empty string: the last samples of what a service's users feel
    disagree on whether it is out of what was usual in `start`..`quiet` (epoch seconds, as is `asked`)."""
    ours = [row for row in measures if row.service == service and row.signal in FELT]
    board = by_service(lay(ours, start, asked, step), tuple(FELT))
    floor = np.array([FELT[row.signal] for row in board.rows])
    usual = anomaly.usual(board.values[:, : max(1, board.column(quiet))], floor)
    run = run_length(window, step)
    for number, row in enumerate(board.rows):
        known = board.values[number][-run:]
        known = known[np.isfinite(known)]
        out = (known - usual.middle[number]) / usual.up[number] > OUT
        if out.any() and not out.all():
            return (
                f"{row.signal} of {service}: {known[-1]:.4g}, usually {usual.middle[number]:.4g}; "
                f"the last {run} samples disagree: it begins or ends just now"
            )
    return ""
