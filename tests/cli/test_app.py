"""`app create` as a person would go through it: a page here, pages at GitHub, and back; over real HTTP."""

from __future__ import annotations

import html
import io
import json
import os
import re
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urljoin, urlsplit

import jwt
import pytest
import requests

from gitops_sre import settings as s
from gitops_sre.adapters.github.apps import PERMISSIONS, Registrar, Wish, new_app_page
from gitops_sre.adapters.github.powers import Powers
from gitops_sre.cli.app.door import Door, Page
from gitops_sre.cli.main import main
from gitops_sre.delivery.webhooks import EVENTS
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.sandbox.github import Fault
from gitops_sre.settings.hosts import web_url
from tests.sandbox.github.conftest import server, world  # noqa: F401
from tests.sandbox.github.world import World

_INPUT = re.compile(r'<input[^>]*name="([^"]*)"[^>]*value="([^"]*)"')
_ACTION = re.compile(r'<form[^>]*action="([^"]*)"')


@dataclass
class Browser:
    """What a browser does with forms and redirects, and where it is."""

    url: str = ""
    text: str = ""
    status: int = 0

    def open(self, url: str) -> Browser:
        return self._at(requests.get(url, timeout=10))

    def submit(self, **changed: str) -> Browser:
        """Press the page's one button, with some fields filled in by hand."""
        found = _ACTION.search(self.text)
        action = urljoin(self.url, html.unescape(found[1])) if found else self.url
        fields = {name: html.unescape(value) for name, value in _INPUT.findall(self.text)}
        return self._at(requests.post(action, {**fields, **changed}, timeout=10))

    def _at(self, answer: requests.Response) -> Browser:
        self.url, self.text, self.status = answer.url, answer.text, answer.status_code
        return self


class Running:
    """The command, running in a thread; what it says on standard error is read line by line."""

    def __init__(self, said: IO[str], printed: io.StringIO, command: Callable[[], int]) -> None:
        self._said, self._printed = said, printed
        self._pool = ThreadPoolExecutor(1)
        self._code = self._pool.submit(command)

    def until(self, pattern: str) -> str:
        """Read on until a line matches; what the pattern's group holds."""
        read = []
        for line in self._said:
            read.append(line)
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"no {pattern} in {''.join(read)}")

    def end(self) -> tuple[int, str, str]:
        """Exit status, standard output, and the rest of standard error."""
        code = self._code.result(20)
        self._pool.shutdown()
        return code, self._printed.getvalue(), self._said.read()


@contextmanager
def create(settings: Path, *arguments: str) -> Iterator[Running]:
    """The command as it is typed."""
    typed = ["app", "create", "--settings", str(settings), *arguments]
    reading, writing = os.pipe()
    printed = io.StringIO()
    with open(reading, encoding="utf-8") as said, open(writing, "w", encoding="utf-8", buffering=1) as err:

        def command() -> int:
            with redirect_stderr(err), redirect_stdout(printed), err:
                return main(typed)

        yield Running(said, printed, command)


@pytest.fixture
def settings(world: World, tmp_path: Path) -> Path:  # noqa: F811
    """Settings as `init` leaves them: the App's places are empty, and Prometheus may be missing."""
    path = tmp_path / "infra" / ".gitops-sre.yaml"
    path.parent.mkdir()
    path.write_text(
        f"github:\n  repository: acme/infra\n  api_url: {world.url}/api/v3  # ours\n  app_id:  # filled in\n"
        "  installation_id:\n  private_key_file: ../keys/app.pem\nprometheus:\n  url:\n"
        "signing:\n  key_file: ../keys/s.pem\n"
    )
    return path


def test_from_nothing_to_an_installed_app(world: World, settings: Path) -> None:  # noqa: F811
    with create(
        settings, "--webhook", "https://sre.example.com/webhooks/github", "--with", "members", "--timeout", "9"
    ) as running:
        browser = Browser().open(running.until(r"Open (\S+)"))
        assert "contents" in browser.text
        browser.submit()
        assert browser.url.startswith(f"{world.url}/organizations/acme/settings/apps/new?state=")
        browser.submit(name="Acme SRE")
        assert (browser.status, "Back to the terminal" in browser.text) == (200, True)
        page = running.until(r"Install it on acme/infra alone: (\S+)")
        assert page == f"{world.url}/github-apps/acme-sre/installations/new"
        browser.open(page).submit()
        assert (browser.status, "The App is installed." in browser.text) == (200, True)
        code, out, err = running.end()
    assert (code, out) == (0, ""), err
    app = next(app for app in world.hub._hub.apps.values() if app.slug == "acme-sre")
    text = settings.read_text()
    assert f"  app_id: {app.id}  # filled in\n  installation_id: {app.installation_id}\n" in text
    assert "api_url: " in text
    assert "# ours" in text
    keys = settings.parent.parent / "keys"
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {
        "app.pem": 0o600,
        "gitops-sre.env": 0o600,
    }
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert re.fullmatch(r"GITOPS_SRE_WEBHOOK_SECRET=\w{40}\n", (keys / "gitops-sre.env").read_text())
    pem = (keys / "app.pem").read_text()
    token = jwt.encode({"iss": str(app.id)}, pem, algorithm="RS256")
    assert jwt.decode(token, app.public_key_pem, algorithms=["RS256"])["iss"] == str(app.id)
    assert app.permissions == {
        each.name: each.level for each in PERMISSIONS if not each.optional or each.name == "members"
    }
    assert app.installed_on == frozenset({"acme/infra"})


def test_credentials_can_be_printed_once_for_a_secret_manager(world: World, settings: Path) -> None:  # noqa: F811
    with create(settings, "--print", "--timeout", "1") as running:
        Browser().open(running.until(r"Open (\S+)")).submit().submit()
        code, out, err = running.end()
    printed = json.loads(out)
    assert sorted(printed) == ["GITOPS_SRE_APP_ID", "GITOPS_SRE_APP_PRIVATE_KEY"]  # no webhook, no secret of one
    assert printed["GITOPS_SRE_APP_PRIVATE_KEY"] not in err
    assert not (settings.parent.parent / "keys").exists()
    assert f"app_id: {printed['GITOPS_SRE_APP_ID']}" in settings.read_text()
    assert code == 1
    assert "is not installed on acme/infra yet; its credentials are kept" in err


def test_without_a_settings_file_it_says_what_to_write_there(
    world: World,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    where = ["--repository", "acme/infra", "--api-url", f"{world.url}/api/v3", "--timeout", "1"]
    with create(tmp_path / "none.yaml", *where) as running:
        Browser().open(running.until(r"Open (\S+)")).submit().submit()
        _, _, err = running.end()
    key = tmp_path / ".config/gitops-sre/acme/infra/app.pem"
    assert key.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert re.search(
        rf"none.yaml is not there: `gitops-sre init` writes it; .* app_id: \d+, private_key_file: {key}", err
    )
    assert not (tmp_path / "none.yaml").exists()


def test_a_callback_with_another_state_changes_nothing(world: World, settings: Path) -> None:  # noqa: F811
    with create(settings, "--timeout", "2") as running:
        url = running.until(r"Open (\S+)")
        forged = requests.get(f"{url}callback", {"code": "stolen", "state": "guessed"}, timeout=10)
        assert forged.status_code == 403
        code, _, err = running.end()
    assert code == 1
    assert "nobody came back from GitHub within 2 s; nothing was stored" in err
    assert not [exchange for exchange in world.recorder.exchanges if "conversions" in exchange.path]


def test_a_denial_ends_it_with_what_github_says(world: World, settings: Path) -> None:  # noqa: F811
    with create(settings) as running:
        browser = Browser().open(running.until(r"Open (\S+)"))
        state = parse_qs(urlsplit(html.unescape((_ACTION.search(browser.text) or ["", ""])[1])).query)["state"][0]
        said = {"state": state, "error": "access_denied", "error_description": "The owner said no\x1b[31m"}
        assert requests.get(f"{browser.url}callback", said, timeout=10).status_code == 200
        code, _, err = running.end()
    says = "GitHub says that no App was made: The owner said no\N{REPLACEMENT CHARACTER}[31m; nothing was stored"
    assert (code, err.splitlines()[-1]) == (1, f"gitops-sre: {says}")


@pytest.mark.parametrize("late", [False, True])
def test_a_code_that_is_used_or_too_old_is_one_clear_error(world: World, settings: Path, late: bool) -> None:  # noqa: F811
    with create(settings) as running:
        browser = Browser().open(running.until(r"Open (\S+)")).submit()
        confirm = requests.post(
            browser.url,
            {n: html.unescape(v) for n, v in _INPUT.findall(browser.text)},
            allow_redirects=False,
            timeout=10,
        )
        back = confirm.headers["Location"]
        if late:
            world.clock.ahead += timedelta(minutes=61)
        else:
            code = parse_qs(urlsplit(back).query)["code"][0]
            requests.post(f"{world.url}/api/v3/app-manifests/{code}/conversions", timeout=10).raise_for_status()
        requests.get(back, timeout=10)
        status, _, err = running.end()
    assert status == 1
    assert (
        "GitHub refuses with 404: Not Found: the code was used already, or is older than an hour; run this again" in err
    )
    assert not list((settings.parent.parent / "keys").iterdir())


def test_a_conversion_that_fails_is_not_sent_twice(world: World, settings: Path) -> None:  # noqa: F811
    world.hub.inject("POST", ".*/conversions", Fault(502))
    with create(settings) as running:
        Browser().open(running.until(r"Open (\S+)")).submit().submit()
        status, _, err = running.end()
    assert status == 1
    assert "GitHub fails with 502" in err
    assert "/settings/apps" in err
    assert world.hub._faults._armed[0].left == 0


def test_credentials_that_are_there_are_never_overwritten(world: World, settings: Path) -> None:  # noqa: F811
    keys = settings.parent.parent / "keys"
    keys.mkdir()
    (keys / "app.pem").write_text("precious")
    with create(settings) as running:
        status, _, err = running.end()
    assert status == 1
    assert f"{keys.resolve()}" in err.replace("infra/../", "")
    assert "never overwritten" in err
    assert (keys / "app.pem").read_text() == "precious"


def test_a_port_that_is_taken_is_named(world: World, settings: Path) -> None:  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as taken, create(settings, "--port", str(taken.getsockname()[1])) as it:
        status, _, err = it.end()
    assert status == 1
    assert f"port {taken.getsockname()[1] if taken.fileno() >= 0 else ''}" in err
    assert "choose another --port" in err


def test_an_app_that_is_there_is_not_replaced(world: World, settings: Path) -> None:  # noqa: F811
    settings.write_text(settings.read_text().replace("app_id:", "app_id: 7"))
    with create(settings) as running:
        status, _, err = running.end()
    assert status == 1
    assert "github.app_id is 7 already" in err


def test_a_name_that_is_taken_is_said_by_github_and_can_be_changed(world: World, settings: Path) -> None:  # noqa: F811
    with create(settings, "--name", "sre-bot", "--print", "--timeout", "1") as running:
        url = running.until(r"Open (\S+)")
        browser = Browser().open(url).submit()
        assert (browser.status, "Name is already taken" in browser.text) == (422, True)
        browser.open(url)
        manifest = json.loads(html.unescape(dict(_INPUT.findall(browser.text))["manifest"]))
        browser.submit(manifest=json.dumps({**manifest, "name": "sre-bot-2"})).submit()
        _, out, _ = running.end()
    assert "GITOPS_SRE_APP_ID" in json.loads(out)


class TestDoor:
    def page(self) -> Page:
        return Page("https://github.com/settings/apps/new?state=x", '{"a": "<b>"}', "An <App>", PERMISSIONS)

    def get(self, door: Door, path: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        return requests.get(f"{door.url}{path}", headers=headers, timeout=10)

    def test_the_page_shows_what_is_asked_for_and_why(self) -> None:
        with Door(0) as door:
            door.show(self.page())
            said = self.get(door, "")
        assert all(html.escape(each.why) in said.text for each in PERMISSIONS)
        assert "<App>" not in said.text
        assert "default-src 'none'" in said.headers["Content-Security-Policy"]

    def test_it_listens_on_loopback_under_its_own_name_alone(self) -> None:
        with Door(0) as door:
            door.show(self.page())
            assert self.get(door, "", {"Host": "evil.example.com"}).status_code == 421
            assert (
                self.get(door, f"callback?state={door.state}&code=x", {"Host": "evil.example.com"}).status_code == 421
            )
            assert door.wait(0) is None

    def test_the_first_code_counts(self) -> None:
        with Door(0) as door:
            assert self.get(door, f"callback?state={door.state}&code=first").status_code == 200
            assert self.get(door, f"callback?state={door.state}&code=second").status_code == 409
            assert door.wait(0) == "first"

    @pytest.mark.parametrize("query", ["", "code=", "code=a%2Fb", "code=%00", f"code={'x' * 500}"])
    def test_no_code_is_not_a_code(self, query: str) -> None:
        with Door(0) as door:
            assert self.get(door, f"callback?state={door.state}&{query}").status_code == 400
            assert door.wait(0) is None

    @pytest.mark.parametrize("state", ["", "x", "\u00e4"])
    def test_only_its_own_state_counts(self, state: str) -> None:
        with Door(0) as door:
            assert self.get(door, f"callback?code=abc&state={state}").status_code == 403
            assert door.wait(0) is None


MAY_BE_REFUSED = {Powers.STATUSES: "statuses", Powers.DEPLOYMENTS: "deployments"}
"""What the bot does without where it was not granted (tests/adapters/github/test_notices.py)."""


def test_the_app_is_given_all_that_the_bot_asks_tokens_for() -> None:
    order = ("read", "write")
    for powers in Powers:
        optional = MAY_BE_REFUSED.get(powers)
        levels = {each.name: each.level for each in PERMISSIONS if not each.optional or each.name == optional}
        for name, level in powers.permissions.items():
            assert order.index(level) <= order.index(levels[name]), (powers, name)


def test_the_documentation_has_every_permission_with_its_reason() -> None:
    text = (Path(__file__).parents[2] / "docs" / "github.md").read_text()
    for each in PERMISSIONS:
        access = "read" if each.level == "read" else "read and write"
        assert f"| `{each.name}` | {access}{', optional' if each.optional else ''} | {each.why} |" in text


def test_workflows_are_never_asked_for() -> None:
    assert "workflows" not in {each.name for each in PERMISSIONS}
    assert all(each.level == "read" for each in PERMISSIONS if each.optional)


@pytest.mark.parametrize(
    ("api", "web"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://github.example.com/api/v3", "https://github.example.com"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("http://127.0.0.1:8080/api/v3", "http://127.0.0.1:8080"),
    ],
)
def test_pages_are_where_the_api_is(api: str, web: str) -> None:
    assert web_url(api) == web
    assert new_app_page(api, "acme", "s t") == f"{web}/organizations/acme/settings/apps/new?state=s%20t"
    assert new_app_page(api, "", "s") == f"{web}/settings/apps/new?state=s"


def test_a_person_is_no_organization(world: World) -> None:  # noqa: F811
    registrar = Registrar(f"{world.url}/api/v3", 5)
    assert registrar.is_organization("acme") is True
    assert registrar.is_organization("ada") is False
    assert isinstance(registrar.is_organization("nobody"), Refused)
    assert isinstance(Registrar("http://127.0.0.1:9", 2).is_organization("acme"), Unavailable)


def test_what_init_writes_is_what_this_fills_in() -> None:
    assert {"app_id", "installation_id", "private_key_file"} <= s.GitHubSettings.model_fields.keys()


def test_the_app_subscribes_to_what_the_receiver_listens_to() -> None:
    everything = frozenset(each.name for each in PERMISSIONS if each.optional)
    manifest = json.loads(Wish("x", "https://example.com", "", everything).manifest("http://127.0.0.1/callback"))
    assert set(manifest["default_events"]) == set(EVENTS)
    least = json.loads(Wish("x", "https://example.com").manifest("http://127.0.0.1/callback"))
    assert set(EVENTS) - set(least["default_events"]) == {"deployment_status", "merge_group", "status"}
