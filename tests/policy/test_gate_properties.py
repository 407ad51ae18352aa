"""Whatever the documents say: a rule, an owner or a freeze window never loosens a verdict, nor does a wider reach; and
the same question has the same answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_sre.model.change import Check, Proof
from gitops_sre.model.outcome import Done, Inconclusive
from gitops_sre.model.plan import Plan
from gitops_sre.model.verdict import Level, Reason, Verdict
from gitops_sre.policy.documents import Placed, Policies
from gitops_sre.policy.gate import judge
from gitops_sre.policy.schema import LadderEntry, Limits, Match, Rule, Team, Window
from gitops_sre.policy.situation import Origin, Situation, Touched, dump, load
from gitops_sre.policy.times import WEEKDAYS
from tests import builders as b
from tests.policy.cases import plan, proof, verdict

NAMES = ("dev", "staging", "production")


def bare(given: Mapping[str, object]) -> dict[str, object]:
    """Keys that are given: in a document what is left out is not there."""
    return {key: value for key, value in given.items() if value is not None}


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
matches = (
    st.just(Match())
    | st.builds(Match, environments=lists, tiers=lists, namespaces=lists)
    | st.builds(
        lambda **given: Match.model_validate(bare(given)),
        causes=st.sampled_from((("new_deploy",), ("*",), ("config_*", "traffic_spike"))),
        clusters=st.sampled_from((("eu-*",), ("*",))),
        owners=st.sampled_from((("shop",), ("*",), ("p*",))),
        reversible=st.none() | st.booleans(),
        hours=st.sampled_from((("20:00-08:00",), ("08:00-18:00",), ("00:00-24:00",))),
        weekdays=st.sampled_from((WEEKDAYS, ("sat", "sun"), ("mon", "tue", "wed", "thu", "fri"))),
        timezone=st.sampled_from(("UTC", "Europe/Berlin", "Pacific/Apia")),
    )
)
steps = st.none() | st.sampled_from((1.0, 1.5, 2.0))
ages = st.none() | st.sampled_from(("90s", "30m", "2d"))
limits = (
    st.just(Limits())
    | st.builds(
        lambda **given: Limits.model_validate(bare(given)),
        objects=counts,
        replicas=counts,
        environments=counts,
        namespaces=counts,
        fleetShare=shares,
        confidence=shares,
    )
    | st.builds(
        lambda step, **given: Limits.model_validate({"step": bare(step)} | bare(given), strict=False),
        step=st.fixed_dictionaries({"memory": steps, "cpu": steps, "replicas": steps}),
        serviceShare=shares,
        files=counts,
        lines=counts,
        evidenceKinds=counts,
        alertAge=ages,
    )
)
rules = st.builds(
    lambda **given: Rule.model_validate(bare(given)),
    name=st.just("rule"),
    match=matches,
    when=conditions,
    ceiling=ceilings,
    limits=limits,
    beyond=ceilings,
    approvers=logins,
    quorum=st.integers(1, 3),
    coolDown=ages,
    verificationWindow=ages,
)
teams = st.builds(
    Team,
    name=st.sampled_from(("shop", "payments")),
    services=st.sampled_from((("checkout",), ("cart", "c*"))),
    namespaces=st.sampled_from((("nowhere",), ("s*",))),
    sources=st.sampled_from((("alertmanager",), ("team-*",), ("*",))),
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
    teams=st.just(()) | st.lists(st.builds(Placed, teams, place), max_size=2).map(tuple),
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
unsure = st.none() | st.sampled_from((0.0, 0.5, 1.0, float("nan")))
questions = st.builds(
    Situation,
    at=st.integers(0, 525_600).map(lambda minutes: b.NOW + timedelta(minutes=minutes)),
    action=st.sampled_from(("rollback_image", "scale")),
    service=st.sampled_from(("checkout", "cart")),
    environments=st.lists(st.sampled_from((*NAMES, "")), min_size=1, max_size=3, unique=True).map(tuple),
    tiers=st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple),
    namespaces=st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple),
    touched=st.lists(st.builds(Touched, st.sampled_from(NAMES), st.sampled_from(("checkout", "cart"))), max_size=2).map(
        tuple
    ),
    confidence=st.sampled_from((1.0, 0.7, 0.5, float("nan"))),
    objects=st.integers(0, 4),
    replicas=st.integers(0, 4),
    files=st.integers(0, 3),
    lines=st.integers(0, 3),
    fleet_share=st.sampled_from((0.0, 0.3, 1.0)),
    reversible=st.booleans(),
    cluster=st.sampled_from(("", "eu-1", "us-1")),
    cause=st.sampled_from(("", "new_deploy", "traffic_spike")),
    service_share=unsure,
    steps=st.dictionaries(st.sampled_from(("memory", "cpu", "replicas")), unsure),
    evidence=st.sampled_from(((), ("metrics",), ("metrics", "changes"))),
    alert_age=unsure.map(lambda share: None if share is None else share * 7200),
    last_action=unsure.map(lambda share: None if share is None else share * 7200),
    labels=st.sampled_from(({}, {"team": "shop"})),
    alerts=st.lists(
        st.builds(
            Origin, st.sampled_from(("alertmanager", "team-shop", "")), st.sampled_from(("checkout", "cart", ""))
        ),
        max_size=2,
    ).map(tuple),
    slis=st.sampled_from((1, 1, 1, 0)),
    live_by=st.sampled_from(("cluster", "cluster", "statuses")),
    checks=st.sampled_from(((), (), (Reason("check schema", Level.L3, "could not be concluded"),))),
    told=st.sampled_from(((), (), (Reason("breaker", Level.L2, "open"),))),
)
PEOPLE = frozenset(("alice", "bob", "carol", "dave"))


def may_approve(given: Verdict) -> frozenset[str]:
    """Who of all people can let a pull request merge."""
    return frozenset(login.lower() for login in given.approvers) or PEOPLE


def not_looser(after: Verdict, before: Verdict) -> bool:
    """Neither a higher level nor, where a review counts, anybody new who may give it."""
    return (
        after.level <= before.level
        and after.window >= before.window
        and after.quorum >= before.quorum
        and (after.level < Level.L3 or may_approve(after) <= may_approve(before))
    )


Added = tuple[Placed[Rule], Placed[Window], Placed[Team]]
added = st.tuples(placed_rules, placed_windows, st.builds(Placed, teams, place))


def assert_sound(policies: Policies, asked: Situation, more: Added) -> None:
    """What any documents may say of any situation: adding one of each never loosens, the answer is always the same, in
    whatever order the documents stand, and a situation that was recorded gives the verdict that it gave."""
    rule, window, team = more
    given = judge(asked, policies)
    assert not_looser(judge(asked, replace(policies, rules=(*policies.rules, rule))), given)
    assert not_looser(judge(asked, replace(policies, windows=(*policies.windows, window))), given)
    assert not_looser(judge(asked, replace(policies, teams=(*policies.teams, team))), given)
    assert judge(asked, policies) == given
    turned = judge(asked, replace(policies, rules=policies.rules[::-1], windows=policies.windows[::-1]))
    assert (turned.level, turned.window, turned.quorum) == (given.level, given.window, given.quorum)
    assert may_approve(turned) == may_approve(given)
    recorded = load(json.loads(json.dumps(dump(asked))))
    assert recorded is not None
    assert judge(recorded, policies) == given


@given(held, questions, added)
def test_any_documents_are_sound_for_any_situation(policies: Policies, asked: Situation, more: Added) -> None:
    assert_sound(policies, asked, more)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(held, questions, added)
def test_ten_thousand_documents_and_situations_are_sound(policies: Policies, asked: Situation, more: Added) -> None:
    assert_sound(policies, asked, more)


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
