"""Merging with the expected head, and closing: nothing is merged that was not agreed to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitops_sre.model.outcome import Done, Refused, Unavailable
from gitops_sre.model.pull import PullRequest
from gitops_sre.model.verdict import Level
from gitops_sre.sandbox.github import Fault
from tests.adapters.github.conftest import BRANCH, Stage
from tests.delivery import sample


def looked(stage: Stage, number: int = 1) -> PullRequest:
    pull = stage.forge().look(number)
    assert isinstance(pull, PullRequest)
    return pull


def test_a_merge_lands_on_the_base_branch_and_doing_it_again_is_done(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    assert isinstance(forge.merge(pull), Done)
    merged = looked(stage)
    assert (merged.state, merged.merge_sha) == ("merged", stage.repo.head_of("main"))
    assert merged.merged_at is not None
    assert stage.repo.git.contains(merged.merge_sha, pull.head)
    assert isinstance(forge.merge(pull), Done)
    assert stage.writes("/merge") == 1


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_however_it_is_merged_the_commit_that_landed_is_known(stage: Stage, method: str) -> None:
    pull = stage.opened(stage.forge())
    stage.commit("alice", {"README.md": b"# new\n"})
    stage.as_person("alice", "PUT", "/pulls/1/merge", {"merge_method": method, "sha": pull.head})
    merged = looked(stage)
    assert (merged.state, merged.merge_sha) == ("merged", stage.repo.head_of("main"))
    assert stage.repo.git.contains(merged.merge_sha, pull.head) is (method == "merge")


def test_a_push_after_the_agreement_voids_it(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.commit("bob", {"x": b"1"}, branch=BRANCH)
    assert isinstance(forge.merge(pull), Refused)
    assert isinstance(forge.merge(looked(stage)), Refused), "not even with the new head: it is not the bot's"
    assert stage.repo.head_of("main") == stage.base
    assert not stage.writes("/merge")


def test_a_push_in_the_last_moment_is_caught_by_the_expected_head(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    merge = f"{stage.api}/pulls/1/merge"
    stage.github.inject("PUT", merge, Fault(409, message="Head branch was modified. Review and try the merge again."))
    assert forge.merge(pull) == Refused("Head branch was modified. Review and try the merge again.")


def test_protection_is_not_bypassed(stage: Stage) -> None:
    stage.github.protect("main", required_reviews=1, repo=stage.name)
    forge = stage.forge()
    pull = stage.opened(forge)
    refused = forge.merge(pull)
    assert isinstance(refused, Refused)
    assert "approving review" in refused.reason
    assert stage.repo.head_of("main") == stage.base
    stage.github.review(stage.name, 1, "bob", "APPROVE")
    assert isinstance(forge.merge(pull), Done)


def test_a_required_check_that_is_not_there_yet_is_waited_for(stage: Stage) -> None:
    stage.github.protect("main", required_checks=["tests"], repo=stage.name)
    forge = stage.forge()
    pull = stage.opened(forge)
    assert isinstance(forge.merge(pull), Unavailable)
    stage.as_person("alice", "POST", f"/statuses/{pull.head}", {"state": "success", "context": "tests"})
    assert isinstance(forge.merge(pull), Done)


@pytest.mark.parametrize(
    "said",
    [
        "Repository rule violations found\n\nWaiting on code owner review from acme/sre.",
        "New changes require approval from someone other than the last pusher.",
        "At least 2 approving reviews are required by reviewers with write access.",
        "Changes have been requested on this pull request.",
        "You're not authorized to push to this branch.",
    ],
)
def test_what_rules_refuse_is_refused_with_githubs_words_and_nothing_is_bypassed(stage: Stage, said: str) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.github.inject("PUT", f"{stage.api}/pulls/1/merge", Fault(405, message=said), times=9)
    refused = forge.merge(pull)
    assert isinstance(refused, Refused)
    assert refused.reason.split() == said.split()
    assert stage.repo.head_of("main") == stage.base


@pytest.mark.parametrize("method", ["squash", "rebase"])
def test_the_repositorys_own_way_of_merging_is_kept_to(stage: Stage, method: str) -> None:
    stage.github.allow_merges(stage.name, method)
    forge = stage.forge()
    pull = stage.opened(forge)
    assert isinstance(forge.merge(pull), Done)
    landed = looked(stage)
    assert landed.merge_sha == stage.repo.head_of("main")
    assert len(stage.repo.git.commit(landed.merge_sha).parents) == 1


def test_a_conflict_is_refused(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.commit("alice", {sample.FILE: sample.BEFORE.replace("1.5.0", "1.6.0").encode()})
    assert forge.merge(pull) == Refused("Pull Request is not mergeable")


def test_a_draft_is_for_people_to_merge(stage: Stage) -> None:
    forge = stage.forge()
    refused = forge.merge(stage.opened(forge, Level.L2))
    assert isinstance(refused, Refused)
    assert "draft" in refused.reason
    assert not stage.writes("/merge")


def test_a_closed_one_is_not_merged_and_tells_who_closed_it(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.as_person("bob", "PATCH", "/pulls/1", {"state": "closed"})
    assert forge.merge(pull) == Refused("it was closed by bob")
    assert looked(stage).closed_by == "bob"


def test_an_answer_lost_after_the_merge_is_looked_up(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.github.inject("PUT", f"{stage.api}/pulls/1/merge", Fault(502, when="after"))
    assert isinstance(forge.merge(pull), Done)
    assert stage.writes("/merge") == 1


@pytest.mark.parametrize(
    "said", ["Base branch was modified. Review and try the merge again.", "Merge already in progress"]
)
def test_what_github_may_allow_a_moment_later_is_waited_for(stage: Stage, said: str) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.github.inject("PUT", f"{stage.api}/pulls/1/merge", Fault(405, message=said))
    assert isinstance(forge.merge(pull), Unavailable)
    assert isinstance(stage.forge().merge(pull), Done), "a restarted bot polls on"


def test_a_pull_request_that_is_not_there_is_refused(stage: Stage) -> None:
    forge = stage.forge()
    assert isinstance(forge.merge(sample.pull(99)), Refused)
    assert isinstance(forge.look(99), Unavailable)


def test_closing_says_why_once_and_deletes_the_branch(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    assert forge.close(pull, "The alert resolved.") == Done()
    assert forge.close(pull, "The alert resolved.") == Done()
    assert looked(stage).state == "closed"
    assert [comment.body.splitlines()[0] for comment in stage.repo.comments_of(1)] == ["The alert resolved."]
    assert not stage.bot_branches()


def test_closing_leaves_a_branch_that_somebody_pushed_to(stage: Stage) -> None:
    forge = stage.forge()
    before = stage.opened(forge)
    stage.commit("bob", {"x": b"1"}, branch=BRANCH)
    for pull in (before, looked(stage)):
        assert isinstance(forge.close(pull, "Yours."), Done)
    assert stage.bot_branches() == [BRANCH]


def test_closing_what_was_merged_changes_nothing(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    forge.merge(pull)
    assert forge.close(pull, "x") == Done("it was merged already")
    assert not stage.repo.comments_of(1)


def test_a_branch_outside_the_bots_prefix_is_never_deleted(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    forge.close(replace(pull, branch="main", head=stage.base), "x")
    assert stage.repo.head_of("main") == stage.base
    assert stage.bot_branches() == [BRANCH]


def test_a_merge_that_github_only_queues_is_pending(stage: Stage) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    stage.github.inject("PUT", f"{stage.api}/pulls/1/merge", Fault(202, message="Queued"))
    pending = forge.merge(pull)
    assert isinstance(pending, Unavailable)
    assert "pending" in pending.reason
