"""Objectives of Sloth, Pyrra and OpenSLO in the terms of the settings; what does not fit is left, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_sre.gitops.discovery.nouns import Objective
from gitops_sre.gitops.discovery.objectives import objectives
from gitops_sre.gitops.files import AtCommit
from tests.gitops.commits import History

Read = Callable[[str], tuple[tuple[Objective, ...], tuple[str, ...]]]

SLOTH = """version: "prometheus/v1"
service: "checkout"
slos:
  - name: "requests"
    objective: {objective}
    sli:
      events:
        error_query: {query}
        total_query: sum(rate(http_requests_total[{{{{.window}}}}]))
"""
PYRRA = """apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata:
  name: checkout-slo
spec:
  target: "{target}"
  window: 4w
  indicator:
"""
OPENSLO = """apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout-slo
spec:
  service: checkout
  indicator:
    metadata:
      name: good
    spec:
      ratioMetric:
        good:
          metricSource:
            spec:
              query: {query}
  objectives:
    - {objective}
"""


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    made = History(tmp_path / "infra")

    def look(text: str, path: str = "slos/checkout.yaml") -> tuple[tuple[Objective, ...], tuple[str, ...]]:
        return objectives(AtCommit(made.repository(), made.commit({path: text})))

    yield look
    made.close()


def sloth(objective: str = "99.9", query: str = "sum(rate(http_requests_total{code=~'5..'}[5m]))") -> str:
    return SLOTH.format(objective=objective, query=query)


def pyrra(target: str, indicator: str) -> str:
    return PYRRA.format(target=target) + indicator


def test_an_availability_objective_is_a_share_of_failed_requests(read: Read) -> None:
    found, left = read(sloth())
    assert found == (Objective("checkout", "", 0.001, None, ("slos/checkout.yaml:5",)),)
    assert left == ()


def test_sloth_in_the_cluster_says_the_same_below_spec(read: Read) -> None:
    inner = "".join(f"  {line}\n" for line in sloth().splitlines()[1:])
    found, _ = read(
        f"apiVersion: sloth.slok.dev/v1\nkind: PrometheusServiceLevel\nmetadata:\n  name: x\nspec:\n{inner}"
    )
    assert [(each.service, each.error_ratio) for each in found] == [("checkout", 0.001)]


def test_a_bucket_of_at_least_99_percent_bounds_the_99th_percentile(read: Read) -> None:
    query = "sum(rate(d_count[5m])) - sum(rate(d_bucket{le='0.8'}[5m]))"
    found, left = read(sloth("99", query))
    assert [(each.error_ratio, each.latency_p99) for each in found] == [(None, 0.8)]
    assert left == ()


def test_95_percent_below_a_bound_says_nothing_of_the_99th_percentile(read: Read) -> None:
    found, left = read(sloth("95", "sum(rate(d_bucket{le='0.8'}[5m]))"))
    assert found == ()
    assert left == ("slos/checkout.yaml:5: the objective of checkout: 0.95 of requests below 0.8 s says nothing of the "
                    "99th percentile",)  # fmt: skip


def test_only_an_environment_that_there_is_is_named(made: History) -> None:
    files = AtCommit(made.repository(), made.commit({"slos/staging/a.yaml": sloth(), "test/b.yaml": sloth("99")}))
    found, _ = objectives(files, ["staging"])
    assert [(each.environment, each.error_ratio) for each in found] == [("staging", 0.001), ("", 0.01)]


def test_of_several_aims_of_a_service_the_strictest_counts(read: Read) -> None:
    two = sloth() + sloth("99.95").partition("slos:\n")[2]
    found, _ = read(two)
    assert [each.error_ratio for each in found] == [0.0005]
    assert found[0].by == ("slos/checkout.yaml:5", "slos/checkout.yaml:11")


@pytest.mark.parametrize(
    ("indicator", "wanted"),
    [
        (
            "    ratio:\n      errors:\n        metric: http_requests_total{job='cart',code=~'5..'}\n",
            ("cart", 0.01, None),
        ),
        ("    ratio:\n      errors:\n        metric: http_requests_total{code=~'5..'}\n", ("checkout-slo", 0.01, None)),
        ("    latency:\n      success:\n        metric: d_bucket{service='cart',le='0.5'}\n", ("cart", None, 0.5)),
        (
            "    latencyNative:\n      latency: 250ms\n      total:\n        metric: d{app='cart'}\n",
            ("cart", None, 0.25),
        ),
    ],
)
def test_pyrra(read: Read, indicator: str, wanted: tuple[str, float | None, float | None]) -> None:
    found, left = read(pyrra("99", indicator))
    assert [(each.service, each.error_ratio, each.latency_p99) for each in found] == [wanted]
    assert left == ()


@pytest.mark.parametrize(
    ("objective", "query", "wanted"),
    [
        ("target: 0.995", "sum(rate(http_requests_total{code!~'5..'}[5m]))", (0.005, None)),
        ("targetPercent: 99.5", "sum(rate(http_requests_total{code!~'5..'}[5m]))", (0.005, None)),
        ("target: 0.99", "sum(rate(d_bucket{le='1'}[5m]))", (None, 1.0)),
    ],
)
def test_openslo(read: Read, objective: str, query: str, wanted: tuple[float | None, float | None]) -> None:
    found, left = read(OPENSLO.format(query=query, objective=objective))
    assert [(each.service, each.error_ratio, each.latency_p99) for each in found] == [("checkout", *wanted)]
    assert left == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (sloth().replace("http_requests_total", "wifi_clients"), "says that it counts requests"),
        (
            pyrra("99", "    ratio:\n      errors:\n        metric: rule_failures{job='x'}\n"),
            "says that it counts requests",
        ),
        (sloth("100"), "not a share between 0 and 1"),
        (sloth("high"), "not a share between 0 and 1"),
        (sloth("99.9", "sum(rate(d_bucket[5m]))"), "which ones cannot be told"),
        (pyrra("99", "    bool_gauge:\n      metric: up\n"), "`bool_gauge` is not about requests"),
        (OPENSLO.format(query="x", objective="target: 0.99\n      value: 5"), "unit is not written down"),
        (OPENSLO.format(query="x", objective="target: 0.99").replace("ratioMetric", "other"), "defined elsewhere"),
        ('version: "prometheus/v1"\n  bad: [\n', "slos/checkout.yaml"),
    ],
)
def test_what_does_not_fit_is_left_with_its_place(read: Read, text: str, why: str) -> None:
    found, left = read(text)
    assert found == ()
    assert len(left) == 1
    assert why in left[0]
    assert "slos/checkout.yaml" in left[0]
