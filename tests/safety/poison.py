"""Telemetry that lies or is silent, between the shop and whoever stores its samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random
from typing import Literal, get_args

from gitops_sre.sandbox.telemetry.series import Series, Tick, series

How = Literal["missing", "not a number", "resets", "twice", "stale", "gap"]
POISONS: tuple[How, ...] = get_args(How)
OFTEN = 0.3
"""Share of samples that are no numbers."""
RESET_EVERY = 20
"""Seconds."""

Sample = tuple[Series, float]


@dataclass(frozen=True)
class Poisoning:
    """What is done to the series of one service from `begins` until `ends`, seconds from the beginning of the case:

    `missing`: they are gone. `not a number`: some samples are NaN or infinite. `resets`: counters begin again now and
    then. `twice`: a second exporter shows the same under another instance. `stale`: they stand still. `gap`: nothing
    is scraped of anything.
    """

    how: How
    service: str
    begins: float
    ends: float
    seed: int


@dataclass
class Poisoner:
    """Poisons tick after tick. `zero` is the Unix second from which the poisoning counts."""

    poisoning: Poisoning
    zero: float
    random: Random = field(init=False)
    kept: dict[Series, float] = field(default_factory=dict)
    """Where counters began again, or what is shown for ever."""
    twins: dict[Series, Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = Random(self.poisoning.seed)

    def __call__(self, tick: Tick) -> Tick:
        """The samples as they arrive."""
        if not self.poisoning.begins <= tick.at - self.zero < self.poisoning.ends:
            return tick
        if self.poisoning.how == "gap":
            return Tick(tick.at, [])
        arrived: list[Sample] = []
        for sample in tick.samples:
            arrived += self._poisoned(sample, tick.at) if self._struck(sample[0]) else [sample]
        return Tick(tick.at, arrived)

    def _struck(self, one: Series) -> bool:
        return dict(one.labels).get("service") == self.poisoning.service

    def _poisoned(self, sample: Sample, at: float) -> list[Sample]:
        one, value = sample
        match self.poisoning.how:
            case "not a number" if self.random.random() < OFTEN:
                return [(one, self.random.choice((math.nan, math.inf, -math.inf)))]
            case "resets" if one.name.endswith(("_total", "_bucket", "_count", "_sum")):
                if one not in self.kept or round(at - self.zero) % RESET_EVERY == 0:
                    self.kept[one] = value
                return [(one, value - self.kept[one])]
            case "twice":
                twin = self.twins.setdefault(one, series(one.name, **{**dict(one.labels), "instance": "twin"}))
                return [sample, (twin, value)]
            case "stale":
                return [(one, self.kept.setdefault(one, value))]
            case "missing" | "gap":
                return []
            case _:
                return [sample]
