"""The shop's world for tests, and the same samples behind the real Prometheus and the embedded endpoint."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

import pytest
import requests

from gitops_sre.sandbox import shop
from gitops_sre.sandbox.telemetry.alerting import RuleGroup
from gitops_sre.sandbox.telemetry.embedded import Api
from gitops_sre.sandbox.telemetry.evaluate import DEBIAN_2, PROMETHEUS_3, Semantics
from gitops_sre.sandbox.telemetry.faults import ImageFault
from gitops_sre.sandbox.telemetry.model import Running, Simulation
from gitops_sre.sandbox.telemetry.nodes import QueryError
from gitops_sre.sandbox.telemetry.prometheus import Backfill, Process, missing_binaries, start_prometheus
from gitops_sre.sandbox.telemetry.rules import rules_file
from gitops_sre.sandbox.telemetry.series import Series, Tick, series
from gitops_sre.sandbox.telemetry.store import Store

World = dict[tuple[str, str], Running]

needs_prometheus = pytest.mark.skipif(
    bool(missing_binaries()), reason=f"not on PATH: {', '.join(missing_binaries())} (Debian: prometheus)"
)
needs_alertmanager = pytest.mark.skipif(
    not (shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")),
    reason="not on PATH: prometheus-alertmanager",
)

BASE = 1_760_000_000
"""Unix second at which the samples of `Both` become one a second."""
LAST = BASE + 420


def world() -> World:
    """Everything runs as the infra repository declares it."""
    return {
        (environment, service.name): running(service.name, environment, service.version)
        for environment in shop.ENVIRONMENTS
        for service in shop.SERVICES
    }


def running(service: str, environment: str, tag: str, ready: int | None = None) -> Running:
    """`service` with `tag`, all replicas ready unless told otherwise."""
    replicas = shop.replicas(shop.BY_NAME[service], environment)
    return Running(f"{shop.BY_NAME[service].image}:{tag}", replicas if ready is None else ready, replicas)


def values(tick: Tick, name: str, **labels: str) -> dict[Series, float]:
    """Samples of one tick by metric name and labels."""
    return {s: v for s, v in tick.samples if s.name == name and labels.items() <= dict(s.labels).items()}


def total(tick: Tick, name: str, **labels: str) -> float:
    """Sum of `values`."""
    return sum(values(tick, name, **labels).values())


def eventful_ticks() -> tuple[list[Tick], list[Tick]]:
    """Two hours a minute, seven minutes a second: rollouts, an outage, missing ticks, and odd series of their own."""
    simulation, random = Simulation(7), Random(7)
    state = world()
    coarse = [simulation.step(at, 60, state) for at in range(BASE - 7200, BASE + 1, 60)]
    faults = (ImageFault("payments", "v9", error_rate=0.3, latency_factor=3),)
    fine: list[Tick] = []
    reset, late = series("odd_resets_total", kind="reset"), series("odd_late_total", kind="late")
    sparse, signed = series("odd_sparse_total", kind="sparse"), series("odd_gauge", kind="signed", empty_to_be="x")
    counter = 0.0
    for at in range(BASE + 1, LAST + 1):
        if at == BASE + 100:
            state["production", "payments"] = running("payments", "production", "v9")
        if at == BASE + 200:
            state["production", "payments"] = running("payments", "production", "v5.2.0")
        if BASE + 250 <= at < BASE + 260:
            state["staging", "inventory"] = running("inventory", "staging", "v2.3.1", ready=0)
        else:
            state["staging", "inventory"] = running("inventory", "staging", "v2.3.1")
        tick = simulation.step(at, 1, state, faults)
        counter = 0.0 if random.random() < 0.1 else counter + random.random()
        tick.samples.append((reset, counter))
        tick.samples.append((signed, random.gauss(0, 5)))
        if at >= BASE + 50:
            tick.samples.append((late, (at - BASE - 50) * 2.5))
        if random.random() < 0.3:
            tick.samples.append((sparse, float(at - BASE)))
        if not BASE + 300 <= at < BASE + 309:  # longer than the lookback
            fine.append(tick)
    return coarse, fine


@dataclass(frozen=True)
class Answer:
    """An answer's status, error type and result in a form that can be compared."""

    status: int
    error: str
    kind: str
    rows: Mapping[frozenset[tuple[str, str]], list[tuple[float, float]]]


@dataclass(frozen=True)
class Both:
    """The real Prometheus and the embedded API over the same samples."""

    url: str
    api: Api

    def real(self, path: str, **parameters: str) -> Answer:
        answer = requests.post(f"{self.url}/api/v1/{path}", data=parameters, timeout=10)
        return _answer(answer.status_code, answer.text)

    def embedded(self, path: str, **parameters: str) -> Answer:
        call = self.api.query if path == "query" else self.api.query_range
        try:
            data = call({key: [value] for key, value in parameters.items()})
        except QueryError as error:
            return Answer(422, error.kind, "", {})
        return _answer(200, json.dumps({"data": data}))

    def assert_equal(self, path: str, **parameters: str) -> Answer:
        """Both give the same answer, numbers to a relative 1e-9; returns the real one."""
        real, own = self.real(path, **parameters), self.embedded(path, **parameters)
        where = f"{path} {parameters}"
        assert (own.status, own.error, own.kind) == (real.status, real.error, real.kind), where
        assert own.rows.keys() == real.rows.keys(), where
        for labels, points in real.rows.items():
            assert len(points) == len(own.rows[labels]), (where, labels)
            for (at, value), (own_at, own_value) in zip(points, own.rows[labels], strict=True):
                assert at == own_at, (where, labels)
                assert same(value, own_value), (where, labels, at, value, own_value)
        return real


def same(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(left) and math.isnan(right))


def _answer(status: int, body: str) -> Answer:
    payload = json.loads(body)
    if "data" not in payload:
        return Answer(status, payload["errorType"], "", {})
    kind, result = payload["data"]["resultType"], payload["data"]["result"]
    if kind == "scalar":
        result = [{"metric": {}, "value": result}]
    rows: dict[frozenset[tuple[str, str]], list[tuple[float, float]]] = {}
    for row in result:
        labels = frozenset(row["metric"].items())
        assert labels not in rows
        rows[labels] = [(float(at), float(value)) for at, value in row.get("values") or [row["value"]]]
    return Answer(status, "", kind, rows)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The same eventful samples in both backends."""
    folder = tmp_path_factory.mktemp("prometheus")
    store, backfill = Store(), Backfill(folder)
    for part in eventful_ticks():
        backfill.add(part)
        for tick in part:
            store.add(tick)
    backfill.finish(folder / "data")
    process: Process = start_prometheus(folder, rules_file())
    try:
        semantics = _semantics(process.url)
        yield Both(process.url, Api(store, RuleGroup(rules_file(), semantics), semantics))
    finally:
        process.stop()


def _semantics(url: str) -> Semantics:
    version = requests.get(f"{url}/api/v1/status/buildinfo", timeout=5).json()["data"]["version"]
    return DEBIAN_2 if version.startswith("2.") else PROMETHEUS_3
