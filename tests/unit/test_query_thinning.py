"""Thinning gives some of the points, and keeps the shape of the line; windows are counted."""

from datetime import date, timedelta
from decimal import Decimal
from math import sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query import WINDOWS, thin, window_number, window_start

CELL = st.none() | st.floats(allow_nan=False, allow_infinity=False)
LINES = st.integers(0, 60).flatmap(
    lambda size: st.lists(st.lists(CELL, min_size=size, max_size=size), min_size=1, max_size=3)
)


@given(lines=LINES, points=st.integers(3, 70))
def test_what_is_kept_are_some_of_the_points_in_order_with_both_ends(lines, points):
    times = [float(n * n) for n in range(len(lines[0]))]
    kept = thin(times, lines, points)
    assert kept == sorted(set(kept))
    assert len(kept) == min(points, len(times))
    assert {*kept[:1], *kept[-1:]} == {*range(len(times))[:1], *range(len(times))[-1:]}
    assert kept == thin(times, lines, points)


@given(place=st.integers(1, 998), points=st.integers(12, 60), height=st.sampled_from([50, -50]))
def test_a_spike_is_never_lost(place, points, height):
    line = [sin(n / 50) for n in range(1000)]
    line[place] = height
    assert place in thin(range(1000), [line], points)


@given(place=st.integers(2, 997))
def test_a_spike_of_one_value_among_others_and_between_nulls_is_never_lost(place):
    spiked: list[object] = [0 if n % 3 else None for n in range(1000)]
    spiked[place - 1 : place + 2] = 0, Decimal(7), 0
    others = [[n / 9 for n in range(1000)], [None] * 1000]
    assert place in thin(range(1000), [spiked, *others], 30)


def test_the_largest_triangle_of_each_bucket_is_kept():
    # Of 1 and 2, and of 3 and 4, what is farther from the line to the middle of what follows.
    assert thin([0, 1, 2, 3, 4, 5], [[0.0, 1.0, 5.0, 2.0, -4.0, 0.0]], 4) == [0, 2, 4, 5]


def test_values_weigh_by_their_range_and_not_by_their_unit():
    small, large = [0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 90.0, 60.0, 1000.0, 0.0]
    assert thin(range(5), [small, large], 3) == [0, 2, 4]


@pytest.mark.parametrize(
    "line", [[None] * 9, [4.0] * 9, [10**400] * 9, [1.7e308, -1.7e308, 0.0] * 3]
)
def test_lines_without_a_shape_have_points_too(line):
    assert len(thin(range(9), [[None if each and each > 1e308 else each for each in line]], 4)) == 4


@given(day=st.dates(), window=st.sampled_from(WINDOWS))
def test_windows_follow_each_other_without_a_gap(day, window):
    number = window_number(day, window)
    first = window_start(number, window)
    assert first <= day
    assert window_number(first, window) == number
    if first > date.min:
        assert window_number(first - timedelta(days=1), window) == number - 1


@pytest.mark.parametrize(
    ("window", "first"),
    [("day", 15), ("week", 11), ("month", 1)],
)
def test_weeks_start_on_monday(window, first):
    day = date(2026, 5, 15)
    assert window_start(window_number(day, window), window) == day.replace(day=first)
