"""Amazon S3 Inventory: the objects of a bucket from the report that S3 makes each day or week, instead of listing them.

Where it is and what is in it: Amazon S3 User Guide, "Locating your inventory list" and "Amazon S3 Inventory list". A report
is checked as a whole before anything of it counts: what is missing in it would be taken for gone.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import IO, Any, TypeVar
from urllib.parse import unquote_plus

from runtime.environment import shown
from runtime.s3 import S3Error, fault_of_item, words_of
from runtime.terminal import MOST_OF_A_NAME, visible

T = TypeVar("T")

MOST_AGE = timedelta(days=8)  # a report comes daily or weekly
MOST_AHEAD = timedelta(hours=1)  # of our clock
MOST_MANIFEST = 16_000_000  # bytes
MOST_FILES = 10_000
MOST_BYTES = 1 << 36  # of all files as they are stored; a billion keys have about that many
MOST_ROW = 1 << 14  # characters; a key has at most 1024 bytes, three times as many when encoded
MOST_REPORTS = 10  # of one configuration that are looked at, from the newest on
ROWS_AT_ONCE = 10_000
MANIFEST, CHECKSUM = "manifest.json", "manifest.checksum"

# What is needed of an object: its name in a CSV's schema, in a Parquet file, and in the settings of the configuration.
NEEDED = {
    "Key": ("key", ""),
    "Size": ("size", "Size"),
    "LastModifiedDate": ("last_modified_date", "Last modified"),
    "ETag": ("e_tag", "ETag"),
}
OPTIONAL = {"Bucket": "bucket", "IsLatest": "is_latest", "IsDeleteMarker": "is_delete_marker"}


@dataclass(frozen=True)
class ReportFile:
    """One file of a report, by its key in the destination bucket: its bytes, and their MD5 in hex."""

    key: str
    size: int
    md5: str


@dataclass(frozen=True)
class InventoryReport:
    """A report whose manifest was read and checked; `moment` is when S3 began to look at the source bucket."""

    source_bucket: str
    bucket: str  # where its files are
    key: str  # of the manifest
    moment: datetime
    file_format: str  # CSV or Parquet
    columns: tuple[str, ...]  # of a CSV, in their order
    files: tuple[ReportFile, ...]

    @property
    def place(self) -> str:
        """The address of the manifest."""
        return f"s3://{self.bucket}/{self.key}"


def is_place(text: str) -> bool:
    """Whether a text names a manifest, or the folder of a configuration, in S3."""
    return bool(re.fullmatch(rf"s3://[\w.-]{{1,255}}/([^\0]{{1,1000}}/)?({MANIFEST})?", text, re.ASCII))


# =====================================================================================================================
# The manifest
# =====================================================================================================================


def find_report(client: Any, place: str, source_bucket: str, now: datetime) -> InventoryReport:
    """The report at a place: `s3://…/manifest.json`, or the newest that is whole in the folder of a configuration.

    Raises `S3Error` where there is none of this source bucket, it is older than `MOST_AGE`, or it is not as S3 makes it.
    """
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if key.endswith(MANIFEST):
        checksum = _read_small(client, bucket, key.removesuffix(MANIFEST) + CHECKSUM)
    else:
        key, checksum = _find_newest(client, bucket, key, now)
    told = f"s3://{bucket}/{key}"
    if checksum is None:
        raise _is_wrong(told, f"there is no {CHECKSUM} beside it, with which S3 ends a report")
    manifest = _read_small(client, bucket, key)
    if manifest is None:
        raise _is_wrong(told, "there is no such object")
    # The MD5 is S3's own, against what breaks on the way: no one is kept out by it.
    if hashlib.md5(manifest, usedforsecurity=False).hexdigest() != checksum.decode("latin-1").strip().lower():
        raise _is_wrong(told, f"it is not what {CHECKSUM} is the MD5 of")
    report = _parse_manifest(bucket, key, manifest)
    if report.source_bucket != source_bucket:
        raise _is_wrong(
            told, f"it is of the bucket {shown(report.source_bucket)}, and S3_BUCKET_NAME is {source_bucket}"
        )
    if not -MOST_AHEAD <= now - report.moment <= MOST_AGE:
        age = f"{(now - report.moment).days} days old" if report.moment < now else "of the future, by this clock"
        raise _is_wrong(told, f"it is {age}, and one comes each day or week: look whether it still comes")
    return report


def _find_newest(client: Any, bucket: str, folder: str, now: datetime) -> tuple[str, bytes]:
    """The key of the manifest of the newest report that S3 has ended, and its checksum.

    The folders are named by the minute, `YYYY-MM-DDTHH-MMZ`, so that a listing can begin with the oldest that counts.
    """
    start = f"{folder}{now - MOST_AGE:%Y-%m-%dT%H-%MZ}"
    with _explaining(f"s3://{bucket}/{folder}", "s3:ListBucket"):
        answer = client.list_objects_v2(Bucket=bucket, Prefix=folder, Delimiter="/", StartAfter=start)
        names = [item["Prefix"][len(folder) :] for item in answer.get("CommonPrefixes", [])]
    moments = sorted((name for name in names if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ/", name)), reverse=True)
    for name in moments[:MOST_REPORTS]:
        checksum = _read_small(client, bucket, f"{folder}{name}{CHECKSUM}")  # S3 writes it last
        if checksum is not None:
            return f"{folder}{name}{MANIFEST}", checksum
    raise _is_wrong(
        f"s3://{bucket}/{folder}",
        f"no report in it is whole and at most {MOST_AGE.days} days old; name the folder of one configuration, "
        "s3://bucket/prefix/source-bucket/configuration/",
    )


def _read_small(client: Any, bucket: str, key: str) -> bytes | None:
    """What is in a small object, or None where there is none."""
    place = f"s3://{bucket}/{key}"
    with _explaining(place, "s3:GetObject"):
        try:
            body = client.get_object(Bucket=bucket, Key=key)["Body"]
        except client.exceptions.NoSuchKey:
            return None
        with contextlib.closing(body):
            content: bytes = body.read(MOST_MANIFEST + 1)
    if len(content) > MOST_MANIFEST:
        raise _is_wrong(place, f"it is larger than {MOST_MANIFEST:,} bytes")
    return content


def _parse_manifest(bucket: str, key: str, content: bytes) -> InventoryReport:
    place = f"s3://{bucket}/{key}"
    try:
        manifest = json.loads(content)
        source, file_format = manifest["sourceBucket"], manifest["fileFormat"]
        schema, listed = manifest["fileSchema"], manifest["files"]
        moment = datetime.fromtimestamp(int(manifest["creationTimestamp"]) / 1000, timezone.utc)
        files = tuple(ReportFile(item["key"], item["size"], item["MD5checksum"].lower()) for item in listed)
        texts = [source, file_format, schema, *(text for file in files for text in (file.key, file.md5))]
        if not isinstance(listed, list) or not all(isinstance(text, str) for text in texts):
            raise TypeError
        if not all(type(file.size) is int for file in files):
            raise TypeError
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        raise _is_wrong(place, "it is no manifest of S3 Inventory") from None
    if file_format not in ("CSV", "Parquet"):
        raise _is_wrong(
            place, f"its files are {shown(file_format)}: set the format of the configuration to CSV or Parquet"
        )
    sizes = [file.size for file in files]
    if len(files) > MOST_FILES or sum(sizes) > MOST_BYTES or min(sizes, default=0) < 0:
        raise _is_wrong(place, f"it names more than {MOST_FILES} files or {MOST_BYTES:,} bytes, or a size below 0")
    if len({file.key for file in files}) < len(files):
        raise _is_wrong(place, "it names a file twice")
    columns = tuple(name.strip() for name in schema.split(",")) if file_format == "CSV" else ()
    if file_format == "CSV":
        _check_columns(place, columns, {name: name for name in NEEDED})
    return InventoryReport(source, bucket, key, moment, file_format, columns, files)


def _check_columns(place: str, columns: Sequence[str], needed: Mapping[str, str]) -> None:
    for name, column in needed.items():
        if columns.count(column) != 1:
            advice = f": add the field {NEEDED[name][1]} to the configuration" if NEEDED[name][1] else ""
            raise _is_wrong(place, f"it does not tell the {column} of an object{advice}")


# =====================================================================================================================
# Its files
# =====================================================================================================================


def read_report(
    client: Any,
    report: InventoryReport,
    prefix: str,
    make: Callable[[dict[str, Any]], T],
    advance: Callable[[int], None] = lambda count: None,
) -> list[T]:
    """What `make` makes of each object under a prefix, in key order, as `runtime.s3.list_objects` gives them.

    Of several versions only the latest counts, and not where it is a delete marker; folder markers are left out. Raises
    `S3Error`, with nothing half read, where a file is not what the manifest says, or a row is no object.
    """
    found: dict[str, T] = {}
    for file in report.files:
        before = len(found)
        for item in _read_file(client, report, file):
            key = item["Key"]
            if not isinstance(key, str) or not key.startswith(prefix):
                continue
            if fault := fault_of_item(item, prefix):
                raise _is_wrong(f"s3://{report.bucket}/{file.key}", fault)
            if key in found:
                raise _is_wrong(report.place, f"it names {visible(key, MOST_OF_A_NAME)} twice")
            if not key.endswith("/"):
                found[key] = make(item)
        advance(len(found) - before)
    return [found[key] for key in sorted(found)]


def _read_file(client: Any, report: InventoryReport, file: ReportFile) -> Iterator[dict[str, Any]]:
    """The latest objects of a file as boto3 lists them; after the last one it is known that the file was whole."""
    place = f"s3://{report.bucket}/{file.key}"
    read = _read_csv if report.file_format == "CSV" else _read_parquet
    with _explaining(place, "s3:GetObject"):
        body = client.get_object(Bucket=report.bucket, Key=file.key)["Body"]
        with contextlib.closing(body):
            stored = _Stored(body, file, place)
            for row in read(stored, report, place):
                if row.get("Bucket", report.source_bucket) != report.source_bucket:
                    raise _is_wrong(place, f"it has an object of another bucket than {report.source_bucket}")
                if _is_true(row.get("IsLatest", True)) and not _is_true(row.get("IsDeleteMarker", False)):
                    yield {
                        "Key": row["Key"],
                        "Size": row["Size"],
                        "LastModified": row["LastModifiedDate"],
                        "ETag": row["ETag"] or "",
                    }
            stored.check_end()


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() == "true"


class _Stored(io.RawIOBase):
    """The bytes of a file as they come, and whether they were what the manifest says."""

    def __init__(self, body: Any, file: ReportFile, place: str) -> None:
        self.body, self.file, self.place = body, file, place
        self.count, self.md5 = 0, hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        """For `io`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """For `io`: the next bytes."""
        chunk: bytes = self.body.read(len(buffer))
        self.count += len(chunk)
        if self.count > self.file.size:
            raise _is_wrong(self.place, f"it has more than the {self.file.size} bytes that the manifest tells")
        self.md5.update(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def check_end(self) -> None:
        """Raise `S3Error` where what was read is not the file of the manifest."""
        while self.read(1 << 16):
            pass
        if self.count != self.file.size:
            raise _is_wrong(self.place, f"it has {self.count} bytes, and the manifest tells {self.file.size}")
        if self.md5.hexdigest() != self.file.md5:
            raise _is_wrong(self.place, "its MD5 is not that of the manifest")


def _read_csv(stored: _Stored, report: InventoryReport, place: str) -> Iterator[dict[str, Any]]:
    """The rows of a gzipped CSV without a header, whose keys are encoded as in a URL, a space as a plus."""
    number = 0
    try:
        with gzip.GzipFile(fileobj=io.BufferedReader(stored, 1 << 16)) as unpacked:
            for row in csv.reader(_read_lines(io.TextIOWrapper(unpacked, "utf-8", newline=""), place), strict=True):
                number += 1
                if len(row) != len(report.columns):
                    raise ValueError(f"{len(row)} columns, and the manifest tells {len(report.columns)}")
                named: dict[str, Any] = dict(zip(report.columns, row, strict=True))
                named["Key"] = _decode_key(named["Key"])
                if not _is_true(named.get("IsDeleteMarker")):  # which has no size
                    named["Size"] = _read_size(named["Size"])
                    named["LastModifiedDate"] = _read_time(named["LastModifiedDate"])
                yield named
            stored.check_end()
    except (ValueError, csv.Error, EOFError, OSError, zlib.error) as error:
        stored.check_end()  # which says it better where the file is another one
        words = visible(str(error), MOST_OF_A_NAME) if type(error) is ValueError else "it is cut or damaged"
        raise _is_wrong(place, f"row {number} cannot be read ({words})") from None


def _read_lines(text: IO[str], place: str) -> Iterator[str]:
    while line := text.readline(MOST_ROW + 1):
        if len(line) > MOST_ROW:
            raise _is_wrong(place, f"it has a row of more than {MOST_ROW:,} characters")
        yield line


def _decode_key(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError("its key is not encoded as in a URL")
    return unquote_plus(text, errors="strict")


def _read_size(text: str) -> int:
    if not re.fullmatch(r"\d{1,20}", text, re.ASCII):
        raise ValueError("its size is no number")
    return int(text)


def _read_time(text: str) -> datetime:
    """A time as S3 writes it into a CSV, like 2016-11-06T21:32:10.000Z."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", text, re.ASCII):
        raise ValueError("its time is none")
    return datetime.fromisoformat(text[:-1] + "+00:00")


def _read_parquet(stored: _Stored, report: InventoryReport, place: str) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, which can only be read as a whole: it is put into a file first, and checked."""
    import tempfile

    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise _is_wrong(
            place, "it is Parquet: pip install pyarrow, or set the format of the configuration to CSV"
        ) from None
    with tempfile.TemporaryFile() as copy:
        while chunk := stored.read(1 << 20):
            copy.write(chunk)
        stored.check_end()
        columns = {name: column for name, (column, _) in NEEDED.items()} | OPTIONAL
        try:
            file = parquet.ParquetFile(copy)
            there = file.schema_arrow.names
            _check_columns(place, there, {name: column for name, (column, _) in NEEDED.items()})
            wanted = {name: column for name, column in columns.items() if column in there}
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=[*wanted.values()]):
                for row in batch.to_pylist():
                    named = {name: row[column] for name, column in wanted.items()}
                    moment = named["LastModifiedDate"]
                    if isinstance(moment, datetime) and moment.tzinfo is None:  # Parquet's times are in UTC
                        named["LastModifiedDate"] = moment.replace(tzinfo=timezone.utc)
                    yield named
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError):
            raise _is_wrong(place, "it is no Parquet file that can be read") from None


# =====================================================================================================================
# What is wrong
# =====================================================================================================================


@contextlib.contextmanager
def _explaining(place: str, right: str) -> Iterator[None]:
    """Raises as one sentence what botocore says of an object."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        code = shown(str(error.response.get("Error", {}).get("Code", "")))
        raise _is_wrong(
            place, f"S3 answered {code}: give the AWS credentials the right {right} on it, or correct the place"
        ) from None
    except BotoCoreError as error:
        raise _is_wrong(place, f"S3 cannot be reached, {words_of(error)}") from None
    except (ResponseParserError, LookupError, AttributeError, TypeError) as error:
        raise _is_wrong(place, f"what S3 answers cannot be read, {type(error).__name__}") from None


def _is_wrong(place: str, fault: str) -> S3Error:
    return S3Error(
        f"The inventory at {visible(place, MOST_OF_A_NAME)} cannot be used ({fault}); check S3_INVENTORY, or leave it out "
        "to list the bucket."
    )
