"""`app create`: from a page on this machine over GitHub back to credentials on this machine."""

from __future__ import annotations

import json
import os
import sys
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path

import click

from gitops_sre.adapters.github.apps import (
    LONGEST_NAME,
    PERMISSIONS,
    Credentials,
    Registrar,
    Wish,
    new_app_page,
)
from gitops_sre.cli.app import keeping
from gitops_sre.cli.app.door import Door, Page
from gitops_sre.cli.app.keeping import Written
from gitops_sre.cli.common import Failure, settings_option
from gitops_sre.cli.init.remote import PUBLIC_API
from gitops_sre.cli.show import seen
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.settings.hosts import web_url

_ASK = 20.0
"""Seconds for one request to GitHub."""
_LOOK = 3.0
"""Seconds between looks for the installation."""
_OPTIONAL = tuple(each.name for each in PERMISSIONS if each.optional)


@click.group()
def app() -> None:
    """Make the GitHub App that the bot is."""


@dataclass(frozen=True)
class _Asked:
    """The options as they were given."""

    path: Path
    repository: str
    api_url: str
    organization: str
    personal: bool
    name: str
    webhook: str
    optional: tuple[str, ...]
    port: int
    browser: bool
    timeout: float
    as_json: bool


@app.command()
@settings_option
@click.option("--repository", default="", metavar="OWNER/NAME", help="Default: github.repository of the settings.")
@click.option("--api-url", default="", help="Default: github.api_url of the settings, else GitHub's.")
@click.option(
    "--organization", default="", metavar="LOGIN", help="Who is to own the App. Default: the repository's owner."
)
@click.option("--personal", is_flag=True, help="The App is to belong to you, not to an organization.")
@click.option("--name", default="", help="Its name, unique on GitHub. Default: gitops-sre-OWNER.")
@click.option(
    "--webhook", default="", metavar="URL", help="https://HOST/webhooks/github of `serve`; none for a scheduled job."
)
@click.option("--with", "optional", multiple=True, type=click.Choice(_OPTIONAL), help="Ask to read these as well.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Port of the page on this machine. Default: any."
)
@click.option("--browser/--no-browser", default=True, help="Open the page, or only print its address.")
@click.option(
    "--timeout", default=600.0, show_default=True, type=click.FloatRange(1, 3600), help="Seconds for each wait."
)
@click.option("--print", "as_json", is_flag=True, help="Print the credentials as JSON, once, and store none.")
def create(**options: object) -> None:
    """Make a GitHub App with the permissions that the bot needs, and keep its credentials.

    Serves a page on this machine that leads to GitHub and back. The private key is stored where the settings name
    it, the App's id in the settings; then the command waits until the App is installed on the repository.
    """
    asked = _Asked(**options)  # type: ignore[arg-type]  # click has checked them
    written = Written.read(asked.path)
    repository, api_url = _where(asked, written)
    key = written.keys(repository)
    if not asked.as_json:
        keeping.assert_free(key, key.parent / keeping.ENV_FILE)
    registrar = Registrar(api_url, _ASK)
    made = registrar.convert(_code(asked, registrar, repository, api_url))
    if not isinstance(made, Credentials):
        raise Failure(
            f"{_why(made)}; run this again (an App that was made meanwhile: {web_url(api_url)}/settings/apps)"
        )
    _keep(asked, written, made, key)
    _install(asked, written, registrar, made, repository)


def _where(asked: _Asked, written: Written) -> tuple[str, str]:
    repository = asked.repository or written.values.get("repository", "")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise Failure(
            f"{asked.path}: names no github.repository; run `gitops-sre init` first, or give --repository OWNER/NAME"
        )
    if written.values.get("app_id") and not asked.as_json:
        raise Failure(
            f"{asked.path}: github.app_id is {written.values['app_id']} already; empty it to make another App"
        )
    api_url = asked.api_url or written.values.get("api_url", "") or PUBLIC_API
    if not api_url.startswith(("https://", "http://")):
        raise Failure(f"{api_url}: no address of an API; give --api-url https://HOST/api/v3")
    if asked.webhook and not asked.webhook.startswith("https://"):
        raise Failure(f"--webhook {asked.webhook}: GitHub sends events to https addresses; give one, or leave it out")
    return repository, api_url


def _organization(asked: _Asked, registrar: Registrar, owner: str) -> str:
    """The organization that the App is made for; empty for a person's own."""
    if asked.organization or asked.personal:
        return asked.organization
    answer = registrar.is_organization(owner)
    if isinstance(answer, Refused | Unavailable):
        raise Failure(f"whose is {owner}? {answer.reason}; say --organization {owner} or --personal")
    return owner if answer else ""


def _code(asked: _Asked, registrar: Registrar, repository: str, api_url: str) -> str:
    """The code that the browser brings back from GitHub. Raises Failure."""
    owner = repository.partition("/")[0]
    organization = _organization(asked, registrar, owner)
    name = asked.name or f"gitops-sre-{owner}"[:LONGEST_NAME].rstrip("-")
    wish = Wish(name, f"{web_url(api_url)}/{repository}", asked.webhook, frozenset(asked.optional))
    try:
        opened = Door(asked.port)
    except OSError as error:
        raise Failure(f"port {asked.port} is taken ({error.strerror}); choose another --port, or 0 for any") from error
    with opened as door:
        action = new_app_page(api_url, organization, door.state)
        title = f"A GitHub App for {repository}"
        door.show(Page(action, wish.manifest(door.callback), title, wish.permissions))
        _invite(asked, door)
        answer = door.wait(asked.timeout)
    if answer is None:
        raise Failure(f"nobody came back from GitHub within {asked.timeout:.0f} s; nothing was stored: run this again")
    if isinstance(answer, Refused):
        raise Failure(f"GitHub says that no App was made: {seen(answer.reason)}; nothing was stored")
    return answer


def _invite(asked: _Asked, door: Door) -> None:
    _say(f"Open {door.url} in a browser on this machine.")
    _say(f"From another machine: ssh -L {door.port}:127.0.0.1:{door.port} THIS-HOST, then open it there.")
    here = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if asked.browser and here and sys.stderr.isatty():
        webbrowser.open(door.url)


def _why(answer: Refused | Unavailable) -> str:
    if isinstance(answer, Refused):
        return f"{answer.reason}: the code was used already, or is older than an hour"
    return answer.reason


def _keep(asked: _Asked, written: Written, made: Credentials, key: Path) -> None:
    if asked.as_json:
        secrets = {
            "GITOPS_SRE_APP_ID": str(made.app_id),
            "GITOPS_SRE_APP_PRIVATE_KEY": made.private_key_pem,
            keeping.WEBHOOK_SECRET: made.webhook_secret,
        }
        click.echo(json.dumps({name: value for name, value in secrets.items() if value}, indent=2))
    else:
        for line in keeping.store(made, key):
            _say(line)
    named = {} if written.values.get("private_key_file") or asked.as_json else {"private_key_file": str(key)}
    _say(written.fill({"app_id": str(made.app_id), **named}))


def _install(asked: _Asked, written: Written, registrar: Registrar, made: Credentials, repository: str) -> None:
    """Wait until it is installed. The credentials are kept by now: an end here loses nothing."""
    _say(f"Install it on {repository} alone: {made.install_page}")
    until = time.monotonic() + asked.timeout
    while True:
        found = registrar.installation(made, repository)
        if isinstance(found, int):
            _say(written.fill({"installation_id": str(found)}))
            _say("Next: gitops-sre doctor")
            return
        if isinstance(found, Refused) or time.monotonic() > until:
            why = f" ({found.reason})" if found is not None else ""
            raise Failure(
                f"{made.slug} is not installed on {repository} yet{why}; its credentials are kept: install it at "
                f"{made.install_page}, then `gitops-sre doctor`"
            )
        time.sleep(min(_LOOK, asked.timeout / 10))


def _say(text: str) -> None:
    click.echo(seen(text), err=True)
