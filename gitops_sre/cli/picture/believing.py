"""Geometry of the chart of probabilities as evidence came in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitops_sre.cli.picture.belief import Step, shown
from gitops_sre.cli.picture.scale import Scale, shorten, spread
from gitops_sre.model.diagnosis import certainty

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960.0, 300.0, 54.0, 250.0, 16.0, 52.0
LABEL = 16.0


@dataclass(frozen=True)
class Track:
    """A place's probabilities: points, and its label at the right. `style` numbers the leaders from 0."""

    place: str
    label: str
    style: int
    line: str
    dots: tuple[tuple[float, float], ...]
    end_y: float
    label_y: float


@dataclass(frozen=True)
class Chart:
    """The whole picture; `stages` are (x, name, number of findings), `ticks` (y, text)."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    stages: tuple[tuple[float, str, int], ...]
    ticks: tuple[tuple[float, str], ...]
    tracks: tuple[Track, ...]


def chart(steps: Sequence[Step], names: Sequence[str]) -> Chart:
    """The named places' probabilities after each step, labelled at their ends."""
    x = Scale(0, max(len(steps) - 1, 1), LEFT + 24, WIDTH - RIGHT)
    y = Scale(0, 1, HEIGHT - BOTTOM, TOP)
    ends = [y(steps[-1].places[name]) for name in names]
    order = sorted(range(len(names)), key=lambda n: ends[n])
    places = dict(zip(order, spread([ends[n] for n in order], LABEL, TOP, HEIGHT - BOTTOM), strict=True))
    tracks = []
    for style, name in enumerate(names):
        dots = tuple((x(n), y(step.places.get(name, 0.0))) for n, step in enumerate(steps))
        tracks.append(
            Track(
                name,
                f"{shorten(shown(name), 22)} {certainty(steps[-1].places[name])}",
                style,
                " ".join(f"{a},{b}" for a, b in dots),
                dots,
                ends[style],
                round(places[style], 1),
            )
        )
    return Chart(
        WIDTH,
        HEIGHT,
        LEFT,
        WIDTH - RIGHT,
        HEIGHT - BOTTOM,
        tuple((x(n), step.name, step.findings) for n, step in enumerate(steps)),
        tuple((y(share), f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)),
        tuple(tracks),
    )
