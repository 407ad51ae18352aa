"""The branch that the reconciler follows, read from the bare repository."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from gitops_sre.sandbox.github.gitrepo import GitRepo


@dataclass(frozen=True)
class Logged:
    """One commit of the branch: its committer's time (Unix) and the paths it touched against its first parent."""

    sha: str
    at: float
    paths: tuple[str, ...]


class Watched:
    """Read-only view of one branch."""

    def __init__(self, repository: Path, branch: str) -> None:
        self.branch = branch
        self._repo = GitRepo(repository)

    def head(self) -> str:
        """The commit at the tip; empty while the branch does not exist."""
        return self._repo.ref(f"refs/heads/{self.branch}") or ""

    def changed(self, old: str, new: str) -> tuple[str, ...]:
        """Paths that differ between two commits."""
        out = self._repo.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new, "--")
        return tuple(path for path in out.decode().split("\0") if path)

    def log(self, head: str) -> tuple[Logged, ...]:
        """Every commit reachable by first parents, oldest first."""
        out = self._repo.run(
            "log",
            "--first-parent",
            "-m",
            "--reverse",
            "--no-renames",
            "-z",
            "--name-only",
            "--format=%x01%H %ct",
            head,
            "--",
        ).decode()
        commits = []
        for entry in out.split("\x01")[1:]:
            first, *paths = entry.replace("\n", "\0").split("\0")
            sha, _, at = first.partition(" ")
            commits.append(Logged(sha, float(at), tuple(path for path in paths if path)))
        return tuple(commits)

    def export(self, commit: str, into: Path) -> None:
        """Write the tree of a commit into a folder; no hooks or filters run."""
        archive = self._repo.run("archive", "--format=tar", commit)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            # Python 3.11 has the filter since 3.11.4; Debian 12 carries 3.11.2, for which mode bits stay as they are.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(into)  # noqa: S202 - the archive is git's own, of the sandbox's repository
