"""How often what was said with a probability was so: as bins, as a table and as a picture.

The intervals are Wilson's (JASA 22, 1927): unlike the plain ones they stay within 0..1 and do not vanish where all
cases of a bin, or none, were so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

BINS = 10
Z = 1.959964
"""95%, both sides, of a normal distribution."""
SIDE, LEFT, TOP, WIDTH, HEIGHT = 360, 60, 50, 450, 470
"""Pixels: the square, its corner, the picture."""


@dataclass(frozen=True)
class Bin:
    """Cases whose probabilities lie close together: the mean of what was `said`, how many, and how many were so."""

    said: float
    cases: int
    so: int

    @property
    def share(self) -> float:
        """The part that was so."""
        return self.so / self.cases

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of that part."""
        spread = Z * Z / self.cases
        middle = self.share + spread / 2
        half = Z * math.sqrt(self.share * (1 - self.share) / self.cases + spread / self.cases / 4)
        return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def bins(pairs: Iterable[tuple[float, bool]]) -> list[Bin]:
    """(Probability, whether it was so) in bins of equal width, empty ones left out."""
    inside: dict[int, list[tuple[float, bool]]] = {}
    for said, so in pairs:
        inside.setdefault(min(int(said * BINS), BINS - 1), []).append((said, so))
    return [
        Bin(mean(said for said, _ in each), len(each), sum(so for _, so in each)) for _, each in sorted(inside.items())
    ]


def table(found: Sequence[Bin]) -> list[str]:
    """Lines of Markdown."""
    lines = ["| said | cases | was so [95%] |", "|---|---|---|"]
    for each in found:
        low, high = each.interval
        lines.append(f"| {each.said:.2f} | {each.cases} | {each.share:.2f} [{low:.2f}, {high:.2f}] |")
    return lines


def picture(found: Sequence[Bin]) -> str:
    """An SVG that brings its own background, light or dark as the reader has it."""
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title about">',
        '<title id="title">Reliability of the diagnosis</title>',
        f'<desc id="about">{_said(found)}</desc>',
        _STYLE,
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text x="{LEFT}" y="24">How often the first place was right, by its posterior</text>',
        *_axes(),
        f'<path class="even" d="M{_x(0)} {_y(0)} L{_x(1)} {_y(1)}"/>',
        *(line for each in found for line in _point(each)),
        "</svg>",
    ]
    return "\n".join(drawn) + "\n"


def _said(found: Sequence[Bin]) -> str:
    return "; ".join(f"said {each.said:.2f}, was so {each.share:.2f} in {each.cases} cases" for each in found)


_STYLE = """\
<style>
  text { font: 12px sans-serif; fill: #1f2328; } .small { font-size: 10px; fill: #59636e; }
  .page { fill: #ffffff; } .grid { stroke: #d1d9e0; } .even { stroke: #59636e; stroke-dasharray: 5 4; fill: none; }
  .point { fill: #0969da; fill-opacity: 0.75; } .interval { stroke: #0969da; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .small { fill: #b1bac4; } .page { fill: #0d1117; } .grid { stroke: #3d444d; }
    .even { stroke: #b1bac4; } .point { fill: #58a6ff; } .interval { stroke: #58a6ff; }
  }
</style>"""


def _axes() -> list[str]:
    lines = []
    for tenth in range(0, BINS + 1, 2):
        at = tenth / BINS
        lines += [
            f'<path class="grid" d="M{_x(at)} {_y(0)} V{_y(1)} M{_x(0)} {_y(at)} H{_x(1)}"/>',
            f'<text class="small" x="{_x(at)}" y="{_y(0) + 16:g}" text-anchor="middle">{at:.1f}</text>',
            f'<text class="small" x="{_x(0) - 8:g}" y="{_y(at) + 4:g}" text-anchor="end">{at:.1f}</text>',
        ]
    middle = TOP + SIDE / 2
    return [
        *lines,
        f'<text x="{_x(0.5)}" y="{_y(0) + 36:g}" text-anchor="middle">posterior of the first place</text>',
        f'<text text-anchor="middle" transform="translate(18 {middle:g}) rotate(-90)">share that was so</text>',
        f'<text class="small" x="{LEFT}" y="{TOP - 10}">bars: 95% Wilson intervals; numbers: cases</text>',
    ]


def _point(each: Bin) -> list[str]:
    """A dot whose area grows with its cases, its interval, and beside it how many cases it stands for."""
    x, y = _x(each.said), _y(each.share)
    low, high = each.interval
    radius = min(10.0, 2.5 + math.sqrt(each.cases) / 2)
    left = each.said > 1 - 1 / BINS
    beside, anchor = (x - radius - 3, "end") if left else (x + radius + 3, "start")
    return [
        f'<path class="interval" d="M{x} {_y(low)} V{_y(high)} M{x - 4:g} {_y(low)} h8 M{x - 4:g} {_y(high)} h8"/>',
        f'<circle class="point" cx="{x}" cy="{y}" r="{radius:.1f}"/>',
        f'<text class="small" x="{beside:.1f}" y="{y + 4:g}" text-anchor="{anchor}">{each.cases}</text>',
    ]


def _x(share: float) -> float:
    return round(LEFT + SIDE * share, 1)


def _y(share: float) -> float:
    return round(TOP + SIDE * (1 - share), 1)
