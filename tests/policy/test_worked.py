"""Worked cases: the policies of a team in `worked/`, and what they come to, as that team would write it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_sre.policy.documents import read_folder
from gitops_sre.policy.examples import Result, deciding, run
from gitops_sre.policy.schema import Limits, Match

HELD = read_folder(Path(__file__).parent / "worked")
RESULTS = run(HELD)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.name)
def test_each_verdict_is_what_the_team_expects(result: Result) -> None:
    assert result.differences == ()


def test_names_are_said_once() -> None:
    assert len({result.name for result in RESULTS}) == len(RESULTS) >= 60


def test_every_rule_window_and_built_in_limit_decides_somewhere() -> None:
    below = {
        name for result in RESULTS if result.verdict.level.name != "L4" for name in deciding(result.verdict.binding)
    }
    written = {rule.entry.name for rule in HELD.rules} | {window.entry.name for window in HELD.windows}
    built_in = {"ladder", "ownership", "approvers", "evidence", "doubt", "verification", "live", "confidence"}
    assert below >= written | built_in


def test_every_limit_and_selector_is_spoken_of() -> None:
    limits = {name for placed in HELD.rules for name in placed.entry.limits.model_fields_set}
    selectors = {name for placed in HELD.rules for name in placed.entry.match.model_fields_set}
    assert limits == set(Limits.model_fields)
    assert selectors >= set(Match.model_fields) - {"namespaces", "causes"}  # conditions speak of causes
