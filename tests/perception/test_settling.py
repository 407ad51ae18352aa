from __future__ import annotations

from array import array
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitops_sre.model.change_feed import Rollout, RolloutStep
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import Measure
from gitops_sre.perception.pace import Pace
from gitops_sre.perception.secondhand import stand_in
from gitops_sre.perception.settling import unsettled

NOW = 1_760_000_000.0
STEP, WINDOW = 60.0, 300.0
QUIET = NOW - 20 * STEP


def errors(*lately: float, usual: float = 0.001, missing: int = 0) -> Measure:
    """A hundred samples, the last of them `lately`; `missing` at the end."""
    values = [*([usual] * (100 - len(lately))), *lately]
    times = [NOW - STEP * (99 - number) for number in range(100)]
    kept = 100 - missing
    return Measure("errors", "web", array("d", times[:kept]), array("d", values[:kept]), "ratio")


def reason(*rows: Measure, service: str = "web") -> str:
    return unsettled(rows, service, NOW - 100 * STEP, QUIET, NOW, WINDOW, STEP)


def test_what_has_only_just_begun_or_ended_is_looked_at_again() -> None:
    assert "the last 6 samples disagree" in reason(errors(0.2, 0.2))
    assert "the last 6 samples disagree" in reason(errors(0.2, 0.2, 0.2, 0.2, 0.2, 0.001))


def test_what_lasts_and_what_is_over_is_settled() -> None:
    assert reason(errors()) == ""
    assert reason(errors(*[0.2] * 6)) == ""
    assert reason(errors(0.2, 0.2, *[0.001] * 6)) == ""
    assert reason(errors(0.004)) == ""  # a few failures more come and go


def test_only_what_users_of_the_service_feel_counts() -> None:
    assert reason(errors(0.2), service="cart") == ""
    assert reason(replace(errors(0.2), signal="cpu")) == ""
    assert reason(replace(errors(0.2), peer="cart", side="client")) == ""


def test_without_samples_nothing_begins() -> None:
    assert reason() == ""
    assert reason(errors(missing=100)) == ""


def called(rate: float = 1.0) -> Measure:
    return replace(errors(*[rate] * 10), service="shop", peer="web", side="client")


def test_callers_speak_for_a_service_that_has_fallen_silent() -> None:
    cpu = replace(errors(), signal="cpu")
    found = stand_in([errors(missing=10), called(), cpu], NOW, STEP)
    (mine,) = (row for row in found if row.service == "web" and row.signal == "errors")
    assert (mine.peer, mine.side, mine.values[-1]) == ("", "", 1.0)
    assert cpu in found
    assert [row.service for row in found if row.peer == "web"] == ["shop"]  # the call itself stays


@pytest.mark.parametrize(
    "rows",
    [
        [errors(), called()],
        [errors(missing=2), called()],
        [called()],
        [errors(missing=10)],
        [errors(missing=10), replace(called(), times=array("d", [NOW - 9e3]), values=array("d", [1.0]))],
    ],
)
def test_nobody_speaks_for_who_speaks_never_spoke_or_is_not_called(rows: list[Measure]) -> None:
    assert stand_in(rows, NOW, STEP) == tuple(rows)


def test_time_is_stretched_about_the_moment_of_asking_and_put_back() -> None:
    pace = Pace(NOW, 30.0)
    assert (pace.out(NOW - 2), pace.back(NOW - 60), pace.out(NOW)) == (NOW - 60, NOW - 2, NOW)
    (row,) = pace.measures((errors(),))
    assert (row.times[-1], row.times[-2]) == (NOW, NOW - 30 * STEP)
    at = datetime.fromtimestamp(NOW - 4, UTC)
    (rollout,) = pace.rollouts((Rollout("web", "", "1", "2", (RolloutStep(at, at, 0, 1),)),))
    assert rollout.at.timestamp() == NOW - 120
    item = Evidence("a", "errors", "web", "high", "", datetime.fromtimestamp(NOW - 120, UTC))
    assert [each.at for each in pace.evidence([item])] == [at]


def test_at_the_pace_of_production_nothing_is_touched() -> None:
    rows = (errors(),)
    assert Pace(NOW).measures(rows) is rows
