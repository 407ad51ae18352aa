"""The service map of a case: who calls whom, coloured by own blame and by what each one feels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_sre.cli.picture.layout import NODE_HEIGHT, NODE_WIDTH, Point, arrange, near
from gitops_sre.cli.picture.scale import shorten
from gitops_sre.model.diagnosis import certainty
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.findings import Findings
from gitops_sre.model.servicemap import Edge

MAX_NODES = 60
MAX_LONE = 12
"""Services without any edge that are shown, when something speaks of them."""
BLAME = (0.02, 0.10, 0.30, 0.60)
FELT = (2.0, 5.0, 15.0)
"""Steps of the colours: probabilities, and standard deviations."""
MARGIN = 12.0


@dataclass(frozen=True)
class Node:
    """A service: `blame` 0..4 and `felt` 0..3 are steps of colour, `note` says both in words."""

    name: str
    label: str
    note: str
    x: float
    y: float
    blame: int
    felt: int
    alerting: bool
    said: str


@dataclass(frozen=True)
class Line:
    """An edge as SVG path data, drawn stronger where its caller notices something."""

    path: str
    noticed: bool
    title: str


@dataclass(frozen=True)
class Map:
    """The whole picture; `known` services are on the map, `shown` of them are drawn."""

    width: float
    height: float
    node_width: float
    node_height: float
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    known: int
    lone: int


def service_map(findings: Findings, blame: Mapping[str, float]) -> Map:
    """The map, or, where it is large, what lies nearest to the blamed and the alerting service."""
    on_map = {name for pair in findings.edges for name in pair}
    felt = feelings(findings.evidence)
    first = sorted(blame, key=lambda name: (-blame[name], name))[:2]
    focus = findings.scope.service
    seeds = list(dict.fromkeys(name for name in (*first, focus) if name in on_map))
    shown = frozenset(on_map) if len(on_map) <= MAX_NODES else near(findings.edges, seeds, MAX_NODES)
    lone = [
        name
        for name in sorted({*blame, *felt, *([focus] if focus else [])} - on_map, key=lambda n: (-blame.get(n, 0), n))
        if blame.get(name, 0.0) >= BLAME[0] or felt.get(name, 0.0) >= FELT[0] or name == focus
    ]
    layout = arrange([*sorted(shown), *lone[:MAX_LONE]], findings.edges)
    nodes = tuple(
        _node(name, (x + MARGIN, y + MARGIN), blame.get(name, 0.0), felt.get(name), alerting=name == focus)
        for name, (x, y) in sorted(layout.nodes.items(), key=lambda pair: (pair[1], pair[0]))
    )
    noticed = {
        (item.caller, item.subject): item for item in findings.evidence if item.caller and item.symptom == "high"
    }
    lines = tuple(
        Line(
            _path(points),
            pair in noticed,
            f"{pair[0]} calls {pair[1]}{_known(findings.service_map.between(*pair))}{_noticing(noticed.get(pair))}",
        )
        for pair, points in layout.edges.items()
    )
    lines = tuple(sorted(lines, key=lambda line: line.noticed))
    return Map(
        layout.width + 2 * MARGIN,
        layout.height + 2 * MARGIN,
        NODE_WIDTH,
        NODE_HEIGHT,
        nodes,
        lines,
        len(on_map),
        max(0, len(lone) - MAX_LONE),
    )


def feelings(evidence: Sequence[Evidence]) -> dict[str, float]:
    """How far latency or failures of each service are from usual, in standard deviations."""
    found: dict[str, float] = {}
    for item in evidence:
        if item.signal in ("latency", "errors") and item.subject and item.score is not None:
            found[item.subject] = max(found.get(item.subject, 0.0), item.score)
    return found


def _known(edge: Edge | None) -> str:
    """How an edge is known, and what is usual on it."""
    if edge is None:
        return ""
    usual = [
        text
        for value, text in (
            (edge.latency, f"{edge.latency or 0:.3g} s"),
            (edge.traffic, f"{edge.traffic or 0:.3g} requests/s"),
            (edge.errors, f"{edge.errors or 0:.2%} failures"),
        )
        if value is not None
    ]
    told = f" (known from {edge.source.replace('_', ' ')}, {certainty(edge.confidence)})"
    return f"{told}; usually {', '.join(usual)}" if usual else told


def _noticing(item: Evidence | None) -> str:
    return "" if item is None else f"; {item.statement}"


def _step(value: float, steps: Sequence[float]) -> int:
    return sum(value >= step for step in steps)


def _node(name: str, at: Point, blame: float, felt: float | None, *, alerting: bool) -> Node:
    words = [f"to blame {certainty(blame)}"] if blame >= BLAME[0] else []
    if felt is not None and felt >= FELT[0]:
        words.append(f"{min(felt, 99):.0f}{'+' if felt > 99 else ''} σ")
    said = "no golden signal known" if felt is None else f"latency or errors {felt:.3g} standard deviations from usual"
    return Node(
        name,
        shorten(name, 21),
        " · ".join(words) or ("as usual" if felt is not None else "not measured"),
        round(at[0], 1),
        round(at[1], 1),
        _step(blame, BLAME),
        _step(felt or 0.0, FELT),
        alerting,
        f"{name}: to blame {certainty(blame)}; {said}{'; it alerts' if alerting else ''}",
    )


def _path(points: Sequence[Point]) -> str:
    """A smooth line: horizontal at the nodes, curved in the gaps between the columns."""
    x, y = (round(part + MARGIN, 1) for part in points[0])
    parts = [f"M{x},{y}"]
    for a, b in points[1:]:
        new_x, new_y = round(a + MARGIN, 1), round(b + MARGIN, 1)
        bend = round((new_x - x) / 2, 1)
        parts.append(f"C{round(x + bend, 1)},{y} {round(new_x - bend, 1)},{new_y} {new_x},{new_y}")
        x, y = new_x, new_y
    return "".join(parts)
