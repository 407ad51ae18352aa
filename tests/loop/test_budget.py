"""The error budget: once it is spent, people decide what is tried next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.incident import State
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.verdict import Level
from tests.loop.conftest import Founder
from tests.loop.doubles import Signals

DAYS = 28 * 86_400.0


@dataclass
class Spent(Signals):
    """Signals that also know how much of the budget window's requests failed."""

    share: float | None = 0.0
    over: str = ""

    def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
        """As ports.Metrics."""
        return tuple(self._of_all(query) if query.id == "error_budget" else super(Spent, self).ask((query,))[0]
                     for query in queries)  # fmt: skip

    def _of_all(self, query: Query) -> Answer | Unavailable:
        self.over = query.expr
        if self.share is None:
            return Unavailable("the query takes too long")
        return Answer(query, (Series.of((), ((query.end.timestamp(), self.share),)),))


@pytest.mark.parametrize(
    ("share", "level", "why"),
    [
        (0.019, Level.L4, ""),
        (0.02, Level.L2, "is spent: 2.00% of the requests of 28 days failed, 2.00% may"),
        (0.3, Level.L2, "is spent: 30.00%"),
        (None, Level.L3, "cannot be told: the query takes too long"),
    ],
)
def test_a_spent_budget_leaves_the_merge_to_people(found: Founder, share: float | None, level: Level, why: str) -> None:
    place = found("L4")
    breaker = place.settings.breaker.model_copy(update={"budget_window": DAYS})
    place.settings = place.settings.model_copy(update={"breaker": breaker})
    spent = Spent(place.clock, place.service, place.environment, share=share)
    place.signals = spent
    place.pager.signals = spent
    place.tick()
    place.deploy_bad()
    bot = place.bot()
    end = State.RESOLVED if level is Level.L4 else State.AWAITING_APPROVAL
    incident = place.until(bot, end)
    assert incident.verdict is not None
    assert incident.verdict.level is level
    assert "2419200s" in spent.over
    assert why in "; ".join(reason.text for reason in incident.verdict.binding if reason.rule == "breaker")


def test_without_a_window_nobody_asks(found: Founder) -> None:
    place = found("L4")
    spent = Spent(place.clock, place.service, place.environment, share=0.9)
    place.signals = spent
    place.pager.signals = spent
    place.tick()
    place.deploy_bad()
    place.until(place.bot(), State.RESOLVED)
    assert spent.over == ""
