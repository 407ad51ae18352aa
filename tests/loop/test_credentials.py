"""`doctor` looks at what credentials may do: over HTTP, as GitHub, the cluster and Prometheus tell it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_sre import wiring
from gitops_sre.adapters.github import GitHubForge
from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.cli import credentials
from gitops_sre.cli.credentials import Excess
from gitops_sre.engine.world import World
from gitops_sre.settings import ChannelSettings, GitHubSettings, NotificationSettings, PrometheusSettings
from tests.loop.conftest import POWERS, Founder
from tests.loop.place import Place
from tests.receivers import web


def world(place: Place, permissions: Mapping[str, str] = POWERS) -> World:
    """The place's world with an App of these permissions, and files that are its owner's alone."""
    app = place.servers.github.register_app("gitops-sre-2", permissions)
    file = place.folder / "app.pem"
    file.write_text(app.private_key_pem)
    github = place.settings.github.model_copy(
        update={"app_id": app.app_id, "installation_id": None, "private_key_file": file}
    )
    place.settings = place.settings.model_copy(update={"github": github})
    for each in credentials.secret_files(place.settings):
        each.chmod(0o600)
    return place.world()


def serious(found: World) -> list[Excess]:
    """What fails."""
    return [each for each in credentials.look(found) if each.serious]


def test_what_the_bot_needs_is_no_excess_but_all_repositories_are_worth_a_word(found: Founder) -> None:
    told = list(credentials.look(world(found())))
    assert [(each.name, each.serious) for each in told] == [("GitHub App", False)]
    assert "Only select repositories" in told[0].remedy


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({"workflows": "write"}, "set workflows to no access"),
        ({"administration": "write"}, "set administration to read"),
        ({"members": "write"}, "set members to read"),
        ({"actions": "write"}, "set actions to read"),
        ({"secrets": "write"}, "set secrets to no access"),
        ({"deployments": "write"}, "set deployments to read"),
    ],
)
def test_an_app_that_may_write_what_the_bot_never_writes_fails(
    found: Founder, more: dict[str, str], remedy: str
) -> None:
    (excess,) = serious(world(found(), {**POWERS, **more}))
    assert excess.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("scopes", "wide"),
    [
        ("repo, workflow", "repo, workflow"),
        ("admin:org, read:user", "admin:org"),
        ("repo:status", "repo:status"),
        ("read:org", ""),
        ("", ""),
    ],
)
def test_a_classic_token_fails_by_its_scopes(scopes: str, wide: str) -> None:
    with web() as server:
        server.headers, server.answer = {"X-OAuth-Scopes": scopes}, b'{"login": "bot", "id": 1}'
        settings = GitHubSettings(repository="acme/infra", api_url=server.url, timeout=5)
        granted = GitHubForge(settings, None, {"GITHUB_TOKEN": "ghp_x"}).granted()  # type: ignore[arg-type]  # unsigned
    told = list(credentials.of_github(granted))  # type: ignore[arg-type]  # an answer
    assert [each.found for each in told] == ([f"a classic token with {wide}"] if wide else [])


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments"]}, "may patch deployments"),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, "may * *"),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}, "may read Secrets"),
        ({"verbs": ["create"], "apiGroups": [""], "resources": ["pods/exec"]}, "may create pods/exec"),
        ({"verbs": ["list"], "apiGroups": ["*"], "resources": ["*"]}, "may read Secrets"),
    ],
)
def test_a_service_account_that_may_change_something_or_read_secrets_fails(
    found: Founder, rule: dict[str, list[str]], said: str
) -> None:
    place = found()
    place.kubernetes.rules.append(rule)
    assert any(each.name == "cluster" and said in each.found for each in serious(world(place)))
    assert place.kubernetes.writes == ()


def test_files_that_everybody_may_read_fail(found: Founder, tmp_path: Path) -> None:
    place = found()
    url = tmp_path / "channel"
    url.write_text("json://127.0.0.1:1")
    built = world(place)
    channels = NotificationSettings(channels={"ops": ChannelSettings(url_file=url)})
    built = replace(built, settings=built.settings.model_copy(update={"notifications": channels}))
    url.chmod(0o640)
    assert serious(built) == []
    url.chmod(0o644)
    (excess,) = serious(built)
    assert excess.remedy.startswith(f"chmod 600 {url}")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"web.enable-admin-api": "true", "web.enable-lifecycle": "false"}, "--web.enable-admin-api"),
        ({"web.enable-admin-api": "false"}, ""),
    ],
)
def test_prometheus_says_whether_it_can_be_changed(flags: dict[str, str], said: str) -> None:
    with web() as server:
        server.answer = json.dumps({"status": "success", "data": flags}).encode()
        assert Prometheus(PrometheusSettings(url=server.url), {}).admin() == said


def test_another_store_of_metrics_has_no_such_flags() -> None:
    with web() as server:
        server.status, server.answer = 404, b"not found"
        assert Prometheus(PrometheusSettings(url=server.url), {}).admin() == ""


def test_the_permissions_that_are_needed_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "github.md").read_text()
    table = page.partition("## What the App may do")[2].partition("\n## ")[0]
    for name, level in wiring.app_permissions().items():
        assert f"| `{name}` | {'read and write' if level == 'write' else 'read'}" in table
