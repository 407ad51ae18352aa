"""What scored findings say for each cause: weights of evidence as data, judged first and fitted on labelled incidents.

The likelihood of a finding's strength f under a cause is taken as p(f | cause) ~ p(f | elsewhere) exp(w f): an
exponential family, whose log likelihood ratio is linear in f. Posteriors over all (service, cause) pairs are then a
conditional logit (McFadden, Conditional Logit Analysis of Qualitative Choice Behavior, 1974), which is how the
weights are fitted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gitops_sre.model.diagnosis import Cause
from gitops_sre.reasoning.causes import CAUSES
from gitops_sre.yamltext.data import read_data

ANY = "any"
"""Stands for everything but `no_fault`."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Signal(_Part):
    scale: Literal["sigmas", "share", "linear"]
    why: str = Field(min_length=1)
    ask: str = ""
    with_change: Cause | None = None
    judged: Mapping[str, float]
    fitted: Mapping[str, float] | None = None


class _Bias(_Part):
    judged: Mapping[str, float]
    fitted: Mapping[str, float] | None = None


class _File(_Part):
    cap: float = Field(gt=0)
    groups: Mapping[str, tuple[Cause, ...]]
    signals: Mapping[str, _Signal]
    bias: _Bias


@dataclass(frozen=True)
class Weights:
    """`weight[signal][cause]` in nats for a unit of strength on the signal's `scale`, `bias[cause]` in nats;
    `ask[signal]` what to ask for where nobody has told, with `{service}` in it."""

    cap: float
    scale: Mapping[str, str]
    weight: Mapping[str, Mapping[Cause, float]]
    bias: Mapping[Cause, float]
    ask: Mapping[str, str]
    with_change: Mapping[str, Cause]
    """The cause whose weight of a signal holds for every cause that a change in sight may have brought about."""

    def cause(self, signal: str, cause: Cause, *, changed: bool) -> Cause:
        """The cause whose weight a finding has under `cause`, which a change in sight brought about or not."""
        return self.with_change.get(signal, cause) if changed else cause

    def strength(self, signal: str, score: float) -> float:
        """How strong a finding is, on the scale that its weights are for."""
        score = min(max(score, 0.0), self.cap)
        return math.log1p(score) if self.scale.get(signal) == "sigmas" else score


def load_weights(text: str | None = None, *, fitted: bool = True) -> Weights:
    """The weights that are shipped, or others as YAML text; as judged where they are not `fitted`.

    Raises DataError.
    """
    file = read_data("gitops_sre.reasoning", "weights", _File, _problems, text)
    chosen = {
        name: (signal.fitted if fitted and signal.fitted is not None else signal.judged)
        for name, signal in file.signals.items()
    }
    bias = file.bias.fitted if fitted and file.bias.fitted is not None else file.bias.judged
    return Weights(
        file.cap,
        {name: signal.scale for name, signal in file.signals.items()},
        {name: _spread(values, file.groups) for name, values in chosen.items()},
        _spread(bias, file.groups),
        {name: signal.ask for name, signal in file.signals.items() if signal.ask},
        {name: signal.with_change for name, signal in file.signals.items() if signal.with_change},
    )


def _problems(file: _File) -> Iterator[str]:
    known = {*CAUSES, *file.groups, ANY}
    tables = {f"signals.{name}": (signal.judged, signal.fitted) for name, signal in file.signals.items()}
    tables["bias"] = (file.bias.judged, file.bias.fitted)
    for place, (judged, fitted) in tables.items():
        if unknown := sorted({*judged, *(fitted or {})} - known):
            yield f"{place}: no such cause or group: {', '.join(unknown)}"


def _spread(values: Mapping[str, float], groups: Mapping[str, tuple[Cause, ...]]) -> dict[Cause, float]:
    """Weights by cause: a cause's own entry goes before its group's, that before `any`."""
    found: dict[Cause, float] = {}
    for cause in CAUSES:
        names = [cause, *(name for name, members in groups.items() if cause in members)]
        names += [ANY] if cause != "no_fault" else []
        found[cause] = next((values[name] for name in names if name in values), 0.0)
    return found
