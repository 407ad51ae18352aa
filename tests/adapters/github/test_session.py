"""Tokens, limits, time-outs and answers that make no sense."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from gitops_sre.adapters.github import GitHubForge
from gitops_sre.model.outcome import Done, Refused, Unavailable
from gitops_sre.model.pull import PullRequest, Report
from gitops_sre.sandbox.github import Fault
from gitops_sre.settings import ConfigError, GitHubSettings
from tests.adapters.github.conftest import KEY, Stage

REPORT = Report("inc-1/report", "A report", "Text.")


def tokens_asked_for(stage: Stage) -> int:
    return stage.writes("/access_tokens")


def test_the_installation_is_looked_up_and_its_token_is_for_this_repository_only(stage: Stage) -> None:
    token = stage.forge().git_token()
    seen = requests.get(
        f"{stage.url}/api/v3/installation/repositories", headers={"Authorization": f"Bearer {token}"}, timeout=5
    ).json()
    assert [repo["full_name"] for repo in seen["repositories"]] == [stage.name]


def test_a_token_is_asked_for_once_and_shared(stage: Stage) -> None:
    forge = stage.forge()
    assert forge.git_token() == forge.git_token()
    stage.opened(forge)
    assert isinstance(forge.look(1), PullRequest)
    assert isinstance(forge.actions(), tuple)
    assert tokens_asked_for(stage) == 3, "for git, to propose, to look"


def test_a_token_that_expires_midway_is_renewed_once(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    stage.github.expire_installations()
    stage.requests.clear()
    assert isinstance(forge.look(1), PullRequest)
    assert tokens_asked_for(stage) == 1


def test_a_token_that_is_refused_again_is_an_answer(stage: Stage) -> None:
    forge = stage.forge()
    stage.github.inject("POST", "/api/graphql", Fault(401, message="Bad credentials"), times=99)
    answer = forge.look(1)
    assert isinstance(answer, Unavailable)
    assert "does not accept the credentials" in answer.reason
    assert tokens_asked_for(stage) == 2


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Fault(403, {"retry-after": "30"}, message="You have exceeded a secondary rate limit."), "30 s"),
        (Fault(429, {"retry-after": "45"}, message="Too many requests"), "45 s"),
        (Fault(403, {"x-ratelimit-remaining": "0"}, message="API rate limit exceeded for installation."), "60 s"),
        (Fault(429, {"retry-after": "999999"}), "3600 s"),
    ],
)
def test_a_limit_is_an_answer_at_once_and_is_kept_to(stage: Stage, fault: Fault, seconds: str) -> None:
    forge = stage.forge()
    forge.git_token()
    stage.github.inject("POST", f"{stage.api}/issues", fault)
    began = time.monotonic()
    answer = forge.report(REPORT)
    assert isinstance(answer, Unavailable)
    assert f"asks to wait {seconds}" in answer.reason
    stage.requests.clear()
    assert isinstance(forge.report(REPORT), Unavailable)
    assert isinstance(forge.actions(), Unavailable)
    assert not stage.requests, "GitHub is left alone until then"
    assert time.monotonic() - began < 5


def test_the_primary_limits_reset_is_waited_for(stage: Stage) -> None:
    forge = stage.forge()
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 120)}
    stage.github.inject("POST", f"{stage.api}/issues", Fault(403, headers, message="API rate limit exceeded"))
    answer = forge.report(REPORT)
    assert isinstance(answer, Unavailable)
    assert "asks to wait 1" in answer.reason


def test_a_short_wait_is_over_after_it(stage: Stage) -> None:
    forge = stage.forge()
    stage.github.inject("POST", f"{stage.api}/issues", Fault(429, {"retry-after": "1"}))
    assert isinstance(forge.report(REPORT), Unavailable)
    deadline = time.monotonic() + 5
    while isinstance(forge.report(REPORT), Unavailable) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(stage.repo.issues) == 1


def test_a_post_is_never_sent_again_by_itself(stage: Stage) -> None:
    stage.github.inject("POST", f"{stage.api}/issues", Fault(502), times=99)
    answer = stage.forge().report(REPORT)
    assert isinstance(answer, Unavailable)
    assert "502" in answer.reason
    assert stage.writes("/issues") == 1


def test_a_get_survives_a_gateway_that_hiccups(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    stage.github.inject("POST", "/api/graphql", Fault(502), times=2)
    assert isinstance(forge.look(1), PullRequest)


def test_a_server_that_hangs_is_not_waited_for(stage: Stage) -> None:
    forge = stage.forge(timeout=1)
    forge.git_token()
    stage.github.inject("POST", f"{stage.api}/issues", Fault(0, delay=2.5))
    began = time.monotonic()
    answer = forge.report(REPORT)
    assert isinstance(answer, Unavailable)
    assert "ReadTimeout" in answer.reason
    assert time.monotonic() - began < 2.4


def test_a_server_that_is_not_there_is_an_answer_without_secrets(stage: Stage) -> None:
    forge = stage.forge(api_url="http://user:hunter2@127.0.0.1:9/api/v3")
    for answer in (forge.actions(), forge.report(REPORT)):
        assert isinstance(answer, Unavailable)
        assert "127.0.0.1" in answer.reason
        assert "hunter2" not in answer.reason
    with pytest.raises(ConnectionError, match="does not answer"):
        forge.git_token()


def test_a_redirect_to_another_host_is_not_followed(stage: Stage) -> None:
    forge = stage.forge()
    forge.git_token()
    elsewhere = {"location": "http://evil.test/api/v3/repos/acme/infra/issues/comments"}
    stage.github.inject("GET", f"{stage.api}/issues/comments", Fault(301, elsewhere))
    answer = forge.commands([1])
    assert isinstance(answer, Unavailable)
    assert "makes no sense" in answer.reason


def test_a_link_to_another_host_is_not_followed(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    stage.as_person("bob", "POST", "/issues/1/comments", {"body": "Why?"})
    stage.recorder.link = '<http://evil.test/api/v3/repos/acme/infra/issues/comments?page=2>; rel="next"'
    answer = forge.commands([1])
    assert isinstance(answer, Unavailable)
    assert "makes no sense" in answer.reason


def test_writes_keep_their_distance(stage: Stage) -> None:
    forge = stage.forge(min_write_interval=0.25)
    forge.git_token()
    began = time.monotonic()
    for key in ("a", "b", "c"):
        forge.report(Report(key, key, key))
    assert time.monotonic() - began >= 0.5


def test_check_tells_who_the_bot_is(stage: Stage) -> None:
    assert stage.forge().check() == Done(f"gitops-sre[bot] on {stage.name}")
    missing = stage.forge(branch="production").check()
    assert isinstance(missing, Refused)
    assert "404" in missing.reason


def test_the_clone_url_follows_from_the_api(stage: Stage) -> None:
    assert stage.forge().git_url == f"{stage.url}/{stage.name}.git"
    assert stage.forge(git_url="ssh://git@x/y.git").git_url == "ssh://git@x/y.git"
    assert stage.forge(api_url="https://api.github.com").git_url == f"https://github.com/{stage.name}.git"


def test_credentials_that_are_missing_are_named_with_a_remedy(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    plain = GitHubSettings(repository="acme/infra")
    cases = (
        (plain, "GITHUB_TOKEN"),
        (plain.model_copy(update={"app_id": 1}), "private_key_file: missing"),
        (plain.model_copy(update={"app_id": 1, "private_key_file": tmp_path / "none"}), "none: cannot be read"),
        (plain.model_copy(update={"app_id": 1, "private_key_file": tmp_path / "text"}), "text: not an unencrypted"),
    )
    for settings, what in cases:
        with pytest.raises(ConfigError, match=what):
            GitHubForge(settings, KEY, {})


@pytest.mark.parametrize(
    ("kind", "answer", "word"),
    [
        ("RATE_LIMITED", Unavailable, "rate limit"),
        ("", Unavailable, "Something went wrong"),
        ("FORBIDDEN", Refused, "Something went wrong"),
    ],
)
def test_graphqls_errors_are_told_apart(stage: Stage, kind: str, answer: type, word: str) -> None:
    error = {"type": kind, "message": "Something went wrong"} if kind else {"message": "Something went wrong"}
    stage.recorder.graphql += [{"data": None, "errors": [error]}] * 3
    made = stage.offer(stage.forge())
    assert isinstance(made, answer)
    assert word in str(made)
    assert not stage.repo.pulls


def test_a_commit_that_is_not_named_is_looked_for(stage: Stage) -> None:
    stage.recorder.graphql.append({"data": {"createCommitOnBranch": None}})
    assert stage.opened(stage.forge()).number == 1
