"""Did the SLO recover? Three states; silence is not success.

Each SLI's readings over the window are counted as good or bad against its threshold, and the share of bad ones gets a
Wilson score interval (E. B. Wilson, JASA 22, 1927; z = 1.645, one-sided 95%). Its upper bound below `GOOD` is recovery,
its lower bound above `BAD` is none; in between nothing is concluded yet. A reading is bad by its threshold alone, so
that a baseline that was bad itself cannot make bad look good.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from gitops_sre.model.evidence import Answer, Query
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Reading, Sli, VerificationPlan
from gitops_sre.model.verification import Assessment, SliJudgement

Z = 1.645
GOOD = 0.5
"""Recovered: with 95% confidence fewer than half of the readings are bad, and the last quarter of them is good."""
BAD = 0.5
"""Not recovered: with 95% confidence more than half of the readings are bad."""
WORSE = 1.5
"""Clearly worse: the mean reading lies this many times as far beyond the threshold as during the incident."""
TRAFFIC = "traffic"

Answers = Sequence[Answer | Unavailable]


def queries(plan: VerificationPlan, start: datetime, end: datetime, step: float) -> tuple[Query, ...]:
    """One range query an SLI, and one for the traffic."""
    asked = [Query(sli.name, sli.expr, start, end, step, sli.unit) for sli in plan.slis]
    if plan.traffic:
        asked.append(Query(TRAFFIC, plan.traffic, start, end, step, "1/s"))
    return tuple(asked)


def readings(plan: VerificationPlan, answers: Answers) -> tuple[Reading, ...]:
    """The mean of each SLI over what was answered; None where there is nothing to average."""
    samples = _samples(answers)
    return tuple(Reading(sli.name, _mean(samples.get(sli.name, []))) for sli in plan.slis)


def worst(plan: VerificationPlan, answers: Answers) -> tuple[Reading, ...]:
    """The worst reading of each SLI over what was answered: what "worse than the incident" is measured against. A mean
    would be diluted by the minutes before it began."""
    samples = _samples(answers)
    return tuple(
        Reading(sli.name, (max if sli.worse_when == "above" else min)(samples.get(sli.name, []), default=None))
        for sli in plan.slis
    )


def assess(plan: VerificationPlan, answers: Answers, began: datetime, now: datetime) -> Assessment:
    """The verdict from what was answered since `began` (live and settled).

    Any SLI that is clearly not recovered decides at once; success needs every SLI and the whole window.
    """
    gone = [answer.reason for answer in answers if isinstance(answer, Unavailable)]
    if gone:
        return Assessment("inconclusive", f"metrics: {gone[0]}")
    if not plan.slis:
        return Assessment("inconclusive", "there is no SLI to judge by")
    samples = _samples(answers)
    judged = tuple(_judge(sli, samples.get(sli.name, []), plan) for sli in plan.slis)
    elapsed = (now - began).total_seconds()
    whole = elapsed >= plan.window
    silence = _silence(plan, samples, answers)
    bad = [j for j in judged if j.state == "not_recovered"]
    if silence:
        return Assessment("inconclusive", silence, judged)
    worse = any(_is_worse(judgement, sli) for judgement, sli in zip(judged, plan.slis, strict=True))
    if bad and (whole or worse):
        return Assessment("not_recovered", _sentence(bad, "still"), judged, worse)
    if not whole:
        return Assessment("inconclusive", f"{elapsed:.0f} of {plan.window:g} s watched", judged)
    open_ = [j for j in judged if j.state == "inconclusive"]
    if open_:
        return Assessment("inconclusive", _sentence(open_, "undecided:"), judged)
    return Assessment("recovered", _sentence(judged, "back:"), judged)


def _samples(answers: Answers) -> Mapping[str, list[float]]:
    """All numbers by query, in time order, whatever the order of the series."""
    found: dict[str, list[float]] = {}
    for answer in answers:
        if not isinstance(answer, Unavailable):
            points = sorted(point for series in answer.series for point in series.samples)
            found[answer.query.id] = [value for _, value in points if math.isfinite(value)]
    return found


def _silence(plan: VerificationPlan, samples: Mapping[str, list[float]], answers: Answers) -> str:
    """Why the numbers cannot be trusted, or an empty string."""
    partial = [w for answer in answers if not isinstance(answer, Unavailable) for w in answer.warnings]
    if partial:
        return f"the answer is partial: {partial[0]}"
    if plan.traffic and not any(value > 0 for value in samples.get(TRAFFIC, [])):
        return "there is no traffic to judge by"
    return ""


def _judge(sli: Sli, values: Sequence[float], plan: VerificationPlan) -> SliJudgement:
    bad = sum(_is_bad(sli, value) for value in values)
    low, high = wilson(bad, len(values))
    tail = values[-max(1, len(values) // 4) :]
    settled = bool(tail) and not any(_is_bad(sli, value) for value in tail)
    recovered = high < GOOD and settled
    return SliJudgement(
        sli=sli.name,
        state="recovered" if recovered else "not_recovered" if low > BAD else "inconclusive",
        value=_mean(values),
        threshold=sli.threshold,
        incident=_reading(plan.incident, sli.name),
        baseline=_reading(plan.baseline, sli.name),
        samples=len(values),
        bad_share=bad / len(values) if values else 0.0,
        unit=sli.unit,
    )


def wilson(bad: int, total: int, z: float = Z) -> tuple[float, float]:
    """Wilson score interval of a share; (0, 1) without observations."""
    if total == 0:
        return 0.0, 1.0
    share = bad / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _is_bad(sli: Sli, value: float) -> bool:
    return value > sli.threshold if sli.worse_when == "above" else value < sli.threshold


def _is_worse(judgement: SliJudgement, sli: Sli) -> bool:
    """Clearly worse than during the incident, on the bad side, with enough readings to say so."""
    if judgement.state != "not_recovered" or judgement.value is None or judgement.incident is None:
        return False
    sign = 1 if sli.worse_when == "above" else -1
    then = max(0.0, sign * (judgement.incident - sli.threshold))
    return sign * (judgement.value - sli.threshold) > max(WORSE * then, abs(sli.threshold))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _reading(given: Sequence[Reading], name: str) -> float | None:
    return next((reading.value for reading in given if reading.sli == name), None)


def _sentence(judged: Sequence[SliJudgement], verb: str) -> str:
    return "; ".join(f"{j.sli} {verb} {_number(j.value, j.unit)} {_than(j)}" for j in judged)


def _than(judgement: SliJudgement) -> str:
    return f"(objective {_number(judgement.threshold, judgement.unit)}, {judgement.samples} readings)"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "no reading"
    return f"{value:.2%}" if unit == "ratio" else f"{value:.3g} {unit}"
