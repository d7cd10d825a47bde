"""PostgreSQL as a source: every kind of object, compared with what PostgreSQL itself says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres_world import postgres_server
from psycopg.rows import dict_row

from metadata_extraction.outputs import PARQUET_SCHEMAS
from metadata_extraction.sources import Source, SourceError, open_source

SCRIPT = r'''
create schema sales;
comment on schema sales is 'What is sold';
create schema "Ödd / ""Näme"".1";
create schema pgfoo;
create schema "pg-x";
create schema empty;
create type sales.mood as enum ('good', 'bad');
create domain sales.positive as integer not null check (value > 0);

create table sales.customers (
    id integer generated always as identity primary key,
    gone text,
    name varchar(40) not null default 'nobody',
    balance numeric(10, 2),
    tags text[],
    feeling sales.mood,
    age sales.positive,
    upper_name text generated always as (upper(name)) stored,
    seen timestamp(3) with time zone default now(),
    code char(3)
);
alter table sales.customers drop column gone;
comment on table sales.customers is 'It''s who buys';
comment on column sales.customers.balance is 'In euros';
create table sales.orders (
    customer integer references sales.customers,
    number integer,
    primary key (customer, number)
);
create table pgfoo.lines (
    line integer primary key, order_customer integer, order_number integer,
    foreign key (order_number, order_customer) references sales.orders (number, customer)
);
create table "pg-x"."a.b/c ""d""" ("x y" integer, "Ünï" text);
create table sales.nothing ();
create view sales.rich as select name, balance from sales.customers where balance > 1000;
create materialized view sales.totals as select customer, count(*) as orders from sales.orders group by customer;
create table sales.events (day date not null, what text) partition by range (day);
create table sales.events_2025 partition of sales.events for values from ('2025-01-01') to ('2026-01-01') partition by list (what);
create table sales.events_2025_a partition of sales.events_2025 for values in ('a');
create table sales.many (id integer, note text);
insert into sales.many select generate_series(1, 1000), 'note';
create temporary table passing (id integer);
create foreign data wrapper nowhere;
create server elsewhere foreign data wrapper nowhere;
create foreign table sales.remote (id integer, name text) server elsewhere;

create function sales.add(a integer, integer, out total integer) language sql as 'select a + $2';
create function sales.add(a text, variadic more text[]) returns text language sql immutable as 'select a';
create procedure sales.add(inout n integer) language plpgsql as 'begin n := n + 1; end';
create function sales.rows() returns table (id integer, name text) language sql as 'select id, name from sales.customers';
create aggregate sales.collect(text) (sfunc = textcat, stype = text);
comment on function sales.rows() is 'All of them';
analyze;
'''


@pytest.fixture(scope="module")
def url(make_database: Callable[..., str]) -> str:
    return make_database(SCRIPT)


@pytest.fixture(scope="module")
def source(url: str) -> Source:
    return open_source(url, False, 60)


@pytest.fixture(scope="module")
def database(source: Source) -> str:
    (row,) = source.databases()
    return row["database_name"]


@pytest.fixture(scope="module")
def schemas(source: Source, database: str) -> list[str]:
    return [row["schema_name"] for row in source.schemas(database)]


@pytest.fixture(scope="module")
def tables(source: Source, database: str, schemas: list[str]) -> dict[str, dict]:
    return {row["table_name"]: row for row in source.tables(database, schemas)}


@pytest.fixture(scope="module")
def columns(source: Source, database: str, schemas: list[str]) -> dict[tuple[str, str], dict]:
    return {(row["table_name"], row["column_name"]): row for row in source.columns(database, schemas)}


@pytest.fixture(scope="module")
def procedures(source: Source, database: str, schemas: list[str]) -> list[dict]:
    return list(source.procedures(database, schemas))


def test_schemas_but_the_systems(source: Source, database: str) -> None:
    rows = {row["schema_name"]: row for row in source.schemas(database)}
    assert set(rows) == {"sales", 'Ödd / "Näme".1', "pgfoo", "pg-x", "empty", "public"}
    assert (rows["sales"]["comment"], rows["sales"]["table_count"], rows["sales"]["view_count"]) == (
        "What is sold",
        6,
        2,
    )
    assert (rows["empty"]["table_count"], rows["empty"]["view_count"]) == (0, 0)


def test_every_kind_of_table(tables: dict[str, dict]) -> None:
    assert {name: row["table_kind"] for name, row in tables.items()} == {
        "customers": "table",
        "orders": "table",
        "lines": "table",
        'a.b/c "d"': "table",
        "nothing": "table",
        "many": "table",
        "rich": "view",
        "totals": "materialised view",
        "events": "partitioned",
        "events_2025": "partition",
        "events_2025_a": "partition",
        "remote": "foreign",
    }


def test_what_is_known_of_a_table(tables: dict[str, dict]) -> None:
    assert tables["customers"]["comment"] == "It's who buys"
    assert (tables["customers"]["column_count"], tables["nothing"]["column_count"]) == (9, 0)
    assert tables["many"]["row_count"] == 1000
    assert tables["many"]["size_bytes"] >= 40_000
    assert "balance > " in tables["rich"]["definition"]
    assert tables["totals"]["definition"].strip().lower().startswith("select")
    assert tables["events"]["partition_key"] == "RANGE (day)"
    parent = ("parent_schema_name", "parent_table_name")
    assert tuple(tables["events_2025"][name] for name in parent) == ("sales", "events")
    assert tuple(tables["events_2025_a"][name] for name in parent) == ("sales", "events_2025")
    assert tuple(tables["customers"][name] for name in parent) == (None, None)


def test_columns_are_those_of_the_information_schema(url: str, columns: dict[tuple[str, str], dict]) -> None:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        told = connection.execute(
            "select table_schema, table_name, column_name, character_maximum_length, numeric_precision, numeric_scale, "
            "is_nullable, column_default from information_schema.columns where table_schema not in ('information_schema', 'pg_catalog') "
            "and table_schema not like 'pg\\_temp%' and table_name <> 'totals'"  # it leaves out materialised views
        ).fetchall()
    assert len(told) == len([name for name in columns if name[0] != "totals"]) > 20
    for row in told:
        ours = columns[(row["table_name"], row["column_name"])]
        for theirs, name in {
            "table_schema": "schema_name",
            "character_maximum_length": "max_length",
            "numeric_precision": "numeric_precision",
            "numeric_scale": "numeric_scale",
        }.items():
            assert ours[name] == row[theirs], (row["table_name"], row["column_name"], name)
        assert ours["is_nullable"] == (row["is_nullable"] == "YES")
        assert ours["default_value"] == row["column_default"]


def test_what_is_known_of_a_column(columns: dict[tuple[str, str], dict]) -> None:
    types = {
        name: columns[("customers", name)]["data_type"]
        for name in ("name", "balance", "tags", "feeling", "age", "seen", "code")
    }
    assert types == {
        "name": "character varying(40)",
        "balance": "numeric(10,2)",
        "tags": "text[]",
        "feeling": "sales.mood",
        "age": "sales.positive",
        "seen": "timestamp(3) with time zone",
        "code": "character(3)",
    }
    positions = [columns[("customers", name)]["position"] for name in ("id", "name", "balance", "code")]
    assert positions == [1, 2, 3, 9]  # without a gap where a column was dropped
    assert columns[("customers", "balance")]["comment"] == "In euros"
    assert columns[("customers", "age")]["is_nullable"] is False
    assert columns[("totals", "orders")]["data_type"] == "bigint"
    assert columns[('a.b/c "d"', "Ünï")]["data_type"] == "text"


def test_keys(columns: dict[tuple[str, str], dict]) -> None:
    primary = {name for name, row in columns.items() if row["is_primary_key"]}
    assert primary == {("customers", "id"), ("orders", "customer"), ("orders", "number"), ("lines", "line")}
    foreign = {
        name: (row["foreign_schema_name"], row["foreign_table_name"], row["foreign_column_name"])
        for name, row in columns.items()
        if row["foreign_table_name"]
    }
    assert foreign == {
        ("orders", "customer"): ("sales", "customers", "id"),
        ("lines", "order_customer"): ("sales", "orders", "customer"),
        ("lines", "order_number"): ("sales", "orders", "number"),
    }


def test_procedures_and_functions(procedures: list[dict]) -> None:
    told = {(row["procedure_kind"], row["procedure_name"], tuple(row["arguments"])): row for row in procedures}
    assert set(told) == {
        ("function", "add", ("a integer", "integer", "OUT total integer")),
        ("function", "add", ("a text", "VARIADIC more text[]")),
        ("procedure", "add", ("INOUT n integer",)),
        ("function", "rows", ()),
    }
    assert [row["overloads"] for row in procedures if row["procedure_name"] == "add"].count(2) == 2
    assert len({row["signature"] for row in procedures if row["procedure_kind"] == "function"}) == 3
    rows = told[("function", "rows", ())]
    assert (rows["language"], rows["comment"], rows["return_type"]) == (
        "sql",
        "All of them",
        "TABLE(id integer, name text)",
    )
    assert rows["definition"].startswith("CREATE OR REPLACE FUNCTION sales.rows()")
    assert told[("procedure", "add", ("INOUT n integer",))]["language"] == "plpgsql"


def test_rows_have_the_fields_of_the_files(
    source: Source, database: str, tables: dict, columns: dict, procedures: list[dict]
) -> None:
    samples = {
        "database": next(iter(source.databases())),
        "schema": next(iter(source.schemas(database))),
        "table": next(iter(tables.values())),
        "column": next(iter(columns.values())),
        "procedure": procedures[0],
    }
    assert {name: set(row) for name, row in samples.items()} == {
        name: set(schema.names) for name, schema in PARQUET_SCHEMAS.items()
    }


def test_the_database_of_the_url_or_every_one(url: str, make_database: Callable[..., str]) -> None:
    make_database("select 1", 'Ünusual "name" %41/x')
    assert len(list(open_source(url, False, 60).databases())) == 1
    names = {row["database_name"] for row in open_source(url, True, 60).databases()}
    assert 'Ünusual "name" %41/x' in names
    assert "template1" not in names


def test_an_empty_database(make_database: Callable[..., str]) -> None:
    source = open_source(make_database("drop schema public"), False, 60)
    (row,) = source.databases()
    assert list(source.schemas(row["database_name"])) == []
    assert list(source.tables(row["database_name"], [])) == []


def test_a_statement_that_takes_too_long_is_told(url: str, make_database: Callable[..., str]) -> None:
    source: Any = open_source(url, False, 1)
    with pytest.raises(SourceError, match="a statement took over 1 seconds: raise STATEMENT_TIMEOUT_SECONDS"):
        list(source._query(source._entry, "select pg_sleep(3)"))


def test_names_in_an_error_say_nothing_about_its_kind(url: str) -> None:
    """What PostgreSQL quotes is anybody's wording; what an error is about, its SQLSTATE tells."""
    source: Any = open_source(url, False, 60)
    for name in ("password authentication", "permission denied", "database that is no database"):
        with pytest.raises(SourceError) as caught:
            list(source._query(source._entry, f'select from "{name}"'))
        assert f'relation "{name}" does not exist' in str(caught.value)
        assert "SOURCE_URL" not in str(caught.value)
        assert "no rights" not in str(caught.value)


def test_nothing_can_be_written(url: str) -> None:
    source: Any = open_source(url, False, 60)
    with source._connect(source._entry) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("create table public.oops ()")


# What is wrong, in one sentence


@pytest.fixture(scope="module")
def guarded() -> Iterator[Path]:
    """A PostgreSQL that asks for passwords; yields its folder, which has its socket."""
    with postgres_server() as (running, folder):
        _guard(running, folder)
        yield folder


def _guard(running: Any, folder: Path) -> None:
    with psycopg.connect(running.get_uri(), autocommit=True) as connection:
        connection.execute("create role reader login password 'right:p@ss'")
        connection.execute("revoke select on pg_catalog.pg_class, pg_catalog.pg_proc from public")
        connection.execute("create role nobody login password 'right:p@ss'")
        connection.execute("create database closed")
        connection.execute("revoke connect on database closed from public")
    rules = folder / "pg_hba.conf"
    rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    with psycopg.connect(running.get_uri(), autocommit=True) as connection:
        connection.execute("select pg_reload_conf()")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "postgresql://reader:wrong-pass@/postgres?host={host}",
            "refuses reader: check the user and the password in SOURCE_URL.",
        ),
        (
            "host={host} user=reader password='wrong-pass' dbname=postgres",
            "refuses reader: check the user and the password",
        ),
        ("postgresql://postgres@/nowhere?host={host}", "There is no database nowhere on PostgreSQL"),
        ("postgresql://reader:right%3Ap%40ss@/closed?host={host}", "reader has no rights on it"),
        (
            "postgresql://u:wrong-pass@127.0.0.1:1/db",
            "cannot be reached: check host and port in SOURCE_URL, and the network.",
        ),
        ("postgresql://u:wrong-pass@no-such-host.invalid/db", "cannot be reached: check host and port"),
        ("postgresql://postgres@/postgres?host=/nowhere", "cannot be reached: check host and port"),
    ],
    ids=["password", "libpq string", "no database", "no rights", "nobody there", "no host", "no socket"],
)
def test_a_fault_is_one_sentence_without_the_password(guarded: Path, address: str, said: str) -> None:
    (fault,) = open_source(address.format(host=guarded), False, 60).preflight()
    assert said in fault
    assert "\n" not in fault
    assert "wrong-pass" not in fault


def test_no_rights_on_the_catalogue_are_told_table_by_table(guarded: Path) -> None:
    faults = open_source(f"postgresql://reader:right%3Ap%40ss@/postgres?host={guarded}", False, 60).preflight()
    assert faults == [
        f"The user reader may not read pg_catalog.{name} in the database postgres: GRANT SELECT ON pg_catalog.{name} TO it."
        for name in ("pg_class", "pg_proc")
    ]


@pytest.mark.parametrize("address", ["mysql://u:wrong-pass@host/db", "not an address", "postgresql://[::1/db"])
def test_no_address_is_told(address: str) -> None:
    with pytest.raises(
        SourceError, match="SOURCE_URL is no address of a database: write it like postgresql://"
    ) as caught:
        open_source(address, False, 60)
    assert "wrong-pass" not in str(caught.value)
