"""How long it takes to score many series at once, beside the robust scorer of BARO (Pham et al., FSE 2024).

    python -m tests.bench.scoring [--series 2000] [--points 1440] [--rounds 15] [--rival PYTHON] [--markdown FILE]

Both are given the same numbers and the same moment of the change, and take turns, in one run: BARO in an interpreter of
its own, PYTHON, since it has requirements of its own (`pip install fse-baro`), and only its call is timed. Without
PYTHON there is no rival. One series in a hundred shifts its level; how many of them stand first tells that both did the
work. Finding the moment, and laying the series on one grid, are measured besides; the rival is spared both.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import IO, cast

import numpy as np

from gitops_sre.model.telemetry import Measure
from gitops_sre.perception import anomaly
from gitops_sre.perception.board import Board, Matrix, lay
from tests.bench.page import put
from tests.bench.speed import machine

STEP = 60.0
AFTER = 30
"""Samples after the change: half an hour of a day, as an incident has them."""
FIRST = 0.5
"""Part of the samples that the change is not looked for in."""
RECENT, LEAST, WIDTH = 30, 5, 5
"""Columns: the time just before the change, what must be left after it, what is averaged over; as in a live incident
with one sample a minute."""
_RIVAL = """
import importlib.metadata as about, json, sys, time
import numpy as np, pandas as pd
from baro.root_cause_analysis import robust_scorer
values, onset = np.load(sys.argv[1]), int(sys.argv[2])
data = pd.DataFrame(values.T, columns=[f"s{number}" for number in range(len(values))])
data.insert(0, "time", np.arange(len(data)))
print(", ".join(f"{name} {about.version(name)}" for name in ("fse-baro", "scikit-learn", "pandas")), flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    found = robust_scorer(data, inject_time=onset)
    print(json.dumps([time.perf_counter() - start, [int(name[1:]) for name in found["ranks"]]]), flush=True)
"""


@dataclass(frozen=True)
class Scene:
    """Series that were measured, and which of them (`changed`) shift their level from column `onset` on."""

    measures: tuple[Measure, ...]
    values: Matrix
    changed: frozenset[int]
    onset: int


@dataclass
class Result:
    """Seconds of each measured thing, and how many of the changed series stood first."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    rival: str = ""
    """What the rival is, with its version; empty without one."""

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Note how long a block takes."""
        start = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)

    def times(self) -> tuple[float, float]:
        """How many times as long the rival takes: fastest run by fastest, median by median."""
        mine, other = self.seconds[SCORES], self.seconds[BARO]
        return min(other) / min(mine), median(other) / median(mine)


SCORES, FULL, LAID, BARO = "scores", "full", "laid", "baro"


def scene(series: int, points: int) -> Scene:
    """Noise around levels of every size; in one series of a hundred the level rises by ten standard deviations."""
    rng = np.random.default_rng(1)
    level = 10 ** rng.uniform(-2, 3, size=(series, 1))
    values = level * (1 + 0.1 * rng.standard_normal((series, points)))
    changed = rng.choice(series, max(1, series // 100), replace=False)
    onset = points - AFTER
    values[changed, onset:] += level[changed]
    times = array("d", (STEP * number for number in range(points)))
    rows = (Measure("latency", f"s{number}", times, array("d", row.tobytes())) for number, row in enumerate(values))
    return Scene(tuple(rows), values, frozenset(map(int, changed)), onset)


def measure(given: Scene, rounds: int, rival: Path | None) -> Result:
    """Everything, in turn, so that whatever else the machine does weighs on all alike."""
    result = Result()
    board = _lay(given)
    floor, votes = np.full(len(board.rows), 1e-6), np.ones(len(board.rows))
    with tempfile.TemporaryDirectory() as folder, _asking(rival, given, Path(folder)) as ask:
        result.rival = ask.name
        for _ in range(rounds):
            with result.of(SCORES):
                scores = anomaly.scores(board.values, given.onset, RECENT, floor)
            with result.of(FULL):
                _found(board, floor, votes)
            with result.of(LAID):
                _found(_lay(given), floor, votes)
            if ask.name:
                seconds, ranks = ask.once()
                result.seconds.setdefault(BARO, []).append(seconds)
                result.first[BARO] = len(given.changed.intersection(ranks[: len(given.changed)]))
    ranks = np.argsort(-np.maximum(scores.up, scores.down)).tolist()
    result.first[SCORES] = len(given.changed.intersection(ranks[: len(given.changed)]))
    return result


def _lay(given: Scene) -> Board:
    return lay(given.measures, 0.0, STEP * (given.values.shape[1] - 1), STEP)


def _found(board: Board, floor: Matrix, votes: Matrix) -> anomaly.Scores:
    """As a live incident is looked at: the onset is found, noise is averaged out, then the rows are scored."""
    first = int(board.values.shape[1] * FIRST)
    onset, _ = anomaly.onset(board.values, first, RECENT, LEAST, floor, votes)
    return anomaly.scores(anomaly.smoothed(board.values, onset, WIDTH), onset, RECENT, floor)


@dataclass(frozen=True)
class _Rival:
    """Another program that scores the same numbers each time it is asked."""

    name: str = ""
    once: Callable[[], tuple[float, list[int]]] = lambda: (0.0, [])


@contextmanager
def _asking(python: Path | None, given: Scene, folder: Path) -> Iterator[_Rival]:
    if python is None:
        yield _Rival()
        return
    file = folder / "values.npy"
    np.save(file, given.values)
    command = [str(python), "-c", _RIVAL, str(file), str(given.onset)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        name = stdout.readline().strip()
        if not name:
            raise SystemExit(f"{python}: the rival does not start; see above, and `{python} -m pip install fse-baro`")

        def once() -> tuple[float, list[int]]:
            stdin.write("\n")
            stdin.flush()
            seconds, ranks = json.loads(stdout.readline())
            return float(seconds), [int(number) for number in ranks]

        once()  # the first call pays for what is loaded when it is first needed
        yield _Rival(name, once)
        stdin.close()


def table(result: Result, given: Scene) -> str:
    """The measurements as Markdown, with what was promised beside them."""
    rows, columns = given.values.shape
    names = [
        (SCORES, "scores of all series (<= 250 ms)"),
        (FULL, "onset found, noise averaged out, scores"),
        (LAID, "the same, series laid on one grid first"),
        (BARO, "BARO's `robust_scorer`, change given"),
    ]
    lines = [f"| {rows:,} series x {columns:,} points | fastest | median | changed series in front |",
             "|---|---:|---:|---:|"]  # fmt: skip
    for key, name in names:
        if each := result.seconds.get(key):
            first = f"{result.first[key]} of {len(given.changed)}" if key in result.first else ""
            lines.append(f"| {name} | {1000 * min(each):.0f} ms | {1000 * median(each):.0f} ms | {first} |")
    if result.rival:
        lines.append("| BARO beside the scores (>= 6 x) | {:.1f} x | {:.1f} x | |".format(*result.times()))
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write it where asked."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--series", type=int, default=2_000)
    options.add_argument("--points", type=int, default=1_440, help=f"samples of each, one a minute; over {2 * AFTER}")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--rival", type=Path, help="a Python interpreter that has fse-baro")
    options.add_argument("--markdown", type=Path, help="a page in which to put the table between its markers")
    chosen = options.parse_args(arguments)
    given = scene(chosen.series, chosen.points)
    result = measure(given, chosen.rounds, chosen.rival)
    versions = f"numpy {np.__version__}" + (f"; the rival: {result.rival}" if result.rival else "")
    text = f"{table(result, given)}\n\nMeasured {datetime.now(UTC):%Y-%m-%d} with {versions}, on {machine()}.\n"
    sys.stdout.write(text)
    if chosen.markdown is not None:
        put(chosen.markdown, "scoring", text)


if __name__ == "__main__":
    main()
