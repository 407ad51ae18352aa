"""From a repository's remote to its name on GitHub and the address of GitHub's API."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitops_sre.cli.common import Failure

PUBLIC_API = "https://api.github.com"
_ELSEWHERE = ("gitlab.", "bitbucket.", "codeberg.org", "dev.azure.com", "gitea.", "sr.ht")
_URL = re.compile(r"(?:https?|ssh|git)://(?:[^/@\s]*@)?(?P<host>[A-Za-z0-9.-]+)(?::\d+)?/(?P<name>[^?#\s]+)")
_SCP = re.compile(r"(?:[^/@:\s]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<name>[^/?#\s][^?#\s]*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Home:
    """Where the infra repository is on GitHub: `owner/name` and the base address of the API; `by` says how it is
    known."""

    repository: str
    api_url: str
    by: str

    @property
    def owner(self) -> str:
        """Its owner's login."""
        return self.repository.partition("/")[0]


def home(url: str, repository: str, api_url: str) -> Home:
    """The home of a repository whose remote is `url`; what is given by hand wins. Raises Failure."""
    found = _URL.fullmatch(url) or _SCP.fullmatch(url)
    host = found["host"].lower() if found else ""
    name = repository or (found["name"].strip("/").removesuffix(".git") if found else "")
    by = "as given" if repository else f"the remote {url}"
    if not name:
        said = f"the remote {url} is no address on GitHub" if url else "there is no remote"
        raise Failure(f"{said}; name the repository with --repository OWNER/NAME")
    if not _NAME.fullmatch(name):
        raise Failure(f"{name}: not a repository's name on GitHub; give --repository OWNER/NAME")
    if not api_url and any(word in host for word in _ELSEWHERE):
        raise Failure(
            f"the remote {url} is not on GitHub, the only forge that is spoken to so far; nothing was written"
        )
    return Home(name, api_url or _api(host), by)


def _api(host: str) -> str:
    """The API of a host. Source: "Getting started with the REST API", for Enterprise Server and for ghe.com."""
    if host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return PUBLIC_API if host in ("", "github.com", "ssh.github.com", "www.github.com") else f"https://{host}/api/v3"
