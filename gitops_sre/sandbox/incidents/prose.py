"""What services write into their logs: their own sentences, with identifiers and numbers that differ every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gitops_sre.sandbox.incidents.graph import Graph

VERBS = ("get", "find", "list", "create", "update", "quote", "check")
THINGS = ("order", "item", "user", "batch", "session", "route", "price", "slot")
ERRORS = ("NullPointerException", "IllegalStateException", "KeyError", "IndexError", "ValueError", "panic: nil map")
MOANS = (
    "WARN cache entry is older than its limit, reading again",
    "WARN deprecated field in the request was ignored",
    "ERROR could not send usage statistics, will try later",
    "WARN pool is close to its size",
)


@dataclass(frozen=True)
class Voice:
    """One service: the names of its spans and its sentences; `moans`: how often its harmless complaint appears."""

    route: str
    handler: str
    verb: str
    thing: str
    error: str
    line: int
    moan: str
    moans: float

    def begun(self, rng: np.random.Generator) -> str:
        return f"INFO {self.handler} received {self.verb} for {self.thing} {rng.integers(10**6)}"

    def done(self, rng: np.random.Generator) -> str:
        return f"INFO {self.handler} finished: {rng.integers(1, 40)} of {self.thing} found, etag {rng.bytes(6).hex()}"

    def failed(self, rng: np.random.Generator) -> str:
        return f"ERROR {self.handler} failed: {self.error} at line {self.line}, {self.thing} {rng.integers(10**6)}"


@dataclass(frozen=True)
class Prose:
    """All the voices of a call graph."""

    graph: Graph
    voices: tuple[Voice, ...]

    def of(self, service: int) -> Voice:
        return self.voices[service]

    def client(self, callee: int, role: str) -> str:
        """The name of a caller's span."""
        name = self.graph.services[callee].name
        return f"{name} query" if role == "store" else f"HTTP POST {name}"

    def refused(self, callee: int, late: bool, rng: np.random.Generator) -> str:
        name = self.graph.services[callee].name
        reason = "timed out" if late else "answered 500"
        return f"WARN call to {name} {reason} after {rng.integers(1, 3)} attempts"


def random_prose(rng: np.random.Generator, graph: Graph) -> Prose:
    """A voice for every service, which it keeps for all the cases of a set."""
    return Prose(graph, tuple(_voice(rng, item.name) for item in graph.services))


def _voice(rng: np.random.Generator, name: str) -> Voice:
    verb, thing = str(rng.choice(VERBS)), str(rng.choice(THINGS))
    title = "".join(part.capitalize() for part in name.split("-"))
    moans = float(rng.choice([0.0, 0.0, 0.01, 0.1]))
    return Voice(
        f"/api/v1/{name}/{verb}",
        f"{title}Controller.{verb}",
        verb,
        thing,
        str(rng.choice(ERRORS)),
        int(rng.integers(20, 900)),
        str(rng.choice(MOANS)),
        moans,
    )
