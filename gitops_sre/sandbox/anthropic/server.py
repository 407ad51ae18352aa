"""The API as it is reached: one address on loopback, a key, a script, and a memory of prompts that were cached."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gitops_sre.sandbox.anthropic import answers
from gitops_sre.sandbox.anthropic.answers import Broken, Fail, Json, Say, Turn
from gitops_sre.sandbox.anthropic.protocol import Asked, ProtocolError, check, parts
from gitops_sre.sandbox.serving import Served

KEY = "sk-ant-sandbox-key-that-opens-nothing"
CACHEABLE = 1024
"""Tokens from which on a prompt's beginning is kept."""


class Anthropic:
    """Serve a script on loopback while it is entered. `script` has a turn for each request in order, or makes one of
    it; a request beyond the script's end, like any that breaks the protocol, is refused with 400.

    `asked` are the requests that were taken, `refused` what was wrong with the others, `tries` counts all.
    """

    def __init__(self, script: Sequence[Turn] | Callable[[Asked], Turn], key: str = KEY) -> None:
        self._script, self._key = script, key
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        self.tries = 0
        self._cached: set[str] = set()
        self._paused = False
        self._lock = threading.Lock()
        self._served = Served("anthropic")
        self.url = self._served.url

    def __enter__(self) -> Anthropic:
        self._served.start(Starlette(routes=[Route("/v1/messages", self._messages, methods=["POST"])]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._served.stop()

    async def _messages(self, request: Request) -> Response:
        raw = await request.body()
        with self._lock:
            self.tries += 1
            taken = self._take(request, raw)
        if isinstance(taken, Fail):
            return _error(taken)
        asked, turn = taken
        if isinstance(turn, Fail):
            return _error(turn)
        if isinstance(turn, Broken):
            return await _broken(turn)
        answer = self._answer(asked, turn)
        if asked.body.get("stream"):
            return StreamingResponse(iter(answers.streamed(answer)), media_type="text/event-stream")
        return JSONResponse(answer, headers={"request-id": f"req_{asked.number:06d}"})

    def _take(self, request: Request, raw: bytes) -> tuple[Asked, Turn] | Fail:
        """The request with the turn that is due, or why it is refused."""
        # The key comes under its own name or, as the vendor's client of 2026 sends it, as a bearer token.
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if given != self._key:
            return self._refuse(401, "invalid x-api-key")
        if not request.headers.get("anthropic-version"):
            return self._refuse(400, "anthropic-version: header is required")
        try:
            body = check(json.loads(raw), self._paused)
        except ValueError:
            return self._refuse(400, "the body is no JSON")
        except ProtocolError as error:
            return self._refuse(400, str(error))
        asked = Asked(len(self.asked) + 1, body, dict(request.headers))
        if not callable(self._script) and len(self._script) <= len(self.asked):
            return self._refuse(400, f"the script has {len(self._script)} turns and is over")
        self.asked.append(asked)
        turn = self._script(asked) if callable(self._script) else self._script[asked.number - 1]
        self._paused = isinstance(turn, Say) and turn.stop == "pause_turn"
        return asked, turn

    def _refuse(self, status: int, why: str) -> Fail:
        self.refused.append(why)
        return Fail(status, message=why)

    def _answer(self, asked: Asked, turn: Say) -> Json:
        with self._lock:
            usage = self._usage(asked.body)
        return answers.message(turn, asked.number, asked.body["model"], asked.body["max_tokens"], usage)

    def _usage(self, body: Json) -> Json:
        """Input tokens: those read from the cache, up to the last breakpoint whose beginning is known; those written to
        it, up to the last breakpoint; and the rest."""
        seen, read, written = 0, 0, 0
        running = hashlib.sha256(str(body["model"]).encode())
        for part in parts(body):
            bare = {name: value for name, value in part.items() if name != "cache_control"}
            running.update(json.dumps(bare, sort_keys=True).encode())
            seen += answers.tokens(bare)
            if part.get("cache_control") and seen >= CACHEABLE:
                known = running.hexdigest() in self._cached
                self._cached.add(running.hexdigest())
                read, written = (seen, seen) if known else (read, seen)
        return {
            "input_tokens": seen - max(read, written),
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": max(written - read, 0),
        }


def _error(turn: Fail) -> Response:
    said = {"type": "error", "error": {"type": turn.kind, "message": turn.message or turn.kind}}
    return JSONResponse(said, status_code=turn.status, headers=dict(turn.headers))


async def _broken(turn: Broken) -> Response:
    if turn.how == "silent":
        await asyncio.sleep(turn.seconds)
        return _error(Fail(504))
    if turn.how == "not_json":
        return Response("<html>a proxy's page</html>", media_type="application/json")
    if turn.how == "other_shape":
        return JSONResponse({"completion": "hello"})
    half = b'{"id": "msg_000001", "type": "message", "role": "assistant", "content": [{"type": "te'
    return StreamingResponse(_cut(half), media_type="application/json", headers={"content-length": str(4 * len(half))})


async def _cut(half: bytes) -> AsyncIterator[bytes]:
    yield half
    await asyncio.sleep(0)
    raise ConnectionResetError("cut off on purpose")
