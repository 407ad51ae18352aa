"""Killed anywhere, with or without its memory, alone or one of two: one branch, one pull request, one merge."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest

from gitops_sre.engine.bot import Bot
from gitops_sre.model.incident import Incident, State
from gitops_sre.ports import Store
from tests.loop.conftest import Founder
from tests.loop.doubles import KilledError, MortalStore, Reaper, mortal_requests
from tests.loop.place import Place, end, newest

MOMENT = pytest.mark.parametrize("when", ["before", "after"])
MEMORY = pytest.mark.parametrize("memory", ["kept", "deleted"])
When = Literal["before", "after"]


def live_through(
    place: Place, reaper: Reaper, *, forget: bool, ends: State = State.RESOLVED, turns: int = 120
) -> Incident:
    """Turn by turn, starting the bot again whenever it was killed, until the incident has ended as it must."""

    def wrap(store: Store) -> Store:
        return MortalStore(store, reaper)

    bot, deaths = place.bot(wrap=wrap), 0
    for _ in range(turns):
        with contextlib.suppress(KilledError):
            incident = place.turn(bot)
            if incident is not None and incident.finished:
                assert incident.state is ends, incident.reason
                return incident
        if reaper.dead:
            deaths += 1
            end(place.worlds[-1])
            reaper.dead = False
            bot = place.bot(f"bot-{deaths}.db" if forget else "bot.db", wrap)
    raise AssertionError(f"not {ends} after {deaths} deaths but {newest(bot)}; met {reaper.met}")


def assert_done_once(place: Place, *, bots: int = 1) -> None:
    """Exactly one branch, one pull request, one merge, one outcome; `bots` that act in the same instant."""
    assert place.states == ["merged"]
    assert len(place.merges) == 1
    assert len(place.branches) <= 1
    pull = place.pull()
    assert place.repo.git.run("rev-list", "--count", f"{pull.base_sha}..{pull.head_sha}").decode().strip() == "1"
    # GitHub takes two check runs of a name and two equal comments, so bots in the same instant may leave as many as
    # they are; they must say the same.
    said = {(check.name, check.conclusion) for check in place.checks(pull)}
    assert len({name for name, _ in said}) == len(said)
    outcomes = place.outcomes(pull)
    assert set(outcomes) == {"resolved"}
    assert len(outcomes) <= bots
    assert place.reports == []
    assert place.tag == place.good


@MOMENT
@MEMORY
def test_dying_once_at_each_kind_of_effect_repeats_none(
    found: Founder, monkeypatch: pytest.MonkeyPatch, when: When, memory: str
) -> None:
    place = found("L4")
    place.deploy_bad()
    reaper = Reaper(when, lambda name, met: name not in met)
    mortal_requests(monkeypatch, reaper)

    live_through(place, reaper, forget=memory == "deleted")

    assert len(set(reaper.met)) >= 14, reaper.met  # a branch, a commit, a pull request, ... and each state
    assert_done_once(place)


@pytest.mark.slow
@MOMENT
def test_dying_at_each_kind_of_effect_of_a_wrong_fix_still_reverts_it_once(
    found: Founder, monkeypatch: pytest.MonkeyPatch, when: When
) -> None:
    place = found("L4")
    place.deploy_beside_a_fault()
    before = place.read(place.file)
    kinds = set[str]()

    def fatal(name: str, met: Sequence[str]) -> bool:
        # What a kind of request is done to (the fix, the revert, a report) shows in the state last saved.
        state = next((each for each in reversed(met) if each.startswith("save ")), "")
        fresh = f"{name} in {state}" not in kinds
        kinds.add(f"{name} in {state}")
        return fresh

    reaper = Reaper(when, fatal)
    mortal_requests(monkeypatch, reaper)

    live_through(place, reaper, forget=True, ends=State.ESCALATED)

    assert place.states == ["merged", "merged"]
    assert len(place.merges) == 2
    assert len(place.reports) == 1
    assert place.read(place.file) == before


def test_a_pull_request_whose_maker_died_before_the_verdict_was_left_gets_it_all_the_same(
    found: Founder, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = found("L3")
    place.deploy_bad()
    reaper = Reaper("before", lambda name, _: name.endswith("/check-runs"))
    mortal_requests(monkeypatch, reaper)
    with contextlib.suppress(KilledError):
        place.turn(place.bot())
    assert place.states == []
    reaper.dead, reaper.fatal = False, lambda *_: False

    place.until(place.bot("new.db"), State.AWAITING_APPROVAL)

    assert [check.name for check in place.checks(place.pull())] == ["gitops-sre/verdict"]


@pytest.mark.slow
@MOMENT
@MEMORY
@pytest.mark.parametrize("nth", range(1, 20))
def test_dying_at_any_single_effect_repeats_none(
    found: Founder, monkeypatch: pytest.MonkeyPatch, when: When, memory: str, nth: int
) -> None:
    place = found("L4")
    place.deploy_bad()
    reaper = Reaper(when, lambda _, met: len(met) + 1 == nth)
    mortal_requests(monkeypatch, reaper)

    live_through(place, reaper, forget=memory == "deleted")

    assert_done_once(place)


def test_the_wrong_fix_with_the_memory_lost_at_every_state_is_reverted_once(found: Founder) -> None:
    place = found("L4")
    place.deploy_beside_a_fault()
    seen: set[State] = set()
    bot = place.bot()
    for number in range(60):
        incident = place.turn(bot, 2)
        if incident is not None and incident.finished:
            break
        if incident is not None and incident.state not in seen:
            seen.add(incident.state)
            bot = place.bot(f"bot-{number}.db")

    assert incident is not None
    assert incident.state is State.ESCALATED
    assert place.states == ["merged", "merged"]
    assert len(place.reports) == 1


@pytest.mark.parametrize("how", ["in turn", "at once"])
def test_two_bots_with_memories_of_their_own_still_act_once(found: Founder, how: str) -> None:
    place = found("L4")
    place.deploy_bad()
    bots = [place.bot("one.db"), place.bot("two.db")]

    for _ in range(20):
        place.tick(2)
        look_all(bots, at_once=how == "at once")
        known = [incident for bot in bots if (incident := newest(bot)) is not None]
        if len(known) == len(bots) and all(incident.finished for incident in known):
            break

    assert [incident.state for incident in known] == [State.RESOLVED, State.RESOLVED]
    assert_done_once(place, bots=2 if how == "at once" else 1)


def look_all(bots: list[Bot], *, at_once: bool) -> None:
    """Every bot makes a pass."""
    if not at_once:
        for bot in bots:
            bot.once()
        return
    with ThreadPoolExecutor(max_workers=len(bots)) as pool:
        list(pool.map(Bot.once, bots))
