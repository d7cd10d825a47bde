"""Files of OpenLineage events: a file, a folder or an S3 prefix, read as a stream; whatever is in them is bounded.

JSON lines, as the standard's own file transport writes them, or a file that is one JSON document: an event, or a list of
events. Each of them may be gzipped.
"""

from __future__ import annotations

import itertools
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from delta_arc.clients import get_s3_client
from delta_arc.jobs.events import Document, make_scope, needles_of, read_told
from delta_arc.jobs.told import TOLD, Told, hops_of_nothing
from delta_arc.matching import AssetRow
from delta_arc.settings import Settings
from runtime.embedded import start_sandbox
from runtime.errors import PipelineError
from runtime.files import open_regular_file
from runtime.s3 import S3Error, list_pages
from runtime.terminal import MOST_OF_A_NAME, Progress, logger, visible

CHUNK_BYTES = 1 << 16
MOST_LINE_BYTES = 1 << 24  # of one event
MOST_DOCUMENT_BYTES = 1 << 26  # of a file that is one JSON document
MOST_FILES = 1_000_000
# Events that differ in run and time alone get some fifty times smaller, a bomb a thousand times.
MOST_INFLATED, INFLATED_FREELY = 200, 1 << 24

GZIP = b"\x1f\x8b"
Chunks = Iterator[bytes]


class EventsError(PipelineError):
    """The place of the events cannot be read at all."""


class _FileError(Exception):
    """What keeps one file from being read, or from being read to its end."""


def read_documents(place: str, connect: Callable[[], Any], needles: tuple[bytes, ...] = ()) -> Iterator[Document]:
    """What the files of events at a place have: the path of a file or folder, or `s3://bucket/prefix`.

    `connect` makes the boto3 client, where one is needed. Lines that have none of the `needles` are passed over, unless
    they are no events at sight. What cannot be read is a document with its fault. Raises `EventsError` where there is no such place, and it may not be
    listed.
    """
    for name, chunks in _open_s3(place, connect) if place.startswith("s3://") else _open_files(Path(place)):
        try:
            yield from _documents(name, _lines(_inflated(chunks)), needles)
        except _FileError as error:
            yield Document(name, fault=f"the file cannot be read to its end: {error}")


def read_events(
    settings: Settings, postgres_assets: Sequence[AssetRow], snowflake_assets: Sequence[AssetRow], keys: Iterable[str]
) -> Told:
    """What the events at LINEAGE_EVENTS tell of these assets; what could not be used of them is a warning.

    How much of it is of no object of these `keys` is logged: files may be gone since, or be spelled otherwise.

    Raises `PipelineError` where there is no such place, or it may not be listed.
    """
    if not settings.lineage_events:
        return Told()
    if settings.sandbox:
        start_sandbox()  # which makes the folder of its events
    scope = make_scope(settings.s3_bucket, postgres_assets, snowflake_assets, settings.lineage_namespaces)
    with Progress("OpenLineage events") as progress:
        documents = read_documents(settings.lineage_events, partial(get_s3_client, settings), needles_of(scope))
        told = read_told(_counted(documents, progress), scope)
    own = sum(hop.ground != TOLD for hop in told.hops)
    logger.info(
        "🔗 %d hops are told by %d OpenLineage events in %s", len(told.hops) - own, told.events, settings.lineage_events
    )
    if own:
        logger.info("   %d more are what Delta Arc has exported itself, and prove nothing new", own)
    if absent := hops_of_nothing((hop for hop in told.hops if hop.ground == TOLD), keys):
        first = visible(f"s3://{settings.s3_bucket}/{absent[0].key}", MOST_OF_A_NAME)
        logger.info("   %d of them are of no object that is listed, like %s", len(absent), first)
    for problem in told.problems:
        logger.warning("⚠️ OpenLineage: %s", problem)
    return told


def _counted(documents: Iterable[Document], progress: Progress) -> Iterator[Document]:
    for document in documents:
        progress.advance()
        yield document


# =====================================================================================================================
# Where they are
# =====================================================================================================================


def _open_files(place: Path) -> Iterator[tuple[str, Chunks]]:
    try:
        names = sorted(_files_below(place)) if place.is_dir() else [place]
        place.stat()
    except (OSError, ValueError) as error:
        raise EventsError(
            f"LINEAGE_EVENTS cannot be read ({getattr(error, 'strerror', None) or 'no file can have this name'}): "
            "name a file, a folder or an s3:// prefix of OpenLineage events."
        ) from None
    for name in names:
        yield str(name), _file_chunks(name)


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file but the hidden ones; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise error

    count = 0
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            count += 1
            if count > MOST_FILES:
                raise EventsError(f"LINEAGE_EVENTS has more than {MOST_FILES:,} files: name a smaller folder.")
            if not name.startswith("."):
                yield Path(parent, name)


def _file_chunks(path: Path) -> Chunks:
    try:
        with open_regular_file(path) as file:
            yield from _chunks(file)
    except OSError as error:
        raise _FileError(error.strerror or type(error).__name__) from None


def _open_s3(place: str, connect: Callable[[], Any]) -> Iterator[tuple[str, Chunks]]:
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    client = connect()
    try:
        for page in list_pages(client, bucket, prefix, setting="LINEAGE_EVENTS"):
            for item in page:
                yield f"s3://{bucket}/{item['Key']}", _object_chunks(client, bucket, item["Key"])
    except S3Error as error:
        raise EventsError(f"LINEAGE_EVENTS cannot be read. {error}") from None


def _object_chunks(client: Any, bucket: str, key: str) -> Chunks:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with client.get_object(Bucket=bucket, Key=key)["Body"] as body:
            yield from _chunks(body)
    except ClientError as error:
        code = visible(str(error.response.get("Error", {}).get("Code")), MOST_OF_A_NAME)
        raise _FileError(f"S3 answered {code}") from None
    except (BotoCoreError, OSError) as error:
        raise _FileError(f"S3 broke off ({type(error).__name__})") from None


def _chunks(file: IO[bytes]) -> Chunks:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


# =====================================================================================================================
# What is in them
# =====================================================================================================================


def _inflated(chunks: Chunks) -> Chunks:
    """The bytes of a file, also where it is gzipped, in one or more members (RFC 1952)."""
    first = b""
    while len(first) < len(GZIP) and (chunk := next(chunks, b"")):
        first += chunk
    if not first.startswith(GZIP):
        yield first
        yield from chunks
        return
    stream, taken, given = zlib.decompressobj(31), 0, 0
    for chunk in itertools.chain([first], chunks):
        taken += len(chunk)
        while chunk:
            if stream.eof:
                if not chunk.startswith(GZIP[: len(chunk)]):
                    return  # padding
                stream = zlib.decompressobj(31)
            try:
                part = stream.decompress(chunk, CHUNK_BYTES)
            except zlib.error:
                raise _FileError("its gzip is damaged") from None
            chunk = stream.unused_data if stream.eof else stream.unconsumed_tail
            given += len(part)
            if given > max(INFLATED_FREELY, MOST_INFLATED * taken):
                raise _FileError(f"its gzip is {given // taken} times larger inside")
            yield part
    while not stream.eof:
        part = stream.decompress(b"", CHUNK_BYTES)
        if not part:
            raise _FileError("its gzip ends too early")
        yield part


def _lines(chunks: Chunks) -> Iterator[bytes | None]:
    """The lines, without their line breaks; None in the place of one that is longer than an event may be."""
    begun = b""
    is_too_long = False
    for chunk in chunks:
        lines = chunk.split(b"\n")
        for number, line in enumerate(lines):
            whole = begun + line
            is_last = number == len(lines) - 1
            is_too_long = is_too_long or len(whole) > MOST_LINE_BYTES
            begun = b"" if is_too_long or not is_last else whole
            if not is_last:
                yield None if is_too_long else whole
                is_too_long = False
    if begun or is_too_long:
        yield None if is_too_long else begun


def _documents(name: str, lines: Iterator[bytes | None], needles: tuple[bytes, ...]) -> Iterator[Document]:
    first = next((line for line in lines if line is None or line.strip(b"\xef\xbb\xbf \t\r")), b"")
    if first is not None and _begins_a_document(first):
        yield from _whole_document(name, first, lines)
        return
    at_sight: dict[str, tuple[str, int]] = {}  # where the first such line of the file is, and how many there are
    for number, line in enumerate(itertools.chain([first], lines), start=1):
        if line is None:
            yield Document(f"{name} line {number}", fault=f"it has more than {MOST_LINE_BYTES:,} bytes")
        elif line.strip(b"\xef\xbb\xbf \t\r"):
            if not needles or any(needle in line for needle in needles):
                yield _parsed(f"{name} line {number}", line)
            elif fault := _fault_at_sight(line):
                place, count = at_sight.get(fault, (f"{name} line {number}", 0))
                at_sight[fault] = place, count + 1
    for fault, (place, count) in at_sight.items():
        yield Document(place, fault=fault, count=count)


def _fault_at_sight(line: bytes) -> str:
    """Why a line has no event, as far as that is seen without parsing it: most are about other systems, and are fine."""
    text = line.strip(b"\xef\xbb\xbf \t\r")
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return "it is no JSON object"
    return "" if b'"eventTime"' in text else "it has no eventTime"


def _begins_a_document(line: bytes) -> bool:
    """Whether a first line begins what goes on in the next ones: a list, or an object that does not end in it."""
    text = line.strip(b"\xef\xbb\xbf \t\r")
    return text.startswith(b"[") or (text.startswith(b"{") and not text.endswith(b"}"))


def _whole_document(name: str, first: bytes, lines: Iterable[bytes | None]) -> Iterator[Document]:
    text = bytearray(first)
    for line in lines:
        if line is None or len(text) + len(line) > MOST_DOCUMENT_BYTES:
            raise _FileError(f"as one JSON document it has more than {MOST_DOCUMENT_BYTES:,} bytes: write JSON lines")
        text += b"\n" + line
    document = _parsed(name, bytes(text))
    if isinstance(document.value, list):
        for number, value in enumerate(document.value, start=1):
            yield Document(f"{name} event {number}", value)
    else:
        yield document


def _parsed(place: str, text: bytes) -> Document:
    try:
        return Document(place, json.loads(text.decode("utf-8-sig")))
    except UnicodeDecodeError:
        return Document(place, fault="it is no UTF-8 text")
    except RecursionError:
        return Document(place, fault="it is nested too deeply")
    except ValueError:  # also of a number with thousands of digits
        return Document(place, fault="it is no JSON")
