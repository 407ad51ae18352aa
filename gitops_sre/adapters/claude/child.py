"""The process that asks for one turn: Anthropic's client, kept apart from the bot.

It is started as a program with the question on its standard input. It holds the key and no other credential, looks up
no host but the API's (and a proxy's), and can be ended when it hangs. It imports nothing of ours.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def confine(url: str) -> None:
    """From now on this process looks up no host but that of `url` and of proxies, and connects to no link-local address
    (where clouds keep credentials). For good: an audit hook cannot be taken away."""
    named = {urlsplit(each).hostname for each in (url, *(os.environ.get(name, "") for name in _PROXIES))}

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.getaddrinfo", "socket.gethostbyname") and _text(arguments[0]) not in named:
            raise PermissionError(f"{_text(arguments[0])} is not the host of investigator.url")
        if event == "socket.connect" and isinstance(arguments[1], tuple) and _link_local(_text(arguments[1][0])):
            raise PermissionError("link-local addresses are closed")

    sys.addaudithook(hook)


def _text(host: object) -> str:
    return (host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")).lower()


def _link_local(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_link_local
    except ValueError:
        return False


class _Heard:
    """What the API answered to the tries so far: the client goes on trying silently."""

    def __init__(self, until: float) -> None:
        self._until, self.last = until, ""

    def __call__(self, response: Any) -> None:
        """Note an answer. One that asks for more patience than there is time for is not waited for."""
        if response.status_code < 400:
            return
        wait = response.headers.get("retry-after", "")
        self.last = f"HTTP {response.status_code}" + (f", to be tried again in {wait[:40]} s" if wait else "")
        if wait.replace(".", "", 1).isdigit() and float(wait) > self._until - time.monotonic():
            response.headers["x-should-retry"] = "false"


def run(order: dict[str, Any], key: str) -> dict[str, Any]:
    """Ask once: `url`, `timeout` (of a request), `retries`, `seconds` (for everything), `request`. The message as JSON,
    or `why` there is none."""
    import anthropic  # noqa: PLC0415 - its host is confined before

    heard = _Heard(time.monotonic() + order["seconds"])
    found: dict[str, Any] = {}

    def ask() -> None:
        limit = min(order["timeout"], order["seconds"])
        http = anthropic.DefaultHttpxClient(event_hooks={"response": [heard]}, follow_redirects=False, timeout=limit)
        try:
            with anthropic.Anthropic(
                api_key=key, base_url=order["url"], max_retries=order["retries"], timeout=limit, http_client=http
            ) as client:
                found.update(_message(client.messages.create(**order["request"])))
        except anthropic.APIStatusError as error:
            found["why"] = f"{heard.last or f'HTTP {error.status_code}'}: {error.api_message or error.message}"
        except (anthropic.AnthropicError, ValueError, OSError) as error:
            found["why"] = f"{type(error).__name__}: {heard.last or error}"

    # The client's time-outs are between two bytes; a thread that is left behind ends with this process.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(order["seconds"])
    if thread.is_alive() or not found:
        return {"why": f"no answer within {order['seconds']:g} s" + (f" (last: {heard.last})" if heard.last else "")}
    return found


def _message(message: Any) -> dict[str, Any]:
    data = message.to_dict(mode="json") if hasattr(message, "to_dict") else None
    if not isinstance(data, dict) or data.get("role") != "assistant" or not isinstance(data.get("content"), list):
        return {"why": "the answer is not a message"}
    return data


if __name__ == "__main__":
    asked = json.loads(sys.stdin.buffer.read())
    confine(asked["url"])
    answered = json.dumps(run(asked, os.environ.pop("ANTHROPIC_API_KEY")))
    sys.stdout.write(answered)
    sys.stdout.flush()
    os._exit(0)  # a connection that hangs must not hold the process back
