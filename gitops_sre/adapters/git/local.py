"""A repository that is on disk already, a work tree or a bare one: read, and left as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_sre.adapters.git.plumbing import RepositoryError, Runner, View
from gitops_sre.adapters.git.reader import CommitReader
from gitops_sre.model.outcome import Refused, Unavailable


@dataclass(frozen=True)
class Origin:
    """Where a repository on disk came from: the remote's URL (empty: there is none), without a user or password, and
    the name of its default branch (empty: not known)."""

    url: str
    branch: str


class LocalRepository(CommitReader):
    """ports.Repository over the root of a work tree (a linked one too) or over a bare repository.

    It never writes there, never fetches, and runs nothing that the repository names. `timeout` is in seconds and
    bounds each git process. Raises RepositoryError when there is no repository at `path`.
    """

    def __init__(self, path: Path, timeout: float = 60.0) -> None:
        self._path, self._own = path, Runner(git_folder(path), timeout)
        super().__init__(str(path), view_of(path, self._own), timeout)

    def head(self) -> str | Unavailable:
        """The commit that is checked out, or the default branch of a bare repository."""
        found = self.resolve("HEAD")
        if isinstance(found, Refused):
            return Unavailable(f"git {self._path}: there is no commit yet; commit or fetch first")
        return found

    def pull(self, number: int) -> tuple[str, str] | Unavailable:
        """A working copy knows of no pull requests."""
        return Unavailable(f"git {self._path}: #{number} is not looked at in a local copy")

    def resolve(self, revision: str) -> str | Refused | Unavailable:
        """The commit that a branch, tag, short id or expression like `HEAD~3` names."""
        if not revision or revision.startswith("-") or not revision.isprintable():
            return Refused(f"{revision!r} is not a revision; name a branch, a tag or a commit")
        question = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
        try:
            status, output, error = self._own.run(question)
        except RepositoryError as failure:
            return Unavailable(f"git {self._path}: {failure}")
        if status != 0:
            said = f" ({error})" if error else ""
            return Refused(f"{self._path}: no commit is named {revision!r}{said}; fetch it, or name another")
        return output.decode("ascii").strip()

    def origin(self) -> Origin:
        """The remote `origin`, else the only one there is. The default branch is what the remote said when it was
        cloned, else what is checked out. Raises RepositoryError."""
        remotes = self._said(["remote"]).split()
        name = "origin" if "origin" in remotes else remotes[0] if len(remotes) == 1 else ""
        url = self._said(["config", "--get", f"remote.{name}.url"]) if name else ""
        default = self._said(["symbolic-ref", "--quiet", f"refs/remotes/{name}/HEAD"]) if name else ""
        branch = default.removeprefix(f"refs/remotes/{name}/")
        branch = branch or self._said(["symbolic-ref", "--quiet", "HEAD"]).removeprefix("refs/heads/")
        return Origin(re.sub(r"(?<=://)[^/@]*@", "", url), branch)

    @property
    def bare(self) -> bool:
        """Whether it has no work tree. Raises RepositoryError."""
        return not (self._path / ".git").exists()

    def _said(self, question: Sequence[str]) -> str:
        """What git says; nothing where it has no answer."""
        status, output, _ = self._own.run(question)
        return output.decode("utf-8", "replace").strip() if status == 0 else ""

    def _obtain(self, oids: Sequence[str]) -> None:
        raise RepositoryError(
            f"{self._path}: object {oids[0]} is missing: the clone is shallow or partial; complete it with "
            "`git fetch --unshallow`, `git fetch --refetch --no-filter`, or clone it without --depth and --filter"
        )


def git_folder(path: Path) -> Path:
    """Where git keeps a repository: `.git` (a folder, or a file that names one), or the folder itself."""
    inner = path / ".git"
    if inner.exists():
        return inner.absolute()
    if (path / "HEAD").is_file() and (path / "objects").is_dir():
        return path.absolute()
    raise RepositoryError(f"{path}: no git repository; name the root of a work tree or a bare repository")


def view_of(path: Path, runner: Runner) -> View:
    """A view of the repository that `runner` runs on. Raises RepositoryError when git takes it for none."""
    question = ["rev-parse", "--show-object-format", "--git-path", "objects", "--git-path", "shallow"]
    try:
        said = runner.output(question).decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    except RepositoryError as error:
        raise RepositoryError(f"{path}: not a git repository ({error}); name the root of one") from error
    if len(said) != 3:
        raise RepositoryError(f"{path}: its name holds a line break; move it")
    return View(runner.folder / said[1], runner.folder / said[2], said[0])
