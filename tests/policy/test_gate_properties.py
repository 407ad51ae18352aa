"""Whatever the documents say: a rule or a freeze window never loosens a verdict, nor does a wider reach."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.change import Check, Proof
from gitops_sre.model.outcome import Done, Inconclusive
from gitops_sre.model.plan import Plan
from gitops_sre.model.verdict import Level, Verdict
from gitops_sre.policy.documents import Placed, Policies
from gitops_sre.policy.schema import LadderEntry, Limits, Match, Rule, Window
from tests import builders as b
from tests.policy.cases import plan, proof, verdict

NAMES = ("dev", "staging", "production")
globs = st.sampled_from(("*", "dev", "staging", "prod*", "s*", "[dp]*"))
lists = st.lists(globs, min_size=1, max_size=2).map(tuple)
# Weighted towards what stays open: where everything is L1 already, nothing could loosen.
levels = st.sampled_from(("L4", "L4", "L3", "L2", "L1"))
ceilings = st.sampled_from(("L4", "L4", "L3", "L3", "L2", "L1", "deny"))
counts = st.none() | st.integers(0, 4)
shares = st.none() | st.sampled_from((0.0, 0.3, 0.7, 1.0))
conditions = st.just("true") | st.sampled_from(
    (
        "true",
        "false",
        "environment == 'production'",
        "environment != 'dev'",
        "tier.startsWith('p') && objects > 1",
        "labels.team == 'shop'",
        "1 / (objects - 1) == 0 || reversible",
        "confidence < 0.7",
        "weekday == 6 ? hour_utc > 12 : false",
    )
)
logins = st.lists(st.sampled_from(("alice", "Alice", "bob")), max_size=2, unique=True).map(tuple)

entries = st.builds(
    LadderEntry, action=st.sampled_from(("*", "rollback_*")), environment=globs, tier=globs, level=levels
)
matches = st.just(Match()) | st.builds(Match, environments=lists, tiers=lists, namespaces=lists)
limits = st.just(Limits()) | st.builds(
    lambda **given: Limits.model_validate(given),
    objects=counts,
    replicas=counts,
    environments=counts,
    namespaces=counts,
    fleetShare=shares,
    confidence=shares,
)
rules = st.builds(
    Rule,
    name=st.just("rule"),
    match=matches,
    when=conditions,
    ceiling=ceilings,
    limits=limits,
    beyond=ceilings,
    approvers=logins,
)


def window(start: int, length: int, environments: tuple[str, ...], ceiling: str) -> Window:
    """A freeze window near NOW; hours."""
    begin = b.NOW + timedelta(hours=start)
    ends = {"from": f"{begin:%Y-%m-%dT%H:%M:%SZ}", "until": f"{begin + timedelta(hours=length):%Y-%m-%dT%H:%M:%SZ}"}
    more = {"name": "window", "environments": environments, "ceiling": ceiling, "reason": "freeze"}
    return Window.model_validate(ends | more)


windows = st.builds(window, st.integers(-3, 1), st.integers(1, 3), lists, ceilings)

place = st.just("p.yaml:1:1")
placed_rules = st.builds(Placed, rules, place)
placed_windows = st.builds(Placed, windows, place)
OPEN = Placed(LadderEntry(action="*", level="L4"), "p.yaml:1:1")
held = st.builds(
    Policies,
    commit=st.just(b.SHA),
    ladder=st.just((OPEN,)) | st.lists(st.builds(Placed, entries, place), max_size=3).map(tuple),
    rules=st.lists(placed_rules, max_size=3).map(tuple),
    windows=st.lists(placed_windows, max_size=2).map(tuple),
)
plans = st.builds(plan, st.sampled_from(NAMES), confidence=st.sampled_from((1.0, 0.7, 0.5, float("nan"))))
touched = st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple)
proofs = st.builds(
    proof,
    checks=st.sampled_from(((Check("render", Done()),), (Check("schema", Inconclusive("unknown")),), ())),
    objects=st.integers(0, 4),
    replicas=st.integers(0, 4),
    environments=touched,
    tiers=touched,
    namespaces=touched,
    fleet_share=st.sampled_from((0.0, 0.3, 0.5, 1.0)),
)
PEOPLE = frozenset(("alice", "bob", "carol", "dave"))


def may_approve(given: Verdict) -> frozenset[str]:
    """Who of all people can let a pull request merge."""
    return frozenset(login.lower() for login in given.approvers) or PEOPLE


def not_looser(after: Verdict, before: Verdict) -> bool:
    """Neither a higher level nor, where a review counts, anybody new who may give it."""
    return after.level <= before.level and (after.level < Level.L3 or may_approve(after) <= may_approve(before))


@given(held, plans, proofs, placed_rules)
def test_adding_a_rule_never_loosens(policies: Policies, what: Plan, shown: Proof, extra: Placed[Rule]) -> None:
    more = replace(policies, rules=(*policies.rules, extra))
    assert not_looser(verdict(more, what, shown), verdict(policies, what, shown))


@given(st.lists(logins, max_size=3), logins)
def test_naming_approvers_lets_nobody_new_approve(named: list[tuple[str, ...]], more: tuple[str, ...]) -> None:
    some = tuple(Placed(Rule(name="rule", approvers=approvers), OPEN.place) for approvers in (*named, more))
    before, after = Policies(b.SHA, (OPEN,), some[:-1]), Policies(b.SHA, (OPEN,), some)
    assert not_looser(verdict(after), verdict(before))


@given(held, plans, proofs, placed_windows)
def test_adding_a_freeze_window_never_loosens(
    policies: Policies, what: Plan, shown: Proof, extra: Placed[Window]
) -> None:
    more = replace(policies, windows=(*policies.windows, extra))
    assert not_looser(verdict(more, what, shown), verdict(policies, what, shown))


@given(held, plans, proofs, st.sampled_from(NAMES))
def test_reaching_further_never_loosens(policies: Policies, what: Plan, shown: Proof, name: str) -> None:
    radius = shown.radius
    wider = replace(
        radius,
        environments=(*radius.environments, name),
        tiers=(*radius.tiers, name),
        namespaces=(*radius.namespaces, name),
    )
    assert not_looser(verdict(policies, what, replace(shown, radius=wider)), verdict(policies, what, shown))


@given(held, plans, proofs)
def test_the_order_of_rules_changes_nothing(policies: Policies, what: Plan, shown: Proof) -> None:
    turned = replace(policies, rules=policies.rules[::-1], ladder=policies.ladder[::-1])
    one, other = verdict(policies, what, shown), verdict(turned, what, shown)
    assert one.level is other.level
    assert may_approve(one) == may_approve(other)


@given(held, plans, proofs)
def test_without_a_ladder_nothing_is_opened(policies: Policies, what: Plan, shown: Proof) -> None:
    assert verdict(replace(policies, ladder=()), what, shown).level <= Level.L1


@given(held, plans, proofs)
def test_the_level_is_the_lowest_of_all_reasons(policies: Policies, what: Plan, shown: Proof) -> None:
    given = verdict(policies, what, shown)
    assert given.level is min(reason.ceiling for reason in given.reasons)
    assert given.binding
    assert all(reason.text for reason in given.reasons)
