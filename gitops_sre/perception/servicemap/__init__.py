"""Who calls whom: drawn from traces, metrics and declarations, merged, kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitops_sre.model.servicemap import ServiceMap
from gitops_sre.model.telemetry import Measure, Span
from gitops_sre.perception.servicemap.comoving import from_movement
from gitops_sre.perception.servicemap.measured import declared, from_measures
from gitops_sre.perception.servicemap.merging import merge, of_edges, update
from gitops_sre.perception.servicemap.scoping import blast_radius, scope
from gitops_sre.perception.servicemap.traced import from_spans, reference

__all__ = [
    "CERTAIN",
    "blast_radius",
    "declared",
    "draw",
    "from_measures",
    "from_movement",
    "from_spans",
    "merge",
    "of_edges",
    "scope",
    "update",
]

CERTAIN = 0.6
"""Confidence from which reasoning goes by an edge; a wrong one hides a culprit behind a service it never calls."""


def draw(
    measures: Sequence[Measure],
    spans: Sequence[Span],
    normal_spans: Sequence[Span],
    pairs: Iterable[tuple[str, str]],
    times: tuple[float, float, float],
) -> ServiceMap:
    """The map from everything that tells of calls; guessed only for services of which nothing else tells.

    `normal_spans` are a fault-free reference, of whatever time; `pairs` are declared. `times` are, in epoch seconds,
    from when to when all was well, and the moment of asking.
    """
    quiet_from, quiet_until, asked = times
    told = merge(
        from_spans(spans, quiet_from, quiet_until),
        reference(tuple(normal_spans)),
        from_measures(measures, quiet_from, quiet_until),
        declared(pairs, asked),
    )
    return merge(told, from_movement(measures, quiet_from, quiet_until, told.services))
