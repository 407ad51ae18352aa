"""Alerting rules of the embedded endpoint: a rules file read, evaluated each tick, alerts pending and firing.

Of a rules file's keys it knows `groups: [{name, interval, rules: [{alert, expr, for, labels, annotations}]}]`, and of
the template language `{{ $labels.NAME }}` and `{{ $value }}` in annotations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import yaml

from gitops_sre.sandbox.telemetry.evaluate import DEBIAN_2, Evaluation, Semantics
from gitops_sre.sandbox.telemetry.nodes import Node
from gitops_sre.sandbox.telemetry.promql import parse, parse_duration
from gitops_sre.sandbox.telemetry.series import Labels
from gitops_sre.sandbox.telemetry.store import Store

State = Literal["inactive", "pending", "firing"]
_TEMPLATE = re.compile(r"\{\{\s*\$(?:(?P<value>value)|labels\.(?P<label>\w+))\s*\}\}")


@dataclass(frozen=True)
class Alert:
    """One active alert. `active_at` is when its expression became true, in Unix milliseconds."""

    labels: Labels
    annotations: Labels
    state: State
    active_at: int
    value: float


@dataclass(frozen=True)
class Rule:
    """One alerting rule as read; `hold` is its `for` in milliseconds."""

    name: str
    query: str
    node: Node
    hold: int
    labels: Labels
    annotations: Labels


@dataclass
class RuleState:
    """A rule, and its active alerts by the labels of their series."""

    rule: Rule
    active: dict[Labels, Alert] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """The most severe state of its alerts."""
        states = {alert.state for alert in self.active.values()}
        return "firing" if "firing" in states else "pending" if states else "inactive"

    def evaluate(self, store: Store, at: int, semantics: Semantics) -> None:
        """Look at the world at `at` (Unix milliseconds): alerts begin, go on, fire after `hold`, or end."""
        now: dict[Labels, Alert] = {}
        for labels, value in Evaluation(self.rule.node, store, at, at, semantics).vector(at):
            series = tuple(pair for pair in labels if pair[0] != "__name__")
            since = self.active[series].active_at if series in self.active else at
            now[series] = self._alert(series, value, since, "firing" if at - since >= self.rule.hold else "pending")
        self.active = now

    def _alert(self, series: Labels, value: float, since: int, state: State) -> Alert:
        labels = {**dict(series), **dict(self.rule.labels), "alertname": self.rule.name}
        annotations = tuple((key, _render(text, dict(series), value)) for key, text in self.rule.annotations)
        return Alert(tuple(sorted(labels.items())), annotations, state, since, value)


class RuleGroup:
    """The rules of one file, evaluated together."""

    def __init__(self, text: str, semantics: Semantics = DEBIAN_2) -> None:
        group = yaml.safe_load(text)["groups"][0]
        self.name = str(group["name"])
        self.interval = parse_duration(str(group["interval"])) / 1000
        self.rules = [RuleState(_read(rule)) for rule in group["rules"]]
        self.evaluated_at = 0
        self._semantics = semantics

    def evaluate(self, store: Store, at: int) -> None:
        """Evaluate every rule at `at` (Unix milliseconds)."""
        for rule in self.rules:
            rule.evaluate(store, at, self._semantics)
        self.evaluated_at = at

    def alerts(self) -> list[Alert]:
        """All active alerts, pending ones included."""
        return [alert for rule in self.rules for alert in rule.active.values()]


def _read(raw: Mapping[str, object]) -> Rule:
    query = str(raw["expr"])
    return Rule(
        name=str(raw["alert"]),
        query=query,
        node=parse(query),
        hold=parse_duration(str(raw["for"])),
        labels=_pairs(raw.get("labels")),
        annotations=_pairs(raw.get("annotations")),
    )


def _pairs(raw: object) -> Labels:
    return tuple((str(key), str(value)) for key, value in raw.items()) if isinstance(raw, Mapping) else ()


def _render(text: str, labels: Mapping[str, str], value: float) -> str:
    def fill(match: re.Match[str]) -> str:
        return f"{value:g}" if match["value"] else labels.get(match["label"], "")

    return _TEMPLATE.sub(fill, text)
