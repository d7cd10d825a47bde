"""From the first bytes of an object to its first rows, or to the names of its columns.

Whoever may write a file may write anything into it, so everything that is looked at is bounded: the bytes that come out
of a compression, the columns, the letters of a cell, the depth of JSON. Nothing here raises for what a file says.

What has its columns at its end (Parquet, ORC) is told by `tail_format`, cut by `find_footer`, and read by
`delta_arc.files.footers`.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from delta_arc.files.unpacking import BZIP2, GZIP, XZ, ZSTD, unpack
from delta_arc.files.unpacking import LARGEST_READ as LARGEST_READ

ROWS = 20  # how many rows help to tell whether the first is a header
RECORDS = 1000  # how many records of JSON are asked for their keys
MOST_COLUMNS = 5000  # PostgreSQL has 1,600 at the most (its documentation, appendix K, "PostgreSQL Limits")
LONGEST_NAME = 300  # PostgreSQL and Snowflake have names of 63 bytes and 255 characters; what is longer is cut here
DEEPEST_JSON = 64

TOO_MANY_COLUMNS = f"it has more than {MOST_COLUMNS} columns"

# What files of a name begin with. A text may be of any sort.
MAGIC_NUMBERS = {
    "parquet": (b"PAR1", b"PARE"), "pq": (b"PAR1", b"PARE"), "orc": (b"ORC",), "avro": (b"Obj\x01",),
    "gz": (GZIP,), "gzip": (GZIP,), "tgz": (GZIP,), "bz2": (BZIP2,), "bzip2": (BZIP2,), "tbz2": (BZIP2,), "xz": (XZ,),
    "txz": (XZ,), "zst": (ZSTD,), "zstd": (ZSTD,), "zip": (b"PK\x03\x04", b"PK\x05\x06"),
}  # fmt: skip
TEXT_EXTENSIONS = {"csv", "tsv", "tab", "psv", "txt", "json", "jsonl", "jsonlines", "ndjson"}


@dataclass(frozen=True)
class Head:
    """The beginning of an object: its first rows, or the names of its columns, or why there are neither.

    `nested` means that the columns may stand inside a value, as Airbyte and Debezium write them; `is_archive`, that other
    files may lie beside the one that was read; `is_guessed`, that its encoding is not sure; `cut_off`, that the first
    line or record goes on beyond what was read; `unread`, that it is empty, damaged or not handed out.
    """

    rows: tuple[tuple[str, ...], ...] = ()
    columns: tuple[str, ...] = ()
    nested: bool = False
    is_archive: bool = False
    is_guessed: bool = False
    reason: str = ""
    cut_off: bool = False
    unread: bool = False


def parse_head(head: bytes, complete: bool, name: str = "") -> Head:
    """What the first bytes of an object tell; `complete` says that they are the whole object, `name` is its key.

    The content tells the format, as many keys have no extension. But what is no gzip file and is called one is damaged.
    """
    extension = name.rpartition(".")[2].lower()
    if not head.strip():
        return Head(reason="it is empty" if complete else "its beginning is blank", cut_off=not complete, unread=True)
    if not head.startswith(MAGIC_NUMBERS.get(extension, b"")):
        return Head(reason=f"it is called .{extension} and is no such file", unread=True)
    unpacked = unpack(head, complete)
    if unpacked.reason:
        return Head(reason=unpacked.reason, cut_off=unpacked.cut_off, unread=unpacked.unread)
    found = _parse_content(unpacked.content, unpacked.complete)
    if found.reason == NO_TEXT and extension in TEXT_EXTENSIONS:
        return Head(reason=f"it is called .{extension} and is no text", unread=True)
    return replace(found, is_archive=unpacked.is_archive, cut_off=found.cut_off and not complete)


NO_TEXT = "it is of a format that is not read"


def _parse_content(content: bytes, complete: bool) -> Head:
    if content.startswith(AVRO):
        return _parse_avro(content, complete)
    if content.startswith(b"PARE"):
        return Head(reason="its Parquet footer is encrypted")
    if kind := tail_format(content):
        return Head(reason=f"{kind} within another file is not read")
    text, is_guessed = _decode(content[:LARGEST_READ])
    if text is None:
        return Head(reason=NO_TEXT)
    beginning = text.lstrip()[:1]
    if not text.strip().strip(DELIMITERS + '"\r\n '):
        return Head(reason="it is empty" if complete else "its beginning is blank", cut_off=not complete, unread=True)
    if beginning in "{[":
        found = _parse_json(text, complete)
    elif beginning == "<":
        found = Head(reason="XML is not read")
    else:
        found = _parse_delimited(text, complete and len(content) <= LARGEST_READ)
    return replace(found, is_guessed=is_guessed)


# =====================================================================================================================
# Letters
# =====================================================================================================================

# Of the bytes that no text has, more than these in a hundred are too many. What parts fields (tab, 0x01, 0x1c to 0x1f),
# lines or pages is not among them.
MOST_CONTROLS = 1
CONTROLS = bytes([*range(9), *range(0x0E, 0x1C), 0x7F]).replace(b"\x01", b"")
# A mark at the beginning tells the encoding (Unicode, chapter 23.8); the longer ones come first.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _decode(content: bytes) -> tuple[str | None, bool]:
    """The text that bytes are, or None, and whether its encoding was guessed: each byte that is no UTF-8 is cp1252."""
    encoding = next((encoding for mark, encoding in MARKS if content.startswith(mark)), "")
    if encoding[:6] in ("utf-16", "utf-32"):
        return content.decode(encoding, "ignore"), False
    if b"\0" in content or 100 * (len(content) - len(content.translate(None, CONTROLS))) > MOST_CONTROLS * len(content):
        return None, False
    try:
        return codecs.getincrementaldecoder(encoding or "utf-8")().decode(content), False
    except UnicodeDecodeError:
        return content.decode(encoding or "utf-8", "delta_arc.cp1252"), True


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return wrong.decode("latin-1"), error.end


codecs.register_error("delta_arc.cp1252", _as_cp1252)

# =====================================================================================================================
# JSON
# =====================================================================================================================

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{\[]|[}\]]', re.DOTALL)
BETWEEN_RECORDS = re.compile(r"[ \t\r\n,\[\]]*")  # line breaks, or what an array puts there


def _parse_json(text: str, complete: bool) -> Head:
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
    if not records and complete:
        empty = BETWEEN_RECORDS.fullmatch(text)
        return Head(reason="it has no records" if empty else "its first record is no JSON", unread=True)
    if not records:
        return Head(reason="its first record is longer than what is read, or is no JSON", cut_off=True)
    if not all(isinstance(record, dict) for record in records):
        return Head(reason="its records are no JSON objects")
    columns = tuple(dict.fromkeys(_encodable(name) for record in records for name in record))
    if not columns:
        return Head(reason="its records have no keys")
    if len(columns) > MOST_COLUMNS:
        return Head(reason=TOO_MANY_COLUMNS)
    nested = any(_is_nested(value) for record in records for value in record.values())
    return Head(columns=columns, nested=nested)


def _is_nested(value: Any) -> bool:
    """Whether a value holds others; JSON may stand in a text, too (Airbyte's `_airbyte_data`)."""
    return isinstance(value, (dict, list)) or (isinstance(value, str) and value.lstrip()[:1] in ("{", "["))


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

DELIMITERS = ",;\t|^~\x01\x1f"  # 0x01 is Hive's, 0x1f ASCII's own
SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)  # Excel's


def _parse_delimited(text: str, complete: bool) -> Head:
    delimiters = DELIMITERS
    if told := SEPARATOR_LINE.match(text):
        text, delimiters = text[told.end() :], told.group(1)
    parsed = [rows for delimiter in delimiters if (rows := _parse_rows(text, delimiter, complete))]
    if not parsed and complete:
        return Head(reason="it has no row that can be read", unread=True)
    if not parsed:
        return Head(reason="its first line is longer than what is read", cut_off=True)

    def fit(rows: tuple[tuple[str, ...], ...]) -> tuple[float, int]:
        """The right delimiter parts all rows alike, or most where a title stands before them, and into the most cells."""
        width = usual_width(rows)
        return sum(len(row) == width for row in rows) / len(rows), width

    rows = max((rows for rows in parsed if usual_width(rows) > 1), key=fit, default=parsed[0])
    if max(map(len, rows)) > MOST_COLUMNS:
        return Head(reason=TOO_MANY_COLUMNS)
    return Head(rows=rows)


def usual_width(rows: tuple[tuple[str, ...], ...]) -> int:
    """How many cells most rows have; of two numbers that are as frequent, the larger one."""
    widths = Counter(map(len, rows))
    return max(widths, key=lambda width: (widths[width], width))


def _parse_rows(text: str, delimiter: str, complete: bool) -> tuple[tuple[str, ...], ...]:
    """The first rows that are not blank; the last one read does not count where the text may end inside it.

    A delimiter at the end of every row ends no further cell.
    """
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        rows = list(itertools.islice((row for row in reader if any(row)), ROWS + 1))
    except (csv.Error, TypeError, ValueError):  # the latter for a delimiter that csv does not take
        return ()
    if len(rows) <= ROWS and not complete:
        rows = rows[:-1]
    width = max(map(len, rows), default=0)
    if width > 1 and all(len(row) < width or not row[-1].strip() for row in rows):
        rows = [row[: width - 1] for row in rows]
    return tuple(tuple(cell.strip()[:LONGEST_NAME] for cell in row) for row in rows[:ROWS])


# =====================================================================================================================
# Avro
# =====================================================================================================================

AVRO = b"Obj\x01"
LARGEST_SCHEMA_ENTRIES = 64


def _parse_avro(content: bytes, complete: bool) -> Head:
    """The fields in the schema that an Avro file begins with (Apache Avro's specification, "Object Container Files")."""
    try:
        schema = json.loads(_avro_schema(content))
        fields = schema["fields"] if schema["type"] == "record" else None
    except _BeyondError:
        if complete:
            return Head(reason="it is an Avro file that ends early", unread=True)
        return Head(reason="its Avro schema is longer than what is read", cut_off=True)
    except (ValueError, TypeError, KeyError, RecursionError):
        return Head(reason="its Avro schema is damaged", unread=True)
    if not isinstance(fields, list):
        return Head(reason="its Avro schema is no record")
    if len(fields) > MOST_COLUMNS:
        return Head(reason=TOO_MANY_COLUMNS)
    if not all(isinstance(field, dict) and isinstance(field.get("name"), str) for field in fields):
        return Head(reason="its Avro schema is damaged", unread=True)
    nested = any(may_wrap(field["name"]) or _is_nested_in_avro(field.get("type")) for field in fields)
    columns = tuple(_encodable(field["name"]) for field in fields)
    return Head(columns=columns, nested=nested) if columns else Head(reason="its Avro schema has no fields")


class _BeyondError(Exception):
    """What is asked for lies behind the bytes that are there."""


def _avro_schema(content: bytes) -> bytes:
    """The value of `avro.schema` in the file's metadata, a map; raises `_BeyondError`, or `ValueError` without one."""
    at = len(AVRO)

    def number() -> int:
        nonlocal at
        read = 0
        for place in range(10):
            if at >= len(content):
                raise _BeyondError
            byte, at = content[at], at + 1
            read |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                return (read >> 1) ^ -(read & 1)
        raise ValueError

    def text() -> bytes:
        nonlocal at
        length = number()
        if length < 0:
            raise ValueError
        if at + length > len(content):
            raise _BeyondError
        at += length
        return content[at - length : at]

    for _ in range(LARGEST_SCHEMA_ENTRIES):
        count = number()
        if count < 0:
            number()  # how many bytes the entries have
        if not 0 < abs(count) <= LARGEST_SCHEMA_ENTRIES:
            break
        for _ in range(abs(count)):
            key, value = text(), text()
            if key == b"avro.schema":
                if _where_too_deep(value.decode()) is not None:
                    raise ValueError
                return value
    raise ValueError


def _is_nested_in_avro(kind: Any) -> bool:
    """Whether a field's type holds others; one of a union counts. A name of a type that was defined before is not asked."""
    if isinstance(kind, list):
        return any(map(_is_nested_in_avro, kind))
    if isinstance(kind, dict):
        return _is_nested_in_avro(kind.get("type"))
    return kind in ("record", "array", "map", "bytes")


WRAPPING = {
    "data",
    "value",
    "payload",
    "record",
    "message",
    "body",
    "document",
    "json",
    "raw",
    "variant",
    "_airbyte_data",
}


def may_wrap(name: str) -> bool:
    """Whether a column of this name may hold whole records in a text that is not looked at."""
    return name.lower() in WRAPPING


# =====================================================================================================================
# What has its columns at the end
# =====================================================================================================================


def tail_format(head: bytes) -> str:
    """`Parquet` or `ORC`, where these first bytes of an object are of a file that has its columns at its end; or nothing.

    The letters at its beginning may be a word of a text, so there has to be a byte that no text has, too.
    """
    kind = "Parquet" if head.startswith(b"PAR1") else "ORC" if head.startswith(b"ORC") else ""
    is_text = not any(byte in CONTROLS for byte in head[:4096])
    return "" if is_text and not (kind == "Parquet" and len(head) < 12) else kind


def find_footer(tail: bytes) -> bytes | int | None:
    """The footer at the end of a Parquet or ORC file, or how many bytes of its end hold it, if these do not.

    None where this is the end of neither (apache/parquet-format, README: the footer, its length, `PAR1`; Apache ORC's
    specification, "File Tail": the footer, the postscript with its length and `ORC`, the postscript's own length).
    """
    if len(tail) < 12:
        return None
    if tail.endswith(b"PAR1"):
        length = int.from_bytes(tail[-8:-4], "little") + 8
    elif tail[-4:-1] == b"ORC":
        footer = _orc_footer_length(tail[-1 - tail[-1] : -1])
        if footer is None:
            return None
        length = footer + tail[-1] + 1
    else:
        return None
    return length if length > len(tail) else tail[-length:]


def _orc_footer_length(postscript: bytes) -> int | None:
    """The first field of the postscript, a Protocol Buffers message: `optional uint64 footerLength = 1`."""
    found = re.match(rb"\x08([\x80-\xff]{0,4}[\0-\x7f])", postscript)
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found.group(1))) if found else None
