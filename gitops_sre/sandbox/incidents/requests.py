"""Single requests on their way through the call graph: spans of a trace and the log lines written beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gitops_sre.sandbox.incidents.incident import Incident
from gitops_sre.sandbox.incidents.prose import Prose

SPAN_HEAD = "trace_id,span_id,parent_id,service,pod,operation,start_ns,duration_us"
LINE_HEAD = "ts_ns,service,pod,trace_id,span_id,message"
DEPTH = 12
MINUTE = 60.0


@dataclass
class Minute:
    """What one minute of requests left behind, as rows of the two tables."""

    spans: list[str] = field(default_factory=list)
    lines: list[tuple[int, str]] = field(default_factory=list)

    def ordered_lines(self) -> list[str]:
        return [text for _, text in sorted(self.lines)]


@dataclass
class Sampler:
    """Follows requests through an incident; `prose` is what each service says in its log."""

    incident: Incident
    prose: Prose
    rng: np.random.Generator
    minute: Minute = field(default_factory=Minute)

    def sample(self, begin: float, most: int) -> Minute:
        """Requests that came in during the minute from `begin` (epoch seconds), at most so many."""
        self.minute = Minute()
        column = self._column(begin + MINUTE / 2)
        count = min(int(self.rng.poisson(self.incident.flow.demand[0, column] * MINUTE)), most)
        for at in np.sort(self.rng.uniform(begin, begin + MINUTE, count)):
            trace = self._hex(16)
            self._serve(0, float(at), self._column(float(at)), trace, "root", 0)
        return self.minute

    def _column(self, at: float) -> int:
        return int(np.clip(np.searchsorted(self.incident.world.times, at), 0, len(self.incident.world.times) - 1))

    def _hex(self, size: int) -> str:
        return self.rng.bytes(size).hex()

    def _span(self, trace: str, parent: str, pod: int, operation: str, begin: float, seconds: float) -> str:
        """Writes a span down and returns its id."""
        span = self._hex(8)
        self._write(trace, span, parent, pod, operation, begin, seconds)
        return span

    def _write(
        self, trace: str, span: str, parent: str, pod: int, operation: str, begin: float, seconds: float
    ) -> None:
        item = self.incident.world.pods[pod]
        name = self.incident.world.name(item.service)
        self.minute.spans.append(
            f"{trace},{span},{parent},{name},{item.name},{operation},{int(begin * 1e9)},{max(int(seconds * 1e6), 1)}\n"
        )

    def _say(self, trace: str, span: str, pod: int, at: float, message: str) -> None:
        item = self.incident.world.pods[pod]
        name = self.incident.world.name(item.service)
        stamp = int(at * 1e9)
        self.minute.lines.append((stamp, f'{stamp},{name},{item.name},{trace},{span},"{message}"\n'))

    def _serve(
        self, service: int, begin: float, column: int, trace: str, parent: str, depth: int
    ) -> tuple[float, bool]:
        """One request at one service: how many seconds it took there and whether it succeeded."""
        pod = self._pod(service, column)
        effects, voice, span = self.incident.effects, self.prose.of(service), self._hex(8)
        own = self._own_time(service, pod, column)
        failing = self.rng.random() < effects.error[pod, column]
        silent = self.rng.random() < effects.skip[pod, column]
        self._say(trace, span, pod, begin, voice.begun(self.rng))
        now, good = begin + own / 2, True
        if not silent and not (failing and self.rng.random() < 0.6) and depth < DEPTH:
            now, good = self._call_on(service, pod, now, column, trace, span, depth)
        now += own / 2
        handler = self._span(trace, span, pod, voice.handler, begin, now - begin)
        if failing:
            self._say(trace, handler, pod, now, voice.failed(self.rng))
        elif good and not silent:
            self._say(trace, handler, pod, now, voice.done(self.rng))
        if self.rng.random() < voice.moans:
            self._say(trace, span, pod, now, voice.moan)
        took = now - begin + 0.0002
        self._write(trace, span, parent, pod, voice.route, begin, took)
        return took, good and not failing

    def _call_on(
        self, service: int, pod: int, now: float, column: int, trace: str, span: str, depth: int
    ) -> tuple[float, bool]:
        """Calls what a service needs, one after the other; a vital failure ends it."""
        world, good = self.incident.world, True
        for number in world.graph.calls_of(service):
            call = world.graph.calls[number]
            whole, rest = divmod(call.per_request, 1.0)
            for _ in range(int(whole) + int(self.rng.random() < rest)):
                took, fine = self._over_the_wire(number, pod, now, column, trace, span, depth)
                now += took
                if not fine and self.rng.random() < call.vital:
                    return now, False
        return now, good

    def _over_the_wire(
        self, number: int, pod: int, now: float, column: int, trace: str, parent: str, depth: int
    ) -> tuple[float, bool]:
        """One call as its caller sees it: the network there, the answer, the time-out; stores write no spans."""
        world, effects = self.incident.world, self.incident.effects
        call = world.graph.calls[number]
        target, span = self._pod(call.callee, column), self._hex(8)
        wire = effects.delay[pod, column] + effects.delay[target, column] + effects.call_delay[number, column] + 0.0005
        lost = self.rng.random() < max(effects.loss[pod, column], effects.loss[target, column])
        wire += 0.2 * self.rng.integers(1, 4) if lost else 0.0
        role = world.graph.services[call.callee].role
        if self.rng.random() < effects.call_error[number, column]:
            took, good = 0.003, False
        elif role in ("store", "external"):
            took = self._own_time(call.callee, target, column)
            good = bool(self.rng.random() >= effects.error[target, column])
        else:
            took, good = self._serve(call.callee, now + wire / 2, column, trace, span, depth + 1)
        took = float(took + wire)
        if took > call.timeout_s:
            took, good = call.timeout_s, False
        self._write(trace, span, parent, pod, self.prose.client(call.callee, role), now, took)
        if not good:
            self._say(trace, span, pod, now + took, self.prose.refused(call.callee, took >= call.timeout_s, self.rng))
        return took, good

    def _pod(self, service: int, column: int) -> int:
        pods = self.incident.world.pods_of(service)
        ready = self.incident.effects.ready[pods, column] + 1e-9
        return int(self.rng.choice(pods, p=ready / ready.sum()))

    def _own_time(self, service: int, pod: int, column: int) -> float:
        item, effects = self.incident.world.graph.services[service], self.incident.effects
        queue = (1 - item.busy * 0.8) / (1 - min(float(self.incident.flow.busy[pod, column]), 0.96))
        middle = item.own_s * float(effects.slow[pod, column]) * max(queue, 0.8)
        return float(middle * np.exp(item.sigma * self.rng.standard_normal()) + effects.extra[pod, column])
