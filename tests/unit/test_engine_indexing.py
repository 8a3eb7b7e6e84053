"""An index numbers the values of a column that are few; where they are not, there is none."""

import duckdb
import pyarrow as pa
import pytest

from app.engine.indexing import write_index


@pytest.mark.parametrize(("values", "made"), [(30_000, True), (40_000, False)])
def test_more_values_than_were_estimated_leave_no_index(tmp_path, values, made):
    path = tmp_path / "some.index"
    with duckdb.connect() as engine:
        asked = "SELECT (i % $n)::VARCHAR AS x FROM range(300000) AS t(i)"
        rows = engine.sql(asked, params={"n": values})
        size = write_index(rows, ["x"], path, 1 << 30)
    assert bool(size) == path.exists() == made


def test_few_values_are_numbered_by_two_bytes(tmp_path):
    path = tmp_path / "some.index"
    with duckdb.connect() as engine:
        rows = engine.sql("SELECT (i % 7)::VARCHAR AS x FROM range(300000) AS t(i)")
        write_index(rows, ["x"], path, 1 << 30)
    batch = pa.ipc.open_stream(path.read_bytes()).read_next_batch()
    assert batch.schema.field("x").type == pa.dictionary(pa.int16(), pa.string())
    assert batch.column(0).dictionary_decode().to_pylist() == [f"{i % 7}" for i in range(300_000)]
