"""Recorded incidents as sources: files in place of Prometheus, a trace store, a log store and a rollout log.

A file of cases holds one JSON object a line: `id`, `metrics`, `start`, `end`, `alert_ts`, and optionally `baseline`,
`edges` or `edges_file`, `alert_service`, `traces`, `logs`, `changes`; paths are relative to it. Nothing dated after the
moment of asking is ever given out, and nothing but these keys is read.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gitops_sre.model.change_feed import Rollout, RolloutStep
from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.telemetry import LogLine, Span

HISTORY = 24 * 3600.0
"""Seconds before a case's start that are looked at where its files go back that far."""
BASELINE_GAP = 300.0
"""Seconds between the end of a shifted baseline and a case's start."""
_PLAIN = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{\s*\})?")
_LABELS = ("ts", "name", "labels", "value")

Name = Annotated[str, Field(min_length=1)]
Labels = tuple[tuple[str, str], ...]
Samples: TypeAlias = "tuple[array[float], array[float]]"
Table: TypeAlias = "Mapping[str, Mapping[Labels, Samples]]"
"""metric name -> labels -> (times, values), in order of time."""


class CaseError(Exception):
    """A case cannot be read; the message names the file, the place and what is expected there. Never retried."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Change(_Part):
    kind: str = ""
    service: Name
    ts: float
    done_ts: float | None = None
    from_version: str = ""
    to_version: str = ""
    v1: int = 0
    v2: int = 0
    target_replica: int = 0
    deleted_pods: tuple[str, ...] = ()
    new_pods: tuple[str, ...] = ()


class Header(_Part):
    """One line of a file of cases. Times are epoch seconds."""

    id: Name
    metrics: Name
    start: float
    end: float
    alert_ts: float
    baseline: str = ""
    edges: tuple[tuple[str, str], ...] = ()
    edges_file: str = ""
    alert_service: str = ""
    alert_metric: str = ""
    traces: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    changes: tuple[_Change, ...] = ()


@dataclass(frozen=True, eq=False)
class Case:
    """`ports.Metrics`, `ports.Traces` and `ports.Logs` over the files of one case, up to the moment of asking:
    `horizon` seconds after the alert, but not past the case's end, which it is without a horizon."""

    header: Header
    folder: Path
    horizon: float | None = None

    @cached_property
    def asked(self) -> float:
        """The moment of asking."""
        end = self.header.end
        return end if self.horizon is None else min(end, self.header.alert_ts + self.horizon)

    @cached_property
    def history(self) -> float:
        """How far back metrics are given out."""
        start = self.header.start
        if not self.header.baseline:
            return max(start - HISTORY, self.reach[0])
        first, last = _span_of(_metrics(self._path(self.header.baseline)))
        return start - BASELINE_GAP - (last - first)

    @property
    def reach(self) -> tuple[float, float]:
        """The first and the last moment of the file of metrics."""
        return _span_of(_metrics(self._path(self.header.metrics)))

    @cached_property
    def step(self) -> float:
        """The usual distance of samples, in seconds."""
        return _step(self._path(self.header.metrics))

    @cached_property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Declared (caller, callee) pairs."""
        if not self.header.edges_file:
            return self.header.edges
        path = self._path(self.header.edges_file)
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return (*self.header.edges, *((str(caller), str(callee)) for caller, callee in raw))
        except (OSError, ValueError, TypeError) as error:
            raise CaseError(f"{path}: a JSON list of [caller, callee] pairs is expected: {error}") from error

    @cached_property
    def rollouts(self) -> tuple[Rollout, ...]:
        """Rollouts as far as they had gone at the moment of asking."""
        found: dict[tuple[str, str, str], list[_Change]] = defaultdict(list)
        for change in self.header.changes:
            if change.kind == "rollout_step" and change.ts <= self.asked:
                found[change.service, change.from_version, change.to_version].append(change)
        return tuple(
            Rollout(
                service, "", before, after, tuple(map(self._step, sorted(steps, key=lambda s: s.ts))), _target(steps)
            )
            for (service, before, after), steps in found.items()
        )

    def _step(self, change: _Change) -> RolloutStep:
        done = min(self.asked, change.ts if change.done_ts is None else change.done_ts)
        return RolloutStep(moment(change.ts), moment(done), change.v1, change.v2, change.new_pods, change.deleted_pods)

    def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
        """Queries for a metric by its plain name, at the resolution of the files."""
        return tuple(self._answer(query) for query in queries)

    def names(self) -> frozenset[str] | Unavailable:
        """Names of the metrics in the file."""
        return frozenset(_metrics(self._path(self.header.metrics)))

    def _answer(self, query: Query) -> Answer | Unavailable:
        plain = _PLAIN.fullmatch(query.expr.strip())
        if plain is None:
            return Unavailable(f"recorded metrics are asked by their plain name, not by {query.expr!r}")
        name = plain.group(1)
        start, end = query.start.timestamp(), min(query.end.timestamp(), self.asked)
        series = _metrics(self._path(self.header.metrics)).get(name, {})
        older = self._baseline.get(name, {})
        cut = ((labels, _cut(_joined(older.get(labels), own), start, end)) for labels, own in series.items())
        return Answer(query, tuple(Series(labels, *samples) for labels, samples in cut if len(samples[0])))

    @cached_property
    def _baseline(self) -> Table:
        """The fault-free baseline, moved so that it ends just before the start."""
        if not self.header.baseline:
            return {}
        table = _metrics(self._path(self.header.baseline))
        shift = self.header.start - BASELINE_GAP - _span_of(table)[1]
        return {
            name: {
                labels: (array("d", (at + shift for at in times)), values) for labels, (times, values) in each.items()
            }
            for name, each in table.items()
        }

    def spans(self, start: datetime, end: datetime) -> tuple[Span, ...] | Unavailable:
        """Spans that had begun and ended by the moment of asking."""
        lo, hi = start.timestamp(), min(end.timestamp(), self.asked)
        found = (span for name in self.header.traces for span in _spans(self._path(name)))
        return tuple(sorted((s for s in found if s.start >= lo and s.start + s.duration <= hi), key=lambda s: s.start))

    def lines(self, start: datetime, end: datetime) -> tuple[LogLine, ...] | Unavailable:
        """Log lines up to the moment of asking."""
        lo, hi = start.timestamp(), min(end.timestamp(), self.asked)
        found = (line for name in self.header.logs for line in _lines(self._path(name)))
        return tuple(sorted(line for line in found if lo <= line.at <= hi))

    @property
    def normal_spans(self) -> tuple[Span, ...]:
        """Spans of fault-free minutes, of whatever day."""
        return _folder_of_spans(self.folder / "traces_normal") if self.header.traces else ()

    @property
    def normal_lines(self) -> tuple[LogLine, ...]:
        """Log lines of fault-free minutes, of whatever day."""
        return _folder_of_lines(self.folder / "logs_normal") if self.header.logs else ()

    def _path(self, name: str) -> Path:
        return self.folder / name


def read_cases(file: Path) -> tuple[Header, ...]:
    """The cases of a file, in its order. Raises CaseError."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"{file}: cannot be read as text: {error}") from error
    found: list[Header] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            found.append(_header(line, f"{file}:{number}"))
    if repeated := [each.id for n, each in enumerate(found) if each.id in {other.id for other in found[:n]}]:
        raise CaseError(f"{file}: the id {repeated[0]!r} is there twice; give every case its own")
    return tuple(found)


def _header(line: str, place: str) -> Header:
    try:
        header = Header.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CaseError(f"{place}: {where or 'the line'}: {first['msg']}") from error
    if not header.start < header.end:
        raise CaseError(f"{place}: start ({header.start:g}) must lie before end ({header.end:g})")
    return header


def moment(epoch: float) -> datetime:
    """Epoch seconds as an aware time."""
    return datetime.fromtimestamp(epoch, UTC)


def _target(steps: Iterable[_Change]) -> int:
    return max(step.target_replica for step in steps)


def _joined(older: Samples | None, own: Samples) -> Samples:
    return own if older is None else (older[0] + own[0], older[1] + own[1])


def _cut(samples: Samples, start: float, end: float) -> Samples:
    times, values = samples
    first, last = bisect_left(times, start), bisect_right(times, end)
    return times[first:last], values[first:last]


def _span_of(table: Table) -> tuple[float, float]:
    """The first and the last moment of a table."""
    ends = [(times[0], times[-1]) for each in table.values() for times, _ in each.values()]
    return min(first for first, _ in ends), max(last for _, last in ends)


def _rows(path: Path, expected: Sequence[str]) -> Iterator[list[str]]:
    """Rows of a CSV file, which may be compressed, as the expected columns."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="") as text
        ):
            reader = csv.reader(text)
            head = next(reader, [])
            if missing := [name for name in expected if name not in head]:
                raise CaseError(f"{path}:1: no column {', '.join(missing)}; {', '.join(expected)} are expected")
            if head[: len(expected)] == list(expected):
                yield from reader
            else:
                order = [head.index(name) for name in expected]
                for row in reader:
                    yield [row[place] for place in order]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, IndexError) as error:
        raise CaseError(f"{path}: not a readable CSV file: {error}") from error


@lru_cache(maxsize=6)
def _metrics(path: Path) -> Table:
    """A file of metrics: read once, since many cases share a day's."""
    samples: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    try:
        for row in _rows(path, _LABELS):
            samples[row[1], row[2]].append(row)
            _ = row[3]  # a row that breaks off is told here
    except IndexError as error:
        raise CaseError(f"{path}: not a readable CSV file: a row has fewer than {len(_LABELS)} values") from error
    found: dict[str, dict[Labels, Samples]] = defaultdict(dict)
    for (name, labels), rows in samples.items():
        try:
            pairs = sorted((float(row[0]), float(row[3])) for row in rows)
            key = tuple(sorted(_label(part) for part in labels.split(";") if part))
        except ValueError as error:
            raise CaseError(f"{path}: {name}{{{labels}}}: {error}; ts and value are numbers, labels k=v;k=v") from error
        found[name][key] = (array("d", (at for at, _ in pairs)), array("d", (value for _, value in pairs)))
    if not found:
        raise CaseError(f"{path}: no samples in it")
    return found


@lru_cache(maxsize=64)
def _step(path: Path) -> float:
    """The usual distance of samples in a file of metrics, in seconds."""
    some = [times for each in _metrics(path).values() for times, _ in each.values() if len(times) > 2]
    return float(median(median(b - a for a, b in pairwise(times)) for times in some)) if some else 60.0


def _label(part: str) -> tuple[str, str]:
    name, sign, value = part.partition("=")
    if not sign:
        raise ValueError(f"label {part!r} has no value")
    return name, value


_SPAN = ("trace_id", "span_id", "parent_id", "service", "pod", "operation", "start_ns", "duration_us")
_LINE = ("ts_ns", "service", "pod", "trace_id", "span_id", "message")


@lru_cache(maxsize=24)
def _spans(path: Path) -> tuple[Span, ...]:
    found: list[Span] = []
    for number, row in enumerate(_rows(path, _SPAN), 2):
        try:
            parent = "" if row[2] == "root" else row[2]
            failed = len(row) > len(_SPAN) and row[len(_SPAN)].lower() in ("error", "failed", "true", "1", "2")
            found.append(
                Span(row[0], row[1], parent, row[3], row[4], row[5], int(row[6]) / 1e9, float(row[7]) / 1e6, failed)
            )
        except (ValueError, IndexError) as error:
            raise CaseError(f"{path}:{number}: not a span: {error}") from error
    return tuple(found)


@lru_cache(maxsize=24)
def _lines(path: Path) -> tuple[LogLine, ...]:
    found: list[LogLine] = []
    for number, row in enumerate(_rows(path, _LINE), 2):
        try:
            found.append(LogLine(int(row[0]) / 1e9, row[1], row[2], row[5], row[3], row[4]))
        except (ValueError, IndexError) as error:
            raise CaseError(f"{path}:{number}: not a log line: {error}") from error
    return tuple(found)


@lru_cache(maxsize=4)
def _folder_of_spans(folder: Path) -> tuple[Span, ...]:
    return tuple(span for path in sorted(folder.glob("*.csv*")) for span in _spans(path))


@lru_cache(maxsize=4)
def _folder_of_lines(folder: Path) -> tuple[LogLine, ...]:
    return tuple(line for path in sorted(folder.glob("*.csv*")) for line in _lines(path))
