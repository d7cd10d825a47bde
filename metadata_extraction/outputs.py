"""The files of a run in the deployment's store: raw rows in Parquet, entities as JSON lines.

Keys follow from type and number alone, so that a step that is repeated writes the same files again.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from metadata_extraction.models import Run, Written
from metadata_extraction.stores import Store, part_bytes, split

# What is held in memory at a time.
ROWS_IN_GROUP = 5_000
ENTITIES_IN_FILE = 10_000
BYTES_IN_FILE = 16 << 20
ROWS_IN_FILE = 100_000

Row = Mapping[str, Any]

TEXT, NUMBER, FLAG = pa.string(), pa.int64(), pa.bool_()

# The fields of the rows of each typename; a source leaves out what it cannot tell.
SCHEMAS: dict[str, pa.Schema] = {
    "database": pa.schema([("database_name", TEXT), ("comment", TEXT)]),
    "schema": pa.schema(
        [
            ("database_name", TEXT),
            ("schema_name", TEXT),
            ("table_count", NUMBER),
            ("view_count", NUMBER),
            ("comment", TEXT),
        ]
    ),
    "table": pa.schema(
        [
            ("database_name", TEXT),
            ("schema_name", TEXT),
            ("table_name", TEXT),
            ("table_kind", TEXT),  # table, view, materialised view, partitioned, partition, foreign
            ("row_count", NUMBER),  # the source's estimate
            ("size_bytes", NUMBER),
            ("column_count", NUMBER),
            ("definition", TEXT),
            ("parent_schema_name", TEXT),  # of a partition
            ("parent_table_name", TEXT),
            ("partition_key", TEXT),
            ("comment", TEXT),
        ]
    ),
    "column": pa.schema(
        [
            ("database_name", TEXT),
            ("schema_name", TEXT),
            ("table_name", TEXT),
            ("table_kind", TEXT),
            ("column_name", TEXT),
            ("position", NUMBER),  # from 1, without gaps
            ("data_type", TEXT),
            ("max_length", NUMBER),
            ("numeric_precision", NUMBER),
            ("numeric_scale", NUMBER),
            ("is_nullable", FLAG),
            ("default_value", TEXT),
            ("is_primary_key", FLAG),
            ("foreign_schema_name", TEXT),
            ("foreign_table_name", TEXT),
            ("foreign_column_name", TEXT),
            ("comment", TEXT),
        ]
    ),
    "procedure": pa.schema(
        [
            ("database_name", TEXT),
            ("schema_name", TEXT),
            ("procedure_name", TEXT),
            ("procedure_kind", TEXT),  # procedure, function
            ("arguments", pa.list_(TEXT)),
            ("signature", TEXT),  # what tells overloads apart
            ("overloads", NUMBER),
            ("return_type", TEXT),
            ("language", TEXT),
            ("definition", TEXT),
            ("comment", TEXT),
        ]
    ),
}


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
        return len(self._keys)

    def put(self, name: str, content: bytes, rows: int) -> None:
        key = f"{self._prefix}/{name}"
        if self._stage:
            self._stage(key, content)
        put_bytes(self._store, key, content)
        self._keys.add(key)
        self._rows += rows
        self._bytes += len(content)

    def finish(self) -> Written:
        """Delete what an earlier try wrote beyond this one, and count."""
        for file in list(self._store.list(self._prefix)):
            if file.key not in self._keys:
                self._store.delete(file.key)
        return Written(self.typename, self._rows, self.count, self._bytes, self._prefix)


def put_bytes(store: Store, key: str, content: bytes) -> None:
    store.write(key, split([content], part_bytes(len(content))), len(content))


def write_raw(files: FileSet, chunk: int, rows: Iterable[Row], tell: Callable[[int], None]) -> None:
    """Write the rows of one database as `chunk-{i}-part{j}.parquet`; `tell` hears of each group of rows."""
    schema = SCHEMAS[files.typename]
    groups = _groups(rows)
    group = next(groups, None)
    part = 0
    while group:
        target, count = io.BytesIO(), 0
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            while group and count + len(group) <= ROWS_IN_FILE and target.tell() < BYTES_IN_FILE:
                writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))
                count += len(group)
                tell(len(group))
                group = next(groups, None)
        files.put(f"chunk-{chunk}-part{part}.parquet", target.getvalue(), count)
        part += 1


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in lists that fit into memory: definitions can be long."""
    group: list[Row] = []
    length = 0
    for row in rows:
        group.append(row)
        length += len(row.get("definition") or "")
        if len(group) == ROWS_IN_GROUP or length > BYTES_IN_FILE:
            yield group
            group, length = [], 0
    if group:
        yield group


def read_raw(store: Store, run: Run, typename: str) -> Iterator[Row]:
    """The rows of a typename again, in the order in which they were written; no more than a file in memory."""
    for file in sorted(store.list(run.raw_prefix(typename)), key=lambda file: _numbers(file.key)):
        content = pa.BufferReader(b"".join(store.read(file)))
        for batch in pq.ParquetFile(content).iter_batches(batch_size=ROWS_IN_GROUP):
            yield from batch.to_pylist()


def _numbers(key: str) -> list[int]:
    """Chunk and part of a raw file's key, as numbers: part 10 comes after part 9."""
    return [int(number) for number in re.findall(r"\d+", key.rpartition("/")[2])]


def write_transformed(
    files: FileSet, workflow_id: str, entities: Iterable[Mapping[str, Any]], tell: Callable[[int], None]
) -> None:
    """Write entities as `{workflow_id}_transformed_{typename}_{i}.json`, each on a line of its own."""
    lines: list[bytes] = []
    length = 0

    def put() -> None:
        name = f"{workflow_id}_transformed_{files.typename}_{files.count}.json"
        files.put(name, b"".join(lines), len(lines))
        tell(len(lines))

    for entity in entities:
        lines.append(json.dumps(entity, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        length += len(lines[-1])
        if len(lines) == ENTITIES_IN_FILE or length > BYTES_IN_FILE:
            put()
            lines, length = [], 0
    if lines:
        put()
