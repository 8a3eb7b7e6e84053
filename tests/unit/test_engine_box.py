"""The engine that serves is in a shut box: SQL that reaches it reaches nothing but its Tables."""

import socket

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.dataset import Column
from app.engine.duck import connect
from app.query import Statement

# What works on any connection that is not shut: so the box is what refuses it.
FILES = {
    "CSV": "SELECT * FROM read_csv('{folder}/a.csv')",
    "CSV by its other name": "SELECT * FROM read_csv_auto('{folder}/a.csv')",
    "form of a CSV": "SELECT * FROM sniff_csv('{folder}/a.csv')",
    "text": "SELECT content FROM read_text('{folder}/a.csv')",
    "bytes": "SELECT content FROM read_blob('{folder}/a.csv')",
    "environment": "SELECT content FROM read_text('/proc/self/environ')",
    "users": "SELECT content FROM read_text('/etc/passwd')",
    "JSON": "SELECT * FROM read_json('{folder}/a.json')",
    "lines of JSON": "SELECT * FROM read_ndjson('{folder}/a.json')",
    "objects of JSON": "SELECT * FROM read_json_objects('{folder}/a.json')",
    "Parquet": "SELECT * FROM read_parquet('{folder}/a.parquet')",
    "several Parquet files": "SELECT * FROM read_parquet('{folder}/*.parquet')",
    "schema of Parquet": "SELECT * FROM parquet_schema('{folder}/a.parquet')",
    "statistics of Parquet": "SELECT * FROM parquet_metadata('{folder}/a.parquet')",
    "footer of Parquet": "SELECT * FROM parquet_file_metadata('{folder}/a.parquet')",
    "pairs of Parquet": "SELECT * FROM parquet_kv_metadata('{folder}/a.parquet')",
    "a value in Parquet": "SELECT * FROM parquet_bloom_probe('{folder}/a.parquet', 'a', 'x')",
    "names of files": "SELECT * FROM glob('{folder}/*')",
    "a file as a table": "SELECT * FROM '{folder}/a.csv'",
    "a file as a table by a function": "SELECT * FROM query_table('{folder}/a.parquet')",
    "SQL in SQL": "SELECT * FROM query('SELECT content FROM read_text(''{folder}/a.csv'')')",
    "a file into a table": "CREATE TEMP TABLE t (a text); COPY t FROM '{folder}/a.csv'",
    "another database": "ATTACH '{folder}/other.duckdb' AS other",
    "another database to read": "ATTACH '{folder}/other.duckdb' AS other (READ_ONLY)",
    "a new database": "ATTACH '{folder}/new.duckdb' AS new",
    "export as CSV": "COPY (SELECT 1) TO '{folder}/out.csv'",
    "export as Parquet": "COPY (SELECT 1) TO '{folder}/out.parquet' (FORMAT parquet)",
    "export to a device": "COPY (SELECT 1) TO '/dev/null'",
    "export of all": "EXPORT DATABASE '{folder}/out'",
    "a variable of Python": "SELECT * FROM secret_rows",
}
SETTINGS = {
    "lock": "SET lock_configuration = false",
    "lock by reset": "RESET lock_configuration",
    "spill": "SET temp_directory = '{folder}/spill'",
    "secrets": "SET secret_directory = '{folder}/secrets'",
    "home": "SET home_directory = '{folder}'",
    "search path": "SET file_search_path = '{folder}'",
    "log of queries": "SET log_query_path = '{folder}/queries.log'",
    "allowed folders": "SET allowed_directories = ['/']",
    "allowed files": "SET allowed_paths = ['/etc/passwd']",
    "memory": "SET memory_limit = '1TB'",
    "memory by pragma": "PRAGMA memory_limit = '1TB'",
    "threads": "PRAGMA threads = 64",
    "variables of Python": "SET python_enable_replacements = true",
    "source of extensions": "SET custom_extension_repository = 'http://127.0.0.1:{port}'",
    "time zone": "SET TimeZone = 'Europe/Vienna'",
}
# What is refused elsewhere too: by what the engine lacks here, or because Tables are read-only.
OTHERS = {
    "all settings": "RESET ALL",
    "the box": "SET enable_external_access = true",
    "the box for all": "SET GLOBAL enable_external_access = true",
    "unsigned extensions": "SET allow_unsigned_extensions = true",
    "a variable of the environment": "SELECT getenv('HOME')",
    "import of all": "IMPORT DATABASE '{folder}/out'",
    "install": "INSTALL httpfs",
    "install by force": "FORCE INSTALL httpfs",
    "install from elsewhere": "INSTALL 'http://127.0.0.1:{port}/x.duckdb_extension'",
    "load": "LOAD httpfs",
    "load from a folder": "LOAD '{folder}/evil.duckdb_extension'",
    "CSV by http": "SELECT * FROM read_csv('http://127.0.0.1:{port}/a.csv')",
    "Parquet by http": "SELECT * FROM 'http://127.0.0.1:{port}/a.parquet'",
    "a database by http": "ATTACH 'http://127.0.0.1:{port}/a.duckdb' AS far",
    "another engine": "ATTACH 'host=127.0.0.1 port={port}' AS far (TYPE postgres)",
    "a secret": "CREATE SECRET s (TYPE s3)",
    "a secret that stays": "CREATE PERSISTENT SECRET s (TYPE s3)",
    "a table beside ours": "CREATE TABLE sales_table.main.more AS SELECT 1",
    "drop": "DROP TABLE sales_table.main.data",
    "delete": "DELETE FROM sales_table.main.data",
    "insert": "INSERT INTO sales_table.main.data VALUES (1)",
    "update": "UPDATE sales_table.main.data SET k = 1",
    "alter": "ALTER TABLE sales_table.main.data ADD COLUMN more int",
}
PROBES = {**FILES, **SETTINGS, **OTHERS}
COUNT = "SELECT count(*), NULL, NULL FROM sales_table.main.data"


def statement(sql):
    return Statement(sql, (), (Column("a"),), figures=True)


@pytest.fixture(scope="module")
def shut(bench_at, tmp_path_factory):
    bench = bench_at(tmp_path_factory.mktemp("shut"))
    return bench.engine(bench.load({"k": list(range(1_000))}))


@pytest.fixture
def listening():
    """A socket that nobody may connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)  # noqa: FBT003 - its only argument
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.fixture
def folder(tmp_path):
    """A folder with a file of each kind, and nothing more afterwards."""
    (tmp_path / "a.csv").write_text("a\ncanary\n")
    (tmp_path / "a.json").write_text('[{"a": "canary"}]')
    pq.write_table(pa.table({"a": ["canary"]}), tmp_path / "a.parquet")
    duckdb.connect(tmp_path / "other.duckdb").close()
    return tmp_path


def test_there_are_enough_probes():
    assert len(set(PROBES.values())) == len(FILES) + len(SETTINGS) + len(OTHERS) >= 40


@pytest.mark.parametrize("probe", PROBES)
def test_the_box_is_shut(shut, folder, listening, monkeypatch, probe):
    # Where the engine looks for a name that is no table: where it is called from.
    monkeypatch.setattr("app.engine.duck.secret_rows", pa.table({"a": [1]}), raising=False)
    before = sorted(folder.iterdir())
    sql = PROBES[probe].format(folder=folder, port=listening.getsockname()[1])
    with pytest.raises(duckdb.Error):
        shut.run(statement(sql))
    assert sorted(folder.iterdir()) == before
    assert shut.run(statement(COUNT)).cells == [(1_000,)]


@pytest.mark.parametrize("probe", [*FILES, *SETTINGS])
def test_what_the_box_refuses_would_work_without_it(bench, folder, listening, probe):
    secret_rows = pa.table({"a": [1]})
    sql = PROBES[probe].format(folder=folder, port=listening.getsockname()[1])
    connect(bench.limits).execute(sql)
    assert secret_rows.num_rows
