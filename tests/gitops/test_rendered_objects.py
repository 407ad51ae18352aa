"""Objects of two builds set against each other."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_sre.gitops.built import ORIGIN, Identity, by_identity, differences, fields
from gitops_sre.model.target import WorkloadRef


def diff(one: Any, two: Any) -> list[tuple[str, str | None, str | None]]:
    return [(each.path, each.before, each.after) for each in fields({"x": one}, {"x": two})]


@pytest.mark.parametrize(
    ("one", "two", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, [("x.a", "1", "true")]),
        ({"a": None}, {"a": ""}, [("x.a", "null", "")]),
        ({}, {"a": {"b": 1}}, [("x.a.b", None, "1")]),
        (None, {"a": 1}, [("x.a", None, "1")]),
        ({"a": 1}, 1, [("x.a", "1", None), ("x", None, "1")]),
        ({"a": {}}, {}, [("x.a", "{}", None)]),
        (["a", "b"], ["a", "c", "b"], [("x[1]", None, "c")]),
        (["a", "b"], ["b"], [("x[0]", "a", None)]),
        ([{"name": "a", "v": 1}, {"name": "b", "v": 2}], [{"name": "n"}, {"name": "a", "v": 1}, {"name": "b", "v": 3}],
         [("x[2].v", "2", "3"), ("x[0].name", None, "n")]),
        ([{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}],  # an order may matter
         [("x[0].name", None, "b"), ("x[1].name", "b", None)]),
        ([{"name": "d", "mountPath": "/a"}, {"name": "d", "mountPath": "/b"}], [{"name": "d", "mountPath": "/b"}],
         [("x[0].name", "d", None), ("x[0].mountPath", "/a", None)]),
    ],
)  # fmt: skip
def test_fields_that_differ(one: Any, two: Any, found: list[tuple[str, str | None, str | None]]) -> None:
    assert sorted(diff(one, two), key=str) == sorted(found, key=str)


def manifest(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **more.pop("metadata", {})}, **more}


def compared(one: list[dict[str, Any]], two: list[dict[str, Any]]) -> list[tuple[str, bool, bool]]:
    before, after = (by_identity(each, "prod")[0] for each in (one, two))
    return [(str(each.identity), each.before is None, each.after is None) for each in differences("a", before, after)]


def test_a_generated_object_under_a_new_name_is_one_that_changed() -> None:
    one = [manifest("ConfigMap", "conf-7t88m9hk2c", data={"a": "1"})]
    two = [manifest("ConfigMap", "conf-4gf6bhd2c9", data={"a": "2"})]
    assert compared(one, two) == [("ConfigMap prod/conf-4gf6bhd2c9", False, False)]
    found = list(differences("a", by_identity(one, "p")[0], by_identity(two, "p")[0]))
    assert found[0].renamed == (("conf-7t88m9hk2c", "conf-4gf6bhd2c9"),)


def test_other_new_names_are_one_object_less_and_one_more() -> None:
    one, two = [manifest("ConfigMap", "conf-a")], [manifest("ConfigMap", "conf-b")]
    assert compared(one, two) == [("ConfigMap prod/conf-a", False, True), ("ConfigMap prod/conf-b", True, False)]
    words = [manifest("Deployment", "web-7t88m9hk2c")], [manifest("Deployment", "web-4gf6bhd2c9")]
    assert len(compared(*words)) == 2


def test_two_generated_objects_of_one_stem_are_not_guessed_at() -> None:
    one = [manifest("ConfigMap", "conf-7t88m9hk2c"), manifest("ConfigMap", "conf-882248hk2c")]
    two = [manifest("ConfigMap", "conf-4gf6bhd2c9")]
    assert len(compared(one, two)) == 3


def test_the_origin_is_taken_out_and_told() -> None:
    one = manifest("Service", "s", metadata={"annotations": {ORIGIN: "path: ../base/s.yaml\n"}}, spec={"a": 1})
    two = manifest(
        "Service", "s", metadata={"annotations": {ORIGIN: "path: ../base/s.yaml\n", "own": "1"}}, spec={"a": 2}
    )
    found = list(differences("a", by_identity([one], "")[0], by_identity([two], "")[0]))
    assert [(each.origin, [field.path for field in each.fields]) for each in found] == [
        ("../base/s.yaml", ["metadata.annotations.own", "spec.a"])
    ]


def test_identity_knows_cluster_wide_kinds_and_twins() -> None:
    twice = [
        manifest("Namespace", "n"),
        manifest("Service", "s"),
        manifest("Service", "s", metadata={"namespace": "p"}),
    ]
    found, doubled = by_identity([*twice, manifest("Service", "s")], "q")
    assert set(found) == {
        Identity("", "Namespace", "", "n"), Identity("", "Service", "q", "s"), Identity("", "Service", "p", "s")
    }  # fmt: skip
    assert doubled == {Identity("", "Service", "q", "s")}


@pytest.mark.parametrize(
    ("ref", "fits"),
    [
        (WorkloadRef("Deployment", "prod", "web"), True),
        (WorkloadRef("", "", "web"), True),
        (WorkloadRef("", "", ""), True),
        (WorkloadRef("Deployment", "dev", "web"), False),
        (WorkloadRef("StatefulSet", "", "web"), False),
    ],
)
def test_what_a_reference_leaves_open_fits_any(ref: WorkloadRef, fits: bool) -> None:
    one, two = manifest("Deployment", "web", spec={"a": 1}), manifest("Deployment", "web", spec={"a": 2})
    found = list(differences("a", by_identity([one], "prod")[0], by_identity([two], "prod")[0]))
    assert found[0].is_workload(ref) is fits
