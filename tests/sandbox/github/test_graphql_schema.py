"""The yardstick itself: it is there, and it finds what is wrong."""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema

from tests.sandbox.github.graphql_schema import MISSING, problems, schema

QUERY = 'query($owner: String!) { repository(owner: $owner, name: "x") { id } }'


@pytest.fixture
def published() -> GraphQLSchema:
    found = schema()
    if found is None:
        pytest.skip(MISSING)
    return found


def test_what_github_knows_is_right(published: GraphQLSchema) -> None:
    assert problems(published, QUERY, {"owner": "acme"}) == []


@pytest.mark.parametrize(
    ("query", "variables", "says"),
    [
        ("query { repository", {}, "Syntax Error"),
        (QUERY.replace("{ id }", "{ nothing }"), {"owner": "acme"}, "Cannot query field 'nothing'"),
        (QUERY, {}, "to be provided"),
        (QUERY, {"owner": 5}, "String cannot represent a non string value"),
    ],
)
def test_what_it_does_not_know_is_found(
    published: GraphQLSchema, query: str, variables: dict[str, object], says: str
) -> None:
    assert says in " ".join(problems(published, query, variables))
