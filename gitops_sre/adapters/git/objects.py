"""Commits, trees and file contents by id, through one lasting `cat-file` process, with caches of bounded size.

Trees are read one by one where a path leads, never listed as a whole: a lookup costs the depth of its path, and two
commits are compared by looking only into the folders in which they differ.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, NamedTuple

from git.cmd import Git

from gitops_sre.adapters.git.plumbing import RepositoryError, Runner, sha

LARGEST = 64 * 1024 * 1024
"""Bytes of one object that are still read into memory."""
_BATCH = 400
"""Questions that are put before the first answer is read: they fit a pipe's buffer, so neither side waits."""
_COMMITS, _TREE_ENTRIES, _BLOB_BYTES = 1000, 120_000, 16 * 1024 * 1024
"""What is kept in memory: commits, entries of trees, bytes of files. All are named by content and never go stale."""

_log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """What a path is: its mode (`100644`, `100755`, `120000` a symlink, `160000` a submodule, `40000` a folder) and
    the id of its content."""

    mode: str
    oid: str

    @property
    def folder(self) -> bool:
        """Whether it holds other entries."""
        return self.mode == "40000"

    @property
    def regular(self) -> bool:
        """Whether it is a regular file."""
        return self.mode.startswith("100")


class Difference(NamedTuple):
    """A path that is not the same in two trees; None where it is not there."""

    path: str
    before: Entry | None
    after: Entry | None


class Batch:
    """The lasting `git cat-file --batch` process; it starts when needed and again when it has died."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._process: Git.AutoInterrupt | None = None

    def get(self, oids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """Kind and content of objects; those that the repository lacks are left out. Raises RepositoryError."""
        found: dict[str, tuple[str, bytes]] = {}
        rest = iter(oids)
        while part := list(islice(rest, _BATCH)):
            try:
                found.update(self._ask(part))
            except (OSError, ValueError) as error:
                self.close()  # what it would say next belongs to this question
                if isinstance(error, RepositoryError):
                    raise
                _log.warning("the reading process failed, once more: %s", error)
                found.update(self._again(part))
        return found

    def close(self) -> None:
        """End the process."""
        ended, self._process = self._process, None
        if ended is not None and ended.proc is not None:
            ended.proc.kill()
            ended.proc.communicate()

    def _again(self, oids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        try:
            return self._ask(oids)
        except (OSError, ValueError) as error:
            self.close()
            raise RepositoryError(f"reading {oids[0]} failed: {error}") from error

    def _ask(self, oids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        stdin, stdout = self._pipes()
        stdin.write("".join(f"{oid}\n" for oid in oids).encode("ascii"))
        stdin.flush()
        answers = ((oid, _answer(stdout)) for oid in oids)
        return {oid: answer for oid, answer in answers if answer is not None}

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            self._process = self._runner.start(["cat-file", "--batch"])
        process = self._process.proc
        if process is None or process.stdin is None or process.stdout is None:
            raise RepositoryError("the reading process has no pipes")
        return process.stdin, process.stdout


def _unlike(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    """The names under which two folders hold different things."""
    for name, entry in old.items():
        if (other := new.get(name)) != entry:
            yield name, entry, other
    yield from ((name, None, entry) for name, entry in new.items() if name not in old)


def _answer(stdout: IO[bytes]) -> tuple[str, bytes] | None:
    header = stdout.readline().split()
    if header[1:] == [b"missing"]:
        return None
    if len(header) != 3:
        raise OSError("it ended")
    size = int(header[2])
    if size > LARGEST:
        raise RepositoryError(f"object {header[0].decode()} has {size} bytes, more than {LARGEST}; it is not read")
    data = stdout.read(size + 1)
    if len(data) != size + 1:
        raise OSError("it ended within an object")
    return header[1].decode("ascii"), data[:-1]


class Objects:
    """Objects by id. `obtain` is asked once for those that are missing: a partial clone fetches them in one batch.
    Safe for threads. Raises RepositoryError for what stays missing."""

    def __init__(self, runner: Runner, obtain: Callable[[Sequence[str]], None]) -> None:
        self._runner, self._batch, self._obtain = runner, Batch(runner), obtain
        self._lock = threading.RLock()
        self._trees: OrderedDict[str, Mapping[str, Entry]] = OrderedDict()
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._commits: OrderedDict[str, tuple[str, tuple[str, ...]]] = OrderedDict()
        self._entries = self._bytes = 0

    def close(self) -> None:
        """End the reading process; it starts again when needed."""
        with self._lock:
            self._batch.close()

    def root(self, commit: str) -> str:
        """The tree of a commit."""
        return self._commit(commit)[0]

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents of a commit as it was made, also where the clone is shallow."""
        return self._commit(commit)[1]

    def entry(self, commit: str, path: str) -> Entry | None:
        """What a path is at a commit."""
        here: Entry | None = Entry("40000", self.root(commit))
        for part in path.split("/"):
            if here is None or not here.folder:
                return None
            here = self.tree(here.oid).get(part)
        return here

    def tree(self, oid: str) -> Mapping[str, Entry]:
        """The entries of a folder."""
        with self._lock:
            if (known := self._trees.get(oid)) is not None:
                self._trees.move_to_end(oid)
                return known
        return self.trees([oid])[oid]

    def trees(self, oids: Sequence[str]) -> dict[str, Mapping[str, Entry]]:
        """The entries of folders, read in one go."""
        if not oids:
            return {}
        with self._lock:
            known = {oid: self._trees[oid] for oid in oids if oid in self._trees}
            for oid in known:
                self._trees.move_to_end(oid)
        rest = [oid for oid in oids if oid not in known]
        fresh = {oid: dict(_entries(data, len(oid) // 2)) for oid, data in self._read(rest, "tree").items()}
        with self._lock:
            self._entries += sum(len(tree) for oid, tree in fresh.items() if oid not in self._trees)
            self._trees.update(fresh)
            while self._entries > _TREE_ENTRIES and len(self._trees) > 1:
                self._entries -= len(self._trees.popitem(last=False)[1])
        return {**known, **fresh}

    def leaves(self, oid: str, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """Everything below a folder that is no folder itself, level by level, so that a level is read in one go."""
        level = [(prefix, oid)]
        while level:
            below: list[tuple[str, str]] = []
            trees = self.trees(list(dict.fromkeys(tree for _, tree in level)))
            for folder, tree in level:
                for name, entry in trees[tree].items():
                    if entry.folder:
                        below.append((f"{folder}{name}/", entry.oid))
                    else:
                        yield f"{folder}{name}", entry
            level = below

    def differences(self, before: str, after: str) -> Iterator[Difference]:
        """What differs between two trees, level by level; an empty id is the empty tree."""
        level = [("", before, after)] if before != after else []
        while level:
            below: list[tuple[str, str, str]] = []
            trees = self.trees([oid for oid in dict.fromkeys(oid for pair in level for oid in pair[1:]) if oid])
            for prefix, one, other in level:
                for name, old, new in _unlike(trees.get(one, {}), trees.get(other, {})):
                    folders = [each.oid if each is not None and each.folder else "" for each in (old, new)]
                    if any(folders):
                        below.append((f"{prefix}{name}/", folders[0], folders[1]))
                    files = [None if each is None or each.folder else each for each in (old, new)]
                    if any(files):
                        yield Difference(prefix + name, files[0], files[1])
            level = below

    def blob(self, oid: str) -> bytes:
        """A file's content."""
        with self._lock:
            if (known := self._blobs.get(oid)) is not None:
                self._blobs.move_to_end(oid)
                return known
        return self.blobs([oid])[oid]

    def known(self, oid: str) -> bool:
        """Whether a file's content is there, without obtaining it."""
        with self._lock:
            return oid in self._blobs or bool(self._batch.get([sha(oid)]))

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """File contents, read in one pass; the missing ones are obtained in one batch."""
        wanted = list(dict.fromkeys(oids))
        with self._lock:
            known = {oid: data for oid in wanted if (data := self._blobs.get(oid)) is not None}
            for oid in known:
                self._blobs.move_to_end(oid)
        fresh = self._read([oid for oid in wanted if oid not in known], "blob")
        with self._lock:
            self._bytes += sum(len(data) for oid, data in fresh.items() if oid not in self._blobs)
            self._blobs.update(fresh)
            while self._bytes > _BLOB_BYTES:
                self._bytes -= len(self._blobs.popitem(last=False)[1])
        return {**known, **fresh}

    def have(self, oids: Iterable[str]) -> None:
        """Obtain in one batch what is missing of some files, without reading them. Raises RepositoryError."""
        if missing := self._lost(oids):
            self._obtain(missing)
            if still := self._lost(missing):
                raise RepositoryError(f"object {still[0]} is missing from the clone; fetch again")

    def _lost(self, oids: Iterable[str]) -> list[str]:
        wanted = "".join(f"{sha(oid)}\n" for oid in dict.fromkeys(oids))
        said = self._runner.output(["cat-file", "--batch-check", "--buffer"], wanted.encode()) if wanted else b""
        return [line.split(" ")[0] for line in said.decode("ascii").splitlines() if line.endswith(" missing")]

    def _commit(self, commit: str) -> tuple[str, tuple[str, ...]]:
        with self._lock:
            if (known := self._commits.get(commit)) is not None:
                return known
        data = self._read([commit], "commit")[commit]
        lines = data.partition(b"\n\n")[0].decode("ascii", "replace").split("\n")
        parents = tuple(line.removeprefix("parent ") for line in lines if line.startswith("parent "))
        with self._lock:
            self._commits[commit] = known = (lines[0].removeprefix("tree "), parents)
            while len(self._commits) > _COMMITS:
                self._commits.popitem(last=False)
        return known

    def _read(self, oids: Sequence[str], kind: str) -> dict[str, bytes]:
        """Objects of one kind. No lock is held while missing ones are obtained: that takes locks of its own."""
        for oid in oids:
            sha(oid)
        found = self._get(oids)
        missing = [oid for oid in oids if oid not in found]
        if missing:
            self._obtain(missing)
            found.update(self._get(missing))
        for oid in oids:
            if oid not in found:
                raise RepositoryError(f"object {oid} is missing from the clone; fetch again")
            if found[oid][0] != kind:
                raise RepositoryError(f"object {oid} is a {found[oid][0]}, not a {kind}")
        return {oid: data for oid, (_, data) in found.items()}

    def _get(self, oids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        with self._lock:
            return self._batch.get(oids) if oids else {}


def _entries(data: bytes, size: int) -> Iterator[tuple[str, Entry]]:
    """The entries of a tree object: `mode SP name NUL id`, the id being `size` bytes."""
    at, end = 0, len(data)
    while at < end:
        nul = data.index(b"\0", at)
        mode, _, name = data[at:nul].partition(b" ")
        at = nul + 1 + size
        yield (
            name.decode("utf-8", "surrogateescape"),
            Entry(_MODES.get(mode) or mode.decode(), data[nul + 1 : at].hex()),
        )


_MODES = {mode.encode(): mode for mode in ("100644", "100755", "120000", "160000", "40000")}
"""One text for each mode, however many entries have it."""
