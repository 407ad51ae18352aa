"""Repositories with a history, for tests that look back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gitops_sre.adapters.git import LocalRepository

_WHO = {
    "GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "dev@example.com", "GIT_COMMITTER_NAME": "Dev",
    "GIT_COMMITTER_EMAIL": "dev@example.com", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


class History:
    """A work tree that commits are made in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self._minute = 0
        self._opened: list[LocalRepository] = []

    def git(self, *arguments: str, stdin: str = "") -> str:
        """Run git in the work tree; what it prints."""
        at = f"2026-03-01T12:{getattr(self, '_minute', 0):02}:00Z"
        environment = {**os.environ, **_WHO, "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
        command = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, input=stdin.encode())
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, str | None], message: str = "change") -> str:
        """Write files (None: remove) and commit; the SHA."""
        self._minute += 1
        for path, text in files.items():
            place = self.folder / path
            if text is None:
                place.unlink()
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(text.encode())
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def repository(self) -> LocalRepository:
        """The repository as the bot reads it."""
        self._opened.append(LocalRepository(self.folder))
        return self._opened[-1]

    def close(self) -> None:
        """End the reading processes."""
        for each in self._opened:
            each.close()
