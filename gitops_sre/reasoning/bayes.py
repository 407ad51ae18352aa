"""Bayes' rule over hypotheses that exclude each other, in logarithms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One finding: P(finding | hypothesis) for each hypothesis in order, up to a common factor; all above 0.

    `trust` in 0..1 tempers it (the likelihood to that power): at 0 it says nothing, at 1 all it has.
    """

    likelihoods: tuple[float, ...]
    trust: float = 1.0


def posterior(priors: Sequence[float], rows: Sequence[Row]) -> tuple[float, ...]:
    """Posterior probabilities, which sum to 1 and do not depend on the order of the rows.

    A prior of 0 stays 0. Findings are taken as independent given the hypothesis (naive Bayes); what is not, is for the
    catalogue to keep weak. Raises ValueError when no prior is above 0.
    """
    if not any(prior > 0 for prior in priors):
        raise ValueError("every hypothesis has prior 0: nothing is left to believe")
    scores = [
        math.log(prior) + math.fsum(row.trust * math.log(row.likelihoods[number]) for row in rows)
        if prior > 0
        else -math.inf
        for number, prior in enumerate(priors)
    ]
    highest = max(scores)
    weights = [math.exp(score - highest) for score in scores]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)
