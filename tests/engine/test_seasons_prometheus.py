"""A real Prometheus that knows the same hour of earlier days: a daily rush is no fault, a fault in the rush is one."""

from __future__ import annotations

import math
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.engine.inquiry import Question, Sources, gather
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.perception import presets
from gitops_sre.perception.seasons import DAYS
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.reasoning.diagnose import diagnose
from gitops_sre.sandbox.telemetry.prometheus import missing_binaries, start_prometheus
from gitops_sre.settings import PrometheusSettings

pytestmark = pytest.mark.skipif(
    bool(missing_binaries()), reason=f"not on PATH: {', '.join(missing_binaries())} (Debian: prometheus)"
)
QUERIES, CATALOGUE = presets.load(), load_catalogue()
NOON = datetime(2026, 3, 17, 12, tzinfo=UTC)
TICK, BEFORE, SINCE = 30, 5400, 1800
"""Seconds between samples, and of samples before and after the rush begins."""
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
SHOP = {"web": (20.0, 0.08), "checkout": (10.0, 0.04), "search": (8.0, 0.03)}
"""Requests a second and mean latency of each service."""

State = tuple[float, float, float]
"""Of a service at a moment: how many times as much traffic and latency as usual, and the ratio of failures."""
Story = Callable[[str, float], State]


def ramp(seconds: float, begins: float = 0.0) -> float:
    """From 0 to 1 within five minutes."""
    return min(max((seconds - begins) / 300, 0.0), 1.0)


def quiet(_: str, __: float) -> State:
    return 1.0, 1.0, 0.001


def rush(_: str, seconds: float, begins: float = 0.0, size: float = 1.0) -> State:
    """Four times the traffic, and twice the latency."""
    much = size * ramp(seconds, begins)
    return 1 + 3 * much, 1 + much, 0.001


def early(service: str, seconds: float) -> State:
    return rush(service, seconds, begins=-240)


def late(service: str, seconds: float) -> State:
    return rush(service, seconds, begins=300)


def crowd(service: str, seconds: float) -> State:
    return rush(service, seconds, size=3)


def slow(service: str, seconds: float) -> State:
    """Ten minutes into the rush checkout becomes slow, and every other request to web waits for it."""
    traffic, latency, errors = rush(service, seconds)
    return traffic, latency + ramp(seconds, 600) * {"web": 3.0, "checkout": 12.0, "search": 0.0}[service], errors


def failing(service: str, seconds: float) -> State:
    traffic, latency, errors = rush(service, seconds)
    return traffic, latency, errors + ramp(seconds, 600) * {"web": 0.1, "checkout": 0.2, "search": 0.0}[service]


def samples(story: Story, day: datetime, seed: str) -> Iterator[tuple[str, str, float, float]]:
    """(family, series, value, time) of one day, counters from 0."""
    noise, totals = random.Random(seed), dict[str, float]()

    def count(series: str, more: float) -> float:
        totals[series] = totals.get(series, 0.0) + more
        return totals[series]

    for seconds in range(-BEFORE, SINCE + 1, TICK):
        at = day.timestamp() + seconds
        for service, (rate, mean) in SHOP.items():
            traffic, latency, errors = story(service, seconds)
            requests = noise.gauss(rate * traffic * TICK, math.sqrt(rate * traffic * TICK))
            label, took = f'service="{service}"', mean * latency * noise.gauss(1, 0.03)
            for code, part in (("200", 1 - errors), ("500", errors)):
                series = f'http_requests_total{{{label},code="{code}"}}'
                yield "http_requests_total counter", series, count(series, requests * part), at
            family = "http_request_duration_seconds"
            for bound in (*BOUNDS, math.inf):
                series = f'{family}_bucket{{{label},le="{"+Inf" if bound == math.inf else bound}"}}'
                yield f"{family} histogram", series, count(series, requests * (1 - math.exp(-bound / took))), at
            series = f"container_cpu_usage_seconds_total{{{label}}}"
            yield "container_cpu_usage_seconds_total counter", series, count(series, 0.1 * TICK + 0.2 * requests), at
            for name, more in (("count", requests), ("sum", requests * took)):
                series = f"{family}_{name}{{{label}}}"
                yield f"{family} histogram", series, count(series, more), at
        for callee in ("checkout", "search"):
            rate, traffic = SHOP[callee][0], story(callee, seconds)[0]
            series = f'http_client_requests_total{{service="web",peer="{callee}",code="200"}}'
            yield "http_client_requests_total counter", series, count(series, rate * traffic * TICK), at


def openmetrics(today: Story, past: Sequence[Story]) -> str:
    """Today and the earlier days, the latest first, as promtool reads them."""
    days = [(0, today), *zip(DAYS, past, strict=False)]
    families: dict[str, dict[str, list[str]]] = {}
    for ago, story in sorted(days, key=lambda pair: -pair[0]):
        for family, series, value, at in samples(story, NOON - timedelta(days=ago), str(ago)):
            families.setdefault(family, {}).setdefault(series, []).append(f"{series} {value:.6f} {at:.3f}")
    lines = []
    for family, rows in families.items():
        name, kind = family.split()
        lines.append(f"# TYPE {name.removesuffix('_total')} {kind}")
        lines += [line for row in rows.values() for line in row]
    return "\n".join([*lines, "# EOF\n"])


def asked(folder: Path, today: Story, past: Sequence[Story], *, seasonal: bool = True) -> Diagnosis:
    (folder / "metrics.txt").write_text(openmetrics(today, past), encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=162h"]
    subprocess.run([*command, "metrics.txt", "data"], check=True, capture_output=True, cwd=folder)
    server = start_prometheus(folder, "groups: []\n")
    client = Prometheus(PrometheusSettings(url=server.url), {})
    try:
        question = Question(
            NOON - timedelta(seconds=BEFORE - 300),
            NOON - timedelta(seconds=300),
            NOON + timedelta(seconds=SINCE),
            60,
            "web",
            window=300,
            seasonal=seasonal,
        )
        return diagnose(gather(question, Sources(client), QUERIES), CATALOGUE)
    finally:
        client.close()
        server.stop()


def top(diagnosis: Diagnosis) -> tuple[str, str]:
    first = diagnosis.ranking[0]
    return first.service, first.cause


SPIKE, NOBODY = ("web", "traffic_spike"), ("", "no_fault")


@pytest.mark.parametrize(
    ("today", "past"),
    [
        (rush, (rush, rush, rush)),
        (early, (rush, rush, late)),
        (rush, (quiet, rush, rush)),  # yesterday was a Sunday
        (rush, (rush, rush)),  # nothing is kept of two weeks ago
        (rush, (slow, rush, rush)),  # yesterday something was wrong
    ],
)
def test_a_daily_rush_is_no_fault(tmp_path: Path, today: Story, past: Sequence[Story]) -> None:
    found = asked(tmp_path, today, past)
    assert top(found) == NOBODY
    assert "season/traffic/web" in {item.id for item in found.evidence}


@pytest.mark.parametrize(
    ("today", "past", "seasonal"),
    [
        (rush, (rush, rush, rush), False),
        (rush, (), True),
        (rush, (rush,), True),  # a single day proves no habit
        (rush, (quiet, quiet, quiet), True),
        (crowd, (rush, rush, rush), True),
    ],
)
def test_any_other_rush_is_a_spike(tmp_path: Path, today: Story, past: Sequence[Story], *, seasonal: bool) -> None:
    assert top(asked(tmp_path, today, past, seasonal=seasonal)) == SPIKE


@pytest.mark.parametrize("today", [slow, failing])
@pytest.mark.parametrize("yesterday", [rush, slow, failing])
def test_a_fault_in_the_rush_is_found_where_it_is(tmp_path: Path, today: Story, yesterday: Story) -> None:
    found = asked(tmp_path, today, (yesterday, rush, rush))
    assert top(found)[0] == "checkout"
    assert found.probability("traffic_spike") < 0.05
