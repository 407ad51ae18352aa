"""Where an action stands, and what a promotion lacks."""

from __future__ import annotations

import pytest

from gitops_sre.model.autonomy import Case, Ceiling, Figures, Result
from gitops_sre.model.verdict import Level
from gitops_sre.policy.autonomy import opened, standings
from gitops_sre.settings import AutonomySettings
from tests import builders as b
from tests.policy.cases import document, policies

KEY = ("rollback_image", "standard")
KNOWN = (KEY, ("rollback_image", "critical"), ("scale", "standard"))
ASKED = AutonomySettings(lower_bound=0.9, cases=20)


def ladder(*levels: str) -> str:
    return document("AutonomyLadder", f"  levels: [{', '.join(levels)}]")


def case(number: int, result: Result = "verified", level: Level = Level.L3) -> Case:
    return Case(f"inc-{number}", *KEY, b.after(number), level, ("standard",), result)


@pytest.mark.parametrize(
    ("levels", "level"),
    [
        ((), Level.L1),
        (("{action: rollback_image, level: L3}",), Level.L3),
        (("{action: '*', level: L4}", "{action: rollback_image, environment: prod, level: L2}"), Level.L2),
        (("{action: rollback_image, level: L3}", "{action: '*', service: payments, level: L1}"), Level.L3),
        (("{action: rollback_image, tier: critical, level: L3}",), Level.L1),
        (("{action: scale, level: L3}",), Level.L1),
    ],
)
def test_the_level_of_a_tier_is_the_lowest_that_is_open_for_every_service(
    levels: tuple[str, ...], level: Level
) -> None:
    assert opened(policies(ladder(*levels)).ladder, *KEY) is level


@pytest.mark.parametrize(
    ("good", "bad", "level", "missing"),
    [
        (20, 0, Level.L3, ""),
        (19, 0, Level.L3, "1 more case at L3 or higher"),
        (20, 0, Level.L2, "20 more cases at L3 or higher"),
        (20, 1, Level.L3, "lower bound 0.828 of 0.9"),
        (60, 1, Level.L4, ""),
        (0, 0, Level.L3, "20 more cases at L3 or higher; lower bound 0.006 of 0.9"),
    ],
)
def test_a_promotion_needs_cases_at_this_level_and_a_lower_bound(
    good: int, bad: int, level: Level, missing: str
) -> None:
    told = [case(n, level=level) for n in range(good)] + [case(99, "rejected", level)] * bad
    held = policies(ladder("{action: rollback_image, tier: standard, level: L3}"))
    (found,) = standings(told, (), held.ladder, KNOWN, ASKED)
    assert found.missing == missing
    assert (found.action, found.tier, found.opened, found.effective) == (*KEY, Level.L3, Level.L3)
    assert found.figures == Figures(verified=good, rejected=bad)
    assert 0 <= found.lower <= found.mean <= 1


def test_what_is_held_back_earns_nothing_until_a_person_lifts_it() -> None:
    ceiling = Ceiling(*KEY, Level.L2, 2, ("inc-1", "inc-2"), b.NOW)
    held = policies(ladder("{action: rollback_image, tier: standard, level: L3}"))
    (found,) = standings([case(n) for n in range(100)], [ceiling], held.ladder, KNOWN, ASKED)
    assert (found.opened, found.effective) == (Level.L3, Level.L2)
    assert found.missing == "held at L2 until a person lifts that"


@pytest.mark.parametrize(("level", "missing"), [("L1", "a person opens L2 first"), ("L4", "nothing is above L4")])
def test_the_ends_of_the_ladder(level: str, missing: str) -> None:
    held = policies(ladder(f"{{action: rollback_image, level: {level}}}"))
    (found,) = standings([case(n, level=Level.L4) for n in range(100)], (), held.ladder, [KEY], ASKED)
    assert found.missing == missing


def test_open_levels_without_a_record_are_shown_and_a_record_without_levels_too() -> None:
    held = policies(ladder("{action: scale, level: L2}"))
    found = standings([case(1)], (), held.ladder, KNOWN, ASKED)
    assert [(each.action, each.tier, each.opened) for each in found] == [
        (*KEY, Level.L1),
        ("scale", "standard", Level.L2),
    ]
