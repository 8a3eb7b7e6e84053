"""A question that is interrupted leaves nothing behind: no memory that nobody gives back."""

from contextlib import suppress

import psutil
import pyarrow as pa
import pytest

from app.engine import Queue
from app.errors import ServiceError
from app.query import Measure, Query, compile_query

ROWS = 2_000_000
MEASURES = [("median", "x"), ("min", "text"), ("max", "text")]
MEGABYTE = 1 << 20

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(bench_at, tmp_path_factory):
    bench = bench_at(tmp_path_factory.mktemp("leaks"))
    bench.limits.spill.mkdir()
    numbers = pa.array([float(n * 7919 % 1_000_003) for n in range(ROWS)])
    texts = [f"a text that is stored apart {n * 7919 % 1_000_003}" for n in range(ROWS)]
    return bench, bench.load({"k": range(ROWS), "x": numbers, "text": texts})


@pytest.mark.parametrize(("function", "column"), MEASURES)
def test_an_interrupted_question_gives_its_memory_back(loaded, function, column):
    bench, table = loaded
    engine = bench.engine(table, queue=Queue(2, 2, seconds=0.4))
    measure = Measure("figure", function, (column,))
    asked = compile_query(Query(table[0], (), group_by=("k",), measures=(measure,), limit=5))
    seen = []
    for _ in range(14):
        with suppress(ServiceError):
            engine.run(asked)
        seen.append(psutil.Process().memory_info().rss)
    assert min(seen[-4:]) - max(seen[:6]) < 60 * MEGABYTE, [each // MEGABYTE for each in seen]
