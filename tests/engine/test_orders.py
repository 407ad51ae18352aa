"""Orders in comments on a real GitHub server: heard, obeyed and answered once, whatever fails in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gitops_sre.adapters.store import SqlStore
from gitops_sre.engine.bot import Bot
from gitops_sre.engine.intake import Intake
from gitops_sre.engine.world import World
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.pull import PullRequest
from gitops_sre.model.verdict import Level
from gitops_sre.sandbox.github import Fault
from gitops_sre.settings import AutonomySettings, EngineSettings, GitHubSettings, PolicySettings, TimingSettings
from tests import builders as b
from tests.adapters.github.conftest import BOT, Stage, server, stage

__all__ = ["server", "stage"]


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class NoRepository:
    def head(self) -> Unavailable:
        return Unavailable("out of reach")


@dataclass
class Office:
    """The bot with a pull request that waits for approval, and the people around it."""

    stage: Stage
    store: SqlStore
    incident: str

    def bot(self, owner: str = "one", *, dashboard: bool = False) -> Bot:
        """A bot that has just started."""
        world = SimpleNamespace(
            clock=Clock(),
            channels=None,
            store=self.store,
            forge=self.stage.forge(),
            repository=NoRepository(),
            settings=SimpleNamespace(
                timing=TimingSettings(),
                engine=EngineSettings(),
                policy=PolicySettings(),
                autonomy=AutonomySettings(),
                github=GitHubSettings(repository=self.stage.name, dashboard=dashboard),
            ),
        )
        return Bot(cast(World, world), cast(Intake, None), owner)

    def says(self, who: str, body: str) -> None:
        """A comment on the pull request."""
        self.stage.as_person(who, "POST", "/issues/1/comments", {"body": body})

    def now(self) -> Incident:
        """The incident as it is stored."""
        found = self.store.load(self.incident)
        assert found is not None
        return found

    def replies(self) -> list[str]:
        """What the bot has said."""
        return [comment.body for comment in self.stage.repo.comments_of(1) if comment.user == BOT]


@pytest.fixture
def office(stage: Stage, tmp_path: Path) -> Iterator[Office]:
    pull = stage.opened(stage.forge(), Level.L3)
    assert isinstance(pull, PullRequest)
    waiting = replace(b.incident(State.AWAITING_APPROVAL, Level.L3), fix=pull)
    store = SqlStore(f"sqlite:///{tmp_path / 'bot.db'}")
    store.save(waiting)
    yield Office(stage, store, waiting.id)
    store.close()


def test_an_order_is_obeyed_and_answered_once(office: Office) -> None:
    office.says("bob", "/sre hold for 2h")
    for _ in range(3):
        office.bot().steer()
    hold = office.now().hold
    assert hold is not None
    assert hold.by == "bob"
    (reply,) = office.replies()
    assert "nothing is merged meanwhile" in reply


def test_a_stranger_changes_nothing(office: Office) -> None:
    before = office.now()
    office.says("eve", "/sre close")
    office.bot().steer()
    assert office.now() == before
    assert office.replies() == []
    (reaction,) = office.stage.repo.reactions.values()
    assert (reaction.user, reaction.content) == (BOT, "-1")


def test_when_the_answer_is_lost_the_order_still_has_its_effect_once(office: Office) -> None:
    office.says("bob", "/sre close")
    office.stage.github.inject("POST", f"{office.stage.api}/issues/1/comments", Fault(502))
    office.bot().steer()
    closed = office.now()
    assert closed.state is State.REJECTED
    office.bot().steer()
    assert office.now().obeyed == closed.obeyed
    (reply,) = office.replies()
    assert reply.startswith("Closed: that means no")


def test_orders_are_obeyed_in_the_order_in_which_they_were_given(office: Office) -> None:
    office.says("bob", "/sre hold")
    office.says("carol", "/sre resume")
    office.bot().steer()
    assert office.now().hold is None
    assert len(office.replies()) == 2


def test_while_another_process_works_on_the_incident_orders_wait(office: Office) -> None:
    office.says("bob", "/sre hold")
    now = datetime.now(UTC)
    office.store.lease(office.incident, "other", now.replace(year=now.year + 1), now)
    office.bot().steer()
    assert office.now().hold is None
    office.store.release(office.incident, "other")
    office.bot().steer()
    assert office.now().hold is not None


def test_github_out_of_reach_loses_no_order(office: Office) -> None:
    office.says("bob", "/sre hold")
    office.stage.github.inject("GET", f"{office.stage.api}/issues/comments", Fault(500), times=5)
    office.bot().steer()
    office.stage.github.clear_faults()
    office.bot().steer()
    assert office.now().hold is not None


def test_the_dashboard_shows_what_is_open_and_is_written_only_with_news(office: Office) -> None:
    bot = office.bot(dashboard=True)
    bot.show(last=True)
    issue = office.stage.repo.issues[2]
    assert office.incident in (issue.body or "")
    office.stage.requests.clear()
    bot.show(last=True)
    assert office.stage.requests == []
    office.bot(dashboard=True).show(last=True)
    assert office.stage.writes("/issues/2") == 0


def test_the_next_look_is_when_github_may_be_asked_again(office: Office) -> None:
    bot = office.bot()
    office.stage.github.inject("POST", "/api/graphql", Fault(429, {"retry-after": "300"}))
    assert isinstance(bot.world.forge.actions(), Unavailable)
    wait = bot.look(office.incident)
    assert wait is not None
    assert 290 < wait <= 300
