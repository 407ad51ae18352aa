"""Cases in several processes, each with servers and a clock of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory

from tests.safety.kinds import case
from tests.safety.play import Outcome, play
from tests.safety.shop import servers

BATCH = 20
"""Cases for which one set of servers is used: GitHub forgets nothing."""


def played(seed: int, numbers: Sequence[int], jobs: int, *, careless: bool) -> Iterator[Outcome]:
    """Each case in one of several processes, as they end."""
    context = multiprocessing.get_context("spawn")
    batches: Queue[list[int]] = context.Queue()
    results: Queue[Outcome] = context.Queue()
    size = max(1, min(BATCH, len(numbers) // jobs))
    for start in range(0, len(numbers), size):
        batches.put(list(numbers[start : start + size]))
    workers = [context.Process(target=work, args=(seed, careless, batches, results), daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    left = len(numbers)
    while left:
        try:
            outcome = results.get(timeout=1)
        except Empty:
            if any(worker.is_alive() for worker in workers):
                continue
            return  # whoever asked sees which cases are missing
        left -= 1
        yield outcome
    for worker in workers:
        worker.join()


def work(seed: int, careless: bool, batches: Queue[list[int]], results: Queue[Outcome]) -> None:
    """One process: batch after batch, each with servers of its own."""
    while True:
        try:
            numbers = batches.get(timeout=1)
        except Empty:
            return
        with TemporaryDirectory(prefix="safety-") as folder, servers(Path(folder)) as shared:
            for number in numbers:
                results.put(play(shared, replace(case(seed, number), careless=careless)))
