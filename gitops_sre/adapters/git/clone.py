"""A remote's branch as a partial bare clone in a cache: fetched, read, never checked out.

The network is used by `head` and, for file contents that the clone left out, by one batched fetch each time.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from gitops_sre.adapters.git.plumbing import RepositoryError, Runner, View, environment, one_line
from gitops_sre.adapters.git.reader import CommitReader
from gitops_sre.model.change_feed import Revision
from gitops_sre.model.outcome import Unavailable

_BRANCH = re.compile(r"(?!-)(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[A-Za-z0-9._/-]+(?<![/.])")
_SCHEMES = frozenset({"https", "http", "ssh", "file"})

_log = logging.getLogger(__name__)


class GitRepository(CommitReader):
    """ports.Repository over one branch of one remote, cached below `cache`.

    `credentials` gives a token (for HTTPS) at each fetch, so that short-lived ones are asked for anew; it may raise
    OSError. `timeout` is in seconds and bounds each git process. Reads raise RepositoryError when the clone lacks what
    is asked for and the remote does not give it. Safe for threads, and for processes that share the cache.
    """

    def __init__(
        self, url: str, branch: str, cache: Path, credentials: Callable[[], str] | None = None, timeout: float = 60.0
    ) -> None:
        """Raises ValueError for a URL or branch that is not allowed."""
        self._url, self._branch = _allowed_url(url), branch
        if not _BRANCH.fullmatch(branch):
            raise ValueError(f"{branch!r} is not a branch name; check github.branch in the settings")
        name = hashlib.sha256(f"{self._url}\n{branch}".encode()).hexdigest()[:16]
        self._folder = cache.absolute() / f"{name}.git"
        self._lockfile = cache.absolute() / f"{name}.lock"
        self._credentials, self._timeout = credentials, timeout
        self._lock = threading.RLock()
        self._holding = False
        self._secrets: tuple[str, ...] = ()
        self._whole: set[str] = set()
        self._own = Runner(self._folder, timeout, self._redacted)
        super().__init__(self._url, View(self._folder / "objects", self._folder / "shallow", "sha1"), timeout)

    def head(self) -> str | Unavailable:
        """Fetch, then the SHA at the tip of the watched branch. A clone that is damaged is made again."""
        try:
            with self._locked():
                try:
                    return self._fetch()
                except RepositoryError:
                    if not self._damaged():
                        raise
                    _log.warning("the clone of %s is damaged: cloning again", self._url)
                    self.close()
                    self._whole.clear()
                    shutil.rmtree(self._folder, ignore_errors=True)
                    return self._fetch()
        except OSError as error:
            return Unavailable(f"git {self._url}: {error}")

    def pull(self, number: int) -> tuple[str, str] | Unavailable:
        """Fetch a pull request, a fork's too: the commit where it left the watched branch, and its head."""
        try:
            with self._locked():
                tip = self._fetch()
                self._remote([f"+refs/pull/{number:d}/head:refs/pull/head"])
                head = self._commit("refs/pull/head")
                base = self._own.output(["merge-base", "--end-of-options", tip, head]).decode().strip()
                self._complete({base, head})
        except OSError as error:
            return Unavailable(f"git {self._url}: #{number}: {error}")
        return base, head

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes at a commit; None when it is not there, is a symlink or a submodule.

        Where the clone left it out, everything of the commit is fetched in one go, since more will be asked for.
        """
        entry = self._objects.entry(commit, path)
        if entry is not None and entry.regular and not self._objects.known(entry.oid):
            self._whole.discard(commit)
            self._complete({commit})
        return super().read(commit, path)

    def steps(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Revision, ...]:
        """What `log` gives, each with all that it changed against its first parent; renames are not looked for.

        The contents of what the commits changed are fetched in one go, so that reading them needs no network.
        """
        steps = super().steps(commit, since=since, paths=paths, limit=limit)
        try:
            self._complete({sha for each in steps for sha in (each.commit.sha, *each.commit.parents[:1])})
        except OSError as error:
            _log.warning("older file contents of %s could not be fetched: %s", self._url, error)
        return steps

    def _fetch(self) -> str:
        ref = f"refs/heads/{self._branch}"
        if not (self._folder / "HEAD").is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._own.output(["init", "--quiet", "--bare", "--template=", "--", str(self._folder)])
        self._remote([f"+{ref}:{ref}"])
        commit = self._commit(ref)
        self._complete({commit})
        return commit

    def _commit(self, ref: str) -> str:
        found = self._own.output(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"])
        return found.decode().strip()

    def _remote(self, what: Sequence[str], stdin: bytes = b"") -> None:
        """Fetch from the remote. Left-out blobs are the server's choice: without filters it sends everything."""
        options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--filter=blob:none"]
        options += ["--no-auto-maintenance", *(["--stdin"] if stdin else [])]
        self._own.output(["fetch", *options, "--", "origin", *what], stdin, self._network())

    def _complete(self, commits: Iterable[str]) -> None:
        """Fetch in one batch the blobs of these commits that a partial clone left out; once for each commit."""
        wanted = sorted(set(commits) - self._whole)
        if not wanted:
            return
        listing = ["rev-list", "--no-walk", "--objects", "--no-object-names", "--missing=print", *wanted]
        missing = [line[1:] for line in self._reading.output(listing).decode().split() if line.startswith("?")]
        if missing:
            self._obtain(missing)
        self._whole.update(wanted)

    def _obtain(self, oids: Sequence[str]) -> None:
        """Fetch objects that the clone left out, in one batch."""
        with self._locked():
            self._remote([], stdin="\n".join(oids).encode() + b"\n")
        self.close()  # the reading process does not see packs that came after it

    def _damaged(self) -> bool:
        """Whether the clone itself is broken, rather than the remote or the way to it."""
        if not (self._folder / "HEAD").is_file():
            return self._folder.exists()
        try:
            self._own.output(["rev-list", "--objects", "--missing=allow-any", "--quiet", "--all"])
        except RepositoryError:
            return True
        return False

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process and one thread fetches at a time; entering again from within is free."""
        with self._lock:
            if self._holding:
                yield
                return
            self._lockfile.parent.mkdir(parents=True, exist_ok=True)
            with self._lockfile.open("wb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                self._holding = True
                try:
                    yield
                finally:
                    self._holding = False

    def _network(self) -> dict[str, str]:
        """What git fetches with: the remote and the token are given for this once and never written down."""
        scheme = urlsplit(self._url).scheme
        settings = {
            "remote.origin.url": self._url,
            "remote.origin.promisor": "true",
            "remote.origin.partialclonefilter": "blob:none",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "100",
            "http.lowSpeedTime": str(max(1, int(self._timeout))),
        }
        if scheme in ("https", "http") and (basic := self._basic()):
            settings[f"http.{_origin(self._url)}.extraHeader"] = f"Authorization: Basic {basic}"
        return environment(self._folder.parent, settings, scheme)

    def _basic(self) -> str:
        token = self._credentials() if self._credentials is not None else ""
        if not token:
            return ""
        header = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        self._secrets = (token, header)
        return header

    def _redacted(self, text: str) -> str:
        """An error on one line, without what is or looks like a credential."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return one_line(text)


def _allowed_url(url: str) -> str:
    """The URL, when git may be pointed at it; a local path becomes file://. Raises ValueError."""
    if url.startswith("/"):
        url = f"file://{url}"
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not url.isprintable():
        raise ValueError(
            f"the repository URL must be https, ssh or file; check github.git_url (scheme {parts.scheme!r})"
        )
    if parts.password or (parts.username and parts.scheme != "ssh") or (parts.hostname or "").startswith("-"):
        raise ValueError("the repository URL must not hold credentials; give a token or an App instead")
    return url


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"
