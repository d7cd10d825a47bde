"""Evidence from the objects themselves: the names of the columns, read from a few kilobytes of the newest objects.

Only `read_heads` asks S3; the rest is pure. What a file holds below its header is looked at to tell whether the first
row is a header, and never kept.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import zlib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from delta_arc.keys import WRAPPINGS
from delta_arc.matching import match_columns
from runtime.parallel import interleave
from runtime.terminal import Progress

FIRST_READ, LARGEST_READ = 64 * 1024, 256 * 1024
READERS = 8  # objects read at once
ROWS = 20  # how many rows help to tell whether the first is a header
# Formats of objects that are not read; any other object tells what it is by its first bytes.
UNREAD_EXTENSIONS = {"avro", "orc", "xml", "xlsx", "arrow", "feather", *WRAPPINGS} - {"gz", "gzip"}

ABSENT = "columns not in the file"


class Ground(str, Enum):
    """What a chain is founded on: the names of its tables and objects, or also the columns that a file has."""

    NAMES = "names only"
    HEADER = "names and header"
    CONTRADICTION = "contradiction"  # the file has other columns, so there is no chain


@dataclass(frozen=True)
class Head:
    """The beginning of an object: its first rows, or the names of its columns, or why there are neither.

    `nested` means that the columns may stand inside a JSON value, as Airbyte and Debezium write them; `cut_off`, that
    the first line or record goes on beyond what was read.
    """

    rows: tuple[tuple[str, ...], ...] = ()
    columns: tuple[str, ...] = ()
    nested: bool = False
    reason: str = ""
    cut_off: bool = False


@dataclass(frozen=True)
class Evidence:
    """What the objects of a dataset tell: the ground for its lineage, and which columns of the table they lack."""

    ground: Ground
    key: str = ""
    reason: str = ""
    absent: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        source = f" of {self.key}" if self.key else ""
        return f"{self.ground.value}{source}{f' ({self.reason})' if self.reason else ''}"

    @property
    def on_process(self) -> str:
        """The ground as Atlan keeps it: without the object, so that tomorrow's file changes nothing."""
        told = {"ground": self.ground.value, "reason": self.reason, ABSENT: [*self.absent]}
        return json.dumps({name: value for name, value in told.items() if value}, ensure_ascii=False)


def absent_columns(context: str | None) -> frozenset[str]:
    """The names of the columns that `on_process` says are not in the file."""
    return frozenset(_read_context(context).get(ABSENT, []))


def explain_ground(context: str | None) -> str:
    """What `on_process` says, in words."""
    told = _read_context(context)
    reason = f" ({told['reason']})" if told.get("reason") else ""
    absent = f"; not in the file: {', '.join(told[ABSENT])}" if told.get(ABSENT) else ""
    return f"{told.get('ground', '')}{reason}{absent}"


def _read_context(context: str | None) -> dict[str, Any]:
    try:
        told = json.loads(context or "{}")
        return told if isinstance(told.get(ABSENT, []), list) else {}
    except (ValueError, AttributeError):
        return {}  # people may have edited it


# =====================================================================================================================
# From bytes to rows or columns
# =====================================================================================================================


def parse_head(head: bytes, complete: bool) -> Head:
    """What the first bytes of an object tell; `complete` says that they are the whole object.

    The content tells the format, as many keys have no extension, or a wrong one.
    """
    if head.startswith(b"\x1f\x8b"):
        try:
            inflating = zlib.decompressobj(31)
            head = inflating.decompress(head, LARGEST_READ)
        except zlib.error:
            return Head(reason="it is no gzip file")
        complete = inflating.eof
    if not head.strip():
        return Head(reason="it is empty")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        return Head(reason="it is neither UTF-8 text nor Parquet")
    text = head.decode("utf-8-sig", "replace")
    if text.lstrip()[0] in "{[":
        return _parse_json(text)
    if text.lstrip().startswith("<"):
        return Head(reason="XML is not read")
    return _parse_delimited(text, complete)


def _parse_json(text: str) -> Head:
    """The keys of the first records: lines of JSON, or the elements of one array. Records may leave out a key."""
    records: list[Any] = []
    decoder, position = json.JSONDecoder(), 0
    while len(records) < 1000:
        # Between records stand line breaks, or what an array puts there.
        position = next((at for at in range(position, len(text)) if text[at] not in " \t\r\n,[]"), len(text))
        try:
            record, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            break  # the end, or a record that goes on beyond what was read
        records.append(record)
    if not records or not all(isinstance(record, dict) for record in records):
        return Head(reason="its first record is longer than what is read, or is no JSON object", cut_off=True)
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    nested = any(isinstance(value, (dict, list)) for record in records for value in record.values())
    return Head(columns=columns, nested=nested) if columns else Head(reason="its records have no keys")


def _parse_delimited(text: str, complete: bool) -> Head:
    parsed = [rows for delimiter in ",;\t|" if (rows := _parse_rows(text, delimiter, complete))]
    if not parsed:
        return Head(reason="its first line is longer than what is read", cut_off=True)

    def fit(rows: tuple[tuple[str, ...], ...]) -> tuple[bool, int]:
        """The right delimiter parts all rows alike, and into the most cells."""
        return len({len(row) for row in rows}) == 1, len(rows[0])

    return Head(rows=max((rows for rows in parsed if len(rows[0]) > 1), key=fit, default=parsed[0]))


def _parse_rows(text: str, delimiter: str, complete: bool) -> tuple[tuple[str, ...], ...]:
    """The first rows that are not blank; the last one read does not count where the text may end inside it."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(itertools.islice((row for row in reader if any(row)), ROWS + 1))
    except csv.Error:
        return ()
    if len(rows) <= ROWS and not complete:
        rows = rows[:-1]
    return tuple(tuple(cell.strip() for cell in row) for row in rows[:ROWS])


def parse_parquet_tail(tail: bytes) -> Head | int:
    """The columns in the footer of a Parquet object, or how many bytes of its end hold the footer, if these do not."""
    if len(tail) < 12 or not tail.endswith(b"PAR1"):
        return Head(reason="it is no Parquet file")
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > len(tail):
        return length
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return Head(reason="Parquet needs the package pyarrow")
    try:
        # The footer is found from the end, and the rest of the file is not looked at.
        schema = pyarrow.parquet.read_schema(pyarrow.BufferReader(b"PAR1" + tail[-length:]))
    except (pyarrow.ArrowException, OSError):
        return Head(reason="its Parquet footer is damaged")
    return Head(columns=tuple(schema.names), nested=any(pyarrow.types.is_nested(kind) for kind in schema.types))


# =====================================================================================================================
# Is the first row a header, and does it fit the table?
# =====================================================================================================================

NAME = r"#?\s*[^\W\d][\w $#.-]{0,127}"
NO_NAMES = r"(?i)true|false|yes|no|null|none|nan|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
VALUE = r"[-+$€£]?[\d.,]*\d.*"  # what starts like a number or a date
JOINT = r"[^\W_]_[^\W_]|[^\W\d_]*[a-z][A-Z]"  # customer_id, customerId


def judge(head: Head, table_columns: Sequence[str]) -> Evidence:
    """What the head of one object says about its table.

    JSON and Parquet name their columns. The first row of a text is a header where most of its cells are columns of the
    table, or where all of its cells look like names, and it stands out from the rows below. Only such a header that
    shares no column with the table is a contradiction; a row that may be data decides nothing.
    """
    if not table_columns:
        return Evidence(Ground.NAMES, reason="the table has no known columns")
    if head.reason:
        return Evidence(Ground.NAMES, reason=head.reason)
    columns = head.columns or head.rows[0]
    shared = _shared(columns, table_columns)
    wrapped = head.nested or any(cell.startswith(("{", "[")) for row in head.rows[1:] for cell in row)
    if not shared and wrapped:
        return Evidence(Ground.NAMES, reason="its records are wrapped in JSON")
    if head.rows and 2 * len(shared) <= len(columns):
        if not all(_looks_like_a_name(cell) for cell in columns) or len(set(columns)) < len(columns):
            return Evidence(Ground.NAMES, reason="it has no header")
        if not _stands_out(columns, head.rows[1:]):
            return Evidence(Ground.NAMES, reason="its first row may be data")
    if not shared:
        reason = f"the file has {_shortened(columns)}; the table has {_shortened(table_columns)}"
        return Evidence(Ground.CONTRADICTION, reason=reason, columns=tuple(columns))
    absent = tuple(name for name in table_columns if name not in shared)
    return Evidence(Ground.HEADER, absent=absent, columns=tuple(columns))


def _shared(columns: Sequence[str], table_columns: Sequence[str]) -> set[str]:
    """The table's columns that are among these, by the rules by which columns match."""
    found = match_columns([[name, name, "Column"] for name in table_columns], [[name, name, ""] for name in columns])
    return {left[1] for left, _ in found}


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


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


# =====================================================================================================================
# Reading from S3
# =====================================================================================================================


def gather_evidence(
    client: Any,
    bucket: str,
    datasets: Mapping[str, Sequence[Mapping[str, Any]]],
    columns: Mapping[str, Sequence[str]],
    forced: Container[str] = (),
) -> dict[str, Evidence]:
    """The evidence for each table, from the newest object of its dataset; `columns` are the names in the tables, and
    `forced` the keys that an override gives to a table: their headers cannot contradict it.

    Where the newest object tells nothing, the one before it is asked. The first that tells something decides alone, as
    lineage is about what flows now: a column that the newest file lacks gets no edge, and one that only it has does.
    """
    found: dict[str, Evidence] = {}
    asked = {table: _newest(objects) for table, objects in datasets.items()}
    with Progress("File headers", len(datasets)) as progress:
        for number in range(2):
            wanted = {
                table: objects[number]
                for table, objects in asked.items()
                if len(objects) > number
                and columns.get(table)
                and (table not in found or found[table].ground is Ground.NAMES)
            }
            heads = _read_heads(client, bucket, list(wanted.values()), progress)
            for (table, item), head in zip(wanted.items(), heads, strict=True):
                judged = judge(head, columns[table])
                if table not in found or judged.ground is not Ground.NAMES:
                    found[table] = replace(judged, key=item["key"])
    for table, judged in found.items():
        if judged.ground is Ground.CONTRADICTION and judged.key in forced:
            found[table] = Evidence(Ground.NAMES, judged.key, f"an override against its columns: {judged.reason}")
    for table in datasets:
        reason = "its objects are of no format that is read" if columns.get(table) else "the table has no known columns"
        found.setdefault(table, Evidence(Ground.NAMES, reason=reason))
    return found


def _newest(objects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The newest two objects of a format that is read; of the same moment, the one with the last name."""
    readable = [item for item in objects if item["key"].rpartition(".")[2].lower() not in UNREAD_EXTENSIONS]
    return sorted(readable, key=lambda item: (item["last_modified"], item["key"]), reverse=True)[:2]


def _read_heads(client: Any, bucket: str, objects: Sequence[Mapping[str, Any]], progress: Progress) -> list[Head]:
    """The heads of some objects, in their order, several read at once."""
    numbers = iter(range(len(objects)))  # next() on it is one step for all threads

    def read() -> Iterator[tuple[int, Head]]:
        for number in numbers:
            yield number, _read_head(client, bucket, objects[number]["key"], objects[number]["size"])

    heads = [Head()] * len(objects)
    for number, head in interleave([read() for _ in range(min(READERS, len(objects)))]):
        heads[number] = head
        progress.advance()
    return heads


def _read_head(client: Any, bucket: str, key: str, size: int) -> Head:
    """The head of an object, from at most LARGEST_READ of its bytes, or why it cannot be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    if not size:
        return Head(reason="it is empty")

    def read(start: int, end: int) -> bytes:
        answer = client.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}")
        content: bytes = answer["Body"].read(LARGEST_READ)
        return content

    try:
        found = Head()
        for length in (FIRST_READ, LARGEST_READ):
            head = read(0, min(length, size))
            if head.startswith(b"PAR1"):
                return _read_parquet(read, size)
            found = parse_head(head, complete=length >= size)
            if length >= size or not found.cut_off:
                break
        return found
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        denied = code in ("AccessDenied", "AllAccessDisabled", "Forbidden", "403")
        return Head(reason="reading it is denied" if denied else f"it cannot be read: S3 answered {code}")
    except (BotoCoreError, OSError) as error:
        return Head(reason=f"it cannot be read: {type(error).__name__}")


def _read_parquet(read: Any, size: int) -> Head:
    found = parse_parquet_tail(read(max(0, size - FIRST_READ), size))
    if isinstance(found, int) and found <= min(LARGEST_READ, size):
        found = parse_parquet_tail(read(size - found, size))
    return found if isinstance(found, Head) else Head(reason="its Parquet footer is too large to be read")
