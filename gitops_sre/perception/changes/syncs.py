"""When a commit really went live: the first sync that brought it, by what Argo CD and Flux keep of their syncs.

Two commits of the branch are told apart by their order there; only for a revision that is not among the recent ones of
the branch (another branch, a tag) is the repository asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gitops_sre.model.change_feed import Commit
from gitops_sre.model.live import Application, Sync
from gitops_sre.model.target import Source

_NOT_YET = datetime.max.replace(tzinfo=UTC)
MAX_FOREIGN = 50
"""Revisions outside of the branch that are looked at; what more of them hold stays unknown."""


class Brought(NamedTuple):
    """`at` is when the first sync with the commit began; None where that is not known. `pending`: none of the syncs
    that are known has brought it yet."""

    at: datetime | None = None
    pending: bool = False


class _Arrival(NamedTuple):
    """A sync as the branch sees it: the number of the newest commit that it brought (None: none of the recent ones),
    and revisions of which that is not known without asking."""

    finished: datetime
    begun: datetime | None
    newest: int | None
    foreign: tuple[str, ...]


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
        self._arrivals: dict[str, tuple[_Arrival, ...]] = {}

    def brought(self, commit: Commit, applications: Iterable[Application]) -> Brought:
        """When a commit reached the first of some Applications."""
        each = [self._to(commit, application) for application in applications]
        if len(each) == 1:
            return each[0]
        times = [one.at for one in each if one.at is not None]
        return Brought(min(times, default=None), bool(each) and all(one.pending for one in each))

    def _to(self, commit: Commit, application: Application) -> Brought:
        known = self._arrivals.get(application.key)
        if known is None:
            known = self._arrivals[application.key] = tuple(self._of(application))
        place, earliest = self._place[commit.sha], commit.at - self._skew
        pending = bool(known)
        for number, (finished, begun, newest, foreign) in enumerate(known):
            here = newest is not None and newest <= place
            if finished < earliest:  # before the commit was made: it cannot have brought it, whatever it says
                pending = pending and not here
                continue
            told = [self._newest_of(revision) for revision in foreign] if foreign else []
            if here or any(each is not None and each <= place for each in told):
                # Only so many syncs are kept: before the oldest of them there may have been another one with it.
                return Brought(max(begun, commit.at) if begun and number else None)
            pending = pending and None not in told
        return Brought(pending=pending)

    def _of(self, application: Application) -> Iterator[_Arrival]:
        """The syncs that say something of this repository, oldest first. One that runs, or that failed, may have
        brought a part already."""
        syncs = application.syncs
        operation = application.operation
        if operation is not None and operation.started_at is not None and operation.phase != "Succeeded":
            syncs = (*syncs, Sync(operation.revisions, operation.started_at, operation.finished_at or _NOT_YET))
        own = [number for number, source in enumerate(application.sources) if self._reads(source)] if syncs else []
        for sync in syncs:
            newest: int | None = None
            foreign: tuple[str, ...] = ()
            told = False
            for number in own:
                revision = sync.revisions[number] if number < len(sync.revisions) else ""
                if not revision:
                    continue
                told, place = True, self._place.get(revision)
                if place is None:
                    foreign = (*foreign, revision)
                else:
                    newest = place if newest is None else min(newest, place)
            if told:
                yield _Arrival(sync.finished_at, sync.started_at, newest, foreign)

    def _newest_of(self, revision: str) -> int | None:
        """The number of the newest commit that a foreign revision contains: with it, it contains all older ones, since
        they are its ancestors. None where that cannot be told."""
        if revision not in self._newest:
            self._newest[revision] = self._search(revision) if len(self._newest) < MAX_FOREIGN else None
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
