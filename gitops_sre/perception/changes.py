"""The change feed: what the infra repository's history changed before the onset, field by field, and on which workload.

A commit is mapped by the files that a workload's Application reads at the head; what those files did not hold before
(a new file) undoes nothing and is never taken for a deploy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from gitops_sre import yamltext
from gitops_sre.model.change_feed import ChangeKind, ChangeRecord, Commit, FieldChange
from gitops_sre.model.live import Application
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source
from gitops_sre.perception import images
from gitops_sre.ports import Repository

MAX_COMMITS = 2_000
MAX_FILE = 1_000_000
"""Bytes; a longer file is mapped but not compared."""
MAX_FIELDS = 500
"""Field changes kept of one file in one commit; a formatter or a generator changes thousands."""

_YAML = frozenset({".yaml", ".yml", ".json"})
_SCALE_KEYS = frozenset(
    {"replicas", "replicaCount", "minReplicas", "maxReplicas", "minReplicaCount", "maxReplicaCount"}
)
_RESOURCE_KEYS = frozenset({"resources", "limits", "requests"})
_FLAG_WORDS = ("flag", "feature", "toggle")
_CONFIG_KEYS = frozenset(
    {"env", "envFrom", "data", "stringData", "config", "args", "command", "configMapGenerator", "literals", "settings"}
)
_INFRASTRUCTURE = frozenset(
    {"NetworkPolicy", "Ingress", "Service", "Gateway", "HTTPRoute", "VirtualService", "DestinationRule", "Namespace"}
    | {"PersistentVolumeClaim", "StorageClass", "PodDisruptionBudget", "PriorityClass", "ResourceQuota", "LimitRange"}
)
_RANK: tuple[ChangeKind, ...] = ("image", "flag", "config", "resources", "scale", "infrastructure", "other")
"""A commit's effect on a workload is named by the first of these that it holds."""

Place = tuple[str, str]
"""(service, environment)."""
Comparison = tuple[tuple[tuple[FieldChange, ChangeKind], ...], ChangeKind | None]
"""A file's field changes with their kinds; and the kind of a change that cannot be compared by fields."""


@dataclass(frozen=True)
class _Readers:
    """Which workloads read each file, and which images run there."""

    places: Mapping[str, set[Place]]
    images: Mapping[Place, tuple[str, ...]]


def named_like_application(application: Application) -> str:
    """The service by the Application's name, without the environment in front or behind."""
    space = application.destination_namespace
    return application.name.removeprefix(f"{space}-").removesuffix(f"-{space}")


def feed(  # noqa: PLR0913 - every source of the feed is handed in, by keyword
    *,
    repository: Repository,
    inputs: Callable[[str, Source], frozenset[str]],
    commit: str,
    applications: Sequence[Application],
    environment_of: Callable[[str], str],
    onset: datetime,
    lookback: timedelta,
    skew: timedelta,
    service_of: Callable[[Application], str] = named_like_application,
) -> tuple[ChangeRecord, ...] | Unavailable:
    """The commits in `onset - lookback`..`onset + skew` that touch a workload, newest first.

    `applications` are those whose sources are this repository; `inputs` names the files that a source reads at
    `commit`; `environment_of` maps a destination namespace. A record stands for one commit on one workload. What a
    later change had overwritten before the onset is left out: it did not run any more, so it cannot be the cause.
    """
    try:
        lately = _lately(repository, commit, onset - lookback, onset + skew)
        if isinstance(lately, Unavailable):
            return lately
        if not lately:
            return ()
        readers = _readers(inputs, commit, applications, environment_of, service_of)
        return _standing(record for each in lately for record in _records(repository, each, readers, onset))
    except OSError as error:  # what a repository raises when git, its disk or its network fail
        return Unavailable(f"the infra repository cannot be read: {error}")


def _standing(newest_first: Iterable[ChangeRecord]) -> tuple[ChangeRecord, ...]:
    """The records without the fields that a later one, itself before the onset, had changed again."""
    again: set[tuple[str, str, str, int, tuple[str | int, ...]]] = set()
    found: list[ChangeRecord] = []
    for record in newest_first:
        keys = {
            field: (record.service, record.environment, field.file, field.document, field.path)
            for field in record.fields
        }
        fields = tuple(field for field in record.fields if keys[field] not in again)
        if fields or not record.fields:
            found.append(replace(record, fields=fields))
        if record.lead >= 0:
            again |= set(keys.values())
    return tuple(found)


def _lately(repository: Repository, commit: str, since: datetime, until: datetime) -> tuple[Commit, ...] | Unavailable:
    """Commits in a span, newest first. The first commit of a history is none: nothing before it can be compared."""
    commits = repository.log(commit, since=since, limit=MAX_COMMITS)
    if len(commits) >= MAX_COMMITS:
        why = f"more than {MAX_COMMITS} commits since {since:%Y-%m-%d %H:%M} UTC; lower timing.change_lookback"
        return Unavailable(why)
    found = (each for each in commits if since <= each.at <= until and each.parents)
    return tuple(sorted(found, key=lambda each: each.at, reverse=True))


def _readers(
    inputs: Callable[[str, Source], frozenset[str]],
    commit: str,
    applications: Sequence[Application],
    environment_of: Callable[[str], str],
    service_of: Callable[[Application], str],
) -> _Readers:
    places: dict[str, set[Place]] = defaultdict(set)
    live: dict[Place, tuple[str, ...]] = defaultdict(tuple)
    for application in applications:
        place = (service_of(application), environment_of(application.destination_namespace))
        live[place] += application.images
        for source in application.sources:
            for path in inputs(commit, source):
                places[path].add(place)
    return _Readers(places, live)


def _records(repository: Repository, commit: Commit, readers: _Readers, onset: datetime) -> list[ChangeRecord]:
    touched: dict[Place, list[Comparison]] = defaultdict(list)
    for path in commit.files:
        places = readers.places.get(path)
        if places:
            compared = _compare(repository, commit, path)
            for place in places:
                touched[place].append(compared)
    lead = (onset - commit.at).total_seconds()
    found: list[ChangeRecord] = []
    for (service, environment), files in sorted(touched.items()):
        kinds = {kind for fields, _ in files for _, kind in fields} | {whole for _, whole in files if whole}
        if kinds:
            kind = min(kinds, key=_RANK.index)
            fields = images.named(
                (field for some, _ in files for field, _ in some), readers.images[service, environment]
            )
            found.append(ChangeRecord(commit, service, environment, kind, fields, lead))
    return found


def _compare(repository: Repository, commit: Commit, path: str) -> Comparison:
    """What a commit did to a file. Without a difference that YAML readers see there is nothing (a comment, a blank)."""
    before, after = repository.read(commit.parents[0], path), repository.read(commit.sha, path)
    if before == after:
        return (), None
    if PurePosixPath(path).suffix not in _YAML:
        return (), "flag" if _about_flags(path) else "other"
    one, two = _text(before), _text(after)
    if one is None or two is None:
        return (), "other"
    try:
        fields = _fields(path, one, two)
    except yamltext.YamlTextError:
        return (), "other"
    if before is None or after is None:
        return tuple((field, "other") for field, _ in fields), None
    return tuple(fields), None


def _text(content: bytes | None) -> str | None:
    """A file's text, empty where it is not there; None where it is too long or is not UTF-8."""
    if content is None:
        return ""
    if len(content) > MAX_FILE:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _fields(path: str, before: str, after: str) -> list[tuple[FieldChange, ChangeKind]]:
    """What differs, with its kind. Raises YamlTextError."""
    old, new = yamltext.leaves(before), yamltext.leaves(after)
    changed = [place for place in {**old, **new} if old.get(place) != new.get(place)][:MAX_FIELDS]
    objects = {document: value for (document, place), value in {**old, **new}.items() if place == ("kind",)}
    leaves = [FieldChange(path, place[0], place[1], old.get(place), new.get(place)) for place in changed]
    wholes, others = images.joined(leaves, old, new)
    found: list[tuple[FieldChange, ChangeKind]] = [(field, "image") for field in wholes]
    return found + [(field, _kind(field, objects.get(field.document, ""))) for field in others]


def _kind(field: FieldChange, object_kind: str) -> ChangeKind:
    keys = [part for part in field.path if isinstance(part, str)]
    last = keys[-1] if keys else ""
    if last in images.PARTS or last == images.WHOLE or keys[:1] == ["images"]:
        return "image"
    if _about_flags(field.file) or any(_about_flags(key) for key in keys):
        return "flag"
    rules: tuple[tuple[ChangeKind, bool], ...] = (
        ("resources", bool(_RESOURCE_KEYS & set(keys))),
        ("scale", last in _SCALE_KEYS or keys[:1] == ["replicas"]),
        ("config", bool(_CONFIG_KEYS & set(keys))),
        ("infrastructure", object_kind in _INFRASTRUCTURE),
    )
    return next((kind for kind, fits in rules if fits), "other")


def _about_flags(word: str) -> bool:
    return any(part in word.lower() for part in _FLAG_WORDS)
