"""Check runs, suites and commit statuses, through PyGithub."""

from __future__ import annotations

from github.Repository import Repository

from tests.sandbox.github.test_pulls import refusal
from tests.sandbox.github.world import World


def test_a_check_run_is_started_and_completed(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    run = repo.create_check_run("verdict", pull.head.sha, status="in_progress", external_id="incident-7")
    assert run.status == "in_progress"
    assert run.conclusion is None
    run.edit(conclusion="success", output={"title": "Allowed", "summary": "L4", "text": "All of it"})
    done = repo.get_check_run(run.id)
    assert (done.status, done.conclusion, done.output.title) == ("completed", "success", "Allowed")
    assert (done.app.slug, done.external_id) == ("sre-bot", "incident-7")
    assert done.completed_at is not None
    assert [found.number for found in done.pull_requests] == [pull.number]


def test_check_runs_are_found_by_commit_and_name(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    repo.create_check_run("verdict", pull.head.sha, conclusion="failure")
    newer = repo.create_check_run("verdict", pull.head.sha, conclusion="success")
    repo.create_check_run("proof", pull.head.sha, conclusion="neutral")
    commit = repo.get_commit(pull.head.sha)
    assert [run.id for run in commit.get_check_runs(check_name="verdict")] == [newer.id]
    assert len(list(commit.get_check_runs(check_name="verdict", filter="all"))) == 2
    assert {run.name for run in repo.get_commit("fix/cart").get_check_runs()} == {"verdict", "proof"}
    (suite,) = commit.get_check_suites()
    assert (suite.status, suite.conclusion, suite.app.slug) == ("completed", "failure", "sre-bot")


def test_a_check_run_needs_a_commit_and_known_words(world: World, repo: Repository) -> None:
    with refusal(422, "No commit found"):
        repo.create_check_run("verdict", "0" * 39 + "1")
    with refusal(422, "conclusion"):
        repo.create_check_run("verdict", world.first, conclusion="splendid")
    world.recorder.exchanges.pop()  # what is refused here is no valid request either


def test_one_app_does_not_change_the_check_of_another(world: World, repo: Repository) -> None:
    run = repo.create_check_run("verdict", world.first, conclusion="failure")
    other = world.hub.register_app("impostor", {"checks": "write"})
    impostor = world.with_token(world.installation_token(app=other))
    with refusal(403, "Invalid app_id"):
        impostor.get_check_run(run.id).edit(conclusion="success")


def test_statuses_combine_to_the_worst(world: World, repo: Repository) -> None:
    commit = repo.get_commit(world.first)
    assert commit.get_combined_status().state == "pending"
    commit.create_status("success", context="ci/build", description="Built", target_url="https://ci.example.com/1")
    assert commit.get_combined_status().state == "success"
    commit.create_status("failure", context="ci/test")
    combined = commit.get_combined_status()
    assert (combined.state, combined.total_count) == ("failure", 2)
    commit.create_status("success", context="ci/test")
    assert repo.get_commit("main").get_combined_status().state == "success"
    _, listed = repo.requester.requestJsonAndCheck("GET", f"{commit.url}/statuses")
    assert [(s["context"], s["state"]) for s in listed] == [
        ("ci/test", "success"),
        ("ci/test", "failure"),
        ("ci/build", "success"),
    ]
    assert listed[0]["creator"]["login"] == "sre-bot[bot]"


def test_a_required_status_lets_a_merge_through(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_checks=["ci/test"])
    pull = world.propose(repo)
    repo.get_commit(pull.head.sha).create_status("success", context="ci/test")
    assert pull.merge().merged
