"""The infra repository through GitPython: a partial bare clone that is fetched, listed and read, never checked out.

Only plumbing commands run, on a repository without a work tree and with an empty configuration: hooks, filters,
submodules and helpers of the target repository have nothing to run in. Reads work offline by construction (no
protocol is allowed); the network is used by `head` and, for blobs that the clone left out, by one batched fetch.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import logging
import os
import re
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from subprocess import PIPE
from typing import IO
from urllib.parse import urlsplit

# Without it a missing git binary fails the import; it must be an answer of `head` that names the remedy.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git.cmd import Git
from git.exc import GitCommandError, GitCommandNotFound

from gitops_sre.model.change_feed import Commit
from gitops_sre.model.outcome import Unavailable

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH = re.compile(r"(?!-)(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[A-Za-z0-9._/-]+(?<![/.])")
_FORMAT = "%x00%x00%H%x00%P%x00%ct%x00%an%x00%s%x00"
_NOT_FOUND = 127
"""What `env` exits with when there is no such program."""
_REGULAR = frozenset({"100644", "100755"})
_SCHEMES = frozenset({"https", "http", "ssh", "file"})
_PASSED_ON = (
    "PATH", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
)  # fmt: skip
"""The only variables of ours that git sees: where things are, and how to reach the network."""
_TREES, _BLOBS = 16, 4096
"""Listings and file contents kept in memory; both are named by their content and never go stale."""

_log = logging.getLogger(__name__)


class RepositoryError(OSError):
    """The clone cannot answer about a commit that it was asked for; the text is free of credentials. Try later."""


@dataclass(frozen=True)
class _Entry:
    mode: str
    oid: str


class GitRepository:
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
        self._reader: Git.AutoInterrupt | None = None
        self._whole: set[str] = set()
        self._trees: OrderedDict[str, Mapping[str, _Entry]] = OrderedDict()
        self._blobs: OrderedDict[str, bytes] = OrderedDict()

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

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes at a commit; None when it is not there, is a symlink or a submodule."""
        entry = self._tree(commit).get(path)
        return None if entry is None else self._blob(commit, entry.oid)

    def files(self, commit: str, under: str = "") -> tuple[str, ...]:
        """Paths of the regular files below a folder at a commit, sorted."""
        prefix = f"{under.strip('/')}/" if under.strip("/") else ""
        return tuple(path for path in self._tree(commit) if path.startswith(prefix))

    def log(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Commit, ...]:
        """Commits reachable from a commit, newest first, first-parent, that touch any of `paths`.

        What the commits changed is fetched in one go, so that reading it afterwards needs no network.
        """
        options = ["--first-parent", "--diff-merges=first-parent", "--full-diff", "--no-renames", "--name-only"]
        options += ["--no-ext-diff", "--no-textconv", "--no-mailmap", "--no-decorate", f"--max-count={max(limit, 0)}"]
        if since is not None:
            options.append(f"--since=@{int(since.timestamp())}")
        output = self._local(
            ["log", "-z", f"--format={_FORMAT}", *options, "--end-of-options", _sha(commit), "--", *paths]
        )
        commits = tuple(_commits(output.decode("utf-8", "surrogateescape").split("\0")))
        try:
            self._complete({sha for found in commits for sha in (found.sha, *found.parents[:1])})
        except OSError as error:
            _log.warning("older file contents of %s could not be fetched: %s", self._url, error)
        return commits

    def contains(self, descendant: str, ancestor: str) -> bool | Unavailable:
        """Whether `ancestor` is `descendant` or one of its ancestors."""
        try:
            command = ["merge-base", "--is-ancestor", "--end-of-options", _sha(ancestor), _sha(descendant)]
            status, error = self._status(command)
        except OSError as failure:
            return Unavailable(f"git {self._url}: {failure}")
        if status in (0, 1):
            return status == 0
        return Unavailable(f"git {self._url}: {ancestor[:12]} and {descendant[:12]} cannot be compared ({error})")

    def export(self, commit: str, into: Path, under: Sequence[str] = ()) -> None:
        """Write the tree of a commit into an empty folder: regular files only.

        `under` names folders or files to restrict it to. Raises FileExistsError when the folder is not empty.
        """
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise FileExistsError(f"{into}: not empty; export into a new folder")
        for path, entry in self._tree(commit).items():
            if under and not any(path == part or path.startswith(f"{part.rstrip('/')}/") for part in under):
                continue
            place = into.joinpath(*_parts(path))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self._blob(commit, entry.oid))

    def close(self) -> None:
        """End the reading process; it starts again when needed."""
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None and reader.proc is not None:
            process = reader.proc
            process.kill()
            process.communicate()

    # -- fetching ------------------------------------------------------------------------------------------------

    def _fetch(self) -> str:
        ref = f"refs/heads/{self._branch}"
        if not (self._folder / "HEAD").is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._git(["init", "--quiet", "--bare", "--template=", "--", str(self._folder)], self._environment())
        self._remote([f"+{ref}:{ref}"])
        head = self._local(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"])
        commit = head.decode().strip()
        self._complete({commit})
        return commit

    def _remote(self, what: Sequence[str], stdin: bytes = b"") -> None:
        """Fetch from the remote. Left-out blobs are the server's choice: without filters it sends everything."""
        options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--filter=blob:none"]
        options += ["--no-auto-maintenance", *(["--stdin"] if stdin else [])]
        config = {"remote.origin.promisor": "true", "remote.origin.partialclonefilter": "blob:none"}
        environment = self._environment(network=True, config={**config, "remote.origin.url": self._url})
        self._git(["fetch", *options, "--", "origin", *what], environment, stdin=stdin)

    def _complete(self, commits: Iterable[str]) -> None:
        """Fetch in one batch the blobs of these commits that a partial clone left out; once for each commit."""
        wanted = sorted(set(commits) - self._whole)
        if not wanted:
            return
        listing = ["rev-list", "--no-walk", "--objects", "--no-object-names", "--missing=print", *wanted]
        missing = [line[1:] for line in self._local(listing).decode().split() if line.startswith("?")]
        if missing:
            with self._locked():
                self._remote([], stdin="\n".join(missing).encode() + b"\n")
                self.close()  # the reading process does not see packs that came after it
        self._whole.update(wanted)

    def _damaged(self) -> bool:
        """Whether the clone itself is broken, rather than the remote or the way to it."""
        if not (self._folder / "HEAD").is_file():
            return self._folder.exists()
        try:
            self._local(["rev-list", "--objects", "--missing=allow-any", "--quiet", "--all"])
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

    # -- reading -------------------------------------------------------------------------------------------------

    def _tree(self, commit: str) -> Mapping[str, _Entry]:
        """Regular files of a commit by path, sorted."""
        with self._lock:
            if _sha(commit) in self._trees:
                self._trees.move_to_end(commit)
                return self._trees[commit]
        listing = self._local(["ls-tree", "-r", "-z", "--full-tree", commit])
        tree = {path: entry for path, entry in _entries(listing) if entry.mode in _REGULAR}
        with self._lock:
            self._trees[commit] = tree = dict(sorted(tree.items()))
            while len(self._trees) > _TREES:
                self._trees.popitem(last=False)
        return tree

    def _blob(self, commit: str, oid: str) -> bytes:
        with self._lock:
            if (known := self._blobs.get(oid)) is not None:
                return known
            data = self._cat(oid)
        if data is None:
            self._whole.discard(commit)
            self._complete({commit})
            with self._lock:
                data = self._cat(oid)
        if data is None:
            raise RepositoryError(f"{self._url}: object {oid} is missing from the clone; fetch again")
        with self._lock:
            self._blobs[oid] = data
            while len(self._blobs) > _BLOBS:
                self._blobs.popitem(last=False)
        return data

    def _cat(self, oid: str) -> bytes | None:
        """One object through the lasting `cat-file` process; None when the clone has it not or the process died."""
        try:
            stdin, stdout = self._cat_pipes()
            stdin.write(oid.encode() + b"\n")
            stdin.flush()
            header = stdout.readline().split()
            if header[1:] == [b"missing"]:
                return None
            if header[1:2] == [b"blob"] and len(data := stdout.read(int(header[2]) + 1)) == int(header[2]) + 1:
                return data[:-1]
        except OSError as error:
            _log.warning("reading %s of %s failed: %s", oid, self._url, error)
        self.close()  # what it would say next belongs to this question
        return None

    def _cat_pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._reader is None:
            environment = self._environment()
            command = self._command(["cat-file", "--batch"], environment)
            self._reader = Git(self._folder).execute(command, istream=PIPE, as_process=True, env=environment)
        process = self._reader.proc
        if process is None or process.stdin is None or process.stdout is None:
            raise RepositoryError("the reading process has no pipes")
        return process.stdin, process.stdout

    # -- running -------------------------------------------------------------------------------------------------

    def _local(self, arguments: Sequence[str]) -> bytes:
        return self._git(arguments, self._environment())

    def _git(self, arguments: Sequence[str], environment: Mapping[str, str], stdin: bytes = b"") -> bytes:
        """Run git and give its output. Raises RepositoryError."""
        status, output, error = self._run(arguments, environment, stdin)
        if status != 0:
            raise RepositoryError(f"`git {arguments[0]}` failed: {self._redacted(error)}")
        return output

    def _status(self, arguments: Sequence[str]) -> tuple[int, str]:
        status, _, error = self._run(arguments, self._environment(), b"")
        return status, self._redacted(error)

    def _run(self, arguments: Sequence[str], environment: Mapping[str, str], stdin: bytes) -> tuple[int, bytes, str]:
        folder = self._folder if self._folder.is_dir() else self._folder.parent
        with tempfile.TemporaryFile() as source:
            source.write(stdin)
            source.seek(0)
            try:
                status, output, error = Git(folder).execute(
                    self._command(arguments, environment),
                    istream=source,
                    env=dict(environment),
                    with_extended_output=True,
                    with_exceptions=False,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                    kill_after_timeout=self._timeout,
                )
            except GitCommandNotFound as missing:
                raise RepositoryError("`env` is not on PATH") from missing
            except GitCommandError as failed:
                raise RepositoryError(self._redacted(str(failed.stderr))) from None
        if str(error).startswith("Timeout:"):
            raise RepositoryError(f"`git {arguments[0]}` took more than {self._timeout:g} s")
        if status == _NOT_FOUND:
            raise RepositoryError("git is not on PATH; install it")
        return int(status), bytes(output), str(error)

    def _command(self, arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """`env` takes away what GitPython hands on of our environment: other programs' credentials are in it."""
        kept = {*_PASSED_ON, *environment, "LC_ALL", "LANGUAGE"}
        hidden = [part for name in tuple(os.environ) if name not in kept for part in ("-u", name)]
        return [
            "env",
            *hidden,
            "git",
            f"--git-dir={self._folder}",
            "--literal-pathspecs",
            "--no-replace-objects",
            *arguments,
        ]

    def _environment(self, *, network: bool = False, config: Mapping[str, str] | None = None) -> dict[str, str]:
        """What git runs with: no configuration but ours, no prompts, no protocol unless it is to fetch."""
        scheme = urlsplit(self._url).scheme
        settings = {
            "core.hooksPath": os.devnull,
            "core.fsmonitor": "false",
            "core.symlinks": "false",
            "credential.helper": "",
            "gc.auto": "0",
            "maintenance.auto": "false",
            "http.followRedirects": "false",
            "http.lowSpeedLimit": "100",
            "http.lowSpeedTime": str(max(1, int(self._timeout))),
            **(config or {}),
        }
        if network and scheme in ("https", "http") and (basic := self._basic()):
            settings[f"http.{_origin(self._url)}.extraHeader"] = f"Authorization: Basic {basic}"
        numbered = {f"GIT_CONFIG_KEY_{n}": key for n, key in enumerate(settings)}
        numbered |= {f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(settings.values())}
        return {
            "GIT_CONFIG_COUNT": str(len(settings)),
            **numbered,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": scheme if network else "none",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
            "HOME": str(self._folder.parent),
        }

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
        text = re.sub(r"://[^/@\s]*@", "://***@", text)
        text = re.sub(r"(?i)(authorization|token|bearer|basic)([:=\s]+)\S+", r"\1\2***", text)
        return " ".join(text.split())[:300] or "no message"


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


def _sha(commit: str) -> str:
    if not _SHA.fullmatch(commit):
        raise RepositoryError(f"{commit[:60]!r} is not a full commit SHA")
    return commit


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if path.startswith("/") or any(part in ("..", ".", "") or part.lower() == ".git" for part in parts):
        raise RepositoryError(f"{path!r}: the tree holds a path that leads outside; refused")
    return parts


def _entries(listing: bytes) -> Iterable[tuple[str, _Entry]]:
    for line in listing.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            mode, _, oid = head.decode("ascii").split(" ")
            yield path.decode("utf-8", "surrogateescape"), _Entry(mode, oid)


def _commits(fields: Sequence[str]) -> Iterator[Commit]:
    """Parse `_FORMAT` with -z: after the five fields come an empty one, the changed files and an empty one."""
    at = 0
    while at + 7 < len(fields):
        sha, parents, time, author, subject = fields[at + 2 : at + 7]
        at = end = at + 8
        while end < len(fields) and fields[end]:
            end += 1
        files = tuple(sorted(path.removeprefix("\n") if n == 0 else path for n, path in enumerate(fields[at:end])))
        yield Commit(sha, datetime.fromtimestamp(int(time), UTC), author, subject, files, tuple(parents.split()))
        at = end
