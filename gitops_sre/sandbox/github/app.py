"""The ASGI application: REST below /api/v3, GraphQL at /api/graphql, git below /{owner}/{repo}.git."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as WebRoute

from gitops_sre.sandbox.github import (
    app_pages,
    graphql,
    rest_app,
    rest_checks,
    rest_contents,
    rest_deployments,
    rest_git,
    rest_issues,
    rest_labels,
    rest_pulls,
    rest_reviews,
    smart_http,
)
from gitops_sre.sandbox.github.auth import Tokens
from gitops_sre.sandbox.github.http import Answer, ApiError, Body, Call, Caller, Route, not_found
from gitops_sre.sandbox.github.smart_http import GitRequest
from gitops_sre.sandbox.github.state import Hub, Use

API = "/api/v3"
_VERSION = "2022-11-28"


def build(hub: Hub, tokens: Tokens) -> Starlette:
    """All routes over one state."""
    apps = app_pages.AppPages(hub)
    rest = (
        *rest_app.routes(tokens),
        *apps.routes(),
        *rest_git.routes(),
        *rest_checks.routes(),
        *rest_deployments.routes(),
        *rest_contents.routes(),
        *rest_pulls.routes(),
        *rest_reviews.routes(),
        *rest_labels.routes(),
        *rest_issues.routes(),
    )
    everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    unknown = Route("*", "", _unknown)
    return Starlette(
        routes=[
            *(WebRoute(API + r.template, _endpoint(hub, tokens, r), methods=[r.method]) for r in rest),
            WebRoute("/api/graphql", _endpoint(hub, tokens, Route("POST", "", _graphql)), methods=["POST"]),
            WebRoute("/api/{rest:path}", _endpoint(hub, tokens, unknown), methods=everything),
            *apps.pages(),
            WebRoute("/{owner}/{repo}.git/{tail:path}", _git(hub, tokens), methods=["GET", "POST"]),
        ]
    )


def _unknown(_: Call) -> Answer:
    raise not_found()


def _graphql(call: Call) -> Answer:
    return Answer(graphql.answer(call))


def _endpoint(hub: Hub, tokens: Tokens, route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        raw = await request.body()
        return await run_in_threadpool(_handle, hub, tokens, route, request, raw)

    return serve


def _handle(hub: Hub, tokens: Tokens, route: Route, request: Request, raw: bytes) -> Response:
    try:
        with hub.lock:
            call = _call(hub, _caller(hub, tokens, request, route), request, raw)
            _note(call, request, route)
            _authorise(call, route)
            answer = route.handler(call)
    except ApiError as error:
        answer = Answer(error.body(), error.status, error.headers)
    return _response(request, answer)


def _caller(hub: Hub, tokens: Tokens, request: Request, route: Route) -> Caller:
    """Who calls; where anybody may, a request without credentials is nobody's."""
    authorization = request.headers.get("authorization", "")
    return Caller(hub.web_flow, {}) if route.need == "anybody" and not authorization else tokens.caller(authorization)


def _call(hub: Hub, caller: Caller, request: Request, raw: bytes) -> Call:
    base = f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"
    return Call(
        hub=hub,
        caller=caller,
        base=base,
        url=base + request.url.path,
        path=request.path_params,
        query=dict(request.query_params),
        body=Body(raw),
        accept=request.headers.get("accept", ""),
    )


def _authorise(call: Call, route: Route) -> None:
    """404 for what the token cannot see, 403 for what it may not do, 401 for an App where its installation belongs."""
    if (route.need == "app") != call.caller.as_app:
        if call.caller.as_app:
            raise ApiError(401, "A JSON web token cannot be used here: use an installation's access token")
        raise ApiError(401, "A JSON web token could not be decoded")
    if isinstance(route.need, tuple):
        repo, (permission, level) = call.repo, route.need
        number = call.path.get("issue_number", "")
        # Labels and comments of a pull request are open to either permission.
        if number.isdigit() and int(number) in repo.pulls and call.caller.may("pull_requests", level):
            return
        call.caller.demand(permission, level)


def _note(call: Call, request: Request, route: Route) -> None:
    """Keep what the request's token may do, for those who want to know whether it is more than it takes."""
    need = route.need if isinstance(route.need, tuple) else None
    caller = call.caller
    of_installation = caller.app is not None and not caller.as_app
    operation = route.template or request.url.path.removeprefix("/api")
    call.hub.uses.append(Use(request.method, operation, need, dict(caller.permissions), of_installation))


def _response(request: Request, answer: Answer) -> Response:
    if isinstance(answer.body, str | bytes):
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    else:
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
    headers = {"X-GitHub-Request-Id": "sandbox", "X-GitHub-Api-Version-Selected": _VERSION, **answer.headers}
    if answer.status == 204:
        return Response(status_code=204, headers=headers)
    if request.method == "GET" and answer.status == 200:
        etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
        headers["ETag"] = etag
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
    return Response(body, answer.status, headers, media_type=answer.media)


def _git(hub: Hub, tokens: Tokens) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        names = request.path_params
        wanted = GitRequest(
            method=request.method,
            full_name=f"{names['owner']}/{names['repo']}",
            tail=names["tail"],
            query=request.url.query,
            headers=dict(request.headers),
            body=await request.body(),
        )
        done = await run_in_threadpool(smart_http.serve, hub, tokens, wanted)
        return Response(done.body, done.status, dict(done.headers))

    return serve
