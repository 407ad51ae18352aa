"""What was asked and what was seen."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops_sre.model.outcome import Unavailable

Symptom = Literal["high", "low", "normal", "absent", "present", "unknown"]
"""What a reading amounts to, compared with its baseline. `absent`/`present` are for things (a change, a callee's
fault); `unknown` is what cannot be read and is never evidence for health."""


@dataclass(frozen=True)
class Scope:
    """What an investigation looks at. `onset` is when the trouble began, as well as it is known; `now` the moment
    of asking; `baseline_start`..`baseline_end` the quiet time to compare with."""

    service: str
    environment: str
    namespace: str
    onset: datetime
    now: datetime
    baseline_start: datetime
    baseline_end: datetime


@dataclass(frozen=True)
class Query:
    """One bounded range query. `id` names what is asked (`errors`, `latency`, ...); `step` is in seconds.

    `plain` says that `expr` selects series and computes nothing: then the samples are wanted as they were taken, where
    that can be had, not as old as a grid makes them.
    """

    id: str
    expr: str
    start: datetime
    end: datetime
    step: float
    unit: str = ""
    plain: bool = False


@dataclass(frozen=True)
class Series:
    """One answered time series: label pairs sorted by name; `times` in epoch seconds, ascending, and their `values`."""

    labels: tuple[tuple[str, str], ...]
    times: array[float]
    values: array[float]

    @classmethod
    def of(cls, labels: tuple[tuple[str, str], ...], samples: Iterable[tuple[float, float]]) -> Series:
        """A series from pairs of (epoch seconds, value)."""
        pairs = tuple(samples)
        return cls(labels, array("d", (at for at, _ in pairs)), array("d", (value for _, value in pairs)))

    @property
    def samples(self) -> tuple[tuple[float, float], ...]:
        """Pairs of (epoch seconds, value)."""
        return tuple(zip(self.times, self.values, strict=True))

    def label(self, name: str, default: str = "") -> str:
        """The value of one label."""
        return dict(self.labels).get(name, default)


@dataclass(frozen=True)
class Answer:
    """What a metrics source answered to one query. `warnings` are the source's own (a partial answer, for one)."""

    query: Query
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()


Kind = Literal["metrics", "logs", "traces", "changes", "events", "history"]
"""Where a finding was made. Kinds fail apart from one another; two findings of one kind may both rest on one error."""
_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "traces": ("traces",),
    "traces and logs": ("traces", "logs"),
    "change feed": ("changes",),
    "rollouts": ("changes",),
    "github deployment": ("changes",),
    "launchdarkly": ("changes",),
    "unleash": ("changes",),
    "Kubernetes events": ("events",),
    "ledger": ("history",),
}


@dataclass(frozen=True)
class Evidence:
    """One finding. `id` is stable within an incident and is what hypotheses cite (`errors/checkout`).

    `value` and `baseline` are in `unit`; NaN-free: a value that cannot be read is None and its symptom `unknown`.
    `trust` in 0..1 lowers the weight of partial answers. `at` is the moment the finding is about. `score` says how
    far outside its usual range it is, in robust standard deviations without sign (0: as usual); None for what is
    known of changes, which speaks by its time. On an edge of the service map `subject` is the callee and `caller` who
    noticed; `version` is set where a finding is about one version against another.
    """

    id: str
    signal: str
    subject: str
    symptom: Symptom
    statement: str
    at: datetime
    value: float | None = None
    baseline: float | None = None
    unit: str = ""
    trust: float = 1.0
    source: str = ""
    score: float | None = None
    caller: str = ""
    pod: str = ""
    version: str = ""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it was found in. Whatever names no other source is computed from metrics."""
        return _KINDS.get(self.source, ("metrics",))


@dataclass(frozen=True)
class Doubt:
    """What was seen and says in one sentence that a person should judge the remedy, however probable its reason."""

    text: str


@dataclass(frozen=True)
class Gap:
    """Evidence that should be there and could not be had; shown beside the rest and caps the level at L3."""

    id: str
    signal: str
    subject: str
    why: Unavailable
