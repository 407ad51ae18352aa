"""Which hosts the settings name, held against the list of those that may be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from gitops_sre.settings import Settings

_SCP = re.compile(r"^(?:[^/@:]+@)?([A-Za-z0-9.-]+):(?!//)")
"""Git's other way to write an address: `user@host:path`."""


def web_url(api_url: str) -> str:
    """The address for browsers, and of repositories, that belongs to that of a GitHub API: `https://HOST/api/v3` on
    Enterprise Server, `https://api.NAME.ghe.com` on Enterprise Cloud with data residency."""
    parts = urlsplit(api_url)
    cloud = parts.netloc == "api.github.com" or parts.netloc.endswith(".ghe.com")
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.') if cloud else parts.netloc}"


def named(settings: Settings) -> Iterator[tuple[str, str]]:
    """(setting, host) for each address; a file or socket of this machine has none."""
    github = settings.github
    addresses = [("github.api_url", github.api_url), ("github.git_url", github.git_url or web_url(github.api_url))]
    addresses.append(("prometheus.url", settings.prometheus.url))
    if settings.alertmanager is not None:
        addresses.append(("alertmanager.url", settings.alertmanager.url))
    if settings.investigator is not None:
        addresses.append(("investigator.url", settings.investigator.url))
    addresses.append(("engine.database_url", settings.engine.database_url))
    for name, address in addresses:
        if host := _host(address):
            yield name, host


def _host(address: str) -> str:
    written = _SCP.match(address)
    return written[1].lower() if written else (urlsplit(address).hostname or "").lower()


def beyond(settings: Settings) -> str:
    """Which setting names a host that `network.only` does not, with the remedy; empty where all are among them."""
    only = settings.network.only
    for name, host in named(settings) if only else ():
        if not allowed(host, only):
            return f"{name}: host {host} is not in network.only; add it there, or name another address"
    return ""


def allowed(host: str, only: tuple[str, ...]) -> bool:
    """Whether a host is one of these names or globs."""
    return any(fnmatchcase(host.lower(), glob.lower()) for glob in only)
