"""Alerts: rules from data, pending before firing, quiet on a quiet day, and one rule too tight."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from gitops_sre.sandbox.telemetry.alerting import RuleGroup, State
from gitops_sre.sandbox.telemetry.faults import Blip, Fault, ImageFault, PlaceFault
from gitops_sre.sandbox.telemetry.model import Simulation
from gitops_sre.sandbox.telemetry.rules import rules_file
from gitops_sre.sandbox.telemetry.series import Tick, series
from gitops_sre.sandbox.telemetry.store import Store
from tests.sandbox.telemetry.conftest import BASE, world

Firing = dict[tuple[str, str, str], list[int]]


def play(faults: tuple[Fault, ...], seconds: int, seed: int = 1) -> Firing:
    """Seconds after `BASE` at which each (alert, environment, service) fires; the window is full before them."""
    simulation, store, rules = Simulation(seed), Store(), RuleGroup(rules_file())
    for at in range(BASE - 10, BASE):
        store.add(simulation.step(at, 1, world(), faults))
    firing: Firing = {}
    for at in range(BASE, BASE + seconds):
        store.add(simulation.step(at, 1, world(), faults))
        rules.evaluate(store, at * 1000)
        for alert in rules.alerts():
            if alert.state == "firing":
                labels = dict(alert.labels)
                key = labels["alertname"], labels["environment"], labels["service"]
                firing.setdefault(key, []).append(at - BASE)
    return firing


@pytest.mark.parametrize("seed", [1, 2])
def test_a_quiet_shop_raises_no_alert(seed: int) -> None:
    assert play((), 150, seed) == {}


def test_errors_fire_within_seconds_at_the_cause_and_at_its_callers_and_end_with_it() -> None:
    firing = play((PlaceFault("staging", "payments", error_rate=0.4, begins=BASE + 10, ends=BASE + 30),), 60)
    assert set(firing) == {
        ("HighErrorRate", "staging", service) for service in ("payments", "checkout", "cart", "web", "mobile-api")
    }
    at_the_cause = firing["HighErrorRate", "staging", "payments"]
    assert 11 <= at_the_cause[0] <= 14
    assert at_the_cause[-1] <= 37


def test_a_slow_image_raises_the_latency_alert() -> None:
    firing = play((ImageFault("recommendations", "v0.31.2", latency_factor=5),), 10)
    assert ("HighLatency", "production", "recommendations") in firing
    assert not [key for key in firing if key[0] == "HighErrorRate"]


@pytest.mark.parametrize("seed", range(5))
def test_the_tight_alert_flaps_on_blips_and_nothing_else_fires(seed: int) -> None:
    blips = tuple(Blip("production", "search", BASE + after, seconds=4) for after in (5.5, 15.5))
    firing = play(blips, 40, seed)
    assert set(firing) == {("SearchLatencyTight", "production", "search")}
    seconds = firing["SearchLatencyTight", "production", "search"]
    gaps = [b - a for a, b in pairwise(seconds) if b - a > 1]
    assert len(gaps) == 1, "it fires, resolves, and fires again"
    assert seconds[-1] < 30


RULE = """
groups:
- name: test
  interval: 1s
  rules:
  - alert: High
    expr: level > 3
    for: 2s
    labels: {severity: page, service: overridden}
    annotations: {summary: "{{ $labels.service }} at {{$value}}, {{ $labels.none }}."}
"""


def test_an_alert_is_pending_until_it_held_and_starts_anew_after_a_pause() -> None:
    store, rules, level = Store(), RuleGroup(RULE), series("level", service="web")
    states: list[State] = []
    for at, value in enumerate([1, 4, 4, 1, 4, 5, 6, 6, 1]):
        store.add(Tick(at, [(level, float(value))]))
        rules.evaluate(store, at * 1000)
        states.append(rules.rules[0].state)
    expected = ["inactive", "pending", "pending", "inactive", "pending", "pending", "firing", "firing", "inactive"]
    assert states == expected


def test_a_rules_labels_win_and_annotations_are_filled_in() -> None:
    store, rules = Store(), RuleGroup(RULE)
    store.add(Tick(0, [(series("level", service="web"), 4.5)]))
    rules.evaluate(store, 0)
    (alert,) = rules.alerts()
    assert dict(alert.labels) == {"alertname": "High", "service": "overridden", "severity": "page"}
    assert dict(alert.annotations) == {"summary": "web at 4.5, ."}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="not on PATH: promtool (Debian: prometheus)")
def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(rules_file())
    checked = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "13 rules found" in checked.stdout
    assert "duplicate" not in checked.stdout
