"""The files of a run in the deployment's store: raw rows in Parquet, entities as JSON lines.

Keys follow from type and number alone, so that a step that is repeated writes the same files again.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, get_args, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from metadata_extraction.models import Run, Written
from metadata_extraction.progress import StepProgress
from metadata_extraction.rows import ROW_CLASSES, SourceRow
from metadata_extraction.stores import Store, part_bytes, split

# What is held in memory at a time.
ROWS_IN_GROUP = 5_000
ENTITIES_IN_FILE = 10_000
BYTES_IN_FILE = 16 << 20
ROWS_IN_FILE = 100_000

Entities = Iterable[Mapping[str, Any]]


def _parquet_schema(row_class: type) -> pa.Schema:
    """The columns of a raw file: the fields of its rows, in their order. All of them may be null."""
    parquet_types = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), list[str]: pa.list_(pa.string())}

    def parquet_type(hint: Any) -> pa.DataType:
        given = [part for part in get_args(hint) if part is not type(None)] if hint not in parquet_types else [hint]
        return parquet_types[given[0]]

    return pa.schema([(name, parquet_type(hint)) for name, hint in get_type_hints(row_class).items()])


PARQUET_SCHEMAS: dict[str, pa.Schema] = {name: _parquet_schema(row_class) for name, row_class in ROW_CLASSES.items()}


class FileSet:
    """The files of one typename below a prefix, written one after the other. A repeated step writes the same again.

    `stage` is called with each file's key and content before the deployment's store gets it.
    """

    def __init__(
        self, store: Store, typename: str, prefix: str, stage: Callable[[str, bytes], None] | None = None
    ) -> None:
        self.typename = typename
        self._store = store
        self._prefix = prefix
        self._stage = stage
        self._keys: set[str] = set()
        self._rows = self._bytes = 0

    @property
    def count(self) -> int:
        """How many files are written so far."""
        return len(self._keys)

    def put(self, name: str, content: bytes, rows: int) -> None:
        """Write a file of so many rows below the prefix; raises `StoreError`."""
        key = f"{self._prefix}/{name}"
        if self._stage:
            self._stage(key, content)
        put_bytes(self._store, key, content)
        self._keys.add(key)
        self._rows += rows
        self._bytes += len(content)

    def finish(self) -> Written:
        """Delete what an earlier try wrote beyond this one, and count; raises `StoreError`."""
        for file in list(self._store.list(self._prefix)):
            if file.key not in self._keys:
                self._store.delete(file.key)
        return Written(self.typename, self._rows, self.count, self._bytes, self._prefix)


def put_bytes(store: Store, key: str, content: bytes) -> None:
    """Write a file whose content is in memory; raises `StoreError`."""
    store.write(key, split([content], part_bytes(len(content))), len(content))


def write_raw(files: FileSet, chunk: int, rows: Iterable[SourceRow], progress: StepProgress) -> None:
    """Write the rows of one database as `chunk-{i}-part{j}.parquet`; `progress` hears of each group of rows."""
    schema = PARQUET_SCHEMAS[files.typename]
    groups = _groups(rows)
    group = next(groups, None)
    part = 0
    while group:
        target, count = io.BytesIO(), 0
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            while group and count + len(group) <= ROWS_IN_FILE and target.tell() < BYTES_IN_FILE:
                writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))
                count += len(group)
                progress.advance(len(group))
                group = next(groups, None)
        files.put(f"chunk-{chunk}-part{part}.parquet", target.getvalue(), count)
        part += 1


def _groups(rows: Iterable[SourceRow]) -> Iterator[list[SourceRow]]:
    """The rows in lists that fit into memory: definitions can be long."""
    group: list[SourceRow] = []
    length = 0
    for row in rows:
        group.append(row)
        length += len(row.get("definition") or "")
        if len(group) == ROWS_IN_GROUP or length > BYTES_IN_FILE:
            yield group
            group, length = [], 0
    if group:
        yield group


def read_raw(store: Store, run: Run, typename: str) -> Iterator[SourceRow]:
    """The rows of a typename again, in the order in which they were written; no more than a file in memory."""
    for file in sorted(store.list(run.raw_prefix(typename)), key=lambda file: _numbers(file.key)):
        content = pa.BufferReader(b"".join(store.read(file)))
        for batch in pq.ParquetFile(content).iter_batches(batch_size=ROWS_IN_GROUP):
            yield from batch.to_pylist()


def _numbers(key: str) -> list[int]:
    """Chunk and part of a raw file's key, as numbers: part 10 comes after part 9."""
    return [int(number) for number in re.findall(r"\d+", key.rpartition("/")[2])]


def write_transformed(files: FileSet, workflow_id: str, entities: Entities, progress: StepProgress) -> None:
    """Write entities as `{workflow_id}_transformed_{typename}_{i}.json`, each on a line of its own."""
    _write_lines(files, lambda number: f"{workflow_id}_transformed_{files.typename}_{number}.json", entities, progress)


def write_events(files: FileSet, until: datetime, events: Entities, progress: StepProgress) -> None:
    """Write OpenLineage events as `{until}-{i}.events.jsonl`, each on a line of its own; all up to then are written."""
    _write_lines(files, lambda number: f"{until:%Y%m%dT%H%M%SZ}-{number}.events.jsonl", events, progress)


def newest_events(store: Store, folder: str, but: str) -> datetime | None:
    """Until when a folder has events already, but for those below one prefix in it; None where it has none."""
    names = (file.key for file in store.list(folder) if not file.key.startswith(f"{but}/"))
    found = [match[1] for name in names if (match := re.search(r"/(\d{8}T\d{6}Z)-\d+\.events\.jsonl$", name))]
    times = []
    for text in found:
        with contextlib.suppress(ValueError):  # no such day
            times.append(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc))
    return max(times, default=None)


def _write_lines(files: FileSet, name: Callable[[int], str], documents: Entities, progress: StepProgress) -> None:
    lines: list[bytes] = []
    length = 0

    def put() -> None:
        files.put(name(files.count), b"".join(lines), len(lines))
        progress.advance(len(lines))

    for document in documents:
        lines.append(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        length += len(lines[-1])
        if len(lines) == ENTITIES_IN_FILE or length > BYTES_IN_FILE:
            put()
            lines, length = [], 0
    if lines:
        put()
