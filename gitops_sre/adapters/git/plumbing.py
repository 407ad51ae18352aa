"""Running git: plumbing commands with an empty environment and an empty configuration, through GitPython.

Reading goes through a *view*: a folder of ours that borrows the objects of a repository and has a configuration of
its own. The repository's configuration (filters, helpers, signature programs, promisor remotes) is never read there,
so nothing in it can run, and what is missing is reported as missing instead of being fetched.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import BinaryIO

# Without it a missing git binary fails the import; it must be an answer of `head` that names the remedy.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git.cmd import Git
from git.exc import GitCommandError, GitCommandNotFound

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NOT_FOUND = 127
"""What `env` exits with when there is no such program."""
_PASSED_ON = (
    "PATH", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
)  # fmt: skip
"""The only variables of ours that git sees: where things are, and how to reach the network."""
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.symlinks": "false",
    "credential.helper": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "log.showSignature": "false",
    "submodule.recurse": "false",
}
"""What is set over any configuration: nothing of the repository's own runs."""


class RepositoryError(OSError):
    """The repository cannot answer about what it was asked for; the text names the remedy and holds no credentials."""


def environment(home: Path, settings: Mapping[str, str] | None = None, protocol: str = "none") -> dict[str, str]:
    """What git runs with: no configuration but ours, no prompts, no protocol but the one that is named."""
    config = {**_SETTINGS, **(settings or {})}
    numbered = {f"GIT_CONFIG_KEY_{n}": key for n, key in enumerate(config)}
    numbered |= {f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(config.values())}
    return {
        "GIT_CONFIG_COUNT": str(len(config)),
        **numbered,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": protocol,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "HOME": str(home),
    }


def sha(commit: str) -> str:
    """A full object id, or RepositoryError: nothing else reaches git's command line as one."""
    if not _SHA.fullmatch(commit):
        raise RepositoryError(f"{commit[:60]!r} is not a full commit SHA")
    return commit


def one_line(text: str) -> str:
    """An error on one line, without what is or looks like a credential."""
    text = re.sub(r"://[^/@\s]*@", "://***@", text)
    text = re.sub(r"(?i)(authorization|token|bearer|basic)([:=\s]+)\S+", r"\1\2***", text)
    return " ".join(text.split())[:300]


class Runner:
    """Runs git on one repository folder; `timeout` (seconds) bounds each process."""

    def __init__(
        self,
        folder: Path,
        timeout: float,
        redact: Callable[[str], str] = one_line,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        """`prepare` is called before each process: the folder may have to be made again."""
        self.folder, self._timeout, self._redact, self._prepare = folder, timeout, redact, prepare
        self._quiet = environment(folder.parent)

    def output(
        self, arguments: Sequence[str], stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> bytes:
        """What git says. Raises RepositoryError when it fails."""
        status, output, error = self.run(arguments, stdin, environment)
        if status != 0:
            raise RepositoryError(f"`git {arguments[0]}` failed: {error or 'no message'}")
        return output

    def run(
        self, arguments: Sequence[str], stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, str]:
        """Status, output and redacted error. Raises RepositoryError when git cannot be run or takes too long."""
        if not stdin:
            return self._run(arguments, environment or self._quiet, None)
        with tempfile.TemporaryFile() as source:
            source.write(stdin)
            source.seek(0)
            return self._run(arguments, environment or self._quiet, source)

    def start(self, arguments: Sequence[str]) -> Git.AutoInterrupt:
        """A process that lasts, with pipes."""
        command = self._command(arguments, self._quiet)
        try:
            return Git(self._place()).execute(command, istream=PIPE, as_process=True, env=self._quiet)
        except GitCommandNotFound as missing:
            raise RepositoryError("`env` is not on PATH") from missing

    def _run(
        self, arguments: Sequence[str], environment: Mapping[str, str], source: BinaryIO | None
    ) -> tuple[int, bytes, str]:
        try:
            status, output, error = Git(self._place()).execute(
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
            raise RepositoryError(self._redact(str(failed.stderr))) from None
        if str(error).startswith("Timeout:"):
            raise RepositoryError(f"`git {arguments[0]}` took more than {self._timeout:g} s")
        if status == _NOT_FOUND:
            raise RepositoryError("git is not on PATH; install it")
        return int(status), bytes(output), self._redact(str(error))

    def _place(self) -> Path:
        self._prepare()
        return self.folder if self.folder.is_dir() else self.folder.parent

    def _command(self, arguments: Iterable[str], environment: Mapping[str, str]) -> list[str]:
        """`env` takes away what GitPython hands on of our environment: other programs' credentials are in it."""
        kept = {*_PASSED_ON, *environment, "LC_ALL", "LANGUAGE"}
        hidden = [part for name in tuple(os.environ) if name not in kept for part in ("-u", name)]
        return ["env", *hidden, "git", f"--git-dir={self.folder}", "--literal-pathspecs", "--no-replace-objects",
                *arguments]  # fmt: skip


class View:
    """A folder that makes git read another repository's objects, and nothing else of it. Gone when it is closed, and
    made again by `prepare`.

    Raises OSError when the temporary folder cannot be written.
    """

    def __init__(self, objects: Path, shallow: Path, object_format: str) -> None:
        self._objects, self._shallow, self._format = objects, shallow, object_format
        self._lock = threading.Lock()
        self.folder = Path(tempfile.mkdtemp(prefix="gitops-sre-view-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._fill()

    def prepare(self) -> None:
        """Make the folder where it is gone. Raises OSError, also when somebody else has taken its name."""
        with self._lock:
            if not (self.folder / "HEAD").exists():
                self.folder.mkdir(mode=0o700)
                self._fill()

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fill(self) -> None:
        objects, shallow, object_format = self._objects, self._shallow, self._format
        (self.folder / "refs").mkdir()
        (self.folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        extensions = "" if object_format == "sha1" else f"[extensions]\n\tobjectFormat = {object_format}\n"
        core = f"[core]\n\tbare = true\n\trepositoryformatversion = {int(bool(extensions))}\n"
        (self.folder / "config").write_text(core + extensions, encoding="ascii")
        (self.folder / "objects").symlink_to(objects.absolute())
        (self.folder / "shallow").symlink_to(shallow.absolute())
