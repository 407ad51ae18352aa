"""What was believed as evidence came in, and what each finding did: the reasoning again, with parts of the evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gitops_sre.model.diagnosis import Blame, Hypothesis
from gitops_sre.model.findings import Findings
from gitops_sre.reasoning.bayes import posterior, weights
from gitops_sre.reasoning.catalogue import Catalogue
from gitops_sre.reasoning.diagnose import Trial, prepare

NOBODY, UNEXPLAINED = "(no fault)", "(unexplained)"
STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Symptoms", ()),
    ("Own share", ("own_",)),
    ("Calls", ("edge_",)),
    ("Changes", ("version_", "replaced_", "rollout", "change")),
    ("Traces", ("trace_",)),
    ("Logs", ("pattern", "log")),
)
"""Kinds of evidence in the order in which they are added, cheap and always there first; by how their signals begin.
Whatever belongs to no other kind is a symptom."""
TELLING = 0.01
"""A finding matters when the leader's probability without it would be lower by this."""


@dataclass(frozen=True)
class Step:
    """Probabilities by place after a kind of evidence was added; `findings` is how many there were of it."""

    name: str
    findings: int
    places: Mapping[str, float]


@dataclass(frozen=True)
class Without:
    """What would be believed without one finding, or without all of a kind: of the leader, and who would lead."""

    what: str
    posterior: float
    leader: str
    leads_with: float


def place_of(blame: Blame) -> str:
    """The place that the posteriors of a blame's hypotheses are summed up under."""
    if blame.service:
        return blame.service
    return NOBODY if blame.top.cause == "no_fault" else UNEXPLAINED


@dataclass(frozen=True, eq=False)
class Belief:
    """All hypotheses of a case against all of its evidence."""

    trial: Trial

    @classmethod
    def of(cls, findings: Findings, catalogue: Catalogue) -> Belief:
        """As `diagnose` weighs it."""
        return cls(prepare(findings, catalogue))

    @cached_property
    def _logs(self) -> NDArray[np.float64]:
        return self.trial.court.test(self.trial.suspects)

    @cached_property
    def _places(self) -> tuple[str, ...]:
        """The place of each suspect."""
        words = {"no_fault": NOBODY, "unexplained": UNEXPLAINED}
        return tuple(words.get(each.cause, each.service) for each in self.trial.suspects)

    def steps(self) -> tuple[Step, ...]:
        """Before any evidence, then after each kind of it; kinds without a finding are left out. The causes' own bias
        belongs to the symptoms, which it sets the scale of."""
        kinds = [_stage(item.signal) for item in self.trial.court.evidence]
        found = [Step("Before", 0, self._summed(posterior(self.trial.priors, self._logs, [0.0] * (len(kinds) + 1))))]
        for number, (name, _) in enumerate(STAGES):
            if count := kinds.count(number):
                known = [
                    trust if kind <= number else 0.0 for trust, kind in zip(self.trial.trusts, kinds, strict=False)
                ]
                beliefs = posterior(self.trial.priors, self._logs, [*known, self.trial.trusts[-1]])
                found.append(Step(name, count, self._summed(beliefs)))
        return tuple(found)

    def absent(self) -> tuple[str, ...]:
        """Kinds of evidence of which there is none."""
        kinds = {_stage(item.signal) for item in self.trial.court.evidence}
        return tuple(name for number, (name, _) in enumerate(STAGES) if number not in kinds)

    def _summed(self, beliefs: NDArray[np.float64]) -> dict[str, float]:
        found: dict[str, float] = {}
        for place, belief in zip(self._places, beliefs.tolist(), strict=True):
            found[place] = found.get(place, 0.0) + belief
        return found

    def weighed(self, hypothesis: Hypothesis) -> dict[str, float]:
        """The weight of each finding for a hypothesis against all others, in nats, by evidence id."""
        row = next(n for n, suspect in enumerate(self.trial.suspects) if suspect.key == hypothesis.key)
        ids = (item.id for item in self.trial.court.evidence)
        return dict(zip(ids, self._weights[row].tolist(), strict=False))

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        return weights(self.trial.priors, self._logs, self.trial.trusts)

    def without(self, place: str, most: int = 6) -> tuple[Without, ...]:
        """What a place's probability rests on most: single findings and whole kinds, each left out by itself."""
        kinds = [_stage(item.signal) for item in self.trial.court.evidence]
        said = self._logs[:, :-1] * np.asarray(self.trial.trusts[:-1])
        of_kinds = [said[:, [kind == n for kind in kinds]].sum(axis=1) for n in range(len(STAGES))]
        texts = [item.statement for item in self.trial.court.evidence]
        texts += [f"everything of the kind “{name}” ({kinds.count(n)} findings)" for n, (name, _) in enumerate(STAGES)]
        with np.errstate(divide="ignore"):
            scores = np.log(np.asarray(self.trial.priors)) + self._logs @ np.asarray(self.trial.trusts)
        left = scores[:, None] - np.column_stack([said, *of_kinds])
        shares = np.exp(left - left.max(axis=0))
        names = sorted(set(self._places))
        member = np.array([[name == each for each in self._places] for name in names], dtype=np.float64)
        places = member @ (shares / shares.sum(axis=0))
        own = places[names.index(place)]
        now = self._summed(posterior(self.trial.priors, self._logs, self.trial.trusts))[place]
        order = [int(n) for n in np.argsort(own, kind="stable")[:most] if own[n] <= now - TELLING]
        return tuple(
            Without(
                texts[n],
                float(own[n]),
                names[int(np.argmax(places[:, n]))],
                float(places[:, n].max()),
            )
            for n in order
        )


def shown(place: str) -> str:
    """A place for people."""
    return {NOBODY: "nothing wrong", UNEXPLAINED: "no known pattern"}.get(place, place)


def _stage(signal: str) -> int:
    return next((n for n, (_, begins) in enumerate(STAGES) if begins and signal.startswith(begins)), 0)


def factor(nats: float) -> str:
    """A weight of evidence as how many times it makes the odds."""
    times = math.exp(min(abs(nats), 20.0))
    size = "over 1000" if times > 1000 else f"{times:.0f}" if times >= 10 else f"{times:.1f}"
    return f"{'×' if nats >= 0 else '÷'} {size}"


def leaders(steps: Sequence[Step], first: str, most: int) -> tuple[str, ...]:
    """The place that is blamed first, then those that are the most probable in the end; where they tie, by name."""
    last = steps[-1].places
    return tuple(sorted(last, key=lambda place: (place != first, -last[place], place))[:most])
