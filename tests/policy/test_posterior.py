"""The beta posterior, held against closed forms and against counting."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from gitops_sre.policy.posterior import incomplete, lower_bound, mean, quantile


@pytest.mark.parametrize("x", [0.0, 0.001, 0.2, 0.5, 0.77, 0.999, 1.0])
def test_known_distributions(x: float) -> None:
    assert incomplete(x, 1, 1) == pytest.approx(x)
    assert incomplete(x, 3, 1) == pytest.approx(x**3)
    assert incomplete(x, 1, 4) == pytest.approx(1 - (1 - x) ** 4)
    # Jeffreys' prior is the arcsine law.
    assert incomplete(x, 0.5, 0.5) == pytest.approx(2 / math.pi * math.asin(math.sqrt(x)))


@pytest.mark.parametrize(("a", "b"), [(1, 2), (5, 3), (20, 1), (40, 60), (400, 3)])
@pytest.mark.parametrize("x", [Fraction(1, 100), Fraction(1, 3), Fraction(9, 10), Fraction(99, 100)])
def test_whole_parameters_are_a_sum_of_binomial_terms(a: int, b: int, x: Fraction) -> None:
    n = a + b - 1
    exact = sum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
    assert incomplete(float(x), a, b) == pytest.approx(float(exact), rel=1e-10, abs=1e-300)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (20.5, 0.5), (0.5, 7.5), (1234.5, 12.5), (100_000.5, 0.5)])
@pytest.mark.parametrize("probability", [0.01, 0.05, 0.5, 0.95])
def test_a_quantile_has_its_probability_below_it(a: float, b: float, probability: float) -> None:
    assert incomplete(quantile(probability, a, b), a, b) == pytest.approx(probability, rel=1e-6)


def test_without_cases_little_is_sure_and_more_good_ones_make_it_surer() -> None:
    assert mean(0, 0) == 0.5
    assert lower_bound(0, 0) == pytest.approx(math.sin(math.pi / 2 * 0.05) ** 2)
    bounds = [lower_bound(number, number) for number in range(200)]
    assert bounds == sorted(bounds)
    assert bounds[-1] > 0.99
    assert all(lower_bound(n - 1, n) < lower_bound(n, n) for n in range(1, 200))
