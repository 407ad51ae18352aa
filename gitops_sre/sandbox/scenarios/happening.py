"""From a plot to what happened: a fleet, its changes, a fault, and when somebody asks about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gitops_sre.sandbox.incidents import faults
from gitops_sre.sandbox.incidents.distribution import Array
from gitops_sre.sandbox.incidents.faults import Fault
from gitops_sre.sandbox.incidents.incident import Incident, Step, copied, noticed, strike
from gitops_sre.sandbox.incidents.observe import Habits
from gitops_sre.sandbox.incidents.rollouts import noise_of_rollouts, roll
from gitops_sre.sandbox.incidents.simulate import FULL, simulate
from gitops_sre.sandbox.incidents.world import Effects, World, neutral
from gitops_sre.sandbox.scenarios import fleet
from gitops_sre.sandbox.scenarios.plots import Plot
from gitops_sre.sandbox.shop import BY_NAME

MINUTE = 60.0
TRIES = 8
RAW = {
    "new_deploy": ("latency", "errors", "cpu", "crash"),
    "config_change": ("latency", "errors"),
    "flag_flip": ("latency", "errors"),
    "code_defect": ("errors",),
    "dependency_failure": ("latency", "errors"),
    "resource_exhaustion": ("cpu", "memory"),
    "network": ("delay", "loss"),
    "infrastructure": ("node",),
    "certificate_expiry": ("expired",),
    "traffic_spike": ("surge",),
}
"""What a cause does, in the words of `incidents.faults`."""
LOUD = ("errors",)
CHANGED: dict[str, Kind] = {"new_deploy": "image", "config_change": "config", "flag_flip": "flag"}

Kind = Literal["image", "config", "flag", "resources"]


@dataclass(frozen=True)
class Moved:
    """A change of one service: committed at `at`, with pods replaced from `begin` on (None: they read it as it is)."""

    service: str
    kind: Kind
    at: float
    begin: float | None
    before: str
    after: str
    guilty: bool = False
    same_commit: bool = False
    """Whether it stands in the commit of the change before it in the list."""


@dataclass(frozen=True)
class Clock:
    """Epoch seconds. `healed` is where the fault ends, `resolved` where the alert does; None while they last."""

    start: float
    onset: float
    alert: float
    asked: float
    step: int
    healed: float | None = None
    resolved: float | None = None


@dataclass(frozen=True)
class Happening:
    """A plot played out. `services` are the ones that may rightly be blamed: a node or a spike has no one service."""

    plot: Plot
    clock: Clock
    incident: Incident
    moved: tuple[Moved, ...]
    services: tuple[str, ...]
    full: tuple[str, ...] = ()
    """Services that a spike leaves no room to."""


def play(plot: Plot, rng: np.random.Generator, near: float, tags: dict[str, str]) -> Happening:
    """Plays a plot around a moment, again until somebody feels the fault. `tags` are the versions before."""
    for _ in range(TRIES):
        clock = _clock(plot, rng, near)
        found, harm = _played(plot, rng, clock, tags)
        if harm >= 1 or plot.cause == "no_fault":
            break
    return found


def next_tag(tag: str) -> str:
    """The next minor release."""
    major, minor, _ = tag.split(".")
    return f"{major}.{int(minor) + 1}.0"


def _clock(plot: Plot, rng: np.random.Generator, near: float) -> Clock:
    onset = near + float(rng.uniform(-30, 30)) * MINUTE
    alert = onset + float(rng.uniform(60, 240))
    asked = alert + float(rng.uniform(120, 420))
    healed = resolved = None
    if plot.twist in ("healed itself", "resolved before the question"):
        alert = onset + float(rng.uniform(60, 120))
        healed = onset + float(rng.uniform(240, 360))
        asked = healed + float(rng.uniform(480, 720))
        resolved = healed + 180 if plot.twist.startswith("resolved") else None
    start = onset - float(rng.uniform(40, 55)) * MINUTE
    step = int(rng.choice([15, 30, 60]))
    return Clock(round(start), round(onset), round(alert), round(asked), step, healed, resolved)


def _played(plot: Plot, rng: np.random.Generator, clock: Clock, tags: dict[str, str]) -> tuple[Happening, float]:
    system = fleet.graph(rng)
    if plot.twist == "louder victim":
        system = fleet.louder(system, plot.service)
    made = fleet.world(rng, system, (clock.start, clock.asked, clock.step), plot.environment, tags)
    moved = _moved(plot, rng, clock, tags)
    steps = [step for change in moved if change.begin is not None for step in _rolled(made, rng, change)]
    calm = neutral(made)
    noise_of_rollouts(made, calm, rng, steps)
    faults.blips(made, calm, rng, rate=2)
    fault = _fault(plot, rng, clock, made)
    if fault is None:
        entry = fleet.place(made, plot.service)
        effects, flow, victim, metric, harm = calm, simulate(made, calm), entry, "latency", 0.0
    else:
        effects, flow, victim, metric = strike(made, calm, fault, rng)
        harm = noticed(made, simulate(made, calm), flow, clock.onset)[2]
    if clock.healed is not None:
        effects = _healed(made, effects, calm, clock.healed)
        flow = simulate(made, effects)
    habits = _habits(plot, rng)
    told = sorted((each for each in steps if each.ts <= clock.asked), key=lambda each: (each.ts, each.service))
    alert = int(clock.alert)
    incident = Incident(made, calm, effects, flow, habits, alert, victim, metric, plot.cause, fault, told)
    full = _full(made, flow.busy) if plot.cause == "traffic_spike" else ()
    return Happening(plot, clock, incident, tuple(moved), _to_blame(plot, made, fault, full), full), harm


def _moved(plot: Plot, rng: np.random.Generator, clock: Clock, tags: dict[str, str]) -> list[Moved]:
    """The guilty change, and a harmless one beside it."""
    found: list[Moved] = []
    begin = clock.onset - float(rng.uniform(5, 40))
    at = begin - float(rng.uniform(20, 70))
    if kind := "resources" if plot.moves == "memory limit" else CHANGED.get(plot.cause):
        before, after = _values(kind, plot.service, tags)
        # Who mounts a ConfigMap that is not named after its content reads the new flag without new pods.
        plain = kind == "flag" and BY_NAME[plot.service].layout == "raw"
        found.append(Moved(plot.service, kind, at, None if plain else begin, before, after, guilty=True))
    if plot.moves == "image and setting":
        before, after = _values("config", plot.service, tags)
        found.append(Moved(plot.service, "config", at, None, before, after, same_commit=True))
    if plot.beside:
        together = plot.twist == "one commit, two services"
        shift = (
            0.0 if together else float(rng.uniform(-40, 40) if plot.twist == "two changes" else rng.uniform(-240, -60))
        )
        before, after = _values("image", plot.beside, tags)
        found.append(Moved(plot.beside, "image", at + shift, begin + shift, before, after, same_commit=together))
    return found if plot.twist == "one commit, two services" else sorted(found, key=lambda each: each.at)


def _values(kind: Kind, service: str, tags: dict[str, str]) -> tuple[str, str]:
    if kind == "image":
        return tags[service], next_tag(tags[service])
    if kind == "resources":
        usual = BY_NAME[service].memory_mib
        return f"{2 * usual}Mi", f"{usual + 8}Mi"
    return ("40", "2") if kind == "config" else ("off", "on")


def _rolled(made: World, rng: np.random.Generator, change: Moved) -> list[Step]:
    """The pods of a change, replaced; all bear the repository's version. A rollout that moves no image is known by the
    hashes of the pods' templates."""
    service = fleet.place(made, change.service)
    tag = made.pods[made.pods_of(service)[0]].version
    image = change.kind == "image"
    steps = roll(made, rng, service, change.begin or 0.0)
    pods = [made.pods[number] for number in made.pods_of(service)]
    for pod in pods:
        pod.version = (change.after if np.isfinite(pod.born) else change.before) if image else tag
    old, new = (change.before, change.after) if image else (_template(pods[0].name), _template(pods[-1].name))
    return [replace(step, from_version=old, to_version=new) for step in steps]


def _template(pod: str) -> str:
    return pod.rsplit("-", 2)[1]


def _fault(plot: Plot, rng: np.random.Generator, clock: Clock, made: World) -> Fault | None:
    if plot.cause == "no_fault":
        return None
    service = fleet.place(made, plot.service)
    pods = made.pods_of(service)
    fresh = tuple(pod for pod in pods if np.isfinite(made.pods[pod].born))
    loud = plot.twist in ("louder victim", "healed itself", "resolved before the question") and plot.cause in CHANGED
    raw = plot.raw or str(rng.choice(LOUD if loud else RAW[plot.cause]))
    if made.graph.services[service].role == "store" and plot.cause == "resource_exhaustion":
        raw = "disk"
    struck = fresh or tuple(pods)
    call = -1
    if plot.cause == "infrastructure":
        struck = tuple(n for n, pod in enumerate(made.pods) if pod.node == made.pods[pods[0]].node)
    elif plot.cause in ("network", "resource_exhaustion"):
        struck = tuple(pod for pod in pods if rng.random() < 0.7) or (pods[0],)
    elif plot.cause == "certificate_expiry" and rng.random() < 0.5:
        call = int(rng.choice(made.graph.callers_of(service)))
    # A bad version misbehaves as soon as it runs.
    onset = clock.onset - 60 if fresh and plot.cause in CHANGED else clock.onset
    return Fault(raw, service, struck, onset, call=call)


def _healed(made: World, effects: Effects, calm: Effects, at: float) -> Effects:
    """The same, as if nothing were wrong from a moment on."""
    found = copied(effects)
    for name, values in vars(found).items():
        values[:, made.times >= at] = getattr(calm, name)[:, made.times >= at]
    return found


def _habits(plot: Plot, rng: np.random.Generator) -> Habits:
    measured = plot.twist != "no container metrics"
    return Habits(
        versions=plot.twist != "no rollout log",
        edges=True,
        edge_success=bool(rng.random() < 0.5),
        containers=measured,
        memory_bytes=bool(rng.random() < 0.3),
        buckets=bool(rng.random() < 0.7),
        idle=str(rng.choice(["zero", "missing"])),
        gaps=float(rng.choice([0.0, 0.003])),
    )


def _full(made: World, busy: Array) -> tuple[str, ...]:
    pods = (pod for pod in range(len(made.pods)) if (busy[pod] > FULL).any())
    return tuple(sorted({made.name(made.pods[pod].service) for pod in pods}))


def _to_blame(plot: Plot, made: World, fault: Fault | None, full: tuple[str, ...]) -> tuple[str, ...]:
    names = [item.name for item in made.graph.services]
    if fault is None:
        return ()
    if plot.cause == "infrastructure":
        return tuple(sorted({names[made.pods[pod].service] for pod in fault.pods}))
    if plot.cause == "traffic_spike":
        return (plot.service, *(name for name in full if name != plot.service))
    if made.graph.services[fault.service].role == "external":
        callers = {names[made.graph.calls[number].caller] for number in made.graph.callers_of(fault.service)}
        return (plot.service, *sorted(callers))
    if fault.call >= 0:
        return (plot.service, names[made.graph.calls[fault.call].caller])
    return (plot.service,)
