from __future__ import annotations

import re
from importlib import resources

import pytest

from gitops_sre.reasoning.catalogue import RELATIONS, load_catalogue
from gitops_sre.reasoning.causes import CAUSES, CatalogueError

SHIPPED = resources.files("gitops_sre.reasoning").joinpath("catalogue.yaml").read_text(encoding="utf-8")
CATALOGUE = load_catalogue()


def test_every_row_is_a_distribution_over_its_outcomes() -> None:
    totals: dict[tuple[str, str, str], float] = {}
    for (signal, relation, _, cause), value in CATALOGUE.likelihoods.items():
        totals[signal, relation, cause] = totals.get((signal, relation, cause), 0) + value
    assert all(total == pytest.approx(1) for total in totals.values())
    assert {cause for _, _, cause in totals} == set(CAUSES)
    assert {relation for _, relation, _ in totals} == set(RELATIONS)


def test_what_is_not_known_says_nothing() -> None:
    assert CATALOGUE.likelihood("errors", "own", "unknown", "new_deploy") == 1
    assert CATALOGUE.likelihood("colour", "own", "high", "new_deploy") == 1


def test_a_change_speaks_the_less_the_older_it_is_and_not_at_all_after_the_onset() -> None:
    weights = [CATALOGUE.change.weight(lead) for lead in (0, 60, 600, 3600, 6 * 3600)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > 10
    assert weights[-1] < 1
    assert CATALOGUE.change.weight(-30) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("prior: 0.27", "prior: 0.37", "causes: the priors sum to 1.1"),
        ("new_deploy: [0.75, 0.01, 0.24]", "new_deploy: [0.75, 0.01, 0.25]", r"errors\): p.new_deploy: sums to 1.01"),
        ("new_deploy: [0.75, 0.01, 0.24]", "new_deploy: [0.75, 0.25]", "p.new_deploy: 2 values for 3 outcomes"),
        (
            "new_deploy: [0.75, 0.01, 0.24]",
            "new_deploy: [0.76, 0.0, 0.24]",
            r"rows\.3\.p\.new_deploy\.1: .*greater than 0",
        ),
        ("new_deploy: [0.75, 0.01, 0.24]", "gremlins: [0.75, 0.01, 0.24]", r"rows\.3\.p\.gremlins"),
        ("  relation: [callee, caller, other]", "  relation: [callee, caller]", "0 rows for .* with relation other"),
        ("visible: 0.95", "visible: 1.0", "change.visible"),
        ("elsewhere: 0.1}", "elsewhere: 0.1, unknown_key: 1}", "unknown_key"),
        ("causes:", "causes: [", "not valid YAML"),
        ("signals: [traffic]\n    relation: other", "signals: [traffic]\n    relation: own", "rows: "),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused_with_the_place(old: str, new: str, message: str) -> None:
    assert old in SHIPPED
    with pytest.raises(CatalogueError, match=message):
        load_catalogue(SHIPPED.replace(old, new))


def test_every_row_says_what_it_judges_by() -> None:
    rows = re.findall(r"- signals:.*?(?=\n  - signals:|\Z)", SHIPPED, re.DOTALL)
    assert rows
    assert all(re.search(r'why: "\S', row) for row in rows)
