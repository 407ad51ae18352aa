"""What should be done: a typed action with bounded parameters, never free text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gitops_sre.model.target import Target

Power = Literal["contents:write", "pull_requests:write"]


@dataclass(frozen=True)
class Parameter:
    """A parameter that an action takes. `pattern` is a regular expression that the whole value must match; a number
    (with `unit`) lies within `least` and `most`, both included."""

    name: str
    meaning: str
    unit: str = ""
    pattern: str = r"[^\x00-\x20\x7f]{1,255}"
    optional: bool = False
    least: float | None = None
    most: float | None = None

    def problem(self, text: str) -> str:
        """Why a value does not fit, or the empty string."""
        if not text and self.optional:
            return ""
        if not re.fullmatch(self.pattern, text):
            return f"{self.name}={text!r} is not {self.meaning}"
        if self.least is not None and float(text) < self.least:
            return f"{self.name}={text} is less than {self.least:g} {self.unit}".rstrip()
        if self.most is not None and float(text) > self.most:
            return f"{self.name}={text} is more than {self.most:g} {self.unit}".rstrip()
        return ""


@dataclass(frozen=True)
class ActionSpec:
    """What an action is: declared once, read by the planner, the gate and the documentation."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    powers: tuple[Power, ...]
    reversible: bool
    inverse: str
    """How the inverse is made, in words."""
    not_for: tuple[str, ...] = ()
    """What it must not be used on."""
    whole_workload: bool = False
    """Whether every pod of the workload is replaced, whatever the edit looks like: its blast radius is 100% of it."""

    def problem(self, parameters: Mapping[str, str]) -> str:
        """The first thing that is wrong with a plan's parameters, or the empty string."""
        names = {parameter.name for parameter in self.parameters}
        if strange := sorted(set(parameters) - names):
            return f"{self.name}: takes no {', '.join(strange)} (it takes {', '.join(sorted(names))})"
        found = (parameter.problem(parameters.get(parameter.name, "")) for parameter in self.parameters)
        return next((f"{self.name}: {problem}" for problem in found if problem), "")


@dataclass(frozen=True)
class Sli:
    """One service level indicator to verify with: `expr` is PromQL that yields one series; a reading is bad when it
    is `worse_when` `threshold` (in `unit`)."""

    name: str
    expr: str
    threshold: float
    worse_when: Literal["above", "below"] = "above"
    unit: str = "ratio"


@dataclass(frozen=True)
class Reading:
    """One SLI's value at a time; None when there is no traffic or no number."""

    sli: str
    value: float | None


@dataclass(frozen=True)
class VerificationPlan:
    """How success will be known; fixed before the action. Durations in seconds.

    After the change is live, `settle` passes, then every SLI is judged over `window`; what is not conclusive by
    `deadline` (after live) is not a success. `baseline` holds the readings before the incident, `incident` those at
    the time of planning.
    """

    slis: tuple[Sli, ...]
    settle: float
    window: float
    deadline: float
    baseline: tuple[Reading, ...] = ()
    incident: tuple[Reading, ...] = ()
    traffic: str = ""
    """PromQL for requests a second of the service: without traffic a verdict is inconclusive."""
    live_by: Literal["cluster", "statuses"] = "cluster"
    """What tells whether the change is live; commit statuses (and deployments) on the forge are the weaker word."""


@dataclass(frozen=True)
class Plan:
    """One remediation of one target. `parameters` are those of the action's specification, as text."""

    action: str
    target: Target
    parameters: Mapping[str, str]
    reason: str
    hypothesis: str
    """Key of the hypothesis that it acts on."""
    confidence: float
    culprit: str
    """Commit SHA of the change that it undoes, or empty."""
    verification: VerificationPlan


@dataclass(frozen=True)
class Declared:
    """How much room Git gives a workload now, as far as one place decides it. `replicas` is None where none does or an
    autoscaler, which `autoscaler` names, does; `container` is the one called like the workload; `limits` are
    Kubernetes quantities of `cpu` and `memory` as they are written, without those that are not."""

    replicas: int | None = None
    autoscaler: str = ""
    container: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NeedsHuman:
    """No typed action fits, or it is not sure enough."""

    reason: str
    kind: Literal["needs-human"] = "needs-human"
