"""The embedded endpoint answers as the real Prometheus does over the same samples, query by query."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_sre.sandbox.telemetry.nodes import QueryError
from gitops_sre.sandbox.telemetry.promql import parse
from gitops_sre.sandbox.telemetry.rules import alert_rules
from tests.sandbox.telemetry.conftest import BASE, LAST, Both, needs_prometheus

pytestmark = needs_prometheus

SELECTOR = 'http_requests_total{environment="production"}'
BUCKETS = 'http_request_duration_seconds_bucket{environment="production"}'
PLACE = "environment, namespace, service"

QUERIES = (
    "up",
    'up{environment="production"}',
    'up{environment!="production", service=~"c.*"}',
    'up{environment!~"dev|staging", service!~".*(a|e).*"}',
    '{__name__=~"kube_.+", service="web"}',
    '{service="web", code="500"}',
    'up{nothing=""}',
    'up{nothing!=""}',
    "no_such_metric",
    "http_requests_total[10s]",
    'up{service="web"}[3m] offset 1m',
    "odd_gauge",
    "odd_sparse_total",
    "rate(odd_resets_total[30s])",
    "increase(odd_resets_total[1m])",
    "rate(odd_late_total[1m])",
    "increase(odd_late_total[1m])",
    "increase(odd_late_total[7m])",
    "rate(odd_sparse_total[20s])",
    "increase(odd_sparse_total[1m30s])",
    f"rate({SELECTOR}[6s])",
    f"increase({SELECTOR}[1m])",
    f"rate({SELECTOR}[1h])",
    f"rate({SELECTOR}[6s] offset 30s)",
    f"rate({SELECTOR}[6s] offset -30s)",
    "rate(http_requests_total[5500ms])",
    "avg_over_time(odd_gauge[30s])",
    "min_over_time(odd_gauge[30s])",
    "max_over_time(container_memory_working_set_bytes[10m])",
    f"sum(rate({SELECTOR}[6s]))",
    f"sum by () (rate({SELECTOR}[6s]))",
    f"sum by ({PLACE}) (rate(http_requests_total[6s]))",
    f"sum(rate(http_requests_total[6s])) by ({PLACE},)",
    "avg by (environment) (container_memory_working_set_bytes)",
    "min by (environment) (odd_gauge or container_memory_working_set_bytes)",
    "max by (__name__) ({service='web'})",
    "count by (environment, version) (http_requests_total)",
    "count(up == 0)",
    f'sum by ({PLACE}) (rate(http_requests_total{{code=~"5.."}}[6s]))'
    f" / sum by ({PLACE}) (rate(http_requests_total[6s]))",
    f"histogram_quantile(0.99, sum by ({PLACE}, le) (rate(http_request_duration_seconds_bucket[6s])))",
    f"histogram_quantile(0.5, rate({BUCKETS}[30s]))",
    f"histogram_quantile(1, {BUCKETS})",
    f"histogram_quantile(0, {BUCKETS})",
    f"histogram_quantile(1.5, {BUCKETS})",
    f"histogram_quantile(-1, {BUCKETS})",
    f"histogram_quantile(NaN, {BUCKETS})",
    "histogram_quantile(0.9, up)",
    "histogram_quantile(0.9, http_request_duration_seconds_bucket{le!='+Inf'})",
    "histogram_quantile(0.5, http_request_duration_seconds_bucket{le='+Inf'})",
    "http_request_duration_seconds_sum / http_request_duration_seconds_count",
    "up + up * 2 - 3 / up",
    "2 - up",
    "-up",
    "-odd_gauge * -2 + +1",
    "odd_gauge > 0",
    "0 < odd_gauge",
    "odd_gauge != 1e-3",
    "odd_gauge / 0",
    "(odd_gauge - odd_gauge) / 0",
    "kube_deployment_status_replicas_available < kube_deployment_status_replicas",
    "kube_deployment_status_replicas == kube_deployment_status_replicas_available",
    "up and kube_deployment_status_replicas > 3",
    "up unless kube_deployment_status_replicas > 3",
    "up == 0 or kube_deployment_status_replicas >= 2 and up",
    "time()",
    "time() - 1.5e9",
    "(1 + 2) * 3 / -4",
    "1 / 0",
    "-Inf * 0",
    "time() * up # a comment",
    "SUM BY (service) (up) >= 3",
    # Evaluation undefined: both must say so in the same way.
    '-{service="web"}',
    '{service="web", __name__=~"up|kube_.*"} + up',
    'up + {service="web", __name__=~"up|kube_.*"}',
    'rate({__name__=~".*_total"}[10s])',
)


@pytest.mark.parametrize("query", QUERIES)
def test_instant_query_equals_the_real_one(both: Both, query: str) -> None:
    for at in (BASE + 111.0, BASE + 256.5, BASE + 307.25, LAST + 3, BASE - 1800):
        both.assert_equal("query", query=query, time=str(at))


@pytest.mark.parametrize("query", [q for q in QUERIES if q[-5:] != "[10s]" and "[3m]" not in q])
def test_range_query_equals_the_real_one(both: Both, query: str) -> None:
    both.assert_equal("query_range", query=query, start=str(BASE + 40.5), end=str(LAST + 10), step="13s")


@pytest.mark.parametrize("query", sorted({rule.expression for rule in alert_rules()}))
def test_expressions_of_the_alert_rules_equal_the_real_ones(both: Both, query: str) -> None:
    answer = both.assert_equal("query_range", query=query, start=str(BASE), end=str(LAST), step="1")
    if "http_requests_total" in query:
        assert answer.rows, "the injected fault must show"


_LABELS = st.sampled_from(["environment", "namespace", "service", "version", "code", "le", "kind"])
_MATCHERS = st.sampled_from(
    [
        'environment="production"',
        'service=~"web|payments|inventory"',
        'code!="200"',
        'service!~"[a-o].*"',
        'version=~"v9|"',
    ]
)
_COUNTERS = st.sampled_from(
    ["http_requests_total", "http_client_requests_total", "odd_resets_total", "odd_late_total", "odd_sparse_total"]
)
_GAUGES = st.sampled_from(["up", "kube_deployment_status_replicas_available", "odd_gauge"])
_WINDOWS = st.sampled_from(["1s", "2s", "6s", "6500ms", "30s", "2m", "1h"])
_OFFSETS = st.sampled_from(["", "", "", " offset 7s", " offset -1s", " offset 100ms"])
_SCALARS = st.sampled_from(["0.5", "2", "-3.7", "1e3", "0", "time()", "Inf", "NaN", "(1 + 2)"])


@st.composite
def _selectors(draw: st.DrawFn, names: st.SearchStrategy[str]) -> str:
    matchers = draw(st.lists(_MATCHERS, max_size=2, unique=True))
    return draw(names) + (f"{{{', '.join(matchers)}}}" if matchers else "")


@st.composite
def _ranges(draw: st.DrawFn) -> str:
    function = draw(st.sampled_from(["rate", "increase", "avg_over_time", "min_over_time", "max_over_time"]))
    counter = function in ("rate", "increase")
    selector = draw(_selectors(_COUNTERS if counter else st.one_of(_COUNTERS, _GAUGES)))
    return f"{function}({selector}[{draw(_WINDOWS)}]{draw(_OFFSETS)})"


@st.composite
def _quantiles(draw: st.DrawFn) -> str:
    selector = draw(_selectors(st.just("http_request_duration_seconds_bucket")))
    inner = f"rate({selector}[{draw(_WINDOWS)}])"
    if draw(st.booleans()):
        inner = f"sum by (le, {draw(_LABELS)}) ({inner})"
    return f"histogram_quantile({draw(st.sampled_from(['0', '0.5', '0.99', '1', '2']))}, {inner})"


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions over expressions. Vectors are compared with literals only: which of two sums is larger may hang on
    the order of summation, which the engines choose freely."""
    compare = st.sampled_from([">", ">=", "<", "<=", "==", "!="])
    numbers = st.sampled_from(["0.0123", "0.77", "3.3", "-1.9"])
    aggregates = st.sampled_from(["sum", "avg", "min", "max", "count"])
    by = st.lists(_LABELS, max_size=3, unique=True).map(lambda labels: f"by ({', '.join(labels)})")
    return st.one_of(
        st.builds("{} {} ({})".format, aggregates, by, inner),
        st.builds("{}({})".format, aggregates, inner),
        st.builds("({}) {} {}".format, inner, compare, numbers),
        st.builds("{} {} ({})".format, numbers, compare, inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["+", "-", "*", "/", "or", "and", "unless"]), inner),
        st.builds("({}) {} {}".format, inner, st.sampled_from(["+", "-", "*", "/"]), _SCALARS),
        st.builds("{} {} ({})".format, _SCALARS, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("-({})".format, inner),
    )


_LEAVES = st.one_of(
    st.builds("{}{}".format, _selectors(st.one_of(_COUNTERS, _GAUGES)), _OFFSETS), _ranges(), _quantiles()
)
_BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@_BOUNDED
@given(query=st.recursive(_LEAVES, _larger, max_leaves=4), at=st.integers(-20_000, (LAST - BASE + 20) * 1000))
def test_any_query_of_the_grammar_equals_the_real_one(both: Both, query: str, at: int) -> None:
    both.assert_equal("query", query=query, time=f"{BASE + at / 1000:.3f}")


@settings(_BOUNDED, max_examples=50)
@given(
    query=st.recursive(_LEAVES, _larger, max_leaves=3),
    begin=st.integers(-20, 400),
    length=st.integers(0, 60),
    step=st.sampled_from(["1", "2.5", "7s", "1m"]),
)
def test_any_range_query_equals_the_real_one(both: Both, query: str, begin: int, length: int, step: str) -> None:
    both.assert_equal("query_range", query=query, start=str(BASE + begin), end=str(BASE + begin + length), step=step)


_VOCABULARY = (
    "up x:y sum by rate time histogram_quantile ( ) () { } [5m] offset 1m , + - * / > >= == != = =~ and or unless "
    '1 0.5 .5 1e3 5m Inf "a" \'b\' `c` a {a="b"} {a=~"b+",} "\\n" "\\d" # bool on ignoring %'
)
_TOKENS = st.sampled_from(_VOCABULARY.split(" "))


@settings(_BOUNDED, max_examples=300)
@given(query=st.lists(_TOKENS, min_size=1, max_size=9).map(" ".join))
def test_the_grammar_accepts_nothing_that_prometheus_refuses(both: Both, query: str) -> None:
    try:
        parse(query)
    except QueryError:
        return
    assert both.real("query", query=query, time=str(BASE)).status in (200, 422), query


_OPERANDS = st.sampled_from(["up", "kube_deployment_status_replicas", "odd_gauge", "up offset 3s", "2", "-3", "-up"])
_OPERATORS = st.sampled_from(["+", "-", "*", "/", "and", "or", "unless", ">", "<=", "=="])


@_BOUNDED
@given(first=_OPERANDS, rest=st.lists(st.tuples(_OPERATORS, _OPERANDS), min_size=1, max_size=5))
def test_operators_bind_as_the_real_ones_do(both: Both, first: str, rest: list[tuple[str, str]]) -> None:
    query = " ".join([first, *(f"{operator} {operand}" for operator, operand in rest)])
    try:
        parse(query)
    except QueryError:
        assert both.real("query", query=query, time=str(BASE + 99)).status == 400
    else:
        both.assert_equal("query", query=query, time=str(BASE + 99))
