"""Real repositories to read: a work tree, and a bare one that it pushes to."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
}


class Remote:
    """A work tree and the bare repository that it pushes to."""

    def __init__(self, folder: Path, *, partial: bool = True, object_format: str = "sha1") -> None:
        self.work, self.bare = folder / "work", folder / "remote.git"
        self.clock = datetime(2026, 3, 1, tzinfo=UTC)
        kind = ("-q", "-b", "main", f"--object-format={object_format}")
        self.git("init", *kind, str(self.work), cwd=folder)
        self.git("init", *kind, "--bare", str(self.bare), cwd=folder)
        if partial:
            self.git("config", "uploadpack.allowFilter", "true", cwd=self.bare)
            self.git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=self.bare)

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        stamp = {"GIT_COMMITTER_DATE": f"@{self.clock.timestamp():.0f} +0000"}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.work, env=ENV | stamp, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str | None], subject: str = "change") -> str:
        """Write (None: remove) and push; each commit is a minute later than the one before."""
        self.clock += timedelta(minutes=1)
        for name, content in files.items():
            path = self.work / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        self.git("push", "-q", "-f", str(self.bare), "HEAD:main")
        return self.git("rev-parse", "HEAD")
