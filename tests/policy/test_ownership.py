"""Whose workloads are whose: only alerts from an owner's own sources may change them, whatever their labels say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.model.change import ObjectDiff, Proof
from gitops_sre.model.verdict import Level, Verdict
from gitops_sre.policy.documents import PolicyError
from gitops_sre.policy.situation import Origin
from tests.policy.cases import document, policies, proof, verdict

OPEN = document("AutonomyLadder", '  levels: [{action: "*", level: L4}]\n', "open")


def teams(*written: str) -> str:
    return document("Ownership", "  teams:\n" + "".join(f"    - {{{each}}}\n" for each in written))


SHOP = "name: shop, services: [checkout], sources: [team-shop]"
PAYMENTS = 'name: payments, services: ["pay*"], namespaces: [billing], sources: [team-payments]'


def owned(*alerts: Origin, by: str = teams(SHOP, PAYMENTS), shown: Proof | None = None) -> Verdict:
    return verdict(policies(OPEN, by), shown=shown, alerts=alerts)


def test_the_owners_own_source_may() -> None:
    assert owned(Origin("team-shop", "checkout")).level is Level.L4


def test_a_label_that_names_another_teams_service_may_not() -> None:
    given = owned(Origin("team-payments", "checkout"))
    assert given.level is Level.L1
    (reason,) = given.binding
    assert reason.rule == "ownership"
    assert "delivered by team-payments names checkout, which belongs to shop" in reason.text


@pytest.mark.parametrize("service", ["checkout", ""])
def test_a_forged_alert_beside_a_true_one_is_not_acted_on_either(service: str) -> None:
    assert owned(Origin("team-shop", "checkout"), Origin("team-payments", service)).level is Level.L1


def test_what_another_team_says_of_its_own_service_does_not_hold_the_owners_alert_back() -> None:
    assert owned(Origin("team-shop", "checkout"), Origin("team-payments", "pay-api")).level is Level.L4


def test_another_teams_symptom_alone_does_not_change_the_service_that_is_to_blame() -> None:
    given = owned(Origin("team-payments", "pay-api"))
    assert given.level is Level.L1
    assert "alerts from team-payments would change checkout" in given.binding[0].text


def test_without_an_alert_nobody_is_entitled() -> None:
    assert owned().level is Level.L1


def test_what_nobody_owns_is_as_without_owners() -> None:
    assert owned(Origin("anybody", "checkout"), by=teams(PAYMENTS)).level is Level.L4


def test_a_change_that_reaches_another_teams_object_needs_that_team_too() -> None:
    shown = replace(proof(), objects=(ObjectDiff("Deployment", "staging", "pay-api", "", ()),))
    given = owned(Origin("team-shop", "checkout"), shown=shown)
    assert given.level is Level.L1
    assert "belongs to payments" in given.binding[0].text


def test_a_change_that_reaches_another_teams_namespace_needs_that_team_too() -> None:
    assert owned(Origin("team-shop", "checkout"), shown=proof(namespaces=("billing",))).level is Level.L1


def test_two_owners_are_both_named_and_cap_it() -> None:
    both = teams(SHOP, "name: platform, namespaces: [staging], sources: [team-shop]")
    given = owned(Origin("team-shop", "checkout"), by=both)
    assert given.level is Level.L3
    assert "staging/checkout is claimed by shop (" in given.binding[0].text
    assert "and platform (" in given.binding[0].text


def test_of_two_owners_both_must_let_the_source() -> None:
    both = teams(SHOP, "name: platform, namespaces: [staging], sources: [alertmanager]")
    assert owned(Origin("team-shop", "checkout"), by=both).level is Level.L1


def test_owners_name_who_may_approve_as_rules_do() -> None:
    named = teams(f"{SHOP}, approvers: [alice, bob]")
    rule = document("RemediationPolicy", "  rules:\n    - {name: two, ceiling: L3, approvers: [bob, carol]}\n")
    given = verdict(policies(OPEN, named, rule), alerts=(Origin("team-shop", "checkout"),))
    assert (given.level, given.approvers) == (Level.L3, ("bob",))


@pytest.mark.parametrize(("owners", "expected"), [("[shop]", Level.L2), ("[payments]", Level.L4)])
def test_rules_can_be_about_owners(owners: str, expected: Level) -> None:
    rule = f"  rules:\n    - {{name: r, match: {{owners: {owners}}}, ceiling: L2}}\n"
    held = policies(OPEN, teams(SHOP, PAYMENTS), document("RemediationPolicy", rule))
    assert verdict(held, alerts=(Origin("team-shop", "checkout"),)).level is expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("name: shop, sources: [a]", "a team owns something"),
        ("name: shop, services: [a]", "`spec.teams.0.sources`: is missing"),
        ("name: shop, services: [a], sources: []", "is empty"),
    ],
)
def test_a_team_without_a_meaning_is_refused(written: str, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policies(teams(written))
    assert said in str(caught.value)


def test_one_team_is_described_once() -> None:
    with pytest.raises(PolicyError) as caught:
        policies(teams(SHOP), teams(SHOP))
    assert "the name `shop` stands already at" in str(caught.value)
