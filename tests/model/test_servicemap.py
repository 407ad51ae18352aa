"""Who is downstream of whom."""

from __future__ import annotations

from gitops_sre.model.servicemap import CallGraph

SHOP = CallGraph([("web", "cart"), ("web", "search"), ("cart", "db"), ("search", "db"), ("db", "disk")])


def test_what_a_service_calls_is_told_nearest_first_and_once() -> None:
    assert SHOP.below("web") == ("cart", "search", "db", "disk")
    assert SHOP.below("db") == ("disk",)
    assert SHOP.below("disk") == SHOP.below("unheard-of") == ()


def test_of_services_that_call_each_other_in_a_circle_none_is_below_itself() -> None:
    circle = CallGraph([("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")])
    assert circle.below("a") == ("b", "c")
    assert circle.below("b") == ("c", "a")


def test_without_any_call_there_is_no_map() -> None:
    assert SHOP.known
    assert not CallGraph([]).known
