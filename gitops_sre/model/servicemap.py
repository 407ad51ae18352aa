"""Who calls whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EdgeSource = Literal["traces", "mesh", "span_metrics", "client_metrics", "declared", "correlation"]
"""How an edge is known, the most certain way first."""


@dataclass(frozen=True)
class Edge:
    """One service calls another. `confidence` is the probability 0..1 that it does; the rest is the quiet time's:
    median `latency` in seconds, `traffic` in requests a second, `errors` as a ratio 0..1; None where nothing says."""

    caller: str
    callee: str
    source: EdgeSource
    confidence: float = 1.0
    latency: float | None = None
    traffic: float | None = None
    errors: float | None = None


@dataclass(frozen=True)
class ServiceMap:
    """Edges sorted by caller and callee, one for each pair."""

    edges: tuple[Edge, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(caller, callee) pairs."""
        return tuple((edge.caller, edge.callee) for edge in self.edges)
