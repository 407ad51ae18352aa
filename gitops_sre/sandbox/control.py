"""The control API: what a demo or a test does to the world, and what it may look at behind the bot's back."""

from __future__ import annotations

import threading
from dataclasses import asdict, fields

import requests
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gitops_sre.sandbox.kubernetes.resources import Manifest
from gitops_sre.sandbox.reconciler.controller import Knobs
from gitops_sre.sandbox.stories import STORIES, Story
from gitops_sre.sandbox.theatre import BY_NUMBER, Performance
from gitops_sre.sandbox.world import World

Json = dict[str, object]


def describe(story: Story) -> Json:
    """A story without its plot."""
    return {
        "number": story.number,
        "id": story.id,
        "title": story.title,
        "environment": story.environment,
        "service": story.service,
        "expected": story.expected,
    }


def stories() -> list[Json]:
    """Every story without its plot."""
    return [describe(story) for story in STORIES]


class Control:
    """`app` is the ASGI application; `shutdown` is set when somebody asks the world to end."""

    def __init__(self, world: World) -> None:
        self.shutdown = threading.Event()
        self._world = world
        self.app = Starlette(
            routes=[
                Route("/stories", self._stories),
                Route("/stories/{number:int}", self._story),
                Route("/stories/{number:int}/start", self._start, methods=["POST"]),
                Route("/stories/{number:int}/end", self._end, methods=["POST"]),
                Route("/state", self._state),
                Route("/knobs", self._knobs, methods=["GET", "POST"]),
                Route("/webhooks", self._webhooks, methods=["POST"]),
                Route("/shutdown", self._shutdown, methods=["POST"]),
            ]
        )

    def _stories(self, _: Request) -> JSONResponse:
        return JSONResponse(stories())

    def _story(self, request: Request) -> JSONResponse:
        story = _found(request)
        return JSONResponse(_view(story, self._world.theatre.performance(story.number)))

    def _start(self, request: Request) -> JSONResponse:
        story = _found(request)
        return JSONResponse(_view(story, self._world.theatre.start(story.number)))

    def _end(self, request: Request) -> JSONResponse:
        story = _found(request)
        return JSONResponse(_view(story, self._world.theatre.end(story.number)))

    def _state(self, _: Request) -> JSONResponse:
        try:
            proposals = self._world.alice.proposals("all")
        except requests.RequestException as error:
            raise HTTPException(503, f"GitHub does not answer: {error}") from error
        images: dict[str, dict[str, str]] = {}
        for (namespace, name), running in sorted(self._world.cluster.running().items()):
            images.setdefault(namespace, {})[name] = running.image
        return JSONResponse(
            {
                "images": images,
                "applications": [_application(found) for found in self._world.cluster.objects("Application")],
                "cluster_writes": [asdict(write) for write in self._world.kubernetes.writes],
                "pull_requests": [asdict(proposal) for proposal in proposals],
            }
        )

    async def _webhooks(self, request: Request) -> JSONResponse:
        try:
            body = await request.json()
            url, secret = body["url"], body["secret"]
        except (ValueError, KeyError, TypeError) as error:
            raise HTTPException(
                400, 'send JSON such as {"url": "http://127.0.0.1:8080/...", "secret": "..."}'
            ) from error
        if not (isinstance(url, str) and url.startswith("http://127.0.0.1:") and isinstance(secret, str)):
            raise HTTPException(400, "url must be a text that starts with http://127.0.0.1:, and secret a text")
        self._world.github.add_webhook(url, secret)
        return JSONResponse({"url": url}, status_code=201)

    async def _knobs(self, request: Request) -> JSONResponse:
        """How the cluster misbehaves: see `Knobs`; sets are lists of Application names. POST changes what it names."""
        if request.method == "POST":
            for name, value in _wanted_knobs(await _json(request)).items():
                setattr(self._world.knobs, name, value)
        return JSONResponse({**asdict(self._world.knobs), **_sets(self._world.knobs)})

    def _shutdown(self, _: Request) -> JSONResponse:
        self.shutdown.set()
        return JSONResponse({"stopping": True}, status_code=202)


async def _json(request: Request) -> Json:
    try:
        body = await request.json()
    except ValueError as error:
        raise HTTPException(400, f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return body


def _wanted_knobs(body: Json) -> Json:
    """The values to set, by name. 400 for an unknown knob or a value of another kind."""
    wanted: Json = {}
    for name, value in body.items():
        default = getattr(Knobs(), name, None)
        if isinstance(default, set) and isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            wanted[name] = set(value)
        elif isinstance(default, float) and isinstance(value, int | float) and value >= 0:
            wanted[name] = float(value)
        else:
            known = [knob.name for knob in fields(Knobs)]
            raise HTTPException(400, f"{name}: unknown, or neither seconds nor a list of names; known: {known}")
    return wanted


def _sets(knobs: Knobs) -> Json:
    return {"denied": sorted(knobs.denied), "stuck": sorted(knobs.stuck)}


def _found(request: Request) -> Story:
    number = request.path_params["number"]
    if number not in BY_NUMBER:
        raise HTTPException(404, f"there is no story {number}; known: {sorted(BY_NUMBER)}")
    return BY_NUMBER[number]


def _view(story: Story, performance: Performance | None) -> Json:
    """A story and how its latest performance stands. Times are Unix seconds."""
    state: Json = {"state": "ready"}
    if performance is not None:
        state = {
            "state": "running" if performance.ended is None else "ended",
            "started": performance.started,
            "ended": performance.ended,
            "deployed": performance.scene.tag,
            "before": performance.scene.before,
            "commit": performance.scene.commit,
            "restored": performance.restored,
            "faults": [{"kind": type(fault).__name__, **_finite(asdict(fault))} for fault in performance.scene.faults],
        }
    return {**describe(story), **state}


def _finite(fields: Json) -> Json:
    """Without infinite numbers, which JSON cannot carry."""
    return {name: value for name, value in fields.items() if value not in (float("inf"), float("-inf"))}


def _application(found: Manifest) -> Json:
    status = found["status"]
    return {
        "name": found["metadata"]["name"],
        "sync": status["sync"]["status"],
        "revision": status["sync"]["revision"],
        "health": status["health"]["status"],
        "phase": status.get("operationState", {}).get("phase", ""),
    }
