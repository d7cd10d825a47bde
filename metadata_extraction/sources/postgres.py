"""PostgreSQL, read from pg_catalog, which shows every object, whoever may read its data.

What its tables mean: chapter "System Catalogs" of PostgreSQL's documentation; the functions: "System Information
Functions and Operators".

Nobody who owns a database may have code of his run by the crawl: every function, type and collation is named with its
schema, and operators are looked up in pg_catalog alone, which the connection fixes before it runs anything ("Writing
Extension-Friendly Functions" and CVE-2018-1058 in PostgreSQL's wiki, "A Guide to CVE-2018-1058").
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from metadata_extraction.load_history import Transfer, has_lost_constants, parse_export
from metadata_extraction.rows import SourceRow
from metadata_extraction.sources.source import SourceError
from runtime.terminal import logger

MOST_EXPORTS = 10_000  # that pg_stat_statements remembers: by default it has 5,000 statements
ROWS_IN_FETCH = 2000  # rows that the server-side cursor fetches at a time
CONNECT_SECONDS = 10
LOCK_MILLISECONDS = 5000  # how long a lock of another session is waited for, by all objects of a fetch together
LOCK_MILLISECONDS_OF_ONE = 100  # and then by each of them alone
SECONDS_OF_ONE = 10  # for what is asked of one object alone

# What an owner could set for everybody (ALTER DATABASE … SET, ALTER ROLE … SET): the connection's own options win
# ("Parameter Interaction via the Client" in PostgreSQL's documentation). pg_temp is named, as it would come first if not.
SESSION = {
    "search_path": "pg_catalog,pg_temp",
    "default_transaction_read_only": "on",
    "row_security": "off",  # a policy is refused, and its function not run
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "idle_in_transaction_session_timeout": "0",
}

DATABASES_QUERY = """
select datname as database_name, pg_catalog.shobj_description(oid, 'pg_database') as comment
from pg_catalog.pg_database
where datallowconn and not datistemplate and pg_catalog.has_database_privilege(oid, 'CONNECT')
order by datname collate pg_catalog."C"
"""

SCHEMAS_QUERY = r"""
select pg_catalog.current_database() as database_name, n.nspname as schema_name,
    pg_catalog.obj_description(n.oid, 'pg_namespace') as comment,
    pg_catalog.count(*) filter (where c.relkind in ('r', 'p', 'f') and not c.relispartition) as table_count,
    pg_catalog.count(*) filter (where c.relkind in ('v', 'm')) as view_count
from pg_catalog.pg_namespace n left join pg_catalog.pg_class c on c.relnamespace = n.oid
where n.nspname <> 'information_schema' and n.nspname not like 'pg\_%%'
group by n.oid, n.nspname order by n.nspname collate pg_catalog."C"
"""

# relkind, as this project names it
TABLE_KIND = """case when c.relispartition then 'partition' else case c.relkind when 'r' then 'table' when 'p' then 'partitioned'
    when 'v' then 'view' when 'm' then 'materialised view' when 'f' then 'foreign' end end"""

# Its owner can restore any number as the estimate (pg_restore_relation_stats), also one that is no bigint.
TABLES_QUERY = f"""
select pg_catalog.current_database() as database_name, n.nspname as schema_name, c.relname as table_name,
    {TABLE_KIND} as table_kind,
    case when c.relkind in ('r', 'm', 'f') and c.reltuples >= 0 and c.reltuples < 9e18
        then c.reltuples::pg_catalog.int8 end as row_count,
    (select pg_catalog.count(*) from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as column_count,
    parent_schema.nspname as parent_schema_name, parent.relname as parent_table_name,
    pg_catalog.obj_description(c.oid, 'pg_class') as comment,
    case when c.relkind <> 'f' then c.oid end as detailed
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_inherits i on c.relispartition and i.inhrelid = c.oid
left join pg_catalog.pg_class parent on parent.oid = i.inhparent
left join pg_catalog.pg_namespace parent_schema on parent_schema.oid = parent.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = any(%(schemas)s)
order by n.nspname collate pg_catalog."C", c.relname collate pg_catalog."C"
"""

# Lengths and precisions as information_schema.columns tells them (its _pg_char_max_length, _pg_numeric_precision and
# _pg_numeric_scale), whose schema can be dropped and made anew by somebody else. A scale may be negative (numeric.c,
# numeric_typmod_scale). A column in several foreign keys is told with the first one by name.
COLUMNS_QUERY = f"""
select pg_catalog.current_database() as database_name, n.nspname as schema_name, c.relname as table_name,
    {TABLE_KIND} as table_kind, a.attname as column_name,
    pg_catalog.row_number() over (partition by c.oid order by a.attnum)::pg_catalog.int4 as position,
    pg_catalog.format_type(a.atttypid, a.atttypmod) as data_type,
    case when declared.modifier <> -1 then case when declared.type in (1042, 1043) then declared.modifier - 4
        when declared.type in (1560, 1562) then declared.modifier end end as max_length,
    case declared.type when 21 then 16 when 23 then 32 when 20 then 64 when 700 then 24 when 701 then 53 when 1700 then
        case when declared.modifier <> -1 then ((declared.modifier - 4) >> 16) & 65535 end end as numeric_precision,
    case when declared.type in (21, 23, 20) then 0 when declared.type = 1700 and declared.modifier <> -1
        then (((declared.modifier - 4) & 2047) # 1024) - 1024 end as numeric_scale,
    not (a.attnotnull or (t.typtype = 'd' and t.typnotnull)) as is_nullable,
    exists (select from pg_catalog.pg_constraint k
        where k.conrelid = c.oid and k.contype = 'p' and a.attnum = any(k.conkey)) as is_primary_key,
    f.schema_name as foreign_schema_name, f.table_name as foreign_table_name, f.column_name as foreign_column_name,
    pg_catalog.col_description(c.oid, a.attnum) as comment,
    case when a.attgenerated = '' then d.oid end as detailed
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_type t on t.oid = a.atttypid
cross join lateral (select case when t.typtype = 'd' then t.typbasetype else a.atttypid end as type,
    case when t.typtype = 'd' then t.typtypmod else a.atttypmod end as modifier) declared
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join lateral (
    select target_schema.nspname as schema_name, target.relname as table_name, target_column.attname as column_name
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class target on target.oid = k.confrelid
    join pg_catalog.pg_namespace target_schema on target_schema.oid = target.relnamespace
    join pg_catalog.pg_attribute target_column on target_column.attrelid = target.oid
        and target_column.attnum = k.confkey[pg_catalog.array_position(k.conkey, a.attnum)]
    where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any(k.conkey)
    order by k.conname collate pg_catalog."C" limit 1
) f on true
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = any(%(schemas)s)
order by n.nspname collate pg_catalog."C", c.relname collate pg_catalog."C", a.attnum
"""

# An aggregate has no definition that could be asked for, and a window function belongs to an extension.
PROCEDURES_QUERY = """
select pg_catalog.current_database() as database_name, n.nspname as schema_name, p.proname as procedure_name,
    case p.prokind when 'p' then 'procedure' else 'function' end as procedure_kind,
    coalesce((select pg_catalog.array_agg(pg_catalog.concat_ws(' ',
            nullif(case mode when 'o' then 'OUT' when 'b' then 'INOUT' when 'v' then 'VARIADIC' else '' end, ''),
            nullif(name, ''), pg_catalog.format_type(type, null)) order by number)
        from rows from (pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::pg_catalog.oid[])),
            pg_catalog.unnest(p.proargnames), pg_catalog.unnest(p.proargmodes))
            with ordinality as given(type, name, mode, number) where mode is distinct from 't'), '{}') as arguments,
    pg_catalog.pg_get_function_identity_arguments(p.oid) as signature,
    (pg_catalog.count(*) over (partition by n.oid, p.proname, p.prokind = 'p'))::pg_catalog.int4 as overloads,
    case when p.prokind <> 'p' then pg_catalog.pg_get_function_result(p.oid) end as return_type,
    l.lanname as language, pg_catalog.obj_description(p.oid, 'pg_proc') as comment, p.oid as detailed
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_language l on l.oid = p.prolang
where p.prokind in ('p', 'f') and n.nspname = any(%(schemas)s)
order by n.nspname collate pg_catalog."C", p.proname collate pg_catalog."C",
    pg_catalog.pg_get_function_identity_arguments(p.oid) collate pg_catalog."C"
"""


@dataclass(frozen=True)
class Details:
    """What is asked of each object by itself, as it may wait for a lock of another session, or fail for this one only.

    `statement` gives it for the objects with the ids in `detailed`, and `fields` are what it gives.
    """

    words: str
    fields: tuple[str, ...]
    statement: str


# These functions open the table (dbsize.c), and those that a view or an SQL function uses (ruleutils.c, AcquireRewriteLocks).
TABLE_DETAILS = Details(
    "size and definition", ("size_bytes", "definition", "partition_key"),
    """
select c.oid as detailed, case when c.relkind in ('r', 'm') then pg_catalog.pg_total_relation_size(c.oid) end as size_bytes,
    case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) end as definition,
    case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end as partition_key
from pg_catalog.pg_class c where c.oid = any(%(detailed)s::pg_catalog.oid[])
""",
)  # fmt: skip
COLUMN_DETAILS = Details(
    "defaults", ("default_value",),
    """
select d.oid as detailed, pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default_value
from pg_catalog.pg_attrdef d where d.oid = any(%(detailed)s::pg_catalog.oid[])
""",
)  # fmt: skip
PROCEDURE_DETAILS = Details(
    "definition", ("definition",),
    """
select p.oid as detailed, pg_catalog.pg_get_functiondef(p.oid) as definition
from pg_catalog.pg_proc p where p.oid = any(%(detailed)s::pg_catalog.oid[])
""",
)  # fmt: skip

# The view of the extension, where that belongs to a superuser: any other could have whatever he likes run by reading it.
STATEMENTS_VIEW_QUERY = """
select n.nspname as schema_name
from pg_catalog.pg_extension e
join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.refobjid = e.oid
    and d.deptype = 'e' and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
join pg_catalog.pg_class c on c.oid = d.objid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_roles r on r.oid = c.relowner
where e.extname = 'pg_stat_statements' and c.relname = 'pg_stat_statements' and r.rolsuper
"""
# Statements of other roles are hidden from a role that is not in pg_read_all_stats ("pg_stat_statements").
EXPORTS_QUERY = """
select s.query, pg_catalog.now() as time
from {}.pg_stat_statements s join pg_catalog.pg_database b on b.oid = s.dbid
where b.datname = pg_catalog.current_database() and s.calls > 0
    and (s.query ~* 'query_export_to_s3' or s.query ~* '\\mto\\s+program\\M' or s.query = '<insufficient privilege>')
"""
TABLES_OF_NAME_QUERY = """
select n.nspname as schema_name
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relname = %(name)s and n.nspname = any(%(schemas)s::pg_catalog.text[]) and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""


CATALOGUE = (
    "pg_database", "pg_namespace", "pg_class", "pg_attribute", "pg_type", "pg_attrdef", "pg_constraint", "pg_inherits",
    "pg_proc", "pg_language", "pg_description",
)  # fmt: skip


class PostgresSource:
    """A PostgreSQL server; see `Source`. Each database has a connection of its own, read-only and with a statement timeout.

    `url` is a URI or a string of `keyword=value`, as "Connection Strings" in libpq's documentation has them. Raises
    `SourceError` where it is neither.
    """

    def __init__(self, url: str, every_database: bool, timeout_seconds: int) -> None:
        try:
            self._parameters: dict[str, Any] = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise SourceError(
                "SOURCE_URL is no address of a database: write it like postgresql://user:password@host:5432/database."
            ) from None
        self._named = None if every_database else self._parameters.get("dbname")
        self._timeout_seconds = timeout_seconds
        place = f"{self._parameters.get('host', 'localhost')}:{self._parameters.get('port', 5432)}"
        self._entry = str(self._parameters.get("dbname") or "postgres")
        self.address = f"PostgreSQL {place}/{self._parameters.get('dbname') or ''}"
        host = str(self._parameters.get("host", "localhost"))
        self.namespace = (
            f"postgres://{'localhost' if host.startswith('/') else host}:{self._parameters.get('port', 5432)}"
        )

    def preflight(self) -> list[str]:
        """Whether the catalogue's tables that are read may be read, in the address's own database.

        Warns where the user is a superuser, as whatever goes wrong would go wrong with all rights.
        """
        try:
            with self._connect(self._entry) as connection:
                user = connection.info.user
                if connection.info.parameter_status("is_superuser") == "on":
                    logger.warning(
                        "⚠️ %s is a superuser of %s: use a role that may only connect, as the extraction needs no more.",
                        user,
                        self.address,
                    )
                faults = []
                for name in CATALOGUE:
                    try:
                        with connection.transaction():
                            connection.execute(f"select from pg_catalog.{name} limit 1")
                    except psycopg.errors.InsufficientPrivilege:
                        faults.append(
                            f"The user {user} may not read pg_catalog.{name} in the database "
                            f"{self._entry}: GRANT SELECT ON pg_catalog.{name} TO it."
                        )
                    except psycopg.Error as error:
                        return [f"{self._entry} cannot be read: {self._explain(error, self._entry)}"]
                return faults
        except SourceError as error:
            return [str(error)]

    def databases(self) -> list[SourceRow]:
        """Those that may be connected to and are no templates; without INCLUDE_DATABASES the address's own."""
        found = list(self._query(self._entry, DATABASES_QUERY))
        return [row for row in found if self._named in (None, row["database_name"])]

    def schemas(self, database: str) -> list[SourceRow]:
        """Those of people: not `information_schema`, and none that begins with `pg_`, as PostgreSQL keeps that for itself."""
        return list(self._query(database, SCHEMAS_QUERY))

    def tables(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """Tables, views, materialised views, partitions and foreign tables (`pg_class.relkind`)."""
        return self._query(database, TABLES_QUERY, schemas, TABLE_DETAILS)

    def columns(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """Their columns, numbered anew, as a dropped column keeps its number in `pg_attribute`."""
        return self._query(database, COLUMNS_QUERY, schemas, COLUMN_DETAILS)

    def procedures(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """Procedures and functions, but no aggregates and window functions (`pg_proc.prokind`)."""
        return self._query(database, PROCEDURES_QUERY, schemas, PROCEDURE_DETAILS)

    def transfers(self, database: str, schemas: Sequence[str], since: datetime) -> Iterator[Transfer]:
        """The exports that `pg_stat_statements` remembers, where that extension is there; it does not tell when they ran.

        It keeps no constants of a statement but for those of utility commands (its documentation: "constants are
        replaced"), so that an export by SELECT does not tell its file, which is a warning.
        """
        try:
            with self._connect(database) as connection, connection.cursor(row_factory=dict_row) as cursor:
                found = cursor.execute(STATEMENTS_VIEW_QUERY).fetchall()
                if not found:
                    return
                statement = sql.SQL(EXPORTS_QUERY).format(sql.Identifier(found[0]["schema_name"]))
                rows = cursor.execute(statement).fetchmany(MOST_EXPORTS)
                hidden = sum(row["query"] == "<insufficient privilege>" for row in rows)
                if hidden:
                    logger.warning(
                        "⚠️ %d statements of others in pg_stat_statements of %s are hidden: GRANT pg_read_all_stats TO %s.",
                        hidden, database, connection.info.user,
                    )  # fmt: skip
                exports = [(row, parse_export(row["query"])) for row in rows]
                untold = sum(export is None and has_lost_constants(row["query"]) for row, export in exports)
                if untold:
                    logger.warning(
                        "⚠️ %d exports in pg_stat_statements of %s do not tell their table and file, as it keeps no "
                        "constants: let the job that runs them send OpenLineage events.", untold, database,
                    )  # fmt: skip
                for row, export in exports:
                    if export and (schema := self._schema_of(cursor, export.table, schemas)):
                        yield Transfer(
                            database, schema, export.table[-1], export.url, False, "pg_stat_statements", row["time"],
                            row["query"], export.columns,
                        )  # fmt: skip
        except (SourceError, psycopg.Error) as error:
            said = str(error) if isinstance(error, SourceError) else self._explain(error, database)
            logger.warning("⚠️ The exports of %s are left out: %s", database, said)

    @staticmethod
    def _schema_of(cursor: psycopg.Cursor[Any], table: Sequence[str], schemas: Sequence[str]) -> str:
        """The schema of a table, among these: the one that is named, or the only one that has a table of the name."""
        found = cursor.execute(TABLES_OF_NAME_QUERY, {"name": table[-1], "schemas": list(schemas)}).fetchall()
        names = [row["schema_name"] for row in found if len(table) == 1 or row["schema_name"] == table[-2]]
        return names[0] if len(names) == 1 else ""

    def _query(
        self, database: str, statement: str, schemas: Sequence[str] = (), details: Details | None = None
    ) -> Iterator[SourceRow]:
        """The rows of a statement, from a cursor on the server, with their details where there are any."""
        with self._connect(database) as connection, connection.cursor("rows", row_factory=dict_row) as cursor:
            cursor.itersize = ROWS_IN_FETCH
            try:
                rows = iter(cursor.execute(statement, {"schemas": list(schemas)}))
                yield from self._add_details(connection, rows, details) if details else rows
            except psycopg.Error as error:
                raise SourceError(f"{database} cannot be read: {self._explain(error, database)}") from None

    def _add_details(
        self, connection: psycopg.Connection, rows: Iterator[SourceRow], details: Details
    ) -> Iterator[SourceRow]:
        """The rows with their details. An object that does not tell them has none, and is named in the log, once."""
        told: set[str] = set()
        while group := list(itertools.islice(rows, ROWS_IN_FETCH)):
            wanted = [row["detailed"] for row in group if row["detailed"] is not None]
            found = self._ask(connection, details, wanted, LOCK_MILLISECONDS, self._timeout_seconds) if wanted else {}
            for row in group:
                number = row.pop("detailed")
                its = found
                if isinstance(found, psycopg.Error) and number is not None:
                    seconds = min(self._timeout_seconds, SECONDS_OF_ONE)
                    its = self._ask(connection, details, [number], LOCK_MILLISECONDS_OF_ONE, seconds)
                if isinstance(its, psycopg.Error):
                    name = f"{row['schema_name']}.{row.get('table_name') or row.get('procedure_name')}"
                    if number is not None and name not in told:
                        told.add(name)
                        logger.warning("⚠️ Without its %s: %s (%s)", details.words, name, self._explain_one(its))
                    its = {}
                yield {**row, **dict.fromkeys(details.fields), **its.get(number, {})}

    @staticmethod
    def _ask(
        connection: psycopg.Connection, details: Details, numbers: Sequence[int], lock_milliseconds: int, seconds: int
    ) -> dict[int, SourceRow] | psycopg.Error:
        """The details of some objects by their ids, or why there are none; raises where the connection is lost."""
        try:
            # Rolled back, so that the locks of a view's tables end here, and not with the crawl.
            with (
                connection.transaction(force_rollback=True),
                connection.cursor(row_factory=dict_row) as cursor,
            ):
                cursor.execute(_set_timeouts(lock_milliseconds, seconds))
                found = cursor.execute(details.statement, {"detailed": list(numbers)}).fetchall()
                return {row.pop("detailed"): row for row in found}
        except psycopg.Error as error:
            if connection.closed:
                raise
            return error

    @contextlib.contextmanager
    def _connect(self, database: str) -> Iterator[psycopg.Connection]:
        try:
            connection = self._open(database)
        except psycopg.Error as error:
            raise SourceError(self._explain(error, database)) from None
        with connection:
            connection.read_only = True
            try:
                # Once more, for a pooler that takes no options. SET calls nothing that could have another's name.
                connection.execute("set local search_path to pg_catalog, pg_temp")
                connection.execute(_set_timeouts(LOCK_MILLISECONDS, self._timeout_seconds))
            except psycopg.Error as error:
                raise SourceError(f"{database} cannot be read: {self._explain(error, database)}") from None
            yield connection

    def _open(self, database: str) -> psycopg.Connection:
        """Connect with everything in `SESSION` fixed, where a pooler does not refuse to be told (PgBouncer's `options`)."""
        own = {"connect_timeout": CONNECT_SECONDS, "client_encoding": "utf8", **self._parameters, "dbname": database}
        given = str(self._parameters.get("options") or os.environ.get("PGOPTIONS", ""))
        timeouts = {"statement_timeout": f"{self._timeout_seconds}s", "lock_timeout": LOCK_MILLISECONDS}
        fixed = {**SESSION, **timeouts}  # the time-outs too, or the first statements could run into the owner's
        options = " ".join([given, *(f"-c {name}={value}" for name, value in fixed.items())]).strip()
        try:
            return psycopg.connect(**{**own, "options": options}, application_name="delta-arc")
        except psycopg.OperationalError as error:
            if "unsupported startup parameter" not in str(error):
                raise
        return psycopg.connect(**own, application_name="delta-arc")

    @staticmethod
    def _explain_one(error: psycopg.Error) -> str:
        """Why one object does not tell its details."""
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return "another session has locked it, or a table that it uses"
        return _first_sentence(error)

    def _explain(self, error: psycopg.Error, database: str) -> str:
        """The error in one sentence that says what to do, and holds no password."""
        said = _first_sentence(error)
        user = self._parameters.get("user", "the default user")
        match _kind_of(error):
            case ErrorKind.LOGIN:
                return f"{self.address} refuses {user}: check the user and the password in SOURCE_URL."
            case ErrorKind.NO_DATABASE:
                return f"There is no database {database} on {self.address}: check the end of SOURCE_URL."
            case ErrorKind.RIGHTS:
                return f"{user} has no rights on it ({said}): grant CONNECT and SELECT on the catalogue."
            case ErrorKind.TIMEOUT:
                return f"a statement took over {self._timeout_seconds} seconds: raise STATEMENT_TIMEOUT_SECONDS."
            case ErrorKind.LOCK:
                return "another session has locked its catalogue: try again later."
            case ErrorKind.CONNECTION:
                return f"{self.address} cannot be reached: check host and port in SOURCE_URL, and the network."
            case _:
                return said


class ErrorKind(enum.Enum):
    """What an error of PostgreSQL is about, as far as somebody can do something about it."""

    LOGIN = enum.auto()
    NO_DATABASE = enum.auto()
    RIGHTS = enum.auto()
    TIMEOUT = enum.auto()
    LOCK = enum.auto()
    CONNECTION = enum.auto()
    OTHER = enum.auto()


def _kind_of(error: psycopg.Error) -> ErrorKind:
    """By its SQLSTATE ("PostgreSQL Error Codes"); an error of connecting has none, as libpq gives its text only."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return ErrorKind.TIMEOUT
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return ErrorKind.LOCK
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return ErrorKind.RIGHTS
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return _kind_of_refusal(str(error).lower())
    return ErrorKind.OTHER


def _kind_of_refusal(text: str) -> ErrorKind:
    """Of why there is no connection: the one place that reads wording, that of PostgreSQL's server in English.

    A refusal in another language (lc_messages) is taken for a server that cannot be reached.
    """
    if "password" in text or "authentication" in text or "pg_hba" in text:
        return ErrorKind.LOGIN
    if "database" in text and "does not exist" in text:
        return ErrorKind.NO_DATABASE
    if "permission denied" in text:
        return ErrorKind.RIGHTS
    return ErrorKind.CONNECTION


def _set_timeouts(lock_milliseconds: int, seconds: int) -> str:
    return f"set local lock_timeout to {lock_milliseconds}; set local statement_timeout to '{seconds}s'"


def _first_sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
