"""The catalogue of causes: priors and what the time of a change says, as data, checked when read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gitops_sre.model.change_feed import ChangeKind
from gitops_sre.model.diagnosis import Cause
from gitops_sre.reasoning.causes import CAUSES
from gitops_sre.reasoning.weights import Weights, load_weights
from gitops_sre.yamltext.data import read_data

_TOLERANCE = 1e-6

Probability = Annotated[float, Field(gt=0, le=1)]
"""Never 0: nothing is taken to be impossible."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CauseEntry(_Part):
    """A cause: its probability when an alert has fired, and which kinds of change bring it about."""

    prior: Probability
    means: str
    changes: tuple[ChangeKind, ...] = ()


class BlameModel(_Part):
    """How many times as likely the alerting service is to blame as one that it calls, and any service that it is not
    known to call."""

    focus: float = Field(gt=0)
    elsewhere: float = Field(gt=0)


class ChangeModel(_Part):
    """How the time of a change speaks for or against it; see the data file."""

    prompt_share: Probability
    prompt_seconds: float = Field(gt=0)
    late_seconds: float = Field(gt=0)
    per_hour: float = Field(gt=0)
    visible: Annotated[float, Field(gt=0, lt=1)]
    after_refutation: Probability
    after_onset: Probability

    def weight(self, lead: float) -> float:
        """How many times as probable a change `lead` seconds before the onset is as culprit than by coincidence.

        After the onset, as far as clocks may differ, its time says nothing: 1. In the same second counts as before:
        clusters and Git cut fractions off.
        """
        if lead < 0:
            return 1.0
        prompt = self.prompt_share / self.prompt_seconds * math.exp(-lead / self.prompt_seconds)
        late = (1 - self.prompt_share) / self.late_seconds if lead <= self.late_seconds else 0.0
        return (prompt + late) / (self.per_hour / 3600)


class _File(_Part):
    causes: Mapping[Cause, CauseEntry]
    blame: BlameModel
    change: ChangeModel


@dataclass(frozen=True)
class Catalogue:
    """Everything that is believed before any evidence, and the weights of what is found."""

    causes: Mapping[Cause, CauseEntry]
    blame: BlameModel
    change: ChangeModel
    weights: Weights

    def causes_of(self, kind: ChangeKind) -> tuple[Cause, ...]:
        """The causes that a kind of change may bring about."""
        return tuple(cause for cause in CAUSES if kind in self.causes[cause].changes)


def load_catalogue(text: str | None = None, weights: Weights | None = None) -> Catalogue:
    """The catalogue that is shipped, or another one as YAML text, with the weights that are shipped, or others. Raises
    DataError."""
    file = read_data("gitops_sre.reasoning", "catalogue", _File, _problems, text)
    return Catalogue(file.causes, file.blame, file.change, weights or load_weights())


def _problems(file: _File) -> Iterator[str]:
    """What keeps the priors from being probabilities."""
    if missing := set(CAUSES) - set(file.causes):
        yield f"causes: {', '.join(sorted(missing))} missing"
    total = sum(entry.prior for entry in file.causes.values())
    if abs(total - 1) > _TOLERANCE:
        yield f"causes: the priors sum to {total:g}, not 1"
