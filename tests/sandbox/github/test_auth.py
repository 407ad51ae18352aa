"""Who may do what: Apps, installations and people."""

from __future__ import annotations

import time
from datetime import timedelta

import github
import jwt
import pytest
import requests
from github import GithubException
from github.Auth import Token

from gitops_sre.sandbox.github.auth import key_pair
from tests.sandbox.github.world import World


def status_of(world: World, path: str, authorization: str) -> int:
    headers = {"Authorization": authorization} if authorization else {}
    return requests.get(f"{world.url}/api/v3{path}", headers=headers, timeout=10).status_code


def signed(world: World, *, key: str = "", issued: int = -10, expires: int = 300) -> str:
    now = int(time.time())
    claims = {"iss": str(world.bot.app_id), "iat": now + issued, "exp": now + expires}
    return "Bearer " + jwt.encode(claims, key or world.bot.private_key_pem, algorithm="RS256")


def test_an_app_finds_its_installation_and_gets_a_token(world: World) -> None:
    integration = world.integration()
    assert integration.get_app().slug == "sre-bot"
    assert [found.id for found in integration.get_installations()] == [world.bot.installation_id]
    assert integration.get_app_installation(world.bot.installation_id).app_id == world.bot.app_id
    found = integration.get_repo_installation("acme", "infra")
    token = integration.get_access_token(found.id)
    assert token.permissions["contents"] == "write"
    assert timedelta(minutes=55) < token.expires_at - world.clock() <= timedelta(hours=1)
    repos = world.client(Token(token.token)).requester.requestJsonAndCheck("GET", "/installation/repositories")[1]
    assert [repo["full_name"] for repo in repos["repositories"]] == ["acme/infra"]


@pytest.mark.parametrize(
    "forge",
    [
        lambda world: signed(world, key=key_pair()[0]),
        lambda world: signed(world, expires=-1),
        lambda world: signed(world, expires=3600),
        lambda world: signed(world, issued=600),
        lambda _: "Bearer a.b.c",
        lambda _: "Bearer ghs_wrong",
        lambda _: "Basic !",
        lambda _: "",
    ],
    ids=["other key", "expired", "valid for too long", "from the future", "no JWT", "unknown token", "bad", "none"],
)
def test_bad_credentials_are_a_401(world: World, forge: object) -> None:
    assert callable(forge)
    assert status_of(world, "/app", forge(world)) == 401


def test_a_good_app_token_opens_the_app_and_nothing_else(world: World) -> None:
    assert status_of(world, "/app", signed(world)) == 200
    assert status_of(world, "/repos/acme/infra", signed(world)) == 401
    assert status_of(world, "/app", f"token {world.tokens['ada']}") == 401


def test_an_installation_token_expires_after_an_hour(world: World) -> None:
    token = world.installation_token()
    assert status_of(world, "/repos/acme/infra", f"token {token}") == 200
    world.clock.ahead = timedelta(minutes=61)
    assert status_of(world, "/repos/acme/infra", f"token {token}") == 401


def test_a_token_can_be_taken_away_at_once(world: World) -> None:
    token = world.installation_token()
    world.hub.expire(token)
    assert status_of(world, "/repos/acme/infra", f"token {token}") == 401


def test_a_token_narrowed_in_permissions_is_refused_the_rest(world: World) -> None:
    repo = world.as_bot({"contents": "read"})
    assert repo.get_branch("main").commit.sha == world.first
    with pytest.raises(GithubException, match="Resource not accessible by integration") as refused:
        repo.create_issue("no")
    assert refused.value.status == 403
    assert (refused.value.headers or {})["x-accepted-github-permissions"] == "issues=write"


def test_nothing_beyond_what_the_app_was_granted_is_handed_out(world: World) -> None:
    with pytest.raises(GithubException, match="not granted") as refused:
        world.installation_token({"workflows": "write"})
    assert refused.value.status == 422


def test_a_token_narrowed_to_one_repository_does_not_see_another(world: World) -> None:
    files = {"a": b"a"}
    world.hub.create_repository("acme", "other", files, author="ada", message="Begin", when=world.clock())
    app = world.integration().requester
    path = f"/app/installations/{world.bot.installation_id}/access_tokens"
    _, answer = app.requestJsonAndCheck("POST", path, input={"repositories": ["other"]})
    assert answer["repository_selection"] == "selected"
    assert world.client(Token(answer["token"])).get_repo("acme/other").full_name == "acme/other"
    assert status_of(world, "/repos/acme/infra", f"token {answer['token']}") == 404
    with pytest.raises(GithubException, match="does not exist"):
        app.requestJsonAndCheck("POST", path, input={"repositories": ["gone"]})


def test_people_are_themselves_and_have_roles(world: World) -> None:
    client = world.client(Token(world.tokens["wes"]))
    assert client.get_user().login == "wes"
    assert client.get_user("sre-bot[bot]").type == "Bot"
    repo = world.as_person("ada")
    roles = {login: repo.get_collaborator_permission(login) for login in ("ada", "wes", "rae", "sre-bot[bot]")}
    assert roles == {"ada": "admin", "wes": "write", "rae": "read", "sre-bot[bot]": "none"}
    with pytest.raises(github.UnknownObjectException):
        client.get_user("stranger")


def test_a_reader_may_speak_but_not_change(world: World) -> None:
    repo = world.as_person("rae")
    issue = repo.create_issue("A question", labels=["bug"])
    assert issue.labels == []
    issue.create_comment("More of it")
    for attempt in (
        lambda: issue.add_to_labels("bug"),
        lambda: repo.create_git_ref("refs/heads/mine", world.first),
        lambda: repo.create_check_run("verdict", world.first),
    ):
        with pytest.raises(GithubException, match="Resource not accessible by personal access token"):
            attempt()


def test_an_app_is_no_user_and_the_rate_limit_is_told(world: World) -> None:
    client = world.client(Token(world.installation_token()))
    with pytest.raises(GithubException) as refused:
        _ = client.get_user().login
    assert refused.value.status == 403
    assert client.get_rate_limit().resources.core.limit == 5000


def test_what_is_not_there_is_a_404(world: World) -> None:
    token = f"token {world.tokens['ada']}"
    for path in ("/repos/acme/gone", "/repos/acme/infra/pulls/9", "/repos/acme/infra/issues/x", "/nothing"):
        assert status_of(world, path, token) == 404
    world.recorder.exchanges.pop()  # the last one is no operation of GitHub's, and is meant to be none
