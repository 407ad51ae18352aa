"""What the bot's own record allows a plan at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gitops_sre.engine.ceilings import ceilings
from gitops_sre.model.plan import Plan
from gitops_sre.model.track import Outcome, Trial
from gitops_sre.model.verdict import Level
from gitops_sre.settings import BreakerSettings
from tests import builders as b

SETTINGS = BreakerSettings()
NOW = b.after(100_000)


def record(*outcomes: Outcome, service: str = "checkout", action: str = "rollback_image", **more: str) -> list[Trial]:
    """Trials a minute apart, the last one just now."""
    given = {"environment": "staging", "tier": "staging", **more}
    first = NOW - timedelta(minutes=len(outcomes))
    return [
        Trial(
            f"inc-{service}-{n}",
            action,
            service,
            given["environment"],
            given["tier"],
            first + n * timedelta(minutes=1),
            one,
        )
        for n, one in enumerate(outcomes)
    ]


def allowed(trials: list[Trial], plan: Plan | None = None) -> dict[str, Level]:
    """The lowest ceiling by rule."""
    found: dict[str, Level] = {}
    for reason in ceilings(plan or b.plan(), sorted(trials, key=lambda one: one.at), SETTINGS, NOW):
        found[reason.rule] = min(reason.ceiling, found.get(reason.rule, Level.L4))
    return found


def test_a_clean_record_lowers_nothing() -> None:
    assert allowed([]) == {}
    assert allowed(record("recovered", "recovered", "rejected")) == {}


def test_what_was_never_known_counts_too() -> None:
    assert allowed(record("inconclusive")) == {}
    assert allowed(record("inconclusive", "inconclusive")) == {"breaker": Level.L2}


def test_the_same_action_that_fails_twice_is_left_to_a_person() -> None:
    trials = record("failed", "failed")
    assert allowed(trials) == {"breaker": Level.L2}
    assert allowed(trials, b.plan(target=b.target("cart"))) == {}


def test_a_success_closes_the_breaker_and_a_rejection_does_not() -> None:
    assert allowed(record("failed", "failed", "rejected"))["breaker"] is Level.L2
    assert "breaker" not in allowed(record("failed", "failed", "recovered"))


def test_it_opens_for_a_service_whatever_is_tried_and_for_an_action_wherever_it_is_tried() -> None:
    service = record("failed", "inconclusive", action="scale") + record("failed", action="set_config")
    assert allowed(service)["breaker"] is Level.L2
    action = [one for name in ("cart", "orders", "web") for one in record("failed", service=name)]
    assert allowed(action)["breaker"] is Level.L2


def test_it_opens_for_everything() -> None:
    trials = [one for n in range(4) for one in record("failed", service=f"s{n}", action=f"action-{n}")]
    assert allowed(trials, b.plan(action="resume", target=b.target("other")))["breaker"] is Level.L2


def test_what_has_to_be_fixed_again_and_again_is_not_fixed() -> None:
    thrice = record("recovered", "recovered", "recovered")
    assert allowed(thrice) == {"breaker": Level.L2}
    (reason,) = ceilings(b.plan(), thrice, SETTINGS, NOW)
    assert "flapping" in reason.text
    long_ago = [replace(one, at=one.at - timedelta(days=2)) for one in thrice]
    assert allowed(long_ago) == {}
