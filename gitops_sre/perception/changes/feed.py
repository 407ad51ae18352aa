"""The infra repository's history as changes of workloads: field by field, before the onset.

A commit is mapped by the files that a workload's Application reads at the head; what those files did not hold before
(a new file) undoes nothing and is never taken for a deploy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitops_sre.model.change_feed import ChangeKind, ChangeRecord, Commit, FileChange, Revision
from gitops_sre.model.live import Application
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source
from gitops_sre.perception import images
from gitops_sre.perception.changes.fields import Comparison
from gitops_sre.perception.changes.inputs import Ask
from gitops_sre.perception.changes.recent import Key, Recent, key_of, path_of, recent
from gitops_sre.perception.changes.syncs import Timeline
from gitops_sre.ports import Repository

_RANK: tuple[ChangeKind, ...] = ("image", "flag", "config", "resources", "scale", "infrastructure", "other")
"""A commit's effect on a workload is named by the first of these that it holds."""

REACH = timedelta(days=3)
"""How much older than what is looked back at commits may be that went live only then."""

Place = tuple[str, str]
"""(service, environment)."""


@dataclass(frozen=True)
class _Readers:
    """Which Applications read each file, where each of them runs what, and which images run there."""

    by_file: Mapping[str, Sequence[Application]]
    places: Mapping[str, Place]
    """By the Application's key."""
    images: Mapping[Place, tuple[str, ...]]


def named_like_application(application: Application) -> str:
    """The service by the Application's name, without the environment in front or behind."""
    space = application.destination_namespace
    return application.name.removeprefix(f"{space}-").removesuffix(f"-{space}")


def feed(  # noqa: PLR0913 - every source of the feed is handed in, by keyword
    *,
    repository: Repository,
    inputs: Ask,
    commit: str,
    applications: Sequence[Application],
    environment_of: Callable[[str], str],
    onset: datetime,
    lookback: timedelta,
    skew: timedelta,
    service_of: Callable[[Application], str] = named_like_application,
    reads: Callable[[Source], bool] = lambda _: True,
) -> tuple[ChangeRecord, ...] | Unavailable:
    """The commits that touch a workload and went live in `onset - lookback`..`onset + skew`, newest first; where it is
    not known when they did, those that were made then.

    `applications` are those of whose sources one at least is this repository, which `reads` tells; `inputs` names the
    files that a source reads at `commit`; `environment_of` maps a destination namespace. A record stands for one commit
    on one workload. Left out is what did not run when the trouble began and so cannot be its cause: what a later change
    had overwritten before the onset, and what no sync has brought to the cluster yet.
    """
    try:
        history = recent(repository)
        begun = onset - lookback
        lately = history.since(commit, _reach(applications, begun, skew))
        if isinstance(lately, Unavailable):  # too much at once: what was made since then is the greater part
            lately = history.since(commit, begun)
        if isinstance(lately, Unavailable):
            return lately
        if not lately:
            return ()
        readers = _readers(history, inputs, commit, applications, environment_of, service_of, reads)
        timeline = Timeline([each.commit for each in lately], history.holds, reads, skew)
        touching = [
            (each, changes)
            for each, changes in _touching((each for each in lately if each.commit.at <= onset + skew), readers)
            if each.at >= begun or _late(each, changes, readers, timeline, begun)
        ]
        compared = history.compared([(each, changes) for each, changes in touching])
        return _standing(
            record
            for each, changes in touching
            for record in _records(each, changes, compared, readers, timeline, onset)
            if (record.live or each.at) >= begun
        )
    except OSError as error:  # what a repository raises when git, its disk or its network fail
        return Unavailable(f"the infra repository cannot be read: {error}")


def _reach(applications: Iterable[Application], begun: datetime, skew: timedelta) -> datetime:
    """Since when commits may have been made that a sync after `begun` was the first to bring: since the sync before it,
    but no longer than REACH before. Syncs may wait for a window, or for somebody."""
    earliest = begun
    for application in applications:
        before = [sync.started_at or sync.finished_at for sync in application.syncs if sync.finished_at < begun]
        if before and len(before) < len(application.syncs):
            earliest = min(earliest, max(before) - skew)
    return max(earliest, begun - REACH)


def _late(
    commit: Commit, changes: Iterable[FileChange], readers: _Readers, timeline: Timeline, begun: datetime
) -> bool:
    """Whether a commit from before `begun` went live only after it, for any Application."""
    syncing = {app.key: app for change in changes for app in readers.by_file[path_of(change)]}
    brought = (timeline.brought(commit, (application,)).at for application in syncing.values())
    return any(at is not None and at >= begun for at in brought)


def _standing(newest_first: Iterable[ChangeRecord]) -> tuple[ChangeRecord, ...]:
    """The records without the fields that a later one, itself before the onset, had changed again."""
    again: set[tuple[str, str, str, int, tuple[str | int, ...]]] = set()
    found: list[ChangeRecord] = []
    for record in newest_first:
        keys = [(record.service, record.environment, field.file, field.document, field.path) for field in record.fields]
        if again.isdisjoint(keys):
            found.append(record)
        elif left := tuple(field for field, key in zip(record.fields, keys, strict=True) if key not in again):
            found.append(replace(record, fields=left))
        if record.lead >= 0:
            again.update(keys)
    return tuple(found)


def _readers(
    history: Recent,
    inputs: Ask,
    commit: str,
    applications: Sequence[Application],
    environment_of: Callable[[str], str],
    service_of: Callable[[Application], str],
    reads: Callable[[Source], bool],
) -> _Readers:
    by_file: dict[str, list[Application]] = defaultdict(list)
    places: dict[str, Place] = {}
    live: dict[Place, tuple[str, ...]] = defaultdict(tuple)
    wanted = {application.key: list(filter(reads, application.sources)) for application in applications}
    files = history.inputs(inputs, commit, (source for sources in wanted.values() for source in sources))
    for application in applications:
        place = (service_of(application), environment_of(application.destination_namespace))
        places[application.key] = place
        live[place] += application.images
        own = [files[source] for source in wanted[application.key]]
        for path in own[0].union(*own[1:]) if own else ():
            by_file[path].append(application)
    return _Readers(by_file, places, live)


def _touching(revisions: Iterable[Revision], readers: _Readers) -> list[tuple[Commit, list[FileChange]]]:
    """Commits with those of their changes that an Application reads; the others are left out."""
    found = (
        (each.commit, sorted((change for change in each.changes if path_of(change) in readers.by_file), key=path_of))
        for each in revisions
    )
    return [(commit, changes) for commit, changes in found if changes]


def _records(
    commit: Commit,
    changes: Sequence[FileChange],
    compared: Mapping[Key, Comparison],
    readers: _Readers,
    timeline: Timeline,
    onset: datetime,
) -> Iterator[ChangeRecord]:
    touched: dict[Place, dict[Key, Comparison]] = defaultdict(dict)
    syncing: dict[Place, dict[str, Application]] = defaultdict(dict)
    for change in changes:
        key = key_of(change)
        for application in readers.by_file[key[0]]:
            place = readers.places[application.key]
            touched[place][key] = compared[key]
            syncing[place][application.key] = application
    for place in sorted(touched):
        found = [field for fields, _ in touched[place].values() for field in fields]
        kinds = {field.kind for field in found} | {whole for _, whole in touched[place].values() if whole}
        if not kinds:
            continue
        brought = timeline.brought(commit, syncing[place].values())
        if not brought.pending:
            fields = images.named(found, readers.images[place])
            lead = (onset - (brought.at or commit.at)).total_seconds()
            yield ChangeRecord(commit, *place, min(kinds, key=_RANK.index), fields, lead, brought.at)
