"""Snowflake as a source, stood in for by fakesnow: the same rows as PostgreSQL gives.

fakesnow has no view of procedures and no imported keys by schema, so these are tried on a real account only.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from snowflake.connector.errors import ProgrammingError
from snowflake_world import connect, needs_fakesnow, snowflake_server

from metadata_extraction.outputs import PARQUET_SCHEMAS
from metadata_extraction.rows import SourceRow
from metadata_extraction.sources import Source, SourceError, open_source
from metadata_extraction.sources.snowflake import SnowflakeSource

pytestmark = needs_fakesnow

STATEMENTS = [
    "create database SHOP",
    "use database SHOP",
    "create schema SALES comment = 'What is sold'",
    """create table SALES.ORDERS (
        ID int primary key, NAME varchar(30) not null default 'x', AMOUNT number(10, 2), "lower case" text
    ) comment = 'One row for each order'""",
    "create view SALES.BIG as select ID, AMOUNT from SALES.ORDERS where AMOUNT > 1000",
    "insert into SALES.ORDERS values (1, 'a', 2.5, 'b')",
    'create schema "Ödd one"',
    'create table "Ödd one"."Täble" (A int)',
]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with snowflake_server() as port:
        with connect(port) as connection, connection.cursor() as cursor:
            for statement in STATEMENTS:
                cursor.execute(statement)
        yield port


@pytest.fixture(scope="module")
def source(port: int) -> Source:
    return open_source(f"snowflake://fake:pass-word@127.0.0.1:{port}/shop?account=fakesnow&protocol=http", False, 60)


SCHEMA_NAMES = ["SALES", "Ödd one"]


def test_databases_and_schemas(source: Source) -> None:
    assert [row["database_name"] for row in source.databases()] == ["SHOP"]
    assert [row["schema_name"] for row in source.schemas("SHOP")] == SCHEMA_NAMES


def test_tables_and_views(source: Source) -> None:
    rows = {row["table_name"]: row for row in source.tables("SHOP", SCHEMA_NAMES)}
    assert {name: (row["schema_name"], row["table_kind"], row["column_count"]) for name, row in rows.items()} == {
        "ORDERS": ("SALES", "table", 4),
        "BIG": ("SALES", "view", 2),
        "Täble": ("Ödd one", "table", 1),
    }
    assert (rows["ORDERS"]["row_count"], rows["ORDERS"]["comment"]) == (1, "One row for each order")
    assert "AMOUNT > 1000" in rows["BIG"]["definition"]


def test_columns(source: Source) -> None:
    rows = [row for row in source.columns("SHOP", SCHEMA_NAMES) if row["table_name"] == "ORDERS"]
    told = [
        (row["position"], row["column_name"], row["data_type"], row["is_nullable"], row["is_primary_key"])
        for row in rows
    ]
    assert told == [
        (1, "ID", "NUMBER(38,0)", False, True),
        (2, "NAME", "TEXT(30)", False, False),
        (3, "AMOUNT", "NUMBER(10,2)", True, False),
        (4, "lower case", "TEXT(16777216)", True, False),
    ]
    assert (rows[2]["numeric_precision"], rows[2]["numeric_scale"], rows[1]["max_length"]) == (10, 2, 30)


def test_rows_have_only_fields_of_the_files(source: Source) -> None:
    for typename, rows in {
        "database": source.databases(),
        "schema": source.schemas("SHOP"),
        "table": source.tables("SHOP", SCHEMA_NAMES),
        "column": source.columns("SHOP", SCHEMA_NAMES),
    }.items():
        for row in rows:
            assert set(row) <= set(PARQUET_SCHEMAS[typename].names)


def test_procedures_that_cannot_be_read_are_said_and_end_nothing(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("delta_arc").propagate = True
    assert list(source.procedures("SHOP", SCHEMA_NAMES)) == []
    assert "The procedures of SHOP are left out" in caplog.text
    assert "The functions of SHOP are left out" in caplog.text


HOSTILE = [
    "it's",
    "\\' or 1=1 --",
    "\\') union all select 'x','y','VIEW',1,1,'z' --",
    "{schemas}",
    "{database} {0} {} {kind",
    '"quoted" -- ',
    "100% %s %(schemas)s ? :1 $1 &x",
    "a; drop schema SALES",
    "line\nbreak \u202e",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_a_schema_is_a_name_and_no_statement(port: int, source: Source, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    made = False
    with connect(port) as connection, connection.cursor() as cursor, contextlib.suppress(ProgrammingError):
        cursor.execute("use database SHOP")
        cursor.execute(f"create schema {quoted}")  # fakesnow itself cannot make each of them
        cursor.execute(f"create table {quoted}.INSIDE (A int)")
        made = True
    found = [(row["schema_name"], row["table_name"]) for row in source.tables("SHOP", [name])]
    assert found == [(name, "INSIDE")] * made
    assert len(list(source.tables("SHOP", [*SCHEMA_NAMES, name]))) == 3 + made
    if made:
        assert name in {row["schema_name"] for row in source.schemas("SHOP")}
        assert [row["column_name"] for row in source.columns("SHOP", [name])] == ["A"]


class Sent(SnowflakeSource):
    """A source that keeps what it would send: each statement, and the names that are bound."""

    def __init__(self) -> None:
        super().__init__("snowflake://u:p@account/d", False, 60)
        self.sent: list[tuple[str, list[str]]] = []

    def _query(self, statement: str, names: Sequence[str] = ()) -> Iterator[SourceRow]:
        self.sent.append((statement, list(names)))
        yield from ()


@settings(deadline=None, max_examples=50)
@given(database=st.text(min_size=1), schemas=st.lists(st.text(min_size=1), min_size=1, max_size=3))
@example(database="{schemas}", schemas=["{database}"])
@example(database='a"b{kind}', schemas=["\\' or 1=1 --"])
def test_a_statement_has_names_as_quoted_identifiers_only(database: str, schemas: list[str]) -> None:
    source, quoted = Sent(), '"' + database.replace('"', '""') + '"'
    for read in (source.tables, source.columns, source.procedures):
        assert list(read(database, schemas)) == []
    source.schemas(database)
    for statement, names in source.sent:
        assert quoted in statement
        if statement.startswith("show"):
            place = statement.partition(" in schema ")[2]
            assert place in {f'{quoted}."' + schema.replace('"', '""') + '"' for schema in schemas}
            continue
        rest = statement.replace(f"{quoted}.information_schema", "information_schema")
        assert set(rest) <= set(SENT_WITHOUT_NAMES)
        assert rest.count("?") == len(names)
        assert set(names) <= set(schemas)


SENT_WITHOUT_NAMES = "abcdefghijklmnopqrstuvwxyzINFORMATION_SCHEMAVIEW012 \n\"'_.,()=<>?*"


def test_no_schemas_are_no_rows(source: Source) -> None:
    assert list(source.tables("SHOP", [])) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "snowflake://fake:pass-word@127.0.0.1:{port}/NOPE?account=fakesnow&protocol=http",
            "There is no database NOPE that fake may see",
        ),
        (
            "snowflake://fake:pass-word@127.0.0.1:1/SHOP?account=fakesnow&protocol=http&login_timeout=1",
            "fake or cannot be reached",
        ),
    ],
    ids=["no database", "nobody there"],
)
def test_a_fault_is_one_sentence_without_the_password(port: int, address: str, said: str) -> None:
    (fault,) = open_source(address.format(port=port), False, 60).preflight()
    assert said in fault
    assert "pass-word" not in fault
    assert "\n" not in fault


@pytest.mark.parametrize("address", ["snowflake://account/SHOP", "snowflake://", "snowflake://[u@a/b"])
def test_no_address_is_told(address: str) -> None:
    with pytest.raises(SourceError, match="SOURCE_URL is no address of an account: write it like snowflake://"):
        open_source(address, False, 60)
