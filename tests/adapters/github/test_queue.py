"""Merge queues: the bot stands in line like everybody else, once, and takes the queue's word."""

from __future__ import annotations

import pytest
import requests

from gitops_sre.adapters.github import GitHubForge
from gitops_sre.model.outcome import Done, Refused, Unavailable
from gitops_sre.model.pull import PullRequest
from gitops_sre.sandbox.github import views_pull
from gitops_sre.sandbox.github.faults import Fault
from tests.adapters.github.conftest import Stage


@pytest.fixture
def forge(stage: Stage) -> GitHubForge:
    stage.github.protect("main", merge_queue=True, repo=stage.name)
    return stage.forge()


def queued(stage: Stage, forge: GitHubForge) -> PullRequest:
    """A pull request in line."""
    pull = stage.opened(forge)
    waits = forge.merge(pull)
    assert isinstance(waits, Unavailable), waits
    assert "merge queue, at position 1" in waits.reason
    return pull


def test_what_the_queue_merges_has_landed(stage: Stage, forge: GitHubForge) -> None:
    pull = queued(stage, forge)
    assert stage.repo.pulls[1].queued_by == "gitops-sre[bot]"
    stage.github.run_queue(stage.name)
    assert isinstance(forge.merge(pull), Done)
    landed = forge.look(1)
    assert isinstance(landed, PullRequest)
    assert (landed.state, landed.merge_sha) == ("merged", stage.repo.head_of("main"))


@pytest.mark.parametrize("restarted", [False, True])
def test_it_is_put_there_once_however_often_it_is_asked_for(stage: Stage, forge: GitHubForge, restarted: bool) -> None:
    pull = queued(stage, forge)
    again = stage.forge() if restarted else forge
    assert isinstance(again.merge(pull), Unavailable)
    assert sum("enqueuePullRequest" in each["query"] for each in stage.recorder.asked) == 1
    assert stage.writes("/merge") == 1 + restarted  # who remembers does not try past the queue again


@pytest.mark.parametrize("restarted", [False, True])
def test_what_the_queue_has_removed_is_not_put_there_again(stage: Stage, forge: GitHubForge, restarted: bool) -> None:
    pull = queued(stage, forge)
    stage.github.run_queue(stage.name, fails="failed checks")
    again = stage.forge() if restarted else forge
    assert again.merge(pull) == Refused("the merge queue removed it: failed checks")
    assert stage.repo.pulls[1].queued_by is None


def test_a_push_while_it_waits_takes_it_out_and_is_seen(stage: Stage, forge: GitHubForge) -> None:
    pull = queued(stage, forge)
    stage.commit("bob", {"other.yaml": b"x: 1\n"}, branch=pull.branch)
    assert stage.repo.pulls[1].queued_by is None
    assert isinstance(forge.merge(pull), Refused)


def test_the_agreed_head_is_all_that_is_put_there(stage: Stage, forge: GitHubForge) -> None:
    pull = stage.opened(forge)

    def push() -> None:
        stage.commit("bob", {"other.yaml": b"x: 1\n"}, branch=pull.branch)

    stage.recorder.before[f"{stage.api}/pulls/1/merge"] = push
    assert isinstance(forge.merge(pull), Refused | Unavailable)
    assert stage.repo.pulls[1].queued_by is None


def test_held_it_leaves_the_queue_and_where_there_is_none_nothing_happens(stage: Stage, forge: GitHubForge) -> None:
    pull = queued(stage, forge)
    assert isinstance(forge.unqueue(pull), Done)
    assert stage.repo.pulls[1].queued_by is None
    before = stage.writes()
    assert isinstance(forge.unqueue(pull), Done)
    assert stage.writes() == before


def test_after_a_hold_it_stands_in_line_again(stage: Stage, forge: GitHubForge) -> None:
    pull = queued(stage, forge)
    assert isinstance(forge.unqueue(pull), Done)
    assert isinstance(stage.forge().merge(pull), Unavailable)
    assert stage.repo.pulls[1].queued_by == "gitops-sre[bot]"
    stage.github.run_queue(stage.name, fails="failed checks")
    assert forge.merge(pull) == Refused("the merge queue removed it: failed checks")


def test_what_a_person_took_out_of_the_queue_stays_out(stage: Stage, forge: GitHubForge) -> None:
    pull = queued(stage, forge)
    take = "mutation($id: ID!) { dequeuePullRequest(input: {id: $id}) { clientMutationId } }"
    answer = requests.post(
        f"{stage.url}/api/graphql",
        json={"query": take, "variables": {"id": views_pull.node_id(stage.repo.pulls[1])}},
        headers={"Authorization": f"Bearer {stage.tokens['carol']}"},
        timeout=10,
    )
    assert "errors" not in answer.json(), answer.text
    assert forge.merge(pull) == Refused("the merge queue removed it: manual")
    assert stage.repo.pulls[1].queued_by is None


def test_an_answer_lost_after_it_was_put_there_is_looked_up(stage: Stage, forge: GitHubForge) -> None:
    pull = stage.opened(forge)
    forge.merge(pull)
    stage.github.inject("PUT", f"{stage.api}/pulls/1/merge", Fault(502, when="after"))
    assert isinstance(stage.forge().merge(pull), Unavailable)
    assert sum("enqueuePullRequest" in each["query"] for each in stage.recorder.asked) == 1


def test_requirements_are_the_queues_too(stage: Stage, forge: GitHubForge) -> None:
    stage.github.protect("main", required_reviews=1, merge_queue=True, repo=stage.name)
    assert isinstance(forge.merge(stage.opened(forge)), Refused | Unavailable)
    assert stage.repo.pulls[1].queued_by is None
