"""What is found on the forge: reviews that count, actions that are the bot's, outcomes that it left itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gitops_sre.adapters.github import GitHubForge
from gitops_sre.delivery.seal import Key
from gitops_sre.model.outcome import Done
from gitops_sre.model.pull import Cover, PullRequest
from gitops_sre.model.verdict import Level
from gitops_sre.ports import OpenedAction
from gitops_sre.sandbox.github import Fault
from tests.adapters.github.conftest import BOT, BRANCH, KEY, Stage
from tests.delivery import sample


def found(forge: GitHubForge) -> tuple[OpenedAction, ...]:
    actions = forge.actions()
    assert isinstance(actions, tuple), actions
    return actions


def looked(forge: GitHubForge, number: int = 1) -> PullRequest:
    pull = forge.look(number)
    assert isinstance(pull, PullRequest), pull
    return pull


def test_a_new_bot_finds_the_open_action_with_its_whole_record(stage: Stage) -> None:
    pull = stage.opened(stage.forge(), Level.L3)
    (action,) = found(stage.forge())
    assert action == OpenedAction(stage.record(Level.L3), pull, "")


def test_merged_actions_are_found_until_and_after_their_outcome(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    forge.merge(pull)
    (action,) = found(stage.forge())
    assert (action.pull.state, action.outcome) == ("merged", "")
    assert forge.conclude(pull, "resolved", "It recovered.") == Done()
    assert [action.outcome for action in found(stage.forge())] == ["resolved"]


def test_what_is_settled_is_not_asked_for_again(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    forge.merge(pull)
    forge.conclude(pull, "resolved", "It recovered.")
    first = found(forge)
    stage.requests.clear()
    assert found(forge) == first
    assert stage.requests == [("QUERY", "/api/graphql")]


def test_fix_and_revert_are_two_actions(stage: Stage) -> None:
    forge = stage.forge()
    forge.merge(stage.opened(forge))
    base = stage.repo.head_of("main") or ""
    edit = sample.EDIT.inverted()
    record = replace(stage.record(base=base), kind="revert", edits=(edit,))
    file = replace(sample.PROOF.change.files[0], before=sample.AFTER, after=sample.BEFORE)
    proof = replace(sample.PROOF, change=replace(sample.PROOF.change, base=base, edits=(edit,), files=(file,)))
    revert = forge.propose(record, (file,), proof, record.verdict, Cover("It did not help."))
    assert isinstance(revert, PullRequest)
    assert isinstance(forge.merge(revert), Done)
    assert {action.record.kind: action.pull.state for action in found(forge)} == {"fix": "merged", "revert": "merged"}
    tree = {entry.path: entry.sha for entry in stage.repo.git.tree(stage.repo.head_of("main") or "", recursive=True)}
    assert stage.repo.git.blob(tree[sample.FILE]) == sample.BEFORE.encode()


def test_a_persons_push_leaves_the_action_but_not_as_ours(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    stage.commit("bob", {"x": b"1"}, branch=BRANCH)
    (action,) = found(forge)
    assert action.record == stage.record()
    assert not action.pull.ours


def test_an_impostors_branch_with_the_bots_prefix_is_ignored(stage: Stage) -> None:
    forge = stage.forge()
    message = stage.repo.git.commit(stage.opened(forge).head).message
    for branch, author in (("gitops-sre/inc-1/fix-1", "bob"), ("gitops-sre/inc-2/fix-1", BOT)):
        stage.commit(author, {"x": b"1"}, message, branch=branch)
        stage.as_person("bob", "POST", "/pulls", {"title": "x", "head": branch, "base": "main"})
    assert [action.pull.number for action in found(forge)] == [1]


def test_the_bots_own_commit_under_another_branch_name_is_ignored(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.as_person("bob", "POST", "/git/refs", {"ref": "refs/heads/gitops-sre/inc-9/fix-1", "sha": pull.head})
    stage.as_person("bob", "POST", "/pulls", {"title": "x", "head": "gitops-sre/inc-9/fix-1", "base": "main"})
    assert [action.pull.number for action in found(forge)] == [1]


def test_another_app_and_another_key_are_not_ours(stage: Stage) -> None:
    stage.opened(stage.forge())
    assert found(stage.other_app()) == ()
    stranger = GitHubForge(stage.settings, Key(Ed25519PrivateKey.generate()), {})
    assert found(stranger) == ()


def test_an_outcome_that_another_app_left_is_not_believed(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    assert stage.other_app().conclude(pull, "resolved", "Trust me.") == Done()
    assert [action.outcome for action in found(forge)] == [""]
    forge.conclude(pull, "escalated", "It did not help.")
    assert [action.outcome for action in found(forge)] == ["escalated"]


@pytest.mark.parametrize(
    ("outcome", "conclusion"), [("resolved", "success"), ("escalated", "failure"), ("superseded", "neutral")]
)
def test_an_outcome_is_one_check_run_brought_up_to_date(stage: Stage, outcome: str, conclusion: str) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    forge.conclude(pull, "rejected", "First.")
    for _ in range(2):
        assert forge.conclude(pull, outcome, "Then.") == Done()
    runs = [run for run in stage.repo.checks.values() if run.name == "gitops-sre/outcome"]
    assert [(run.conclusion, run.title, run.summary) for run in runs] == [(conclusion, outcome, "Then.")]


def test_an_approval_counts_from_people_with_write_permission_only(stage: Stage) -> None:
    forge = stage.forge()
    head = stage.opened(forge, Level.L3).head
    for login in ("bob", "eve", "helper[bot]"):
        stage.github.review(stage.name, 1, login, "APPROVE")
    stage.github.review(stage.name, 1, BOT, "COMMENT", "I like it.")
    reviews = {review.login: review for review in looked(forge).reviews}
    assert {login for login, review in reviews.items() if review.writer} == {"bob"}
    assert (reviews["bob"].state, reviews["bob"].commit) == ("approved", head)
    assert reviews["eve"].state == "approved"


def test_the_latest_review_that_decides_stands(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge, Level.L3)
    for login, events in (
        ("bob", ("REQUEST_CHANGES", "APPROVE", "COMMENT")),
        ("carol", ("APPROVE", "REQUEST_CHANGES")),
    ):
        for event in events:
            stage.github.review(stage.name, 1, login, event)
    assert {review.login: review.state for review in looked(forge).reviews} == {
        "bob": "approved",
        "carol": "changes_requested",
    }


def test_a_dismissed_approval_is_none(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge, Level.L3)
    review = stage.github.review(stage.name, 1, "bob", "APPROVE")
    stage.as_person("alice", "PUT", f"/pulls/1/reviews/{review.id}/dismissals", {"message": "too early"})
    assert [review.state for review in looked(forge).reviews] == ["dismissed"]


def test_an_approval_names_the_commit_that_it_was_given_to(stage: Stage) -> None:
    forge = stage.forge()
    agreed = stage.opened(forge, Level.L3).head
    stage.github.review(stage.name, 1, "bob", "APPROVE")
    stage.commit("carol", {"x": b"1"}, branch=BRANCH)
    pull = looked(forge)
    assert [review.commit for review in pull.reviews] == [agreed]
    assert pull.head != agreed


def test_github_down_is_an_answer(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    stage.github.inject("POST", "/api/graphql", Fault(503), times=99)
    answers = (forge.actions(), forge.look(1))
    assert all(not isinstance(answer, tuple | PullRequest) and "503" in answer.reason for answer in answers)


def test_without_an_app_a_token_does_it_with_statuses(stage: Stage, tmp_path: Path) -> None:
    changes = {"app_id": None, "private_key_file": None}
    forge = GitHubForge(stage.settings.model_copy(update=changes), KEY, {"GITHUB_TOKEN": stage.tokens["carol"]})
    pull = stage.opened(forge)
    assert pull.ours
    for _ in range(2):
        assert forge.conclude(pull, "resolved", "It recovered.") == Done()
    stage.as_person("bob", "POST", f"/statuses/{pull.head}", {"state": "failure", "context": "gitops-sre/outcome"})
    (action,) = found(forge)
    assert (action.record, action.outcome) == (stage.record(), "resolved")
    assert found(stage.forge()) == (), "the App is somebody else"
