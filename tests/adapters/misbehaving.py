"""A real HTTP server whose every answer a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Parameters = dict[str, list[str]]


class Request:
    """What came in, and the wire to answer on."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        url = urlsplit(handler.path)
        self.method, self.path = handler.command, url.path
        self.parameters: Parameters = parse_qs(url.query) | parse_qs(body.decode())
        self.in_url: Parameters = parse_qs(url.query)
        self.headers = dict(handler.headers)
        self.released: threading.Event
        self._handler = handler

    def answer(self, status: int, body: bytes | str, **headers: str) -> None:
        """A whole answer."""
        content = body.encode() if isinstance(body, str) else body
        self._handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self._handler.send_header(name, value)
        self._handler.send_header("Content-Length", str(len(content)))
        self._handler.end_headers()
        self._handler.wfile.write(content)

    def begin(self) -> None:
        """Status and headers of an answer without a length."""
        self._handler.send_response(200)
        self._handler.end_headers()

    def more(self, part: bytes) -> None:
        """A piece of the body."""
        self._handler.wfile.write(part)
        self._handler.wfile.flush()


@contextmanager
def server(behave: Callable[[Request], object]) -> Iterator[str]:
    """The URL of a server on loopback. `Request.released` is set when the test is over: who hangs waits for it."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = Request(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            request.released = released
            try:
                behave(request)
            except OSError:  # the client has hung up, as it should
                self.close_connection = True

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is no error."""

    running = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        released.set()
        running.shutdown()
        running.server_close()
        thread.join()
