"""Does a file tell its columns? JSON and Parquet name them; the first row of a text may be a header, or data. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from delta_arc.files.heads import Head, usual_width
from delta_arc.fit import pair_names
from delta_arc.keys import fold

NAME = r"#?\s*[^\W\d][\w $#.-]{0,127}"
NO_NAMES = r"(?i)true|false|yes|no|null|none|nan|na|nil|never|unknown|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Each takes time in proportion to the cell: no part can give back what another one could take.
NUMBER = r"[-+$€£(]?[.,]?\d[\d.,]*[%€)]?"
DATE = r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T][\d:.,+Z -]{0,30})?"
# What many names of columns end in, and few values. Words that say yes or no, or when, are not among them.
COLUMN_WORDS = {
    "id", "ids", "key", "uuid", "guid", "name", "names", "code", "type", "date", "time", "timestamp", "datetime", "at", "ts",
    "nr", "num", "number", "count", "amount", "total", "price", "qty", "quantity", "status", "flag", "description", "desc",
    "email", "phone", "address", "city", "country", "url", "title", "version", "value", "currency", "rate",
}  # fmt: skip
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
# Names that tools make up where they are told none: Spark `_c0`, Hive `_col0`, pandas and pyarrow `f0` and `0`, DuckDB
# `column0`, polars `column_1`, BigQuery `f0_` and `string_field_0`, Excel `Column1`, pandas `Unnamed: 0`.
NUMBERED = r"(?i)(?:_c|_?col|column|f|(?:[a-z0-9]{1,20}_)?field|unnamed:)?[ _]?\d{1,4}_?"


@dataclass(frozen=True)
class FileColumns:
    """The names of the columns of one object, or why it does not tell them.

    `unread` says that it could not be read at all: it is empty, damaged, or S3 does not hand it out.
    """

    names: tuple[str, ...] = ()
    reason: str = ""
    unread: bool = False


def find_columns(head: Head, table_columns: Sequence[str]) -> FileColumns:
    """The columns that the head of an object tells.

    JSON, Avro, Parquet and ORC name their columns. The first row of a text is a header where most of its cells are
    columns of the table, or where all of its cells look like names, and it stands out from the rows below.

    Names of which the table has none are told only where nothing else explains that: that tools have made them up, that
    the columns stand inside of others, that the encoding is not known.
    """
    if head.reason:
        return FileColumns(reason=head.reason, unread=head.unread)
    rows = _from_the_header(head.rows, table_columns)
    columns = _without_table(head.columns or next(iter(rows), ()), table_columns)
    if not columns:
        return FileColumns(reason="it has no columns")
    shared = shared_columns(columns, table_columns)
    if not shared and (reason := _why_none_may_be_shared(columns, head)):
        return FileColumns(reason=reason)
    if rows and 2 * len(shared) <= len(columns) and len(shared) < 2:
        if not all(_looks_like_a_name(cell) for cell in columns) or len(set(columns)) < len(columns):
            return FileColumns(reason="it has no header")
        if not _stands_out(columns, rows[1:]):
            return FileColumns(reason="its first row may be data")
    return FileColumns(tuple(columns))


def shared_columns(columns: Sequence[str], table_columns: Sequence[str]) -> set[str]:
    """The table's columns that are among these, by the rules by which columns match."""
    return {left for left, _ in pair_names(table_columns, columns)}


def _from_the_header(rows: Sequence[Sequence[str]], table_columns: Sequence[str]) -> Sequence[Sequence[str]]:
    """The rows from the one that may be the header: the first, or the one behind a title or comments.

    Titles and comments have another number of cells than most rows, or begin with `#`.
    """
    if not rows:
        return rows
    width = usual_width(tuple(map(tuple, rows)))
    full = [at for at, row in enumerate(rows) if len(row) == width]
    candidates = {0, full[0], next((at for at in full if not rows[at][0].startswith("#")), 0)}
    most = max(candidates, key=lambda at: (len(shared_columns(rows[at], table_columns)), at == full[0]))
    return rows[most:]


def _without_table(columns: Sequence[str], table_columns: Sequence[str]) -> Sequence[str]:
    """`order_id` for `orders.order_id`, as Hive writes all names (`hive.resultset.use.unique.column.names`), where that
    tells more columns of the table."""
    if len({column.partition(".")[0] for column in columns}) != 1 or not all("." in column for column in columns):
        return columns
    bare = [column.partition(".")[2] for column in columns]
    more = len(shared_columns(bare, table_columns)) > len(shared_columns(columns, table_columns))
    return bare if more else columns


def _why_none_may_be_shared(columns: Sequence[str], head: Head) -> str:
    """Why columns of which the table has none need not be other columns, or nothing."""
    if head.nested or any(cell.startswith(("{", "[")) for row in head.rows[1:] for cell in row):
        return "its columns may stand inside of others"
    if head.columns and all(re.fullmatch(NUMBERED, name) for name in columns):
        return "its columns have no names but numbers"
    if all(name.startswith("_") for name in columns):
        return "it has only columns of the tool that wrote it"
    if head.is_archive:
        return "it is an archive, and another file of it may be meant"
    if head.is_guessed and not all(map(str.isascii, columns)):
        return "the encoding of its names is not known"
    return ""


def _looks_like_a_name(cell: str) -> bool:
    return bool(re.fullmatch(NAME, cell)) and not re.fullmatch(NO_NAMES, cell)


def _stands_out(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first row that looks like names is unlike the rows below it.

    It is where a column holds dates or numbers all the way below, and its own cell has no digit (one number is enough
    only where all cells are written alike); or where half of the cells end in a word as columns have it, and none below
    them does. It is not where one of its cells comes again.
    """
    below = [row for row in rows if len(row) == len(first)]
    if not below:
        return False
    values = [[row[at] for row in below if row[at]] for at in range(len(first))]
    if any(fold(cell) in map(fold, column) for cell, column in zip(first, values, strict=True)):
        return False
    for cell, column in zip(first, values, strict=True):
        if column and not re.search(r"\d", cell):
            if all(re.fullmatch(DATE, value) for value in column):
                return True
            if (len(column) > 1 or _are_written_alike(first)) and all(re.fullmatch(NUMBER, value) for value in column):
                return True
    telling = [column for cell, column in zip(first, values, strict=True) if _ends_like_a_column(cell)]
    return 2 * len(telling) >= len(first) and not any(
        _ends_like_a_column(cell) for column in telling for cell in column
    )


def _are_written_alike(cells: Sequence[str]) -> bool:
    return any(all(map(style, cells)) for style in (str.islower, str.isupper))


def _ends_like_a_column(cell: str) -> bool:
    """Two letters say so only behind others: `AT`, `ID` and `NR` are countries, too."""
    words = WORD.findall(cell)
    return bool(words) and words[-1].lower() in COLUMN_WORDS and (len(words) > 1 or len(words[-1]) > 2)
