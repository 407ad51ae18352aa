"""A commit on top of another one, as objects only: no ref moves, no work tree and no index are needed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

from gitops_sre.adapters.git.local import git_folder, view_of
from gitops_sre.adapters.git.objects import Entry, Objects
from gitops_sre.adapters.git.plumbing import RepositoryError, Runner
from gitops_sre.adapters.git.reader import parts_of
from gitops_sre.model.change import FileEdit

_PERSON = re.compile(r"[^<>\x00-\x1f]+ <[^<>\x00-\x1f ]+>")
_NEW = "100644"

_Folder = dict[str, "_Folder | str"]
"""Changed names: a folder, or the id of a file's new content."""


class CommitWriter:
    """Writes commits into the object store of a repository: blobs, the folders on the way to them, and the commit.

    The repository's own configuration is not read and no ref is touched, so that what is written is found only by its
    id. `timeout` is in seconds. Raises RepositoryError; safe for one thread at a time.
    """

    def __init__(self, path: Path, timeout: float = 60.0) -> None:
        self._path = path
        self._view = view_of(path, Runner(git_folder(path), timeout))
        self._runner = Runner(self._view.folder, timeout, prepare=self._view.prepare)
        self._objects = Objects(self._runner, self._lost)

    def write(self, base: str, files: Sequence[FileEdit], message: str, author: str, at: datetime) -> str:
        """A commit whose parent is `base` and whose files are as `FileEdit.after` says; its SHA.

        Existing files keep their mode, new ones are plain. `author` is `Name <address>`. Refused with RepositoryError
        is what is a folder, a symlink or a submodule, and a file that does not hold `FileEdit.before` any more.
        """
        if not _PERSON.fullmatch(author) or "\\0" in message:
            raise RepositoryError(f"{author!r} is no `Name <address>`, or the message holds a NUL")
        for file in files:
            self._checked(base, file)
        folder: _Folder = {}
        for file, oid in zip(files, self._blobs(files), strict=True):
            _put(folder, parts_of(file.path), oid)
        tree = self._trees(self._objects.root(base), folder)
        stamp = f"{author} {int(at.timestamp())} +0000"
        text = f"tree {tree}\nparent {base}\nauthor {stamp}\ncommitter {stamp}\n\n{message.rstrip()}\n"
        written = self._runner.output(["hash-object", "-t", "commit", "-w", "--stdin"], text.encode())
        return written.decode("ascii").strip()

    def close(self) -> None:
        """End the reading process; it starts again when needed."""
        self._objects.close()

    def _lost(self, oids: Sequence[str]) -> None:
        raise RepositoryError(f"{self._path}: object {oids[0]} is missing; fetch it first")

    def _checked(self, base: str, file: FileEdit) -> None:
        entry = self._objects.entry(base, "/".join(parts_of(file.path)))
        if entry is not None and not entry.regular:
            raise RepositoryError(f"{file.path!r} is no regular file at {base[:12]}; it is not written")
        there = b"" if entry is None else self._objects.blob(entry.oid)
        if there != file.before.encode():
            raise RepositoryError(f"{file.path!r} is not what it was when the edit was made; plan again")

    def _blobs(self, files: Sequence[FileEdit]) -> list[str]:
        """Write the contents, all in one process: it takes them from files."""
        with tempfile.TemporaryDirectory() as folder:
            places = [Path(folder, str(number)) for number in range(len(files))]
            for place, file in zip(places, files, strict=True):
                place.write_bytes(file.after.encode())
            names = "".join(f"{place}\n" for place in places)
            written = self._runner.output(["hash-object", "-w", "--no-filters", "--stdin-paths"], names.encode())
            return written.decode("ascii").split()

    def _trees(self, root: str, folder: _Folder) -> str:
        """Write the folders that change, the innermost first, all in one process; the id of the new root."""
        started = self._runner.start(["mktree", "--batch", "--missing", "-z"])  # dropping it would end the process
        process = started.proc
        if process is None or process.stdin is None or process.stdout is None:
            raise RepositoryError("`git mktree` has no pipes")
        try:
            return self._tree(process.stdin, process.stdout, root, folder)
        except BrokenPipeError as error:
            raise RepositoryError(f"`git mktree` failed: {error}") from error
        finally:
            process.kill()
            process.communicate()

    def _tree(self, stdin: IO[bytes], stdout: IO[bytes], oid: str, folder: _Folder) -> str:
        entries = dict(self._objects.tree(oid)) if oid else {}
        for name, what in folder.items():
            old = entries.get(name)
            if isinstance(what, str):
                entries[name] = Entry(old.mode if old is not None else _NEW, what)
            elif old is None or old.folder:
                entries[name] = Entry("40000", self._tree(stdin, stdout, old.oid if old is not None else "", what))
            else:
                raise RepositoryError(f"{name!r} is no folder; nothing is written below it")
        lines = [
            f"{entry.mode} {_TYPES.get(entry.mode, 'blob')} {entry.oid}\t{name}\0" for name, entry in entries.items()
        ]
        stdin.write("".join([*lines, "\0"]).encode("utf-8", "surrogateescape"))
        stdin.flush()
        written = stdout.readline().decode("ascii").strip()
        if not written:
            raise RepositoryError("`git mktree` wrote no tree; look at the repository's disk space and permissions")
        return written


_TYPES = {"40000": "tree", "160000": "commit"}


def _put(folder: _Folder, parts: Sequence[str], oid: str) -> None:
    for part in parts[:-1]:
        inner = folder.setdefault(part, {})
        if isinstance(inner, str):
            raise RepositoryError(f"{part!r} is a file and a folder at once")
        folder = inner
    if parts[-1] in folder:
        raise RepositoryError(f"{'/'.join(parts)!r} is written twice")
    folder[parts[-1]] = oid
