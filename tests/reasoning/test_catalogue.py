from __future__ import annotations

from importlib import resources

import pytest

from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.yamltext.data import DataError

SHIPPED = resources.files("gitops_sre.reasoning").joinpath("catalogue.yaml").read_text(encoding="utf-8")
CATALOGUE = load_catalogue()


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
        ("prior: 0.27", "prior: 0.0", r"causes\.new_deploy\.prior: .*greater than 0"),
        ("  code_defect: {", "  gremlins: {", r"causes\.gremlins"),
        ("visible: 0.95", "visible: 1.0", "change.visible"),
        ("elsewhere: 0.1}", "elsewhere: 0.1, unknown_key: 1}", "unknown_key"),
        ("causes:", "causes: [", "not valid YAML"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused_with_the_place(old: str, new: str, message: str) -> None:
    assert old in SHIPPED
    with pytest.raises(DataError, match=message):
        load_catalogue(SHIPPED.replace(old, new))
