"""A wall around this process: from now on it looks up no name of a host but those that are listed.

An audit hook of the interpreter (PEP 578), so that it holds for every client, also for what a redirect, a proxy's
variable or a library would lead to. It cannot be taken down. Programs that are started have a network of their own:
git gets the address of the settings, which was held against the list; those that render get none.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

_LOOKUPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_hosts: set[str] = set()


class HostError(PermissionError):
    """Something wanted to reach a host that is not listed. An OSError: a client takes it for a host that is down."""


def only(hosts: Iterable[str]) -> None:
    """Let this process reach these hosts (names, addresses or globs), and those of earlier calls, and no others."""
    first = not _hosts
    _hosts.update(host.lower() for host in hosts)
    if first and _hosts:
        # Servers of ours ask for what they listen on.
        _hosts.update(("localhost", "127.0.0.1", "::1", "0.0.0.0", "::", socket.gethostname().lower()))  # noqa: S104
        sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _LOOKUPS:
        return
    given = arguments[0]
    name = (given.decode("ascii", "replace") if isinstance(given, bytes) else str(given or "")).lower()
    if name and not any(fnmatchcase(name, glob) for glob in _hosts):
        raise HostError(f"host {name} is not in network.only; add it there if it may be reached")
