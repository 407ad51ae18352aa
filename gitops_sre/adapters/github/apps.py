"""Making a GitHub App from a manifest: what it asks for and why, the code's conversion, the installation's id.

Source: GitHub, "Registering a GitHub App from a manifest", and its REST description, `apps/create-from-manifest`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlsplit

import requests
from github import Auth, BadAttributeException, Github, GithubException

from gitops_sre.adapters.github.session import message
from gitops_sre.delivery.webhooks import EVENTS
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.settings.hosts import web_url

T = TypeVar("T")

LONGEST_NAME = 34
"""Characters of an App's name that GitHub takes."""


@dataclass(frozen=True)
class Permission:
    """One permission of the App: its name in the API, the access, what needs it, and whether the bot works without."""

    name: str
    level: Literal["read", "write"]
    why: str
    optional: bool = False


PERMISSIONS = (
    Permission("contents", "write", "read manifests and policies; make a branch with one verified commit; merge"),
    Permission("pull_requests", "write", "open, describe, merge and close its pull requests; read reviews"),
    Permission("checks", "write", "leave verdict and outcome on its commits; read required checks"),
    Permission("issues", "write", "reports, calls for a person, the dashboard, comments and reactions"),
    Permission("metadata", "read", "always there: who may write in the repository"),
    Permission("administration", "read", "see what branch protection asks for, to say what a merge waits for"),
    Permission("statuses", "read", "commit statuses of Argo CD and Flux as evidence of what is live", optional=True),
    Permission("deployments", "read", "deployments as evidence of what went live, and when", optional=True),
    Permission("actions", "read", "workflow runs as changes that may have caused an incident", optional=True),
    Permission("merge_queues", "read", "to hear at once of what a merge queue does with a fix", optional=True),
    Permission("members", "read", "teams in CODEOWNERS and in lists of approvers", optional=True),
)
"""All that is ever asked for. Workflows is not among them: the bot cannot change what runs with other credentials."""

_NEEDS = {
    "check_run": "checks", "check_suite": "checks", "deployment_status": "deployments", "issue_comment": "issues",
    "merge_group": "merge_queues", "pull_request": "pull_requests", "pull_request_review": "pull_requests",
    "push": "contents", "status": "statuses",
}  # fmt: skip
"""The permission without which an App cannot subscribe to an event that the bot listens to."""


@dataclass(frozen=True)
class Wish:
    """The App that is wanted. `homepage` is any address; `webhook` is empty for none; `optional` names permissions."""

    name: str
    homepage: str
    webhook: str = ""
    optional: frozenset[str] = frozenset()

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """What it asks for."""
        return tuple(each for each in PERMISSIONS if not each.optional or each.name in self.optional)

    def manifest(self, redirect_url: str) -> str:
        """The manifest, as JSON. Without a webhook a hook is still named, since GitHub wants one, and is not active."""
        asked = {each.name: each.level for each in self.permissions}
        return json.dumps(
            {
                "name": self.name,
                "url": self.homepage,
                "redirect_url": redirect_url,
                "public": False,
                "hook_attributes": {"url": self.webhook or self.homepage, "active": bool(self.webhook)},
                "default_permissions": asked,
                "default_events": [event for event in EVENTS if _NEEDS[event] in asked],
            }
        )


@dataclass(frozen=True)
class Credentials:
    """What a new App gets to know once. `webhook_secret` is empty when it has no webhook."""

    app_id: int
    slug: str
    page: str
    private_key_pem: str = field(repr=False)
    webhook_secret: str = field(repr=False)

    @property
    def install_page(self) -> str:
        """Where a person installs it."""
        return f"{self.page}/installations/new"


def new_app_page(api_url: str, organization: str, state: str) -> str:
    """Where a manifest is posted to: the settings of an organization, or (empty) of the person who is signed in."""
    account = f"/organizations/{quote(organization, safe='')}" if organization else ""
    return f"{web_url(api_url)}{account}/settings/apps/new?state={quote(state, safe='')}"


class Registrar:
    """GitHub's side of the flow. Nothing is sent twice: a code is good for one conversion."""

    def __init__(self, api_url: str, timeout: float) -> None:
        """`timeout` is in seconds, for one request."""
        self._api_url, self._timeout = api_url.rstrip("/"), timeout

    def is_organization(self, login: str) -> bool | Refused | Unavailable:
        """Whether an account is an organization's; asked without credentials."""
        path = f"/users/{quote(login, safe='')}"
        return self._attempt(lambda: self._json("GET", path)["type"] == "Organization")

    def convert(self, code: str) -> Credentials | Refused | Unavailable:
        """The App's credentials for the code that the browser brought. Refused: the code is used or too old."""

        def ask() -> Credentials:
            raw = self._json("POST", f"/app-manifests/{quote(code, safe='')}/conversions")
            page = str(raw["html_url"])
            if urlsplit(page).netloc != urlsplit(web_url(self._api_url)).netloc:
                raise ValueError(page)
            return Credentials(
                int(raw["id"]), str(raw["slug"]), page, str(raw["pem"]), str(raw.get("webhook_secret") or "")
            )

        return self._attempt(ask)

    def installation(self, app: Credentials, repository: str) -> int | Refused | Unavailable | None:
        """The id of the App's installation on a repository; None while it is not installed there."""
        auth = Auth.AppAuth(app.app_id, app.private_key_pem)

        def ask() -> int | None:
            try:
                return int(self._json("GET", f"/repos/{quote(repository)}/installation", auth)["id"])
            except GithubException as error:
                if error.status == 404:
                    return None
                raise

        return self._attempt(ask)

    def _json(self, verb: str, path: str, auth: Auth.Auth | None = None) -> Mapping[str, Any]:
        client = Github(
            auth=auth, base_url=self._api_url, timeout=math.ceil(self._timeout), user_agent="gitops-sre", retry=None,
            seconds_between_requests=0, seconds_between_writes=0,
        )  # fmt: skip
        try:
            answer = client.requester.requestJsonAndCheck(verb, path)[1]
        finally:
            client.close()
        if not isinstance(answer, dict):
            raise TypeError(path)
        return answer

    def _attempt(self, ask: Callable[[], T]) -> T | Refused | Unavailable:
        host = urlsplit(self._api_url).netloc
        try:
            return ask()
        except GithubException as error:
            if error.status in (404, 422):
                return Refused(f"GitHub refuses with {error.status}: {message(error)}")
            return Unavailable(f"GitHub fails with {error.status}: {message(error)}")
        except requests.RequestException as error:
            return Unavailable(f"GitHub does not answer ({type(error).__name__}); is {host} reachable?")
        except (KeyError, TypeError, ValueError, AssertionError, RuntimeError, BadAttributeException) as error:
            return Unavailable(f"GitHub's answer makes no sense ({type(error).__name__}); is {self._api_url} its API?")
