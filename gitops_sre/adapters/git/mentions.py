"""Which files exist and which hold a text: looked up once by git, then kept up to date by what commits change.

What is known is named by tree ids. For another tree only the difference to the nearest known one is looked at, so
that a second question costs what changed, not what the repository holds.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence

from gitops_sre.adapters.git.history import below
from gitops_sre.adapters.git.objects import Difference, Entry, Objects
from gitops_sre.adapters.git.plumbing import RepositoryError, Runner

_LISTINGS, _DIFFERENCES, _NEEDLES = 4, 8, 256
_MANY = 2000
"""Changed files from which on it is quicker to ask git again."""
_PATHS = 200_000
"""Paths kept over all texts that were asked for."""


class Mentions:
    """Listings and searches of trees. Safe for threads."""

    def __init__(self, runner: Runner, objects: Objects) -> None:
        self._runner, self._objects = runner, objects
        self._lock = threading.RLock()
        self._listings: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._differences: OrderedDict[tuple[str, str], tuple[Difference, ...]] = OrderedDict()
        self._found: OrderedDict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]] = OrderedDict()
        self._paths = 0

    def files(self, root: str, under: str = "") -> tuple[str, ...]:
        """Paths of the regular files of a tree below a folder, sorted."""
        with self._lock:
            if (known := self._listings.get(root)) is None and under:
                return self._folder(root, under)
            if known is None:
                known = self._listing(root)
            self._listings[root] = known
            self._listings.move_to_end(root)
            while len(self._listings) > _LISTINGS:
                self._listings.popitem(last=False)
        if not under:
            return known
        return known[bisect_left(known, f"{under}/") : bisect_left(known, f"{under}0")]  # "0" comes after "/"

    def listed(self, root: str, names: Collection[str] = ()) -> Iterator[tuple[str, Entry]]:
        """Everything in a tree that is no folder, as git lists it; only what is called by one of `names`, if given."""
        output = self._runner.output(["ls-tree", "-r", "-z", "--full-tree", root])
        for line in output.decode("utf-8", "surrogateescape").split("\0"):
            head, _, path = line.partition("\t")
            if path and (not names or path.rpartition("/")[2] in names):
                mode, _, oid = head.split(" ")
                yield path, Entry(mode, oid)

    def find(self, root: str, text: str, under: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Paths of the regular files of a tree whose bytes hold a text, sorted."""
        with self._lock:
            key = (text, under)
            known = self._found.pop(key, None)
            self._paths -= len(known[1]) if known is not None else 0
            found = self._again(known, root, text, under) if known is not None else self._search(root, text, under)
            self._found[key] = (root, found)
            self._paths += len(found)
            while len(self._found) > _NEEDLES or (self._paths > _PATHS and len(self._found) > 1):
                self._paths -= len(self._found.popitem(last=False)[1][1])
            return found

    def _folder(self, root: str, under: str) -> tuple[str, ...]:
        here = root
        for part in under.split("/"):
            entry = self._objects.tree(here).get(part)
            if entry is None or not entry.folder:
                return ()
            here = entry.oid
        return tuple(sorted(path for path, entry in self._objects.leaves(here, f"{under}/") if entry.regular))

    def _listing(self, root: str) -> tuple[str, ...]:
        if self._listings and (changed := self._changed(last := next(reversed(self._listings)), root)) is not None:
            known = self._listings[last]
            gone = {path for path, before, after in changed if not (after and after.regular)}
            came = {
                path for path, before, after in changed if after and after.regular and not (before and before.regular)
            }
            if not came and not any(before and before.regular and path in gone for path, before, _ in changed):
                return known
            return tuple(sorted(came.union(path for path in known if path not in gone)))
        return tuple(sorted(path for path, entry in self.listed(root) if entry.regular))

    def _changed(self, before: str, after: str) -> tuple[Difference, ...] | None:
        """What differs between two trees; None when it is too much to look at one by one."""
        key = (before, after)
        if key not in self._differences:
            differences: list[Difference] = []
            for each in self._objects.differences(before, after):
                differences.append(each)
                if len(differences) > _MANY:
                    return None
            self._differences[key] = tuple(differences)
            while len(self._differences) > _DIFFERENCES:
                self._differences.popitem(last=False)
        return self._differences[key]

    def _again(
        self, known: tuple[str, tuple[str, ...]], root: str, text: str, under: tuple[str, ...]
    ) -> tuple[str, ...]:
        last, paths = known
        if last == root:
            return paths
        changed = self._changed(last, root)
        if changed is None:
            return self._search(root, text, under)
        mine = [each for each in changed if not under or below(each.path, under)]
        if not mine:
            return paths
        now = {path: after.oid for path, _, after in mine if after is not None and after.regular}
        contents, needle = self._objects.blobs(now.values()), _bytes(text)
        holding = {path for path, oid in now.items() if needle in contents[oid]}
        return tuple(sorted(holding.union(set(paths).difference(path for path, _, _ in mine))))

    def _search(self, root: str, text: str, under: Sequence[str]) -> tuple[str, ...]:
        """Ask git, which reads every file; a text of several lines by its longest one first."""
        line = max(text.replace("\0", "\n").split("\n"), key=len)
        command = ["grep", "-l", "-z", "-F", "--full-name", "--no-color", "--no-recurse-submodules", "-e", line]
        command += [root, "--", *under]
        status, output, error = self._runner.run(command)
        if error:  # also when it could not read some file and went on
            self._objects.have(entry.oid for path, entry in self.listed(root) if entry.regular and below(path, under))
            status, output, error = self._runner.run(command)
        if status > 1 or error:
            raise RepositoryError(f"`git grep` failed: {error}")
        names = output.decode("utf-8", "surrogateescape").split("\0")
        paths = sorted(name.removeprefix(f"{root}:") for name in names if name)
        return tuple(paths if line == text else [path for path in paths if self._holds(root, path, text)])

    def _holds(self, root: str, path: str, text: str) -> bool:
        here = root
        for part in path.split("/"):
            here = self._objects.tree(here)[part].oid
        return _bytes(text) in self._objects.blob(here)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
