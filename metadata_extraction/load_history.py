"""What a source knows of its own loads and exports, as OpenLineage run events. Pure, but for sqlglot's reading of SQL.

Datasets are named as OpenLineage's "Naming Conventions" say: `s3://bucket` and a key, and the source's namespace with
`database.schema.table`.
"""

from __future__ import annotations

import functools
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from runtime.openlineage import PRODUCER, Dataset, Event, make_dataset, make_event, without_keys

MOST_OF_A_STATEMENT = 10_000  # characters that an event has of it
LONGEST_PARSED = 50_000
LONGEST_PROGRAM = 4_000
MOST_COLUMNS = 5_000

T = TypeVar("T")
Columns = tuple[tuple[str, str], ...]  # (column of the file or source, column of the table or file)


@dataclass(frozen=True)
class Transfer:
    """A file that a table was loaded from (`is_load`), or exported to. `url` is like s3://bucket/key."""

    database: str
    schema: str
    table: str
    url: str
    is_load: bool
    job: str
    time: datetime
    sql: str = ""
    columns: Columns = ()


@dataclass(frozen=True)
class Copy:
    """What a COPY statement says: its table, as far as it names it, in the case that counts, and its columns.

    A column of the file that has no name there is `$1`, `$2`, … by its position.
    """

    table: tuple[str, ...]
    columns: Columns = ()
    url: str = ""


def make_transfer_event(transfer: Transfer, namespace: str) -> Event | None:
    """The COMPLETE event of a transfer, the same each time; None where its file is not in S3."""
    found = re.fullmatch(r"s3(?:gov|china|[an])?://([^/]+)/+(.+)", transfer.url, re.DOTALL)
    if not found:
        return None
    name = f"{transfer.database}.{transfer.schema}.{transfer.table}"
    file, table = (f"s3://{found[1]}", found[2]), (namespace, name)
    given, made = (file, table) if transfer.is_load else (table, file)
    left: Dataset = make_dataset(*given)
    right = make_dataset(*made, [(left, pair) for pair in transfer.columns[:MOST_COLUMNS]])
    seed = "\n".join((PRODUCER, *given, *made, transfer.time.isoformat()))
    facets = {"sql": {"query": without_keys(transfer.sql)[:MOST_OF_A_STATEMENT]}} if transfer.sql else {}
    run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, seed))
    return make_event("COMPLETE", transfer.time, run_id, (namespace, transfer.job), facets, [left], [right])


# =====================================================================================================================
# What statements say
# =====================================================================================================================


def _or_none(parse: Callable[[str], T | None]) -> Callable[[str], T | None]:
    """Statements are strangers': one that cannot be parsed, or is too long, says nothing."""

    @functools.lru_cache(maxsize=1_000)
    def parse_safely(sql: str) -> T | None:
        if len(sql) > LONGEST_PARSED:
            return None
        logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
        try:
            return parse(sql)
        except Exception as error:  # of any kind: sqlglot's parser also ends in IndexError, RecursionError and the like
            logging.getLogger("delta_arc").debug("a statement is not understood: %s", type(error).__name__)
            return None

    return parse_safely


@_or_none
def parse_copy_into(sql: str) -> Copy | None:
    """What Snowflake's `COPY INTO <table>` says, also as the definition of a pipe; None for anything else.

    A list of columns is filled by position, and so is one without: "COPY INTO <table>" in Snowflake's SQL reference.
    Columns are told only where both ends have a name or a position, so not for a table without a list.
    """
    import sqlglot
    from sqlglot import exp

    start = re.search(r"\bcopy\s+into\b", sql, re.IGNORECASE)
    copy = sqlglot.parse_one(sql[start.start() :], read="snowflake") if start else None
    if not isinstance(copy, exp.Copy):
        return None
    into = copy.this
    table = into.this if isinstance(into, exp.Schema) else into
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None  # an unload, into a stage or an address
    named = [_name_of(item) for item in into.expressions] if isinstance(into, exp.Schema) else []
    source = copy.args["files"][0] if copy.args.get("files") else None
    select = source.this if isinstance(source, exp.Subquery) else None
    if isinstance(select, exp.Select):
        given = [_file_column(item) for item in select.expressions]
    else:
        given = [f"${number}" for number in range(1, len(named) + 1)]
    pairs = [(left, right) for left, right in zip(given, named, strict=False) if left]
    return Copy(tuple(map(_name_of, table.parts)), tuple(pairs[:MOST_COLUMNS]))


def _name_of(identifier: Any) -> str:
    """The name that an identifier means: in capitals where it is not quoted ("Identifier requirements")."""
    return str(identifier.name if identifier.args.get("quoted") else identifier.name.upper())


def _file_column(expression: Any) -> str:
    """The one column of the file that an expression is made of: `$2`, or `id` of `$1:id`; else an empty text."""
    from sqlglot import exp

    found = {f"${parameter.name}" for parameter in expression.find_all(exp.Parameter)}
    within = list(expression.find_all(exp.JSONExtract))
    if len(found) != 1 or len(within) > 1:
        return ""
    if within:
        keys = [str(key.this) for key in within[0].expression.find_all(exp.JSONPathKey)]
        return keys[0] if len(keys) == 1 else ""
    return found.pop()


_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_TABLE = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_TO_PROGRAM = re.compile(
    rf"\s*copy\s+(?:(?P<table>{_TABLE})\s*(?P<columns>\([^)]*\))?|\((?P<query>.*)\))\s+to\s+program\s+(?:e?'(?P<program>(?:[^']|'')*)').*",
    re.IGNORECASE | re.DOTALL,
)
_AWS_CP = re.compile(r"\baws\s[^|;&]*\bs3\s+cp\s[^|;&]*(?<=\s)-\s+[\"']?(s3://[^\s\"'|;&]+)")
_TO_S3 = re.compile(r"\bquery_export_to_s3\s*\(", re.IGNORECASE)
_TEXT = re.compile(r"'((?:[^']|'')*)'")


@_or_none
def parse_export(sql: str) -> Copy | None:
    """What an export of PostgreSQL says: `COPY … TO PROGRAM 'aws s3 cp - s3://…'`, or `aws_s3.query_export_to_s3('…',
    aws_commons.create_s3_uri('bucket', 'key', …), …)` (Amazon RDS user guide, "Exporting data from an RDS for PostgreSQL
    DB instance to Amazon S3"), also with the bucket and the key as arguments of their own; None for anything else.
    """
    if program := _TO_PROGRAM.fullmatch(sql):
        address = _AWS_CP.search(program["program"].replace("''", "'")[:LONGEST_PROGRAM])
        if not address:
            return None
        if program["query"]:
            return _of_query(program["query"], address[1])
        columns = [_postgres_name(name) for name in re.findall(_NAME, program["columns"] or "")]
        table = tuple(_postgres_name(name) for name in re.findall(_NAME, program["table"]))
        return Copy(table, tuple((name, name) for name in columns), address[1])
    if call := _TO_S3.search(sql):
        # The texts in their order: the query, the bucket, the key.
        texts = [text.replace("''", "'") for text in _TEXT.findall(sql[call.end() :])]
        if len(texts) >= 3:
            return _of_query(texts[0], f"s3://{texts[1]}/{texts[2]}")
    return None


def has_lost_constants(sql: str) -> bool:
    """Whether it is a call of query_export_to_s3 without its texts, as pg_stat_statements keeps a SELECT."""
    return bool(re.search(r"\bquery_export_to_s3\s*\(\s*\$\d", sql, re.IGNORECASE))


def _of_query(query: str, url: str) -> Copy | None:
    """The one table that a query reads, and its columns where they are plain ones."""
    import sqlglot
    from sqlglot import exp

    select = sqlglot.parse_one(query, read="postgres")
    tables = list(select.find_all(exp.Table))
    if not isinstance(select, exp.Select) or len(tables) != 1 or not isinstance(tables[0].this, exp.Identifier):
        return None
    pairs = []
    for item in select.expressions:
        inner = item.this if isinstance(item, exp.Alias) else item
        if isinstance(inner, exp.Column) and isinstance(inner.this, exp.Identifier):
            pairs.append(
                (_folded(inner.this), _folded(item.args["alias"]) if item is not inner else _folded(inner.this))
            )
    return Copy(tuple(map(_folded, tables[0].parts)), tuple(pairs), url)


def _folded(identifier: Any) -> str:
    """The name that an identifier of PostgreSQL means: in small letters where it is not quoted."""
    return str(identifier.name if identifier.args.get("quoted") else identifier.name.lower())


def _postgres_name(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()


def make_transfer_events(transfers: Iterable[Transfer], namespace: str) -> Iterator[Event]:
    """The events of those transfers whose files are in S3."""
    for transfer in transfers:
        event = make_transfer_event(transfer, namespace)
        if event:
            yield event
