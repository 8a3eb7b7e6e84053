"""A search gives the same places as a look at every cell, however many are alike."""

from bisect import bisect_left, bisect_right

import pytest

from app.engine.sorted import Sorted

# Around where a search looks first, and beyond where it looks next.
RUNS = (1, 1023, 1024, 1025, 3000, 3073, 9000, 1)
MISSING = [None] * 1500
CELLS = [value for value, count in enumerate(RUNS) for _ in range(count)]


@pytest.mark.parametrize("value", range(-1, len(RUNS) + 1))
@pytest.mark.parametrize("read", [None, lambda held: held])
@pytest.mark.parametrize("complete", [True, False])
def test_cells_that_rise_are_found_however_many_are_alike(value, read, complete):
    cells = CELLS if complete else [*CELLS, *MISSING]
    rising = Sorted(cells, read=read, complete=complete)
    expected = bisect_left(CELLS, value), bisect_right(CELLS, value)
    assert rising.equal(value, (0, len(cells))) == expected


@pytest.mark.parametrize("value", range(-1, len(RUNS) + 1))
@pytest.mark.parametrize("read", [None, lambda held: held])
def test_cells_that_fall_are_found_however_many_are_alike(value, read):
    falling = Sorted(CELLS[::-1], falling=True, read=read, complete=True)
    count, below = CELLS.count(value), len([each for each in CELLS if each > value])
    assert falling.equal(value, (0, len(CELLS))) == (below, below + count)


@pytest.mark.parametrize("places", [(0, 0), (5, 5), (2, 2000), (1500, 12_000)])
def test_a_search_stays_between_its_places(places):
    start, end = Sorted(CELLS, complete=True).equal(2, places)
    assert start == bisect_left(CELLS, 2, *places)
    assert end == bisect_right(CELLS, 2, *places)
