"""What the ledger says of the bot's own record, entry by entry."""

from __future__ import annotations

import json

import pytest

from gitops_sre.model.autonomy import Figures
from gitops_sre.model.verdict import Level
from gitops_sre.policy.experience import EVENTS, RESET, SUBJECT, cases, ceilings, figures
from gitops_sre.ports import LedgerEntry
from tests import builders as b

Told = tuple[str, str, str, dict[str, object]]
PLANNED: Told = ("Planned", "diagnosed", "planned", {"action": "rollback_image", "tier": "standard"})
ALLOWED: Told = ("Allowed", "planned", "proposed", {"level": "L4", "tiers": ["standard"]})
RECOVERED: Told = ("Recovered", "verifying", "resolved", {})
FAILED: Told = ("NotRecovered", "verifying", "reverting", {"worse": True})
CLOSED: Told = ("Closed", "awaiting_approval", "rejected", {})
AGAIN: Told = ("Reinvestigate", "reverted", "investigating", {})
TAKEN_BACK: Told = ("RevertAsked", "resolved", "reverting", {"by": "alice"})
FORGIVEN: Told = (RESET, "", "", {"action": "rollback_image", "tier": "standard"})


def ledger(*told: Told, incident: str = "inc-1", start: int = 1) -> tuple[LedgerEntry, ...]:
    return tuple(
        LedgerEntry(n, incident, b.after(n), event, source, target, json.dumps(facts), "", "")
        for n, (event, source, target, facts) in enumerate(told, start)
    )


@pytest.mark.parametrize(
    ("rest", "result"),
    [
        ((RECOVERED,), "verified"),
        ((FAILED,), "false"),
        ((("NeverLive", "syncing", "reverting", {}),), ""),
        ((CLOSED,), "rejected"),
        ((("CloseAsked", "merging", "rejected", {}),), "rejected"),
        ((RECOVERED, TAKEN_BACK), "reverted"),
        ((("RevertAsked", "verifying", "reverting", {}),), "reverted"),
        ((FAILED, ("NotRecovered", "reverting", "reverting", {})), "false"),
        ((), ""),
        ((("TimedOut", "verifying", "escalating", {}),), ""),
        ((("NeverLive", "verifying", "escalating", {}),), ""),
        ((("HandsOff", "awaiting_approval", "superseded", {}),), ""),
    ],
)
def test_only_a_certain_end_counts(rest: tuple[Told, ...], result: str) -> None:
    (case,) = cases(ledger(PLANNED, ALLOWED, *rest))
    assert (case.result, case.level, case.action, case.tier) == (result, Level.L4, "rollback_image", "standard")
    assert figures([case]).cases == bool(result)


def test_each_attempt_is_a_case_of_its_own() -> None:
    told = cases(ledger(PLANNED, ALLOWED, FAILED, AGAIN, PLANNED, ALLOWED, RECOVERED))
    assert [case.result for case in told] == ["false", "verified"]
    assert figures(told) == Figures(verified=1, false=1)


@pytest.mark.parametrize("detail", ["", "found on the forge", "[]", '{"why": "before tiers were kept"}', '{"tier": 3}'])
def test_what_older_versions_wrote_tells_of_no_case(detail: str) -> None:
    entry = LedgerEntry(1, "inc-1", b.NOW, "Planned", "diagnosed", "planned", detail, "", "")
    found = LedgerEntry(2, "inc-1", b.NOW, "Found", "unknown", "resolved", detail, "", "")
    assert cases((entry, found, *ledger(RECOVERED, start=3))) == ()


def test_a_case_that_only_the_forge_remembers_counts() -> None:
    facts: dict[str, object] = {"action": "scale", "tier": "critical", "level": "L3", "attempt": 1}
    for target, taken_back, result in [
        ("resolved", False, "verified"),
        ("reverting", True, "false"),
        ("syncing", False, ""),
    ]:
        (case,) = cases(ledger(("Found", "unknown", target, {**facts, "taken_back": taken_back})))
        assert (case.result, case.level) == (result, Level.L3)


def test_a_lost_memory_does_not_count_an_attempt_twice() -> None:
    facts: dict[str, object] = {"action": "rollback_image", "tier": "standard", "level": "L4", "attempt": 1}
    told = cases(ledger(PLANNED, ALLOWED, FAILED, ("Found", "planned", "reverting", {**facts, "taken_back": True})))
    assert figures(told) == Figures(false=1)


def test_each_false_action_lowers_further_and_a_reset_lifts_it() -> None:
    entries: tuple[LedgerEntry, ...] = ()
    levels = []
    for number in range(4):
        entries += ledger(PLANNED, ALLOWED, FAILED, incident=f"inc-{number}", start=3 * number + 1)
        (ceiling,) = ceilings(cases(entries), entries)
        levels.append(ceiling.level)
        assert (ceiling.incidents[-1], ceiling.count) == (f"inc-{number}", number + 1)
    assert levels == [Level.L3, Level.L2, Level.L1, Level.L1]
    entries += ledger(FORGIVEN, incident=SUBJECT, start=13)
    assert ceilings(cases(entries), entries) == ()
    entries += ledger(PLANNED, ALLOWED, FAILED, incident="inc-9", start=14)
    (ceiling,) = ceilings(cases(entries), entries)
    assert (ceiling.level, ceiling.incidents) == (Level.L3, ("inc-9",))


def test_only_an_entry_that_is_no_incidents_lifts_anything() -> None:
    entries = ledger(PLANNED, ALLOWED, FAILED, FORGIVEN)
    assert len(ceilings(cases(entries), entries)) == 1


def test_a_change_that_reached_further_lowers_every_tier_that_it_touched() -> None:
    wide: Told = ("Allowed", "planned", "proposed", {"level": "L4", "tiers": ["critical", "standard"]})
    entries = ledger(PLANNED, wide, FAILED)
    assert [(each.tier, each.level) for each in ceilings(cases(entries), entries)] == [
        ("critical", Level.L3),
        ("standard", Level.L3),
    ]


def test_what_people_take_back_lowers_too() -> None:
    entries = ledger(PLANNED, ALLOWED, RECOVERED, TAKEN_BACK)
    (ceiling,) = ceilings(cases(entries), entries)
    assert (ceiling.level, ceiling.count) == (Level.L3, 1)
    assert figures(cases(entries)) == Figures(reverted=1)


def test_the_shadow_is_never_a_success() -> None:
    reported: Told = ("OnlyReport", "planned", "reporting", {"level": "L1"})
    told = cases(ledger(PLANNED, reported, ("Compared", "reported", "reported", {"shadow": "agreed"})))
    assert figures(told) == Figures(agreed=1)
    assert figures(told).cases == 0


def test_nothing_that_is_read_is_filtered_out() -> None:
    names = {told[0] for told in (PLANNED, ALLOWED, RECOVERED, FAILED, CLOSED, AGAIN, TAKEN_BACK, FORGIVEN)}
    assert names <= EVENTS
