"""Faults on purpose, as a client meets them."""

from __future__ import annotations

import time

import pytest
from github import GithubException
from github.Repository import Repository

from gitops_sre.sandbox.github import Fault
from tests.sandbox.github.world import World, commit_on_branch

PULLS = "/api/v3/repos/acme/infra/pulls"


def test_a_502_before_the_work_leaves_nothing_behind(world: World, repo: Repository) -> None:
    world.hub.inject("POST", PULLS, Fault(502))
    with pytest.raises(GithubException) as failed:
        world.propose(repo)
    assert failed.value.status == 502
    assert not list(repo.get_pulls())


def test_a_502_after_the_work_hides_what_was_made(world: World, repo: Repository) -> None:
    world.hub.inject("POST", PULLS, Fault(502, when="after"))
    with pytest.raises(GithubException):
        world.propose(repo)
    assert [pull.head.ref for pull in repo.get_pulls()] == ["fix/cart"]
    world.recorder.exchanges.clear()  # an answer that is no answer to the request


def test_a_secondary_rate_limit_says_how_long(world: World, repo: Repository) -> None:
    limit = Fault(403, {"Retry-After": "7"}, message="You have exceeded a secondary rate limit.")
    world.hub.inject("*", ".*", limit, times=2)
    for _ in range(2):
        with pytest.raises(GithubException) as failed:
            repo.get_branch("main")
        assert (failed.value.status, (failed.value.headers or {})["retry-after"]) == (403, "7")
    assert repo.get_branch("main").name == "main"


def test_graphql_fails_after_the_commit_was_made(world: World, repo: Repository) -> None:
    world.hub.inject("POST", "/api/graphql", Fault(502, when="after"))
    with pytest.raises(GithubException):
        commit_on_branch(repo, "main", world.first, {"new": b"1"})
    assert repo.get_branch("main").commit.parents[0].sha == world.first


def test_an_answer_can_be_late(world: World, repo: Repository) -> None:
    world.hub.inject("GET", ".*/branches/main", Fault(0, delay=0.2))
    began = time.monotonic()
    assert repo.get_branch("main").name == "main"
    assert time.monotonic() - began >= 0.2


def test_faults_can_be_called_off(world: World, repo: Repository) -> None:
    world.hub.inject("GET", ".*", Fault(500), times=5)
    world.hub.clear_faults()
    assert repo.get_branch("main").name == "main"
