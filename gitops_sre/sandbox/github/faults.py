"""Faults on purpose: answer with an error before or after the work was done, or late."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Fault:
    """What goes wrong.

    `before`: the answer is `status` and nothing was done. `after`: everything was done, yet the answer is `status`.
    `status` 0 lets the real answer through (for `delay` alone, in seconds).
    """

    status: int = 502
    headers: Mapping[str, str] = field(default_factory=dict)
    when: Literal["before", "after"] = "before"
    delay: float = 0.0
    message: str = "Server Error"


@dataclass
class _Armed:
    method: str
    path: re.Pattern[str]
    fault: Fault
    left: int


class Faults:
    """ASGI middleware in front of the whole server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._armed: list[_Armed] = []
        self._lock = threading.Lock()

    def inject(self, method: str, path_regex: str, fault: Fault, times: int = 1) -> None:
        """Arm a fault for the next `times` requests whose method (`*`: any) and whole path match."""
        with self._lock:
            self._armed.append(_Armed(method.upper(), re.compile(path_regex), fault, times))

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()

    def _take(self, scope: Scope) -> Fault | None:
        if scope["type"] != "http":
            return None
        with self._lock:
            for armed in self._armed:
                if armed.left and armed.method in ("*", scope["method"]) and armed.path.fullmatch(scope["path"]):
                    armed.left -= 1
                    return armed.fault
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with the fault that is armed for it."""
        fault = self._take(scope)
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.when == "after" or not fault.status:
            await self._app(scope, receive, _swallow if fault.status else send)
        if fault.status:
            await _answer(fault, send)


async def _swallow(_: Message) -> None:
    """Take an answer and show it to nobody."""


async def _answer(fault: Fault, send: Send) -> None:
    body = json.dumps({"message": fault.message, "status": str(fault.status)}).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **fault.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
