"""What the fit of the weights refuses."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
import yaml

from gitops_sre.model.findings import Findings
from tests.bench.fit import Case, Prepared, prepare_all
from tests.bench.rcasets import Label
from tests.reasoning.cases import CATALOGUE, EDGES, SCOPE, change, scored, world

DATA = yaml.safe_load(resources.files("gitops_sre.reasoning").joinpath("weights.yaml").read_text(encoding="utf-8"))


def prepared(score: float) -> list[Prepared]:
    """An incident with one finding of such a score, as the fit sees it."""
    evidence = (*world(errors_checkout="high"), scored("pattern", "payments", score))
    known = Findings(SCOPE, evidence, edges=EDGES, changes=(replace(change(), lead=60.0),))
    return prepare_all([Case("some-set", "c7", known, Label("checkout", "new_deploy", "new_deploy"))], CATALOGUE, DATA)


def test_a_finding_that_is_no_number_is_refused_with_its_incident() -> None:
    with pytest.raises(ValueError, match=r"some-set, incident c7: pattern/payments has the score nan"):
        prepared(float("nan"))


@pytest.mark.parametrize("score", [0.0, 4.0, float("inf")])
def test_what_is_far_from_usual_is_cut_off_and_stays_a_number(score: float) -> None:
    (case,) = prepared(score)
    assert np.isfinite(case.fixed).all()
    assert np.isfinite(case.features).all()
    assert case.right.any()
