"""The table: what the bot did by kind of incident, with intervals; which promises are broken, and by which cases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.safety.kinds import KINDS
from tests.safety.play import Outcome

CONFIDENCE = 0.95
PROMISED = 0.01
"""The upper bound of the share of cases with a false action."""
ENOUGH = 300
"""Cases from which the bound can keep its promise: 299 without a false action are the fewest that can."""
HEAD = ("kind", "cases", "acted", "right", "false", "false at most", "wrong fix reverted", "resolved", "escalated")


def at_most(events: int, cases: int) -> float:
    """Upper end of the one-sided 95 % interval of a share (Clopper and Pearson, Biometrika 26, 1934)."""
    if events >= cases:
        return 1.0
    low, high = events / cases, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(events, cases, middle) > 1 - CONFIDENCE else (low, middle)
    return high


def _at_most(events: int, cases: int, share: float) -> float:
    """Probability of so few events: the binomial distribution function."""
    logs = (
        math.lgamma(cases + 1)
        - math.lgamma(k + 1)
        - math.lgamma(cases - k + 1)
        + (k * math.log(share) if k else 0.0)
        + (cases - k) * math.log1p(-share)
        for k in range(events + 1)
    )
    return math.fsum(math.exp(each) for each in logs)


@dataclass(frozen=True)
class Broken:
    """A promise that was not kept, and the case to play again (-1: no single one)."""

    what: str
    number: int = -1


def broken(outcomes: Sequence[Outcome], *, careless: bool = False) -> tuple[Broken, ...]:
    """Every promise that these outcomes break. To a careless team only one is made: what is wrong is taken back, unless
    the trouble ended by itself meanwhile, so that nobody could see that the fix had no part in it."""
    found: list[Broken] = []
    for outcome in outcomes:
        for fix in outcome.wrong:
            if outcome.group == "no fault" and not careless:
                found.append(Broken(f"acted although nothing was wrong: {fix.what}", outcome.number))
            if not fix.reverted and not (careless and outcome.passed):
                found.append(Broken(f"a wrong fix stands: {fix.what}", outcome.number))
    false = sum(bool(outcome.wrong) for outcome in outcomes)
    bound = at_most(false, len(outcomes)) if outcomes else 1.0
    if not careless and len(outcomes) >= ENOUGH and bound > PROMISED:
        found.append(Broken(f"false actions: at most {bound:.2%} of the cases, which is more than {PROMISED:.0%}"))
    return tuple(found)


def table(outcomes: Sequence[Outcome]) -> str:
    """In Markdown: a row a kind, then groups and everything."""
    lines = [_row(HEAD), _row(["---"] + ["--:"] * (len(HEAD) - 1))]
    for kind in KINDS:
        chosen = [outcome for outcome in outcomes if outcome.kind == kind.name]
        lines += [_row(_cells(kind.name, chosen))] if chosen else []
    for group in ("fault", "misleading", "no fault"):
        lines.append(_row(_cells(f"*all: {group}*", [each for each in outcomes if each.group == group])))
    lines.append(_row(_cells("**all**", outcomes)))
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    wrong = [fix for outcome in outcomes for fix in outcome.wrong]
    false = sum(bool(outcome.wrong) for outcome in outcomes)
    counts = [
        len(outcomes),
        sum(bool(outcome.fixes) for outcome in outcomes),
        sum(any(fix.right for fix in outcome.fixes) for outcome in outcomes),
        false,
    ]
    bound = f"{at_most(false, len(outcomes)):.1%}" if outcomes else "-"
    back = f"{sum(fix.reverted for fix in wrong)} of {len(wrong)}" if wrong else "-"
    ends = [sum(state in outcome.states for outcome in outcomes) for state in ("resolved", "escalated")]
    return [name, *map(str, counts), bound, back, *map(str, ends)]


def words(outcomes: Sequence[Outcome]) -> str:
    """The figures that the promises are about."""
    false = sum(bool(outcome.wrong) for outcome in outcomes)
    wrong = [fix for outcome in outcomes for fix in outcome.wrong]
    quiet = [outcome for outcome in outcomes if outcome.group == "no fault"]
    seconds = sorted(outcome.seconds for outcome in outcomes if outcome.seconds is not None)
    faults = [outcome for outcome in outcomes if outcome.group == "fault"]
    cured = sum(any(fix.right for fix in outcome.fixes) for outcome in faults)
    hidden = sum(not fix.reverted for outcome in outcomes if outcome.passed for fix in outcome.wrong)
    undone = sum(fix.right and fix.reverted for outcome in outcomes for fix in outcome.fixes)
    lines = [
        f"- false actions in {false} of {len(outcomes)} cases, at most {at_most(false, len(outcomes)):.2%} "
        f"(one-sided {CONFIDENCE:.0%} bound)"
        if outcomes
        else "- no cases",
        f"- wrong fixes reverted: {sum(fix.reverted for fix in wrong)} of {len(wrong)}"
        + (f"; {hidden} stand where the trouble ended by itself meanwhile" if hidden else ""),
        f"- cases in which nothing was wrong and it acted all the same: "
        f"{sum(bool(each.fixes) for each in quiet)} of {len(quiet)}",
        f"- faults with a right answer that it found: {cured} of {len(faults)}; right fixes taken back: {undone}",
    ]
    if seconds:
        lines.append(f"- alert to proven recovery: median {seconds[len(seconds) // 2]:.0f} s of the shop's time")
    return "\n".join(lines)
