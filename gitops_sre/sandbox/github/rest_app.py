"""REST: GitHub Apps, installations and their tokens, accounts, rate limit."""

from __future__ import annotations

import time
from collections.abc import Callable

from gitops_sre.sandbox.github.auth import Tokens
from gitops_sre.sandbox.github.http import Answer, ApiError, Call, Route, not_found
from gitops_sre.sandbox.github.state import App
from gitops_sre.sandbox.github.views import Json, stamp

_LIMIT = 5000
_RESOURCES = ("core", "graphql", "search", "code_search", "source_import", "integration_manifest")


def _app_of(call: Call) -> App:
    if call.caller.app is None:
        raise not_found()
    return call.caller.app


def _own_app(call: Call) -> Answer:
    return Answer(call.lens.app(_app_of(call)))


def _installations(call: Call) -> Answer:
    app = _app_of(call)
    return call.page([] if app.installed_on == frozenset() else [app]).answer(call.lens.installation)


def _installation(call: Call) -> Answer:
    return Answer(call.lens.installation(_installed(call)))


def _installed(call: Call) -> App:
    """The App, if the installation that the path names is its own. Raises 404."""
    app = _app_of(call)
    if call.number("installation_id") != app.installation_id or app.installed_on == frozenset():
        raise not_found()
    return app


def _repo_installation(call: Call) -> Answer:
    app = _app_of(call)
    if not app.is_on(call.repo.full_name):
        raise not_found()
    return Answer(call.lens.installation(app))


def _access_token(tokens: Tokens) -> Callable[[Call], Answer]:
    def make(call: Call) -> Answer:
        app = _installed(call)
        wanted = call.body.child("permissions")
        permissions = {name: wanted.text(name) for name in wanted.fields} if wanted else None
        token, expires, caller = tokens.for_installation(app, permissions, _named_repositories(call, app))
        answer: Json = {"token": token, "expires_at": stamp(expires), "permissions": dict(caller.permissions)}
        if caller.repositories is None:
            return Answer({**answer, "repository_selection": "all"}, 201)
        repos = [repo for repo in call.hub.repos.values() if repo.full_name in caller.repositories]
        views = [call.lens.repository(repo) for repo in repos]
        return Answer({**answer, "repository_selection": "selected", "repositories": views}, 201)

    return make


def _named_repositories(call: Call, app: App) -> list[str] | None:
    """Full names of the repositories that a token reaches, by the request or by the installation; None for all."""
    names, ids = call.body.texts("repositories"), call.body.fields.get("repository_ids") or []
    if not names and not ids:
        return None if app.installed_on is None else sorted(app.installed_on)
    known = (repo for repo in call.hub.repos.values() if app.is_on(repo.full_name))
    found = [repo for repo in known if repo.name in names or repo.id in ids]
    if len(found) < len(names) + len(ids):
        raise ApiError(422, "There is at least one repository that does not exist or is not accessible to the parent")
    return [repo.full_name for repo in found]


def _installation_repositories(call: Call) -> Answer:
    reach = call.caller.repositories
    repos = [repo for repo in call.hub.repos.values() if reach is None or repo.full_name in reach]
    return call.page(repos).counted("repositories", len(repos), call.lens.repository)


def _self(call: Call) -> Answer:
    if call.caller.app:
        raise ApiError(403, "Resource not accessible by integration")
    return Answer(call.lens.full_account(call.by))


def _user(call: Call) -> Answer:
    account = call.hub.account(call.path["username"])
    if account is None:
        raise not_found()
    return Answer(call.lens.full_account(account))


def _rate_limit(_: Call) -> Answer:
    rate = {"limit": _LIMIT, "used": 0, "remaining": _LIMIT, "reset": int(time.time()) + 3600}
    return Answer({"resources": dict.fromkeys(_RESOURCES, rate), "rate": rate})


def _permission(call: Call) -> Answer:
    account = call.hub.account(call.path["username"])
    if account is None:
        raise not_found()
    role = account.permission or "none"
    user = {**call.lens.account(account), "role_name": role}
    return Answer({"permission": role, "role_name": role, "user": user})


def _repository(call: Call) -> Answer:
    return Answer(call.lens.repository(call.repo, call.by.permission))


def routes(tokens: Tokens) -> tuple[Route, ...]:
    """The operations of this module."""
    repo = "/repos/{owner}/{repo}"
    return (
        Route("GET", "/app", _own_app, "app"),
        Route("GET", "/app/installations", _installations, "app"),
        Route("GET", "/app/installations/{installation_id}", _installation, "app"),
        Route("POST", "/app/installations/{installation_id}/access_tokens", _access_token(tokens), "app"),
        Route("GET", f"{repo}/installation", _repo_installation, "app"),
        Route("GET", "/installation/repositories", _installation_repositories),
        Route("GET", "/user", _self),
        Route("GET", "/users/{username}", _user, "anybody"),
        Route("GET", "/rate_limit", _rate_limit),
        Route("GET", repo, _repository, ("metadata", "read")),
        Route("GET", f"{repo}/collaborators/{{username}}/permission", _permission, ("metadata", "read")),
    )
