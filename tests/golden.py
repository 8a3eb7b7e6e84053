"""The golden table: every type that a table can hold, with its extremes; and ways to ask it."""

import io
import json
from datetime import UTC, datetime, time
from decimal import Decimal
from math import inf, nan

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from app.formats import Form, json_bytes, write_export
from app.query import Query, compile_export, compile_query

ROWS = 4
WIDE = 2**53
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
ODD = 'NUL \0, U+2028 \u2028, \U0001f600, "quoted", back\\slash,\r\n=1+1'
PRETTY = '{"a": 1.50,\n "b": [12345678901234567890, null]}'

# Each column as it stands in the file, and its cells as a strict JSON reader sees them: numbers
# stay text. A cell that is left out is null.
GOLDEN = {
    "int8": (pa.array([-128, 127], pa.int8()), ["-128", "127"]),
    "uint8": (pa.array([255], pa.uint8()), ["255"]),
    "int16": (pa.array([-(2**15)], pa.int16()), ["-32768"]),
    "int32": (pa.array([2**31 - 1], pa.int32()), ["2147483647"]),
    "int64": (
        pa.array([-(2**63), 2**63 - 1, WIDE + 1, WIDE]),
        ["-9223372036854775808", "9223372036854775807", "9007199254740993", "9007199254740992"],
    ),
    "uint64": (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
    "double": (pa.array([nan, inf, -0.0, 1e22]), [None, None, "-0.0", "1e+22"]),
    "digits": (pa.array([0.1, 1.0, -1e-7, 5e-324]), ["0.1", "1.0", "-1e-7", "5e-324"]),
    "float": (pa.array([0.1, -inf], pa.float32()), ["0.10000000149011612", None]),
    "decimal_38_10": (
        pa.array([Decimal("0"), Decimal("-1E-10"), Decimal("9" * 28)], pa.decimal128(38, 10)),
        ["0.0000000000", "-0.0000000001", "9" * 28 + ".0000000000"],
    ),
    "decimal_5_2": (pa.array([Decimal("-0.01"), Decimal("999.90")]), ["-0.01", "999.90"]),
    "decimal_38_0": (pa.array([Decimal("9" * 38)], pa.decimal128(38, 0)), ["9" * 38]),
    "text": (pa.array(["", ODD, "+1", " "]), ["", ODD, "+1", " "]),
    "enum": (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    "flag": (pa.array([True, False]), [True, False]),
    "date": (pa.array([FIRST.date(), LAST.date()]), ["0001-01-01", "9999-12-31"]),
    "time": (
        pa.array([time(0), time(23, 59, 59, 999_999), time(8, 30, 0, 500_000)]),
        ["00:00:00", "23:59:59.999999", "08:30:00.500000"],
    ),
    "end_of_day": (pa.array([86_400_000_000]).cast(pa.time64("us")), ["24:00:00"]),
    "naive": (
        pa.array([datetime(1, 1, 1), datetime(9999, 12, 31)], pa.timestamp("us")),  # noqa: DTZ001
        ["0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"],
    ),
    "zoned": (
        pa.array([FIRST, LAST], pa.timestamp("us", tz="UTC")),
        ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"],
    ),
    "tokyo": (pa.array([0], pa.timestamp("us", tz="Asia/Tokyo")), ["1970-01-01T00:00:00Z"]),
    "milli": (
        pa.array([1, 1_000], pa.timestamp("ms")),
        ["1970-01-01T00:00:00.001000Z", "1970-01-01T00:00:01Z"],
    ),
    "nano": (
        pa.array([1, 10**9, -9_223_286_399_999_999_999, 1_500_000_000], pa.timestamp("ns")),
        [
            "1970-01-01T00:00:00.000000001Z",
            "1970-01-01T00:00:01Z",
            "1677-09-22T00:00:00.000000001Z",
            "1970-01-01T00:00:01.5Z",
        ],
    ),
    "blob": (pa.array([b"\xff\x00", b""]), ["/wA=", ""]),
    "uuid": (pa.array([b"0123456789abcdef"], pa.uuid()), ["30313233-3435-3637-3839-616263646566"]),
    "json": (
        pa.array([PRETTY, '" text"', "null", "[]"], pa.json_()),
        [{"a": "1.50", "b": ["12345678901234567890", None]}, " text", None, []],
    ),
    "list": (pa.array([[1, None, WIDE + 1], []]), [["1", None, str(WIDE + 1)], []]),
    "floats": (pa.array([[nan, 0.5], [1.0]]), [[None, "0.5"], ["1.0"]]),
    "nanos": (
        pa.array([[1, None, 10**9]], pa.list_(pa.timestamp("ns"))),
        [["1970-01-01T00:00:00.000000001Z", None, "1970-01-01T00:00:01Z"]],
    ),
    "struct": (
        pa.array([
            {"x": [b"a"], "y": FIRST, 'z "': Decimal("1.0"), "u": 2**63},
            {"x": None, "y": None, 'z "': None, "u": None},
        ], pa.struct({
            "x": pa.list_(pa.binary()), "y": pa.timestamp("us", tz="UTC"),
            'z "': pa.decimal128(3, 1), "u": pa.uint64(),
        })),
        [
            {"x": ["YQ=="], "y": "0001-01-01T00:00:00Z", 'z "': "1.0", "u": str(2**63)},
            {"x": None, "y": None, 'z "': None, "u": None},
        ],
    ),
    "jsons": (
        pa.ListArray.from_arrays([0, 2], pa.array([PRETTY, None], pa.json_())),
        [[{"a": "1.50", "b": ["12345678901234567890", None]}, None]],
    ),
    "map": (
        pa.array([[("b", 1), ("a", None)], []], pa.map_(pa.string(), pa.int64())),
        [[{"key": "b", "value": "1"}, {"key": "a", "value": None}], []],
    ),
    "deep": (
        pa.array([[[([1], {"a": ODD})]], [None]],
                 pa.list_(pa.map_(pa.list_(pa.int8()), pa.struct({"a": pa.string()})))),
        [[[{"key": ["1"], "value": {"a": ODD}}]], [None]],
    ),
}  # fmt: skip


def padded(array):
    """The column with nulls below it."""
    return pa.chunked_array([array, pa.nulls(ROWS - len(array), array.type)])


class Asking:
    """Asks one Table for small answers and for exports."""

    def __init__(self, bench, loaded):
        self.dataset, self.engine = loaded[0], bench.engine(loaded)

    def small(self, *select, **options):
        query = Query(self.dataset, select, sort=("k",), limit=100)
        return json_bytes(self.engine.run(compile_query(query)), **options)

    def export(self, form, *select, **options):
        sink = io.BytesIO()
        with self.engine.stream(compile_export(Query(self.dataset, select)), 60) as batches:
            write_export(batches, Form(form, options, {"dataset": "golden"}), sink)
        return sink.getvalue()

    def arrow(self, form, *select):
        content = pa.BufferReader(self.export(form, *select))
        if form == "parquet":
            return pq.read_table(content)
        opened = pa.ipc.open_file if form == "arrow" else pa.ipc.open_stream
        return opened(content).read_all()


def strict(text):
    """Read JSON as strictly as its standard; numbers stay text."""

    def refuse(word):
        raise AssertionError(word)

    def unique(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(
        text, parse_int=str, parse_float=str, parse_constant=refuse, object_pairs_hook=unique
    )
