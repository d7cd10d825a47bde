"""Snowflake, read from each database's INFORMATION_SCHEMA; keys by SHOW, which it has no view for.

The views and the commands: "Snowflake Information Schema", "SHOW PRIMARY KEYS" and "SHOW IMPORTED KEYS" in Snowflake's SQL
reference.

Names of schemas are bound ("Binding data" in the documentation of Snowflake's Python connector), and those that stand
within a statement are quoted as identifiers: a name can have any characters, and a literal has more escapes than quotes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from metadata_extraction.rows import SourceRow
from metadata_extraction.sources.source import SourceError
from runtime.terminal import logger

DOES_NOT_EXIST = 2003  # Snowflake's error number for an object that is not there, or not granted
# No connection, of the connector (`errorcode.ER_FAILED_TO_CONNECT_TO_DB`), and a wrong user or password, of the server.
LOGIN_FAILED = (250001, 390100)

TABLE_KINDS = {
    "BASE TABLE": "table",
    "VIEW": "view",
    "MATERIALIZED VIEW": "materialised view",
    "EXTERNAL TABLE": "foreign",
}

# INFORMATION_SCHEMA.TABLES has the views as well, says Snowflake's reference; where it has not, they are taken from VIEWS.
OBJECTS_STATEMENT = """
select t.table_schema, t.table_name, t.table_type, t.row_count, t.bytes, t.comment
from {database}.information_schema.tables t where t.table_schema in ({schemas})
union all
select v.table_schema, v.table_name, 'VIEW', null, null, v.comment
from {database}.information_schema.views v
left join {database}.information_schema.tables t on t.table_schema = v.table_schema and t.table_name = v.table_name
where v.table_schema in ({schemas}) and t.table_name is null
"""

TABLES_STATEMENT = f"""
with objects as ({OBJECTS_STATEMENT}), counts as (
    select c.table_schema, c.table_name, count(*) as columns
    from {{database}}.information_schema.columns c where c.table_schema in ({{schemas}}) group by 1, 2
)
select o.table_schema as "schema_name", o.table_name as "table_name", o.table_type as "table_kind",
    o.row_count as "row_count", o.bytes as "size_bytes", o.comment as "comment", v.view_definition as "definition",
    coalesce(c.columns, 0) as "column_count"
from objects o
left join counts c on c.table_schema = o.table_schema and c.table_name = o.table_name
left join {{database}}.information_schema.views v on v.table_schema = o.table_schema and v.table_name = o.table_name
order by o.table_schema, o.table_name
"""

COLUMNS_STATEMENT = f"""
with objects as ({OBJECTS_STATEMENT})
select c.table_schema as "schema_name", c.table_name as "table_name", o.table_type as "table_kind",
    c.column_name as "column_name", c.ordinal_position as "position", c.data_type as "data_type",
    c.character_maximum_length as "max_length", c.numeric_precision as "numeric_precision",
    c.numeric_scale as "numeric_scale", c.is_nullable as "is_nullable", c.column_default as "default_value",
    c.comment as "comment"
from {{database}}.information_schema.columns c
join objects o on o.table_schema = c.table_schema and o.table_name = c.table_name
order by c.table_schema, c.table_name, c.ordinal_position
"""

PROCEDURES_STATEMENT = """
select {kind}_schema as "schema_name", {kind}_name as "procedure_name", argument_signature as "signature",
    data_type as "return_type", {kind}_language as "language", {kind}_definition as "definition", comment as "comment"
from {database}.information_schema.{kind}s
where {kind}_schema in ({schemas}) order by {kind}_schema, {kind}_name, argument_signature
"""


class SnowflakeSource:
    """A Snowflake account, `snowflake://user:password@account/database?warehouse=…&role=…`; see `Source`.

    Further parameters of the connector can stand after the `?`, like `authenticator` or `private_key_file`. Raises
    `SourceError` where the connector is missing, or this is no address of an account.
    """

    def __init__(self, url: str, every_database: bool, timeout_seconds: int) -> None:
        try:
            import snowflake.connector as connector
        except ImportError:
            raise SourceError(
                "Snowflake needs its connector: pip install -r metadata_extraction/requirements-snowflake.txt"
            ) from None
        try:
            parts = urlsplit(url)
            account, port = parts.hostname or "", parts.port
        except ValueError:
            account, port = "", None
        if not account or not parts.username:
            raise SourceError(
                "SOURCE_URL is no address of an account: write it like snowflake://user:password@account/database."
            )
        self._connector = connector
        self._user = unquote(parts.username)
        database = unquote(parts.path.strip("/").partition("/")[0])
        self._named = None if every_database else database or None
        self.address = f"Snowflake {account}/{database}"
        self._parameters: dict[str, Any] = {
            "account": account,
            "user": self._user,
            "password": unquote(parts.password or ""),
            "login_timeout": 30,
            **dict(parse_qsl(parts.query)),
            "paramstyle": "qmark",  # bound by the server; the connector's own way writes literals
            "session_parameters": {"STATEMENT_TIMEOUT_IN_SECONDS": timeout_seconds, "QUERY_TAG": "delta-arc"},
        }
        if port:
            self._parameters |= {"host": account, "port": port}

    def preflight(self) -> list[str]:
        """Whether there is a database to read, and the schemas of each can be read."""
        try:
            databases = self.databases()
            if not databases and self._named:
                return [
                    f"There is no database {self._named} that {self._user} may see: check the name, and the role's grants."
                ]
            for row in databases:
                self.schemas(row["database_name"])
        except SourceError as error:
            return [str(error)]
        return []

    def databases(self) -> list[SourceRow]:
        """Those that the role may see, but for the SNOWFLAKE one of the account itself."""
        rows = [
            {"database_name": row["name"], "comment": row["comment"] or None} for row in self._query("show databases")
        ]
        rows = [row for row in rows if self._named is None or row["database_name"].upper() == self._named.upper()]
        return sorted(
            (row for row in rows if row["database_name"] != "SNOWFLAKE"), key=lambda row: row["database_name"]
        )

    def schemas(self, database: str) -> list[SourceRow]:
        """Every schema but INFORMATION_SCHEMA; Snowflake tells no number of tables here."""
        statement = (
            f'select schema_name as "schema_name", comment as "comment" from {_quoted_identifier(database)}.information_schema.schemata '
            "where schema_name <> 'INFORMATION_SCHEMA' order by schema_name"
        )
        return [{**row, "database_name": database} for row in self._query(statement)]

    def tables(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """Tables, views, materialised views and external tables."""
        for row in self._query_schemas(TABLES_STATEMENT, database, schemas):
            yield {**row, "database_name": database, "table_kind": TABLE_KINDS.get(row["table_kind"], "table")}

    def columns(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """Their columns, with the keys that SHOW tells for each schema."""
        primary: set[tuple[str, str, str]] = set()
        foreign: dict[tuple[str, str, str], SourceRow] = {}
        for schema in schemas:
            place = f"{_quoted_identifier(database)}.{_quoted_identifier(schema)}"
            for row in self._query(f"show primary keys in schema {place}"):
                primary.add((row["schema_name"], row["table_name"], row["column_name"]))
            for row in self._query(f"show imported keys in schema {place}"):
                place_of_key = (row["fk_schema_name"], row["fk_table_name"], row["fk_column_name"])
                foreign[place_of_key] = {
                    "foreign_schema_name": row["pk_schema_name"],
                    "foreign_table_name": row["pk_table_name"],
                    "foreign_column_name": row["pk_column_name"],
                }
        for row in self._query_schemas(COLUMNS_STATEMENT, database, schemas):
            place_of_column = (row["schema_name"], row["table_name"], row["column_name"])
            yield {
                **row,
                "database_name": database,
                "table_kind": TABLE_KINDS.get(row["table_kind"], "table"),
                "data_type": _full_type(row),
                "is_nullable": row["is_nullable"] == "YES",
                "is_primary_key": place_of_column in primary,
                **foreign.get(place_of_column, {}),
            }

    def procedures(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """Procedures and functions; a kind that the role may not read is left out, with a warning."""
        for kind in ("procedure", "function"):
            try:
                rows = list(self._query_schemas(PROCEDURES_STATEMENT, database, schemas, kind))
            except SourceError as error:
                logger.warning("⚠️ The %ss of %s are left out: %s", kind, database, error)
                continue
            names = [(row["schema_name"], row["procedure_name"]) for row in rows]
            for row, name in zip(rows, names, strict=True):
                signature = (row["signature"] or "").strip("()")
                arguments = [part.strip() for part in signature.split(",") if part.strip()]
                yield {
                    **row,
                    "database_name": database,
                    "procedure_kind": kind,
                    "signature": signature,
                    "arguments": arguments,
                    "overloads": names.count(name),
                }

    def _query_schemas(
        self, statement: str, database: str, schemas: Sequence[str], kind: str = ""
    ) -> Iterator[SourceRow]:
        """The rows of a statement, with the names of the schemas bound wherever it speaks of them."""
        if schemas:
            marks = ", ".join("?" * len(schemas))
            filled = statement.format(database=_quoted_identifier(database), schemas=marks, kind=kind)
            yield from self._query(filled, [*schemas] * statement.count("{schemas}"))

    def _query(self, statement: str, names: Sequence[str] = ()) -> Iterator[SourceRow]:
        """The rows of a statement, batch by batch; the connection lasts as long as they are read."""
        with self._connect() as connection, connection.cursor(self._connector.DictCursor) as cursor:
            try:
                yield from cursor.execute(statement, names or None)
            except self._connector.errors.Error as error:
                raise SourceError(self._explain(error)) from None

    @contextlib.contextmanager
    def _connect(self) -> Iterator[Any]:
        try:
            connection = self._connector.connect(**self._parameters)
        except self._connector.errors.Error as error:
            raise SourceError(self._explain(error)) from None
        with contextlib.closing(connection):
            yield connection

    def _explain(self, error: Any) -> str:
        said = " ".join(str(getattr(error, "msg", None) or error).split())
        if error.errno in LOGIN_FAILED:
            return f"{self.address} refuses {self._user} or cannot be reached: check account, user and password in SOURCE_URL."
        if error.errno == DOES_NOT_EXIST:
            return f"{self.address}: an object does not exist or the role has no rights on it ({said})."
        return f"{self.address}: {said}"


def _quoted_identifier(name: str) -> str:
    """The name as a double-quoted identifier ("Identifier requirements" in Snowflake's SQL reference)."""
    return '"' + name.replace('"', '""') + '"'


def _full_type(row: SourceRow) -> str:
    """The type as it is declared: `NUMBER(10,2)`, `TEXT(30)`."""
    if row["numeric_precision"] is not None and row["data_type"] == "NUMBER":
        return f"NUMBER({row['numeric_precision']},{row['numeric_scale']})"
    if row["max_length"] is not None:
        return f"{row['data_type']}({row['max_length']})"
    return str(row["data_type"])
