"""What the bot would have done beside what was right, one scenario at a time and all together. Pure."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gitops_sre.cli.evaluation.run import Answer
from gitops_sre.cli.evaluation.scenario import NO_ACTION, Expected, Scenario
from gitops_sre.model.diagnosis import Diagnosis

BINS = 10
Z = 1.96
"""Standard normal quantile of a two-sided 95% interval."""
_T = TypeVar("_T")
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


@dataclass(frozen=True)
class Found:
    """The diagnosis beside the truth. `place` is where a rightly blamed service stood (0: nowhere); `right` is true
    where service, cause and change of the most probable hypothesis all are, `posterior` what it was given."""

    service: bool
    cause: bool
    change: bool
    place: int
    posterior: float

    @property
    def right(self) -> bool:
        """Whether the whole of it is right."""
        return self.service and self.cause and self.change


@dataclass(frozen=True)
class Score:
    """One scenario's result. `found` is None where the alert had cleared and nothing was diagnosed.

    `false_action` is an action where none, another or another diff was right. `action` is true where what was done is
    what was right, leaving it and calling a person included.
    """

    id: str
    groups: Mapping[str, str]
    expected: Expected
    answer: Answer
    found: Found | None
    action: bool
    false_action: bool
    diff: bool

    @property
    def acted(self) -> bool:
        """Whether something would have been changed."""
        return self.answer.action not in NO_ACTION


def score(scenario: Scenario, answer: Answer) -> Score:
    """Compare."""
    told = scenario.told
    expected = told.expected
    same = answer.action == expected.action
    diff = same and changed(answer.diff) == changed(expected.diff)
    action = same and diff
    groups = {
        "cause": expected.cause,
        "tier": told.tier,
        "layout": told.layout or "none",
        "misleading": told.misleading or "no",
    }
    found = _found(answer.diagnosis, expected) if answer.diagnosis else None
    acted = answer.action not in NO_ACTION
    return Score(scenario.id, groups, expected, answer, found, action, acted and not action, diff)


def _found(diagnosis: Diagnosis, expected: Expected) -> Found:
    top, ranking = diagnosis.top, diagnosis.services
    if not expected.services:
        right = top.cause == expected.cause
        place = next((n for n, each in enumerate(ranking, 1) if each.top.cause == expected.cause), 0)
        return Found(right, right, right, place, top.posterior)
    place = next((n for n, each in enumerate(ranking, 1) if each.service in expected.services), 0)
    blamed = top.change.commit.sha if top.change else top.rollout.after if top.rollout else ""
    return Found(
        service=top.cause not in ("no_fault", "unexplained") and top.service in expected.services,
        cause=top.cause == expected.cause,
        change=blamed == expected.change,
        place=place,
        posterior=top.posterior,
    )


def changed(diff: str) -> Counter[tuple[str, str]]:
    """What a unified diff takes from and puts into which file, whatever its context: (file, `-` or `+` with the line),
    line ends included. Places, order and the end of the last line do not count."""
    found: Counter[tuple[str, str]] = Counter()
    file = ""
    old = new = 0
    for line in diff.split("\n"):
        hunk = _HUNK.match(line)
        if hunk:
            old, new = (int(count) if count is not None else 1 for count in hunk.groups())
        elif old <= 0 and new <= 0:
            if line.startswith("+++ "):
                file = line[4:].partition("\t")[0].rstrip("\r").removeprefix("b/")
        elif line.startswith(("-", "+")):
            found[file, line] += 1
            old, new = old - line.startswith("-"), new - line.startswith("+")
        elif not line.startswith("\\"):
            old, new = old - 1, new - 1
    return found


@dataclass(frozen=True)
class Total:
    """Many scores as one. Shares are 0..1, NaN where there is nothing to count; `needed` is how many scenarios an
    action was right in, `fixed` in how many of them it was taken."""

    name: str
    scenarios: int
    diagnosed: int
    service: float
    top3: float
    cause: float
    change: float
    action: float
    needed: int
    fixed: int
    acted: int
    false_actions: int
    brier: float
    ece: float
    seconds: float

    @property
    def false_action_rate(self) -> float:
        """False actions per scenario."""
        return self.false_actions / self.scenarios

    @property
    def at_most(self) -> float:
        """The upper end of the 95% interval of the false-action rate (Wilson's score interval, JASA 22, 1927)."""
        share, count = self.false_action_rate, self.scenarios
        spread = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
        return (share + Z * Z / (2 * count) + spread) / (1 + Z * Z / count)


def total(name: str, scores: Sequence[Score]) -> Total:
    """Sum up some scores, at least one."""
    found = [each.found for each in scores if each.found]
    pairs = [(each.posterior, each.right) for each in found]
    needed = [each for each in scores if each.expected.action not in NO_ACTION]
    return Total(
        name=name,
        scenarios=len(scores),
        diagnosed=len(found),
        service=_share(found, lambda each: each.service),
        top3=_share(found, lambda each: 0 < each.place <= 3),
        cause=_share(found, lambda each: each.service and each.cause),
        change=_share(found, lambda each: each.right),
        action=_share(scores, lambda each: each.action),
        needed=len(needed),
        fixed=sum(each.action for each in needed),
        acted=sum(each.acted for each in scores),
        false_actions=sum(each.false_action for each in scores),
        brier=statistics.fmean((p - right) ** 2 for p, right in pairs) if pairs else math.nan,
        ece=calibration_error(pairs),
        seconds=statistics.median(each.answer.seconds for each in scores),
    )


def grouped(scores: Sequence[Score]) -> tuple[Total, ...]:
    """Totals of each group: `cause: network`, `tier: critical`, and so on."""
    found: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for each in scores:
        for kind, name in each.groups.items():
            found[kind, name].append(each)
            if kind == "misleading" and name != "no":
                found[kind, "any"].append(each)
    order = {kind: number for number, kind in enumerate(scores[0].groups)} if scores else {}
    return tuple(
        total(f"{kind}: {name}", found[kind, name]) for kind, name in sorted(found, key=lambda k: (order[k[0]], k[1]))
    )


def calibration_error(pairs: Iterable[tuple[float, bool]]) -> float:
    """Expected calibration error over equal bins (Naeini, Cooper, Hauskrecht, AAAI 2015); NaN without pairs."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for probability, right in pairs:
        bins[min(int(probability * BINS), BINS - 1)].append((probability, right))
    count = sum(len(each) for each in bins.values())
    off = sum(abs(sum(p for p, _ in each) - sum(right for _, right in each)) for each in bins.values())
    return off / count if count else math.nan


def _share(items: Sequence[_T], test: Callable[[_T], bool]) -> float:
    return sum(map(test, items)) / len(items) if items else math.nan
