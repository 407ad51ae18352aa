"""Syntax tree of the embedded endpoint's queries (the grammar stands in `promql.py`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["scalar", "vector", "matrix"]
KIND_NAMES: dict[Kind, str] = {"scalar": "scalar", "vector": "instant vector", "matrix": "range vector"}


class QueryError(Exception):
    """A query that is not answered. `kind` is Prometheus' error type: `bad_data` (not in the grammar or not well
    typed) or `execution` (its evaluation is not defined)."""

    def __init__(self, message: str, kind: Literal["bad_data", "execution"] = "bad_data") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Matcher:
    """A condition on one label; a label that is absent has the value ""."""

    label: str
    operator: str
    value: str
    accepts: Callable[[str], bool]


@dataclass(frozen=True)
class Number:
    """A literal."""

    value: float
    kind: Kind = "scalar"


@dataclass(frozen=True)
class Time:
    """`time()`: the evaluation time in Unix seconds."""

    kind: Kind = "scalar"


@dataclass(frozen=True, eq=False)
class Selector:
    """Series by matchers: their latest samples, or all of the last `window`. `window` and `offset` are milliseconds."""

    matchers: tuple[Matcher, ...]
    window: int | None
    offset: int

    @property
    def kind(self) -> Kind:
        """A selector with a range is a matrix."""
        return "vector" if self.window is None else "matrix"


@dataclass(frozen=True)
class OverRange:
    """A function of a range selector, such as `rate`."""

    function: str
    argument: Selector
    kind: Kind = "vector"


@dataclass(frozen=True)
class Quantile:
    """`histogram_quantile(quantile, buckets)`."""

    quantile: Node
    buckets: Node
    kind: Kind = "vector"


@dataclass(frozen=True)
class Aggregate:
    """An aggregation over groups that agree in the labels `by`."""

    operator: str
    by: tuple[str, ...]
    argument: Node
    kind: Kind = "vector"


@dataclass(frozen=True)
class Negation:
    """`-x`."""

    argument: Node
    kind: Kind


@dataclass(frozen=True)
class Binary:
    """An operator between two expressions."""

    operator: str
    left: Node
    right: Node
    kind: Kind


Node = Number | Time | Selector | OverRange | Quantile | Aggregate | Negation | Binary

COMPARISONS = ("==", "!=", ">=", "<=", ">", "<")
SET_OPERATORS = ("or", "and", "unless")
AGGREGATES = ("sum", "avg", "min", "max", "count")
