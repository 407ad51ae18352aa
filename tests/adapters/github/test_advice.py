"""Others' pull requests: which of them nothing has been said of, and saying it."""

from __future__ import annotations

import pytest

from gitops_sre.adapters.github import GitHubForge
from gitops_sre.model.advice import Unadvised
from gitops_sre.model.outcome import Done, Unavailable
from gitops_sre.model.usage import Usage
from tests.adapters.github.conftest import KEY, Stage


def propose(stage: Stage, branch: str = "an-idea") -> Unadvised:
    """Bob's pull request."""
    stage.repo.git.run("update-ref", f"refs/heads/{branch}", stage.repo.tip("main"))
    head = stage.commit("bob", {"README.md": f"# {branch}\n".encode()}, branch=branch)
    stage.as_person("bob", "POST", "/pulls", {"title": "An idea", "head": branch, "base": "main"})
    return Unadvised(max(stage.repo.pulls), head)


def left(stage: Stage, forge: GitHubForge) -> tuple[Unadvised, ...]:
    """What a sweep finds."""
    assert isinstance(forge.actions(), tuple)
    return forge.unadvised()


@pytest.fixture(params=["App", "token"])
def forge(request: pytest.FixtureRequest, stage: Stage) -> GitHubForge:
    if request.param == "App":
        return stage.forge()
    without = stage.settings.model_copy(update={"app_id": None, "private_key_file": None, "token_env": "TOKEN"})
    return GitHubForge(without, KEY, {"TOKEN": stage.tokens["carol"]})


def test_it_is_said_once_on_each_head_and_a_bot_without_memory_sees_that(stage: Stage, forge: GitHubForge) -> None:
    stage.opened(stage.forge())
    mine, other = propose(stage), propose(stage, "another")
    assert left(stage, forge) == (other, mine)
    assert isinstance(forge.advise(mine.head, "2 objects", "All of it."), Done)
    assert left(stage, forge) == (other,)
    head = stage.commit("bob", {"README.md": b"# more\n"}, branch="an-idea")
    assert left(stage, forge) == (other, Unadvised(mine.number, head))


def test_it_is_a_neutral_check_run_and_writes_nothing_else(stage: Stage) -> None:
    pull, forge = propose(stage), stage.forge()
    left(stage, forge)
    stage.requests.clear()
    forge.advise(pull.head, "2 objects", "All of it.")
    (run,) = stage.repo.checks.values()
    assert (run.name, run.head_sha, run.status, run.conclusion) == (
        "gitops-sre/advice", pull.head, "completed", "neutral",
    )  # fmt: skip
    assert (run.title, run.summary) == ("2 objects", "All of it.")
    assert stage.writes() == stage.writes("/check-runs") == 1


def test_looking_for_it_costs_no_request_beyond_the_sweeps_own(stage: Stage) -> None:
    propose(stage)
    forge = stage.forge()
    stage.opened(forge)  # who it is itself has been asked for
    forge.actions()
    before = forge.spent()
    forge.unadvised()
    assert forge.spent() - before == Usage()


def test_anothers_check_run_of_that_name_is_not_taken_for_it(stage: Stage) -> None:
    pull = propose(stage)
    stage.other_app().advise(pull.head, "all is well", "Trust me.")
    assert left(stage, stage.forge()) == (pull,)


def test_without_the_power_to_write_checks_it_stays_to_be_said(stage: Stage) -> None:
    pull = propose(stage)
    weak = stage.weak_forge({"contents": "write", "pull_requests": "write", "issues": "write", "checks": "read"})
    assert isinstance(weak.advise(pull.head, "2 objects", "All of it."), Unavailable)
    assert stage.repo.checks == {}
