"""Places of one text are found again in another: by name, by what an item is, only then by position."""

from __future__ import annotations

import pytest

from gitops_sre import yamltext
from gitops_sre.gitops.alignment import Follower, pairs
from gitops_sre.yamltext import Place


def leaves(text: str) -> dict[Place, str]:
    return {scalar.place: scalar.value for scalar in yamltext.scalars(text)}


def follow(one: str, two: str, document: int, *path: str | int) -> Place | None:
    return Follower(leaves(one), leaves(two)).leaf((document, path))


def test_an_item_is_found_by_its_name_after_the_list_was_reordered() -> None:
    one = "images:\n- {name: web, newTag: v1}\n- {name: api, newTag: v2}\n"
    two = "images:\n- {name: api, newTag: v9}\n- {name: db, newTag: v3}\n- {name: web, newTag: v1}\n"
    assert follow(one, two, 0, "images", 0, "newTag") == (0, ("images", 2, "newTag"))
    assert follow(one, two, 0, "images", 1, "newTag") == (0, ("images", 0, "newTag"))


def test_a_plain_item_moves_with_what_was_put_before_it() -> None:
    one = "resources:\n- a.yaml\n- https://example.com/crd?ref=v1\n"
    two = "resources:\n- new.yaml\n- a.yaml\n- https://example.com/crd?ref=v1\n"
    assert follow(one, two, 0, "resources", 1) == (0, ("resources", 2))


def test_the_only_item_is_the_same_item_whatever_it_says() -> None:
    assert follow("args: [--v=1]\n", "args: [--v=2]\n", 0, "args", 0) == (0, ("args", 0))


def test_a_document_is_found_by_its_kind_and_name() -> None:
    web = "kind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n"
    service = "kind: Service\nmetadata: {name: web}\nspec: {type: ClusterIP}\n"
    assert follow(f"{web}---\n{service}", f"{service}---\n{web}", 0, "spec", "replicas") == (1, ("spec", "replicas"))


def test_what_is_gone_is_not_found() -> None:
    assert follow("a: 1\nb: 2\n", "b: 2\n", 0, "a") is None
    assert follow("l:\n- {name: x, v: 1}\n- {name: y, v: 2}\n", "l:\n- {name: y, v: 2}\n", 0, "l", 0, "v") is None


def test_a_collection_is_followed_by_what_stands_in_it() -> None:
    one = "spec:\n  containers:\n  - {name: a, image: x}\n  - {name: b, image: y}\n"
    two = "spec:\n  containers:\n  - {name: b, image: z}\n"
    found = Follower(leaves(one), leaves(two))
    assert found.entry((0, ("spec", "containers", 1))) == (0, ("spec", "containers", 0))
    assert found.entry((0, ("spec", "containers", 0))) is None


@pytest.mark.parametrize(
    ("one", "two", "only"),
    [
        ("a: 1\n", "a: 1\nb: 2\n", [(None, (0, ("b",)))]),
        ("a: 1\nb: {c: 2, d: 3}\n", "a: 1\n", [((0, ("b",)), None)]),
        ("a: 1\n", "a: {b: 1}\n", [((0, ("a",)), None), (None, (0, ("a",)))]),
        ("l: [x, y]\n", "l: [x, z, y]\n", [(None, (0, ("l", 1)))]),
    ],
)
def test_entries_that_only_one_text_has_are_named_at_their_top(one: str, two: str, only: list[object]) -> None:
    assert [(p.one, p.two) for p in pairs(leaves(one), leaves(two)) if None in (p.one, p.two)] == only
