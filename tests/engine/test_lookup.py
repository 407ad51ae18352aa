"""What a language model's tools say, and how they are bounded."""

from __future__ import annotations

import json
import math

from gitops_sre.engine.lookup import MAX_ROWS, _answered, _series
from gitops_sre.model.evidence import Series
from tests.builders import NOW
from tests.canaries import CANARIES, SHAPES


def test_a_series_is_told_by_its_figures() -> None:
    told = _series(Series.of((("pod", "a"),), [(1, 3.0), (2, math.nan), (3, 1.0), (4, math.inf), (5, 2.00004)]))
    assert told == {"labels": {"pod": "a"}, "first": 3.0, "lowest": 1.0, "highest": 3.0, "last": 2.0}


def test_a_series_without_a_number_says_so() -> None:
    told = _series(Series.of((), [(1, math.nan)]))
    assert told["says"] == "no number"
    json.dumps(told, allow_nan=False)


def test_rows_beyond_the_bound_are_counted_and_not_shown() -> None:
    rows: list[dict[str, object]] = [{"n": number} for number in range(MAX_ROWS + 3)]
    found = _answered("metrics", {"query": "up"}, rows, "metrics", NOW)
    assert found.text.count("\n") == MAX_ROWS
    assert found.text.endswith("3 more rows are not shown")
    (finding,) = found.evidence
    assert "15 rows" in finding.statement
    assert finding.score is None, "nothing rests on it"


def test_the_same_question_has_the_same_id_and_another_one_another() -> None:
    asked = [_answered("metrics", {"query": query}, [], "metrics", NOW).evidence[0].id for query in ("a", "a", "b")]
    assert asked[0] == asked[1] != asked[2]


def test_no_secret_is_in_a_finding() -> None:
    for shape in SHAPES:
        (finding,) = _answered("cluster_events", {}, [{"says": shape}], "warnings", NOW).evidence
        assert not [canary for canary in CANARIES if canary in finding.statement]
