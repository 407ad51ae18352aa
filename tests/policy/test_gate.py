"""The gate: what opens, what lowers, and that nothing loosens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_sre.model.change import Check
from gitops_sre.model.evidence import Doubt, Gap
from gitops_sre.model.outcome import Inconclusive, Outcome, Refused, Unavailable
from gitops_sre.model.plan import VerificationPlan
from gitops_sre.model.verdict import Level, Verdict
from gitops_sre.policy.documents import Policies
from tests import builders as b
from tests.policy.cases import ROLLBACK, document, plan, policies, proof, verdict

LADDER = document(
    "AutonomyLadder",
    """\
  levels:
    - {action: rollback_image, environment: dev, level: L4}
    - {action: rollback_image, environment: staging, level: L4}
    - {action: rollback_image, environment: production, level: L3}
""",
)
RULES = document(
    "RemediationPolicy",
    """\
  rules:
    - name: small-blast-radius
      limits: {objects: 2, replicas: 20, namespaces: 1, fleetShare: 0.34, confidence: 0.7}
      approvers: [alice, bob]
    - name: production-needs-a-person
      match:
        environments: [production]
      ceiling: L3
      approvers: [alice, bob]
""",
)
OPEN = document("AutonomyLadder", '  levels: [{action: "*", level: L4}]\n', "open")


def rule(text: str) -> str:
    """A document with one rule, in flow style."""
    return document("RemediationPolicy", f"  rules: [{{name: extra, {text}}}]\n", "extra")


def binding(given: Verdict) -> str:
    """What holds the level down."""
    return "; ".join(f"{reason.rule}: {reason.text}" for reason in given.binding)


class TestTheLadder:
    """Only the ladder opens."""

    def test_without_documents_everything_is_report_only(self) -> None:
        given = verdict(Policies(b.SHA))
        assert given.level is Level.L1
        assert "no ladder opens rollback_image of checkout in staging" in binding(given)

    @pytest.mark.parametrize(
        ("environment", "level"),
        [("dev", Level.L4), ("staging", Level.L4), ("production", Level.L3), ("qa", Level.L1)],
    )
    def test_opens_by_environment(self, environment: str, level: Level) -> None:
        given = verdict(policies(LADDER, RULES), plan(environment), proof(environment))
        assert given.level is level
        assert given.policy_commit == b.SHA

    def test_another_action_stays_closed(self) -> None:
        assert verdict(policies(LADDER), plan(action="scale")).level is Level.L1

    def test_of_several_matching_entries_the_lowest_counts(self) -> None:
        lower = document("AutonomyLadder", '  levels: [{action: "rollback_*", service: "check*", level: L2}]\n', "low")
        given = verdict(policies(LADDER, lower))
        assert given.level is Level.L2
        assert ".gitops-sre/policies/1.yaml:5:12 opens" in binding(given)

    def test_a_change_that_reaches_a_closed_environment_is_closed(self) -> None:
        given = verdict(policies(LADDER), plan("staging"), proof(environments=("staging", "qa")))
        assert given.level is Level.L1
        assert "in qa" in binding(given)

    def test_a_change_that_reaches_production_is_as_low_as_production(self) -> None:
        assert verdict(policies(LADDER), plan("dev"), proof(environments=("dev", "production"))).level is Level.L3

    def test_tiers_and_services_can_be_asked_for(self) -> None:
        held = policies(document("AutonomyLadder", '  levels: [{action: "*", tier: low, service: c*, level: L4}]\n'))
        assert verdict(held, plan(tier="low"), proof(tiers=("low",))).level is Level.L4
        assert verdict(held, plan(tier="high"), proof(tiers=("low",))).level is Level.L1


class TestRules:
    """Rules lower what they apply to."""

    def test_reasons_of_all_applying_rules_are_kept(self) -> None:
        given = verdict(policies(LADDER, RULES), plan("production"), proof("production"))
        assert [(reason.rule, reason.ceiling) for reason in given.reasons] == [
            ("ladder", Level.L3),
            ("small-blast-radius", Level.L4),
            ("production-needs-a-person", Level.L3),
        ]
        assert given.approvers == ("alice", "bob")

    @pytest.mark.parametrize(
        ("limit", "said"),
        [
            ({"objects": 3}, "objects: 3 is more than 2"),
            ({"replicas": 21}, "replicas: 21 is more than 20"),
            ({"namespaces": ("staging", "other")}, "namespaces: 2 is more than 1"),
            ({"fleet_share": 0.35}, "share of the fleet: 0.35 is more than 0.34"),
            ({"fleet_share": float("nan")}, "share of the fleet: nan is more than 0.34"),
        ],
    )
    def test_an_exceeded_limit_lowers_to_report_only(self, limit: dict[str, Any], said: str) -> None:
        given = verdict(policies(LADDER, RULES), shown=proof(**limit))
        assert given.level is Level.L1
        assert f"small-blast-radius: {said}" in binding(given)

    def test_limits_are_inclusive(self) -> None:
        edge = proof(objects=2, replicas=20, fleet_share=0.34)
        assert verdict(policies(LADDER, RULES), plan(confidence=0.7), edge).level is Level.L4

    @pytest.mark.parametrize("confidence", [0.69, float("nan")])
    def test_too_little_confidence_lowers(self, confidence: float) -> None:
        given = verdict(policies(LADDER, RULES), plan(confidence=confidence))
        assert given.level is Level.L1
        assert "confidence" in binding(given)

    def test_every_exceeded_limit_is_named(self) -> None:
        given = verdict(policies(LADDER, RULES), shown=proof(objects=9, replicas=90))
        assert len(given.binding) == 2

    @pytest.mark.parametrize("limit", ["files: 0", "lines: 0", "environments: 0"])
    def test_files_lines_and_environments_are_limits_too(self, limit: str) -> None:
        assert verdict(policies(OPEN, rule(f"limits: {{{limit}}}, beyond: L2"))).level is Level.L2

    def test_deny_denies(self) -> None:
        assert verdict(policies(OPEN, rule("ceiling: deny"))).level is Level.DENIED

    def test_a_rule_cannot_raise(self) -> None:
        assert verdict(policies(rule("ceiling: L4"))).level is Level.L1

    @pytest.mark.parametrize(
        ("match", "applies"),
        [
            ("actions: [rollback_*]", True),
            ("actions: [scale]", False),
            ("environments: [prod*, stag*]", True),
            ("environments: [STAGING]", False),
            ("tiers: [staging]", True),
            ("services: [payments]", False),
            ("services: [checkout]", True),
            ("namespaces: [kube-*]", False),
            ("environments: [staging], services: [payments]", False),
        ],
    )
    def test_match_narrows_a_rule(self, match: str, applies: bool) -> None:
        given = verdict(policies(OPEN, rule(f"match: {{{match}}}, ceiling: L2")))
        assert given.level is (Level.L2 if applies else Level.L4)

    @pytest.mark.parametrize(
        "radius", [{"environments": ("production",)}, {"tiers": ("critical",)}, {"namespaces": ("payments",)}]
    )
    def test_a_rule_applies_to_all_that_the_change_touches(self, radius: dict[str, Any]) -> None:
        key, (value,) = next(iter(radius.items()))
        given = verdict(policies(OPEN, rule(f"match: {{{key}: [{value}]}}, ceiling: L2")), shown=proof(**radius))
        assert given.level is Level.L2


class TestConditions:
    """`when` narrows; when it fails, it applies."""

    @pytest.mark.parametrize(
        ("when", "applies"),
        [
            ("confidence < 0.98", True),
            ("objects > 1 || replicas > 2", False),
            ("hour_utc == 12 && weekday == 6", True),  # builders' NOW is a Sunday
            ("reversible", True),
            ("labels.team == 'shop'", True),
            ("'owner' in labels", False),
            ("environment == 'staging' && tier == 'staging' && kube_namespace == 'staging'", True),
            ("service.startsWith('pay') || action != 'rollback_image'", False),
            ("fleet_share > 0.05 && files == 1 && lines == 1", True),
        ],
    )
    def test_narrow_a_rule(self, when: str, applies: bool) -> None:
        held = policies(OPEN, rule(f'when: "{when}", ceiling: L2'))
        assert verdict(held, labels={"team": "shop"}).level is (Level.L2 if applies else Level.L4)

    @pytest.mark.parametrize("when", ["labels.owner == 'x'", "1 / (objects - 1) > 0", "service.matches('[')"])
    def test_that_fail_apply_and_lower_to_report_only(self, when: str) -> None:
        given = verdict(policies(OPEN, rule(f'when: "{when}", approvers: [carol]')))
        assert given.level is Level.L1
        assert "extra: its condition cannot be evaluated: " in binding(given)
        assert given.approvers == ("carol",)

    def test_hold_when_any_touched_environment_makes_them_true(self) -> None:
        held = policies(OPEN, rule("when: \"environment == 'production'\", ceiling: L2"))
        assert verdict(held, shown=proof(environments=("staging", "production"))).level is Level.L2

    def test_hours_are_utc(self) -> None:
        evening_in_tokyo = datetime.fromisoformat("2026-03-02T20:00:00+09:00")
        held = policies(OPEN, rule('when: "hour_utc == 11 && weekday == 0", ceiling: L2'))
        assert verdict(held, now=evening_in_tokyo).level is Level.L2


class TestBuiltIn:
    """What no document lifts."""

    @pytest.mark.parametrize(
        ("outcome", "level"),
        [
            (Refused("generated file"), Level.DENIED),
            (Unavailable("registry is down"), Level.L3),
            (Inconclusive("unknown schema"), Level.L3),
        ],
    )
    def test_checks_that_did_not_pass(self, outcome: Outcome, level: Level) -> None:
        given = verdict(policies(OPEN), shown=proof(checks=(Check("schema", outcome),)))
        assert given.level is level
        assert "check schema" in binding(given)

    def test_nothing_checked_is_not_proven(self) -> None:
        assert verdict(policies(OPEN), shown=proof(checks=())).level is Level.L3

    def test_a_doubt_about_the_diagnosis(self) -> None:
        given = verdict(policies(OPEN), gaps=(Doubt("as good as the old one at first"),))
        assert (given.level, [reason.rule for reason in given.binding]) == (Level.L3, ["doubt"])

    def test_a_gap_in_the_evidence(self) -> None:
        gap = Gap("errors/checkout", "errors", "checkout", Unavailable("timed out"))
        given = verdict(policies(OPEN), gaps=(gap,))
        assert given.level is Level.L3
        assert binding(given) == "evidence: errors of checkout could not be read: timed out"

    def test_an_irreversible_action(self) -> None:
        spec = type(ROLLBACK)("rollback_image", "", (), (), False, "none")
        assert verdict(policies(OPEN), spec=spec).level is Level.L3

    def test_no_sli_to_verify_with(self) -> None:
        assert verdict(policies(OPEN), plan(verification=VerificationPlan((), 1, 5, 30))).level is Level.L1

    def test_a_commit_that_only_statuses_can_say_is_live(self) -> None:
        blind = replace(plan().verification, live_by="statuses")
        given = verdict(policies(OPEN), plan(verification=blind))
        assert given.level is Level.L3
        assert binding(given) == "live: being live can only be seen by commit statuses"

    def test_a_confidence_that_is_no_probability(self) -> None:
        assert verdict(policies(OPEN), plan(confidence=1.5)).level is Level.L1

    def test_an_unknown_environment(self) -> None:
        assert verdict(policies(OPEN), plan(""), proof()).level is Level.L1


class TestApprovers:
    """The most restrictive list counts."""

    @pytest.mark.parametrize(
        ("lists", "approvers", "level"),
        [
            ([], (), Level.L4),
            (["[]", "[]"], (), Level.L3),
            (["[alice, bob]", "[]"], ("alice", "bob"), Level.L3),
            (["[alice, bob]", "[bob, carol]"], ("bob",), Level.L3),
            (["[Alice]", "[alice]"], ("Alice",), Level.L3),
            (["[alice]", "[bob]"], (), Level.L2),
        ],
    )
    def test_are_those_whom_every_rule_names(self, lists: list[str], approvers: tuple[str, ...], level: Level) -> None:
        rules = ", ".join(f"{{name: r{i}, ceiling: L3, approvers: {given}}}" for i, given in enumerate(lists))
        given = verdict(policies(OPEN, document("RemediationPolicy", f"  rules: [{rules}]\n")))
        assert (given.approvers, given.level) == (approvers, level)

    def test_of_rules_that_do_not_apply_do_not_count(self) -> None:
        held = policies(OPEN, rule("match: {environments: [production]}, approvers: [dave]"))
        assert verdict(held).approvers == ()


class TestFreezeWindows:
    """Less is allowed from `from` until just before `until`."""

    HELD = policies(
        OPEN,
        document(
            "FreezeWindow",
            """\
  windows:
    - name: year-end
      from: 2026-12-19T18:00:00Z
      until: 2027-01-02T08:00:00Z
      environments: [staging, production]
      reason: end-of-year freeze
""",
        ),
    )

    @pytest.mark.parametrize(
        ("now", "level"),
        [
            (datetime(2026, 12, 19, 17, 59, 59, tzinfo=UTC), Level.L4),
            (datetime(2026, 12, 19, 18, tzinfo=UTC), Level.L2),
            (datetime(2027, 1, 2, 7, 59, 59, tzinfo=UTC), Level.L2),
            (datetime(2027, 1, 2, 8, tzinfo=UTC), Level.L4),
            (datetime.fromisoformat("2026-12-20T02:30:00+09:00"), Level.L4),
        ],
    )
    def test_hold_between_their_ends(self, now: datetime, level: Level) -> None:
        assert verdict(self.HELD, now=now).level is level

    def test_hold_in_their_environments(self) -> None:
        now = datetime(2026, 12, 24, tzinfo=UTC)
        assert verdict(self.HELD, plan("dev"), proof("dev"), now=now).level is Level.L4
        given = verdict(self.HELD, now=now)
        assert "year-end: end-of-year freeze, until 2027-01-02 08:00 UTC" in binding(given)
