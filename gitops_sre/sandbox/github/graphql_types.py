"""The GraphQL objects that the server knows, and picking what a selection asks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitops_sre.sandbox.github.gitrepo import GitCommit, Signature
from gitops_sre.sandbox.github.graphql_text import Field, GraphQLError
from gitops_sre.sandbox.github.state import Account, Repo
from gitops_sre.sandbox.github.views import Lens, stamp

Resolver = Callable[[Mapping[str, Any]], Any]
Node = Mapping[str, Any]
"""A GraphQL object: its `__typename`, scalars, and a `Resolver` for each field that is an object or takes work."""


def pick(node: object, selection: Sequence[Field]) -> Any:
    """What a selection asks of a value. Raises `GraphQLError` for a field that its type does not have."""
    if node is None:
        return None
    if isinstance(node, list | tuple):
        return [pick(item, selection) for item in node]
    if not isinstance(node, Mapping):
        if selection:
            raise GraphQLError("Selections can't be made on scalars", code="selectionMismatch")
        return node
    kind = node["__typename"]
    if not selection:
        raise GraphQLError(f"Field must have selections ({kind})", code="selectionMismatch")
    picked: dict[str, Any] = {}
    for field in selection:
        if field.on not in ("", kind):
            continue
        if field.name not in node:
            raise GraphQLError(f"Field '{field.name}' doesn't exist on type '{kind}'", code="undefinedField")
        value = node[field.name]
        picked[field.alias] = pick(value(field.arguments) if callable(value) else value, field.selection)
    return picked


def actor(lens: Lens, account: Account) -> Node:
    """A person or a bot. GraphQL names a bot without the suffix of its REST login."""
    view = lens.account(account)
    return {
        "__typename": account.type,
        "id": view["node_id"],
        "login": account.login.removesuffix("[bot]") if account.type == "Bot" else account.login,
        "avatarUrl": view["avatar_url"],
        "url": view["html_url"],
        "resourcePath": view["html_url"].removeprefix(lens.base),
        "databaseId": account.id,
    }


def repository(lens: Lens, repo: Repo) -> Node:
    """A repository."""
    return {
        "__typename": "Repository",
        "id": f"R_{repo.id}",
        "name": repo.name,
        "nameWithOwner": repo.full_name,
        "databaseId": repo.id,
        "url": lens.page(repo),
        "defaultBranchRef": lambda _: ref(lens, repo, "refs/heads/main"),
        "ref": lambda given: ref(lens, repo, str(given.get("qualifiedName", ""))),
    }


def ref(lens: Lens, repo: Repo, name: str) -> Node | None:
    """A branch or tag by its full or short name, None when it is not there."""
    full = name if name.startswith("refs/") else f"refs/heads/{name}"
    sha = repo.git.ref(full)
    if sha is None:
        return None
    prefix = "refs/tags/" if full.startswith("refs/tags/") else "refs/heads/"
    return {
        "__typename": "Ref",
        "id": f"REF_{repo.id}_{full}",
        "name": full.removeprefix(prefix),
        "prefix": prefix,
        "target": lambda _: commit(lens, repo, repo.git.commit(sha)),
    }


def commit(lens: Lens, repo: Repo, value: GitCommit) -> Node:
    """A commit."""
    verified = value.sha in repo.verified
    signature = {"__typename": "GpgSignature", "isValid": True, "state": "VALID", "wasSignedByGitHub": True}
    people = {role: _git_actor(lens, who) for role, who in (("author", value.author), ("committer", value.committer))}
    headline, _, body = value.message.partition("\n")
    return {
        "__typename": "Commit",
        "id": f"C_{value.sha}",
        "oid": value.sha,
        "abbreviatedOid": value.sha[:7],
        "url": lens.page(repo, f"/commit/{value.sha}"),
        "commitUrl": lens.page(repo, f"/commit/{value.sha}"),
        "message": value.message,
        "messageHeadline": headline,
        "messageBody": body.lstrip("\n"),
        "committedDate": stamp(value.committer.when),
        "authoredDate": stamp(value.author.when),
        "signature": signature if verified else None,
        "parents": lambda given: _parents(lens, repo, value, given),
        **people,
    }


def _git_actor(lens: Lens, who: Signature) -> Node:
    """What a commit says of its author or committer. A bot's address leads to no `user`: the type knows people only."""
    account = lens.hub.by_email(who.email)
    person = actor(lens, account) if account is not None and account.type == "User" else None
    return {"__typename": "GitActor", "name": who.name, "email": who.email, "date": stamp(who.when), "user": person}


def _parents(lens: Lens, repo: Repo, value: GitCommit, given: Mapping[str, Any]) -> Node:
    first = given.get("first")
    if not isinstance(first, int):
        message = "You must provide a `first` or `last` value to properly paginate the `parents` connection."
        raise GraphQLError(message, "MISSING_PAGINATION_BOUNDARIES")
    shas = value.parents[:first]
    return {
        "__typename": "CommitConnection",
        "totalCount": len(value.parents),
        "nodes": lambda _: [commit(lens, repo, repo.git.commit(sha)) for sha in shas],
    }
