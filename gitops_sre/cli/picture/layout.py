"""Where the nodes of a directed graph are drawn: in columns by call depth. Deterministic and pure.

The usual four steps (Sugiyama, Tagawa and Toda, 1981): circles are broken, every node gets a layer, nodes of a layer
are ordered by where their neighbours stand, and places are found that keep edges straight. An edge over several layers
holds a narrow place in each of them, so that it does not run through nodes.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from gitops_sre.cli.picture.scale import spread

NODE_WIDTH, NODE_HEIGHT = 180.0, 40.0
COLUMN_GAP, ROW_GAP = 56.0, 14.0
PASSING = 10.0
"""How much room an edge has that passes through a layer."""
SWEEPS = 8

Pair = tuple[str, str]
Point = tuple[float, float]
Spot = tuple[str, ...]
"""A place in a layer: (service,), or (caller, callee, layer) for an edge that passes through."""


@dataclass(frozen=True)
class Layout:
    """Upper left corners of nodes, and for each edge the points that it goes through, from caller to callee."""

    width: float
    height: float
    nodes: Mapping[str, Point]
    edges: Mapping[Pair, tuple[Point, ...]]


def arrange(names: Iterable[str], pairs: Iterable[Pair]) -> Layout:
    """Places of all nodes; those without edges stand in rows below the others, in the order given."""
    every = dict.fromkeys(names)
    known = sorted({(a, b) for a, b in pairs if a != b and a in every and b in every})
    joined = {name for pair in known for name in pair}
    forward = _forward(sorted(joined), known)
    layer = depths(sorted(joined), forward)
    columns, links = _columns(layer, forward)
    for sweep in range(SWEEPS):
        _order(columns, links, down=sweep % 2 == 0)
    heights = _heights(columns, links)
    nodes = {spot[0]: (_left(layer[spot[0]]), y) for spot, y in heights.items() if len(spot) == 1}
    bottom = max((y + NODE_HEIGHT for y in heights.values()), default=-2 * ROW_GAP)
    nodes |= _rows([name for name in every if name not in joined], max(len(columns), 4), bottom + 2 * ROW_GAP)
    width = max((x + NODE_WIDTH for x, _ in nodes.values()), default=0.0)
    height = max([bottom, *(y + NODE_HEIGHT for _, y in nodes.values())])
    return Layout(width, height, nodes, _routes(known, frozenset(forward), layer, heights))


def _left(layer: int) -> float:
    return layer * (NODE_WIDTH + COLUMN_GAP)


def _rows(names: Sequence[str], wide: int, top: float) -> dict[str, Point]:
    return {name: (_left(n % wide), top + n // wide * (NODE_HEIGHT + ROW_GAP)) for n, name in enumerate(names)}


def _forward(names: Sequence[str], pairs: Sequence[Pair]) -> list[Pair]:
    """The edges with those turned round that would close a circle, seen from the services that nobody calls."""
    callees: dict[str, list[str]] = defaultdict(list)
    called = {callee for _, callee in pairs}
    for caller, callee in pairs:
        callees[caller].append(callee)
    done: dict[str, bool] = {}
    found: set[Pair] = set()
    for root in sorted(names, key=lambda name: (name in called, name)):
        stack: list[tuple[str, list[str]]] = []
        if root not in done:
            done[root] = False
            stack.append((root, list(callees[root])))
        while stack:
            name, rest = stack[-1]
            if not rest:
                done[name] = True
                stack.pop()
                continue
            callee = rest.pop(0)
            found.add((callee, name) if done.get(callee) is False else (name, callee))
            if callee not in done:
                done[callee] = False
                stack.append((callee, list(callees[callee])))
    return sorted(found)


def depths(names: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """The length of the longest way to each node; `pairs` have no circle."""
    callees: dict[str, list[str]] = defaultdict(list)
    waiting: dict[str, int] = defaultdict(int)
    for caller, callee in pairs:
        callees[caller].append(callee)
        waiting[callee] += 1
    depth = dict.fromkeys(names, 0)
    ready = deque(name for name in names if not waiting[name])
    while ready:
        name = ready.popleft()
        for callee in callees[name]:
            depth[callee] = max(depth[callee], depth[name] + 1)
            waiting[callee] -= 1
            if not waiting[callee]:
                ready.append(callee)
    return depth


def _spots(pair: Pair, layer: Mapping[str, int]) -> list[Spot]:
    """An edge's places, from its upper to its lower end."""
    upper, lower = pair
    between: list[Spot] = [(upper, lower, str(n)) for n in range(layer[upper] + 1, layer[lower])]
    return [(upper,), *between, (lower,)]


def _columns(
    layer: Mapping[str, int], forward: Sequence[Pair]
) -> tuple[list[list[Spot]], dict[Spot, tuple[list[Spot], list[Spot]]]]:
    """The places of each layer, and each place's neighbours in the layer before and in the one after it."""
    columns: list[list[Spot]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    links: dict[Spot, tuple[list[Spot], list[Spot]]] = defaultdict(lambda: ([], []))
    for name in sorted(layer):
        columns[layer[name]].append((name,))
    for pair in forward:
        spots = _spots(pair, layer)
        for n, spot in enumerate(spots[1:-1], layer[pair[0]] + 1):
            columns[n].append(spot)
        for before, after in pairwise(spots):
            links[before][1].append(after)
            links[after][0].append(before)
    return columns, links


def _order(columns: list[list[Spot]], links: Mapping[Spot, tuple[list[Spot], list[Spot]]], *, down: bool) -> None:
    """One sweep: each layer in the order of its neighbours' mean place in the layer just ordered."""
    numbers = range(1, len(columns)) if down else range(len(columns) - 2, -1, -1)
    for number in numbers:
        fixed = columns[number - 1 if down else number + 1]
        place = {spot: n for n, spot in enumerate(fixed)}
        here = {spot: n for n, spot in enumerate(columns[number])}

        def key(spot: Spot, place: Mapping[Spot, int] = place, here: Mapping[Spot, int] = here) -> tuple[float, int]:
            near = [place[other] for other in links[spot][0 if down else 1]]
            return (sum(near) / len(near) if near else float(here[spot]), here[spot])

        columns[number].sort(key=key)


def _heights(
    columns: Sequence[Sequence[Spot]], links: Mapping[Spot, tuple[list[Spot], list[Spot]]]
) -> dict[Spot, float]:
    """Upper edges of all places: as near to their neighbours as the order and the gaps allow."""
    gaps = [[0.0, *((_room(a) + _room(b)) / 2 for a, b in pairwise(column))] for column in columns]
    heights = {
        spot: y
        for column, gap in zip(columns, gaps, strict=True)
        for spot, y in zip(column, accumulate(gap), strict=True)
    }
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for column, gap in list(zip(columns, gaps, strict=True))[:: 1 if down else -1]:
            near = [[heights[other] for other in links[spot][0 if down else 1]] for spot in column]
            wanted = [sum(some) / len(some) if some else heights[s] for s, some in zip(column, near, strict=True)]
            heights.update(zip(column, spread(wanted, gap), strict=True))
    least = min(heights.values(), default=0.0)
    return {spot: round(y - least, 1) for spot, y in heights.items()}


def _room(spot: Spot) -> float:
    """The height that a place takes, its gap included."""
    return NODE_HEIGHT + ROW_GAP if len(spot) == 1 else PASSING + ROW_GAP


def _routes(
    pairs: Sequence[Pair], forward: frozenset[Pair], layer: Mapping[str, int], heights: Mapping[Spot, float]
) -> dict[Pair, tuple[Point, ...]]:
    found = {}
    for caller, callee in pairs:
        back = (caller, callee) not in forward
        upper, lower = (callee, caller) if back else (caller, callee)
        points: list[Point] = []
        for n, spot in enumerate(_spots((upper, lower), layer), layer[upper]):
            y = heights[spot] + NODE_HEIGHT / 2
            points += [(_left(n), y)] if spot != (upper,) else []
            points += [(_left(n) + NODE_WIDTH, y)] if spot != (lower,) else []
        found[caller, callee] = tuple(reversed(points) if back else points)
    return found


def near(pairs: Iterable[Pair], seeds: Sequence[str], most: int) -> frozenset[str]:
    """The `most` services nearest to the seeds, in either direction of the calls; the seeds first."""
    beside: dict[str, set[str]] = defaultdict(set)
    for caller, callee in pairs:
        beside[caller].add(callee)
        beside[callee].add(caller)
    found = dict.fromkeys(seeds)
    waiting = deque(seeds)
    while waiting:
        for other in sorted(beside[waiting.popleft()]):
            if other not in found:
                found[other] = None
                waiting.append(other)
    return frozenset(list(found)[:most])
