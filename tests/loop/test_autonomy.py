"""Trust is lost at once and given back by people: a story about one action in one tier."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from gitops_sre.engine.autonomy import ceilings
from gitops_sre.engine.bot import Bot
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.verdict import Level
from gitops_sre.policy.experience import PROPOSED, RESET, SUBJECT
from gitops_sre.ports import Transition
from tests.loop.conftest import Founder
from tests.loop.place import LADDER_FILE, Place


def again(place: Place, bot: Bot, tag: str, *states: State) -> Incident:
    """All is well for a while; then the next bad release, until its incident is in one of the states."""
    place.signals.heal()
    place.turn(bot)
    place.tick(700)
    place.deploy_bad(tag)
    return place.until(bot, *states)


def test_a_fix_that_did_not_help_costs_the_right_to_merge_until_a_person_gives_it_back(found: Founder) -> None:
    place = found("L4")
    place.settings = place.settings.model_copy(
        update={"decision": place.settings.decision.model_copy(update={"investigations": 1})}
    )
    place.deploy_beside_a_fault()
    bot = place.bot()
    wrong = place.until(bot, State.ESCALATED)

    assert place.states == ["merged", "merged"]
    said = [check.summary or "" for pull in place.pulls for check in place.checks(pull) if "outcome" in check.name]
    assert all("at most L3" in text for text in said)
    bot.show(last=True)
    assert "What it has lost" in (place.dashboard.body or "")

    capped = again(place, bot, "v9.2.0", State.AWAITING_APPROVAL)
    assert capped.id != wrong.id
    assert capped.verdict is not None
    assert capped.verdict.level is Level.L3
    (why,) = capped.verdict.binding
    assert why.rule == "demotion"
    assert wrong.id in why.text
    assert wrong.id in (place.repo.issues[place.pulls[-1].number].body or "")

    place.close_by("alice", place.pulls[-1].number)
    place.until(bot, State.REJECTED)
    facts = {"why": "the second cause is known now", "action": "rollback_image", "tier": "standard"}
    bot.world.store.note(SUBJECT, Transition(RESET, "", "", json.dumps(facts), place.clock.now()))

    trusted = again(place, bot, "v9.3.0", State.RESOLVED)
    assert trusted.verdict is not None
    assert trusted.verdict.level is Level.L4
    assert place.tag == "v9.2.0"


def test_where_asked_for_the_first_fix_of_a_cause_is_a_persons_and_the_next_its_own(found: Founder) -> None:
    place = found("L4")
    breaker = place.settings.breaker.model_copy(update={"first_time": True})
    place.settings = place.settings.model_copy(update={"breaker": breaker})
    place.deploy_bad()
    bot = place.bot()
    first = place.until(bot, State.AWAITING_APPROVAL)
    assert first.verdict is not None
    (why,) = first.verdict.binding
    assert (why.rule, why.ceiling) == ("breaker", Level.L3)
    assert "no fix of new deploy has been verified in staging yet" in why.text
    place.review("alice")
    place.until(bot, State.RESOLVED)

    second = again(place, bot, "v9.2.0", State.RESOLVED)
    assert second.id != first.id
    assert second.verdict is not None
    assert second.verdict.level is Level.L4


def test_what_was_lost_is_found_again_on_the_forge_by_a_bot_without_memory(found: Founder) -> None:
    place = found("L4")
    place.deploy_beside_a_fault()
    wrong = place.until(place.bot(), State.ESCALATED)
    place.signals.heal()
    fresh = place.bot("other.db")
    place.turn(fresh)
    (ceiling,) = ceilings(fresh.world.store)
    assert (ceiling.action, ceiling.tier, ceiling.level) == ("rollback_image", "standard", Level.L3)
    assert ceiling.incidents == (wrong.id,)


def test_a_good_record_is_proposed_once_with_a_patch_that_a_person_applies(found: Founder, tmp_path: Path) -> None:
    place = found("L3")
    bot = place.bot()
    place.turn(bot)
    planned = json.dumps({"action": "rollback_image", "tier": "standard"})
    judged = json.dumps({"level": "L3", "tiers": ["standard"]})
    for number in range(20):
        for event, source, target, detail in (
            ("Planned", "diagnosed", "planned", planned),
            ("Allowed", "planned", "proposed", judged),
            ("Recovered", "verifying", "resolved", "{}"),
        ):
            bot.world.store.note(f"inc-{number}", Transition(event, source, target, detail, place.clock.now()))
    place.turn(place.bot())
    place.turn(place.bot())

    (issue,) = place.reports
    body = issue.body or ""
    assert issue.title == "Promotion: rollback_image in tier standard from L3 to L4"
    assert "| Verified: live, and the SLO recovered | 20 |" in body
    assert place.read(LADDER_FILE).count(b"L3") == 1  # the bot never writes policy

    clone = tmp_path / "clone"
    git("clone", "--quiet", str(place.repo.git.path), str(clone))
    patch = body.partition("```diff\n")[2].partition("```")[0]
    (tmp_path / "promotion.patch").write_text(patch)
    git("-C", str(clone), "apply", str(tmp_path / "promotion.patch"))
    levels = yaml.safe_load((clone / LADDER_FILE).read_text())["spec"]["levels"]
    assert {"action": "rollback_image", "tier": "standard", "level": "L4"} in levels
    assert {"action": "rollback_image", "tier": "unknown", "level": "L3"} in levels
    (entry,) = bot.world.store.ledger(events={PROPOSED})
    assert json.loads(entry.detail)["to"] == "L4"


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)
