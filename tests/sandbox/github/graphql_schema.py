"""Holding what is asked of GitHub's GraphQL API to GitHub's published schema.

The schema is `schema.graphql` of the npm package @octokit/graphql-schema; it is found through the variable
GITHUB_GRAPHQL (the file's path) or below a node_modules folder at the top of the repository.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, build_schema, parse, validate
from graphql.execution.values import get_variable_values

MISSING = (
    "GitHub's GraphQL schema is missing: npm install @octokit/graphql-schema and set GITHUB_GRAPHQL to its"
    " schema.graphql"
)


@functools.cache
def schema() -> GraphQLSchema | None:
    """The published schema; None where it is not installed."""
    installed = Path(__file__).parents[3] / "node_modules" / "@octokit" / "graphql-schema" / "schema.graphql"
    file = Path(os.environ.get("GITHUB_GRAPHQL", installed))
    return build_schema(file.read_text(encoding="utf-8"), assume_valid=True) if file.is_file() else None


def problems(published: GraphQLSchema, query: str, variables: Mapping[str, Any]) -> Sequence[str]:
    """What is wrong with a request, in the words of GraphQL's reference rules; empty when nothing is."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return [error.message]
    wrong = [error.message for error in validate(published, document)]
    if wrong:
        return wrong
    operation = next(part for part in document.definitions if isinstance(part, OperationDefinitionNode))
    values = get_variable_values(published, operation.variable_definitions or (), dict(variables))
    return [error.message for error in values] if isinstance(values, list) else []
