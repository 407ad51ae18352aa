from __future__ import annotations

import math
import re
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_sre.cli.picture.layout import NODE_HEIGHT, NODE_WIDTH, Pair, arrange, near
from gitops_sre.cli.picture.scale import HIGHEST, Scale, amount, clock_ticks, limits, shorten, spread, ticks
from gitops_sre.cli.picture.timeline import MAX_POINTS, path

NUMBERS = st.floats(-1e12, 1e12)
NAMES = st.integers(0, 20).map(lambda number: f"s{number:02}")
GRAPHS = st.lists(st.tuples(NAMES, NAMES), max_size=40)
SHOP = (("web", "cart"), ("web", "search"), ("cart", "db"), ("search", "db"), ("web", "db"))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20))
def test_an_axis_is_finite_and_never_empty_whatever_is_measured(values: list[float]) -> None:
    low, high = limits(values)
    assert -2 * HIGHEST <= low < high <= 2 * HIGHEST
    scale = Scale(low, high, 100, 0)
    assert all(0 <= scale(value) <= 100 for value in values if not math.isnan(value))


@given(NUMBERS, st.floats(1e-6, 1e9))
def test_ticks_are_at_least_two_even_and_within_the_axis(low: float, size: float) -> None:
    high = low + size
    if high - low < 1e-9 * abs(high):
        return
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    slack = 1e-6 * (high - low) + 1e-9 * abs(low)
    assert all(low - slack <= value <= high + slack for value in found)
    steps = [b - a for a, b in pairwise(found)]
    assert max(steps) == pytest.approx(min(steps), rel=1e-3)


def test_ticks_are_round() -> None:
    assert ticks(0, 1) == pytest.approx((0, 0.5, 1))
    assert ticks(0, 470, 2) == pytest.approx((0, 200, 400))
    assert ticks(0, 600 * 2**20, 2, "bytes") == pytest.approx((0, 500 * 2**20))


def test_clock_ticks_are_round_minutes_and_hours() -> None:
    assert clock_ticks(1_700_000_030, 1_700_003_600) == tuple(1_700_000_400.0 + 600 * n for n in range(6))
    assert all(at % 86400 == 0 for at in clock_ticks(0, 40 * 86400))
    assert len(clock_ticks(0, 40 * 86400)) <= 8


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (0.0123, "s", "12.3 ms"),
        (0.00002, "s", "20 µs"),
        (600, "s", "10 min"),
        (90_000, "s", "25 h"),
        (0.0512, "ratio", "5.12%"),
        (45.6, "percent", "45.6%"),
        (2**20 * 192, "bytes", "192 MiB"),
        (2048, "bytes/s", "2 KiB/s"),
        (1234, "req/s", "1234 req/s"),
        (123_456, "", "123k"),
        (5e9, "", "5G"),
    ],
)
def test_amounts_have_units_that_read_well(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


@given(st.lists(NUMBERS, max_size=12).map(sorted), st.floats(0.1, 100))
def test_labels_keep_their_distance_and_their_order(wanted: list[float], gap: float) -> None:
    places = spread(wanted, gap)
    assert len(places) == len(wanted)
    assert all(b - a >= gap - 1e-3 for a, b in pairwise(places))


def test_labels_with_room_stay_where_they_are_and_crowded_ones_share_the_shift() -> None:
    assert spread([0, 50, 100], 10.0) == [0, 50, 100]
    assert spread([50, 50], 10.0) == [45, 55]
    assert spread([98, 99], 10.0, 0, 100) == [90, 100]
    assert spread([0, 0, 0], [0.0, 5, 20]) == pytest.approx([-10, -5, 15])


def test_long_names_keep_both_ends() -> None:
    assert shorten("short", 10) == "short"
    assert shorten("checkout-service-v2", 11) == "check…ce-v2"


def test_callers_stand_left_of_what_they_call() -> None:
    layout = arrange(["web", "cart", "search", "db"], SHOP)
    for caller, callee in SHOP:
        assert layout.nodes[caller][0] < layout.nodes[callee][0]


@settings(max_examples=60, deadline=None)
@given(GRAPHS)
def test_nodes_never_overlap_and_everything_is_inside(pairs: list[Pair]) -> None:
    names = sorted({name for pair in pairs for name in pair} | {"lonely"})
    layout = arrange(names, pairs)
    assert sorted(layout.nodes) == names
    spots = sorted(layout.nodes.values())
    for n, (x, y) in enumerate(spots):
        assert 0 <= x <= layout.width - NODE_WIDTH + 1e-6
        assert 0 <= y <= layout.height - NODE_HEIGHT + 1e-6
        assert all(other_x != x or abs(other_y - y) >= NODE_HEIGHT for other_x, other_y in spots[n + 1 :])
    for points in layout.edges.values():
        assert all(0 <= x <= layout.width and 0 <= y <= layout.height for x, y in points)


@settings(max_examples=60, deadline=None)
@given(GRAPHS)
def test_every_edge_goes_from_its_caller_to_its_callee(pairs: list[Pair]) -> None:
    layout = arrange(sorted({name for pair in pairs for name in pair}), pairs)
    assert set(layout.edges) == {(a, b) for a, b in pairs if a != b}
    for (caller, callee), points in layout.edges.items():
        assert _touches(layout.nodes[caller], points[0])
        assert _touches(layout.nodes[callee], points[-1])


def _touches(corner: tuple[float, float], point: tuple[float, float]) -> bool:
    on_side = point[0] in (corner[0], corner[0] + NODE_WIDTH)
    return on_side and point[1] == pytest.approx(corner[1] + NODE_HEIGHT / 2, abs=0.2)


@settings(max_examples=30, deadline=None)
@given(GRAPHS, st.randoms(use_true_random=False))
def test_a_map_does_not_depend_on_the_order_of_its_edges(pairs: list[Pair], random: Random) -> None:
    names = sorted({name for pair in pairs for name in pair})
    shuffled = random.sample(pairs, len(pairs))
    assert arrange(names, pairs) == arrange(names, shuffled)


def test_an_edge_over_a_layer_does_not_run_through_a_node() -> None:
    layout = arrange(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    x, y = layout.nodes["b"]
    through = [point for point in layout.edges["a", "c"] if x <= point[0] <= x + NODE_WIDTH]
    assert through
    assert all(not y <= height <= y + NODE_HEIGHT for _, height in through)


def test_callers_in_a_circle_are_drawn_too() -> None:
    layout = arrange(["a", "b"], [("a", "b"), ("b", "a")])
    assert layout.edges["a", "b"] == tuple(reversed(layout.edges["b", "a"]))


def test_the_neighbourhood_is_the_nearest_in_either_direction() -> None:
    chain = [(f"s{n}", f"s{n + 1}") for n in range(9)]
    assert near(chain, ["s4"], 3) == {"s3", "s4", "s5"}
    assert near(chain, ["s0", "s9"], 2) == {"s0", "s9"}


X, Y = Scale(0, 10_000, 0, 1000), Scale(0, 10, 100, 0)


def test_a_curve_is_broken_where_samples_are_missing() -> None:
    times = [0.0, 60, 120, 180, 1200, 1260]
    data = path(times, [1.0] * 6, X, Y)
    assert data.count("M") == 2
    assert data.count("L") == 4


def test_a_lone_sample_is_a_dot_and_none_is_nothing() -> None:
    assert path([60.0], [5.0], X, Y) == "M6.0,50.0h0.1"
    assert path([], [], X, Y) == ""


def test_of_many_samples_the_spikes_stay() -> None:
    times = [float(at) for at in range(10_000)]
    values = [1.0] * 10_000
    values[4321], values[8765] = 9.0, 0.0
    data = path(times, values, X, Y)
    heights = [float(y) for _, y in re.findall(r"([\d.]+),([\d.]+)", data)]
    assert len(heights) <= 2 * MAX_POINTS
    assert min(heights) == Y(9.0)
    assert max(heights) == Y(0.0)
    assert data.count("M") == 1
