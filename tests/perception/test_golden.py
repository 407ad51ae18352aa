from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.outcome import Unavailable
from gitops_sre.perception import golden
from gitops_sre.sandbox.telemetry.promql import parse
from gitops_sre.settings import Settings, TimingSettings
from tests.builders import NOW, target

TIMING = TimingSettings(rate_window=6, step=1)


def test_every_query_is_promql_whatever_the_environment_is_called() -> None:
    slis, traffic = golden.slis(
        replace(target(), service='a"b\\', environment='x"} or vector(1) or up{a="\n'), settings()
    )
    for expr in (*(sli.expr for sli in slis), traffic):
        parse(expr)
    parse(golden.map_query(NOW, TIMING).expr)


@given(st.text(max_size=40))
def test_a_label_value_never_adds_a_matcher(value: str) -> None:
    def asked(environment: str) -> str:
        return golden.slis(replace(target(), environment=environment), settings())[1]

    growth = sum({"\\": 2, '"': 2, "\n": 2}.get(char, 1) for char in value)
    assert len(asked(value)) == len(asked("")) + asked(value).count('environment="') * growth


def test_the_service_map_is_made_of_calls_that_happen() -> None:
    query = golden.map_query(NOW, TIMING)
    begin = NOW.timestamp() - 1

    def calls(service: str, peer: str, rate: float) -> Series:
        return Series.of((("peer", peer), ("service", service)), ((begin, rate), (begin + 1, rate)))

    series = (calls("checkout", "payments", 5.0), calls("cart", "checkout", 5.0), calls("checkout", "old", 0.0))
    other = Answer(Query("other", "", NOW, NOW, 1), (calls("a", "b", 1.0),))
    assert golden.edges([Answer(query, series), other, Unavailable("down")]) == (
        ("cart", "checkout"),
        ("checkout", "payments"),
    )


def settings(**slo: Any) -> Settings:
    return Settings.model_validate(
        {
            "github": {"repository": "acme/infra"},
            "prometheus": {"url": "http://127.0.0.1:9"},
            "signing": {"key_file": "key.pem"},
            "slos": [
                {"services": ["pay*"], "error_ratio": 0.001, "latency_p99": 0.5},
                {"environments": ["staging"], "error_ratio": 0.05, **slo},
            ],
        }
    )


def test_the_first_objective_that_matches_gives_the_indicators() -> None:
    slis, traffic = golden.slis(target("payments", "production"), settings())
    assert [(sli.name, sli.threshold, sli.unit) for sli in slis] == [
        ("error_ratio", 0.001, "ratio"),
        ("latency_p99", 0.5, "s"),
    ]
    assert 'service="payments"' in traffic
    assert [sli.threshold for sli in golden.slis(target("cart", "staging"), settings())[0]] == [0.05]


def test_no_objective_gives_no_indicators() -> None:
    assert golden.slis(target("cart", "production"), settings())[0] == ()
