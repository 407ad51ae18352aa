"""Weights of evidence, and what scored findings do to posteriors."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.change_feed import Rollout, RolloutStep
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.evidence import Evidence, Gap, Scope
from gitops_sre.model.findings import Findings
from gitops_sre.model.outcome import Unavailable
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.reasoning.causes import CAUSES
from gitops_sre.reasoning.diagnose import diagnose
from gitops_sre.reasoning.weights import load_weights
from gitops_sre.yamltext.data import DataError
from tests.builders import NOW

CATALOGUE = load_catalogue()
BLIND = Gap("changes", "changes", "", Unavailable("no feed"))


def scored(signal: str, subject: str, score: float, version: str = "") -> Evidence:
    return Evidence(
        f"{signal}/{subject}{version}",
        signal,
        subject,
        "high",
        f"{signal} of {subject}",
        NOW,
        score=score,
        version=version,
    )


def ask(*evidence: Evidence, focus: str = "", rollouts: tuple[Rollout, ...] = ()) -> Diagnosis:
    scope = Scope(
        focus, "", "", NOW - timedelta(seconds=120), NOW, NOW - timedelta(hours=1), NOW - timedelta(minutes=20)
    )
    quiet = [
        scored("own_time", name, 0.0) for name in ("web", "cart", "db") if name not in {e.subject for e in evidence}
    ]
    edges = (("web", "cart"), ("cart", "db"))
    return diagnose(Findings(scope, (*evidence, *quiet), (BLIND,), edges, rollouts), CATALOGUE)


def felt(strength: float = 400) -> tuple[Evidence, ...]:
    return scored("disturbance", "", strength), scored("worst_latency", "", 20.0)


def rollout(service: str, begins: datetime) -> Rollout:
    return Rollout(service, "", "v1", "v2", (RolloutStep(begins, begins, 1, 1),), 2)


def test_every_weight_is_for_a_cause_that_exists_and_a_judgement_stands_beside_each_fit() -> None:
    judged, fitted = load_weights(fitted=False), load_weights()
    assert judged.weight.keys() == fitted.weight.keys()
    assert all(set(by_cause) == set(CAUSES) for by_cause in fitted.weight.values())


def test_evidence_of_trouble_never_speaks_against_it() -> None:
    assert all(value >= 0 for by_cause in load_weights().weight.values() for value in by_cause.values())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("cap: 0", "cap"),
        (
            "cap: 1\ngroups: {}\nsignals: {x: {scale: share, why: w, judged: {nonsense: 1}}}\nbias: {judged: {}}",
            "nonsense",
        ),
        ("cap: [", "YAML"),
    ],
)
def test_broken_weights_are_refused_with_the_place(text: str, place: str) -> None:
    with pytest.raises(DataError, match=place):
        load_weights(text)


def test_the_service_that_adds_the_time_itself_is_blamed() -> None:
    found = ask(*felt(), scored("own_time", "db", 0.8), scored("own_time", "cart", 0.1), focus="web")
    assert found.services[0].service == "db"


def test_a_starved_processor_is_an_exhausted_resource() -> None:
    top = ask(*felt(), scored("cpu", "cart", 40), scored("own_time", "cart", 0.5)).services[0]
    assert (top.service, top.cause) == ("cart", "resource_exhaustion")


def test_time_lost_on_the_way_is_the_network() -> None:
    top = ask(*felt(), scored("edge_gap_latency", "cart", 50), scored("edge_latency", "cart", 50)).services[0]
    assert (top.service, top.cause) == ("cart", "network")


def test_a_code_that_takes_another_course_is_defective() -> None:
    top = ask(*felt(), scored("pattern", "db", 5)).services[0]
    assert (top.service, top.cause) == ("db", "code_defect")


def test_a_version_is_only_blamed_for_its_own_rollout() -> None:
    begins = NOW - timedelta(seconds=300)
    rolled = (rollout("cart", begins), rollout("db", begins))
    found = ask(*felt(), scored("version_errors", "cart", 60, "v2"), rollouts=rolled)
    top = found.services[0]
    assert (top.service, top.cause, top.change) == ("cart", "new_deploy", "v2")
    assert "version_errors/cartv2" in found.top.supports


def test_causes_that_nothing_tells_apart_are_called_unknown() -> None:
    assert ask(*felt(), scored("own_time", "db", 0.9)).services[0].cause == "unknown"


def test_without_any_disturbance_nobody_is_to_blame() -> None:
    found = ask(scored("disturbance", "", 0.0), scored("worst_latency", "", 0.1))
    assert found.probability("no_fault") > 0.5


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["cpu", "own_time", "pattern", "memory"]),
            st.sampled_from(["web", "cart", "db"]),
            st.floats(0, 50),
        ),
        max_size=8,
    )
)
def test_posteriors_sum_to_one_and_do_not_depend_on_the_order(seen: list[tuple[str, str, float]]) -> None:
    evidence = [scored(signal, subject, score) for signal, subject, score in dict.fromkeys(seen)]
    one, two = ask(*felt(), *evidence), ask(*reversed(evidence), *felt())
    assert sum(each.posterior for each in one.hypotheses) == pytest.approx(1)
    assert {each.key: each.posterior for each in one.hypotheses} == pytest.approx(
        {each.key: each.posterior for each in two.hypotheses}
    )
    assert sum(blame.posterior for blame in one.services) == pytest.approx(1)


def test_code_that_takes_another_course_speaks_for_a_rollout_in_sight_as_for_an_old_defect() -> None:
    took = scored("pattern", "cart", 3.0)
    just_now = rollout("cart", NOW - timedelta(seconds=150))
    seen = ask(*felt(), scored("own_failures", "cart", 0.9), took, rollouts=(just_now,))
    assert seen.top.cause == "new_deploy"
    assert seen.top.rollout == just_now
    assert ask(*felt(), scored("own_failures", "cart", 0.9), took).top.cause == "code_defect"
