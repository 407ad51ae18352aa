"""Commit statuses and deployments, as the bot reads them."""

from __future__ import annotations

from gitops_sre.model.live import Notice
from gitops_sre.model.outcome import Unavailable
from tests.adapters.github.conftest import POWERS, Stage

LINK = "https://argocd.example.com/applications/checkout"


def status(stage: Stage, sha: str, state: str, context: str = "continuous-delivery/checkout") -> None:
    body = {"state": state, "context": context, "description": "Synced", "target_url": LINK}
    stage.as_person("bob", "POST", f"/statuses/{sha}", body)


def deployed(stage: Stage, sha: str, *states: str) -> None:
    stage.as_person("bob", "POST", "/deployments", {"ref": sha, "environment": "prod", "required_contexts": []})
    number = max(stage.repo.deployments)
    for state in states:
        stage.as_person("bob", "POST", f"/deployments/{number}/statuses", {"state": state, "log_url": LINK})


def told(answer: tuple[Notice, ...] | Unavailable) -> list[tuple[str, str, str, str]]:
    assert not isinstance(answer, Unavailable), answer
    assert all(each.at.tzinfo for each in answer)
    return sorted((each.commit, each.kind, each.name, each.state) for each in answer)


def test_the_latest_of_each_context_and_deployment_in_one_request_each(stage: Stage) -> None:
    later = stage.commit("bob", {"a.yaml": b"a: 1\n"})
    status(stage, stage.base, "pending")
    status(stage, stage.base, "success")
    status(stage, later, "error", "other")
    deployed(stage, later, "in_progress", "failure")
    deployed(stage, later)
    forge = stage.weak_forge({**POWERS, "statuses": "read", "deployments": "read"})

    assert told(forge.notices([stage.base, later])) == sorted([
        (stage.base, "status", "continuous-delivery/checkout", "success"),
        (later, "status", "other", "failure"),
        (later, "deployment", "prod", "failure"),
    ])  # fmt: skip
    assert [each for each in stage.requests if each[0] == "QUERY"] == [("QUERY", "/api/graphql")] * 2
    answer = forge.notices([later])
    assert not isinstance(answer, Unavailable)
    assert {each.link for each in answer} == {LINK}


def test_a_deployment_whose_place_another_has_taken_says_nothing(stage: Stage) -> None:
    deployed(stage, stage.base, "success", "inactive")
    forge = stage.weak_forge({**POWERS, "deployments": "read", "statuses": "read"})
    assert told(forge.notices([stage.base])) == []


def test_what_the_app_was_not_granted_is_done_without_and_asked_for_once(stage: Stage) -> None:
    status(stage, stage.base, "success")
    forge = stage.weak_forge({**POWERS, "statuses": "read"})

    for _ in range(3):
        assert len(told(forge.notices([stage.base]))) == 1
    assert sum(path.endswith("/access_tokens") for _, path in stage.requests) == 2


def test_without_either_the_remedy_is_named(stage: Stage) -> None:
    answer = stage.forge().notices([stage.base])
    assert isinstance(answer, Unavailable)
    assert "grant the App `statuses: read`" in answer.reason


def test_commits_that_are_not_there_and_no_commits_have_no_notices(stage: Stage) -> None:
    forge = stage.weak_forge({**POWERS, "statuses": "read", "deployments": "read"})
    assert told(forge.notices(["f" * 40])) == []
    assert told(forge.notices([])) == []


def test_a_failing_github_is_no_silence(stage: Stage) -> None:
    forge = stage.weak_forge({**POWERS, "statuses": "read", "deployments": "read"})
    stage.recorder.graphql[:] = [{"data": None, "errors": [{"type": "INTERNAL", "message": "x"}]}] * 3
    assert isinstance(forge.notices([stage.base]), Unavailable)
