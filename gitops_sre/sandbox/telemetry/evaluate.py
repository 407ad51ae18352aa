"""Meaning of the queries in `promql.py`: what Prometheus' engine would answer over the same samples.

The rules follow the engine's documentation and source (promql/engine.go, functions.go, quantile.go); the tests compare
with the real binary.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from gitops_sre.sandbox.telemetry.nodes import (
    COMPARISONS,
    SET_OPERATORS,
    Aggregate,
    Binary,
    Negation,
    Node,
    Number,
    OverRange,
    Quantile,
    QueryError,
    Selector,
    Time,
)
from gitops_sre.sandbox.telemetry.series import Labels
from gitops_sre.sandbox.telemetry.store import Points, Store

Vector = list[tuple[Labels, float]]
"""An instant vector: label sets (with `__name__` where one is left) and values."""


@dataclass(frozen=True)
class Semantics:
    """What differs between Prometheus versions, and the lookback (milliseconds) that is configured.

    `left_open`: windows leave out a sample exactly at their left end (3.0 and later). `early_zero`: the time at which a
    counter would have been zero bounds `rate` before, not after, the half-interval rule (up to 2.51; prometheus#13725).
    """

    lookback: int = 5000
    left_open: bool = False
    early_zero: bool = True


DEBIAN_2 = Semantics()
PROMETHEUS_3 = Semantics(left_open=True, early_zero=False)


class Evaluation:
    """One query over one span of time: its selectors are read from the store once, any instant answered from that."""

    def __init__(self, node: Node, store: Store, begin: int, end: int, semantics: Semantics = DEBIAN_2) -> None:
        self._node = node
        self._semantics = semantics
        self._selected: dict[Selector, list[Points]] = {}
        for selector in _selectors(node):
            reach = semantics.lookback if selector.window is None else selector.window
            self._selected[selector] = store.select(
                selector.matchers, begin - selector.offset - reach, end - selector.offset
            )

    def scalar(self, at: int) -> float:
        """The value of a scalar query at `at` (Unix milliseconds, as everywhere in this class)."""
        return self._scalar(self._node, at)

    def vector(self, at: int) -> Vector:
        """The value of an instant-vector query."""
        return self._vector(self._node, at)

    def matrix(self, at: int) -> list[Points]:
        """The value of a range-vector query."""
        if not isinstance(self._node, Selector):
            raise TypeError("only a selector is a range vector")
        return list(self._windows(self._node, at))

    def _scalar(self, node: Node, at: int) -> float:
        match node:
            case Number():
                return node.value
            case Time():
                return at / 1000
            case Negation():
                return -self._scalar(node.argument, at)
            case Binary():
                return arithmetic(node.operator, self._scalar(node.left, at), self._scalar(node.right, at))
            case _:
                raise TypeError(f"{type(node).__name__} is not a scalar")

    def _vector(self, node: Node, at: int) -> Vector:
        match node:
            case Selector():
                return list(self._latest(node, at))
            case OverRange():
                return self._over_range(node, at)
            case Quantile():
                return _unique(histogram_quantile(self._scalar(node.quantile, at), self._vector(node.buckets, at)))
            case Aggregate():
                return aggregate(node, self._vector(node.argument, at))
            case Negation():
                return _unique([(_nameless(k), -v) for k, v in self._vector(node.argument, at)])
            case Binary():
                return _unique(self._binary(node, at))
            case _:
                raise TypeError(f"{type(node).__name__} is not an instant vector")

    def _latest(self, selector: Selector, at: int) -> Iterator[tuple[Labels, float]]:
        end = at - selector.offset
        begin = end - self._semantics.lookback + (1 if self._semantics.left_open else 0)
        for points in self._selected[selector]:
            index = bisect_right(points.times, end) - 1
            if index >= 0 and points.times[index] >= begin:
                yield points.labels, points.values[index]

    def _windows(self, selector: Selector, at: int) -> Iterator[Points]:
        end = at - selector.offset
        begin = end - (selector.window or 0) + (1 if self._semantics.left_open else 0)
        for points in self._selected[selector]:
            low, high = bisect_left(points.times, begin), bisect_right(points.times, end)
            if low < high:
                yield Points(points.labels, points.times[low:high], points.values[low:high])

    def _over_range(self, node: OverRange, at: int) -> Vector:
        result: Vector = []
        end = at - node.argument.offset
        window = node.argument.window or 0
        for points in self._windows(node.argument, at):
            if node.function in _OVER_TIME:
                result.append((_nameless(points.labels), _OVER_TIME[node.function](points.values)))
            elif len(points.times) > 1:
                increase = self._extrapolated(points, end - window, end)
                per = window / 1000 if node.function == "rate" else 1.0
                result.append((_nameless(points.labels), increase / per))
        return _unique(result)

    def _extrapolated(self, points: Points, begin: int, end: int) -> float:
        """Increase of a counter over the window [begin, end]: resets are added up, and the slope between first and last
        sample is drawn out to the window's ends, or by half a sampling interval where an end is further than 1.1
        intervals away, and never to below zero."""
        times, values = points.times, points.values
        increase = values[-1] - values[0]
        increase += sum(before for before, after in pairwise(values) if after < before)
        sampled = (times[-1] - times[0]) / 1000
        interval = sampled / (len(times) - 1)
        to_start, to_end = (times[0] - begin) / 1000, (end - times[-1]) / 1000
        to_zero = sampled * (values[0] / increase) if increase > 0 and values[0] >= 0 else math.inf
        if self._semantics.early_zero:
            to_start = min(to_start, to_zero)
        if to_start >= interval * 1.1:
            to_start = interval / 2
        if to_end >= interval * 1.1:
            to_end = interval / 2
        return increase * ((sampled + min(to_start, to_zero) + to_end) / sampled)

    def _binary(self, node: Binary, at: int) -> Vector:
        if node.left.kind == "scalar":
            return _with_scalar(node.operator, self._vector(node.right, at), self._scalar(node.left, at), swapped=True)
        left = self._vector(node.left, at)
        if node.right.kind == "scalar":
            return _with_scalar(node.operator, left, self._scalar(node.right, at), swapped=False)
        right = self._vector(node.right, at)
        if node.operator in SET_OPERATORS:
            return _set_operation(node.operator, left, right)
        return _one_to_one(node.operator, left, right)


def _selectors(node: Node) -> Iterator[Selector]:
    match node:
        case Selector():
            yield node
        case OverRange() | Aggregate() | Negation():
            yield from _selectors(node.argument)
        case Quantile():
            yield from _selectors(node.quantile)
            yield from _selectors(node.buckets)
        case Binary():
            yield from _selectors(node.left)
            yield from _selectors(node.right)
        case Number() | Time():
            return


@lru_cache(maxsize=8192)
def _nameless(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "__name__")


def _unique(vector: Vector) -> Vector:
    if len({labels for labels, _ in vector}) < len(vector):
        raise QueryError("vector cannot contain metrics with the same labelset", "execution")
    return vector


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


_OVER_TIME: dict[str, Callable[[Sequence[float]], float]] = {
    "avg_over_time": _mean,
    "min_over_time": min,
    "max_over_time": max,
}


def arithmetic(operator: str, left: float, right: float) -> float:
    """`left operator right` in IEEE 754 arithmetic: dividing by zero gives an infinity or NaN."""
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _ if right:
            return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _compare(operator: str, left: float, right: float) -> bool:
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "<":
            return left < right
        case _:
            return left <= right


def _with_scalar(operator: str, vector: Vector, scalar: float, *, swapped: bool) -> Vector:
    def operands(value: float) -> tuple[float, float]:
        return (scalar, value) if swapped else (value, scalar)

    if operator in COMPARISONS:
        return [(labels, value) for labels, value in vector if _compare(operator, *operands(value))]
    return [(_nameless(labels), arithmetic(operator, *operands(value))) for labels, value in vector]


def _set_operation(operator: str, left: Vector, right: Vector) -> Vector:
    if operator == "or":
        present = {_nameless(labels) for labels, _ in left}
        return left + [row for row in right if _nameless(row[0]) not in present]
    present = {_nameless(labels) for labels, _ in right}
    return [row for row in left if (_nameless(row[0]) in present) == (operator == "and")]


def _one_to_one(operator: str, left: Vector, right: Vector) -> Vector:
    if not left or not right:
        return []
    partners: dict[Labels, float] = {}
    for labels, value in right:
        if _nameless(labels) in partners:
            raise QueryError(
                f"found duplicate series for the match group {dict(_nameless(labels))} on the right hand-side of the "
                "operation; many-to-many matching not allowed: matching labels must be unique on one side",
                "execution",
            )
        partners[_nameless(labels)] = value
    result: dict[Labels, tuple[Labels, float]] = {}
    for labels, value in left:
        group = _nameless(labels)
        if group not in partners or (operator in COMPARISONS and not _compare(operator, value, partners[group])):
            continue
        if group in result:
            raise QueryError(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                "execution",
            )
        if operator in COMPARISONS:
            result[group] = (labels, value)
        else:
            result[group] = (group, arithmetic(operator, value, partners[group]))
    return list(result.values())


def aggregate(node: Aggregate, vector: Vector) -> Vector:
    """Apply an aggregation; groups appear in the order of their first member."""
    groups: dict[Labels, list[float]] = {}
    wanted = frozenset(node.by)
    for labels, value in vector:
        groups.setdefault(_project(labels, wanted), []).append(value)
    return [(labels, _AGGREGATES[node.operator](values)) for labels, values in groups.items()]


@lru_cache(maxsize=8192)
def _project(labels: Labels, wanted: frozenset[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] in wanted)


def _extreme(values: list[float], better: Callable[[float, float], bool]) -> float:
    """The best value; NaN only where there is nothing else."""
    best = math.nan
    for value in values:
        if math.isnan(best) or better(value, best):
            best = value
    return best


_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "count": lambda values: float(len(values)),
    "min": lambda values: _extreme(values, lambda a, b: a < b),
    "max": lambda values: _extreme(values, lambda a, b: a > b),
}


def histogram_quantile(quantile: float, vector: Vector) -> Vector:
    """The quantile of each histogram in `vector`, whose members differ in `le`; others are left out."""
    histograms: dict[Labels, dict[float, float]] = {}
    for labels, value in vector:
        bound = _bound(dict(labels).get("le", ""))
        if bound is not None:
            group = tuple(pair for pair in labels if pair[0] not in ("__name__", "le"))
            buckets = histograms.setdefault(group, {})
            buckets[bound] = buckets.get(bound, 0.0) + value
    return [(labels, bucket_quantile(quantile, buckets)) for labels, buckets in histograms.items()]


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def bucket_quantile(quantile: float, buckets: dict[float, float]) -> float:
    """Linear interpolation inside the bucket that holds the rank; the highest finite bound if that is the last bucket.

    `buckets` maps upper bounds to cumulative counts, which are made monotonic first.
    """
    if math.isnan(quantile):
        return math.nan
    if not 0 <= quantile <= 1:
        return math.copysign(math.inf, quantile)
    bounds = sorted(buckets)
    counts = _monotonic([buckets[bound] for bound in bounds])
    if bounds[-1] != math.inf or len(bounds) < 2 or not counts[-1]:
        return math.nan
    rank = quantile * counts[-1]
    index = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(bounds) - 1)
    if index == len(bounds) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    return start + (bounds[index] - start) * arithmetic("/", rank - below, counts[index] - below)


def _monotonic(counts: list[float]) -> list[float]:
    highest = counts[0]
    result: list[float] = []
    for count in counts:
        highest = count if count > highest else highest
        result.append(highest if count < highest else count)  # a NaN stays where it is
    return result
