"""Pull requests, reviews and merging, through PyGithub."""

from __future__ import annotations

import pytest
from github import GithubException
from github.Repository import Repository

from tests.sandbox.github.world import World, commit_on_branch


def refusal(status: int, text: str) -> pytest.RaisesExc[GithubException]:
    return pytest.raises(GithubException, check=lambda e: e.status == status and text in str(e.data))


def test_a_pull_request_shows_its_diff_its_author_and_its_mergeability(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    again = repo.get_pull(pull.number)
    assert (again.user.login, again.user.type) == ("sre-bot[bot]", "Bot")
    assert (again.mergeable, again.mergeable_state, again.draft, again.merged) == (True, "clean", False, False)
    assert (again.commits, again.additions, again.deletions, again.changed_files) == (1, 1, 2, 1)
    assert [file.filename for file in again.get_files()] == ["apps/cart.yaml"]
    (commit,) = again.get_commits()
    assert commit.sha == again.head.sha == repo.get_branch("fix/cart").commit.sha
    assert commit.commit.verification.verified


def test_the_diff_media_type_gives_a_unified_diff(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    accept = {"Accept": "application/vnd.github.diff"}
    status, _, body = repo.requester.requestBlob("GET", f"{repo.url}/pulls/{pull.number}", headers=accept)
    assert status == 200
    assert "-image: cart:1.0\n" in body
    assert "+image: cart:0.9\n" in body


def test_a_second_pull_request_of_a_branch_is_refused(world: World, repo: Repository) -> None:
    world.propose(repo)
    with refusal(422, "A pull request already exists for acme:fix/cart."):
        repo.create_pull(base="main", head="fix/cart", title="again")


def test_a_pull_request_needs_branches_that_differ(repo: Repository) -> None:
    repo.create_git_ref("refs/heads/same", repo.get_branch("main").commit.sha)
    with refusal(422, "No commits between main and same"):
        repo.create_pull(base="main", head="same", title="nothing")
    with refusal(422, "'field': 'head'"):
        repo.create_pull(base="main", head="gone", title="nothing")


def test_pull_requests_are_listed_by_state_head_and_base(world: World, repo: Repository) -> None:
    one, two = (world.propose(repo, f"fix/{name}", f"image: cart:{name}\n") for name in ("a", "b"))
    two.edit(state="closed")
    assert [p.number for p in repo.get_pulls()] == [one.number]
    assert [p.number for p in repo.get_pulls(state="all", sort="created", direction="asc")] == [1, 2]
    assert [p.number for p in repo.get_pulls(state="all", head="acme:fix/b", base="main")] == [two.number]
    assert not list(repo.get_pulls(head="stranger:fix/a"))


def test_title_body_and_state_can_be_edited(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    pull.edit(title="New", body="Other", state="closed")
    closed = repo.get_pull(pull.number)
    assert (closed.title, closed.body, closed.state, closed.merged) == ("New", "Other", "closed", False)
    assert repo.get_issue(pull.number).raw_data["closed_by"]["login"] == "sre-bot[bot]"
    pull.edit(state="open")
    assert repo.get_pull(pull.number).state == "open"


def test_merging_makes_a_verified_merge_commit_on_the_base(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    status = pull.merge(sha=pull.head.sha, commit_title="Roll back cart", commit_message="Incident 7")
    landed = repo.get_branch("main").commit
    assert (status.merged, status.sha) == (True, landed.sha)
    assert [parent.sha for parent in landed.parents] == [world.first, pull.head.sha]
    assert landed.commit.message == "Roll back cart\n\nIncident 7"
    assert landed.commit.verification.verified
    assert landed.committer.login == "web-flow"
    merged = repo.get_pull(pull.number)
    assert (merged.merged, merged.state, merged.merge_commit_sha) == (True, "closed", landed.sha)
    assert merged.is_merged()
    assert merged.merged_by.login == "sre-bot[bot]"
    assert repo.get_contents("apps/cart.yaml").decoded_content == b"image: cart:0.9\n"  # type: ignore[union-attr]


def test_a_merge_of_another_head_than_expected_is_a_409(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    assert not pull.is_merged()
    with refusal(409, "Head branch was modified"):
        pull.merge(sha=world.first)
    assert not repo.get_pull(pull.number).merged


def test_a_merged_pull_request_is_not_merged_again(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    pull.merge()
    with refusal(405, "Pull Request is not mergeable"):
        pull.merge()


def test_squash_leaves_one_commit_on_the_base(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    commit_on_branch(repo, "fix/cart", pull.head.sha, {"apps/web.yaml": b"image: web:0.9\n"})
    pull.merge(merge_method="squash")
    landed = repo.get_branch("main").commit
    assert [parent.sha for parent in landed.parents] == [world.first]
    assert landed.commit.message == f"Roll back fix/cart (#{pull.number})"


def test_rebase_replays_each_commit_on_a_base_that_moved(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    commit_on_branch(repo, "fix/cart", pull.head.sha, {"apps/web.yaml": b"image: web:0.9\n"})
    moved = world.hub.commit("acme/infra", "wes", {"README.md": b"# other\n"}, "Word it better")
    pull.merge(merge_method="rebase")
    newest, older, base = list(repo.get_commits())[:3]
    assert (newest.commit.message, older.commit.message, base.sha) == ("Roll back\n\nIncident: 7",) * 2 + (moved,)
    assert [file.filename for file in older.files] == ["apps/cart.yaml"]
    assert [file.filename for file in newest.files] == ["apps/web.yaml"]


def test_a_conflict_is_seen_and_refused(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    world.hub.commit("acme/infra", "wes", {"apps/cart.yaml": b"image: cart:2.0\n"}, "Bump")
    seen = repo.get_pull(pull.number)
    assert (seen.mergeable, seen.mergeable_state) == (False, "dirty")
    with refusal(405, "not mergeable"):
        pull.merge()


def test_a_draft_is_not_merged_until_it_is_ready(world: World, repo: Repository) -> None:
    pull = world.propose(repo, draft=True)
    assert repo.get_pull(pull.number).mergeable_state == "draft"
    with refusal(405, "still a draft"):
        pull.merge()
    pull.mark_ready_for_review()
    assert pull.merge().merged


def test_required_reviews_block_a_merge_until_a_writer_approves(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1)
    pull = world.propose(repo)
    assert repo.get_pull(pull.number).mergeable_state == "blocked"
    world.as_person("rae").get_pull(pull.number).create_review(event="APPROVE", body="fine by me")
    with refusal(405, "At least 1 approving review is required"):
        pull.merge()
    world.hub.review("acme/infra", pull.number, "wes", "APPROVE")
    assert pull.merge(sha=pull.head.sha).merged


def test_a_request_for_changes_blocks_until_the_same_person_approves(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1)
    pull = world.propose(repo)
    world.hub.review("acme/infra", pull.number, "ada", "APPROVE")
    world.hub.review("acme/infra", pull.number, "wes", "REQUEST_CHANGES", "not like this")
    with refusal(405, "Changes have been requested"):
        pull.merge()
    world.hub.review("acme/infra", pull.number, "wes", "APPROVE")
    assert pull.merge().merged


def test_required_checks_block_a_merge_until_they_succeed(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_checks=["verdict"])
    pull = world.propose(repo)
    with refusal(405, 'Required status check "verdict" is expected'):
        pull.merge()
    run = repo.create_check_run("verdict", pull.head.sha, status="in_progress")
    with refusal(405, "is pending"):
        pull.merge()
    run.edit(status="completed", conclusion="success")
    assert pull.merge().merged


def test_an_administrator_passes_unless_the_protection_is_enforced_for_all(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1, enforce_admins=True)
    pull = world.propose(repo)
    as_admin = world.as_person("ada").get_pull(pull.number)
    with refusal(405, "approving review"):
        as_admin.merge()
    world.hub.protect("main", required_reviews=1)
    assert as_admin.merge().merged


def test_a_failing_check_that_nobody_requires_makes_it_unstable(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    repo.create_check_run("lint", pull.head.sha, conclusion="failure")
    assert repo.get_pull(pull.number).mergeable_state == "unstable"
    assert pull.merge().merged


def test_reviews_name_the_commit_that_was_looked_at(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    person = world.as_person("wes").get_pull(pull.number)
    person.create_review(event="COMMENT", body="Hm.")
    person.create_review(event="APPROVE")
    head = commit_on_branch(repo, "fix/cart", pull.head.sha, {"apps/web.yaml": b"image: web:0.9\n"})
    person.create_review(event="REQUEST_CHANGES", body="Not web.")
    found = [(r.user.login, r.state, r.commit_id) for r in pull.get_reviews()]
    old = pull.head.sha
    assert found == [("wes", "COMMENTED", old), ("wes", "APPROVED", old), ("wes", "CHANGES_REQUESTED", head)]
    assert pull.get_review(world.hub.repository("acme/infra").reviews_of(pull.number)[0].id).body == "Hm."


def test_nobody_approves_their_own_pull_request(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    with refusal(422, "Can not approve your own pull request"):
        pull.create_review(event="APPROVE")


def test_a_dismissed_approval_no_longer_counts(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1)
    pull = world.propose(repo)
    world.hub.review("acme/infra", pull.number, "wes", "APPROVE")
    next(iter(world.as_person("ada").get_pull(pull.number).get_reviews())).dismiss("Stale.")
    with refusal(405, "approving review"):
        pull.merge()


def test_reviewers_are_asked_and_leave_the_list_by_reviewing(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    pull.create_review_request(reviewers=["wes", "ada"])
    assert [user.login for user in pull.get_review_requests()[0]] == ["wes", "ada"]
    world.hub.review("acme/infra", pull.number, "wes", "APPROVE")
    assert [user.login for user in pull.get_review_requests()[0]] == ["ada"]
    with refusal(422, "collaborators"):
        pull.create_review_request(reviewers=["stranger"])


def test_a_branch_is_brought_up_to_date_with_its_base(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    moved = world.hub.commit("acme/infra", "wes", {"README.md": b"# other\n"}, "Word it better")
    assert pull.update_branch(expected_head_sha=pull.head.sha)
    assert [parent.sha for parent in repo.get_branch("fix/cart").commit.parents] == [pull.head.sha, moved]


def test_a_pull_request_follows_its_branch(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    head = world.hub.commit("acme/infra", "wes", {"x": b"1"}, "A person was here", branch="fix/cart")
    assert repo.get_pull(pull.number).head.sha == head
    assert [c.author.login for c in pull.get_commits()] == ["sre-bot[bot]", "wes"]
    repo.get_git_ref("heads/fix/cart").delete()
    assert repo.get_pull(pull.number).state == "closed"


def test_what_was_merged_by_hand_counts_as_merged(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    world.as_person("ada").get_git_ref("heads/main").edit(pull.head.sha)
    merged = repo.get_pull(pull.number)
    assert (merged.merged, merged.merged_by.login) == (True, "ada")
