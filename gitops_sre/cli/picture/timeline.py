"""Geometry of the timeline: small multiples over one axis of time, the onset as a line through all of them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gitops_sre.cli.picture.scale import Scale, amount, clock, clock_ticks, date_clock, limits, shorten, spread, ticks
from gitops_sre.cli.picture.series import Curve, Picked
from gitops_sre.model.change_feed import Rollout
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis
from gitops_sre.model.evidence import Scope

WIDTH, LEFT, RIGHT = 980.0, 74.0, 170.0
TOP, LANE, PANEL, GAP, TITLE = 40.0, 20.0, 74.0, 16.0, 20.0
MAX_LANES = 8
AFTER, AT_LEAST, SAMPLES = 2.0, 1800.0, 24
"""The time shown before the onset: so many times that after it, at least so many seconds and so many samples."""
EARLIER = 4 * 3600.0
"""A rollout is shown from its start when it began at most so many seconds before the onset."""
MAX_POINTS = 300
HOLE = 3.0
"""A distance of samples beyond so many usual ones is a hole."""
LABEL = 13.0


@dataclass(frozen=True)
class Mark:
    """A change or a rollout: a bar from `x` to `end` in its lane; `blamed` where it is the one."""

    x: float
    end: float
    y: float
    label: str
    label_x: float
    anchor: str
    when: str
    full: str
    blamed: bool


@dataclass(frozen=True)
class Drawn:
    """A curve: SVG path data; its label at the right."""

    path: str
    role: str
    label: str
    full: str
    label_y: float


@dataclass(frozen=True)
class Panel:
    """One small picture. `ticks` are (y, text); `band` is (y, height) of the usual range."""

    title: str
    full: str
    signal: str
    note: str
    y: float
    bottom: float
    ticks: tuple[tuple[float, str], ...]
    curves: tuple[Drawn, ...]
    band: tuple[float, float] | None


@dataclass(frozen=True)
class Timeline:
    """The whole picture; `onset`, `asked` are x positions."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    ticks: tuple[tuple[float, str], ...]
    day: str
    onset: float
    onset_label: str
    onset_anchor: str
    asked: float
    marks: tuple[Mark, ...]
    more_marks: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Event:
    """Something that was done: from `begin` to `end` in epoch seconds."""

    begin: float
    end: float
    label: str
    full: str
    blamed: bool


def events(rollouts: Iterable[Rollout], diagnosis: Diagnosis, blamed: Hypothesis | None) -> tuple[Event, ...]:
    """Rollouts, and the changes that hypotheses blame; the blamed one first, then the latest."""
    found = [
        Event(
            each.at.timestamp(),
            max(step.done for step in each.steps).timestamp(),
            f"{shorten(each.service, 24)} {shorten(each.before, 12)} → {shorten(each.after, 12)}",
            f"rollout of {each.service} from {each.before} to {each.after}",
            blamed is not None and blamed.rollout is not None and blamed.rollout.key == each.key,
        )
        for each in rollouts
    ]
    changes = {each.change.commit.sha: each.change for each in diagnosis.hypotheses if each.change}
    found += [
        Event(
            (change.live or change.commit.at).timestamp(),
            (change.live or change.commit.at).timestamp(),
            f"{shorten(change.service, 24)}: {change.kind} {sha[:8]}",
            f"{change.kind} change {sha[:12]} of {change.service}: {change.commit.subject}",
            blamed is not None and blamed.change is not None and blamed.change.commit.sha == sha,
        )
        for sha, change in changes.items()
    ]
    return tuple(sorted(found, key=lambda each: (not each.blamed, -each.begin, each.full)))


def window(scope: Scope, happened: Iterable[Event], step: float) -> tuple[float, float]:
    """The time that is shown, in epoch seconds: enough before the onset to see what was usual, up to the asking."""
    onset, now = scope.onset.timestamp(), scope.now.timestamp()
    begin = onset - max(AFTER * (now - onset), AT_LEAST, SAMPLES * step)
    near = [each.begin for each in happened if onset - EARLIER <= each.begin <= now]
    begin = min([begin, *(at - 60 for at in near)])
    begin = max(begin, min(scope.baseline_start.timestamp(), onset - 60))
    return begin, max(now, onset + 1)


def timeline(scope: Scope, pictures: Sequence[Picked], happened: Sequence[Event]) -> Timeline:
    """Places of everything."""
    step = max((_step(each) for each in pictures), default=60.0)
    begin, end = window(scope, happened, step)
    x = Scale(begin, end, LEFT, WIDTH - RIGHT)
    shown = [each for each in happened if each.end >= begin and each.begin <= end]
    lanes = shown[:MAX_LANES]
    top = TOP + LANE * len(lanes) + (8 if lanes else 0)
    panels = tuple(_panel(each, x, top + n * (TITLE + PANEL + GAP)) for n, each in enumerate(pictures))
    bottom = panels[-1].bottom if panels else top + GAP
    onset = scope.onset.timestamp()
    return Timeline(
        WIDTH,
        bottom + 40,
        LEFT,
        WIDTH - RIGHT,
        TOP,
        bottom,
        tuple((x(at), _when(at, begin, end)) for at in clock_ticks(begin, end)),
        _day(begin, end),
        x(onset),
        f"onset {clock(onset, seconds=True)}",
        "end" if x(onset) > (LEFT + WIDTH - RIGHT) / 2 else "start",
        x(scope.now.timestamp()),
        tuple(_mark(each, x, TOP + 4 + n * LANE) for n, each in enumerate(lanes)),
        len(happened) - len(lanes),
        panels,
    )


def _step(picture: Picked) -> float:
    times = picture.curves[0].times
    return float(times[1] - times[0]) if len(times) > 1 else 60.0


def _when(at: float, begin: float, end: float) -> str:
    return date_clock(at) if end - begin > 86400 else clock(at, seconds=end - begin < 420)


def _day(begin: float, end: float) -> str:
    first, last = date_clock(begin)[:6], date_clock(end)[:6]
    return first if first == last else f"{first} – {last}"


def _mark(event: Event, x: Scale, y: float) -> Mark:
    begin, end = x(event.begin), max(x(event.end), x(event.begin) + 4)
    room = 6.4 * len(event.label)
    right = end + 6 + room <= WIDTH
    when = clock(event.begin, seconds=True)
    if event.end > event.begin:
        when += f" to {clock(event.end, seconds=True)}"
    return Mark(
        begin,
        end,
        y,
        event.label,
        end + 6 if right else begin - 6,
        "start" if right else "end",
        when,
        event.full,
        event.blamed,
    )


def _panel(picture: Picked, x: Scale, y: float) -> Panel:
    wanted = picture.wanted
    values = [float(v) for curve in picture.curves for v in _within(curve, x)[1] if math.isfinite(v)]
    low, high = limits([*values, *(picture.usual or ())])
    scale = Scale(low, high, y + TITLE + PANEL, y + TITLE)
    band = None
    if picture.usual:
        upper = scale(picture.usual[1])
        band = (upper, max(1.0, round(scale(picture.usual[0]) - upper, 1)))
    place = f"{wanted.caller} → {wanted.service}" if wanted.caller else wanted.service
    signal = wanted.signal.replace("_", " ") + (f" ({picture.stat})" if picture.stat else "")
    note = wanted.why
    if picture.level:
        note += f": {amount(picture.level[0], picture.unit)} → {amount(picture.level[1], picture.unit)}"
    return Panel(
        shorten(place, 44),
        place,
        shorten(signal, 30),
        note,
        y + TITLE,
        y + TITLE + PANEL,
        tuple((scale(value), amount(value, picture.unit, bare=True)) for value in ticks(low, high, 2, picture.unit)),
        _curves(picture, x, scale),
        band,
    )


def _curves(picture: Picked, x: Scale, y: Scale) -> tuple[Drawn, ...]:
    """Paths with their labels at the right, moved apart where they would overlap."""
    found = []
    for curve in picture.curves:
        times, values = _within(curve, x)
        last = next((v for v in reversed(values) if math.isfinite(v)), None)
        name = " ".join(part for part in (shorten(curve.name, 12), "" if last is None else amount(last, picture.unit)))
        found.append((y.start if last is None else y(last), path(times, values, x, y), curve, name.strip()))
    order = sorted(range(len(found)), key=lambda n: found[n][0])
    places = dict(zip(order, spread([found[n][0] for n in order], LABEL, y.end, y.start), strict=True))
    return tuple(
        Drawn(line, curve.role, name, curve.name or picture.wanted.service, round(places[n], 1))
        for n, (_, line, curve, name) in enumerate(found)
    )


def _within(curve: Curve, x: Scale) -> tuple[list[float], list[float]]:
    """The samples that are shown, without holes' NaN."""
    pairs = zip(curve.times.tolist(), curve.values.tolist(), strict=True)
    kept = [(at, value) for at, value in pairs if x.low <= at <= x.high and math.isfinite(value)]
    return [at for at, _ in kept], [value for _, value in kept]


def path(times: Sequence[float], values: Sequence[float], x: Scale, y: Scale) -> str:
    """SVG path data of a curve, broken at holes; of many samples the least and the greatest of every bucket."""
    if not times:
        return ""
    steps = sorted(b - a for a, b in pairwise(times))
    hole = HOLE * steps[len(steps) // 2] if steps else 0.0
    parts, before = [], -math.inf
    for at, value in _thinned(times, values):
        parts.append(f"{'M' if at - before > max(hole, _bucket(times) * HOLE) else 'L'}{x(at)},{y(value)}")
        before = at
    if len(parts) == 1:
        parts.append("h0.1")  # a lone sample, as a dot
    return "".join(parts)


def _bucket(times: Sequence[float]) -> float:
    """Seconds of a bucket of samples; 0 where all are shown."""
    return 2 * (times[-1] - times[0]) / MAX_POINTS if len(times) > MAX_POINTS else 0.0


def _thinned(times: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    pairs = list(zip(times, values, strict=True))
    if not (bucket := _bucket(times)):
        return pairs
    groups: dict[int, list[tuple[float, float]]] = {}
    for at, value in pairs:
        groups.setdefault(int((at - times[0]) // bucket), []).append((at, value))
    found: list[tuple[float, float]] = []
    for group in groups.values():
        found += sorted({min(group, key=lambda pair: pair[1]), max(group, key=lambda pair: pair[1])})
    return found
