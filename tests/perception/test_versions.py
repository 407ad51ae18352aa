"""New pods against old ones, and the survey that asks for it."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime

import numpy as np

from gitops_sre.model.change_feed import Rollout, RolloutStep
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception.survey import Survey, survey

START, ROLLED, ASKED, STEP = 0.0, 2400.0, 3600.0, 30.0


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def pod(
    name: str,
    service: str,
    level: float,
    *,
    begins: float = START,
    ends: float = ASKED,
    late: float = 0.0,
    signal: SignalName = "latency",
    version: str = "v1",
) -> Measure:
    """A pod whose `level` rises by `late` after the rollout."""
    rng = np.random.default_rng(sum(map(ord, name + signal)))
    times = np.arange(begins, ends, STEP)
    values = level * (1 + 0.03 * rng.standard_normal(len(times))) + np.where(times > ROLLED + 60, late, 0.0)
    return Measure(signal, service, array("d", times), array("d", values), pod=name, version=version)


def rollout(service: str, new: str, old: str) -> Rollout:
    step = RolloutStep(moment(ROLLED), moment(ROLLED + 20), 1, 1, (new,), (old,))
    return Rollout(service, "", "v1", "v2", (step,), 2)


def look(
    measures: list[Measure], *rollouts: Rollout, edges: tuple[tuple[str, str], ...] = (("web", "cart"),)
) -> Survey:
    return survey(measures, edges, START, ASKED, START + 600, "web", rollouts)


def found(seen: Survey, name: str) -> Evidence | None:
    return next((item for item in seen.evidence if item.id == name), None)


WEB = [pod("web-1", "web", 0.2, late=0.1), pod("web-1", "web", 50, signal="traffic")]


def test_a_version_that_is_slower_than_the_old_one_beside_it_is_found() -> None:
    cart = [pod("cart-a", "cart", 0.1), pod("cart-c", "cart", 0.1, begins=ROLLED, late=0.3, version="v2")]
    seen = look([*WEB, *cart], rollout("cart", "cart-c", "cart-b"))
    item = found(seen, "version_latency/cart/v2")
    assert item is not None
    assert (item.score or 0) > 5
    assert item.version == "v2"
    leaving = found(seen, "leaving_latency/cart/v2")
    assert leaving is not None
    assert leaving.symptom == "normal"


def test_a_harmless_version_is_not_blamed_for_what_befalls_both() -> None:
    cart = [pod("cart-a", "cart", 0.1, late=0.3), pod("cart-c", "cart", 0.1, begins=ROLLED, late=0.3, version="v2")]
    seen = look([*WEB, *cart], rollout("cart", "cart-c", "cart-b"))
    item, leaving = found(seen, "version_latency/cart/v2"), found(seen, "leaving_latency/cart/v2")
    assert item is not None
    assert (item.score or 0) < 1
    assert leaving is not None
    assert leaving.symptom == "high"


def test_what_only_waits_for_its_callee_is_not_blamed_for_having_been_replaced() -> None:
    cart = [pod("cart-a", "cart", 0.1, ends=ROLLED), pod("cart-c", "cart", 0.1, begins=ROLLED, late=0.3, version="v2")]
    db = [pod("db-1", "db", 0.02, late=0.3), pod("db-1", "db", 50, signal="traffic")]
    carts = [
        *cart,
        pod("cart-a", "cart", 50, signal="traffic", ends=ROLLED),
        pod("cart-c", "cart", 50, begins=ROLLED, signal="traffic"),
    ]
    edges = (("web", "cart"), ("cart", "db"))
    blamed = found(
        look([*WEB, *carts, *db], rollout("cart", "cart-c", "cart-a"), edges=edges), "replaced_latency/cart/v2"
    )
    alone = found(look([*WEB, *carts], rollout("cart", "cart-c", "cart-a")), "replaced_latency/cart/v2")
    assert blamed is not None
    assert alone is not None
    assert (blamed.score or 0) < 0.3 * (alone.score or 0)


def test_a_version_that_turns_bad_when_no_old_one_is_left_is_found() -> None:
    late = [
        pod("cart-a", "cart", 0.1, ends=ROLLED - 300),
        pod("cart-b", "cart", 0.1, begins=ROLLED - 600, late=0.3, version="v2"),
    ]
    early = RolloutStep(moment(ROLLED - 600), moment(ROLLED - 580), 1, 1, ("cart-b",), ("cart-a",))
    seen = look([*WEB, *late], Rollout("cart", "", "v1", "v2", (early,), 2))
    names = ("version", "early", "replaced")
    together, first, afterwards = (found(seen, f"{name}_latency/cart/v2") for name in names)
    assert together is not None
    assert together.symptom == "normal"
    assert first is not None
    assert first.symptom == "normal"
    assert afterwards is not None
    assert afterwards.symptom == "high"


def test_a_version_that_is_bad_from_the_first_is_seen_to_be_so_before_the_rest_notices() -> None:
    bad = [
        pod("cart-a", "cart", 0.1, ends=ROLLED),
        pod("cart-b", "cart", 0.5, begins=ROLLED - 600, version="v2"),
    ]
    first = RolloutStep(moment(ROLLED - 600), moment(ROLLED - 580), 1, 1, ("cart-b",), ("cart-a",))
    seen = look([*WEB, *bad], Rollout("cart", "", "v1", "v2", (first,), 2))
    early = found(seen, "early_latency/cart/v2")
    assert early is not None
    assert early.symptom == "high"


def test_a_version_that_fails_now_and_then_is_found() -> None:
    times = np.arange(ROLLED, ASKED, STEP)
    failing = np.where(np.arange(len(times)) % 5 == 0, 0.5, 0.0)
    bad = Measure("errors", "cart", array("d", times), array("d", failing), pod="cart-c", version="v2")
    seen = look([*WEB, pod("cart-a", "cart", 0.0, signal="errors"), bad], rollout("cart", "cart-c", "cart-b"))
    item = found(seen, "version_errors/cart/v2")
    assert item is not None
    assert item.symptom == "high"


def test_a_large_part_of_next_to_nothing_is_no_news() -> None:
    quiet = [pod("cart-a", "cart", 0.1, late=0.008), pod("cart-a", "cart", 50, signal="traffic")]
    seen = look([*WEB[1:], pod("web-1", "web", 0.2), *quiet])
    assert all((item.score or 0) < 0.3 for item in seen.evidence if item.signal == "own_time")


def test_the_onset_does_not_depend_on_when_the_alert_came() -> None:
    cart = [pod("cart-a", "cart", 0.1, late=0.3)]
    assert abs(look([*WEB, *cart]).onset - (ROLLED + 60)) <= 2 * STEP


def test_the_callee_has_the_greater_share_of_the_additional_time() -> None:
    seen = look([*WEB, pod("cart-a", "cart", 0.1, late=0.1), pod("cart-a", "cart", 50, signal="traffic")])
    shares = {item.subject: item.score or 0 for item in seen.evidence if item.signal == "own_time"}
    assert shares["cart"] > 3 * shares["web"]


def test_nothing_to_look_at_is_no_onset() -> None:
    assert survey([], (), START, ASKED, START).strength == 0


def test_a_quiet_time_has_little_to_explain() -> None:
    seen = look([pod("web-1", "web", 0.2), pod("web-1", "web", 50, signal="traffic"), pod("cart-a", "cart", 0.1)])
    assert seen.strength < 10
    assert all((item.score or 0) < 3 for item in seen.evidence if item.signal.startswith(("worst_", "own_")))
