"""Evidence from the objects themselves: the names of the columns, read from a few kilobytes of the newest objects.

Only reading asks S3; the rest is pure. What a file holds below its header is looked at to tell whether the first row is
a header, and never kept. A file, or a server, that does not behave costs its own evidence and some seconds, nothing else.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypedDict

from delta_arc.footers import FooterReader
from delta_arc.headers import find_columns, shared_columns
from delta_arc.heads import LARGEST_READ, Head, find_footer, parse_head
from delta_arc.keys import WRAPPINGS
from runtime.parallel import map_in_time
from runtime.terminal import MOST_OF_A_NAME, Progress, logger, visible

FIRST_READ = 64 * 1024
READERS = 8  # objects read at once
OBJECT_SECONDS = 15.0  # for one object; with a network that works, a tenth of a second
# For all objects, whatever the server does: a network that works takes a tenth of it.
SECONDS, SECONDS_A_TABLE = 60.0, 0.25
# So many objects too slow, one after the other, and the rest is not tried. More than are read at once, as those that are
# slow hold up the readers until all of them are, however many others are quick.
SLOW_IN_A_ROW = READERS + 4
# Formats of objects that are not read; any other object tells what it is by its first bytes.
UNREAD_EXTENSIONS = {"avro", "orc", "xml", "xlsx", "arrow", "feather", *WRAPPINGS} - {"gz", "gzip"}

TOO_SLOW = Head(reason="it was not read: S3 takes too long", unread=True)
NOT_TRIED = Head(reason="it was not read: reading the files before it took too long", unread=True)

ABSENT = "columns not in the file"


class Ground(str, Enum):
    """What a chain is founded on: the names of its tables and objects, or also the columns that a file has."""

    NAMES = "names only"
    HEADER = "names and header"
    CONTRADICTION = "contradiction"  # the file has other columns, so there is no chain


@dataclass(frozen=True)
class Evidence:
    """What the objects of a dataset tell: the ground for its lineage, and which columns of the table they lack."""

    ground: Ground
    key: str = ""
    reason: str = ""
    absent: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    # What the object before it says as well: one file alone is no reason to remove anything.
    is_agreed: bool = False
    agreed_absent: tuple[str, ...] = ()

    def __str__(self) -> str:
        source = f" of {visible(self.key, MOST_OF_A_NAME)}" if self.key else ""
        return f"{self.ground.value}{source}{f' ({self.reason})' if self.reason else ''}"

    @property
    def on_process(self) -> str:
        """The ground as Atlan keeps it: without the object, so that tomorrow's file changes nothing."""
        told = {"ground": self.ground.value, "reason": self.reason, ABSENT: [*self.absent]}
        return json.dumps({name: value for name, value in told.items() if value}, ensure_ascii=False)


class _Context(TypedDict, total=False):
    """What `on_process` says, as far as it can be used; people may have edited it."""

    ground: str
    reason: str
    absent: list[str]


def absent_columns(context: str | None) -> frozenset[str]:
    """The names of the columns that `on_process` says are not in the file."""
    return frozenset(_read_context(context).get("absent", []))


def explain_ground(context: str | None) -> str:
    """What `on_process` says, in words."""
    told = _read_context(context)
    reason = f" ({_line(told['reason'])})" if told.get("reason") else ""
    absent = f"; not in the file: {', '.join(map(visible, told['absent']))}" if told.get("absent") else ""
    return f"{visible(told.get('ground', ''), MOST_OF_A_NAME)}{reason}{absent}"


def _read_context(context: str | None) -> _Context:
    try:
        told = json.loads(context or "{}")
    except (ValueError, TypeError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    found: _Context = {}
    if isinstance(told.get("ground"), str):
        found["ground"] = told["ground"]
    if isinstance(told.get("reason"), str):
        found["reason"] = told["reason"]
    absent = told.get(ABSENT)
    if isinstance(absent, list) and all(isinstance(name, str) for name in absent):
        found["absent"] = absent
    return found


def _line(text: str) -> str:
    """A sentence of ours, that quotes many names, as one line, whoever may have edited it; parts are not too long."""
    return " ".join(visible(word, MOST_OF_A_NAME) for word in text.split(" "))


# =====================================================================================================================
# Does it fit the table?
# =====================================================================================================================


def judge(head: Head, table_columns: Sequence[str]) -> Evidence:
    """What the head of one object says about its table.

    Only columns that are told for sure, and of which the table has none, are a contradiction.
    """
    if not table_columns:
        return Evidence(Ground.NAMES, reason="the table has no known columns")
    found = find_columns(head, table_columns)
    if found.reason:
        return Evidence(Ground.NAMES, reason=found.reason)
    columns, shared = found.names, shared_columns(found.names, table_columns)
    if not shared:
        reason = f"the file has {_shortened(columns)}; the table has {_shortened(table_columns)}"
        return Evidence(Ground.CONTRADICTION, reason=reason, columns=tuple(map(visible, columns)))
    absent = tuple(name for name in table_columns if name not in shared)
    return Evidence(Ground.HEADER, absent=absent, columns=tuple(map(visible, columns)))


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(map(visible, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


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

    Whatever one object holds, or S3 answers for it, is that object's reason. The time is bounded, for one object and for
    all; what was not read in it is told, and contradicts nothing.
    """
    found: dict[str, Evidence] = {}
    asked = {table: _newest(objects) for table, objects in datasets.items()}
    with Progress("File headers", len(datasets)) as progress, FooterReader() as footers:
        reading = _Reading(client, bucket, footers, progress, len(datasets))
        for number in range(2):
            wanted = {
                table: objects[number]
                for table, objects in asked.items()
                if len(objects) > number
                and columns.get(table)
                and (table not in found or found[table].ground is Ground.NAMES)
            }
            heads = reading.read_heads(list(wanted.values()))
            for (table, item), head in zip(wanted.items(), heads, strict=True):
                judged = _judge_anything(head, columns[table])
                if table not in found or judged.ground is not Ground.NAMES:
                    found[table] = replace(judged, key=item["key"])
        asked_again = {
            table: objects[1]
            for table, objects in asked.items()
            if len(objects) > 1 and table in found and found[table].key == objects[0]["key"] and _removes(found[table])
            if objects[0].get("etag", "") != objects[1].get("etag", None)  # a copy is no second voice
        }
        heads = reading.read_heads(list(asked_again.values()))
        for table, head in zip(asked_again, heads, strict=True):
            found[table] = _with_second(found[table], _judge_anything(head, columns[table]))
    if reading.missed:
        logger.warning(
            "⚠️ %d file headers were not read, as S3 takes too long: names alone decide there", reading.missed
        )
    for table, judged in found.items():
        if judged.ground is Ground.CONTRADICTION and judged.key in forced:
            found[table] = Evidence(Ground.NAMES, judged.key, f"an override against its columns: {judged.reason}")
    for table in datasets:
        reason = "its objects are of no format that is read" if columns.get(table) else "the table has no known columns"
        found.setdefault(table, Evidence(Ground.NAMES, reason=reason))
    return found


def _removes(evidence: Evidence) -> bool:
    """Whether evidence leaves out what may be in Atlan."""
    return evidence.ground is Ground.CONTRADICTION or bool(evidence.absent)


def _with_second(evidence: Evidence, second: Evidence) -> Evidence:
    """The evidence of the newest object, with what the one before it says as well."""
    agrees = evidence.ground is second.ground
    both = tuple(name for name in evidence.absent if agrees and name in second.absent)
    return replace(evidence, is_agreed=agrees, agreed_absent=both)


def _newest(objects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The newest two objects of a format that is read; of the same moment, the one with the last name."""
    readable = [item for item in objects if item["key"].rpartition(".")[2].lower() not in UNREAD_EXTENSIONS]
    return sorted(readable, key=lambda item: (item["last_modified"], item["key"]), reverse=True)[:2]


def _judge_anything(head: Head, table_columns: Sequence[str]) -> Evidence:
    try:
        return judge(head, table_columns)
    except Exception as error:  # no file may end a run
        return Evidence(Ground.NAMES, reason=f"its columns cannot be compared: {type(error).__name__}")


class _Reading:
    """One go at the heads of many objects, in bounded time."""

    def __init__(self, client: Any, bucket: str, footers: FooterReader, progress: Progress, tables: int) -> None:
        self.client, self.bucket, self.footers, self.progress = client, bucket, footers, progress
        self.deadline = time.monotonic() + SECONDS + SECONDS_A_TABLE * tables
        self.slow_in_a_row = self.missed = 0

    def read_heads(self, objects: Sequence[Mapping[str, Any]]) -> list[Head]:
        """The heads of some objects, in their order, several read at once."""
        heads = [NOT_TRIED] * len(objects)
        if self.slow_in_a_row < SLOW_IN_A_ROW:
            found = map_in_time(self._read_object, objects, READERS, OBJECT_SECONDS, self.deadline)
            with contextlib.closing(found):
                self._collect(found, heads)
        self.missed += sum(head in (TOO_SLOW, NOT_TRIED) for head in heads)
        return heads

    def _collect(self, found: Iterable[tuple[int, Head | bytes | None]], heads: list[Head]) -> None:
        """Put the heads to their numbers, until all are there, or S3 has been too slow too often."""
        for number, head in found:
            if head is None:
                head = TOO_SLOW if time.monotonic() < self.deadline else NOT_TRIED
            elif isinstance(head, bytes):
                head = self.footers.read(head) if time.monotonic() < self.deadline else NOT_TRIED
            heads[number] = head
            self.progress.advance()
            self.slow_in_a_row = self.slow_in_a_row + 1 if head == TOO_SLOW else 0
            if self.slow_in_a_row >= SLOW_IN_A_ROW:
                return

    def _read_object(self, item: Mapping[str, Any]) -> Head | bytes:
        return _read_head(self.client, self.bucket, item["key"], item["size"])


class _ShortError(Exception):
    """S3 sent another number of bytes than the listing has."""


def _read_head(client: Any, bucket: str, key: str, size: int) -> Head | bytes:
    """The head of an object, from at most LARGEST_READ of its bytes, or its Parquet footer, or why it cannot be read."""
    from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

    def read(start: int, end: int) -> bytes:
        answer = client.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}")
        with contextlib.closing(answer["Body"]) as body:
            content: bytes = body.read(end - start)
        if len(content) != end - start:
            raise _ShortError
        return content

    try:
        if not size:
            return Head(reason="it is empty")
        found = Head()
        for length in (FIRST_READ, LARGEST_READ):
            head = read(0, min(length, size))
            if head.startswith(b"PAR1"):
                return _read_footer(read, size)
            found = parse_head(head, complete=length >= size)
            if length >= size or not found.cut_off:
                break
        return found
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        denied = code in ("AccessDenied", "AllAccessDisabled", "Forbidden", "403")
        return Head(
            reason="reading it is denied"
            if denied
            else f"it cannot be read: S3 answered {visible(code, MOST_OF_A_NAME)}"
        )
    except (ConnectTimeoutError, ReadTimeoutError):
        return TOO_SLOW
    except _ShortError:
        return Head(reason="it cannot be read: it has another size than the listing says")
    except Exception as error:  # whatever a strange answer or file does in a library is this object's reason
        return Head(reason=f"it cannot be read: {type(error).__name__}")


def _read_footer(read: Callable[[int, int], bytes], size: int) -> Head | bytes:
    """The Parquet footer of an object, or why there is none."""
    found = find_footer(read(max(0, size - FIRST_READ), size))
    if isinstance(found, int) and found <= min(LARGEST_READ, size):
        found = find_footer(read(size - found, size))
    if found is None:
        return Head(reason="it is no Parquet file")
    return found if isinstance(found, bytes) else Head(reason="its Parquet footer is too large to be read")
