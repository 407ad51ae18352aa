"""How a person makes and installs a GitHub App: the pages for it, and the one REST operation that they lead to.

Source: GitHub, "Registering a GitHub App from a manifest". The person who is signed in may do everything. The page on
which the manifest is posted asks once more; then the browser is sent to the manifest's `redirect_url` with a code,
which is good for an hour and for one conversion.
"""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route as WebRoute

from gitops_sre.sandbox.github.auth import key_pair
from gitops_sre.sandbox.github.http import Answer, Call, Route, not_found
from gitops_sre.sandbox.github.state import Account, App, Hub
from gitops_sre.sandbox.github.views import Json, Lens

CODE_LIFE = timedelta(hours=1)
LONGEST_NAME = 34
_LEVELS = {
    "actions": "write", "administration": "write", "checks": "write", "contents": "write", "deployments": "write",
    "issues": "write", "members": "write", "merge_queues": "write", "metadata": "read",
    "pull_requests": "write", "statuses": "write", "workflows": "write",
}  # fmt: skip
"""Permissions that are known here, with the most that can be asked for."""
_EVENTS = {
    "check_run": "checks", "check_suite": "checks", "deployment_status": "deployments", "issue_comment": "issues",
    "issues": "issues", "merge_group": "merge_queues", "pull_request": "pull_requests",
    "pull_request_review": "pull_requests", "push": "contents", "status": "statuses", "workflow_run": "actions",
}  # fmt: skip
"""Event -> the permission without which an App cannot subscribe to it."""


_Page = Callable[[Request, Mapping[str, str]], Response]


class _InvalidError(Exception):
    """The manifest cannot be used; the text is for the person."""


@dataclass(frozen=True)
class _Made:
    """An App whose code has not been converted yet."""

    app: App
    private_key_pem: str
    webhook_secret: str | None
    until: datetime


@dataclass(frozen=True)
class _Manifest:
    name: str
    redirect_url: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]
    hooked: bool


class AppPages:
    """The pages, and the codes that they have given out."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._codes: dict[str, _Made] = {}

    def pages(self) -> tuple[WebRoute, ...]:
        """What a browser asks for."""
        new = self._page(self._new)
        return (
            WebRoute("/settings/apps/new", new, methods=["POST"]),
            WebRoute("/organizations/{org}/settings/apps/new", new, methods=["POST"]),
            WebRoute("/organizations/{org}/settings/installations/{id}", self._page(_installed)),
            WebRoute("/github-apps/{slug}/installations/new", self._page(self._installing), methods=["GET", "POST"]),
        )

    def routes(self) -> tuple[Route, ...]:
        """The operation of this module."""
        return (Route("POST", "/app-manifests/{code}/conversions", self._convert, "anybody"),)

    def _page(self, answer: _Page) -> Callable[[Request], Awaitable[Response]]:
        def locked(request: Request, form: Mapping[str, str]) -> Response:
            with self._hub.lock:
                return answer(request, form)

        async def serve(request: Request) -> Response:
            body = (await request.body()).decode("utf-8", "replace")
            return await run_in_threadpool(locked, request, dict(parse_qsl(body)))

        return serve

    def _new(self, request: Request, form: Mapping[str, str]) -> Response:
        """The manifest is shown with a button; with the button's press the App is made."""
        organization = request.path_params.get("org", "")
        owner = self._hub.account(organization) if organization else self._person()
        if owner is None or (organization and owner.type != "Organization"):
            return _said("Not found", 404)
        try:
            manifest = _read(form.get("manifest", ""), form.get("name", ""))
            self._assert_free(manifest.name)
        except _InvalidError as error:
            return _said(f"Invalid GitHub App configuration: {error}", 422)
        if not form.get("confirm"):
            return _form(
                f"Create GitHub App for {owner.login}",
                {"manifest": form["manifest"], "confirm": "1"},
                f'<input name="name" value="{html.escape(manifest.name)}">',
            )
        code = self._make(manifest, owner)
        state = request.query_params.get("state", "")
        query = urlencode({"code": code, **({"state": state} if state else {})})
        return RedirectResponse(f"{manifest.redirect_url}?{query}", 302)

    def _person(self) -> Account | None:
        people = (each for each in self._hub.accounts.values() if each.type == "User")
        return next((each for each in people if each.permission == "admin"), None)

    def _assert_free(self, name: str) -> None:
        if any(_slug(name) == app.slug for app in self._hub.apps.values()):
            raise _InvalidError("Name is already taken")

    def _make(self, manifest: _Manifest, owner: Account) -> str:
        hub, slug = self._hub, _slug(manifest.name)
        private, public = key_pair()
        bot = hub.add_account(f"{slug}[bot]", "Bot")
        app = App(
            next(hub.ids), slug, manifest.permissions, public, next(hub.ids), bot, hub.now(),
            manifest.name, manifest.events, owner, frozenset(),
        )  # fmt: skip
        hub.apps[app.id] = app
        code = secrets.token_hex(20)
        self._codes[code] = _Made(
            app, private, secrets.token_hex(20) if manifest.hooked else None, hub.now() + CODE_LIFE
        )
        return code

    def _convert(self, call: Call) -> Answer:
        made = self._codes.pop(call.path["code"], None)
        if made is None or made.until <= call.hub.now():
            raise not_found()
        told: Json = {
            "client_id": f"Iv1.{made.app.id:016x}",
            "client_secret": secrets.token_hex(20),
            "webhook_secret": made.webhook_secret,
            "pem": made.private_key_pem,
        }
        return Answer({**call.lens.app(made.app), **told}, 201)

    def _installing(self, request: Request, form: Mapping[str, str]) -> Response:
        """The choice of repositories; with the button's press the App is installed on them."""
        app = next((each for each in self._hub.apps.values() if each.slug == request.path_params["slug"]), None)
        if app is None:
            return _said("Not found", 404)
        names = [repo.full_name for repo in self._hub.repos.values() if app.owner in (None, repo.owner)]
        chosen = frozenset(name for name in names if form.get(f"repo:{name}"))
        if not chosen:
            boxes = "".join(f'<input type="checkbox" name="repo:{name}" value="1"> {name}<br>' for name in names)
            return _form(f"Install {app.name or app.slug}", {}, boxes)
        self._hub.apps[app.id] = installed = replace(app, installed_on=(app.installed_on or frozenset()) | chosen)
        base = f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"
        return RedirectResponse(str(Lens(self._hub, base).installation(installed)["html_url"]), 302)


def _installed(_: Request, __: Mapping[str, str]) -> Response:
    return _said("The App is installed.", 200)


def _read(text: str, name: str) -> _Manifest:
    """A manifest with the name that the person has given it. Raises _InvalidError."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise _InvalidError("the manifest is not JSON") from error
    if not isinstance(raw, dict):
        raise _InvalidError("the manifest is not an object")
    name = name or str(raw.get("name") or "")
    if not 0 < len(name) <= LONGEST_NAME or not _slug(name):
        raise _InvalidError(f"Name must have 1 to {LONGEST_NAME} characters")
    hook = raw.get("hook_attributes") or {}
    for key, url in (("url", raw.get("url")), ("redirect_url", raw.get("redirect_url")), ("hook url", hook.get("url"))):
        if urlsplit(str(url or "")).scheme not in ("http", "https"):
            raise _InvalidError(f"{key} must be an address")
    permissions, events = raw.get("default_permissions") or {}, raw.get("default_events") or []
    _assert_known(permissions, events)
    return _Manifest(name, str(raw["redirect_url"]), permissions, tuple(events), bool(hook.get("active", True)))


def _assert_known(permissions: Mapping[str, str], events: list[str]) -> None:
    for permission, level in permissions.items():
        if level not in ("read", _LEVELS.get(permission)):
            raise _InvalidError(f"Default permission records resource is not included in the list: {permission}")
    for event in events:
        if _EVENTS.get(event) not in permissions:
            raise _InvalidError(f"Default events are not supported by permissions: {event}")


def _slug(name: str) -> str:
    return "-".join("".join(char if char.isascii() and char.isalnum() else " " for char in name.lower()).split())


def _form(title: str, hidden: Mapping[str, str], fields: str) -> Response:
    """A page with one form that posts to where it stands."""
    kept = "".join(f'<input type="hidden" name="{key}" value="{html.escape(value)}">' for key, value in hidden.items())
    button = f"<button>{html.escape(title)}</button>"
    return HTMLResponse(
        f'<!doctype html><title>{html.escape(title)}</title><form method="post">{kept}{fields}{button}</form>'
    )


def _said(text: str, status: int) -> Response:
    return HTMLResponse(f"<!doctype html><title>GitHub</title><p>{html.escape(text)}</p>", status)
