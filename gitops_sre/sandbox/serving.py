"""An ASGI application on a free port of loopback, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp

START_SECONDS = 10.0


class Served:
    """Binds at once, so that the address is known before the application is; serves from `start` until `stop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        # The protocol by name: asyncio sets TCP_NODELAY only on connections that say they are TCP, and without it every
        # answer waits some 40 ms for an acknowledgement.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, app: ASGIApp) -> None:
        """Serve; returns once requests are accepted. Raises RuntimeError if that does not happen."""
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        self._server = server = uvicorn.Server(config)
        self._listener.listen()
        self._thread = threading.Thread(
            target=lambda: server.run(sockets=[self._listener]), name=self._name, daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError(f"{self._name} did not start on {self.url} within {START_SECONDS:g} s")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop serving; nothing happens a second time."""
        if self._server is not None:
            self._server.should_exit = True
            # Connections that clients keep open must not hold the process back.
            self._server.force_exit = True
        if self._thread is not None:
            self._thread.join(5)
        self._listener.close()
