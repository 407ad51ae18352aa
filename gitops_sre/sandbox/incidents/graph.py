"""Random call graphs: who calls whom, how often, and what each service costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WORDS = tuple(
    word
    for line in (
        "cart orders payment catalogue user shipping search review rating stock price promo basket invoice",
        "mail ticket route station seat train travel food voucher notify auth session profile media feed",
        "timeline compose graph geo hotel booking wallet ledger fraud quote currency advert recommend",
        "checkout frontend gateway portal admin report audit config label parcel courier",
    )
    for word in line.split()
)
STYLES = ("{}", "{}service", "{}-service", "{}-svc", "app-{}", "{}-api")
STORES = ("redis", "mysql", "mongo", "postgres", "memcached", "rabbitmq")
EXTERNALS = ("ext-payments", "ext-mail", "ext-maps", "ext-bank", "ext-cdn", "ext-sms")


@dataclass(frozen=True)
class Service:
    """One service. `own_s`: median own time of a request in seconds; `sigma`: spread of its logarithm;
    `busy`: utilisation of a pod at the usual peak; `memory_mb`: working set; `saw_s`: period of the garbage
    collector, 0 for none."""

    name: str
    role: str  # entry, app, store, external
    own_s: float
    sigma: float
    busy: float
    memory_mb: float
    saw_s: float


@dataclass(frozen=True)
class Call:
    """Calls from one service (index) to another, per request of the caller. `vital`: share of failures that fail
    the caller."""

    caller: int
    callee: int
    per_request: float
    vital: float
    timeout_s: float
    retries: int


@dataclass(frozen=True)
class Graph:
    """Services in topological order: a caller stands before everything it calls."""

    services: tuple[Service, ...]
    calls: tuple[Call, ...]

    def calls_of(self, caller: int) -> list[int]:
        return [i for i, call in enumerate(self.calls) if call.caller == caller]

    def callers_of(self, callee: int) -> list[int]:
        return [i for i, call in enumerate(self.calls) if call.callee == callee]


def random_graph(rng: np.random.Generator, shape: str = "any") -> Graph:
    """A connected acyclic graph. `shape`: shop (10-12 services), chain, fan, mesh, or any."""
    if shape == "any":
        shape = str(rng.choice(["shop", "chain", "fan", "mesh"], p=[0.4, 0.15, 0.2, 0.25]))
    apps = int(
        {
            "shop": rng.integers(8, 11),
            "chain": rng.integers(5, 13),
            "fan": rng.integers(7, 20),
            "mesh": rng.integers(12, 33),
        }[shape]
    )
    stores = int(rng.integers(1, 3 if shape != "mesh" else 6))
    externals = int(rng.random() < 0.5)
    roles = ["entry"] + ["app"] * (apps - 1) + ["store"] * stores + ["external"] * externals
    names = _names(rng, roles)
    services = tuple(_service(rng, name, role) for name, role in zip(names, roles, strict=True))
    pairs = _app_pairs(rng, shape, apps) | _leaf_pairs(rng, apps, len(roles))
    return Graph(services, tuple(_call(rng, pair) for pair in sorted(pairs)))


def _names(rng: np.random.Generator, roles: list[str]) -> list[str]:
    style = str(rng.choice(STYLES))
    words, stores, externals = (iter(rng.permutation(list(pool))) for pool in (WORDS, STORES, EXTERNALS))
    pick = {"store": lambda: f"{next(words)}-{next(stores)}", "external": lambda: str(next(externals))}
    return [pick.get(role, lambda: style.format(next(words)))() for role in roles]


def _service(rng: np.random.Generator, name: str, role: str) -> Service:
    own = {"entry": 0.006, "app": 0.005, "store": 0.0015, "external": 0.06}[role] * float(rng.lognormal(0, 0.8))
    saw = float(rng.uniform(120, 1500)) if rng.random() < 0.4 else 0.0
    busy = float(rng.uniform(0.08, 0.55))
    return Service(name, role, own, float(rng.uniform(0.25, 1.0)), busy, float(rng.lognormal(5.2, 0.7)), saw)


def _app_pairs(rng: np.random.Generator, shape: str, apps: int) -> set[tuple[int, int]]:
    pairs = set()
    for callee in range(1, apps):
        if shape == "chain":
            caller = max(0, callee - int(rng.integers(1, 3)))
        elif shape == "fan":
            caller = 0 if rng.random() < 0.65 else int(rng.integers(0, callee))
        else:
            caller = int(callee * rng.beta(0.7, 1.3))
        pairs.add((caller, callee))
    extra = {"shop": 0.5, "chain": 0.15, "fan": 0.3, "mesh": 0.8}[shape]
    for _ in range(int(extra * apps)):
        caller, callee = sorted(int(i) for i in rng.choice(apps, 2, replace=False))
        pairs.add((caller, callee))
    return pairs


def _leaf_pairs(rng: np.random.Generator, apps: int, total: int) -> set[tuple[int, int]]:
    """Stores and externals: shared by one to four of the services behind the entry."""
    pairs = set()
    for leaf in range(apps, total):
        for caller in rng.choice(np.arange(1, apps), size=min(apps - 1, int(rng.integers(1, 5))), replace=False):
            pairs.add((int(caller), leaf))
    return pairs


def _call(rng: np.random.Generator, pair: tuple[int, int]) -> Call:
    often = float(rng.choice([0.03, 0.15, 0.4, 0.8, 1.0, 2.0], p=[0.08, 0.15, 0.2, 0.2, 0.27, 0.1]))
    vital = float(rng.choice([0.0, 0.4, 1.0], p=[0.12, 0.23, 0.65]))
    timeout = float(rng.choice([1.0, 3.0, 10.0, 30.0]))
    return Call(pair[0], pair[1], often, vital, timeout, int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1])))
