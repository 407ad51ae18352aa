"""A page on loopback that posts the manifest to GitHub, and takes in the code that the browser brings back.

Only a callback that carries this run's state, and comes to the address that the page was served at, is listened to;
everything else is answered and changes nothing.
"""

from __future__ import annotations

import hmac
import html
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from gitops_sre.adapters.github.apps import Permission
from gitops_sre.model.outcome import Refused

_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Page:
    """What the page shows and posts: the address at GitHub, the manifest, and what it asks for."""

    action: str
    manifest: str
    title: str
    permissions: Sequence[Permission]

    def html(self) -> str:
        """The page: what is asked for with its reason, and one button."""
        rows = "".join(
            f"<tr><td>{html.escape(each.name)}<td>{each.level}<td>{html.escape(each.why)}" for each in self.permissions
        )
        return _document(
            self.title,
            f"<table><tr><th>permission<th>access<th>for{rows}</table>"
            f'<form method="post" action="{html.escape(self.action)}">'
            f'<input type="hidden" name="manifest" value="{html.escape(self.manifest)}">'
            "<p><button>Go on at GitHub</button></form>",
        )


class Door:
    """The server, open from the beginning of its `with` block to the end. `port` 0 takes any free one.

    Raises OSError when the port is taken.
    """

    def __init__(self, port: int) -> None:
        self.state = secrets.token_urlsafe(32)
        self._answer: str | Refused | None = None
        self._answered = threading.Event()
        self._lock = threading.Lock()
        self._page: Page | None = None
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.door = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Door:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def callback(self) -> str:
        """Where GitHub is to send the browser back to."""
        return f"{self.url}callback"

    def show(self, page: Page) -> None:
        """What to serve from now on."""
        self._page = page

    def wait(self, seconds: float) -> str | Refused | None:
        """The code; Refused when it was denied at GitHub; None when nobody came in time."""
        self._answered.wait(seconds)
        return self._answer

    def settle(self) -> None:
        """The browser has been answered: whoever waits may go on."""
        if self._answer is not None:
            self._answered.set()

    def respond(self, host: str, target: str) -> tuple[int, str]:
        """Status and document for a GET request."""
        if host not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            return 421, _document("Not here", "<p>This page is for this machine alone.")
        parts = urlsplit(target)
        if parts.path == "/" and self._page is not None:
            return 200, self._page.html()
        if parts.path != "/callback":
            return 404, _document("Not found", "")
        return self._called_back({name: values[0] for name, values in parse_qs(parts.query).items()})

    def _called_back(self, query: dict[str, str]) -> tuple[int, str]:
        if not hmac.compare_digest(query.get("state", "").encode(), self.state.encode()):
            return 403, _document("Refused", "<p>This does not belong to the run of gitops-sre that is waiting.")
        answer: str | Refused
        if "error" in query:
            answer = Refused(query.get("error_description") or query["error"])
        elif _CODE.fullmatch(query.get("code", "")):
            answer = query["code"]
        else:
            return 400, _document("No code", "<p>GitHub sent no code. Go back and try again.")
        with self._lock:
            if self._answer is not None:
                return 409, _document("Done already", "<p>The terminal says how it went.")
            self._answer = answer
        return 200, _document("Back to the terminal", "<p>The rest happens there. This page can be closed.")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False
    door: Door


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout: ClassVar[float] = 10.0

    def do_GET(self) -> None:
        """Answer a request."""
        status, text = self.server.door.respond(self.headers.get("Host", ""), self.path)
        body = text.encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.door.settle()

    def log_message(self, *_: object) -> None:
        """Nothing is logged: the code is in the address."""


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        "<style>body{font:16px sans-serif;max-width:44rem;margin:3rem auto}td,th{text-align:left;padding:.2rem .8rem}"
        f"</style><h1>{html.escape(title)}</h1>{body}"
    )
