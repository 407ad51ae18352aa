"""What the last commits of a repository did, kept from one look to the next.

An incident is looked at every few seconds, and between two looks a commit or none has come. Commits, files and what
one content says against another are named by what they are, so what was read of them once stays true.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from gitops_sre.model.change_feed import Commit, FileChange, Revision
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source
from gitops_sre.perception.changes.fields import Comparison, compare
from gitops_sre.perception.changes.inputs import Ask, Inputs
from gitops_sre.ports import Repository

MAX_COMMITS = 2_000
_PEEK = 16
"""Commits that are asked for when only a few can be new."""
_KEPT = 20_000
"""Comparisons of files that are remembered, and answers to which commit holds which."""
_AT_ONCE = 500
"""Files whose contents are held in memory together."""

_K = TypeVar("_K")
_V = TypeVar("_V")
Key = tuple[str, str, str]
"""Path, and blob ids before and after."""


class Recent:
    """The first-parent history of one repository, as far back as was asked for. Safe for threads. It does not keep the
    repository alive. Raises OSError when the repository cannot be read."""

    def __init__(self, repository: Repository) -> None:
        self._repository: Repository = weakref.proxy(repository)
        self._lock = threading.RLock()
        self._since: datetime | None = None
        self._revisions: tuple[Revision, ...] = ()
        self._head = ""
        self._inputs = Inputs()
        self._compared: OrderedDict[Key, Comparison] = OrderedDict()
        self._holds: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def since(self, commit: str, since: datetime) -> tuple[Revision, ...] | Unavailable:
        """Every commit on the way from `commit` to one older than `since`, newest first, with what it changed."""
        with self._lock:
            if self._since is None or since < self._since or not self._moved_to(commit):
                revisions = _with_parents(self._repository.steps(commit, since=since, limit=MAX_COMMITS))
                if commit != self._head:
                    self._inputs.forget()
                self._keep(commit, since, revisions)
            found = tuple(each for each in self._revisions if each.commit.at >= since)
        if len(found) < MAX_COMMITS:
            return found
        why = f"more than {MAX_COMMITS} commits since {since:%Y-%m-%d %H:%M} UTC; lower timing.change_lookback"
        return Unavailable(why)

    def inputs(self, ask: Ask, commit: str, sources: Iterable[Source]) -> Mapping[Source, frozenset[str]]:
        """The files that each of some sources reads at a commit."""
        with self._lock:
            known = self._inputs if commit == self._head else Inputs()
            return known.of(ask, commit, sources)

    def compared(self, wanted: Sequence[tuple[Commit, Sequence[FileChange]]]) -> Mapping[Key, Comparison]:
        """What commits did to files, all contents read in a few batches."""
        with self._lock:
            known: dict[Key, Comparison] = {}
            fresh: list[FileChange] = []
            for commit, changes in wanted:
                for change in changes:
                    key = key_of(change)
                    if (there := self._compared.get(key)) is not None:
                        self._compared.move_to_end(key)
                        known[key] = there
                    elif change.plain:
                        fresh.append(change)
                    else:
                        known[key] = self._odd(commit, change)
            for start in range(0, len(fresh), _AT_ONCE):
                read = self._contents(fresh[start : start + _AT_ONCE])
                _remember(self._compared, read)
                known |= read
        return known

    def holds(self, revision: str, commit: str) -> bool | None:
        """Whether a revision is a commit or a descendant of it; None where that cannot be told."""
        with self._lock:
            if (known := self._holds.get((revision, commit))) is not None:
                return known
            answer = self._repository.contains(revision, commit)
            if isinstance(answer, Unavailable):
                return None
            _remember(self._holds, {(revision, commit): answer})
            return answer

    def _moved_to(self, commit: str) -> bool:
        """Take up the commits that have come on top of the last one; False when it is no longer on the way."""
        if commit == self._head:
            return True
        ahead = self._repository.steps(commit, since=self._since, limit=_PEEK)
        end = next((n for n, each in enumerate(ahead) if each.commit.sha == self._head), None)
        if end is None or self._since is None:
            return False
        fresh = _with_parents(ahead[:end])
        self._inputs.move(change for each in fresh for change in each.changes)
        self._keep(commit, self._since, (*fresh, *self._revisions))
        return True

    def _keep(self, head: str, since: datetime, revisions: tuple[Revision, ...]) -> None:
        self._head, self._since, self._revisions = head, since, revisions[:MAX_COMMITS]

    def _contents(self, changes: Sequence[FileChange]) -> dict[Key, Comparison]:
        ids = {oid for change in changes for oid in (change.before_blob, change.after_blob) if oid}
        contents = self._repository.blobs(ids)
        return {
            key_of(change): compare(path_of(change), contents.get(change.before_blob), contents.get(change.after_blob))
            for change in changes
        }

    def _odd(self, commit: Commit, change: FileChange) -> Comparison:
        """A symlink or a submodule has no content of its own here."""
        path = path_of(change)
        before, after = (self._repository.read(sha, path) for sha in (commit.parents[0], commit.sha))
        return compare(path, before, after)


def _with_parents(revisions: Iterable[Revision]) -> tuple[Revision, ...]:
    """Without the first one of a history: nothing before it can be compared."""
    return tuple(each for each in revisions if each.commit.parents)


def _remember(memory: OrderedDict[_K, _V], found: Mapping[_K, _V]) -> None:
    memory.update(found)
    while len(memory) > _KEPT:
        memory.popitem(last=False)


def path_of(change: FileChange) -> str:
    """Where the file is, or was."""
    return change.after_path or change.before_path


def key_of(change: FileChange) -> Key:
    """What a comparison depends on."""
    return path_of(change), change.before_blob, change.after_blob


def recent(repository: Repository) -> Recent:
    """What is known of a repository: one for all who ask, for as long as the repository lives."""
    with _SHARED_LOCK:
        if (known := _SHARED.get(repository)) is None:
            known = _SHARED[repository] = Recent(repository)
        return known


_SHARED: weakref.WeakKeyDictionary[Repository, Recent] = weakref.WeakKeyDictionary()
_SHARED_LOCK = threading.Lock()
