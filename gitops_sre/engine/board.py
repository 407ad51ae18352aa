"""The dashboard issue, kept up to date without a write for every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_sre.delivery.board import Opened, board
from gitops_sre.engine import autonomy, notify
from gitops_sre.engine.world import World
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.pull import Report
from gitops_sre.model.verdict import Level
from gitops_sre.policy import documents

PAUSE = timedelta(minutes=1)
"""Between two looks at the dashboard by one process: an incident's steps follow each other faster than people read."""
ANEW = timedelta(hours=1)
"""Without news it is looked at again after this time: policies may have changed."""

_Facts = tuple[tuple[str, str, str, str], ...]


@dataclass
class Board:
    """What stands on the dashboard, as far as this process knows."""

    _shown: _Facts | None = None
    _at: datetime | None = None

    def keep(self, world: World, waits: Mapping[str, str], *, last: bool = False) -> None:
        """Bring the dashboard up to date when something on it has changed. `last`: nobody will come back to it soon."""
        if not world.settings.github.dashboard:
            return
        now = world.clock.now()
        age = now - self._at if self._at is not None else ANEW
        if age < PAUSE and not last:
            return
        incidents = tuple({one.id: one for one in (*world.store.unfinished(), *world.store.recent(20))}.values())
        silent = notify.silent(world, now)
        facts = tuple((one.id, one.state.value, one.reason, waits.get(one.id, "")) for one in incidents)
        facts += tuple(("", "", why, "") for why in silent)
        if facts == self._shown and age < ANEW:
            return
        if not isinstance(world.forge.board(_text(incidents, waits, silent, world)), Unavailable):
            self._shown, self._at = facts, now


def _text(incidents: tuple[Incident, ...], waits: Mapping[str, str], silent: tuple[str, ...], world: World) -> Report:
    path = world.settings.policy.path
    lost = [autonomy.reason(each) for each in autonomy.ceilings(world.store)]
    head = world.repository.head()
    if isinstance(head, Unavailable):
        return board(incidents, waits, (), path, head.reason, lost, silent)
    try:
        policies = documents.read(world.repository, head, path)
    except (documents.PolicyError, OSError) as error:
        return board(incidents, waits, (), path, str(error), lost, silent)
    levels = [
        Opened(each.action, each.environment, each.tier, each.service, Level[each.level])
        for each in (placed.entry for placed in policies.ladder)
    ]
    return board(incidents, waits, levels, path, lost=lost, silent=silent)
