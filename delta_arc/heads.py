"""From the first bytes of an object to its first rows, or to the names of its columns.

Whoever may write a file may write anything into it, so everything that is looked at is bounded: the bytes that come out
of a compression, the columns, the letters of a cell, the depth of JSON. Nothing here raises for what a file says.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

LARGEST_READ = 256 * 1024  # bytes, as they are stored and also as they come out of gzip
ROWS = 20  # how many rows help to tell whether the first is a header
RECORDS = 1000  # how many records of JSON are asked for their keys
MOST_COLUMNS = 5000  # PostgreSQL has 1,600 at the most (its documentation, appendix K, "PostgreSQL Limits")
LONGEST_NAME = 300  # PostgreSQL and Snowflake have names of 63 bytes and 255 characters; what is longer is cut here
DEEPEST_JSON = 64
GZIP_MEMBERS = 64

TOO_MANY_COLUMNS = f"it has more than {MOST_COLUMNS} columns"


@dataclass(frozen=True)
class Head:
    """The beginning of an object: its first rows, or the names of its columns, or why there are neither.

    `nested` means that the columns may stand inside a JSON value, as Airbyte and Debezium write them; `cut_off`, that
    the first line or record goes on beyond what was read; `unread`, that it is empty, damaged or not handed out.
    """

    rows: tuple[tuple[str, ...], ...] = ()
    columns: tuple[str, ...] = ()
    nested: bool = False
    reason: str = ""
    cut_off: bool = False
    unread: bool = False


def parse_head(head: bytes, complete: bool) -> Head:
    """What the first bytes of an object tell; `complete` says that they are the whole object.

    The content tells the format, as many keys have no extension, or a wrong one.
    """
    if head.startswith(b"\x1f\x8b"):
        try:
            head, complete = _inflate(head, complete)
        except zlib.error:
            return Head(reason="it is no gzip file")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        return Head(reason="it is neither UTF-8 text nor Parquet")
    text = head[:LARGEST_READ].decode("utf-8-sig", "replace")
    beginning = text.lstrip()[:1]
    if not beginning:
        return Head(reason="it is empty" if complete else "its beginning is blank")
    if beginning in "{[":
        return _parse_json(text)
    if beginning == "<":
        return Head(reason="XML is not read")
    return _parse_delimited(text, complete and len(head) <= LARGEST_READ)


def _inflate(content: bytes, complete: bool) -> tuple[bytes, bool]:
    """What gzip has packed, as far as it is read, and whether that is all; one file may have several members (RFC 1952)."""
    text = b""
    for _ in range(GZIP_MEMBERS):
        inflating = zlib.decompressobj(31)
        try:
            text += inflating.decompress(content, LARGEST_READ - len(text))
        except zlib.error:
            if not text:
                raise
            return text, False
        content = inflating.unused_data
        if not inflating.eof or len(text) >= LARGEST_READ:
            return text, False
        if not content.startswith(b"\x1f\x8b"):  # what stands behind the last member is padding, as gzip(1) has it
            return text, complete
    return text, False


# =====================================================================================================================
# JSON
# =====================================================================================================================

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{\[]|[}\]]', re.DOTALL)
BETWEEN_RECORDS = re.compile(r"[ \t\r\n,\[\]]*")  # line breaks, or what an array puts there


def _parse_json(text: str) -> Head:
    """The keys of the first records: lines of JSON, or the elements of one array. Records may leave out a key."""
    end = _where_too_deep(text)
    text = text[:end]
    records: list[Any] = []
    # Numbers are not looked at, and a long one takes long to understand.
    decoder, position = json.JSONDecoder(parse_int=len, parse_float=len), 0
    while len(records) < RECORDS:
        between = BETWEEN_RECORDS.match(text, position)
        try:
            record, position = decoder.raw_decode(text, between.end() if between else position)
        except (ValueError, RecursionError):
            break  # the end, or a record that goes on beyond what was read
        records.append(record)
    if not records and end is not None:
        return Head(reason="its JSON is nested too deeply")
    if not records or not all(isinstance(record, dict) for record in records):
        return Head(reason="its first record is longer than what is read, or is no JSON object", cut_off=True)
    columns = tuple(dict.fromkeys(_encodable(name) for record in records for name in record))
    if not columns:
        return Head(reason="its records have no keys")
    if len(columns) > MOST_COLUMNS:
        return Head(reason=TOO_MANY_COLUMNS)
    nested = any(isinstance(value, (dict, list)) for record in records for value in record.values())
    return Head(columns=columns, nested=nested)


def _where_too_deep(text: str) -> int | None:
    """Where a bracket stands inside DEEPEST_JSON others, if one does: a parser goes down the stack with each."""
    depth = 0
    for found in TOKEN.finditer(text):
        first = found.group()[0]
        if first in "{[":
            depth += 1
        elif first in "}]":
            depth = max(0, depth - 1)
        if depth > DEEPEST_JSON:
            return found.start()
    return None


def _encodable(name: str) -> str:
    """A key with a question mark for each half of a surrogate pair, which JSON may have and UTF-8 has not."""
    return name[:LONGEST_NAME].encode("utf-8", "replace").decode()


# =====================================================================================================================
# Text with delimiters
# =====================================================================================================================


def _parse_delimited(text: str, complete: bool) -> Head:
    parsed = [rows for delimiter in ",;\t|" if (rows := _parse_rows(text, delimiter, complete))]
    if not parsed and complete:
        return Head(reason="it has no row that can be read")
    if not parsed:
        return Head(reason="its first line is longer than what is read", cut_off=True)

    def fit(rows: tuple[tuple[str, ...], ...]) -> tuple[bool, int]:
        """The right delimiter parts all rows alike, and into the most cells."""
        return len({len(row) for row in rows}) == 1, len(rows[0])

    rows = max((rows for rows in parsed if len(rows[0]) > 1), key=fit, default=parsed[0])
    return Head(rows=rows) if len(rows[0]) <= MOST_COLUMNS else Head(reason=TOO_MANY_COLUMNS)


def _parse_rows(text: str, delimiter: str, complete: bool) -> tuple[tuple[str, ...], ...]:
    """The first rows that are not blank; the last one read does not count where the text may end inside it."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(itertools.islice((row for row in reader if any(row)), ROWS + 1))
    except csv.Error:
        return ()
    if len(rows) <= ROWS and not complete:
        rows = rows[:-1]
    return tuple(tuple(cell.strip()[:LONGEST_NAME] for cell in row) for row in rows[:ROWS])


# =====================================================================================================================
# Parquet
# =====================================================================================================================


def find_footer(tail: bytes) -> bytes | int | None:
    """The Parquet footer at the end of an object, or how many bytes of its end hold it, if these do not.

    None where this is no end of a Parquet file (apache/parquet-format, README: the footer, its length, `PAR1`).
    """
    if len(tail) < 12 or not tail.endswith(b"PAR1"):
        return None
    length = int.from_bytes(tail[-8:-4], "little") + 8
    return length if length > len(tail) else tail[-length:]
