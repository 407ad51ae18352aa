"""The yardstick itself: it is there, it covers every operation of the server, and it finds what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from github.Repository import Repository

from gitops_sre.sandbox.github import (
    rest_checks,
    rest_contents,
    rest_git,
    rest_issues,
    rest_labels,
    rest_pulls,
    rest_reviews,
)
from tests.sandbox.github.openapi import MISSING, Description, description
from tests.sandbox.github.world import World

ROUTES = (
    *rest_git.routes(),
    *rest_checks.routes(),
    *rest_contents.routes(),
    *rest_pulls.routes(),
    *rest_reviews.routes(),
    *rest_labels.routes(),
    *rest_issues.routes(),
)

UNDESCRIBED = {"/repos/{owner}/{repo}/git/refs/{ref}", "/repos/{owner}/{repo}/contents"}
"""Forms that GitHub still answers: the address that a ref gives of itself, and the contents of the top folder."""


@pytest.fixture
def described() -> Description:
    found = description()
    if found is None:
        pytest.skip(MISSING)
    return found


def test_every_operation_is_one_of_githubs(described: Description) -> None:
    known = {(method, operation.template) for method, listed in described.operations.items() for operation in listed}
    served = {(route.method, route.template.replace(":path}", "}")) for route in ROUTES}
    assert {template for _, template in served - known} == UNDESCRIBED


def test_an_answer_that_lacks_a_field_is_found(described: Description, world: World, repo: Repository) -> None:
    repo.get_branch("main")
    exchange = world.recorder.exchanges[-1]
    body = json.loads(exchange.response)
    del body["commit"]["sha"]
    spoiled = replace(exchange, response=json.dumps(body).encode())
    assert not list(described.problems(exchange))
    assert "'sha' is a required property" in "".join(described.problems(spoiled))
    assert "not documented" in "".join(described.problems(replace(exchange, status=299)))
    assert "no such operation" in "".join(described.problems(replace(exchange, path="/nowhere")))


def test_a_request_with_a_field_of_the_wrong_type_is_found(
    described: Description, world: World, repo: Repository
) -> None:
    repo.create_issue("one")
    exchange = world.recorder.exchanges[-1]
    spoiled = replace(exchange, request=b'{"title": "one", "labels": 3}')
    assert not list(described.problems(exchange))
    assert list(described.problems(spoiled))
