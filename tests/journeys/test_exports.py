"""Exports over HTTP: read by the usual tools, by ranges, whole or not at all, within bounds."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

ROWS = "/api/v1/datasets/forecasts/rows"
FORMATS = ("json", "ndjson", "csv", "parquet", "arrow", "arrows")


def arrow(content, form):
    source = pa.BufferReader(content)
    if form == "parquet":
        return pq.read_table(source)
    opened = pa.ipc.open_file if form == "arrow" else pa.ipc.open_stream
    return opened(source).read_all()


def records(answer, form):
    """The rows of an export, with what every format shows as text or number."""
    if form == "json":
        return answer.json["data"]
    if form == "ndjson":
        return [json.loads(line) for line in answer.text.splitlines()]
    if form == "csv":
        return list(csv.DictReader(io.StringIO(answer.text, newline="")))
    return arrow(answer.data, form).to_pylist()


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_holds_all_rows_that_fit_and_always_their_lineage(dashboard, form):
    answer = dashboard.get(f"{ROWS}.{form}?item_id=A&select=date&forecast__gt=3")
    assert answer.status_code == 200
    rows = records(answer, form)
    assert [str(row["date"]) for row in rows] == [f"2026-01-{day:02}" for day in range(3, 11)]
    assert list(rows[0]) == ["date", "dataset_id", "model_version", "generated_at"]
    assert {row["model_version"] for row in rows} == {"v1"}


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_says_what_it_is_and_what_made_it(dashboard, form):
    answer = dashboard.get(f"{ROWS}.{form}")
    headers = answer.headers
    assert headers["Content-Disposition"] == f'attachment; filename="forecasts.{form}"'
    assert (headers["X-Dataset-Id"], headers["X-Model-Version"]) == ("run-1", "v1")
    assert (headers["X-Generation"], headers["Accept-Ranges"]) == ("1", "bytes")
    assert int(headers["Content-Length"]) == len(answer.data)
    assert headers["ETag"].startswith('"')


@pytest.mark.parametrize("form", ["parquet", "arrow", "arrows"])
def test_files_with_types_carry_the_metadata_of_every_json_answer(dashboard, form):
    told = dashboard.get(f"{ROWS}.json?limit=5").json["metadata"]
    assert told["model_versions"] == ["v0", "v1"]
    table = arrow(dashboard.get(f"{ROWS}.{form}?limit=5").data, form)
    assert json.loads(table.schema.metadata[b"assay"]) == told
    assert table.num_rows == 5


def test_the_stamp_is_that_of_the_rows_that_are_in_it(dashboard):
    answer = dashboard.get(f"{ROWS}.csv?sort=date&limit=2")
    assert answer.headers["X-Model-Version"] == "v0"
    assert dashboard.get(f"{ROWS}.csv?item_id=nobody").headers.get("X-Model-Version") is None


def test_a_sort_is_completed_by_the_keys_and_a_limit_is_a_cap(dashboard):
    rows = dashboard.get(f"{ROWS}.json?sort=-date&limit=3").json["data"]
    assert [(row["date"][-2:], row["item_id"]) for row in rows] == [
        ("10", "A"), ("10", "B/1"), ("09", "A"),
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_no_row_makes_an_export_too(dashboard, form):
    answer = dashboard.get(f"{ROWS}.{form}?item_id=nobody")
    assert (answer.status_code, records(answer, form)) == (200, [])


def test_csv_is_made_for_excel_where_that_is_asked(dashboard):
    answer = dashboard.get(f"{ROWS}.csv?bom=true&excel=true&limit=1")
    assert answer.data.startswith("\ufeffitem_id,".encode())
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    ("asked", "parameter"), [("cursor=x", "cursor"), ("count=true", "count"), ("limit=-1", "limit")]
)
def test_what_only_pages_have_is_refused(dashboard, asked, parameter):
    answer = dashboard.get(f"{ROWS}.csv?{asked}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == parameter


def test_a_format_that_there_is_not_is_refused(dashboard):
    assert dashboard.get(f"{ROWS}.xlsx").status_code in {400, 404}


def test_the_second_request_is_served_from_the_file(dashboard, events):
    first, second = (dashboard.get(f"{ROWS}.csv?limit=5") for _ in range(2))
    assert (first.data, first.headers["ETag"]) == (second.data, second.headers["ETag"])
    assert [line["cache"] for line in events if line["event"] == "request"] == ["made", "kept"]


def test_head_makes_it_too(dashboard):
    head = dashboard.head(f"{ROWS}.csv?limit=7")
    whole = dashboard.get(f"{ROWS}.csv?limit=7")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.data))
    assert head.headers["ETag"] == whole.headers["ETag"]


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=5-20", 5, 21), ("bytes=-7", -7, None), ("bytes=100-", 100, None)],
)
def test_a_range_gives_these_bytes(dashboard, asked, start, stop):
    whole = dashboard.get(f"{ROWS}.csv").data
    part = dashboard.get(f"{ROWS}.csv", headers={"Range": asked})
    assert (part.status_code, part.data) == (206, whole[start:stop])
    first = start % len(whole)
    last = first + len(part.data) - 1
    assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "rows=0-1", "bytes=x", "bytes=5-1"])
def test_a_range_that_is_none_or_several_gives_all(dashboard, asked):
    answer = dashboard.get(f"{ROWS}.csv", headers={"Range": asked})
    assert (answer.status_code, answer.data) == (200, dashboard.get(f"{ROWS}.csv").data)


def test_a_range_beyond_the_end_is_refused_with_the_length(dashboard):
    length = len(dashboard.get(f"{ROWS}.csv").data)
    answer = dashboard.get(f"{ROWS}.csv", headers={"Range": f"bytes={length}-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{length}")
    assert answer.json["type"] == "urn:assay:problem:range-not-satisfiable"


@pytest.mark.parametrize(
    ("condition", "status"),
    [("{etag}", 206), ('"other"', 200), ("W/{etag}", 200), ("Mon, 01 Jan 2029 00:00:00 GMT", 200)],
)
def test_a_range_counts_only_while_the_content_is_the_same(dashboard, condition, status):
    etag = dashboard.get(f"{ROWS}.csv").headers["ETag"]
    headers = {"Range": "bytes=0-9", "If-Range": condition.format(etag=etag)}
    assert dashboard.get(f"{ROWS}.csv", headers=headers).status_code == status


def test_what_a_client_has_is_confirmed_without_the_file(dashboard, dashboard_settings):
    etag = dashboard.get(f"{ROWS}.ndjson?limit=4").headers["ETag"]
    for path in (dashboard_settings.state / "spool").iterdir():
        path.unlink()
    answer = dashboard.get(f"{ROWS}.ndjson?limit=4", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.headers["ETag"]) == (304, etag)
    assert list((dashboard_settings.state / "spool").iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_is_made_again_has_the_same_bytes_and_is_not_gone_on_with(
    dashboard, dashboard_settings, form
):
    first = dashboard.get(f"{ROWS}.{form}")
    for path in (dashboard_settings.state / "spool").iterdir():
        path.unlink()
    headers = {"Range": "bytes=1-", "If-Range": first.headers["ETag"]}
    second = dashboard.get(f"{ROWS}.{form}", headers=headers)
    assert (second.status_code, second.data) == (200, first.data)
    assert second.headers["ETag"] != first.headers["ETag"]
