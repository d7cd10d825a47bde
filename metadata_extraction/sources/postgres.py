"""PostgreSQL, read from pg_catalog, which shows every object, whoever may read its data.

What its tables mean: chapter "System Catalogs" of PostgreSQL's documentation; the functions: "System Information
Functions and Operators".
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from metadata_extraction.rows import SourceRow
from metadata_extraction.sources import SourceError

ROWS_IN_FETCH = 2000  # rows that the server-side cursor fetches at a time
CONNECT_SECONDS = 10

DATABASES_QUERY = """
select datname as database_name, shobj_description(oid, 'pg_database') as comment
from pg_catalog.pg_database
where datallowconn and not datistemplate and has_database_privilege(oid, 'CONNECT')
order by datname collate "C"
"""

SCHEMAS_QUERY = r"""
select current_database() as database_name, n.nspname as schema_name, obj_description(n.oid, 'pg_namespace') as comment,
    count(*) filter (where c.relkind in ('r', 'p', 'f') and not c.relispartition) as table_count,
    count(*) filter (where c.relkind in ('v', 'm')) as view_count
from pg_catalog.pg_namespace n left join pg_catalog.pg_class c on c.relnamespace = n.oid
where n.nspname <> 'information_schema' and n.nspname not like 'pg\_%%'
group by n.oid, n.nspname order by n.nspname collate "C"
"""

# relkind, as this project names it
TABLE_KIND = """case when c.relispartition then 'partition' else case c.relkind when 'r' then 'table' when 'p' then 'partitioned'
    when 'v' then 'view' when 'm' then 'materialised view' when 'f' then 'foreign' end end"""

TABLES_QUERY = f"""
select current_database() as database_name, n.nspname as schema_name, c.relname as table_name, {TABLE_KIND} as table_kind,
    case when c.relkind in ('r', 'm', 'f') and c.reltuples >= 0 then c.reltuples::bigint end as row_count,
    case when c.relkind in ('r', 'm') then pg_total_relation_size(c.oid) end as size_bytes,
    (select count(*) from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
        as column_count,
    case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end as definition,
    parent_schema.nspname as parent_schema_name, parent.relname as parent_table_name,
    case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end as partition_key,
    obj_description(c.oid, 'pg_class') as comment
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_inherits i on c.relispartition and i.inhrelid = c.oid
left join pg_catalog.pg_class parent on parent.oid = i.inhparent
left join pg_catalog.pg_namespace parent_schema on parent_schema.oid = parent.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = any(%(schemas)s)
order by n.nspname collate "C", c.relname collate "C"
"""

# Lengths and precisions by the functions that information_schema.columns itself uses. A column in several foreign
# keys is told with the first one by name.
COLUMNS_QUERY = f"""
select current_database() as database_name, n.nspname as schema_name, c.relname as table_name, {TABLE_KIND} as table_kind,
    a.attname as column_name,
    row_number() over (partition by c.oid order by a.attnum)::int as position,
    format_type(a.atttypid, a.atttypmod) as data_type,
    information_schema._pg_char_max_length(
        information_schema._pg_truetypid(a, t), information_schema._pg_truetypmod(a, t)) as max_length,
    information_schema._pg_numeric_precision(
        information_schema._pg_truetypid(a, t), information_schema._pg_truetypmod(a, t)) as numeric_precision,
    information_schema._pg_numeric_scale(
        information_schema._pg_truetypid(a, t), information_schema._pg_truetypmod(a, t)) as numeric_scale,
    not (a.attnotnull or (t.typtype = 'd' and t.typnotnull)) as is_nullable,
    case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end as default_value,
    exists (select from pg_catalog.pg_constraint k
        where k.conrelid = c.oid and k.contype = 'p' and a.attnum = any(k.conkey)) as is_primary_key,
    f.schema_name as foreign_schema_name, f.table_name as foreign_table_name, f.column_name as foreign_column_name,
    col_description(c.oid, a.attnum) as comment
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join lateral (
    select target_schema.nspname as schema_name, target.relname as table_name, target_column.attname as column_name
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_class target on target.oid = k.confrelid
    join pg_catalog.pg_namespace target_schema on target_schema.oid = target.relnamespace
    join pg_catalog.pg_attribute target_column on target_column.attrelid = target.oid
        and target_column.attnum = k.confkey[array_position(k.conkey, a.attnum)]
    where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any(k.conkey)
    order by k.conname collate "C" limit 1
) f on true
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = any(%(schemas)s)
order by n.nspname collate "C", c.relname collate "C", a.attnum
"""

# An aggregate has no definition that could be asked for, and a window function belongs to an extension.
PROCEDURES_QUERY = """
select current_database() as database_name, n.nspname as schema_name, p.proname as procedure_name,
    case p.prokind when 'p' then 'procedure' else 'function' end as procedure_kind,
    coalesce((select array_agg(concat_ws(' ', nullif(case mode when 'o' then 'OUT' when 'b' then 'INOUT' when 'v' then 'VARIADIC'
            else '' end, ''), nullif(name, ''), format_type(type, null)) order by number)
        from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes)
            with ordinality as given(type, name, mode, number) where mode is distinct from 't'), '{}') as arguments,
    pg_get_function_identity_arguments(p.oid) as signature,
    count(*) over (partition by n.oid, p.proname, p.prokind = 'p')::int as overloads,
    case when p.prokind <> 'p' then pg_get_function_result(p.oid) end as return_type,
    l.lanname as language, pg_get_functiondef(p.oid) as definition, obj_description(p.oid, 'pg_proc') as comment
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_language l on l.oid = p.prolang
where p.prokind in ('p', 'f') and n.nspname = any(%(schemas)s)
order by n.nspname collate "C", p.proname collate "C", pg_get_function_identity_arguments(p.oid) collate "C"
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

    def preflight(self) -> list[str]:
        """Whether the catalogue's tables that are read may be read, in the address's own database."""
        try:
            with self._connect(self._entry) as connection:
                faults = []
                for name in CATALOGUE:
                    try:
                        with connection.transaction():
                            connection.execute(f"select from pg_catalog.{name} limit 1")
                    except psycopg.errors.InsufficientPrivilege:
                        faults.append(
                            f"The user {connection.info.user} may not read pg_catalog.{name} in the database "
                            f"{self._entry}: GRANT SELECT ON pg_catalog.{name} TO it."
                        )
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
        return self._query(database, TABLES_QUERY, schemas)

    def columns(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """Their columns, numbered anew, as a dropped column keeps its number in `pg_attribute`."""
        return self._query(database, COLUMNS_QUERY, schemas)

    def procedures(self, database: str, schemas: Sequence[str]) -> Iterator[SourceRow]:
        """Procedures and functions, but no aggregates and window functions (`pg_proc.prokind`)."""
        return self._query(database, PROCEDURES_QUERY, schemas)

    def _query(self, database: str, statement: str, schemas: Sequence[str] = ()) -> Iterator[SourceRow]:
        """The rows of a statement, from a cursor on the server."""
        with self._connect(database) as connection, connection.cursor("rows", row_factory=dict_row) as cursor:
            cursor.itersize = ROWS_IN_FETCH
            try:
                yield from cursor.execute(statement, {"schemas": list(schemas)})
            except psycopg.Error as error:
                raise SourceError(f"{database} cannot be read: {self._explain(error, database)}") from None

    @contextlib.contextmanager
    def _connect(self, database: str) -> Iterator[psycopg.Connection]:
        parameters = {"connect_timeout": CONNECT_SECONDS, **self._parameters, "dbname": database}
        try:
            connection = psycopg.connect(**parameters, application_name="delta-arc")
        except psycopg.Error as error:
            raise SourceError(self._explain(error, database)) from None
        with connection:
            connection.read_only = True
            connection.execute("select set_config('statement_timeout', %s, false)", [f"{self._timeout_seconds}s"])
            yield connection

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
    CONNECTION = enum.auto()
    OTHER = enum.auto()


def _kind_of(error: psycopg.Error) -> ErrorKind:
    """By its SQLSTATE ("PostgreSQL Error Codes"); an error of connecting has none, as libpq gives its text only."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return ErrorKind.TIMEOUT
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


def _first_sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
