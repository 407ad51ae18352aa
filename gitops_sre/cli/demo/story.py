"""Running stories: begin them, follow the bot's own record of each, and say whether it ended as it must."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gitops_sre.cli.demo.processes import Place, Story
from gitops_sre.model.incident import Incident
from gitops_sre.ports import LedgerEntry, Store

LIMIT = 90
"""Seconds after which a story is given up."""

NOTHING_WRONG = "dismissed"


@dataclass
class Progress:
    """One story as it goes."""

    story: Story
    began: datetime | None = None
    seconds: float = 0.0
    incident: Incident | None = None
    entries: tuple[LedgerEntry, ...] = ()
    given_up: bool = field(default=False)

    @property
    def ended(self) -> bool:
        """It is over, one way or another."""
        return self.given_up or (self.incident is not None and self.incident.finished)

    @property
    def outcome(self) -> str:
        """The terminal state, or what it was stuck in."""
        return self.incident.state.value if self.incident else "no incident"

    @property
    def passed(self) -> bool:
        """It ended as it must."""
        return self.ended and not self.given_up and self.outcome == self.story.expected


def play(
    stories: Iterable[Story], place: Place, store: Store, show: Callable[[list[Progress]], None]
) -> list[Progress]:
    """Play stories side by side, each in its own corner of the shop.

    The story in which nothing is wrong shares an environment with another one; it goes first, so that a person who
    reads along can tell the two apart.
    """
    everything = [Progress(story) for story in stories]
    quiet = {p.story.environment for p in everything if p.story.expected == NOTHING_WRONG}
    while not all(progress.ended for progress in everything):
        noisy = {p.story.environment for p in everything if p.story.expected == NOTHING_WRONG and not p.ended}
        for progress in everything:
            waits = progress.story.expected != NOTHING_WRONG and progress.story.environment in quiet & noisy
            if progress.began is None and not waits:
                progress.began = datetime.now(UTC)
                place.tell(f"/stories/{progress.story.number}/start")
        for progress in everything:
            if progress.began is not None and not progress.ended:
                _follow(progress, store)
                if progress.ended:
                    place.tell(f"/stories/{progress.story.number}/end")
        show(everything)
        time.sleep(0.2)
    return everything


def _follow(progress: Progress, store: Store) -> None:
    assert progress.began is not None  # noqa: S101 - the caller has checked; for the type checker
    progress.seconds = (datetime.now(UTC) - progress.began).total_seconds()
    mine = [incident for incident in store.recent() if _is_about(incident, progress)]
    if mine:
        progress.incident = min(mine, key=lambda incident: incident.opened_at)
        progress.entries = store.ledger(progress.incident.id)
    progress.given_up = progress.seconds > LIMIT


def _is_about(incident: Incident, progress: Progress) -> bool:
    """An incident of this story: opened after it began, in its environment."""
    environments = {alert.labels.get("environment") for alert in incident.alerts}
    began = progress.began
    return began is not None and incident.opened_at >= began and environments == {progress.story.environment}
