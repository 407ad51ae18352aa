"""The error budget as a breaker: what a service may fail of its requests is spent, so people decide what is tried next.

Source: Google, The Site Reliability Workbook, chapter 2 and its example error budget policy.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gitops_sre.engine.world import World
from gitops_sre.model.evidence import Query
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Plan, VerificationPlan
from gitops_sre.model.verdict import Level, Reason
from gitops_sre.perception import golden
from gitops_sre.verification import assess


def ceiling(plan: Plan, at: datetime, world: World) -> tuple[Reason, ...]:
    """At most L2 when the budget of the plan's service is spent, at most L3 when nobody can tell; nothing where no
    window is set (`breaker.budget_window`) or no objective applies."""
    sli = golden.budget(plan.target, world.settings)
    if sli is None:
        return ()
    where = f"{plan.target.service} in {plan.target.environment}"
    days = world.settings.breaker.budget_window / 86_400
    query = Query(
        sli.name, sli.expr, at - timedelta(seconds=world.settings.timing.step), at, world.settings.timing.step
    )
    (answer,) = world.metrics.ask((query,))
    (reading,) = assess.readings(VerificationPlan((sli,), 0, 0, 0), (answer,))
    if reading.value is None:
        why = answer.reason if isinstance(answer, Unavailable) else "no requests are known of"
        return (Reason("breaker", Level.L3, f"the error budget of {where} over {days:g} days cannot be told: {why}"),)
    if reading.value < sli.threshold:
        return ()
    text = (
        f"the error budget of {where} is spent: {reading.value:.2%} of the requests of {days:g} days failed,"
        f" {sli.threshold:.2%} may"
    )
    return (Reason("breaker", Level.L2, f"{text}; a person merges until it has recovered"),)
