"""Figures from the ledger: each has a definition, and none can be bettered by what did not happen."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.learning.kpi import Kpis, Share, kpis
from gitops_sre.learning.stories import LABELLED, stories
from gitops_sre.ports import LedgerEntry

T0 = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
Line = tuple[float, str, str, dict[str, object]]


def entries(incident: str, lines: Iterable[Line], begin: datetime = T0) -> list[LedgerEntry]:
    """(seconds, event, state after, facts) of one incident."""
    return [
        LedgerEntry(0, incident, begin + timedelta(seconds=at), event, "", target, json.dumps(facts), "", "")
        for at, event, target, facts in lines
    ]


def moment(seconds: float) -> str:
    return (T0 + timedelta(seconds=seconds)).isoformat()


def diagnosed(cause: str = "new_deploy", posterior: float = 0.9, onset: float = -40) -> list[Line]:
    """Opened, looked into, diagnosed after a minute."""
    top = {"cause": cause, "service": "cart", "posterior": posterior, "change": "abcdef0123456789"}
    return [
        (0, "Alerts", "received", {"why": "1 of 1 alerts firing"}),
        (1, "Triaged", "investigating", {"onset": moment(-20)}),
        (60, "Diagnosed", "diagnosed", {"hypotheses": [top], "onset": moment(onset)}),
    ]


PLAN: Line = (61, "Planned", "planned", {"action": "rollback_image", "service": "cart", "tier": "standard"})


def merged(level: str = "L4", *, approved: bool = False) -> list[Line]:
    """Planned, proposed and merged."""
    person: list[Line] = [(65, "Approved", "merging", {"approver": "alice"})] if approved else []
    opened: Line = (64, "MayMerge", "merging", {}) if level == "L4" else (64, "Opened", "awaiting_approval", {})
    return [PLAN, (62, "Allowed", "proposed", {"level": level}), opened, *person, (70, "Merged", "syncing", {})]


RECOVERED: list[Line] = [(90, "WentLive", "verifying", {}), (160, "Recovered", "resolved", {})]
FALSE: list[Line] = [(90, "WentLive", "verifying", {}), (100, "NotRecovered", "reverting", {})]
ESCALATED: list[Line] = [(200, "Exhausted", "escalating", {}), (201, "Filed", "escalated", {})]


def of(*incidents: list[Line]) -> Kpis:
    """The figures of incidents that follow each other by an hour."""
    return kpis(stories(line for n, each in enumerate(incidents) for line in entries(f"inc-{n}", each)))


def test_a_fix_that_helped() -> None:
    got = of(diagnosed() + merged() + RECOVERED)
    assert (got.incidents, got.resolved, got.unaided) == (1, Share(1, 1), Share(1, 1))
    assert got.false_actions == Share(0, 1)
    assert (got.detect.mean, got.diagnose.mean, got.recover.mean) == (40, 60, 200)


def test_the_alert_tells_the_onset_where_the_telemetry_does_not() -> None:
    lines = diagnosed()
    del lines[2][3]["onset"]
    assert of(lines + merged() + RECOVERED).detect.mean == 20


@pytest.mark.parametrize(("level", "approved"), [("L3", True), ("L2", False), ("L4", True)])
def test_what_a_person_had_a_part_in_is_resolved_and_not_unaided(level: str, approved: bool) -> None:
    got = of(diagnosed() + merged(level, approved=approved) + RECOVERED)
    assert (got.resolved, got.unaided) == (Share(1, 1), Share(0, 1))


def test_a_fix_that_did_not_help_is_a_false_action() -> None:
    got = of(diagnosed() + merged() + FALSE + ESCALATED)
    assert (got.resolved, got.false_actions, got.escalated) == (Share(0, 1), Share(1, 1), Share(1, 1))
    assert got.recover.of == 0


def test_a_fix_that_was_taken_back_after_it_had_helped_counts_as_false_alone() -> None:
    back: list[Line] = [(300, "RevertAsked", "reverting", {}), (310, "WentLive", "reverted", {})]
    got = of(diagnosed() + merged() + RECOVERED + back + [(320, "HandsOff", "superseded", {})])
    assert (got.resolved, got.false_actions) == (Share(0, 1), Share(1, 1))


def test_a_fix_that_never_came_alive_says_nothing_of_the_action() -> None:
    never: list[Line] = [(90, "NeverLive", "reverting", {})]
    got = of(diagnosed() + merged() + never + ESCALATED)
    assert got.false_actions == Share(0, 0)


def test_a_proposal_that_is_made_again_is_one() -> None:
    again: list[Line] = [(80, "BaseMoved", "planned", {}), (81, "Allowed", "proposed", {"level": "L3"})]
    again += [(82, "Opened", "awaiting_approval", {}), (90, "Closed", "rejected", {})]
    first: list[Line] = [(62, "Allowed", "proposed", {"level": "L3"}), (63, "Opened", "awaiting_approval", {})]
    got = of([*diagnosed(), PLAN, *first, *again])
    assert got.rejected == Share(1, 1)


def test_what_was_no_fault_or_is_under_way_is_not_counted() -> None:
    nothing: list[Line] = [*diagnosed("no_fault")[:2], (60, "NoFault", "dismissed", {})]
    got = of(nothing, diagnosed() + merged())
    assert got.incidents == 0
    assert got.resolved.value is None


def labelled(cause: str, **more: object) -> Line:
    return (999, LABELLED, "", {"cause": cause, "by": "alice", **more})


@pytest.mark.parametrize(
    ("label", "right"),
    [
        (labelled("new_deploy"), 1),
        (labelled("new_deploy", service="cart", commit="abcdef0"), 1),
        (labelled("new_deploy", service="web"), 0),
        (labelled("new_deploy", commit="1234567"), 0),
        (labelled("network"), 0),
    ],
)
def test_diagnoses_are_held_against_what_people_say(label: Line, right: int) -> None:
    got = of([*diagnosed(posterior=0.9), *ESCALATED, label])
    assert got.rca == Share(right, 1)
    assert got.brier == pytest.approx((0.9 - right) ** 2)
    (row,) = got.reliability
    assert (row.stated, row.right) == (0.9, Share(right, 1))


def test_the_last_word_counts() -> None:
    assert of([*diagnosed(), *ESCALATED, labelled("network"), labelled("new_deploy")]).rca == Share(1, 1)


def test_a_language_models_cost_adds_up() -> None:
    asked: Line = (61, "Consulted", "diagnosed", {"tokens": 1200, "money": 0.02, "calls": 2})
    got = of([*diagnosed(), asked, asked, *ESCALATED], [*diagnosed(), *ESCALATED])
    assert (got.asked, got.tokens, got.money) == (1, 2400, 0.04)


def test_only_what_was_opened_since() -> None:
    told = stories(
        entries("inc-1", diagnosed() + ESCALATED) + entries("inc-2", diagnosed() + ESCALATED, T0 + timedelta(1))
    )
    assert kpis(told).incidents == 2
    assert kpis(told, since=T0 + timedelta(hours=1)).incidents == 1


def test_the_interval_is_that_of_the_textbook() -> None:
    # Newcombe, Statistics in Medicine 17, 1998, table I
    assert list(Share(81, 263).interval) == pytest.approx([0.2553, 0.3662], abs=1e-4)
    assert list(Share(15, 148).interval) == pytest.approx([0.0624, 0.1605], abs=1e-4)
    assert list(Share(0, 20).interval) == pytest.approx([0.0, 0.1611], abs=1e-4)
    assert Share(0, 0).interval == (0.0, 1.0)


KINDS = (
    diagnosed() + merged() + RECOVERED,
    diagnosed() + merged("L3", approved=True) + RECOVERED,
    diagnosed() + merged() + FALSE + ESCALATED,
    diagnosed("network", 0.4) + ESCALATED + [labelled("network")],
    [*diagnosed("no_fault")[:2], (60.0, "NoFault", "dismissed", {})],
)


@given(st.lists(st.sampled_from(KINDS), max_size=8), st.randoms(use_true_random=False))
def test_how_incidents_are_interleaved_changes_nothing(kinds: list[list[Line]], order: random.Random) -> None:
    by_incident = [entries(f"inc-{n}", lines) for n, lines in enumerate(kinds)]
    plain = kpis(stories(line for lines in by_incident for line in lines))
    queues, mixed = [list(lines) for lines in by_incident], []
    while any(queues):
        mixed.append(order.choice([queue for queue in queues if queue]).pop(0))
    got = kpis(stories(mixed))
    assert (got.resolved, got.unaided, got.false_actions, got.escalated, got.rejected, got.rca) == (
        plain.resolved, plain.unaided, plain.false_actions, plain.escalated, plain.rejected, plain.rca
    )  # fmt: skip
    assert got.recover == plain.recover
    assert got.unaided.count <= got.resolved.count <= got.incidents


@given(
    st.dictionaries(st.text(max_size=9), st.none() | st.booleans() | st.integers() | st.text(max_size=9), max_size=3)
)
def test_facts_that_nobody_wrote_do_no_harm(facts: dict[str, object]) -> None:
    lines: list[Line] = [
        (float(n), event, "", dict(facts)) for n, event in enumerate(("Triaged", "Diagnosed", LABELLED))
    ]
    kpis(stories(entries("inc-1", [*lines, *ESCALATED])))
