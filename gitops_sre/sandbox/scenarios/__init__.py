"""Whole incidents to evaluate the bot on, end to end: alert, telemetry, repository, cluster, and what is right. See
docs/evaluation.md."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gitops_sre.sandbox.scenarios import folder, happening, repository
from gitops_sre.sandbox.scenarios.plots import ALL, Plot

TODAY = datetime(2026, 3, 2, tzinfo=UTC)
"""Where the shop's history ends. Incidents come later: nothing of it is news to them."""
DAY = 86_400.0


def generate(out: Path, seed: int, plots: Sequence[Plot] = ALL, rounds: int = 1) -> None:
    """Writes one folder a scenario under `out`; the same arguments write the same files. Names tell nothing.

    Each round plays every plot again with the next seed. Raises FileExistsError where a folder is there already.
    """
    out.mkdir(parents=True, exist_ok=True)
    width = max(2, len(str(rounds * len(plots))))
    for turn in range(rounds):
        with tempfile.TemporaryDirectory() as made:
            start = repository.base(Path(made) / "infra.git", TODAY, seed + turn)
            for number, plot in enumerate(plots):
                rng = np.random.default_rng([seed + turn, number, 4])
                near = TODAY.timestamp() + float(rng.uniform(1, 25)) * DAY
                played = happening.play(plot, rng, near, start.tags(plot.environment))
                name = f"scenario-{turn * len(plots) + number + 1:0{width}d}"
                folder.write(start, played, out / name, rng)
