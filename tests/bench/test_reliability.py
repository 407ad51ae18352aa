"""What was said against what was so."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.bench.reliability import Bin, bins, picture, table


def test_equal_probabilities_lie_in_one_bin_and_certainty_in_the_last() -> None:
    found = bins([(0.91, True), (1.0, False), (0.1, False), (0.19, True)])
    assert [(each.cases, each.so) for each in found] == [(2, 1), (2, 1)]
    assert [round(each.said, 3) for each in found] == [0.145, 0.955]


@pytest.mark.parametrize(
    ("so", "cases", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_intervals_are_wilsons(so: int, cases: int, low: float, high: float) -> None:
    """The last is Newcombe's example (Statistics in Medicine 17, 1998)."""
    assert Bin(0.5, cases, so).interval == pytest.approx((low, high), abs=6e-5)


def test_the_picture_shows_every_bin_with_its_cases_inside_the_page() -> None:
    found = [Bin(0.05, 3, 0), Bin(0.55, 40, 20), Bin(0.99, 400, 400)]
    root = ElementTree.fromstring(picture(found))  # noqa: S314 - our own
    name = "{http://www.w3.org/2000/svg}"
    dots = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in root.iter(f"{name}circle")]
    assert dots == sorted(dots, key=lambda dot: (dot[0], -dot[1]))
    assert all(60 <= x <= 420 and 50 <= y <= 410 for x, y in dots)
    assert {"3", "40", "400"} <= {text.text for text in root.iter(f"{name}text")}
    assert len(table(found)) == 5
