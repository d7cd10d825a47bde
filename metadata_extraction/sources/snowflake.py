"""Snowflake, read from each database's INFORMATION_SCHEMA; keys by SHOW, which it has no view for.

The views and the commands: "Snowflake Information Schema", "SHOW PRIMARY KEYS" and "SHOW IMPORTED KEYS" in Snowflake's SQL
reference.

Names of schemas are bound ("Binding data" in the documentation of Snowflake's Python connector), and those that stand
within a statement are quoted as identifiers: a name can have any characters, and a literal has more escapes than quotes.
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from metadata_extraction.load_history import Transfer, parse_copy_into
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

LOADED_FIELDS = """
select file_name as "file_name", stage_location as "stage_location", last_load_time as "time",
    table_catalog_name as "database_name", table_schema_name as "schema_name", table_name as "table_name",
    pipe_catalog_name as "pipe_database_name", pipe_schema_name as "pipe_schema_name", pipe_name as "pipe_name"
"""

# A year of it: "COPY_HISTORY view" (Account Usage). Only what has put rows into a table is a way that data went.
LOADS_STATEMENT = f"""
{LOADED_FIELDS} from snowflake.account_usage.copy_history
where last_load_time > cast(? as timestamp_tz) and table_catalog_name = ? and table_schema_name in ({{schemas}})
    and lower(status) in ('loaded', 'partially loaded') and row_count > 0
order by last_load_time
"""

# Fourteen days of one table, for roles that may not read that view: "COPY_HISTORY" (Information Schema).
LOADS_OF_TABLE_STATEMENT = f"""
{LOADED_FIELDS} from table({{database}}.information_schema.copy_history(
    table_name => ?, start_time => cast(? as timestamp_ltz)))
where lower(status) in ('loaded', 'partially loaded') and row_count > 0
order by last_load_time
"""
DAYS_OF_TABLE_FUNCTION = 14
MOST_AT_ONCE = 50  # COPY statements into one table

COPIES_STATEMENT = """
select query_text as "sql", start_time as "start_time", end_time as "end_time",
    database_name as "database_name", schema_name as "schema_name"
from snowflake.account_usage.query_history
where query_type = 'COPY' and execution_status = 'SUCCESS' and end_time > cast(? as timestamp_tz)
order by start_time limit 100000
"""
# By "SNOWFLAKE database roles" in Snowflake's reference.
GRANT_LOADS = "GRANT DATABASE ROLE SNOWFLAKE.USAGE_VIEWER TO ROLE"
GRANT_QUERIES = "GRANT DATABASE ROLE SNOWFLAKE.GOVERNANCE_VIEWER TO ROLE"


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
        self._copies: dict[tuple[str, ...], list[tuple[datetime, datetime, str]]] | None = None
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
        self.namespace = f"snowflake://{str(self._parameters['account']).lower()}"

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

    def transfers(self, database: str, schemas: Sequence[str], since: datetime) -> Iterator[Transfer]:
        """The files of stages that were loaded, by COPY INTO and by pipes.

        From ACCOUNT_USAGE, or, where the role may not read that, from the table function, table by table.
        """
        role = _quoted_identifier(str(self._parameters.get("role", "…")))
        rows: Iterator[SourceRow] | list[SourceRow]
        try:
            rows = list(self._loads(database, schemas, since))
        except SourceError as error:
            logger.warning(
                "⚠️ Only the loads of the last %d days of %s are read, table by table, as ACCOUNT_USAGE.COPY_HISTORY cannot "
                "be read (%s): %s %s.", DAYS_OF_TABLE_FUNCTION, database, error, GRANT_LOADS, role,
            )  # fmt: skip
            rows = self._loads_of_tables(database, schemas, since)
        stages: dict[str, str] | None = None
        pipes: dict[tuple[str, ...], str] | None = None
        for row in rows:
            location = str(row["stage_location"] or "")
            if "://" not in location:
                stages = self._stages(database) if stages is None else stages
                location = stages.get(location.strip("@").upper(), "")
            table = (row["database_name"], row["schema_name"], row["table_name"])
            time = _in_utc(row["time"])
            if row["pipe_name"]:
                pipes = self._pipes(database) if pipes is None else pipes
                pipe = (row["pipe_database_name"], row["pipe_schema_name"], row["pipe_name"])
                job, sql = f"pipe {'.'.join(map(str, pipe))}", pipes.get(pipe, "")
            else:
                job, sql = f"copy into {'.'.join(table)}", self._copy_of(table, time, since, role)
            copy = parse_copy_into(sql) if sql else None
            url = f"{location.rstrip('/')}/{str(row['file_name']).lstrip('/')}"
            yield Transfer(*table, url, True, job, time, sql, copy.columns if copy else ())

    def _loads(self, database: str, schemas: Sequence[str], since: datetime) -> Iterator[SourceRow]:
        if schemas:
            filled = LOADS_STATEMENT.format(schemas=", ".join("?" * len(schemas)))
            yield from self._query(filled, [since.isoformat(), database, *schemas])

    def _loads_of_tables(self, database: str, schemas: Sequence[str], since: datetime) -> Iterator[SourceRow]:
        """The same from the table function; it ends with the first table that it cannot be asked about."""
        oldest = datetime.now(timezone.utc) - timedelta(days=DAYS_OF_TABLE_FUNCTION) + timedelta(minutes=1)
        filled = LOADS_OF_TABLE_STATEMENT.format(database=_quoted_identifier(database))
        try:
            for table in self.tables(database, schemas):
                if table["table_kind"] == "table":
                    names = (database, table["schema_name"], table["table_name"])
                    name = ".".join(map(_quoted_identifier, names))
                    yield from self._query(filled, [name, max(since, oldest).isoformat()])
        except SourceError as error:
            logger.warning(
                "⚠️ The load history of %s is left out: %s It takes MONITOR on the tables, or any privilege on them.",
                database,
                error,
            )

    def _stages(self, database: str) -> dict[str, str]:
        """The addresses of the stages of a database, by their names in capitals, as long as these may be written."""
        found: dict[str, str] = {}
        try:
            for row in self._query(f"show stages in database {_quoted_identifier(database)}"):
                names = (row["database_name"], row["schema_name"], row["name"])
                found |= {".".join(names[start:]).upper(): str(row["url"] or "") for start in range(3)}
        except SourceError as error:
            logger.warning("⚠️ The stages of %s are not known: %s It takes USAGE on them.", database, error)
        return found

    def _pipes(self, database: str) -> dict[tuple[str, ...], str]:
        """The statements of the pipes of a database, by their names."""
        try:
            rows = self._query(f"show pipes in database {_quoted_identifier(database)}")
            return {(row["database_name"], row["schema_name"], row["name"]): str(row["definition"]) for row in rows}
        except SourceError as error:
            logger.warning(
                "⚠️ The statements of pipes of %s are not known: %s It takes MONITOR on them.", database, error
            )
            return {}

    def _copy_of(self, table: tuple[str, str, str], time: datetime, since: datetime, role: str) -> str:
        """The COPY statement that was loading a table at that time, or an empty text."""
        if self._copies is None:
            self._copies = {}
            try:
                for row in self._query(COPIES_STATEMENT, [since.isoformat()]):
                    copy = parse_copy_into(row["sql"])
                    if copy:
                        session = (row["database_name"], row["schema_name"])
                        place = (*session[: 3 - len(copy.table)], *copy.table)
                        span = (_in_utc(row["start_time"]), _in_utc(row["end_time"]), row["sql"])
                        self._copies.setdefault(place, []).append(span)
            except SourceError as error:
                logger.warning("⚠️ Which columns COPY loads is not known: %s %s %s.", error, GRANT_QUERIES, role)
        copies = self._copies.get(table, [])
        begun = bisect.bisect_right(copies, time, key=lambda copy: copy[0])
        # They are in the order in which they began; of several at once the one that began last is taken.
        return next((sql for _, end, sql in reversed(copies[max(0, begun - MOST_AT_ONCE) : begun]) if time <= end), "")

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


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(timezone.utc) if time.tzinfo else time.replace(tzinfo=timezone.utc)
