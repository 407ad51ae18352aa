"""Fields followed back in time, through lines that moved and files that were renamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gitops_sre.gitops.alignment import Follower
from gitops_sre.gitops.files import decoded
from gitops_sre.model.change import Field
from gitops_sre.model.change_feed import Revision
from gitops_sre.ports import Repository
from gitops_sre.yamltext import Place, leaves

LOOK_BACK = 400
"""Revisions of a field's files that are searched for its last different value."""
_BATCH = 20
"""Revisions whose file contents are read at once."""


@dataclass(frozen=True)
class Change:
    """A commit that changed fields, and what they held before it, in the order of the fields (None: not there)."""

    revision: Revision
    before: tuple[str | None, ...]


class Looker:
    """Follows fields back in time, one change of any of them after the other; no step is taken twice."""

    def __init__(self, repository: Repository, commit: str, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self._repository = repository
        self._known: list[Change] = []
        self._next = 0
        self._where: list[Place | None] = [(field.document, field.path) for field in fields]
        self._files = [field.file for field in fields]
        self._values: list[str | None] = [field.value for field in fields]
        self._revisions = repository.revisions(commit, sorted(set(self._files)), limit=LOOK_BACK)
        self._blobs: dict[str, bytes] = {}

    def changes(self) -> Iterator[Change]:
        """Newest first, each time from the newest. Raises YamlTextError when a file could not be read at some time."""
        at = 0
        while at < len(self._known) or self._found():
            yield self._known[at]
            at += 1

    def _found(self) -> bool:
        """Go back to the next change, if there is one."""
        while self._next < len(self._revisions):
            if self._next % _BATCH == 0:
                self._fetch(self._revisions[self._next : self._next + _BATCH])
            revision = self._revisions[self._next]
            changed = self._step(revision)
            self._next += 1
            if changed:
                self._known.append(Change(revision, tuple(self._values)))
                return True
        return False

    def _fetch(self, revisions: Sequence[Revision]) -> None:
        wanted = {b for r in revisions for c in r.changes for b in (c.before_blob, c.after_blob) if b and c.plain}
        self._blobs = dict(self._repository.blobs(wanted))

    def _step(self, revision: Revision) -> bool:
        """Go back over one revision; whether a field had another value before it."""
        changed = False
        for change in revision.changes:
            mine = [at for at, file in enumerate(self._files) if file == change.after_path and self._where[at]]
            before = self._text(change.before_path, change.before_blob)
            after = self._text(change.after_path, change.after_blob)
            for at in mine:
                self._files[at] = change.before_path or change.after_path
                was = self._values[at]
                self._where[at], self._values[at] = self._back(before, after, at)
                changed |= was != self._values[at]
        return changed

    def _text(self, path: str, blob: str) -> str:
        return decoded(path, self._blobs[blob]) if blob else ""

    def _back(self, before: str, after: str, at: int) -> tuple[Place | None, str | None]:
        place = self._where[at]
        old = leaves(before)
        if place is None or old.get(place) == self._values[at]:
            return place, self._values[at]
        there = follower(after, before).leaf(place)
        return there, old[there] if there is not None else None


@lru_cache(maxsize=256)
def follower(one: str, two: str) -> Follower:
    """Where places of one text stand in another."""
    return Follower(leaves(one), leaves(two))
