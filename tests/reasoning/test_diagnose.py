from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.change_feed import Rollout, RolloutStep
from gitops_sre.model.evidence import Evidence, Symptom
from gitops_sre.model.findings import Findings
from gitops_sre.reasoning.diagnose import diagnose
from tests.reasoning.cases import (
    CATALOGUE,
    EDGES,
    ONSET,
    SCOPE,
    SERVICES,
    SIGNALS,
    ask,
    belief,
    change,
    distrusted,
    gap,
    scored,
    symptom,
    world,
)

CULPRIT = "new_deploy/checkout/cccccccccccc"


def findings(evidence: Iterable[Evidence], edges: Iterable[tuple[str, str]]) -> Findings:
    """On another map than the usual one, after the usual change."""
    return Findings(SCOPE, tuple(evidence), edges=tuple(edges), changes=(change(),))


def test_a_deploy_just_before_errors_of_its_version_alone_is_the_cause() -> None:
    found = ask(
        [*world(errors_checkout="high", errors_cart="high"), symptom("version_errors", "checkout", "high")], change()
    )
    assert (found.top.key, found.top.cause, found.top.service) == (CULPRIT, "new_deploy", "checkout")
    assert found.top.posterior > 0.9
    assert found.top.change is not None
    assert found.top.change.lead == 60


def test_without_a_version_to_compare_a_prompt_deploy_is_still_good_enough_to_act_on() -> None:
    assert ask(world(errors_checkout="high", errors_cart="high"), change()).top.posterior > 0.7


def test_a_diagnosis_cites_the_evidence_for_and_against() -> None:
    found = ask([*world(errors_checkout="high"), symptom("version_errors", "checkout", "high")], change())
    assert {"change/checkout/cccccccccccc", "version_errors/checkout"} <= set(found.top.supports)
    assert all(found.find(name) is not None for each in found.hypotheses for name in (*each.supports, *each.opposes))
    nothing = next(each for each in found.hypotheses if each.cause == "no_fault")
    assert "worst_errors" in nothing.opposes
    assert "new deploy at checkout through cccccccccccc, 60 s before the onset" in found.summary
    assert "For: " in found.summary


def test_everything_normal_is_no_fault() -> None:
    assert belief(ask(world()), "no_fault") > 0.9


def test_a_harmless_deploy_before_a_false_alarm_is_not_blamed() -> None:
    found = ask(world(), change(20))
    assert found.top.cause == "no_fault"
    assert found.top.posterior > 0.9


def test_errors_without_a_change_are_no_deploy() -> None:
    found = ask(world(errors_checkout="high"))
    assert found.top.cause in ("code_defect", "dependency_failure")
    assert belief(found, "new_deploy") < 0.2


def test_a_deploy_does_not_make_an_unseen_change_of_another_kind_likelier() -> None:
    alone = belief(ask(world(errors_checkout="high")), "config_change")
    beside = belief(ask(world(errors_checkout="high"), change(), refuted=(CULPRIT,)), "config_change")
    assert beside == pytest.approx(alone, rel=0.2)


def test_lost_replicas_point_at_the_infrastructure() -> None:
    assert ask(world(errors_checkout="high", replicas_checkout="low")).top.cause == "infrastructure"


def test_a_spike_of_traffic_is_told_from_a_fault() -> None:
    sick: dict[str, Symptom] = {f"traffic_{name}": "high" for name in SERVICES}
    enters = [scored("surge", "", 0.9), scored("own_traffic", "cart", 0.9)]
    found = ask([*world(**sick, latency_checkout="high", latency_cart="high"), *enters])
    assert found.top.cause == "traffic_spike"


def test_the_callee_is_blamed_and_its_caller_is_the_victim() -> None:
    sick = world(errors_checkout="high", errors_payments="high", errors_cart="high")
    found = ask(sick, change(service="payments"))
    assert found.top.key == "new_deploy/payments/cccccccccccc"
    assert found.top.posterior > 0.7
    assert sum(each.posterior for each in found.hypotheses if each.service == "checkout") < 0.1


def test_a_deploy_of_the_victim_does_not_hide_the_sick_callee() -> None:
    sick = world(errors_checkout="high", errors_payments="high", latency_payments="high", replicas_payments="low")
    assert ask(sick, change(1200)).top.service == "payments"


def test_a_change_after_the_onset_is_no_cause() -> None:
    late = ask(world(errors_checkout="high"), change(-31))
    assert belief(late, "new_deploy") < 0.2
    assert all(each.change is None for each in late.hypotheses)
    assert (
        "too late to be a cause" in {item.id: item for item in late.evidence}["change/checkout/cccccccccccc"].statement
    )


def test_within_the_clocks_difference_a_change_is_suspected_but_not_claimed() -> None:
    found = ask(world(errors_checkout="high"), change(-20))
    suspect = next(each for each in found.hypotheses if each.key == CULPRIT)
    assert 0.05 < suspect.posterior < 0.7


def test_what_counts_is_when_a_change_went_live() -> None:
    sick = world(errors_checkout="high")
    week_old = replace(change(7 * 86400), live=ONSET - timedelta(seconds=60))
    assert ask(sick, week_old).top.key == CULPRIT
    assert ask(sick, week_old).top.posterior == pytest.approx(ask(sick, change(60)).top.posterior)
    held_back = replace(change(60), live=ONSET + timedelta(seconds=31))
    assert all(each.change is None for each in ask(sick, held_back).hypotheses)


def test_where_no_sync_is_known_its_rollout_counts() -> None:
    sick, at = world(errors_checkout="high"), ONSET - timedelta(seconds=60)
    moved = Rollout("checkout", "staging", "v1", "v2", (RolloutStep(at, at, 0, 1),))
    (seen,) = (each for each in ask(sick, replace(change(86400), rollout=moved)).evidence if each.signal == "change")
    assert seen.value == 60


def test_a_change_in_another_environment_is_none_of_ours() -> None:
    found = ask(world(errors_checkout="high"), change(environment="production"))
    assert all(each.change is None for each in found.hypotheses)


def test_two_deploys_close_together_cannot_be_told_apart() -> None:
    found = ask(world(errors_checkout="high"), change(60), change(90, sha="d"))
    first, second = found.hypotheses[:2]
    assert {first.cause, second.cause} == {"new_deploy"}
    assert first.posterior < 0.6
    assert second.posterior > 0.3


def test_the_older_of_two_deploys_is_the_less_probable_one() -> None:
    found = ask(world(errors_checkout="high"), change(60), change(7000, sha="d"))
    assert found.top.key == CULPRIT
    older = next(each for each in found.hypotheses if each.change and each.change.commit.sha.startswith("d"))
    assert older.posterior < found.top.posterior / 10


def test_a_refuted_hypothesis_is_out_and_nothing_else_becomes_certain() -> None:
    found = ask(world(errors_checkout="high"), change(), change(3600, sha="d"), refuted=(CULPRIT,))
    gone = next(each for each in found.hypotheses if each.key == CULPRIT)
    assert gone.refuted
    assert gone.posterior == 0
    assert found.top.cause not in ("new_deploy", "no_fault")
    assert CULPRIT in found.summary


def test_blind_there_is_no_confident_diagnosis_even_with_a_deploy() -> None:
    gaps = tuple(gap(signal) for signal in SIGNALS)
    for changes in ((), (change(5),), (change(5), change(8, sha="d"))):
        assert ask([], *changes, gaps=gaps).top.posterior < 0.6


def test_without_the_change_feed_no_absence_of_changes_is_claimed() -> None:
    found = ask(world(errors_checkout="high"), gaps=(gap("changes"),))
    assert not [item for item in found.evidence if item.signal == "changes"]
    assert found.top.posterior < 0.7
    assert "Not seen: changes" in found.summary


def test_partial_answers_make_it_less_sure() -> None:
    clear = ask(world(errors_checkout="high"), change()).top.posterior
    assert ask(distrusted(world(errors_checkout="high"), 0.5), change()).top.posterior < clear


@given(
    st.lists(
        st.tuples(st.sampled_from(SIGNALS), st.sampled_from(SERVICES), st.sampled_from(["high", "low", "normal"])),
        max_size=24,
    ),
    st.lists(st.tuples(st.floats(-100, 20_000), st.sampled_from(SERVICES)), max_size=4),
    st.randoms(),
)
def test_any_evidence_gives_probabilities_that_do_not_depend_on_its_order(
    seen: list[tuple[str, str, Symptom]], leads: list[tuple[float, str]], random: Random
) -> None:
    evidence = list({f"{a}/{b}": symptom(a, b, c) for a, b, c in seen}.values())
    changes = [change(lead, name, sha="abcdef"[n]) for n, (lead, name) in enumerate(leads)]
    found = ask(evidence, *changes)
    assert math.fsum(each.posterior for each in found.hypotheses) == pytest.approx(1)
    assert math.fsum(each.prior for each in found.hypotheses) == pytest.approx(1)
    random.shuffle(evidence)
    random.shuffle(changes)
    again = ask(evidence, *changes)
    beliefs = {each.key: each.posterior for each in again.hypotheses}
    assert {each.key: each.posterior for each in found.hypotheses} == pytest.approx(beliefs)
    assert len({each.key for each in found.hypotheses}) == len(found.hypotheses)


def test_a_map_of_hundreds_of_services_stays_bounded() -> None:
    edges = [*EDGES, *(("checkout", f"s{n}") for n in range(300)), *((f"s{n}", f"s{n + 1}") for n in range(299))]
    evidence = [symptom(signal, f"s{n}", "normal") for n in range(40) for signal in SIGNALS]
    found = diagnose(findings([*world(errors_checkout="high"), *evidence], edges), CATALOGUE)
    assert found.top.key == CULPRIT
    assert found.top.posterior > 0.7
    assert len(found.hypotheses) < 700


def test_many_healthy_callers_do_not_outvote_a_sick_service() -> None:
    callers = [f"c{n}" for n in range(40)]
    edges = [*EDGES, *((name, "checkout") for name in callers)]
    evidence = [symptom(signal, name, "normal") for name in callers for signal in SIGNALS]
    found = diagnose(findings([*world(errors_checkout="high"), *evidence], edges), CATALOGUE)
    assert found.top.key == CULPRIT
    assert found.top.posterior > 0.7


def test_a_circle_on_the_map_is_survived() -> None:
    edges = (("checkout", "payments"), ("payments", "checkout"))
    found = diagnose(findings(world(errors_checkout="high"), edges), CATALOGUE)
    assert found.top.key == CULPRIT


def test_text_from_git_that_is_no_unicode_stays_printable() -> None:
    broken = change()
    commit = replace(broken.commit, author="ali\udcffce", subject="x\udcff" * 300)
    found = ask(world(errors_checkout="high"), replace(broken, commit=commit))
    for item in found.evidence:
        item.statement.encode()
    found.summary.encode()
