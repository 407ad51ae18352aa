"""What an incident costs on GitHub: requests of the demo's first story, from alert to resolved.

    python -m tests.bench.requests [--markdown FILE]

Once as a service keeps it, with a database, and once as a scheduled job, every pass a new process without memory whose
state is a branch. The incident's own requests are those of its looks; a sweep serves all incidents at once.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import requests

from gitops_sre import wiring
from gitops_sre.cli.common import load
from gitops_sre.cli.demo.processes import Place, world, write_settings
from gitops_sre.engine.bot import Bot
from gitops_sre.model.incident import Incident
from gitops_sre.model.usage import Usage
from gitops_sre.settings import Settings
from tests.bench.page import put

LIMIT = 120.0
"""Seconds after which the story is given up."""


@dataclass(frozen=True)
class Cost:
    """What one way has cost."""

    way: str
    passes: int
    own: Usage
    everything: Usage

    @property
    def row(self) -> str:
        """A line of the table."""
        cells = (self.way, self.passes, *(f"{_reads(use)} | {use.writes}" for use in (self.own, self.everything)))
        return f"| {' | '.join(map(str, cells))} | {self.everything.tokens} |"


def _reads(use: Usage) -> str:
    return f"{use.reads + use.unchanged} ({use.unchanged})"


class Work:
    """Passes of the bot over a world; `everything` is what they have cost."""

    def __init__(self, settings: Settings, *, forgetful: bool) -> None:
        self.settings, self.forgetful = settings, forgetful
        self.everything, self.passes = Usage(), 0
        self._bot = None if forgetful else wiring.bot(settings)

    def once(self) -> Incident | None:
        """One pass; the newest incident."""
        self.passes += 1
        bot = self._bot or wiring.bot(self.settings)
        with closing(bot.world.repository):
            before = bot.world.forge.spent()
            incident = _remembered(bot) if self.forgetful else _kept(bot)
            self.everything += bot.world.forge.spent() - before
        return incident


def _kept(bot: Bot) -> Incident | None:
    for incident in bot.sweep():
        bot.look(incident.id)
    bot.show()
    return next(iter(bot.world.store.recent(1)), None)


def _remembered(bot: Bot) -> Incident | None:
    journal = bot.world.journal
    assert journal is not None
    bot.world.forge.check()
    assert not journal.begin()
    bot.once()
    assert not journal.finish()
    return next(iter(bot.world.store.recent(1)), None)


def measure(way: str, folder: Path, pause: float, *, branch: bool) -> Cost:
    """Play the first story in a world of its own."""
    folder.mkdir()
    with world(folder / "world", folder / "world.log") as place:
        path = write_settings(place, folder / "bot")
        settings = load(path)
        if branch:
            settings = settings.model_copy(update={"engine": settings.engine.model_copy(update={"state": "branch"})})
        work = Work(settings, forgetful=branch)
        work.once()
        idle = work.everything
        place.tell("/stories/1/start")
        _until(place)
        incident = _played(work.once, pause)
        return Cost(way, work.passes - 1, incident.spent, work.everything - idle)


def _until(place: Place) -> None:
    """Something fires, and for long enough for the rates to tell."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        alerts = requests.get(f"{place.prometheus_url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        if any(alert["state"] == "firing" for alert in alerts):
            time.sleep(8)
            return
        time.sleep(0.3)
    sys.exit("no alert fired")


def _played(once: Callable[[], Incident | None], pause: float) -> Incident:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        incident = once()
        if incident is not None and incident.finished:
            if incident.state.value != "resolved":
                sys.exit(f"the story ended as {incident.state.value}: {incident.reason}")
            return incident
        time.sleep(pause)
    sys.exit("the story did not end in time")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, help="a page to put the table into")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        costs = [
            measure("service, a sweep every 5 s", folder / "service", 5, branch=False),
            measure("scheduled job, a pass every 10 s", folder / "job", 10, branch=True),
        ]
    finally:
        shutil.rmtree(folder)
    lines = [
        "| Way | Passes | Its own reads (unchanged) | Its own writes | All reads (unchanged) | All writes | Tokens |",
        "|---|---|---|---|---|---|---|",
        *(cost.row for cost in costs),
    ]
    table = "\n".join(lines)
    print(table)
    if arguments.markdown:
        put(arguments.markdown, "requests", table)


if __name__ == "__main__":
    main()
