"""An environment is read from a path only where a word stands for one."""

from __future__ import annotations

import pytest

from gitops_sre.gitops import environments


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("apps/web/overlays/prod/kustomization.yaml", "production"),
        ("apps/web/overlays/stg/kustomization.yaml", "staging"),
        ("charts/web/values-prod.yaml", "production"),
        ("clusters/prod-eu-1/apps.yaml", "production"),
        ("envs/eu-staging2/web.yaml", "staging"),
        ("production.yaml", "production"),
        ("staging/prod.yaml", "production"),
        ("apps/web/base/deployment.yaml", ""),
        ("apps/product/deployment.yaml", ""),
        ("apps/contest/values.yaml", ""),
        ("apps/live-view/demo-data/values.yaml", ""),
    ],
)
def test_words_in_a_path(path: str, expected: str) -> None:
    assert environments.of(path) == expected


def test_a_name_of_the_teams_own_is_recognised_when_it_is_given() -> None:
    assert environments.of("overlays/blue/kustomization.yaml") == ""
    assert environments.of("overlays/blue/kustomization.yaml", "blue") == "blue"


def test_paths_that_name_no_environment_belong_to_all() -> None:
    assert environments.fits("base/k.yaml", "prod")
    assert environments.fits("values-production.yaml", "prod")
    assert not environments.fits("o/dev/k.yaml", "prod")


def test_several_environments_can_be_named() -> None:
    assert environments.fits("o/dev/k.yaml", "prod, dev")
    assert environments.fits("o/blue/k.yaml", "blue,green")
    assert not environments.fits("o/stg/k.yaml", "prod,dev")
