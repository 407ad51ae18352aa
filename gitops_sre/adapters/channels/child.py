"""The process that sends one message: apprise and its more than a hundred services, kept apart from the bot.

It is started as a program with the message on its standard input, so that none of the bot's credentials is in its
memory or its environment, it can be ended when it hangs, and it reaches no host but those of the one address that it
was given. It imports nothing of ours.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

_ADDRESS = re.compile(r"https?://([^/\s\"'?#:]+)")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_NOT_THE_API = ("service_url", "setup_url", "image_url")
"""Attributes of apprise's services that name pages for people."""


class RefusedHostError(PermissionError):
    """The message would have gone somewhere else."""


def confine(hosts: Iterable[str], only: Sequence[str] = ()) -> list[str]:
    """From now on this process looks up no host but these (globs), none but those of `only` where that names any, and
    connects to no link-local address (where clouds keep credentials) but one that is named. For good: an audit hook
    cannot be taken away. What was refused, in a list that grows."""
    # Mail names the sending machine, whose own name is looked up for that.
    allowed = (*(host.lower() for host in hosts), socket.gethostname().lower(), socket.getfqdn().lower())
    anybody = tuple(host.lower() for host in (*only, socket.gethostname(), socket.getfqdn())) if only else ("*",)
    refused: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.getaddrinfo", "socket.gethostbyname"):
            name = _text(arguments[0])
            if name and not any(fnmatchcase(name, glob) for glob in anybody):
                refused.append(f"host {name} is not in network.only")
                raise RefusedHostError(refused[-1])
            if name and not any(fnmatchcase(name, glob) for glob in allowed):
                refused.append(f"host {name} is not this channel's; network.allow names further ones")
                raise RefusedHostError(refused[-1])
        elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
            name = _text(arguments[1][0])
            if _is_link_local(name) and name not in allowed:
                refused.append(f"{name} is a link-local address, which only network.allow opens")
                raise RefusedHostError(refused[-1])

    sys.addaudithook(hook)
    return refused


def _text(host: object) -> str:
    return (host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")).lower()


def _is_link_local(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_link_local
    except ValueError:
        return False


def addresses(service: Any) -> Iterator[str]:
    """The hosts that a service's messages go to, as globs: that of its address, and those that apprise's own code for
    the service names."""
    for attribute in ("host", "smtp_host"):
        named = getattr(service, attribute, None)
        if isinstance(named, str) and named:
            yield named
    for module in {base.__module__ for base in type(service).__mro__ if _is_plugin(base.__module__)}:
        for value in (*vars(sys.modules[module]).values(), *_attributes(type(service), module)):
            for text in _texts(value):
                for found in _ADDRESS.findall(text):
                    glob = re.sub(r"\{[^}]*\}", "*", found)
                    if re.search(r"[a-z0-9-]+\.[a-z]+$", glob):
                        yield glob


def _is_plugin(module: str) -> bool:
    return module.startswith("apprise.plugins.") and module != "apprise.plugins.base"


def _attributes(service: type, module: str) -> Iterator[object]:
    for base in service.__mro__:
        if base.__module__ == module:
            yield from (value for name, value in vars(base).items() if not name.startswith(_NOT_THE_API))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _texts(each)


def _proxies() -> Iterator[str]:
    for name in _PROXIES:
        host = urlsplit(os.environ.get(name, "")).hostname
        if host:
            yield host


class _Said(logging.Handler):
    """Keeps what apprise complains of; it hides secrets itself, and the parent hides them once more."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def run(order: dict[str, Any]) -> dict[str, object]:
    """Carry an order out: `url`, `title`, `body`, `urgent`, `hosts`, `only`, `timeout`; without `title` only look."""
    from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType  # noqa: PLC0415 - what hides is set up before

    said = _Said()
    logging.getLogger("apprise").addHandler(said)
    asset = AppriseAsset(async_mode=False, secure_logging=True, http_redirects=False)
    service = Apprise.instantiate(order["url"], asset=asset, suppress_exceptions=True)
    if service is None:
        return {"kind": "refused", "reason": "apprise does not understand its address"}
    name = str(getattr(service, "service_name", "") or type(service).__name__)
    if "title" not in order:
        return {"kind": "done", "reason": name}
    service.redirects = False  # whatever the address asks for
    service.socket_connect_timeout = service.socket_read_timeout = float(order["timeout"])
    refused = confine([*addresses(service), *_proxies(), *order["hosts"]], order["only"])
    kind = NotifyType.FAILURE if order["urgent"] else NotifyType.INFO
    try:
        sent = service.notify(order["body"], title=order["title"], notify_type=kind, body_format=NotifyFormat.TEXT)
    except (TypeError, ValueError, KeyError, OSError) as error:
        sent, said.lines[:] = False, [*said.lines, str(error) or type(error).__name__]
    if sent:
        return {"kind": "done", "reason": name}
    return {"kind": "unavailable", "reason": f"{name}: {'; '.join(refused or said.lines) or 'it was not taken'}"}


if __name__ == "__main__":
    answer = run(json.loads(sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps(answer))
