"""Autonomy is lost at once, by the bot's own record, and named where people look."""

from __future__ import annotations

from gitops_sre.model.incident import State
from tests.loop.conftest import Founder
from tests.loop.place import newest


def test_after_a_wrong_fix_the_next_one_of_its_kind_waits_for_a_person(found: Founder) -> None:
    place = found("L4")
    place.settings = place.settings.model_copy(
        update={"timing": place.settings.timing.model_copy(update={"cooldown": 1, "group_window": 1})}
    )
    place.deploy_beside_a_fault()
    bot = place.bot()
    wrong = place.until(bot, State.ESCALATED)
    assert place.states == ["merged", "merged"]  # the fix, and its revert

    place.signals.heal()
    place.turn(bot, 700)  # longer than changes are looked back for
    place.deploy_bad("v9.1.0")
    for _ in range(25):
        after = place.turn(bot, 2)
        if after is not None and after.id != wrong.id and after.state is State.AWAITING_APPROVAL:
            break

    incident = newest(bot)
    assert incident is not None
    assert incident.verdict is not None, (incident.state, incident.reason)
    assert incident.verdict.level.name == "L3"
    (reason,) = incident.verdict.binding
    assert reason.rule == "demotion"
    assert wrong.id in reason.text
    assert f"did not help in {wrong.id}" in (place.dashboard.body or "")
    assert place.states == ["merged", "merged", "open"]
