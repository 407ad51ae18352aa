from __future__ import annotations

import math
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.reasoning import bayes

PROBABILITY = st.floats(1e-6, 1.0)


class Row(NamedTuple):
    """P(finding | hypothesis) for each hypothesis, and how much the finding is trusted."""

    likelihoods: tuple[float, ...]
    trust: float = 1.0


def posterior(priors: list[float], rows: list[Row]) -> list[float]:
    """Posteriors from likelihoods."""
    logs = np.log(np.array([row.likelihoods for row in rows]).reshape(len(rows), len(priors))).T
    return [float(value) for value in bayes.posterior(priors, logs, [row.trust for row in rows])]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[float], list[Row]]:
    size = draw(st.integers(1, 6))
    priors = draw(st.lists(st.floats(0.0, 1.0), min_size=size, max_size=size).filter(any))
    likelihoods = st.lists(PROBABILITY, min_size=size, max_size=size)
    rows = draw(st.lists(st.builds(Row, likelihoods.map(tuple), st.floats(0.0, 1.0)), max_size=12))
    return priors, rows


@given(cases())
def test_posteriors_are_probabilities_that_sum_to_one(case: tuple[list[float], list[Row]]) -> None:
    found = posterior(*case)
    assert math.fsum(found) == pytest.approx(1)
    assert all(0 <= value <= 1 for value in found)


@given(cases(), st.randoms())
def test_the_order_of_evidence_does_not_matter(case: tuple[list[float], list[Row]], random: Random) -> None:
    priors, rows = case
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert posterior(priors, shuffled) == pytest.approx(posterior(priors, rows))


@given(cases())
def test_what_is_impossible_stays_so_and_evidence_without_trust_says_nothing(
    case: tuple[list[float], list[Row]],
) -> None:
    priors, rows = case
    found = posterior(priors, rows)
    assert all(value == 0 for value, prior in zip(found, priors, strict=True) if prior == 0)
    silenced = posterior(priors, [Row(row.likelihoods, 0.0) for row in rows])
    assert silenced == pytest.approx([prior / math.fsum(priors) for prior in priors])


@given(cases(), st.floats(0.1, 10))
def test_a_common_factor_in_a_row_changes_nothing(case: tuple[list[float], list[Row]], factor: float) -> None:
    priors, rows = case
    scaled = [Row(tuple(value * factor for value in row.likelihoods), row.trust) for row in rows]
    assert posterior(priors, scaled) == pytest.approx(posterior(priors, rows))


@given(st.floats(0.01, 0.99), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_trust_never_weakens_the_favoured_hypothesis(prior: float, one: float, two: float) -> None:
    low, high = sorted((one, two))
    beliefs = [posterior([prior, 1 - prior], [Row((0.9, 0.2), trust)])[0] for trust in (low, high)]
    assert beliefs[0] <= beliefs[1] + 1e-12


def test_it_is_bayes_rule() -> None:
    assert posterior([0.01, 0.99], [Row((0.9, 0.05))])[0] == pytest.approx(0.009 / (0.009 + 0.0495))


def test_thousands_of_findings_do_not_underflow() -> None:
    assert posterior([0.5, 0.5], [Row((1e-6, 2e-6))] * 5000)[1] == pytest.approx(1)


def test_nothing_left_to_believe_is_an_error() -> None:
    with pytest.raises(ValueError, match="prior 0"):
        posterior([0.0, 0.0], [])
