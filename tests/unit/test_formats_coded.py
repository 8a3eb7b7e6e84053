"""Texts that repeat: put together as those that do not, and pieces made ahead in their order."""

from itertools import count, islice

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.formats.ahead import ahead
from app.formats.coded import by_value, decoded, joined, whole_bytes

ROWS = 24
TEXTS = st.lists(st.none() | st.sampled_from(["", "a", "é,", "ab"]), min_size=ROWS, max_size=ROWS)
COLUMNS = st.lists(st.tuples(st.sampled_from(["", ",", '{"x":']), st.booleans(), TEXTS), min_size=1)


@given(COLUMNS, st.sampled_from(["", "null"]), st.sampled_from([1, 12]))
def test_parts_are_put_together_row_by_row_be_they_held_by_their_values_or_not(
    columns, null, times
):
    parts, rows = [], [""] * ROWS * times
    for before, coded, texts in columns:
        # Few pairs are all written, more are looked for, and many are none.
        repeated = texts * times
        cells = pa.array(repeated, pa.string())
        parts += [before, cells.dictionary_encode() if coded else cells]
        rows = [
            f"{row}{before}{null if text is None else text}"
            for row, text in zip(rows, repeated, strict=True)
        ]
    given_texts = joined(*parts, "}", null=null)
    assert given_texts.type == pa.string()
    assert given_texts.to_pylist() == [f"{row}}}" for row in rows]


@pytest.mark.parametrize(("values", "written"), [(["a", "b"] * 8, 2), (list("abcdefgh"), 8)])
def test_each_distinct_cell_is_written_once_where_there_are_few(values, written):
    seen = []

    def write(cells):
        seen.extend(cells.to_pylist())
        return cells

    for cells in (pa.array(values), pa.array(values).dictionary_encode()):
        seen.clear()
        assert decoded(by_value(write, cells)).to_pylist() == values
        assert len(seen) == written


def test_cells_held_by_their_values_count_as_long_as_the_longest():
    cells = pa.array(["x" * 1_000, "", None] * 10)
    assert whole_bytes(cells.dictionary_encode()) == 30_000
    assert whole_bytes(cells.slice(0, 0).dictionary_encode()) == 0


def test_what_is_made_ahead_comes_in_order_and_is_little():
    taken = []
    made = ahead(lambda n: n * n, (taken.append(n) or n for n in count()))
    assert list(islice(made, 50)) == [n * n for n in range(50)]
    assert len(taken) < 60
    made.close()


def test_a_failure_ahead_is_told_in_its_place():
    made = ahead(lambda n: 6 // (3 - n), range(9))
    assert [next(made) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(made)
