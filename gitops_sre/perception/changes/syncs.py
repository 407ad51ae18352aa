"""When a commit really went live: the first sync that brought it, by what Argo CD and Flux keep of their syncs.

Two commits of the branch are told apart by their order there; only for a revision that is not among the recent ones of
the branch (another branch, a tag) is the repository asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gitops_sre.model.change_feed import Commit
from gitops_sre.model.live import Application, Sync
from gitops_sre.model.target import Source

_NOT_YET = datetime.max.replace(tzinfo=UTC)
MAX_FOREIGN = 50
"""Revisions outside of the branch that are looked at; what more of them hold stays unknown."""


@dataclass(frozen=True)
class Brought:
    """`at` is when the first sync with the commit began; None where that is not known. `pending`: none of the syncs
    that are known has brought it yet."""

    at: datetime | None = None
    pending: bool = False


class Timeline:
    """Syncs against the order of commits. `commits` are newest first, on one line; `holds` says whether a revision
    contains a commit (None: unknown); `reads` whether a source is of this repository."""

    def __init__(
        self,
        commits: Sequence[Commit],
        holds: Callable[[str, str], bool | None],
        reads: Callable[[Source], bool],
        skew: timedelta,
    ) -> None:
        self._commits, self._holds, self._reads, self._skew = commits, holds, reads, skew
        self._place = {commit.sha: number for number, commit in enumerate(commits)}
        self._newest: dict[str, int | None] = {}
        self._syncs: dict[str, tuple[tuple[Sync, tuple[str, ...]], ...]] = {}
        self._foreign = 0

    def brought(self, commit: Commit, applications: Sequence[Application]) -> Brought:
        """When a commit reached the first of some Applications."""
        each = [self._to(commit, application) for application in applications]
        times = [one.at for one in each if one.at is not None]
        return Brought(min(times, default=None), bool(each) and all(one.pending for one in each))

    def _to(self, commit: Commit, application: Application) -> Brought:
        known = self._syncs.get(application.key)
        if known is None:
            known = self._syncs[application.key] = tuple(self._of(application))
        if not known:
            return Brought()
        pending = True
        for number, (sync, revisions) in enumerate(known):
            early = sync.finished_at < commit.at - self._skew
            contains = [self._contains(revision, commit, early) for revision in revisions]
            if any(contains) and not early:
                # Only so many syncs are kept: before the oldest of them there may have been another one with it.
                begun = sync.started_at if number else None
                return Brought(max(begun, commit.at) if begun else None)
            pending = pending and all(contained is False for contained in contains)
        return Brought(pending=pending)

    def _of(self, application: Application) -> Iterator[tuple[Sync, tuple[str, ...]]]:
        """The syncs that say something of this repository, oldest first, with its revisions in them. One that runs, or
        that failed, may have brought a part already."""
        found = list(application.syncs)
        operation = application.operation
        if operation is not None and operation.started_at is not None and operation.phase != "Succeeded":
            found.append(Sync(operation.revisions, operation.started_at, operation.finished_at or _NOT_YET))
        for sync in sorted(found, key=lambda each: each.finished_at):
            pairs = zip(application.sources, sync.revisions, strict=False)
            revisions = tuple(dict.fromkeys(revision for source, revision in pairs if revision and self._reads(source)))
            if revisions:
                yield sync, revisions

    def _contains(self, revision: str, commit: Commit, early: bool) -> bool | None:
        place = self._place.get(commit.sha)
        here = self._place.get(revision)
        if here is not None and place is not None:
            return here <= place
        if early:  # made before the commit was: nothing need be asked
            return False
        newest = self._newest_of(revision)
        return None if newest is None or place is None else newest <= place

    def _newest_of(self, revision: str) -> int | None:
        """The number of the newest commit that a foreign revision contains: with it, it contains all older ones, since
        they are its ancestors. None where that cannot be told."""
        if revision not in self._newest:
            self._foreign += 1
            self._newest[revision] = self._search(revision) if self._foreign <= MAX_FOREIGN else None
        return self._newest[revision]

    def _search(self, revision: str) -> int | None:
        unknown = False

        def contained(number: int) -> bool:
            nonlocal unknown
            answer = self._holds(revision, self._commits[number].sha)
            unknown = unknown or answer is None
            return bool(answer)

        found = bisect_left(range(len(self._commits)), True, key=contained)
        return None if unknown else found
