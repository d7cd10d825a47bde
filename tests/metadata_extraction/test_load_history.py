"""What a source knows of its loads and exports: statements, events, and the step that writes them.

fakesnow has no COPY_HISTORY, QUERY_HISTORY or pipes, so the first two are tables of the documented shape here. Nor can
pg_stat_statements be had in the embedded PostgreSQL: it is a view of its shape, entered as the extension's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snowflake_world import connect, needs_fakesnow, snowflake_server
from upload_world import LOCAL
from world import BUCKET, PREFIX, World
from world import Run as Run_

from delta_arc.jobs.event_files import read_documents
from delta_arc.jobs.events import make_scope, read_told
from metadata_extraction import load_history
from metadata_extraction.activities import fetch_load_history
from metadata_extraction.load_history import (
    Copy,
    Transfer,
    has_lost_constants,
    make_transfer_event,
    parse_copy_into,
    parse_export,
)
from metadata_extraction.models import Filters, Run
from metadata_extraction.settings import ExtractionSettings, check_extraction_settings
from metadata_extraction.sources import Source, open_source
from metadata_extraction.sources.snowflake import SnowflakeSource
from metadata_extraction.workflow import run_in_process

NOW = datetime.now(timezone.utc).replace(microsecond=0)
LONG_AGO = NOW - timedelta(days=365)

# =====================================================================================================================
# Statements
# =====================================================================================================================


@pytest.mark.parametrize(
    ("sql", "table", "columns"),
    [
        ('copy into db.raw.t (a, "b c") from (select $1, s.$3::int from @db.raw.stage/path/ s)', "DB RAW T", "$1=A $3=b c"),
        ("COPY INTO raw.t FROM @stage/x pattern='.*csv' file_format=(format_name='f')", "RAW T", ""),
        ("copy into t(x,y,z,f,c) from (select $1:id::int, $1:name.first, upper($1:n), metadata$filename, 1 from @s)", "T", "id=X n=Z"),
        ("copy into t(a, b) from @s/select/reserved files=('a.csv')", "T", "$1=A $2=B"),
        ("copy into t(a) from (select $1 || $2 from @s)", "T", ""),
        ("create pipe p auto_ingest=true as\ncopy into \"t\"(a,b) from (select $1, $3 from @s)", "t", "$1=A $3=B"),
        ("copy into t from 's3://b/k/' credentials=(aws_key_id='x' aws_secret_key='y')", "T", ""),
        ("copy into @stage/x from t", None, ""),
        ("copy into 's3://b/x' from (select * from t)", None, ""),
        ("insert into t select 1", None, ""),
        ("copy into", None, ""),
        ("copy into t from (" + "(" * 40_000, None, ""),
        ("copy into t from @s" + " " * 60_000, None, ""),
    ],
)  # fmt: skip
def test_what_copy_into_says(sql: str, table: str | None, columns: str) -> None:
    found = parse_copy_into(sql)
    if table is None or found is None:
        assert found is table
        return
    assert " ".join(found.table) == table
    assert " ".join("=".join(pair) for pair in found.columns) == columns


@pytest.mark.parametrize(
    ("sql", "copy"),
    [
        (
            "COPY sales.orders TO PROGRAM 'aws s3 cp - s3://b/in/o.csv' WITH (FORMAT csv)",
            Copy(("sales", "orders"), (), "s3://b/in/o.csv"),
        ),
        (
            """copy Orders (a, "B c") to program 'gzip | aws --region eu s3 cp --sse AES256 - "s3://b/o.csv.gz"'""",
            Copy(("orders",), (("a", "a"), ("B c", "B c")), "s3://b/o.csv.gz"),
        ),
        (
            'copy (select id, cust as "Customer", upper(x) from Sales."Orders" where y = \'z\') to program \'aws s3 cp - s3://b/o\'',
            Copy(("sales", "Orders"), (("id", "id"), ("cust", "Customer")), "s3://b/o"),
        ),
        (
            "do $$ begin perform aws_s3.query_export_to_s3('select id from orders where n = ''x''', aws_commons.create_s3_uri('b', 'in/o', 'eu')); end $$",
            Copy(("orders",), (("id", "id"),), "s3://b/in/o"),
        ),
        ("select aws_s3.query_export_to_s3('table orders', 'b', 'k', 'eu')", None),
        ("select aws_s3.query_export_to_s3('select 1 from a join b using (id)', 'b', 'k', 'eu')", None),
        ("select aws_s3.query_export_to_s3($1, aws_commons.create_s3_uri($2, $3, $4))", None),
        ("copy orders to program 'gzip > /tmp/x'", None),
        ("copy orders to stdout", None),
        ("copy orders from program 'aws s3 cp s3://b/o -'", None),
        ("create function query_export_to_s3(text) returns int language sql as 'select 1'", None),
    ],
)  # fmt: skip
def test_what_an_export_says(sql: str, copy: Copy | None) -> None:
    assert parse_export(sql) == copy


def test_a_select_whose_constants_are_lost() -> None:
    assert has_lost_constants("SELECT aws_s3.query_export_to_s3($1, aws_commons.create_s3_uri($2, $3, $4))")
    assert not has_lost_constants("do $$ begin perform query_export_to_s3('select 1', 'b', 'k'); end $$")


@settings(deadline=None)
@given(st.text(alphabet="copy into@t()$1:,'\" select from to program awss3-/\n", max_size=60))
def test_no_statement_raises(text: str) -> None:
    for sql in (text, f"copy into {text}", f"copy t to program '{text}'", f"query_export_to_s3({text}"):
        parse_copy_into(sql)
        parse_export(sql)


def test_statements_are_read_in_bounded_time() -> None:
    import time

    before = time.process_time()
    for part in ("aws s3 cp ", "(", "'", '"', "a.", " ", "$1,", "- s3://", ") to program 'aws "):
        sql = part * (load_history.LONGEST_PARSED // len(part) - 10)
        for text in (
            sql,
            f"copy into t({sql}",
            f"copy t to program '{sql}'",
            f"copy ({sql}",
            f"query_export_to_s3({sql}",
        ):
            parse_export(text)
            has_lost_constants(text)
    assert time.process_time() - before < 30


# =====================================================================================================================
# Events
# =====================================================================================================================

LOAD = Transfer(
    "DWH", "RAW", "STG_ORDERS", "s3://landing/in//x1.csv", True, "copy into …", NOW, "copy …", (("$1", "ID"),)
)


def test_a_transfer_is_one_event_and_the_same_each_time() -> None:
    event = make_transfer_event(LOAD, "snowflake://acme")
    assert event == make_transfer_event(LOAD, "snowflake://acme")
    assert event
    assert (event["eventType"], event["inputs"]) == ("COMPLETE", [{"namespace": "s3://landing", "name": "in//x1.csv"}])
    assert (event["outputs"][0]["namespace"], event["outputs"][0]["name"]) == ("snowflake://acme", "DWH.RAW.STG_ORDERS")
    other = make_transfer_event(replace(LOAD, is_load=False), "snowflake://acme")
    assert other
    assert other["run"] != event["run"]
    assert other["outputs"][0]["name"] == "in//x1.csv"


@pytest.mark.parametrize("url", ["/x.csv", "gcs://b/x.csv", "s3://b", "s3://b/", "azure://a/b/c"])
def test_a_file_that_is_not_in_s3_is_no_event(url: str) -> None:
    assert make_transfer_event(replace(LOAD, url=url), "snowflake://acme") is None


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("credentials=(aws_key_id='AK' aws_secret_key = 'it''s')", "credentials=(aws_key_id=*** aws_secret_key = ***)"),
        ("AWS_SECRET_ACCESS_KEY=abc aws s3 cp", "AWS_SECRET_ACCESS_KEY=*** aws s3 cp"),
        ("postgres://u:hush@host/db AKIAABCDEFGHIJKLMNOP", "postgres://u:***@host/db ***"),
        ("select token_count, password from t", "select token_count, password from t"),
    ],
)
def test_no_event_has_a_key(sql: str, kept: str) -> None:
    event = make_transfer_event(replace(LOAD, sql=sql), "snowflake://acme")
    assert event
    assert event["job"]["facets"]["sql"]["query"] == kept


# =====================================================================================================================
# Snowflake
# =====================================================================================================================

HISTORY = """create or replace table snowflake.account_usage.copy_history (
    file_name varchar, stage_location varchar, last_load_time timestamp_tz, row_count int, status varchar,
    table_catalog_name varchar, table_schema_name varchar, table_name varchar,
    pipe_catalog_name varchar, pipe_schema_name varchar, pipe_name varchar)"""
QUERIES = """create or replace table snowflake.account_usage.query_history (
    query_text varchar, query_type varchar, execution_status varchar, start_time timestamp_tz, end_time timestamp_tz,
    database_name varchar, schema_name varchar)"""
STATEMENTS = [
    "create database shop", "create schema shop.raw", "create table shop.raw.stg_orders (order_id int, customer varchar)",
    "create stage shop.raw.landing url='s3://landing/in/'", "create database snowflake",
    "create schema snowflake.account_usage",
]  # fmt: skip


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with snowflake_server() as port:
        run_in_snowflake(port, *STATEMENTS)
        yield port


def run_in_snowflake(port: int, *statements: str) -> None:
    with connect(port) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def row(
    file: str, place: str = "s3://landing/in/", minutes: int = 60, rows: int = 3, status: str = "Loaded", **other: str
) -> str:
    """The statement that puts a load into the history, so many minutes ago."""
    time = (NOW - timedelta(minutes=minutes)).isoformat()
    table, schema = other.get("table", "STG_ORDERS"), other.get("schema", "RAW")
    pipe = "'SHOP', 'RAW', 'P'" if "pipe" in other else "null, null, null"
    values = f"'{file}', '{place}', '{time}', {rows}, '{status}', 'SHOP', '{schema}', '{table}', {pipe}"
    return f"insert into snowflake.account_usage.copy_history values ({values})"


def address(port: int) -> str:
    return f"snowflake://fake:pass-word@127.0.0.1:{port}/shop?account=fakesnow&protocol=http"


@pytest.fixture
def snowflake(port: int) -> Source:
    run_in_snowflake(port, HISTORY, QUERIES)
    return open_source(address(port), False, 60)


def transfers(source: Source, since: datetime = LONG_AGO) -> list[Transfer]:
    return list(source.transfers("SHOP", ["RAW"], since))


@needs_fakesnow
def test_only_loads_that_loaded_rows_of_the_schemas_since_then(port: int, snowflake: Source) -> None:
    run_in_snowflake(
        port,
        row("a.csv"), row("b.csv", status="Partially loaded"), row("c.csv", status="Load failed"), row("d.csv", rows=0),
        row("e.csv", minutes=60 * 24 * 400), row("f.csv", schema="OTHER"), row("g.csv", place="@SHOP.RAW.LANDING"),
        row("h.csv", place="landing"), row("i.csv", place="nowhere"),
    )  # fmt: skip
    found = transfers(snowflake)
    assert [transfer.url for transfer in found] == [
        "s3://landing/in/a.csv", "s3://landing/in/b.csv", "s3://landing/in/g.csv", "s3://landing/in/h.csv", "/i.csv",
    ]  # fmt: skip
    assert (found[0].table, found[0].job, found[0].is_load) == ("STG_ORDERS", "copy into SHOP.RAW.STG_ORDERS", True)
    assert found[0].time == NOW - timedelta(minutes=60)
    assert transfers(snowflake, NOW - timedelta(minutes=59)) == []
    assert snowflake.namespace == "snowflake://fakesnow"


@needs_fakesnow
def test_the_columns_are_those_of_the_statement_that_was_loading(port: int, snowflake: Source) -> None:
    def query(sql: str, start: int, end: int) -> str:
        times = [f"'{(NOW - timedelta(minutes=minutes)).isoformat()}'" for minutes in (start, end)]
        sql = sql.replace("'", "''")
        return f"insert into snowflake.account_usage.query_history values ('{sql}', 'COPY', 'SUCCESS', {', '.join(times)}, 'SHOP', 'RAW')"

    run_in_snowflake(
        port,
        row("a.csv", minutes=60), row("b.csv", minutes=30), row("c.csv", minutes=10),
        query("copy into stg_orders (customer, order_id) from (select $2, $1 from @landing)", 61, 59),
        query("copy into shop.raw.stg_orders (order_id) from @landing files=('b.csv')", 31, 29),
        query("copy into stg_customers (id) from @landing", 11, 9),
        query("copy into @landing from stg_orders", 11, 9),
    )  # fmt: skip
    columns = {transfer.url[-5:]: transfer.columns for transfer in transfers(snowflake)}
    assert columns == {"a.csv": (("$2", "CUSTOMER"), ("$1", "ORDER_ID")), "b.csv": (("$1", "ORDER_ID"),), "c.csv": ()}


@needs_fakesnow
def test_what_may_not_be_read_is_told_with_its_grant_and_fails_nothing(
    port: int, snowflake: Source, caplog: pytest.LogCaptureFixture
) -> None:
    run_in_snowflake(port, row("a.csv", pipe="P"), row("b.csv"), "drop table snowflake.account_usage.query_history")
    with caplog.at_level(logging.WARNING):
        assert len(transfers(snowflake)) == 2
    assert "Which columns COPY loads is not known: " in caplog.text
    assert 'GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE "…"' in caplog.text
    assert "The statements of pipes of SHOP are not known: " in caplog.text
    caplog.clear()
    run_in_snowflake(port, "drop table snowflake.account_usage.copy_history")
    with caplog.at_level(logging.WARNING):
        assert transfers(snowflake) == []
    assert "Only the loads of the last 14 days of SHOP are read, table by table" in caplog.text
    assert "GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE" in caplog.text
    # Nor has fakesnow the table function.
    assert "The load history of SHOP is left out: " in caplog.text


@needs_fakesnow
def test_the_table_function_and_pipes_as_they_are_documented(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(address(port), False, 60)
    assert isinstance(source, SnowflakeSource)
    asked: list[tuple[str, Any]] = []
    real = source._query

    def answer(statement: str, names: Any = ()) -> Iterator[Any]:
        asked.append((statement, names))
        if "account_usage.copy_history" in statement:
            yield from real("select * from nowhere")
        elif "information_schema.copy_history" in statement:
            names_of = {"database_name": "SHOP", "schema_name": "RAW", "table_name": "STG_ORDERS", "pipe_name": "P"}
            pipe = {"pipe_database_name": "SHOP", "pipe_schema_name": "RAW"}
            yield {"file_name": "x1.csv", "stage_location": "s3://landing/in/", "time": NOW, **names_of, **pipe}
        elif statement.startswith("show pipes"):
            definition = "copy into shop.raw.stg_orders (order_id) from @landing"
            yield {"database_name": "SHOP", "schema_name": "RAW", "name": "P", "definition": definition}
        else:
            yield from real(statement, names)

    monkeypatch.setattr(source, "_query", answer)
    (found,) = source.transfers("SHOP", ["RAW"], LONG_AGO)
    assert (found.url, found.job, found.columns) == ("s3://landing/in/x1.csv", "pipe SHOP.RAW.P", (("$1", "ORDER_ID"),))
    (names,) = [names for statement, names in asked if "information_schema.copy_history" in statement]
    assert names[0] == '"SHOP"."RAW"."STG_ORDERS"'
    assert NOW - datetime.fromisoformat(names[1]) < timedelta(days=14)


# =====================================================================================================================
# PostgreSQL
# =====================================================================================================================

STAND_IN = """
create schema sales; create table sales.orders (id int); create schema hr; create table hr.people (id int);
create schema other; create table other.people (id int); create schema stats;
create table stats.told (query text, calls bigint, dbid oid);
create view stats.pg_stat_statements as select query, calls, dbid from stats.told;
set allow_system_table_mods = on;
insert into pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    values (99999, 'pg_stat_statements', 10, 'stats'::regnamespace, false, '1.10');
insert into pg_catalog.pg_depend values
    ('pg_class'::regclass, 'stats.pg_stat_statements'::regclass, 0, 'pg_extension'::regclass, 99999, 0, 'e');
"""
EXPORT = "copy {} to program 'aws s3 cp - s3://landing/in/{}.csv'"


def remember(url: str, *queries: str) -> None:
    with psycopg.connect(url) as connection:
        for query in queries:
            connection.execute(
                "insert into stats.told select %s, 1, oid from pg_database where datname = current_database()", [query]
            )


def exports(url: str, schemas: list[str]) -> list[tuple[str, str, str]]:
    source = open_source(url, False, 60)
    database = next(iter(source.databases()))["database_name"]
    return [(item.schema, item.table, item.url) for item in source.transfers(database, schemas, LONG_AGO)]


def test_the_exports_that_postgresql_remembers(
    make_database: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    url = make_database(STAND_IN)
    remember(
        url,
        EXPORT.format("sales.orders", "a"), EXPORT.format("orders", "b"), EXPORT.format("people", "two-of-this-name"),
        EXPORT.format("hr.people", "c"), EXPORT.format("sales.none", "no-table"), "select 1",
        "select aws_s3.query_export_to_s3($1, aws_commons.create_s3_uri($2, $3, $4))", "<insufficient privilege>",
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        found = exports(url, ["sales", "hr", "other"])
    assert found == [
        ("sales", "orders", "s3://landing/in/a.csv"),
        ("sales", "orders", "s3://landing/in/b.csv"),
        ("hr", "people", "s3://landing/in/c.csv"),
    ]
    assert "1 exports in pg_stat_statements of" in caplog.text
    assert "do not tell their table and file, as it keeps no constants" in caplog.text
    assert "1 statements of others in pg_stat_statements of" in caplog.text
    assert "GRANT pg_read_all_stats TO postgres." in caplog.text
    assert exports(url, ["hr"])[-1] == ("hr", "people", "s3://landing/in/c.csv")


def test_a_view_that_is_not_the_extensions_or_of_no_superuser_is_not_read(make_database: Callable[..., str]) -> None:
    url = make_database(STAND_IN)
    remember(url, EXPORT.format("sales.orders", "a"))
    assert len(exports(url, ["sales"])) == 1
    with psycopg.connect(url) as connection:
        connection.execute(
            "create role mallory_of_history; alter view stats.pg_stat_statements owner to mallory_of_history"
        )
    assert exports(url, ["sales"]) == []
    plain = make_database(
        "create schema s; create table s.t (query text, calls int, dbid oid); create view pg_stat_statements as select * from s.t"
    )
    assert exports(plain, ["s"]) == []


def test_a_view_that_cannot_be_read_fails_nothing(
    make_database: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    url = make_database(STAND_IN.replace("calls bigint, ", "").replace("query, calls, dbid", "query, dbid"))
    with caplog.at_level(logging.WARNING):
        assert exports(url, ["sales"]) == []
    assert "are left out: column s.calls does not exist" in caplog.text


# =====================================================================================================================
# The step
# =====================================================================================================================


def settings_of(folder: Path, url: str) -> ExtractionSettings:
    (folder / "components").mkdir(exist_ok=True)
    (folder / "components/objectstore.yaml").write_text(LOCAL.format(name="objectstore", root=folder / "o"))
    return check_extraction_settings({"SOURCE_URL": url, "ATLAN_CONNECTION_QUALIFIED_NAME": "default/snowflake/2"})


def run_of(number: int) -> Run:
    return Run("nightly", str(number), "dwh", "default/snowflake/2", Filters(), False)


def history(folder: Path) -> list[Path]:
    return sorted((folder / "o/artifacts/apps/delta-arc/load-history/default/snowflake/2").rglob("*.jsonl"))


@needs_fakesnow
def test_each_run_adds_what_is_new_and_a_repeated_step_writes_it_once(
    port: int, snowflake: Source, empty_folder: Path
) -> None:
    settings = settings_of(empty_folder, address(port))
    run_in_snowflake(port, row("old.csv", minutes=60 * 24 * 10), row("late.csv", minutes=60 * 24))
    assert fetch_load_history(run_of(1), settings).rows == 2
    assert fetch_load_history(run_of(1), settings).rows == 2
    assert len(history(empty_folder)) == 1
    run_in_snowflake(port, row("new.csv", minutes=1))
    # With what may have come late to the view, and no more.
    assert fetch_load_history(run_of(2), settings).rows == 2
    names = [json.loads(line)["inputs"][0]["name"] for path in history(empty_folder) for line in path.open()]
    assert sorted(names) == ["in/late.csv", "in/late.csv", "in/new.csv", "in/old.csv"]
    # What is no time in a name is nobody's.
    (history(empty_folder)[0].parent / "99999999T999999Z-0.events.jsonl").write_text("")
    assert fetch_load_history(run_of(3), settings).rows == 2


@needs_fakesnow
def test_an_extraction_tells_the_lineage_of_its_loads(port: int, snowflake: Source, empty_folder: Path) -> None:
    settings = settings_of(empty_folder, address(port))
    run_in_snowflake(port, row("x1.csv"), row("x2.csv", minutes=30))
    result = run_in_process(run_of(1), settings)
    (written,) = [item for item in result.written if item.typename == "transfer"]
    assert (written.rows, written.files) == (2, 1)
    assets = [["default/snowflake/2/SHOP/RAW/STG_ORDERS", "STG_ORDERS", "Table"]]
    folder = str(empty_folder / "o/artifacts/apps/delta-arc/load-history")
    told = read_told(read_documents(folder, lambda: None), make_scope("landing", [], assets))
    assert [(hop.key, hop.target) for hop in told.hops] == [("in/x1.csv", assets[0][0]), ("in/x2.csv", assets[0][0])]
    assert {hop.job for hop in told.hops} == {"copy into SHOP.RAW.STG_ORDERS"}
    assert told.problems == ()


def test_a_source_without_a_history_writes_nothing(make_database: Callable[..., str], empty_folder: Path) -> None:
    settings = settings_of(empty_folder, make_database("create table t (a int)"))
    result = run_in_process(replace(run_of(1), connection_qualified_name="default/snowflake/2"), settings)
    assert [item.typename for item in result.written if item.typename == "transfer"] == []
    assert history(empty_folder) == []


@needs_fakesnow
def test_the_load_history_makes_chains_to_tables_of_other_names(
    port: int,
    snowflake: Source,
    world: World,
    run: Callable[..., Run_],
    empty_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = "default/snowflake/1757530705/SHOP/RAW/STG_ORDERS"
    names = {"connectionQualifiedName": "default/snowflake/1757530705", "connectorName": "snowflake"}
    world.save({"typeName": "Table", "attributes": {"qualifiedName": target, "name": "STG_ORDERS", **names}})
    place = f"s3://{BUCKET}/{PREFIX}"
    run_in_snowflake(port, row("ORDERS.csv", place=place), row("SHIPPERS.csv", place=place, status="Load failed"))
    settings = settings_of(empty_folder, address(port))
    assert fetch_load_history(run_of(1), settings).rows == 1
    monkeypatch.setenv("LINEAGE_EVENTS", str(empty_folder / "o/artifacts/apps/delta-arc/load-history"))
    ended = run("--force-refresh")
    assert ended.code == 0
    assert "🔗 1 hops are told by 1 OpenLineage events" in ended.out
    loads = [asset for asset in world.assets("Process") if target in str(asset["attributes"]["outputs"])]
    assert [asset["attributes"]["name"] for asset in loads] == [f"{place}ORDERS.csv → STG_ORDERS"]
    assert "as job copy into SHOP.RAW.STG_ORDERS (run " in loads[0]["attributes"]["description"]
