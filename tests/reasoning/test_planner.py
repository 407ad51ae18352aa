from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from gitops_sre.model.change_feed import FieldChange, Rollout, RolloutStep
from gitops_sre.model.diagnosis import Cause, Diagnosis, Hypothesis
from gitops_sre.model.evidence import Evidence, Symptom
from gitops_sre.model.plan import NeedsHuman, Plan, Reading, Sli, VerificationPlan
from gitops_sre.model.target import NoTarget
from gitops_sre.reasoning.capacity import CAUSES
from gitops_sre.reasoning.planner import doubts, plan
from gitops_sre.reasoning.remedies import PERSON
from gitops_sre.settings import DecisionSettings
from tests.builders import NOW, target
from tests.reasoning.cases import ask, change, symptom, world

DECISION = DecisionSettings()
VERIFICATION = VerificationPlan((Sli("error_ratio", "up", 0.02),), 1, 5, 30)
IMAGE = "registry.example.com/shop/checkout"
DIGEST = "sha256:" + "a" * 64


def diagnosed(**changes: Any) -> Diagnosis:
    """A deploy of checkout, sure enough."""
    top = replace(Hypothesis("new_deploy", "checkout", 0.97, 0.3, change=change()), **changes)
    rest = Hypothesis("dependency_failure", "checkout", 1 - top.posterior, 0.1)
    return Diagnosis((top, rest), ())


def moved(*fields: tuple[tuple[str | int, ...], str | None, str | None]) -> Diagnosis:
    made = tuple(FieldChange("f.yaml", 0, path, before, after) for path, before, after in fields)
    return diagnosed(change=replace(change(), fields=made))


def refused(diagnosis: Diagnosis) -> str:
    answer = plan(diagnosis, target(), DECISION, VERIFICATION)
    assert isinstance(answer, NeedsHuman)
    return answer.reason


def test_a_blamed_deploy_is_rolled_back_to_the_version_before() -> None:
    made = plan(diagnosed(), target(), DECISION, VERIFICATION)
    assert isinstance(made, Plan)
    assert (made.action, made.parameters) == ("rollback_image", {"image": IMAGE, "to": "v1"})
    assert (made.culprit, made.confidence, made.hypothesis) == ("c" * 40, 0.97, "new_deploy/checkout/cccccccccccc")
    assert made.verification is VERIFICATION
    assert "from v1 to v2" in made.reason


def test_the_plan_follows_from_evidence_end_to_end() -> None:
    found = ask([*world(errors_checkout="high"), symptom("version_errors", "checkout", "high")], change())
    assert isinstance(plan(found, target(), DECISION, VERIFICATION), Plan)


@pytest.mark.parametrize(
    ("path", "before", "after", "to"),
    [
        (("spec", "containers", 0, "image"), f"{IMAGE}:v1", f"{IMAGE}:v2", "v1"),
        (("image",), f"{IMAGE}@{DIGEST}", f"{IMAGE}@{DIGEST[:-1]}b", DIGEST),
        (("images", 0), f"{IMAGE}:v1@{DIGEST}", f"{IMAGE}:v2", f"v1@{DIGEST}"),
        (("image", "tag"), f"{IMAGE}:v1", f"{IMAGE}:v2", "v1"),
    ],
)
def test_every_form_of_an_image_gives_name_and_version(
    path: tuple[str | int, ...], before: str, after: str, to: str
) -> None:
    made = plan(moved((path, before, after)), target(), DECISION, VERIFICATION)
    assert isinstance(made, Plan)
    assert made.parameters == {"image": IMAGE, "to": to}


def test_a_registry_with_a_port_is_part_of_the_name() -> None:
    made = plan(
        moved((("image",), "localhost:5000/cart:v1", "localhost:5000/cart:v2")), target(), DECISION, VERIFICATION
    )
    assert isinstance(made, Plan)
    assert made.parameters == {"image": "localhost:5000/cart", "to": "v1"}


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((("images", 0), None, f"{IMAGE}:v2"),),
        ((("images", 0, "newTag"), "v1", "v2"),),
        ((("image",), "old/name:v1", "new/name:v2"),),
        ((("env", "CACHE"), "cache:6379", "cache:6380"),),
        ((("image",), "$(reboot):v1", "$(reboot):v2"),),
        ((("image",), "localhost:5000/cart", "localhost:5000/cart:v2"),),
    ],
)
def test_without_a_known_version_before_a_person_is_needed(
    fields: tuple[tuple[tuple[str | int, ...], str | None, str | None], ...],
) -> None:
    assert "does not say which image" in refused(moved(*fields))


def test_several_moved_images_need_a_person() -> None:
    fields = ((("images", 0), f"{IMAGE}:v1", f"{IMAGE}:v2"), (("images", 1), "proxy:v1", "proxy:v2"))
    assert "moved several images" in refused(moved(*fields))


def test_one_image_in_several_fields_is_one() -> None:
    places: tuple[tuple[str | int, ...], ...] = (("initContainers", 0, "image"), ("containers", 0, "image"))
    assert isinstance(
        plan(moved(*((place, f"{IMAGE}:v1", f"{IMAGE}:v2") for place in places)), target(), DECISION, VERIFICATION),
        Plan,
    )


def test_a_tag_that_moves_is_nothing_to_go_back_to() -> None:
    assert "'latest'" in refused(moved((("image",), f"{IMAGE}:latest", f"{IMAGE}:v2")))


def test_what_is_not_sure_enough_names_the_numbers() -> None:
    reason = refused(diagnosed(posterior=0.65))
    assert "65%" in reason
    assert "70% are needed" in reason


@pytest.mark.parametrize("cause", sorted(PERSON))
def test_without_a_change_to_take_back_the_right_person_is_named(cause: Cause) -> None:
    assert PERSON[cause] in refused(diagnosed(cause=cause, change=None))


def test_every_cause_has_somebody_to_ask() -> None:
    assert {*PERSON, *CAUSES} == set(get_args(Cause))
    assert not PERSON.keys() & CAUSES


def test_a_refuted_hypothesis_is_never_acted_on() -> None:
    assert "not sure enough" in refused(diagnosed(refuted=True))


def test_two_comparable_changes_are_ambiguous_even_above_the_threshold() -> None:
    rival = Hypothesis("new_deploy", "checkout", 0.25, 0.1, change=change(80, sha="d"))
    assert "cannot be told apart" in refused(Diagnosis((diagnosed(posterior=0.75).top, rival), ()))


def test_two_deploys_in_the_window_end_with_a_person() -> None:
    assert "cannot be told apart" in refused(ask(world(errors_checkout="high"), change(60), change(90, sha="d")))


def test_after_a_refutation_a_person_is_needed() -> None:
    found = ask(world(errors_checkout="high"), change(), refuted=("new_deploy/checkout/cccccccccccc",))
    assert isinstance(plan(found, target(), DECISION, VERIFICATION), NeedsHuman)


def test_the_target_must_be_the_blamed_service_and_verifiable() -> None:
    answers = [
        plan(diagnosed(), target("cart"), DECISION, VERIFICATION),
        plan(diagnosed(), NoTarget("two workloads match"), DECISION, VERIFICATION),
        plan(diagnosed(), target(), DECISION, replace(VERIFICATION, slis=())),
    ]
    reasons = [answer.reason for answer in answers if isinstance(answer, NeedsHuman)]
    assert [
        word in reason for word, reason in zip(("to blame", "two workloads", "objective"), reasons, strict=True)
    ] == [
        True,
        True,
        True,
    ]


def compared(signal: str, symptom: Symptom, score: float | None, new: float, old: float, version: str = "") -> Evidence:
    """New pods against old ones."""
    return Evidence(
        f"{signal}/checkout",
        signal,
        "checkout",
        symptom,
        f"{signal} {new} {old}",
        NOW,
        new,
        old,
        score=score,
        version=version,
    )


def rolled(*evidence: Evidence) -> Diagnosis:
    """A deploy of checkout whose rollout to v2 was seen."""
    steps = (RolloutStep(NOW, NOW, 0, 3),)
    found = diagnosed(rollout=Rollout("checkout", "staging", "v1", "v2", steps))
    return replace(found, evidence=evidence)


@pytest.mark.parametrize(
    "evidence",
    [
        compared("version_errors", "normal", 0.0, 0.4, 0.5, version="v2"),
        compared("version_errors", "high", 7.0, 0.25, 0.22, version="v2"),
        compared("replaced_latency", "high", 2.5, 0.3, 0.1, version="v2"),
        compared("version_errors", "normal", None, 0.4, 0.4),
        compared("version_errors", "low", None, 0.4, 0.9),
    ],
    ids=["as bad", "hardly worse than the old ones now", "within noise", "live, as bad", "live, better"],
)
def test_a_version_that_is_seen_to_be_no_worse_is_not_rolled_back(evidence: Evidence) -> None:
    reason = refused(rolled(evidence))
    assert "no worse than those without it" in reason
    assert evidence.statement in reason


@pytest.mark.parametrize(
    "evidence",
    [
        (compared("version_errors", "high", 7.0, 0.4, 0.1, version="v2"),),
        (compared("version_errors", "normal", 0.0, 0.0, 0.0, version="v2"),
         compared("replaced_latency", "high", 9.0, 0.4, 0.1, version="v2")),
        (compared("version_errors", "high", None, 0.4, 0.0),),
        (compared("version_errors", "normal", 0.0, 0.4, 0.5, version="v0"),),
        (compared("version_errors", "unknown", None, 0.4, 0.5),),
        (),
    ],
    ids=["worse", "worse in one signal", "live, worse", "of another rollout", "not known", "not seen"],
)  # fmt: skip
def test_a_version_that_is_worse_or_not_comparable_is_rolled_back(evidence: tuple[Evidence, ...]) -> None:
    made = plan(rolled(*evidence), target(), DECISION, VERIFICATION)
    assert isinstance(made, Plan)
    assert made.action == "rollback_image"


BETTER_SINCE = compared("replaced_errors", "normal", 0.1, 0.01, 0.01, version="v2")
WORSE_SINCE = compared("replaced_errors", "high", 40.0, 0.3, 0.01, version="v2")
AS_GOOD = compared("version_errors", "normal", 0.1, 0.01, 0.01, version="v2")


def early(score: float) -> Evidence:
    return compared("early_errors", "high" if score > 2 else "normal", score, 0.01 + score / 100, 0.01, version="v2")


@pytest.mark.parametrize(
    ("evidence", "when"),
    [
        ((AS_GOOD, WORSE_SINCE), "while both served"),
        ((early(0.1), WORSE_SINCE), "at first"),
        ((early(0.1), WORSE_SINCE, compared("version_errors", "high", 40.0, 0.3, 0.01, version="v2")), "at first"),
        ((WORSE_SINCE, compared("leaving_errors", "high", 19.0, 0.2, 0.01, version="v2")), "old version got worse"),
    ],
    ids=["beside the old one", "before the onset", "what is left of the old one's rates is better", "both are worse"],
)
def test_a_version_that_turned_bad_only_later_is_a_matter_for_a_person(
    evidence: tuple[Evidence, ...], when: str
) -> None:
    found = rolled(*evidence)
    (doubt,) = doubts(found)
    assert when in doubt.text
    assert isinstance(plan(found, target(), DECISION, VERIFICATION), Plan)


@pytest.mark.parametrize(
    "evidence",
    [
        (compared("version_errors", "high", 40.0, 0.3, 0.01, version="v2"), WORSE_SINCE),
        (AS_GOOD, WORSE_SINCE, compared("version_latency", "high", 9.0, 0.4, 0.1, version="v2")),
        (early(30.0), WORSE_SINCE),
        (compared("leaving_errors", "normal", 0.2, 0.01, 0.01, version="v2"), WORSE_SINCE),
        (WORSE_SINCE,),
        (AS_GOOD, compared("replaced_latency", "high", 9.0, 0.4, 0.1, version="v2")),
        (AS_GOOD, early(0.1), BETTER_SINCE),
    ],
    ids=[
        "worse beside it",
        "in another signal",
        "worse at first",
        "the old one stays good",
        "not compared",
        "another signal",
        "never worse",
    ],
)
def test_a_version_that_was_worse_from_the_first_or_cannot_be_compared_raises_no_doubt(
    evidence: tuple[Evidence, ...],
) -> None:
    assert doubts(rolled(*evidence)) == ()


def felt(subject: str, symptom: Symptom) -> Evidence:
    return Evidence(f"lasting/{subject}", "lasting", subject, symptom, f"{subject or 'users'} {symptom}", NOW, score=1)


def test_what_has_passed_is_left_alone() -> None:
    found = replace(diagnosed(), evidence=(felt("checkout", "normal"), felt("", "normal"), felt("web", "high")))
    assert "it has passed: checkout normal; users normal" in refused(found)


@pytest.mark.parametrize("still", ["checkout", ""])
def test_what_the_blamed_service_or_the_alerting_one_still_feels_is_acted_on(still: str) -> None:
    evidence = tuple(felt(subject, "high" if subject == still else "normal") for subject in ("checkout", ""))
    assert isinstance(plan(replace(diagnosed(), evidence=evidence), target(), DECISION, VERIFICATION), Plan)


@pytest.mark.parametrize(("value", "acts"), [(0.01, False), (0.02, False), (0.021, True), (None, True)])
def test_objectives_that_are_all_met_leave_nothing_to_do(value: float | None, acts: bool) -> None:
    verification = replace(VERIFICATION, incident=(Reading("error_ratio", value),))
    made = plan(diagnosed(), target(), DECISION, verification)
    assert isinstance(made, Plan) is acts
    assert acts or "every objective is met: error_ratio" in getattr(made, "reason", "")
