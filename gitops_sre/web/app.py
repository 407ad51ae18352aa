"""The webhook receiver: Alertmanager's alerts and GitHub's events come in here.

A 2xx is given only after what was received is stored. Webhooks only ever hurry things: whatever is lost is found by
polling. Answers: 401 wrong or missing credential, 413 too large, 400 not understood, 503 storage is not available
(the sender tries again).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitops_sre.delivery import webhooks
from gitops_sre.delivery.webhooks import Happening
from gitops_sre.model.signal import Alert
from gitops_sre.perception.alerts import ALERTMANAGER, AlertError, from_alertmanager_webhook
from gitops_sre.ports import ConflictError, StoreError


@dataclass(frozen=True)
class Doors:
    """What the receiver hands on, and the credentials that it asks for. An empty credential shuts the door."""

    receive: Callable[[Sequence[Alert]], object]
    """Store alerts; raises StoreError or ConflictError."""
    nudge: Callable[[Happening], object]
    """Something happened on GitHub: look soon."""
    seen: Callable[[str], bool]
    """Remember a delivery id; True when it is a replay. Raises StoreError."""
    alert_token: str
    github_secret: str
    max_body: int
    senders: Mapping[str, str] = field(default_factory=dict)
    """Bearer tokens of senders by their names, which stand as the source of their alerts."""

    def sender(self, token: str) -> str | None:
        """Whose token it is; None: nobody's, or not one's alone. All are compared, so that the time tells nothing."""
        known = {ALERTMANAGER: self.alert_token, **self.senders}
        found = [name for name, held in known.items() if _equal(token, held)]
        return found[0] if len(found) == 1 else None


class _Answer(Exception):  # noqa: N818 - not an error: an early answer
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def create_app(houses: Mapping[str, Doors]) -> Starlette:
    """The ASGI application, with the doors of each repository (owner/name in lower case).

    Alertmanager names the repository in the address where there are several; GitHub, which knows one address for an
    App, in the payload.
    """
    first = next(iter(houses.values()))

    async def alertmanager(request: Request) -> Response:
        doors = _house(houses, request.path_params)
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        sender = doors.sender(given)
        if sender is None:
            raise _Answer(401, "bearer token missing or wrong")
        payload = _parse(await _body(request, doors.max_body))
        try:
            alerts = from_alertmanager_webhook(payload, sender)
        except AlertError as error:
            raise _Answer(400, str(error)) from error
        await run_in_threadpool(doors.receive, alerts)
        return JSONResponse({"received": len(alerts)}, 202)

    async def github(request: Request) -> Response:
        body = await _body(request, max(doors.max_body for doors in houses.values()))
        # Only what the signature covers is acted upon; which secret it is to be checked with is all that is read here.
        doors = houses.get(_repository(body), first) if len(houses) > 1 else first
        mac = hmac.new(doors.github_secret.encode(), body, hashlib.sha256).hexdigest()
        given = request.headers.get("x-hub-signature-256", "")
        _require(bool(doors.github_secret) and _equal(given, f"sha256={mac}"), "signature missing or wrong")
        payload = _parse(body)
        delivery = request.headers.get("x-github-delivery", "")
        if not delivery:
            raise _Answer(400, "X-GitHub-Delivery is missing")
        if await run_in_threadpool(doors.seen, delivery):
            return JSONResponse({"replay": True})
        happening = webhooks.read(request.headers.get("x-github-event", ""), payload)
        if happening is None:
            return JSONResponse({"ignored": True}, 202)
        await run_in_threadpool(doors.nudge, happening)
        return JSONResponse({"received": True}, 202)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    routes = [
        Route("/webhooks/alertmanager", alertmanager, methods=["POST"]),
        Route("/webhooks/alertmanager/{owner}/{name}", alertmanager, methods=["POST"]),
        Route("/webhooks/github", github, methods=["POST"]),
        Route("/healthz", health),
    ]
    return Starlette(
        routes=routes, exception_handlers={_Answer: _answered, StoreError: _unavailable, ConflictError: _unavailable}
    )


def _house(houses: Mapping[str, Doors], path: Mapping[str, str]) -> Doors:
    """The doors that an address names; without a name the only ones there are."""
    name = f"{path['owner']}/{path['name']}".lower() if path else next(iter(houses))
    if name not in houses or (not path and len(houses) > 1):
        raise _Answer(404, "post alerts to /webhooks/alertmanager/OWNER/NAME, with a repository that is served here")
    return houses[name]


def _repository(body: bytes) -> str:
    """The repository that an event says it is about, in lower case; empty where it says none."""
    try:
        return str(json.loads(body)["repository"]["full_name"]).lower()
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""


async def _body(request: Request, limit: int) -> bytes:
    """The body, read no further than the limit whatever Content-Length claims."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _Answer(413, f"body is larger than {limit} bytes (setting web.max_body)")
        parts.append(part)
    return b"".join(parts)


def _parse(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Answer(400, "body is not JSON, or nested too deeply") from error


def _equal(given: str, wanted: str) -> bool:
    """Compare in constant time; an empty secret matches nothing."""
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _Answer(401, message)


async def _answered(_: Request, answer: Exception) -> Response:
    if not isinstance(answer, _Answer):
        raise answer
    return JSONResponse({"error": answer.message}, answer.status)


async def _unavailable(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"storage is not available: {error}"}, 503, {"Retry-After": "10"})
