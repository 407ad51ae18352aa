"""ports.Repository's questions about commits, answered from the objects of a repository on disk."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePosixPath

from gitops_sre.adapters.git import history
from gitops_sre.adapters.git.mentions import Mentions
from gitops_sre.adapters.git.objects import Difference, Objects
from gitops_sre.adapters.git.plumbing import RepositoryError, Runner, View, sha
from gitops_sre.model.change_feed import Commit, FileChange, Revision
from gitops_sre.model.outcome import Unavailable

_STRETCHES = 16
"""Stretches of history that are looked at for older names of files: a file is not followed further than that."""
_SIMILAR = "-M50%"
"""A file that went and one that came are a rename when half of it is the same: git's own default."""

_log = logging.getLogger(__name__)


class CommitReader(ABC):
    """Reads one repository at exact commits. Raises RepositoryError when it lacks what is asked for."""

    def __init__(self, name: str, view: View, timeout: float) -> None:
        self._name, self._view = name, view
        self._reading = Runner(view.folder, timeout, prepare=view.prepare)
        self._objects = Objects(self._reading, self._obtain)
        self._mentions = Mentions(self._reading, self._objects)

    @abstractmethod
    def _obtain(self, oids: Sequence[str]) -> None:
        """Get missing objects in one batch, where there is a place to get them from. Raises RepositoryError."""

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes at a commit; None when it is not there, is a symlink or a submodule."""
        entry = self._objects.entry(commit, path)
        return self._objects.blob(entry.oid) if entry is not None and entry.regular else None

    def files(self, commit: str, under: str = "") -> tuple[str, ...]:
        """Paths of the regular files below a folder at a commit, sorted."""
        return self._mentions.files(self._objects.root(commit), under.strip("/"))

    def log(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Commit, ...]:
        """Commits reachable from a commit, newest first, first-parent, that touch any of `paths`."""
        return tuple(each.commit for each in self.steps(commit, since=since, paths=paths, limit=limit))

    def steps(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Revision, ...]:
        """What `log` gives, each with all that it changed against its first parent; renames are not looked for."""
        options = [
            "--first-parent",
            "--diff-merges=first-parent",
            *([f"--since=@{int(since.timestamp())}"] if since is not None else []),
        ]
        return tuple(Revision(each.commit, each.changes) for each in self._logged(commit, options, paths, limit))

    def changed(self, commit: str) -> tuple[FileChange, ...]:
        """What a commit did against its first parent (the empty tree for a root), renames found."""
        parents = self._objects.parents(commit)
        before = self._objects.root(parents[0]) if parents else ""
        after = self._objects.root(commit)
        changes = tuple(_as_change(each) for each in self._objects.differences(before, after))
        return self._renamed(before, after, changes) if before else _sorted(changes)

    def between(self, before: str, after: str, names: Collection[str] = ()) -> tuple[FileChange, ...]:
        """What differs between two commits, without looking for renames; an empty `before` is the empty tree.

        `names` restricts it to files that are called so, in whatever folder.
        """
        root = self._objects.root(after)
        if before:
            found = self._objects.differences(self._objects.root(before), root)
        else:
            found = (Difference(path, None, entry) for path, entry in self._mentions.listed(root, names))
        return tuple(_as_change(each) for each in found if not names or each.path.rpartition("/")[2] in names)

    def revisions(self, commit: str, paths: Sequence[str], *, limit: int = 200) -> tuple[Revision, ...]:
        """Commits reachable from a commit, newest first, that touch any of `paths`, each with the changes to them.

        A merge counts only where it differs from every parent (git's default history simplification). A file that was
        renamed is followed under its older name. No `paths`: everything.
        """
        segments: list[tuple[Revision, ...]] = []
        ahead = [(commit, [path.strip("/") for path in paths])]
        for start, names in ahead:
            segment = []
            for each in self._logged(start, ["--no-diff-merges"], names, limit):
                found = self._followed(each, names)
                segment.append(Revision(found.commit, history.touching(found.changes, names)))
                older = [name for name in _older(segment[-1].changes) if not history.below(name, names)]
                if older and len(ahead) < _STRETCHES:
                    ahead.append((each.commit.parents[0], older))
            segments.append(tuple(segment))
        return tuple(islice(history.merged(segments), limit))

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes]:
        """File contents by blob id, read (and where they are missing, fetched) in one batch."""
        return self._objects.blobs(oids)

    def mentioning(self, commit: str, text: str, under: Sequence[str] = ()) -> tuple[str, ...]:
        """Paths of the regular files at a commit, sorted, whose bytes hold a text; only below `under` where given."""
        return self._mentions.find(self._objects.root(commit), text, tuple(part.strip("/") for part in under))

    def contains(self, descendant: str, ancestor: str) -> bool | Unavailable:
        """Whether `ancestor` is `descendant` or one of its ancestors."""
        try:
            command = ["merge-base", "--is-ancestor", "--end-of-options", sha(ancestor), sha(descendant)]
            status, _, error = self._reading.run(command)
        except OSError as failure:
            return Unavailable(f"git {self._name}: {failure}")
        if status == 1 and self._shallow():
            error = "the clone is shallow; run `git fetch --unshallow`"
        elif status in (0, 1):
            return status == 0
        return Unavailable(
            f"git {self._name}: {ancestor[:12]} and {descendant[:12]} cannot be compared ({error or 'no message'})"
        )

    def export(self, commit: str, into: Path, under: Sequence[str] = ()) -> None:
        """Write the tree of a commit into an empty folder: regular files only.

        `under` names folders or files to restrict it to. Raises FileExistsError when the folder is not empty.
        """
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise FileExistsError(f"{into}: not empty; export into a new folder")
        parts = frozenset(part.rstrip("/") for part in under)
        leaves = self._objects.leaves(self._objects.root(commit))
        wanted = [(parts_of(path), entry.oid) for path, entry in leaves
                  if entry.regular and (not parts or "" in parts or _within(path, parts))]  # fmt: skip
        self._objects.have(oid for _, oid in wanted)
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            contents = self._objects.blobs(oid for _, oid in some)
            for names, oid in some:
                place = into.joinpath(*names)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(contents[oid])

    def close(self) -> None:
        """End the reading process and remove its folder; both are made again when needed."""
        self._objects.close()
        self._view.close()

    def _logged(
        self, commit: str, options: Sequence[str], paths: Sequence[str], limit: int
    ) -> tuple[history.Logged, ...]:
        """The log, without the commits at which a shallow clone ends: what those did is not known."""
        paths = [] if "" in paths else paths
        command = ["log", *history.OPTIONS, *options, f"--max-count={max(limit, 0)}", "--end-of-options", sha(commit)]
        found = tuple(history.logged(self._reading.output([*command, "--", *paths])))
        ends = self._shallow()
        known = tuple(each for each in found if each.commit.sha not in ends)
        if found and not known:
            raise RepositoryError(f"{self._name}: the clone is shallow, so its history ends at "
                                  f"{found[0].commit.sha[:12]}; run `git fetch --unshallow`")  # fmt: skip
        return known

    def _shallow(self) -> frozenset[str]:
        """The commits whose parents the clone was told to leave out."""
        self._view.prepare()
        try:
            return frozenset((self._view.folder / "shallow").read_text(encoding="ascii").split())
        except FileNotFoundError:
            return frozenset()

    def _followed(self, logged: history.Logged, paths: Sequence[str]) -> history.Logged:
        """A commit with what its log does not tell: a merge's changes, and renames where one of the paths came."""
        if len(logged.commit.parents) > 1:
            logged = logged.having(self.between(logged.commit.parents[0], logged.commit.sha))
        came = any(each.after_path and not each.before_path for each in history.touching(logged.changes, paths))
        if came and any(not each.after_path for each in logged.changes):
            return history.Logged(logged.commit, self.changed(logged.commit.sha))
        return logged

    def _renamed(self, before: str, after: str, changes: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
        """The same changes with what went and came as renames where git finds the contents alike."""
        came = [change.after_blob for change in changes if not change.before_path]
        went = [change.before_blob for change in changes if not change.after_path]
        if not came or not went:
            return _sorted(changes)
        files = {change.before_blob or change.after_blob for change in changes if change.plain}
        self._objects.blobs(oid for oid in (*came, *went) if oid in files)  # git itself would not fetch them
        options = ["-r", "-z", "--raw", "--no-abbrev", _SIMILAR, "--no-ext-diff", "--no-textconv"]
        output = self._reading.output(["diff-tree", *options, "--end-of-options", before, after])
        return _sorted(history.raw_changes(output.decode("utf-8", "surrogateescape").split("\0")))


_AT_ONCE = 200
"""Files that are held in memory together while a tree is written out."""


def _within(path: str, places: frozenset[str]) -> bool:
    """Whether a path or a folder above it is one of many places, in a time that does not grow with their number."""
    end = len(path)
    while end > 0:
        if path[:end] in places:
            return True
        end = path.rfind("/", 0, end)
    return False


def _as_change(difference: Difference) -> FileChange:
    path, before, after = difference
    return history.change(path, path, before or ("", ""), after or ("", ""))


def _sorted(changes: Iterable[FileChange]) -> tuple[FileChange, ...]:
    return tuple(sorted(changes, key=lambda change: (change.after_path or change.before_path, change.before_path)))


def _older(changes: Iterable[FileChange]) -> list[str]:
    """The names that files had before."""
    return [each.before_path for each in changes if each.before_path and each.after_path not in ("", each.before_path)]


def parts_of(path: str) -> tuple[str, ...]:
    """The names that a path is made of. Raises RepositoryError when it leads outside or into `.git`."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or any(part in ("..", ".", "") or part.lower() == ".git" for part in parts):
        raise RepositoryError(f"{path!r}: the tree holds a path that leads outside; refused")
    return parts
