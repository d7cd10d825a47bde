"""Does a file tell its columns? JSON and Parquet name them; the first row of a text may be a header, or data. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from delta_arc.fit import pair_names
from delta_arc.heads import Head

NAME = r"#?\s*[^\W\d][\w $#.-]{0,127}"
NO_NAMES = r"(?i)true|false|yes|no|null|none|nan|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Each takes time in proportion to the cell: no part can give back what another one could take.
VALUE = r"[-+$€£]?[.,]*\d.*"  # what starts like a number or a date
JOINT = r"[^\W_]_[^\W_]|[a-z][A-Z]"  # customer_id, customerId


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

    JSON and Parquet name their columns. The first row of a text is a header where most of its cells are columns of the
    table, or where all of its cells look like names, and it stands out from the rows below.
    """
    if head.reason:
        return FileColumns(reason=head.reason, unread=head.unread)
    columns = head.columns or next(iter(head.rows), ())
    if not columns:
        return FileColumns(reason="it has no columns")
    shared = shared_columns(columns, table_columns)
    wrapped = head.nested or any(cell.startswith(("{", "[")) for row in head.rows[1:] for cell in row)
    if not shared and wrapped:
        return FileColumns(reason="its records are wrapped in JSON")
    if head.rows and 2 * len(shared) <= len(columns):
        if not all(_looks_like_a_name(cell) for cell in columns) or len(set(columns)) < len(columns):
            return FileColumns(reason="it has no header")
        if not _stands_out(columns, head.rows[1:]):
            return FileColumns(reason="its first row may be data")
    return FileColumns(tuple(columns))


def shared_columns(columns: Sequence[str], table_columns: Sequence[str]) -> set[str]:
    """The table's columns that are among these, by the rules by which columns match."""
    return {left for left, _ in pair_names(table_columns, columns)}


def _looks_like_a_name(cell: str) -> bool:
    return bool(re.fullmatch(NAME, cell)) and not re.fullmatch(NO_NAMES, cell)


def _stands_out(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a column holds numbers or dates all the way below the first row, or half the cells are joined words
    (`customer_id`) and none below them is."""
    below = [row for row in rows if len(row) == len(first)]
    if not below:
        return False
    joined = [at for at, cell in enumerate(first) if re.search(JOINT, cell)]
    if any(all(re.fullmatch(VALUE, row[at]) for row in below) for at in range(len(first))):
        return True
    return 2 * len(joined) >= len(first) and not any(re.search(JOINT, row[at]) for row in below for at in joined)
