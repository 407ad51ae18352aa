"""Rows of the query catalogue: what is asked, checked when it is read, and how answers become measures."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from string import Template
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception.presets import labels as reading
from gitops_sre.perception.presets.labels import Source
from gitops_sre.perception.presets.planning import MAX_POINTS, Budget, Plan, Range, ranged, waves
from gitops_sre.perception.promql import fill, within
from gitops_sre.yamltext.data import read_data

_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?\{([^{}]*)\}")
_PLAIN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\{\$where\}")
_PLACEHOLDERS = frozenset({"by", "where", "window"})

_TELLING: tuple[SignalName, ...] = (
    "errors",
    "latency",
    "replicas",
    "restarts",
    "traffic",
    "saturation",
    "cpu",
    "memory",
    "expiry",
    "node_cpu",
    "node_memory",
    "network_in",
    "network_out",
    "disk_read",
    "disk_write",
)
"""Signals by how much they narrow down: what users feel, what does not run, demand, then resources."""


class PresetsError(Exception):
    """The query catalogue is asked for what is not in it; the message says what is. Never retried."""


def _sources(value: object) -> object:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a label or a list of labels")
    return tuple(Source.of(text) for text in texts)


Sources = Annotated[tuple[Source, ...], BeforeValidator(_sources)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Labels(_Part):
    """Which labels say what, the first that is not empty first."""

    service: Sources
    pod: Sources = ()
    version: Sources = ()
    peer: Sources = ()
    stat: Sources = ()
    side: Sources = ()
    node: Sources = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every label that is read, without repetition."""
        groups = (self.service, self.pod, self.version, self.peer, self.stat, self.side, self.node)
        return tuple(dict.fromkeys(source.label for group in groups for source in group if source.label))


class Row(_Part):
    """One range query. `expr` is a template: `$where` matchers, `$window` the range of rates, `$by` the labels that
    `labels` reads. An answer's values are multiplied by `factor` and `offset` is added, which gives them in `unit`.

    A series that is `dead_if_constant` from beginning to end, before that, is a metric that nobody feeds. `cost`: 1
    one series a service, 2 one a version, a pod or an edge, 3 histograms of those.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")
    signal: SignalName
    expr: str
    unit: str
    labels: Labels
    factor: float = 1.0
    offset: float = 0.0
    dead_if_constant: float | None = None
    cost: Literal[1, 2, 3] = 1
    why: str = Field(min_length=1)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that it selects, without those that are patterns."""
        return tuple(dict.fromkeys(name for name, _ in _SELECTOR.findall(self.expr) if name))

    def query(self, span: Range, points: int = MAX_POINTS) -> Query:
        """The range query, with every placeholder filled in."""
        text = fill(self.expr, matchers=span.matchers, by=", ".join(self.labels.names), window=span.window)
        plain = _PLAIN.fullmatch(self.expr.strip()) is not None
        return ranged(Query(self.id, text, span.start, span.end, span.step, self.unit, plain), points)

    def answerable(self, names: Collection[str]) -> bool:
        """Whether any metric that it selects is known; always where it selects by pattern."""
        return not self.metrics or any(name in names for name in self.metrics)


class Narrow(_Part):
    """Labels that say in which environment and in which Kubernetes namespace what is measured is."""

    environment: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()

    def matchers(self, span: Range) -> str:
        """Matchers for the environment and the namespaces of a range, and the range's own."""
        environment = [span.environment] if span.environment else []
        named = [
            *(within(label, environment) for label in self.environment if environment),
            *(within(label, span.namespaces) for label in self.namespace if span.namespaces),
        ]
        return ",".join([*([span.matchers] if span.matchers else []), *named])


class Preset(_Part):
    """A kind of instrumentation. A Prometheus has it when it knows a metric that matches one of the globs
    `recognise`; `source` is where the names come from, `narrow` by which labels it is narrowed to a place."""

    name: str = Field(pattern=r"^[a-z]+$")
    means: str = Field(min_length=1)
    source: str = Field(min_length=1)
    recognise: tuple[str, ...] = Field(min_length=1)
    narrow: Narrow = Narrow()
    rows: tuple[Row, ...] = Field(min_length=1)


class _File(_Part):
    presets: tuple[Preset, ...]


@dataclass(frozen=True)
class Reading:
    """Measures of some answers, and how many series each row left out: `unknown` had no service, `dead` was constant
    all along, `empty` had no number in it."""

    measures: tuple[Measure, ...]
    unknown: Mapping[str, int]
    dead: Mapping[str, int]
    empty: Mapping[str, int]


@dataclass(frozen=True)
class Catalogue:
    """The presets in the order of the file."""

    presets: tuple[Preset, ...]

    @cached_property
    def rows(self) -> Mapping[str, Row]:
        """Every row by its id."""
        return {row.id: row for preset in self.presets for row in preset.rows}

    def rows_of(self, presets: Sequence[str], span: Range) -> tuple[tuple[Row, Range], ...]:
        """The rows of some presets, in the order asked for, each with the range narrowed by its preset's labels.
        Raises PresetsError for an unknown name."""
        known = {preset.name: preset for preset in self.presets}
        if unknown := [name for name in presets if name not in known]:
            raise PresetsError(f"no preset {', '.join(unknown)}; there are {', '.join(known)}")
        chosen = [known[name] for name in dict.fromkeys(presets)]
        return tuple(
            (row, replace(span, matchers=preset.narrow.matchers(span))) for preset in chosen for row in preset.rows
        )

    def recognised(self, metric_names: Collection[str]) -> tuple[str, ...]:
        """The presets that a Prometheus with these metrics has."""
        names = frozenset(metric_names)
        return tuple(preset.name for preset in self.presets if any(_known(glob, names) for glob in preset.recognise))

    def queries(
        self, presets: Sequence[str], start: datetime, end: datetime, step: float, window: float, matchers: str = ""
    ) -> tuple[Query, ...]:
        """Every row of some presets as a range query with a sample exactly at `end`; `id` is the row's.

        `step` and `window` (the range of rates) are in seconds; `matchers` as from promql.where.
        """
        span = Range(start, end, step, window, matchers)
        return tuple(row.query(narrowed) for row, narrowed in self.rows_of(presets, span))

    def measures(self, answers: Iterable[Answer]) -> tuple[Measure, ...]:
        """Answers to rows of the catalogue (by `Query.id`) in the product's own terms."""
        return self.read(answers).measures

    def read(self, answers: Iterable[Answer]) -> Reading:
        """Measures, and what was left out. Raises PresetsError for an answer that no row has asked for.

        Samples that are no number are left out. Arrays are the answer's own where nothing changes in them.
        """
        found: list[Measure] = []
        left: dict[str, Counter[str]] = {"unknown": Counter(), "dead": Counter(), "empty": Counter()}
        for answer in answers:
            row = self.rows.get(answer.query.id)
            if row is None:
                raise PresetsError(f"no row {answer.query.id!r} in the query catalogue: ask with Catalogue.queries")
            for series in answer.series:
                measure = _measure(row, series)
                if isinstance(measure, Measure):
                    found.append(measure)
                else:
                    left[measure][row.id] += 1
        return Reading(tuple(found), left["unknown"], left["dead"], left["empty"])


def plan(
    catalogue: Catalogue,
    presets: Sequence[str],
    span: Range,
    budget: Budget | None = None,
    metric_names: Collection[str] | None = None,
) -> Plan:
    """What to ask in which order: cheap rows first, among them what users feel before what explains it.

    Rows whose metrics are all missing from `metric_names` (where given) are not asked. Raises PresetsError for an
    unknown preset.
    """
    limit = budget or Budget()
    rows = catalogue.rows_of(presets, span)
    known = [pair for pair in rows if metric_names is None or pair[0].answerable(metric_names)]
    known.sort(key=lambda pair: (pair[0].cost, _TELLING.index(pair[0].signal)))
    return waves([(row.cost, row.query(narrowed, limit.points)) for row, narrowed in known], limit)


def _known(glob: str, names: frozenset[str]) -> bool:
    return glob in names or ("*" in glob and any(fnmatchcase(name, glob) for name in names))


def _measure(row: Row, series: Series) -> Measure | Literal["unknown", "dead", "empty"]:
    labels = dict(series.labels)
    service = reading.first(row.labels.service, labels)
    peer = reading.first(row.labels.peer, labels)
    if not service or (row.labels.peer and not peer):
        return "unknown"
    samples = _samples(row, series)
    if isinstance(samples, str):
        return samples
    return Measure(
        row.signal,
        service,
        *samples,
        row.unit,
        pod=reading.first(row.labels.pod, labels),
        version=reading.first(row.labels.version, labels),
        peer=peer,
        stat=reading.statistic(reading.first(row.labels.stat, labels)),
        side=reading.side(reading.first(row.labels.side, labels)),
        query=row.id,
        node=reading.first(row.labels.node, labels),
    )


def _samples(row: Row, series: Series) -> tuple[array[float], array[float]] | Literal["dead", "empty"]:
    """Times and values in the row's unit, without what is no number."""
    times, values = series.times, series.values
    numbers = np.asarray(values)
    finite = np.isfinite(numbers)
    if not finite.all():
        numbers = numbers[finite]
        times, values = _array(np.asarray(times)[finite]), _array(numbers)
    if not len(times):
        return "empty"
    if row.dead_if_constant is not None and bool((numbers == row.dead_if_constant).all()):
        return "dead"
    if (row.factor, row.offset) != (1.0, 0.0):
        values = _array(numbers * row.factor + row.offset)
    return times, values


def _array(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> array[float]:
    return array("d", numbers.tobytes())


def load(text: str | None = None) -> Catalogue:
    """The catalogue that is shipped, or another one as YAML text. Raises DataError."""
    file = read_data("gitops_sre.perception", "presets", _File, _problems, text)
    return Catalogue(file.presets)


def _problems(file: _File) -> Iterator[str]:
    """What a schema cannot say."""
    for what, names in (
        ("preset", [preset.name for preset in file.presets]),
        ("row", [row.id for preset in file.presets for row in preset.rows]),
    ):
        yield from (f"{what} {name} is there {count} times" for name, count in Counter(names).items() if count > 1)
    for preset in file.presets:
        for row in preset.rows:
            yield from (f"{row.id}: {problem}" for problem in _row_problems(preset, row))


def _row_problems(preset: Preset, row: Row) -> Iterator[str]:
    if not row.id.startswith(f"{preset.name}."):
        yield f"the id must begin with `{preset.name}.`"
    template = Template(row.expr)
    if not template.is_valid():
        yield "expr: a `$` that begins no placeholder; write `$$` for one that is meant"
    if unknown := set(template.get_identifiers()) - _PLACEHOLDERS:
        yield f"expr: unknown placeholders {', '.join(sorted(unknown))}"
    selectors = _SELECTOR.findall(row.expr)
    if not selectors or not all(matchers.endswith("$where") for _, matchers in selectors):
        yield "expr: every selector must end with $where, so that it can be narrowed"
