"""Shares of traffic: every backend by name, 100 together, in each rule that splits between exactly these."""

from __future__ import annotations

import pytest

from gitops_sre.model.change import Draft
from tests.action.located import Answers, changes, draft, reason, unset, value

Rule = list[tuple[str, str]]


def route(*rules: Rule) -> Answers:
    """An HTTPRoute with these rules of backends and weights (empty: not set)."""
    names, weights = [], []
    for number, rule in enumerate(rules):
        for at, (name, weight) in enumerate(rule):
            path = ("spec", "rules", number, "backendRefs", at)
            names.append(value(name, *path, "name"))
            weights.append(value(weight, *path, "weight") if weight else unset(*path, "weight"))
    field = "spec.rules.[].backendRefs.[]"
    return {("HTTPRoute", f"{field}.name"): tuple(names), ("HTTPRoute", f"{field}.weight"): tuple(weights)}


SPLIT = route([("a", "80"), ("b", "20")])


@pytest.mark.parametrize(
    ("answers", "weights", "expected"),
    [
        (SPLIT, "a:100,b:0", [("80", "100"), ("20", "0")]),
        (SPLIT, "b:100,a:0", [("80", "0"), ("20", "100")]),
        (route([("a", ""), ("b", "")]), "a:90,b:10", [(None, "90"), (None, "10")]),
        (route([("c", "")], [("a", "1"), ("b", "1")]), "a:50,b:50", [("1", "50"), ("1", "50")]),
        (route([("a", "80"), ("b", "20")], [("b", "20"), ("a", "80")]), "a:100,b:0",
         [("80", "100"), ("20", "0"), ("20", "0"), ("80", "100")]),
        (SPLIT, "a:80,b:20", None),
    ],
)  # fmt: skip
def test_each_backend_gets_its_share(answers: Answers, weights: str, expected: list[object] | None) -> None:
    answer = draft("shift_traffic", answers, route="HTTPRoute/web", weights=weights)
    if expected is None:
        assert "has these weights already" in reason(answer)
    else:
        assert changes(answer) == expected


@pytest.mark.parametrize(
    ("answers", "weights", "why"),
    [
        (SPLIT, "a:90,b:20", "let the shares be 100 together"),
        (SPLIT, "a:50,a:50", "name each backend once"),
        (SPLIT, "a:100", "is not every backend with its share"),
        (SPLIT, "a:101,b:-1", "is not every backend with its share"),
        (SPLIT, "a:50,c:50", "name exactly these backends"),
        (SPLIT, "a:100,b:0,c:0", "name exactly these backends"),
        (SPLIT, "c:100,d:0", "has no such backends; it has a, b"),
        (route([("a", "50"), ("a", "50")]), "a:50,b:50", "one of them twice"),
        ({}, "a:50,b:50", "no place in apps/web makes HTTPRoute/web"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(answers: Answers, weights: str, why: str) -> None:
    assert why in reason(draft("shift_traffic", answers, route="HTTPRoute/web", weights=weights))


def test_rules_of_other_backends_are_left_and_listed() -> None:
    answer = draft(
        "shift_traffic", route([("c", "")], [("a", "1"), ("b", "1")]), route="HTTPRoute/web", weights="a:0,b:100"
    )
    assert isinstance(answer, Draft)
    assert [(left.path, left.reason) for left in answer.left] == [
        (("spec", "rules", 0, "backendRefs"), "goes to c only")
    ]


def test_a_subset_names_a_backend_before_its_host() -> None:
    weight, where = "spec.http.[].route.[]", ("spec", "http", 0, "route")
    answers: Answers = {
        ("VirtualService", f"{weight}.weight"): (value("90", *where, 0, "weight"), value("10", *where, 1, "weight")),
        ("VirtualService", f"{weight}.destination.host"): (
            value("web", *where, 0, "destination", "host"), value("next", *where, 1, "destination", "host"),
        ),
        ("VirtualService", f"{weight}.destination.subset"): (
            value("stable", *where, 0, "destination", "subset"), unset(*where, 1, "destination", "subset"),
        ),
    }  # fmt: skip
    answer = draft("shift_traffic", answers, route="VirtualService/web", weights="stable:100,next:0")
    assert changes(answer) == [("90", "100"), ("10", "0")]


@pytest.mark.parametrize(
    ("kind", "owner", "path"),
    [
        ("Rollout", "Rollout", "spec.strategy.canary.trafficRouting"),
        ("", "Rollout", "spec.strategy.canary.trafficRouting"),
        ("Deployment", "Canary", "spec.analysis"),
    ],
)
def test_weights_that_a_controller_writes_are_left_to_it(kind: str, owner: str, path: str) -> None:
    answers = SPLIT | {(owner, path): (value("", "x"),)}
    answer = draft("shift_traffic", answers, kind=kind, route="HTTPRoute/web", weights="a:100,b:0")
    assert "go back with rollback_image" in reason(answer)


def test_a_rollout_without_traffic_routing_does_not_matter() -> None:
    answers = SPLIT | {("Rollout", "spec.strategy.canary.trafficRouting"): (unset("x"),)}
    answer = draft("shift_traffic", answers, kind="Rollout", route="HTTPRoute/web", weights="a:100,b:0")
    assert changes(answer) == [("80", "100"), ("20", "0")]
