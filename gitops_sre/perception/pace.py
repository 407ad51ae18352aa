"""Incidents at another pace: what takes minutes in production takes seconds in a world in a hurry.

Everything that looks at series knows its durations in seconds, for incidents of minutes. Instead of handing a factor to
each, the time of what is looked at is stretched about the moment of asking, and what was found is put back.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gitops_sre.model.change_feed import Rollout
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import Measure


@dataclass(frozen=True)
class Pace:
    """Here everything is `haste` times as fast as in production, 1 or more; `asked` is the moment of asking, which
    stays where it is, in epoch seconds."""

    asked: float
    haste: float = 1.0

    def out(self, at: float) -> float:
        """A moment as production would have had it."""
        return at if self.haste == 1 else self.asked + (at - self.asked) * self.haste

    def back(self, at: float) -> float:
        """A moment of production as it was here."""
        return at if self.haste == 1 else self.asked + (at - self.asked) / self.haste

    def measures(self, found: tuple[Measure, ...]) -> tuple[Measure, ...]:
        """Series, stretched."""
        if self.haste == 1:
            return found
        return tuple(replace(row, times=array("d", (self.out(at) for at in row.times))) for row in found)

    def rollouts(self, found: tuple[Rollout, ...]) -> tuple[Rollout, ...]:
        """Rollouts, stretched."""
        if self.haste == 1:
            return found
        return tuple(
            replace(
                rollout,
                steps=tuple(
                    replace(step, at=self._moment(step.at), done=self._moment(step.done)) for step in rollout.steps
                ),
            )
            for rollout in found
        )

    def evidence(self, found: Iterable[Evidence]) -> tuple[Evidence, ...]:
        """Evidence about stretched series, with its own moments."""
        if self.haste == 1:
            return tuple(found)
        return tuple(replace(item, at=datetime.fromtimestamp(self.back(item.at.timestamp()), UTC)) for item in found)

    def _moment(self, at: datetime) -> datetime:
        return datetime.fromtimestamp(self.out(at.timestamp()), UTC)
