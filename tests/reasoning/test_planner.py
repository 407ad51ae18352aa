from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gitops_sre.model.change_feed import FieldChange
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis
from gitops_sre.model.plan import NeedsHuman, Plan, Sli, VerificationPlan
from gitops_sre.model.target import NoTarget
from gitops_sre.reasoning.planner import plan
from gitops_sre.settings import DecisionSettings
from tests.builders import target
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


def test_other_causes_need_a_person() -> None:
    assert "no action undoes that yet" in refused(diagnosed(cause="dependency_failure", change=None))
    assert "no action undoes that yet" in refused(diagnosed(cause="config_change"))
    assert "no action undoes that yet" in refused(diagnosed(change=None))


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
