"""How sure a share is after some cases: the beta posterior of a binomial share.

The prior is Jeffreys', Beta(1/2, 1/2): it weighs one case, half of it bad, where a uniform one weighs two, and its
limits cover about as often as they say also for shares near 1 (Brown, Cai and DasGupta, Interval Estimation for a
Binomial Proportion, Statistical Science 16, 2001; one-sided: T. Cai, J. Stat. Plan. Inference 131, 2005).
"""

from __future__ import annotations

import math

PRIOR = 0.5
"""Of both parameters."""
CONFIDENCE = 0.95
"""Of the one-sided lower bound."""
_TINY = 1e-300
_STEPS = 10_000


def mean(good: int, cases: int) -> float:
    """Mean of the posterior of the share of good ones."""
    return (good + PRIOR) / (cases + 2 * PRIOR)


def lower_bound(good: int, cases: int) -> float:
    """What the share exceeds with a probability of CONFIDENCE, 0..1."""
    return quantile(1 - CONFIDENCE, good + PRIOR, cases - good + PRIOR)


def quantile(probability: float, a: float, b: float) -> float:
    """The x at which Beta(a, b) has this much below it; by bisection, which needs no good first guess."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if incomplete(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def incomplete(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b): by its continued fraction (NIST DLMF 8.17.22), on the side
    where that converges fast (8.17.4 leads from one to the other)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete(1 - x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(scale) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)) by Lentz's method as Thompson and Barnett mended it (J. Comp. Phys. 64, 1986)."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        m, odd = divmod(step, 2)
        if odd:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + term * d) or _TINY)
        c = (1 + term / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
