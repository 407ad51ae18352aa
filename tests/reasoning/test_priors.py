"""Priors learn from verified fixes, within bounds, and from nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.diagnosis import Cause
from gitops_sre.model.findings import Findings
from gitops_sre.model.precedent import Precedent
from gitops_sre.reasoning.causes import FAULTS
from gitops_sre.reasoning.diagnose import diagnose
from gitops_sre.reasoning.priors import MOST, WORTH, curable, priors
from tests.reasoning.cases import CATALOGUE, EDGES, SCOPE, belief, change, world

SHARES = {"checkout": 0.6, "payments": 0.2, "shipping": 0.2}
CURABLE = tuple(cause for cause in FAULTS if curable(cause, CATALOGUE))
PLACES = st.tuples(st.sampled_from([*SHARES, "retired"]), st.sampled_from(FAULTS))
PASTS = st.lists(PLACES, max_size=60)
BASE = priors(SHARES, FAULTS, CATALOGUE)


def after(past: Sequence[tuple[str, Cause]]) -> dict[tuple[str, Cause], float]:
    return priors(SHARES, FAULTS, CATALOGUE, [Precedent(service, "staging", cause) for service, cause in past])


@given(PASTS)
def test_history_moves_odds_within_a_bound_and_only_among_what_a_fix_can_bear_out(
    past: list[tuple[str, Cause]],
) -> None:
    found = after(past)
    moves = [math.log(found[place] / BASE[place]) for place in BASE]
    assert max(moves) - min(moves) <= 2 * math.log(MOST) + 1e-9
    assert sum(found.values()) == pytest.approx(sum(BASE.values()))
    assert all(found[service, cause] == BASE[service, cause] for service, cause in BASE if cause not in CURABLE)


@given(PASTS, st.sampled_from(sorted(SHARES)), st.sampled_from(CURABLE))
def test_one_more_incident_of_a_cause_never_lowers_its_odds(
    past: list[tuple[str, Cause]], service: str, cause: Cause
) -> None:
    before, found = after(past), after([*past, (service, cause)])
    assert found[service, cause] >= before[service, cause] * (1 - 1e-9)
    others = [place for place in BASE if place != (service, cause)]
    odds = [(found[service, cause] / found[place], before[service, cause] / before[place]) for place in others]
    assert all(now >= then * (1 - 1e-9) for now, then in odds)


def test_a_place_gets_what_the_formula_says() -> None:
    mass = sum(BASE[place] for place in BASE if place[1] in CURABLE)
    mean = BASE["checkout", "new_deploy"] / mass
    found = after([("checkout", "new_deploy")] * 3)
    rest = after([("checkout", "new_deploy")] * 3)["payments", "new_deploy"] / BASE["payments", "new_deploy"]
    assert found["checkout", "new_deploy"] == pytest.approx(mass * (WORTH * mean + 3) / (WORTH + 3))
    assert rest == pytest.approx(WORTH / (WORTH + 3))


@pytest.mark.parametrize("past", [[], [("retired", "new_deploy")] * 9, [("checkout", "network")] * 9])
def test_what_cannot_count_changes_no_bit(past: list[tuple[str, Cause]]) -> None:
    assert after(past) == BASE


def test_it_tips_the_scales_between_equals_and_is_shown() -> None:
    sick = Findings(SCOPE, tuple(world(errors_checkout="high")), (), EDGES, changes=(change(kind="flag"),))
    flips = tuple(Precedent("checkout", "staging", "flag_flip") for _ in range(4))
    plain, learned = (diagnose(replace(sick, precedents=past), CATALOGUE) for past in ((), flips))
    assert belief(learned, "flag_flip") > belief(plain, "flag_flip")
    seen = learned.find("precedents/checkout")
    assert seen is not None
    assert seen.statement == "earlier incidents of checkout that ended with a verified fix: flag flip (4)"
    assert all(seen.id not in (*each.supports, *each.opposes) for each in learned.hypotheses)


def test_it_never_overrules_clear_evidence() -> None:
    sick = Findings(SCOPE, tuple(world(errors_checkout="high")), (), EDGES, changes=(change(),))
    elsewhere = tuple(Precedent("payments", "staging", "config_change") for _ in range(500))
    plain, learned = (diagnose(replace(sick, precedents=past), CATALOGUE) for past in ((), elsewhere))
    assert learned.top.key == plain.top.key
