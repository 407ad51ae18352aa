"""Durable looks: timers that survive a kill, one timer an incident, nudges that start none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
from gitops_sre.engine.schedule import Schedule
from gitops_sre.settings import EngineSettings

database, log, looks, wait = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])

def look(incident):
    with open(log, "a") as file:
        file.write(incident + "\\n")
    done = open(log).read().split().count(incident)
    return wait if done < looks else None

schedule = Schedule(look, EngineSettings(database_url="sqlite:///" + database), "one", 0.1)
schedule.start()
for word in sys.argv[5:]:
    schedule.soon(word[1:]) if word.startswith("!") else schedule.ensure([word, word])
print("ready", flush=True)
time.sleep(60)
"""


class Runs:
    """Executors as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.database, self.log = folder / "bot.db", folder / "looks"
        self.processes: list[subprocess.Popen[str]] = []
        self.log.touch()

    def start(self, looks: int, wait: float, *words: str) -> subprocess.Popen[str]:
        arguments = [str(self.database), str(self.log), str(looks), str(wait), *words]
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def looks(self) -> list[str]:
        return self.log.read_text().split()

    def until(self, condition: Callable[[list[str]], bool], seconds: float = 20) -> list[str]:
        limit = time.monotonic() + seconds
        while not condition(self.looks()) and time.monotonic() < limit:
            time.sleep(0.05)
        return self.looks()

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


@pytest.fixture
def runs(tmp_path: Path) -> object:
    runs = Runs(tmp_path)
    yield runs
    runs.end()


def test_an_incident_is_looked_at_again_until_it_is_finished_by_one_timer(runs: Runs) -> None:
    runs.start(3, 0.1, "a", "b")
    looks = runs.until(lambda seen: seen.count("a") >= 3 and seen.count("b") >= 3)
    assert (looks.count("a"), looks.count("b")) == (3, 3)


def test_a_nudge_looks_once_and_starts_no_timer(runs: Runs) -> None:
    runs.start(5, 0.1, "!a", "b")
    looks = runs.until(lambda seen: seen.count("b") >= 5)
    assert (looks.count("a"), looks.count("b")) == (1, 5)


def test_a_timer_survives_kill_minus_nine(runs: Runs) -> None:
    process = runs.start(2, 2.0, "a")
    runs.until(lambda seen: seen == ["a"])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    runs.start(2, 2.0)
    assert runs.until(lambda seen: len(seen) >= 2) == ["a", "a"]
