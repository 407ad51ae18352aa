"""What a rule can select by, limit and ask for; and that what is not known counts against it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_sre.model.verdict import Level, Verdict
from gitops_sre.policy.documents import PolicyError
from tests import builders as b
from tests.policy.cases import document, plan, policies, proof, verdict

OPEN = document("AutonomyLadder", '  levels: [{action: "*", level: L4}]\n', "open")


def ruled(rule: str, *more: str, **given: Any) -> Verdict:
    """The verdict under one rule (in flow style) where everything is open."""
    written = document("RemediationPolicy", f"  rules:\n    - {{name: the-rule, {rule}}}\n")
    return verdict(policies(OPEN, written, *more), **given)


def level(rule: str, *more: str, **given: Any) -> Level:
    return ruled(rule, *more, **given).level


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestSelectors:
    """Where a rule applies it lowers to L2."""

    @pytest.mark.parametrize(
        ("match", "hypothesis", "applies"),
        [
            ("[new_deploy]", "new_deploy/checkout/abc", True),
            ("[config_change]", "new_deploy/checkout/abc", False),
            ('["*_change", new_*]', "new_deploy/checkout/abc", True),
            ("[config_change]", "", True),
            ("[config_change]", "something_else/checkout", True),
        ],
    )
    def test_causes(self, match: str, hypothesis: str, applies: bool) -> None:
        given = level(f"match: {{causes: {match}}}, ceiling: L2", what=plan(hypothesis=hypothesis))
        assert given is (Level.L2 if applies else Level.L4)

    @pytest.mark.parametrize(("cluster", "applies"), [("eu-1", True), ("us-1", False), ("", True)])
    def test_clusters(self, cluster: str, applies: bool) -> None:
        given = level("match: {clusters: [eu-*]}, ceiling: L2", cluster=cluster)
        assert given is (Level.L2 if applies else Level.L4)

    def test_reversibility(self) -> None:
        assert level("match: {reversible: true}, ceiling: L2") is Level.L2
        assert level("match: {reversible: false}, ceiling: L2") is Level.L4

    @pytest.mark.parametrize(
        ("hours", "at", "applies"),
        [
            ("08:00-18:00", "2026-01-05T06:59:59", False),  # winter: 07:59:59 in Berlin
            ("08:00-18:00", "2026-01-05T07:00:00", True),
            ("08:00-18:00", "2026-01-05T16:59:59", True),
            ("08:00-18:00", "2026-01-05T17:00:00", False),
            ("08:00-18:00", "2026-07-06T06:00:00", True),  # summer: an hour earlier by UTC
            ("08:00-18:00", "2026-07-06T16:00:00", False),
            ("22:00-06:00", "2026-01-05T21:00:00", True),
            ("22:00-06:00", "2026-01-05T04:59:00", True),
            ("22:00-06:00", "2026-01-05T05:00:00", False),
            ("02:30-03:00", "2026-10-25T00:45:00", True),  # clocks go back: 02:45 comes twice
            ("02:30-03:00", "2026-10-25T01:45:00", True),
            ("02:00-03:00", "2026-03-29T00:59:00", False),  # clocks go forward: from 01:59 to 03:00
            ("02:00-03:00", "2026-03-29T01:00:00", False),
            ("03:00-04:00", "2026-03-29T01:00:00", True),
            ("00:00-24:00", "2026-01-05T12:00:00", True),
        ],
    )
    def test_hours_are_those_of_the_wall_clock_there(self, hours: str, at: str, applies: bool) -> None:
        given = level(f'match: {{hours: ["{hours}"], timezone: Europe/Berlin}}, ceiling: L2', now=moment(at))
        assert given is (Level.L2 if applies else Level.L4)

    @pytest.mark.parametrize(
        ("at", "applies"),
        [
            ("2026-01-09T21:30:00", True),  # a Friday
            ("2026-01-10T05:30:00", True),  # its night goes on
            ("2026-01-09T05:30:00", False),  # Thursday's night
            ("2026-01-10T21:30:00", False),
        ],
    )
    def test_a_night_belongs_to_the_day_on_which_it_begins(self, at: str, applies: bool) -> None:
        given = level('match: {hours: ["21:00-06:00"], weekdays: [fri]}, ceiling: L2', now=moment(at))
        assert given is (Level.L2 if applies else Level.L4)

    def test_weekdays_are_those_there(self) -> None:
        sunday_in_auckland = moment("2026-01-10T12:00:00")
        rule = "match: {weekdays: [sun], timezone: Pacific/Auckland}, ceiling: L2"
        assert level(rule, now=sunday_in_auckland) is Level.L2
        assert level("match: {weekdays: [sun]}, ceiling: L2", now=sunday_in_auckland) is Level.L4

    @pytest.mark.parametrize(
        ("match", "said"),
        [
            ('hours: ["8-18"]', "must be hours of a day"),
            ('hours: ["08:00-08:00"]', "must not end when it begins"),
            ('hours: ["24:00-06:00"]', "must be hours of a day"),
            ("weekdays: [monday]", "'mon', 'tue'"),
            ("weekdays: [mon], timezone: Berlin", "no known time zone"),
            ("weekdays: [mon], timezone: ../etc/passwd", "no time zone"),
            ("timezone: Europe/Berlin", "means nothing without"),
            ("causes: []", "is empty"),
        ],
    )
    def test_what_means_nothing_is_refused(self, match: str, said: str) -> None:
        with pytest.raises(PolicyError) as caught:
            ruled(f"match: {{{match}}}")
        assert said in str(caught.value)


class TestLimits:
    """A limit that is exceeded lowers to L1."""

    @pytest.mark.parametrize(
        ("limit", "radius", "within"),
        [
            ("serviceShare: 0.5", {"service_share": 0.5}, True),
            ("serviceShare: 0.5", {"service_share": 0.51}, False),
            ("serviceShare: 1.0", {"service_share": None}, False),
            ("step: {memory: 2.0}", {"steps": (("memory", 2.0),)}, True),
            ("step: {memory: 2.0}", {"steps": (("memory", 2.01), ("cpu", 1.0))}, False),
            ("step: {memory: 2.0}", {"steps": (("memory", None),)}, False),
            ("step: {memory: 2.0}", {"steps": None}, False),
            ("step: {cpu: 2, replicas: 1.5}", {"steps": (("cpu", 2.0), ("replicas", 1.6))}, False),
        ],
    )
    def test_on_what_is_touched(self, limit: str, radius: dict[str, Any], within: bool) -> None:
        assert level(f"limits: {{{limit}}}", shown=proof(**radius)) is (Level.L4 if within else Level.L1)

    @pytest.mark.parametrize(
        ("limit", "known", "within"),
        [
            ("evidenceKinds: 2", {"evidence": ("metrics", "changes")}, True),
            ("evidenceKinds: 2", {"evidence": ("metrics",)}, False),
            ("evidenceKinds: 2", {"evidence": ("metrics", "metrics")}, False),
            ("evidenceKinds: 1", {}, False),
            ("alertAge: 2h", {"alert_age": 7200.0}, True),
            ("alertAge: 2h", {"alert_age": 7201.0}, False),
            ("alertAge: 2h", {"alert_age": None}, False),
        ],
    )
    def test_on_what_is_known(self, limit: str, known: dict[str, Any], within: bool) -> None:
        assert level(f"limits: {{{limit}}}", **known) is (Level.L4 if within else Level.L1)

    @pytest.mark.parametrize(
        ("ago", "expected"), [(None, Level.L4), (21_600.0, Level.L4), (21_599.0, Level.L2), (0.0, Level.L2)]
    )
    def test_cool_down(self, ago: float | None, expected: Level) -> None:
        given = ruled("coolDown: 6h, beyond: L2", last_action=ago)
        assert given.level is expected
        assert ("cool-down" in given.binding[0].text) is (expected is Level.L2)

    @pytest.mark.parametrize("limit", ["alertAge: 90", "alertAge: 1.5h", "alertAge: 31d", "step: {memory: 0.5}"])
    def test_bounds_without_a_sensible_value_are_refused(self, limit: str) -> None:
        with pytest.raises(PolicyError):
            ruled(f"limits: {{{limit}}}")


class TestConditions:
    """The same in CEL. What is not known makes a condition fail, and that lowers to L1."""

    @pytest.mark.parametrize(
        ("when", "known", "expected"),
        [
            ("alert_age > 60.0", {"alert_age": 61.0}, Level.L2),
            ("alert_age > 60.0", {"alert_age": 60.0}, Level.L4),
            ("alert_age > 60.0", {"alert_age": None}, Level.L1),
            ("alert_age < 60.0", {"alert_age": None}, Level.L1),
            ("cluster == 'eu-1'", {"cluster": "eu-1"}, Level.L2),
            ("cluster != 'eu-1'", {"cluster": "eu-1"}, Level.L4),
            ("cluster != 'eu-1'", {"cluster": ""}, Level.L1),
            ("evidence_kinds < 2", {"evidence": ("metrics",)}, Level.L2),
            ("cause == 'new_deploy'", {}, Level.L2),
            ("memory_step > 1.0", {}, Level.L1),
            ("service_share > 0.5", {"shown": proof(service_share=0.6)}, Level.L2),
            ("replicas_step > 1.5", {"shown": proof(steps=(("replicas", 1.5),))}, Level.L4),
            ("now.getHours('Europe/Berlin') == 13", {"now": b.NOW}, Level.L2),
            ("now.getHours('Asia/Tokyo') == 13", {"now": b.NOW}, Level.L4),
            ("owner == 'shop'", {}, Level.L4),
            ("owner != 'shop'", {}, Level.L2),
        ],
    )
    def test_say_the_same(self, when: str, known: dict[str, Any], expected: Level) -> None:
        assert level(f'when: "{when}", ceiling: L2', **known) is expected


class TestOutcomes:
    """What a verdict asks for beside its level."""

    def test_the_largest_quorum_and_the_longest_window_count(self) -> None:
        other = document(
            "RemediationPolicy",
            "  rules:\n    - {name: more, quorum: 2, verificationWindow: 30m}\n"
            "    - {name: elsewhere, match: {tiers: [none]}, quorum: 9, verificationWindow: 9d}\n",
        )
        given = ruled("quorum: 3, verificationWindow: 20m", other)
        assert (given.quorum, given.window) == (3, 1800)

    def test_without_rules_one_approval_suffices(self) -> None:
        assert (verdict(policies(OPEN)).quorum, verdict(policies(OPEN)).window) == (1, 0)

    def test_a_quorum_that_the_approvers_cannot_reach_leaves_it_to_people(self) -> None:
        given = ruled("quorum: 2, approvers: [alice, Alice]")
        assert given.level is Level.L2
        assert "only 1 of 2 needed logins" in given.binding[0].text
        assert ruled("quorum: 2, approvers: [alice, bob]").level is Level.L4

    @pytest.mark.parametrize("written", ["quorum: 0", "quorum: 1.5", "verificationWindow: 0m", "coolDown: forever"])
    def test_nonsense_is_refused(self, written: str) -> None:
        with pytest.raises(PolicyError):
            ruled(written)
