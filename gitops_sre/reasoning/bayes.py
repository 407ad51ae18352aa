"""Bayes' rule over hypotheses that exclude each other, in logarithms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def posterior(priors: Sequence[float], logs: Matrix, trusts: Sequence[float]) -> Matrix:
    """Posterior probabilities, which sum to 1 and do not depend on the order of the findings.

    `logs[hypothesis, finding]` is log P(finding | hypothesis), up to a constant for each finding. A trust in 0..1
    tempers a finding (its likelihood to that power): at 0 it says nothing, at 1 all it has. A prior of 0 stays 0.
    Findings are taken as independent given the hypothesis (naive Bayes); what is not, is for the catalogue to keep
    weak. Raises ValueError when no prior is above 0.
    """
    before = np.asarray(priors, dtype=np.float64)
    if not (before > 0).any():
        raise ValueError("every hypothesis has prior 0: nothing is left to believe")
    with np.errstate(divide="ignore"):
        scores = np.log(before) + logs @ np.asarray(trusts, dtype=np.float64)
    shares = np.exp(scores - scores.max())
    return np.asarray(shares / shares.sum())


def weights(priors: Sequence[float], logs: Matrix, trusts: Sequence[float]) -> Matrix:
    """The weight of evidence of each finding for each hypothesis against all the others taken together: the log of the
    likelihood ratio. I. J. Good, Probability and the Weighing of Evidence, 1950. Shape as `logs`."""
    before = np.asarray(priors, dtype=np.float64)[:, None]
    before = before / before.sum()
    top = logs.max(axis=0) if len(logs) else 0.0
    likelihoods = np.exp(logs - top)
    others = np.maximum((before * likelihoods).sum(axis=0) - before * likelihoods, 1e-300) / np.maximum(
        1 - before, 1e-300
    )
    return np.asarray((logs - top - np.log(others)) * np.asarray(trusts, dtype=np.float64))
