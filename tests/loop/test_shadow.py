"""At L1 the bot watches what people do instead."""

from __future__ import annotations

import pytest

from gitops_sre.engine.autonomy import standings
from gitops_sre.model.autonomy import Figures
from gitops_sre.model.incident import State
from gitops_sre.policy.documents import Policies
from gitops_sre.policy.experience import EVENTS
from tests.loop.conftest import Founder
from tests.loop.place import newest


@pytest.mark.parametrize(
    ("tag", "shadow", "figures"),
    [
        ("", "", Figures()),
        ("the good one", "agreed", Figures(agreed=1)),
        ("v9.0.1", "disagreed", Figures(disagreed=1)),
    ],
)
def test_what_people_did_is_held_against_what_was_only_reported(
    found: Founder, tag: str, shadow: str, figures: Figures
) -> None:
    place = found("L1")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.REPORTED)
    place.signals.heal()
    if tag:
        place.put_tag(place.good if tag == "the good one" else tag)
    else:
        place.commit({"README.md": b"About something else.\n"})
    place.turn(bot)
    place.turn(bot)

    incident = newest(bot)
    assert incident is not None
    assert incident.shadow == shadow
    (standing,) = standings(bot.world.store.ledger(events=EVENTS), Policies("a" * 40), place.settings)
    assert (standing.action, standing.tier, standing.figures) == ("rollback_image", "standard", figures)
    assert standing.figures.cases == 0


def test_what_nobody_did_within_the_window_is_not_known(found: Founder) -> None:
    place = found("L1")
    autonomy = place.settings.autonomy.model_copy(update={"shadow_window": 30})
    place.settings = place.settings.model_copy(update={"autonomy": autonomy})
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.REPORTED)
    place.signals.heal()
    place.turn(bot, 60)
    place.put_tag(place.good)
    place.turn(bot)
    incident = newest(bot)
    assert incident is not None
    assert incident.shadow == "unknown"
    assert [entry.event for entry in bot.world.store.ledger(incident.id)].count("Compared") == 1
