"""Which question would tell most, of those that nobody has answered yet."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_sre.model.diagnosis import Cause, Diagnosis
from gitops_sre.reasoning.weights import Weights

CHANCE = 0.1
"""Probability that a service is unusual in some signal though the cause has nothing to do with it."""
CLEAR: Mapping[str, float] = {"sigmas": math.log1p(10.0), "share": 0.6, "linear": 1.0}
"""Strength of a clear finding on each scale."""
SERVICES = 8
"""Services that are asked about; the most suspicious."""
WORTH = 0.02
"""Bits from which a question is worth asking."""


@dataclass(frozen=True)
class Question:
    """What to ask of which service, in words, and how much the answer is expected to tell, in bits."""

    signal: str
    service: str
    text: str
    bits: float


def next_questions(diagnosis: Diagnosis, weights: Weights, most: int = 3) -> tuple[Question, ...]:
    """The questions with the highest expected information about which hypothesis is right, at most one for a signal.

    An answer is taken as clear or not. Under a cause at the service asked about, its odds are those of chance times
    exp(w f), as the weights say; at all others it is chance. Its expected information is the mutual information of
    answer and hypothesis (Lindley, Annals of Mathematical Statistics 27, 1956).
    """
    known = {(item.signal, item.subject) for item in diagnosis.evidence}
    beliefs: dict[str, dict[Cause, float]] = defaultdict(lambda: defaultdict(float))
    for each in diagnosis.hypotheses:
        if each.cause not in ("no_fault", "unexplained"):
            beliefs[each.service][each.cause] += each.posterior
    suspicious = sorted(beliefs, key=lambda name: (-sum(beliefs[name].values()), name))[:SERVICES]
    found = [
        Question(signal, service, ask.format(service=service), bits)
        for signal, ask in weights.ask.items()
        for service in suspicious
        if (signal, service) not in known
        and (bits := _information(beliefs[service], weights.weight[signal], CLEAR[weights.scale[signal]])) >= WORTH
    ]
    best: dict[str, Question] = {}
    for question in sorted(found, key=lambda each: (-each.bits, each.signal, each.service)):
        best.setdefault(question.signal, question)
    return tuple(best.values())[:most]


def _information(beliefs: Mapping[Cause, float], weight: Mapping[Cause, float], strength: float) -> float:
    """Mutual information in bits of a clear answer and the hypotheses; all others have the chance answer."""
    clear = {cause: _clear(weight.get(cause, 0.0) * strength) for cause in beliefs}
    elsewhere = max(0.0, 1.0 - sum(beliefs.values()))
    overall = elsewhere * CHANCE + sum(belief * clear[cause] for cause, belief in beliefs.items())
    within = elsewhere * _entropy([CHANCE, 1 - CHANCE])
    within += sum(belief * _entropy([clear[cause], 1 - clear[cause]]) for cause, belief in beliefs.items())
    return max(0.0, _entropy([overall, 1 - overall]) - within)


def _clear(log_odds: float) -> float:
    """The probability of a clear answer, whose odds by chance are multiplied with exp(log_odds)."""
    return 1 / (1 + (1 - CHANCE) / CHANCE * math.exp(-log_odds))


def _entropy(shares: Sequence[float]) -> float:
    return -sum(share * math.log2(share) for share in shares if share > 0)
