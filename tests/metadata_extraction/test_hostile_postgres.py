"""PostgreSQL owned by somebody who means harm, or in use by others: nothing of his runs, and a lock costs one table."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres_world import outside_folder
from upload_world import LOCAL

from metadata_extraction import sample
from metadata_extraction.models import Filters, Run
from metadata_extraction.settings import check_extraction_settings
from metadata_extraction.sources import Source, SourceError, open_source
from metadata_extraction.sources import postgres as module
from metadata_extraction.workflow import run_in_process

# What leaves a trace, also within a read-only transaction: a file beside the server's.
TRAP = """
create schema trap;
create function trap.spring(what text) returns boolean language plpgsql as $$
begin
    execute pg_catalog.format('copy (select 1) to %L', pg_catalog.current_setting('data_directory') || '/' || '{mark}');
    return true;
end $$;
"""
# Of the same names and arguments as what a crawl could call, so that whoever looks into `trap` first takes them.
FUNCTIONS = {
    "set_config": ("text, text, boolean", "text"),
    "current_database": ("", "name"),
    "shobj_description": ("oid, name", "text"),
    "obj_description": ("oid, name", "text"),
    "col_description": ("oid, integer", "text"),
    "has_database_privilege": ("oid, text", "boolean"),
    "format_type": ("oid, integer", "text"),
    "pg_get_viewdef": ("oid", "text"),
    "pg_get_expr": ("pg_node_tree, oid", "text"),
    "pg_get_partkeydef": ("oid", "text"),
    "pg_get_functiondef": ("oid", "text"),
    "pg_get_function_result": ("oid", "text"),
    "pg_get_function_identity_arguments": ("oid", "text"),
    "pg_total_relation_size": ("regclass", "bigint"),
    "array_position": ("smallint[], smallint", "integer"),
    "concat_ws": ("text, text, text, text", "text"),
}
OPERATORS = [
    ("=", "name", "name"), ("=", "oid", "oid"), ("=", '"char"', '"char"'), ("=", "name", "text"), ("<>", "name", "text"),
    ("!~~", "name", "text"), (">", "smallint", "integer"), (">=", "real", "integer"), ("=", "smallint", "smallint"),
    ("<>", '"char"', '"char"'), ("=", "integer", "integer"), ("<>", "integer", "integer"), ("-", "integer", "integer"),
]  # fmt: skip


def trap(mark: str) -> str:
    script = TRAP.replace("{mark}", mark)
    for name, (arguments, result) in FUNCTIONS.items():
        script += (
            f"create function trap.{name}({arguments}) returns {result} language plpgsql as "
            f"$$ begin perform trap.spring('{name}'); return null; end $$;\n"
        )
    for number, (operator, left, right) in enumerate(OPERATORS):
        result = "integer" if operator == "-" else "boolean"
        script += (
            f"create function trap.operator_{number}({left}, {right}) returns {result} language plpgsql as "
            f"$$ begin perform trap.spring('{operator}'); return null; end $$;\n"
            f"create operator trap.{operator} (leftarg = {left}, rightarg = {right}, function = trap.operator_{number});\n"
        )
    return script + 'create collation trap."C" from pg_catalog."POSIX";\ncreate domain trap.int4 as text;\n'


PATIENT = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
WORLD = """
create schema shop;
create table shop.orders (id integer primary key, name varchar(9) default 'x', day date default '2026-01-31');
create table shop.lines (id integer references shop.orders);
create view shop.first as select id, name from shop.orders where id < 9;
create function shop.total() returns bigint begin atomic select count(*) from shop.orders; end;
"""


def crawl(source: Source) -> dict[str, list[dict[str, Any]]]:
    """Everything of the one database that the source is of."""
    (database,) = (row["database_name"] for row in source.databases())
    schemas = [row["schema_name"] for row in source.schemas(database) if row["schema_name"] != "trap"]
    return {
        "schemas": [row for row in source.schemas(database) if row["schema_name"] != "trap"],
        "tables": list(source.tables(database, schemas)),
        "columns": list(source.columns(database, schemas)),
        "procedures": list(source.procedures(database, schemas)),
    }


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is logged, with the program's log shown to pytest."""
    logging.getLogger("delta_arc").propagate = True
    yield caplog
    logging.getLogger("delta_arc").propagate = False


def is_sprung(url: str, mark: str) -> bool:
    with psycopg.connect(url, options=f"{PATIENT} -c search_path=pg_catalog") as connection:
        found = connection.execute("select (pg_stat_file(%s, true)).size", [mark]).fetchone()
    return found is not None and found[0] is not None


@pytest.mark.parametrize("of", ["the database", "the role in it"])
def test_nothing_that_the_owner_of_a_database_made_is_run(make_database: Callable[..., str], of: str) -> None:
    mark = f"sprung-{uuid.uuid4().hex}"
    url, plain = make_database(trap(mark) + WORLD), make_database(WORLD)
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        place = f"database {name}" if of == "the database" else f"role postgres in database {name}"
        for setting in (
            "search_path to trap, public, pg_catalog",
            "row_security to on",
            "standard_conforming_strings to off",
            "quote_all_identifiers to on",
            "statement_timeout to 1",
            "lock_timeout to 1",
            "idle_in_transaction_session_timeout to 1",
            "client_encoding to latin1",
        ):
            connection.execute(f"alter {place} set {setting}")  # type: ignore[arg-type]
    with psycopg.connect(url, options=PATIENT) as connection, contextlib.suppress(psycopg.Error):
        connection.execute("select set_config('a.b', 'c', false)")
    assert is_sprung(url, mark)  # the trap is one
    with psycopg.connect(url, options=f"{PATIENT} -c search_path=pg_catalog") as connection:
        os.unlink(Path(str(connection.execute("show data_directory").fetchone()[0])) / mark)  # type: ignore[index]
    found, expected = crawl(open_source(url, False, 60)), crawl(open_source(plain, False, 60))
    assert not is_sprung(url, mark)
    for rows in (*found.values(), *expected.values()):
        for row in rows:
            row.pop("database_name")
            row.pop("size_bytes", None)
    assert found == expected
    assert [row["max_length"] for row in found["columns"] if row["column_name"] == "name"] == [9, 9]


def test_everything_in_a_query_is_named_with_its_schema() -> None:
    """But for operators, which the path that is fixed decides, and for what is a part of the language."""
    language = {
        "coalesce",
        "lateral",
        "nullif",
        "exists",
        "any",
        "in",
        "filter",
        "over",
        "from",
        "as",
        "given",
        "not",
        "and",
        "or",
        "then",
        "by",
    }
    queries = [value for name, value in vars(module).items() if name.endswith("_QUERY")]
    queries += [value.statement for value in vars(module).values() if isinstance(value, module.Details)]
    assert len(queries) == 11
    for query in queries:
        assert set(re.findall(r"(?<![\w.])(\w+)\s*\(", query)) <= language
        assert re.findall(r"::(?!pg_catalog\.)", query) == []
        assert re.findall(r"collate (?!pg_catalog\.)", query) == []
        assert re.findall(r"(?:from|join) (?!pg_catalog\.|rows from|lateral|\()(\w+)", query) == []
        assert "information_schema." not in query


def test_the_options_of_the_address_stay(make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_database("select 1")
    monkeypatch.setenv("PGOPTIONS", "-c geqo_threshold=7")
    source: Any = open_source(url, False, 60)
    with source._connect(source._entry) as connection:
        assert connection.execute("show geqo_threshold").fetchone() == ("7",)
    source = open_source(f"{url}&options=-c%20geqo_threshold%3D8%20-c%20search_path%3Dpublic", False, 60)
    with source._connect(source._entry) as connection:
        assert connection.execute("show geqo_threshold").fetchone() == ("8",)
        assert connection.execute("show search_path").fetchone() == ("pg_catalog, pg_temp",)
        assert connection.execute("show default_transaction_read_only").fetchone() == ("on",)


# Locks


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_MILLISECONDS", 300)


def test_a_table_that_is_locked_costs_its_own_details_only(
    make_database: Callable[..., str], said: pytest.LogCaptureFixture, quick: None
) -> None:
    url = make_database(WORLD)
    with psycopg.connect(url) as other:
        other.execute("lock table shop.orders in access exclusive mode")
        found = crawl(open_source(url, False, 60))
    tables = {row["table_name"]: row for row in found["tables"]}
    assert set(tables) == {"orders", "lines", "first"}
    assert (tables["orders"]["size_bytes"], tables["lines"]["size_bytes"]) == (None, 0)
    assert tables["orders"]["column_count"] == 3
    assert tables["first"]["definition"] is None
    assert len(found["columns"]) == 6
    assert [row["definition"] for row in found["procedures"]] == [None]
    warned = [record.getMessage() for record in said.records if record.levelno == logging.WARNING]
    reason = "(another session has locked it, or a table that it uses)"
    assert [line for line in warned if "superuser" not in line] == [
        f"⚠️ Without its size and definition: shop.first {reason}",
        f"⚠️ Without its size and definition: shop.orders {reason}",
        *[f"⚠️ Without its defaults: shop.orders {reason}"] * (crawl_version(url) >= 170000),
        f"⚠️ Without its definition: shop.total {reason}",
    ]


def crawl_version(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.info.server_version


def test_a_crawl_holds_no_lock_on_the_tables_of_a_view(make_database: Callable[..., str]) -> None:
    url = make_database(WORLD)
    rows = open_source(url, False, 60).tables(psycopg.conninfo.conninfo_to_dict(url)["dbname"], ["shop"])  # type: ignore[arg-type]
    next(rows)
    with psycopg.connect(url) as other:
        other.execute("set lock_timeout to '2s'; lock table shop.orders in access exclusive mode")
    assert len(list(rows)) == 2


def test_a_locked_catalogue_is_one_sentence(make_database: Callable[..., str], quick: None) -> None:
    url = make_database(WORLD)
    source = open_source(url, False, 60)
    (database,) = (row["database_name"] for row in source.databases())
    with psycopg.connect(url) as other:
        other.execute("lock table pg_catalog.pg_attrdef in access exclusive mode")
        with pytest.raises(SourceError, match="another session has locked its catalogue: try again later") as caught:
            list(source.columns(database, ["shop"]))
        (fault,) = source.preflight()
    assert (
        fault
        == str(caught.value)
        == f"{database} cannot be read: another session has locked its catalogue: try again later."
    )


def test_an_estimate_that_is_no_number_of_rows_is_none(make_database: Callable[..., str]) -> None:
    url = make_database(WORLD)
    if crawl_version(url) < 180000:
        pytest.skip("pg_restore_relation_stats is of PostgreSQL 18")
    with psycopg.connect(url) as connection:
        connection.execute(
            "select pg_restore_relation_stats('schemaname', 'shop', 'relname', 'orders', 'reltuples', 3e38::real)"
        )
    (row,) = (row for row in crawl(open_source(url, False, 60))["tables"] if row["table_name"] == "orders")
    assert row["row_count"] is None


# Who reads


def test_a_superuser_is_warned_of_and_a_role_that_may_connect_reads_all(
    make_database: Callable[..., str], said: pytest.LogCaptureFixture
) -> None:
    url = make_database(WORLD)
    source = open_source(url, False, 60)
    assert source.preflight() == []
    assert "⚠️ postgres is a superuser of PostgreSQL" in said.text
    said.clear()
    role = f"reader_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url) as connection:
        connection.execute(f"create role {role} login")  # type: ignore[arg-type]
    least = open_source(url.replace("://postgres", f"://{role}"), False, 60)
    assert least.preflight() == []
    assert said.text == ""
    assert crawl(least) == crawl(source)


@contextlib.contextmanager
def pooler_without_options(folder: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Before a server's socket, what refuses `options` in a startup packet as PgBouncer does; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    refused: list[bytes] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            packet = client.recv(65536)
            while packet[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):  # asks for TLS, or for GSSAPI
                client.sendall(b"N")
                packet = client.recv(65536)
            if b"\0options\0" in packet:
                refused.append(packet)
                fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
                client.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
                return
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(str(folder / ".s.PGSQL.5432"))
                server.sendall(packet)
                threading.Thread(target=pump, args=(server, client), daemon=True).start()
                pump(client, server)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], refused
    finally:
        listener.close()


def test_a_pooler_that_takes_no_options_is_told_by_statements(make_database: Callable[..., str], server: Any) -> None:
    mark = f"sprung-{uuid.uuid4().hex}"
    url = make_database(trap(mark) + WORLD)
    parameters = psycopg.conninfo.conninfo_to_dict(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"alter database {parameters['dbname']} set search_path to trap, pg_catalog")  # type: ignore[arg-type]
    with pooler_without_options(Path(str(parameters["host"]))) as (port, refused):
        found = crawl(open_source(f"postgresql://postgres@127.0.0.1:{port}/{parameters['dbname']}", False, 60))
    assert refused
    assert len(found["tables"]) == 3
    assert not is_sprung(url, mark)


# The sample's server


@pytest.mark.skipif(sys.platform == "win32", reason="asks the server's shell")
def test_the_embedded_server_gets_only_what_it_needs_of_the_environment(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAN_API_TOKEN", "hush-hush")
    monkeypatch.setenv("LC_TIME", "C")
    with outside_folder() as folder, contextlib.ExitStack() as undone:
        monkeypatch.chdir(folder)
        undone.callback(monkeypatch.chdir, empty_folder)
        undone.callback(sample.start_database.cache_clear)
        sample.start_database.cache_clear()
        Path("components").mkdir()
        Path("components/o.yaml").write_text(LOCAL.format(name="objectstore", root=folder / "o"))
        run_in_process(Run("w", "r", "c", "default/postgres/1", Filters(), False), check_extraction_settings({}))
        address = sample.start_database()
        assert os.environ["ATLAN_API_TOKEN"] == "hush-hush"
        with psycopg.connect(address, user="postgres") as connection:
            connection.execute("create temp table seen (line text)")
            connection.execute("copy seen from program 'env'")
            seen = {str(row[0]).partition("=")[0] for row in connection.execute("select line from seen")}
        assert "PATH" in seen
        assert "LC_TIME" in seen
        assert not {name for name in seen if name.startswith(("ATLAN_", "AWS_", "SOURCE_", "PYTEST_"))}
        with psycopg.connect(address) as connection:
            assert connection.info.parameter_status("is_superuser") == "off"
