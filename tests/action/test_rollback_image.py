"""A plan's image and version become exact field edits, or a refusal that says what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pytest

from gitops_sre.action import ACTIONS
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Plan, VerificationPlan
from gitops_sre.model.target import ObjectField, Source, Target, WorkloadRef

IMAGE = "registry.example.com:5000/shop/web"
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
TARGET = Target(
    "web", "production", "standard", WorkloadRef("Deployment", "production", "web"), "argocd/web", Source("", "m")
)


@dataclass(frozen=True)
class Located:
    """A locator that knows the answer."""

    answer: tuple[Field, ...] | Refused

    def image_fields(self, commit: str, target: Target, image: str) -> tuple[Field, ...] | Refused:
        assert (commit, target, image) == ("c" * 40, TARGET, IMAGE)
        return self.answer

    def chart_fields(self, commit: str, target: Target, chart: str) -> tuple[Field, ...] | Refused:
        assert chart == "web"
        return self.answer

    def ref_fields(self, commit: str, target: Target, name: str) -> tuple[Field, ...] | Refused:
        raise AssertionError(f"nobody should ask for {name}")

    def last_good_image(self, commit: str, target: Target, image: str) -> Draft | Refused:
        return Draft((), notes=(f"the last good {image}",))

    def last_good(
        self, commit: str, target: Target, fields: Sequence[Field], to: str = "", good: str = ""
    ) -> Draft | Refused:
        return Refused("the history does not know it")

    def object_fields(self, commit: str, target: Target, at: ObjectField) -> tuple[Field, ...] | Refused:
        raise AssertionError(f"nobody should ask for {at}")

    def setting_fields(self, commit: str, target: Target, key: str) -> tuple[Field, ...] | Refused:
        raise AssertionError(f"nobody should ask for {key}")

    def undo(self, commit: str, target: Target, culprit: str) -> Draft | Refused:
        return Draft((), notes=(f"undo {culprit}",))

    def inputs(self, commit: str, source: Source) -> frozenset[str]:
        return frozenset()


def field(role: Literal["tag", "digest", "image", "chart"], value: str, raw: str = "") -> Field:
    key = {"tag": "newTag", "digest": "digest", "image": "image", "chart": "version"}[role]
    return Field("f.yaml", 0, (key,), role, value, raw or value, "the only place")


def roll(to: str, *fields: Field, image: str = IMAGE) -> tuple[FieldEdit, ...] | Refused:
    plan = Plan("rollback_image", TARGET, {"image": image, "to": to}, "", "", 1.0, "", VerificationPlan((), 0, 0, 0))
    answer = ACTIONS["rollback_image"].draft(plan, Located(fields), "c" * 40)
    return answer.edits if isinstance(answer, Draft) else answer


def values(answer: tuple[FieldEdit, ...] | Refused) -> list[str | None]:
    assert not isinstance(answer, Refused), answer.reason
    return [edit.after for edit in answer]


@pytest.mark.parametrize(
    ("to", "fields", "expected"),
    [
        ("v1", [field("tag", "v2")], ["v1"]),
        ("v1", [field("image", f"{IMAGE}:v2")], [f"{IMAGE}:v1"]),
        ("v1", [field("image", IMAGE)], [f"{IMAGE}:v1"]),
        (NEW, [field("digest", OLD)], [NEW]),
        (f"v1@{NEW}", [field("tag", "v2"), field("digest", OLD)], ["v1", NEW]),
        (f"v1@{NEW}", [field("tag", "v1"), field("digest", OLD)], [NEW]),
        (f"v1@{NEW}", [field("digest", OLD)], [NEW]),
        (f"v1@{NEW}", [field("tag", f"v2@{OLD}")], [f"v1@{NEW}"]),
        (f"v1@{NEW}", [field("image", f"{IMAGE}:v2@{OLD}")], [f"{IMAGE}:v1@{NEW}"]),
        (f"v1@{NEW}", [field("image", f"{IMAGE}:v2")], [f"{IMAGE}:v1@{NEW}"]),
        (NEW, [field("image", f"{IMAGE}:v2@{OLD}")], [f"{IMAGE}@{NEW}"]),
        ("v1", [field("image", f"{IMAGE}:v2"), field("image", f"{IMAGE}:v2")], [f"{IMAGE}:v1"] * 2),
        ("v1", [field("tag", "")], ["v1"]),
    ],
)
def test_tag_and_digest_are_put_back_where_they_stand(to: str, fields: list[Field], expected: list[str]) -> None:
    assert values(roll(to, *fields)) == expected


@pytest.mark.parametrize(
    ("to", "fields", "says"),
    [
        ("v2", [field("tag", "v2")], "already says v2"),
        (f"v2@{OLD}", [field("image", f"{IMAGE}:v2@{OLD}")], "nothing to roll back"),
        ("v1", [field("tag", "v2"), field("digest", OLD)], "pinned by digest"),
        ("v1", [field("image", f"{IMAGE}:v2@{OLD}")], "pinned by digest"),
        (NEW, [field("tag", "v2"), field("digest", OLD)], "a tag stands beside the digest"),
        (NEW, [field("tag", "v2")], "names none; give tag@sha256"),
        (f"v1@{NEW}", [field("tag", "v2")], "give the tag alone"),
        ("v1 ", [], "is not a"),
        ("-v1", [], "is not a"),
        ("v1\n", [], "is not a"),
        ("v1;id", [], "is not a"),
        ("sha256:abc", [], "is not a"),
        ("v" * 129, [], "is not a"),
        ("v1\u202e", [], "is not a"),
    ],
)
def test_what_cannot_be_held_exactly_is_refused(to: str, fields: list[Field], says: str) -> None:
    answer = roll(to, *fields)
    assert isinstance(answer, Refused)
    assert says in answer.reason


@pytest.mark.parametrize("image", ["", "-x", "a b", "web;id", "Web", "web\n"])
def test_an_image_that_is_no_name_is_refused(image: str) -> None:
    assert isinstance(roll("v1", field("tag", "v2"), image=image), Refused)


def drafted(**parameters: str) -> Draft | Refused:
    plan = Plan("rollback_image", TARGET, parameters, "", "", 1.0, "", VerificationPlan((), 0, 0, 0))
    return ACTIONS["rollback_image"].draft(plan, Located((field("chart", "1.2.0"),)), "c" * 40)


def test_without_a_version_the_last_good_one_is_looked_up() -> None:
    assert drafted(image=IMAGE) == Draft((), notes=(f"the last good {IMAGE}",))


def test_with_a_culprit_that_commit_is_undone() -> None:
    assert drafted(image=IMAGE, culprit="d" * 40) == Draft((), notes=(f"undo {'d' * 40}",))


def test_a_charts_version_is_written_where_the_history_does_not_know_it() -> None:
    answer = drafted(chart="web", to="1.1.0+build.2")
    assert isinstance(answer, Draft)
    assert [each.after for each in answer.edits] == ["1.1.0+build.2"]


@pytest.mark.parametrize("given", [{}, {"image": IMAGE, "chart": "web"}, {"chart": "-web"}, {"chart": "web", "x": "y"}])
def test_what_does_not_name_one_image_or_chart_is_refused(given: dict[str, str]) -> None:
    assert isinstance(drafted(**given), Refused)


def test_the_locators_refusal_is_passed_on() -> None:
    plan = Plan("rollback_image", TARGET, {"image": IMAGE, "to": "v1"}, "", "", 1.0, "", VerificationPlan((), 0, 0, 0))
    assert ACTIONS["rollback_image"].draft(plan, Located(Refused("two places")), "c" * 40) == Refused("two places")


def test_quoting_follows_the_place_and_the_inverse_restores_it() -> None:
    answer = roll("1.10", field("tag", "v2", "'v2'"))
    assert not isinstance(answer, Refused)
    assert answer[0].after_raw == "'1.10'"
    plain = roll("1.10", field("tag", "v2"))
    assert not isinstance(plain, Refused)
    assert plain[0].after_raw == '"1.10"'
    assert plain[0].inverted().after_raw == "v2"


def test_the_registry_names_each_action_by_its_specification() -> None:
    assert all(name == action.spec.name for name, action in ACTIONS.items())
    assert all(action.spec.reversible and action.spec.parameters for action in ACTIONS.values())
