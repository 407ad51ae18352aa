"""Did the SLO recover? Three states; silence is not success.

Each SLI's readings over the window are counted as good or bad against its threshold, and the share of bad ones gets a
Wilson score interval (E. B. Wilson, JASA 22, 1927; z = 1.645, one-sided 95%). Its upper bound below `GOOD` is recovery,
its lower bound above `BAD` is none; in between nothing is concluded yet. A reading is bad by its threshold alone, so
that a baseline that was bad itself cannot make bad look good; but what is good must also be back: nearer to its
baseline than to the incident, and, where it is a share of requests, seen on enough requests to tell it from luck.

Readings of overlapping rate windows are not independent, so the interval is narrower than it should be; the window has
to pass in whole before success is claimed, and the bounds stand at one half, far from where that would matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
ENOUGH = 0.5
"""Share of the readings asked for that must be there; missing ones and NaN say nothing."""
NEAR = 0.5
"""Back: the last quarter's mean has at most this share of the way from the baseline to the incident left to go."""
WORSE = 1.5
"""Clearly worse: the mean reading lies this many times as far beyond the threshold as during the incident, and by more
than the objective allows at all."""
TRAFFIC = "traffic"

Answers = Sequence[Answer | Unavailable]


@dataclass(frozen=True)
class _Look:
    """One SLI's judgement, and why it is not `recovered`."""

    judgement: SliJudgement
    why: str = ""


def queries(plan: VerificationPlan, start: datetime, end: datetime, step: float) -> tuple[Query, ...]:
    """One range query an SLI, and last one for the traffic. `step` is in seconds."""
    asked = [Query(sli.name, sli.expr, start, end, step, sli.unit) for sli in plan.slis]
    if plan.traffic:
        asked.append(Query(TRAFFIC, plan.traffic, start, end, step, "1/s"))
    return tuple(asked)


def readings(plan: VerificationPlan, answers: Answers) -> tuple[Reading, ...]:
    """The mean of each SLI over what was answered; None where there is nothing to average."""
    given = _by_name(plan, answers)
    return tuple(Reading(sli.name, _mean(_values(given.get(sli.name)))) for sli in plan.slis)


def worst(plan: VerificationPlan, answers: Answers) -> tuple[Reading, ...]:
    """The worst reading of each SLI over what was answered: what "worse than the incident" is measured against. A mean
    would be diluted by the minutes before it began."""
    given = _by_name(plan, answers)
    return tuple(
        Reading(sli.name, (max if sli.worse_when == "above" else min)(_values(given.get(sli.name)), default=None))
        for sli in plan.slis
    )


def assess(plan: VerificationPlan, answers: Answers, began: datetime, now: datetime) -> Assessment:
    """The verdict from the answers to `queries` since `began` (live and settled).

    Any SLI that is clearly not recovered decides, at once when it is clearly worse; success needs every SLI and the
    whole window.
    """
    if not plan.slis:
        return Assessment("inconclusive", "there is no SLI to judge by")
    given = _by_name(plan, answers)
    traffic = given.get(TRAFFIC)
    looks = [_look(sli, given.get(sli.name), plan, _requests(traffic)) for sli in plan.slis]
    judged = tuple(look.judgement for look in looks)
    silence = _silence(plan, traffic)
    if silence:
        return Assessment("inconclusive", silence, tuple(replace(each, state="inconclusive") for each in judged))
    elapsed = (now - began).total_seconds()
    whole = elapsed >= plan.window
    bad = [each for each in judged if each.state == "not_recovered"]
    worse = any(_is_worse(judgement, sli) for judgement, sli in zip(judged, plan.slis, strict=True))
    if bad and (whole or worse):
        return Assessment("not_recovered", _sentence(bad, "still" if not worse else "worse:"), judged, worse)
    unclear = "; ".join(f"{look.judgement.sli}: {look.why}" for look in looks if look.judgement.state == "inconclusive")
    if not whole:
        watched = f"{elapsed:.0f} of {plan.window:g} seconds watched"
        return Assessment("inconclusive", f"{watched}; {unclear}" if unclear else watched, judged)
    if unclear:
        return Assessment("inconclusive", unclear, judged)
    return Assessment("recovered", _sentence(judged, "back:"), judged)


def _by_name(plan: VerificationPlan, answers: Answers) -> Mapping[str, Answer | Unavailable]:
    """Answers by what was asked. One that is unavailable does not say: its place among the queries does."""
    names = [sli.name for sli in plan.slis] + [TRAFFIC]
    found: dict[str, Answer | Unavailable] = {}
    for number, answer in enumerate(answers):
        name = answer.query.id if isinstance(answer, Answer) else names[number] if number < len(names) else ""
        found[name] = answer
    return found


def _samples(answer: Answer | Unavailable | None) -> list[tuple[float, float]]:
    """All (epoch seconds, number) in time order, whatever the order of the series."""
    if answer is None or isinstance(answer, Unavailable):
        return []
    return sorted(point for series in answer.series for point in series.samples if math.isfinite(point[1]))


def _values(answer: Answer | Unavailable | None) -> list[float]:
    return [value for _, value in _samples(answer)]


def _span(query: Query) -> float:
    return (query.end - query.start).total_seconds()


def _silence(plan: VerificationPlan, traffic: Answer | Unavailable | None) -> str:
    """Why nothing can be concluded from any SLI, or an empty string."""
    if not plan.traffic:
        return ""
    doubt = _doubt(traffic)
    if doubt:
        return f"traffic: {doubt}"
    return "" if any(value > 0 for value in _values(traffic)) else "there is no traffic to judge by"


def _requests(traffic: Answer | Unavailable | None) -> float | None:
    """How many requests the answer's range has seen; None when that is not known."""
    rate = _mean(_values(traffic))
    return rate * _span(traffic.query) if rate is not None and isinstance(traffic, Answer) else None


def _doubt(answer: Answer | Unavailable | None) -> str:
    """Why an answer cannot be trusted, or an empty string."""
    if answer is None:
        return "not answered"
    if isinstance(answer, Unavailable):
        return answer.reason
    return f"the answer is partial: {answer.warnings[0]}" if answer.warnings else ""


def _look(sli: Sli, answer: Answer | Unavailable | None, plan: VerificationPlan, requests: float | None) -> _Look:
    samples = _samples(answer)
    values = [value for _, value in samples]
    bad = sum(_is_bad(sli, value) for value in values)
    seen = SliJudgement(
        sli=sli.name,
        state="inconclusive",
        value=_mean(values),
        threshold=sli.threshold,
        incident=_reading(plan.incident, sli.name),
        baseline=_reading(plan.baseline, sli.name),
        samples=len(values),
        bad_share=bad / len(values) if values else 0.0,
        unit=sli.unit,
    )
    gap = _doubt(answer) or _gap(answer, len({at for at, _ in samples}))
    if gap:
        return _Look(seen, gap)
    low, high = wilson(bad, len(values))
    if low > BAD:
        return _Look(replace(seen, state="not_recovered"), _numbers(seen))
    why = _not_back(sli, values, high, seen) or _luck(sli, seen, requests)
    return _Look(seen, why) if why else _Look(replace(seen, state="recovered"))


def _gap(answer: Answer | Unavailable | None, seen: int) -> str:
    """Whether too many of the readings that were asked for are missing."""
    if not isinstance(answer, Answer):
        return ""
    asked = int(_span(answer.query) / answer.query.step + 1e-6) + 1
    if seen == 0:
        return "no reading"
    return f"only {seen} of {asked} readings" if seen < ENOUGH * asked else ""


def _not_back(sli: Sli, values: Sequence[float], high: float, seen: SliJudgement) -> str:
    """Why readings that are not clearly bad are no recovery either, or an empty string."""
    tail = values[-max(1, len(values) // 4) :]
    if high >= GOOD:
        return f"{seen.bad_share:.0%} of {seen.samples} readings are bad, which decides nothing"
    if any(_is_bad(sli, value) for value in tail):
        return "bad again of late"
    if seen.incident is None or seen.baseline is None or not _is_bad(sli, seen.incident):
        return ""
    sign = 1 if sli.worse_when == "above" else -1
    left = sign * (sum(tail) / len(tail) - seen.baseline)
    if left <= NEAR * sign * (seen.incident - seen.baseline):
        return ""
    now, usual = _number(sum(tail) / len(tail), sli.unit), _number(seen.baseline, sli.unit)
    return f"within its objective, but at {now} still nearer to the incident than to its usual {usual}"


def _luck(sli: Sli, seen: SliJudgement, requests: float | None) -> str:
    """Whether so few requests could look as good by luck while the incident goes on: then the upper Wilson bound of the
    share of failed ones still reaches the incident's."""
    if sli.unit != "ratio" or requests is None or seen.value is None or seen.incident is None:
        return ""
    now, then = (share if sli.worse_when == "above" else 1 - share for share in (seen.value, seen.incident))
    if not _is_bad(sli, seen.incident) or wilson(now * requests, requests)[1] < then:
        return ""
    return f"{requests:.0f} requests are too few to tell it from luck"


def wilson(bad: float, total: float, z: float = Z) -> tuple[float, float]:
    """Wilson score interval of a share; (0, 1) without observations."""
    if total <= 0:
        return 0.0, 1.0
    share = min(1.0, max(0.0, bad / total))
    centre = (share * total + z * z / 2) / (total + z * z)
    spread = z * math.sqrt(share * (1 - share) * total + z * z / 4) / (total + z * z)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def _is_bad(sli: Sli, value: float) -> bool:
    return value > sli.threshold if sli.worse_when == "above" else value < sli.threshold


def _is_worse(judgement: SliJudgement, sli: Sli) -> bool:
    """Clearly worse than during the incident, on the bad side, with enough readings to say so."""
    if judgement.state != "not_recovered" or judgement.value is None or judgement.incident is None:
        return False
    sign = 1 if sli.worse_when == "above" else -1
    then = max(0.0, sign * (judgement.incident - sli.threshold))
    # What the objective allows: an incident that was hardly one must not make every noise "worse".
    allowed = 1 - sli.threshold if sli.unit == "ratio" and sign < 0 else abs(sli.threshold)
    return sign * (judgement.value - sli.threshold) > max(WORSE * then, allowed)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _reading(given: Sequence[Reading], name: str) -> float | None:
    return next((reading.value for reading in given if reading.sli == name), None)


def _sentence(judged: Sequence[SliJudgement], verb: str) -> str:
    return "; ".join(f"{each.sli} {verb} {_numbers(each)}" for each in judged)


def _numbers(judgement: SliJudgement) -> str:
    objective = _number(judgement.threshold, judgement.unit)
    return f"{_number(judgement.value, judgement.unit)} (objective {objective}, {judgement.samples} readings)"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "no reading"
    return f"{value:.2%}" if unit == "ratio" else f"{value:.3g} {unit}"
