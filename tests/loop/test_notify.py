"""People are called beside GitHub: once each, by whom policy names, however often a channel or the bot fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from gitops_sre.adapters.channels import AppriseChannels
from gitops_sre.engine.bot import Bot
from gitops_sre.engine.notify import NOT_NOTIFIED, NOTIFIED
from gitops_sre.model.incident import State
from gitops_sre.settings import ChannelSettings, NotificationSettings
from tests.loop.conftest import Founder
from tests.loop.place import Place
from tests.receivers import Web, web

ROUTES = """\
apiVersion: gitops-sre.dev/v1
kind: Notification
metadata: {{name: calls}}
spec:
  routes:
    - {{name: one, channels: [{channels}], match: {{events: [{events}]}}}}
"""
ALL = "escalated, approval_wanted, resolved, breaker_opened, demoted, halted"
FILE = ".gitops-sre/policies/calls.yaml"


@dataclass
class House:
    """A place whose bot calls people at a web server."""

    place: Place
    web: Web

    def bot(self, channel: str = "", **changes: object) -> Bot:
        """A process that has just started; `channel` is another address than the server's."""
        place = self.place
        url = channel or f"json://127.0.0.1:{self.web.port}/T0KEN-secret"
        settings = NotificationSettings(channels={"ops": ChannelSettings(url_env="OPS")}, timeout=2, wait=4, **changes)
        bot = place.bot()
        world = replace(
            bot.world,
            settings=bot.world.settings.model_copy(update={"notifications": settings}),
            channels=AppriseChannels(settings, {"OPS": url}),
        )
        return Bot(world, bot.intake, bot.owner, bot.told)

    @property
    def titles(self) -> list[str]:
        """What was told."""
        return [json.loads(got.body)["title"] for got in self.web.got]


@pytest.fixture
def house(found: Founder) -> object:
    """Founds a house whose policy routes everything."""
    servers = []

    def build(level: str = "L4", events: str = ALL, channels: str = "ops") -> House:
        context = web()
        servers.append(context)
        place = found(level)  # type: ignore[arg-type]  # a level's name
        place.commit({FILE: ROUTES.format(events=events, channels=channels).encode()})
        return House(place, context.__enter__())

    yield build
    for context in servers:
        context.__exit__(None, None, None)


Build = Callable[..., House]


def entries(bot: Bot, event: str) -> list[str]:
    """What the ledger says of calls."""
    return [str(entry.facts["why"]) for entry in bot.world.store.ledger(events=(event,))]


def test_a_fix_that_helped_is_told_once(house: Build) -> None:
    here = house()
    here.place.deploy_bad()
    bot = here.bot()
    here.place.until(bot, State.RESOLVED)
    for _ in range(3):
        here.place.turn(bot)
    assert here.titles == ["Resolved: shipping (staging)"]
    told = json.loads(here.web.got[0].body)
    assert f"Read on: {here.place.servers.github_url}/{here.place.name}/pull/" in told["message"]
    assert entries(bot, NOTIFIED) == ["channel ops was told: resolved"]


def test_who_is_to_approve_is_told_and_then_that_it_helped(house: Build) -> None:
    here = house("L3")
    here.place.deploy_bad()
    bot = here.bot()
    here.place.until(bot, State.AWAITING_APPROVAL)
    here.place.turn(bot)
    assert here.titles == ["A fix waits for a person: shipping (staging)"]
    here.place.review("alice")
    here.place.until(bot, State.RESOLVED)
    assert here.titles[1:] == ["Resolved: shipping (staging)"]


def test_an_escalation_and_a_lost_level_are_told(house: Build) -> None:
    here = house()
    here.place.deploy_beside_a_fault()
    bot = here.bot()
    here.place.until(bot, State.ESCALATED, turns=60)
    assert "A person is needed: shipping (staging)" in here.titles
    assert len(here.titles) == len(set(here.titles))


def test_a_breaker_that_opens_is_told_once(house: Build) -> None:
    here = house()
    breaker = here.place.settings.breaker.model_copy(update={"same_action": 1})
    here.place.settings = here.place.settings.model_copy(update={"breaker": breaker})
    here.place.deploy_beside_a_fault()
    bot = here.bot()
    here.place.until(bot, State.ESCALATED, turns=60)
    for _ in range(3):
        here.place.turn(bot)
    assert here.titles.count("The circuit breaker opened: shipping (staging)") == 1
    (why,) = [each for each in entries(bot, NOTIFIED) if "breaker" in each]
    assert why == "channel ops was told: breaker opened"


def test_a_channel_that_fails_keeps_nothing_waiting_and_is_tried_again_later(house: Build) -> None:
    here = house()
    here.web.status = 500
    here.place.deploy_bad()
    bot = here.bot()
    incident = here.place.until(bot, State.RESOLVED)
    assert len(here.web.got) == 1
    (why,) = entries(bot, NOT_NOTIFIED)
    assert "try 1 of 8" in why
    assert "T0KEN" not in why
    assert "Who cannot be called" in (here.place.dashboard.body or "")
    here.place.turn(bot)  # too early for another try
    assert len(here.web.got) == 1
    here.web.status = 200
    again = here.bot()  # a restart forgets nothing
    here.place.turn(again, 5)
    assert len(here.web.got) == 2
    assert entries(again, NOTIFIED) == ["channel ops was told: resolved"]
    assert again.world.store.ledger(incident.id)[-1].event == NOTIFIED


def test_after_the_last_try_it_is_left_to_github(house: Build) -> None:
    here = house()
    here.place.deploy_bad()
    bot = here.bot("json://127.0.0.1:1", tries=2)
    here.place.until(bot, State.RESOLVED)
    for _ in range(4):
        here.place.turn(bot, 20)
    assert len(entries(bot, NOT_NOTIFIED)) == 2


def test_a_process_that_dies_after_the_call_makes_it_again(house: Build) -> None:
    here = house()
    here.place.deploy_bad()
    bot = here.bot()
    store, note = bot.world.store, bot.world.store.note

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    store.note = die  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        here.place.until(bot, State.RESOLVED)
    store.note = note  # type: ignore[method-assign]
    assert len(here.web.got) == 1
    again = here.bot()
    here.place.tick(120)  # the dead one's turn is over
    again.once()
    assert here.titles == ["Resolved: shipping (staging)"] * 2


def test_what_policy_does_not_route_is_not_told(house: Build) -> None:
    here = house(events="halted")
    here.place.deploy_bad()
    bot = here.bot()
    here.place.until(bot, State.RESOLVED)
    assert here.titles == []


def test_a_channel_that_no_settings_name_is_a_failure_that_is_seen(house: Build) -> None:
    here = house(channels="pager")
    here.place.deploy_bad()
    bot = here.bot()
    here.place.until(bot, State.RESOLVED)
    (why,) = entries(bot, NOT_NOTIFIED)
    assert "there is no channel pager in the settings" in why


def test_that_somebody_stopped_the_bot_is_told_once_each_time(house: Build) -> None:
    here = house()
    bot = here.bot()
    here.place.turn(bot)
    halt, off = {".gitops-sre/HALT": b"stop"}, {".gitops-sre/HALT": None}
    for files in (halt, off, halt):
        here.place.commit(files)
        here.place.turn(bot, 61)
        here.place.turn(bot)
    assert here.titles == ["The bot is halted"] * 2


def test_what_an_alert_says_mentions_and_links_nobody(house: Build) -> None:
    here = house("L1", events="escalated, resolved, approval_wanted")
    here.place.pager.labels["service"] = "<!channel> @here https://evil.example"
    here.place.deploy_bad()
    bot = here.bot()
    for _ in range(4):
        here.place.turn(bot, 2)
    said = "\n".join(got.body for got in here.web.got)
    assert "<!channel>" not in said
    assert "https://evil.example" not in said
