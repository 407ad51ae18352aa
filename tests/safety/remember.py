"""The embedded Prometheus API with a memory: what it said of a moment that is past stays so, as no sample comes late.

An incident that is looked into again every few seconds asks the same again and again; pure Python would spend most of
a case on saying it anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from gitops_sre.sandbox.telemetry.embedded import Api, Json, Parameters
from tests.loop.doubles import Clock

Row = dict[str, list[list[float | str]]]


@dataclass(frozen=True)
class Answered:
    """What has been said: the values of each series, until a moment (Unix seconds)."""

    until: float
    metrics: dict[str, Json]
    values: Row


@dataclass(frozen=True, kw_only=True)
class Remembering(Api):
    """`clock` is the shop's: its present second has been sampled."""

    clock: Clock
    kept: dict[tuple[str, str, str], Answered] = field(default_factory=dict)

    def query_range(self, parameters: Parameters) -> Json:
        """As Api.query_range."""
        query, start, end, step = (parameters[name][0] for name in ("query", "start", "end", "step"))
        key = query, start, step
        known = self.kept.get(key)
        if float(end) > self.clock.at or (known and float(end) < known.until):
            return super().query_range(parameters)
        first = float(start) if known is None else known.until + float(step)
        said = Answered(float(start), {}, {}) if known is None else known
        if first <= float(end):
            fresh = super().query_range({**parameters, "start": [f"{first:.3f}"]})
            said = _joined(said, fresh, first, float(end), float(step))
            self.kept[key] = said
        rows = sorted(said.values)
        return {
            "resultType": "matrix",
            "result": [{"metric": said.metrics[row], "values": list(said.values[row])} for row in rows],
        }


def _joined(said: Answered, fresh: Json, first: float, end: float, step: float) -> Answered:
    metrics, values = dict(said.metrics), {name: list(row) for name, row in said.values.items()}
    for row in cast(dict[str, list[dict[str, Json]]], fresh)["result"]:
        name = repr(sorted(cast(dict[str, str], row["metric"]).items()))
        metrics[name] = row["metric"]
        values.setdefault(name, []).extend(cast(list[list[float | str]], row["values"]))
    return Answered(first + (end - first) // step * step, metrics, values)
