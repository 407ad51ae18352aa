"""What an incident costs on GitHub: others share the limits."""

from __future__ import annotations

from dataclasses import asdict

from gitops_sre.model.incident import State
from gitops_sre.model.usage import Usage
from tests.loop.conftest import Founder
from tests.loop.place import newest

READS, WRITES = 40, 12


def test_a_rollback_from_alert_to_resolved_keeps_to_its_budget(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    bot = place.bot()
    began = bot.world.forge.spent()

    for _ in range(12):  # as the service does it
        place.tick(2)
        for incident in bot.sweep():
            bot.look(incident.id)
        bot.show()
        if (last := newest(bot)) is not None and last.finished:
            break

    assert last is not None
    assert last.state is State.RESOLVED
    everything = bot.world.forge.spent() - began
    assert everything.reads <= READS, everything  # what is unchanged does not count against the limit
    assert everything.writes <= WRITES, everything
    assert last.spent.writes >= 7  # branch, commit, check run, pull request, label, merge, outcome
    both = zip(asdict(last.spent).values(), asdict(everything).values(), strict=True)
    assert all(own <= of_all for own, of_all in both)


def test_what_it_has_cost_is_kept_over_a_restart(found: Founder) -> None:
    place = found("L4")
    place.deploy_bad()
    merged = place.until(place.bot(), State.SYNCING)
    ended = place.until(place.bot(), State.RESOLVED)
    assert merged.spent != Usage()
    assert ended.spent.writes == merged.spent.writes + 1  # the outcome
    assert ended.spent.reads > merged.spent.reads
