"""Answers to evidence: what each series of the scope's service and its neighbours amounts to.

Nothing that is empty, stale, cut short or without a baseline is ever read as healthy: it is `unknown`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median

from gitops_sre.model.evidence import Answer, Evidence, Gap, Query, Scope, Series
from gitops_sre.model.outcome import Unavailable
from gitops_sre.perception import baseline
from gitops_sre.perception.baseline import Sensitivity

MAX_SUBJECTS = 40
"""Services that evidence is gathered about; the nearest on the map come first."""
FRESH_STEPS = 3
FRESH_SECONDS = 5.0
"""A series whose last sample is older than the longer of the two is stale."""
TRUST_WARNED = 0.5
TRUST_SECOND_HAND = 0.7
TRUST_SPARSE = 0.6
"""Weights of a partial answer, of what callers saw instead of the service itself, of a series with holes."""
SPARSE_BELOW = 0.5
MIN_OVERLAP = 2
"""Samples that two versions must share to be compared."""


@dataclass(frozen=True)
class Lens:
    """What is looked at and how finely. `near` are the services of interest, the scope's own first."""

    scope: Scope
    step: float
    window: float
    near: tuple[str, ...]

    @property
    def run(self) -> int:
        """Samples that must agree before something is the case."""
        return baseline.run_length(self.window, self.step)

    @property
    def stale_before(self) -> float:
        """Epoch seconds; a series must have a sample since."""
        return self.scope.now.timestamp() - max(FRESH_STEPS * self.step, FRESH_SECONDS)


def neighbourhood(service: str, edges: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], Gap | None]:
    """The service, those it calls (transitively, nearest first), its direct callers; a gap when they are too many."""
    callees: dict[str, list[str]] = defaultdict(list)
    callers: list[str] = []
    for caller, callee in edges:
        callees[caller].append(callee)
        if callee == service:
            callers.append(caller)
    order = dict.fromkeys([service])
    waiting = deque([service])
    while waiting:
        for callee in callees[waiting.popleft()]:
            if callee not in order:
                order[callee] = None
                waiting.append(callee)
    order.update(dict.fromkeys(callers))
    near = tuple(order)
    if len(near) <= MAX_SUBJECTS:
        return near, None
    why = f"{len(near)} services are connected with {service}; only the nearest {MAX_SUBJECTS} were looked at"
    return near[:MAX_SUBJECTS], Gap("service_map", "service_map", service, Unavailable(why))


def symptoms(
    lens: Lens, query: Query, answer: Answer, sensitivity: Sensitivity, subject_label: str = "service"
) -> list[Evidence]:
    """One finding for each service of interest."""
    series = {each.label(subject_label): each for each in answer.series}
    return [_symptom(lens, query, answer, sensitivity, name, series.get(name)) for name in lens.near]


def filled_in(own: Sequence[Evidence], by_callers: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """What callers saw stands in for error ratios that the service itself does not tell (it may be down)."""
    seen = {item.subject: item for item in by_callers if item.symptom != "unknown"}
    return tuple(
        replace(
            seen[item.subject],
            id=item.id,
            signal="errors",
            statement=f"{seen[item.subject].statement} (as its callers see it)",
            trust=seen[item.subject].trust * TRUST_SECOND_HAND,
        )
        if item.signal == "errors" and item.symptom == "unknown" and item.subject in seen
        else item
        for item in own
    )


def unsettled(evidence: Iterable[Evidence], service: str) -> str:
    """What a service's users feel begins or ends just now: the reason to look again in a moment, or an empty string."""
    found = (
        item.statement
        for item in evidence
        if item.subject == service
        and item.signal in ("errors", "latency")
        and item.symptom == "unknown"
        and item.baseline is not None
    )
    return "; ".join(found)


def versions(lens: Lens, query: Query, answer: Answer, sensitivity: Sensitivity) -> list[Evidence]:
    """The newest version of each service against the one before, while both served: `high` when only the new one is
    bad. Says nothing where versions did not overlap or neither was bad; that both are bad (`normal`) is only said of an
    overlap longer than the window of the rates, since shorter ones are mixed with what was before."""
    by_service: dict[str, list[Series]] = defaultdict(list)
    for series in answer.series:
        if series.samples and series.label("version"):
            by_service[series.label("service")].append(series)
    found = (_versions(lens, query, answer, sensitivity, name, by_service[name]) for name in lens.near)
    return [item for item in found if item is not None]


def _symptom(
    lens: Lens, query: Query, answer: Answer, sensitivity: Sensitivity, name: str, series: Series | None
) -> Evidence:
    scope = lens.scope
    blank = Evidence(
        id=f"{query.id}/{name}",
        signal=query.id,
        subject=name,
        symptom="unknown",
        statement="",
        at=scope.now,
        unit=query.unit,
        trust=TRUST_WARNED if answer.warnings else 1.0,
        source=query.expr,
    )
    label = query.id.replace("_", " ")
    if series is None or not series.samples:
        return replace(blank, statement=f"{label} of {name}: no samples")
    samples = series.samples
    if samples[-1][0] < lens.stale_before:
        return replace(blank, statement=f"{label} of {name}: stale, last sample at {_clock(samples[-1][0])}")
    quiet = baseline.usual(samples, scope.baseline_start.timestamp(), scope.baseline_end.timestamp())
    if quiet is None:
        value = baseline.now(samples, lens.run)
        statement = f"{label} of {name}: {shown(value, query.unit)}, without a baseline to compare with"
        return replace(blank, value=value, statement=statement)
    return _compared(lens, blank, samples, quiet, sensitivity)


def _compared(
    lens: Lens, blank: Evidence, samples: baseline.Samples, quiet: baseline.Usual, sensitivity: Sensitivity
) -> Evidence:
    scope, unit = lens.scope, blank.unit
    onset = scope.onset.timestamp()
    seen = baseline.shift(samples, quiet, sensitivity, lens.run, scope.baseline_end.timestamp(), onset)
    text = f"{blank.signal} of {blank.subject}: {shown(seen.value, unit)}, usually {shown(quiet.middle, unit)}"
    if seen.since is not None:
        text += f", {seen.direction} since {_clock(seen.since)}"
    elif seen.direction is None:
        text += f"; the last {lens.run} samples disagree: it begins or ends just now"
    elif seen.touched > 0:
        text += f"; normal now, deviated in {seen.touched:.0%} of the samples since the onset"
    expected = max(1.0, (scope.now.timestamp() - scope.baseline_end.timestamp()) / lens.step)
    after = sum(at > scope.baseline_end.timestamp() for at, _ in samples)
    return replace(
        blank,
        symptom=seen.direction or "unknown",
        statement=text,
        at=_moment(seen.since) if seen.since is not None else _moment(samples[-1][0]),
        value=seen.value,
        baseline=quiet.middle,
        trust=blank.trust * (TRUST_SPARSE if after < SPARSE_BELOW * expected else 1.0),
    )


def _versions(
    lens: Lens, query: Query, answer: Answer, sensitivity: Sensitivity, name: str, series: Sequence[Series]
) -> Evidence | None:
    scope = lens.scope
    if len(series) < 2:
        return None
    first, second = sorted(series, key=lambda each: each.samples[0][0])[-2:]
    if second.samples[0][0] <= max(first.samples[0][0], scope.baseline_end.timestamp()):
        return None  # both were there all along: which one is new cannot be told
    older = dict(first.samples)
    pairs = [(at, older[at], value) for at, value in second.samples if at in older]
    quiet = baseline.usual(first.samples, scope.baseline_start.timestamp(), scope.baseline_end.timestamp())
    if quiet is None or len(pairs) < MIN_OVERLAP:
        return None
    # Rates look back over their window: the last sample of the overlap is the purest.
    old, new = pairs[-1][1], median(pair[2] for pair in pairs)
    symptom = _difference(quiet.direction(old, sensitivity), quiet.direction(new, sensitivity))
    if symptom is None or (symptom == "normal" and pairs[-1][0] - pairs[0][0] <= lens.window):
        return None
    signal = query.id.removeprefix("version_")
    relation = {"high": "worse than", "low": "better than", "normal": "no better than"}[symptom]
    return Evidence(
        id=f"{query.id}/{name}",
        signal=query.id,
        subject=name,
        symptom=symptom,
        statement=f"{signal} of {name} {second.label('version')}: {shown(new, query.unit)}, {relation} "
        f"{first.label('version')} at the same time ({shown(old, query.unit)})",
        at=_moment(second.samples[0][0]),
        value=new,
        baseline=old,
        unit=query.unit,
        trust=TRUST_WARNED if answer.warnings else 1.0,
        source=query.expr,
    )


def _difference(old: baseline.Direction, new: baseline.Direction) -> baseline.Direction | None:
    """Two versions against what was usual: which one is bad. None where neither is."""
    if "high" not in (old, new):
        return None
    if old == new:
        return "normal"
    return "high" if new == "high" else "low"


def shown(value: float, unit: str) -> str:
    """A value with its unit, for people."""
    if unit == "ratio":
        return f"{value:.1%}"
    if unit == "s":
        return f"{value * 1000:.0f} ms"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.3g} {unit}".rstrip()


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _clock(epoch: float) -> str:
    return f"{_moment(epoch):%H:%M:%S} UTC"
