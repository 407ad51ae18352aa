"""GraphQL mutations and queries, through PyGithub's requester."""

from __future__ import annotations

from typing import Any

import pytest
from github import GithubException, UnknownObjectException
from github.Repository import Repository

from gitops_sre.sandbox.github.graphql_text import GraphQLError, parse
from tests.sandbox.github.world import World, commit_on_branch


def ask(repo: Repository, query: str, **variables: Any) -> dict[str, Any]:
    """The whole answer, errors and all."""
    url = repo.requester.graphql_url
    _, answer = repo.requester.requestJsonAndCheck("POST", url, input={"query": query, "variables": variables})
    assert isinstance(answer, dict)
    return answer


def test_a_commit_on_a_branch_is_verified_and_by_the_bot(world: World, repo: Repository) -> None:
    repo.create_git_ref("refs/heads/fix/a", world.first)
    head = commit_on_branch(repo, "fix/a", world.first, {"new/file": b"\x00\xff"}, deletions=("apps/web.yaml",))
    commit = repo.get_commit(head)
    assert (commit.author.login, commit.committer.login) == ("sre-bot[bot]", "web-flow")
    assert commit.commit.message == "Roll back\n\nIncident: 7"
    assert (commit.commit.verification.verified, commit.commit.verification.reason) == (True, "valid")
    assert {f.filename: f.status for f in commit.files} == {"new/file": "added", "apps/web.yaml": "removed"}
    assert repo.get_branch("fix/a").commit.sha == head


def test_a_branch_that_moved_makes_the_commit_stale(world: World, repo: Repository) -> None:
    repo.create_git_ref("refs/heads/fix/a", world.first)
    head = commit_on_branch(repo, "fix/a", world.first, {"new": b"1"})
    with pytest.raises(GithubException) as refused:
        commit_on_branch(repo, "fix/a", world.first, {"new": b"2"})
    (error,) = refused.value.data["errors"]
    assert (error["type"], error["path"]) == ("STALE_DATA", ["createCommitOnBranch"])
    assert f'Expected branch to point to "{world.first}"' in error["message"]
    assert repo.get_branch("fix/a").commit.sha == head


def test_an_executable_file_stays_one(world: World, repo: Repository) -> None:
    git = world.hub.repository("acme/infra").git
    blob = git.write_blob(b"#!/bin/sh\n")
    tree = git.write_tree(world.first, [("100755", "bin/deploy", blob)])
    who = git.commit(world.first).author
    start = git.write_commit(tree, [world.first], "Executable", who, who)
    repo.create_git_ref("refs/heads/fix/a", start)
    commit_on_branch(repo, "fix/a", start, {"bin/deploy": b"#!/bin/sh\ntrue\n"})
    (entry,) = [e for e in repo.get_git_tree("fix/a", recursive=True).tree if e.path == "bin/deploy"]
    assert entry.mode == "100755"


@pytest.mark.parametrize("path", ["../up", ".git/hooks/post-receive", "a//b", "/rooted"])
def test_a_commit_with_a_malformed_path_is_refused(world: World, repo: Repository, path: str) -> None:
    with pytest.raises(GithubException, match="malformed"):
        commit_on_branch(repo, "main", world.first, {path: b"x"})
    assert repo.get_branch("main").commit.sha == world.first


def test_odd_names_are_only_names(world: World, repo: Repository) -> None:
    names = ['with "quotes" and \\', "-leading", "line\nbreak", "$(touch x);`y`", "naïve/ключ.yaml"]
    head = commit_on_branch(repo, "main", world.first, dict.fromkeys(names, b"x"))
    assert {f.filename for f in repo.get_commit(head).files} == set(names)


def test_the_protected_branch_takes_no_direct_commit(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1)
    with pytest.raises(GithubException, match="through a pull request"):
        commit_on_branch(repo, "main", world.first, {"new": b"1"})


def test_what_is_not_there_is_named(world: World, repo: Repository) -> None:
    with pytest.raises(UnknownObjectException, match="branch with the name 'gone'"):
        commit_on_branch(repo, "gone", world.first, {"new": b"1"})
    with pytest.raises(GithubException, match="does not exist: nowhere"):
        commit_on_branch(repo, "main", world.first, {}, deletions=("nowhere",))
    with pytest.raises(UnknownObjectException, match="global id"):
        repo.requester.graphql_named_mutation(
            "convertPullRequestToDraft", {"pullRequestId": "PR_0"}, "clientMutationId"
        )


def test_a_token_without_the_permission_is_forbidden(world: World) -> None:
    repo = world.as_bot({"contents": "read"})
    with pytest.raises(GithubException) as refused:
        commit_on_branch(repo, "main", world.first, {"new": b"1"})
    assert refused.value.data["errors"][0]["type"] == "FORBIDDEN"


def test_a_pull_request_becomes_a_draft_and_ready_again(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    assert pull.convert_to_draft()["pullRequest"]["isDraft"]
    assert repo.get_pull(pull.number).draft
    pull.mark_ready_for_review(client_mutation_id="m")
    assert not repo.get_pull(pull.number).draft


def test_auto_merge_refuses_what_could_be_merged_at_once(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    with pytest.raises(GithubException, match="is in clean status"):
        pull.enable_automerge()


def test_auto_merge_waits_for_the_requirements(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1, required_checks=["verdict"])
    pull = world.propose(repo)
    with pytest.raises(GithubException, match="expected"):
        pull.enable_automerge(expected_head_oid=world.first)
    assert pull.enable_automerge(merge_method="SQUASH", expected_head_oid=pull.head.sha)["actor"]["login"] == "sre-bot"
    assert repo.get_pull(pull.number).raw_data["auto_merge"]["merge_method"] == "squash"
    world.hub.review("acme/infra", pull.number, "wes", "APPROVE")
    assert not repo.get_pull(pull.number).merged
    repo.create_check_run("verdict", pull.head.sha, conclusion="success")
    assert repo.get_pull(pull.number).merged
    assert len(repo.get_branch("main").commit.parents) == 1


def test_auto_merge_can_be_called_off(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1)
    pull = world.propose(repo)
    pull.enable_automerge()
    pull.disable_automerge()
    world.hub.review("acme/infra", pull.number, "wes", "APPROVE")
    assert not repo.get_pull(pull.number).merged
    with pytest.raises(GithubException, match="Can't disable"):
        pull.disable_automerge()


def test_queries_pick_what_they_ask_for(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    query = """
      query Look($owner: String!, $number: Int = 1) {  # a comment
        viewer { login }
        repository(owner: $owner, name: "infra") {
          nameWithOwner
          defaultBranchRef { name target { oid ... on Commit { signature { isValid } } } }
          gone: ref(qualifiedName: "refs/heads/gone") { name }
          pullRequest(number: $number) { number state mergeable mergeStateStatus author { login ... on Bot { id } } }
        }
      }"""
    data = ask(repo, query, owner="acme")["data"]
    assert data["viewer"] == {"login": "sre-bot"}
    found = data["repository"]
    assert found["defaultBranchRef"] == {"name": "main", "target": {"oid": world.first, "signature": None}}
    assert found["gone"] is None
    shown = found["pullRequest"]
    assert (shown["number"], shown["state"], shown["mergeable"], shown["mergeStateStatus"]) == (
        1,
        "OPEN",
        "MERGEABLE",
        "CLEAN",
    )
    assert shown["author"]["login"] == "sre-bot"
    _, node = repo.requester.graphql_node(pull.node_id, "number isDraft", "PullRequest")
    assert node["data"]["node"] == {"__typename": "PullRequest", "number": 1, "isDraft": False}


NOT_UNDERSTOOD = [
    ("{ viewer { shoeSize } }", "Field 'shoeSize' doesn't exist on type 'Bot'", "undefinedField"),
    ("mutation { deleteEverything { id } }", "Field 'deleteEverything' doesn't exist", "undefinedField"),
    ("{ viewer }", "Field must have selections", "selectionMismatch"),
    ("{ viewer { login { x } } }", "Selections can't be made on scalars", "selectionMismatch"),
    ("{ viewer(a: $b) { login } }", "Variable $b is used but not declared", "variableNotDefined"),
    ("query Q($a: ID!) { node(id: $a) { id } }", "Variable $a of a required type", None),
    ("subscription { x }", "does not know the operation", None),
    ("{ viewer { login }", "Expected name, actual: 'end of document'", None),
    ("{ viewer { login } } fragment F on User { id }", "one operation", None),
    ("{ viewer { login ? } }", "Expected a token", None),
    ("{" * 40, "Expected name", None),
    ("{a" * 40, "nested deeper", None),
    ("{ a(b: " + "[" * 40, "nested deeper", None),
    ("", "Expected name", None),
]
"""A query, what its error says, and the code of the error."""


def test_what_is_not_understood_is_an_error(repo: Repository) -> None:
    for query, message, code in NOT_UNDERSTOOD:
        (error,) = ask(repo, query)["errors"]
        assert message in error["message"], query
        assert error.get("extensions", {}).get("code") == code, query


def test_literals_are_read_by_their_types() -> None:
    text = '{ f(a: 1, b: -2.5, c: "x\\n", d: true, e: null, g: MERGE, h: [1, 2], i: {k: {l: "m"}}) { id } }'
    (field,) = parse(text, {}).fields
    assert field.arguments == {
        "a": 1,
        "b": -2.5,
        "c": "x\n",
        "d": True,
        "e": None,
        "g": "MERGE",
        "h": [1, 2],
        "i": {"k": {"l": "m"}},
    }


def test_a_bad_literal_names_its_place() -> None:
    with pytest.raises(GraphQLError, match="Expected a value, actual: '}'"):
        parse("{ f(a: }) }", {})
