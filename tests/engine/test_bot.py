"""Taking alerts in while somebody else changes the same incident: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gitops_sre.adapters.store import SqlStore
from gitops_sre.engine.bot import TRIES, Bot
from gitops_sre.engine.intake import Intake
from gitops_sre.engine.world import World
from gitops_sre.model.incident import Incident
from gitops_sre.model.signal import Alert
from gitops_sre.ports import ConflictError, Transition
from tests import builders as b

INTAKE = Intake(
    lambda a: (a.labels["service"], a.labels["environment"]), lambda alerts: (tuple(alerts),), timedelta(seconds=60)
)


@dataclass
class Rival:
    """A store in which somebody else saves the same incident just before us, some times."""

    store: SqlStore
    times: int
    met: int = field(default=0)

    def save(self, incident: Incident, transitions: Iterable[Transition] = ()) -> Incident:
        stored = self.store.load(incident.id)
        if stored is not None and self.met < self.times:
            self.met += 1
            self.store.save(replace(stored, reason=f"changed {self.met} times"))
        return self.store.save(incident, transitions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class Noon:
    def now(self) -> datetime:
        return b.after(10)


def bot(store: Rival) -> Bot:
    return Bot(cast(World, SimpleNamespace(clock=Noon(), store=store)), INTAKE, "test")


def names(alerts: Sequence[Alert]) -> set[str]:
    return {alert.labels["service"] for alert in alerts}


def test_an_alert_is_stored_although_the_incident_changes_meanwhile(tmp_path: Path) -> None:
    rival = Rival(SqlStore(f"sqlite:///{tmp_path / 'bot.db'}"), times=TRIES - 1)
    (opened,) = bot(rival).receive([b.alert("checkout")])
    bot(rival).receive([b.alert("web", at=1)])
    stored = rival.store.load(opened.id)
    assert stored is not None
    assert names(stored.alerts) == {"checkout", "web"}
    assert stored.reason == f"changed {TRIES - 1} times"
    rival.store.close()


def test_when_it_never_settles_the_sender_is_told(tmp_path: Path) -> None:
    rival = Rival(SqlStore(f"sqlite:///{tmp_path / 'bot.db'}"), times=TRIES)
    bot(rival).receive([b.alert("checkout")])
    with pytest.raises(ConflictError):
        bot(rival).receive([b.alert("web", at=1)])
    rival.store.close()
