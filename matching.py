"""Which S3 object carries which table, which table lands in which, and which columns are the same: pure functions.

Names compare case-insensitively. Where two candidates fit and nothing tells them apart, there is no match and both
are named: a missing edge in lineage beats a wrong one.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

AssetRow = Sequence[str]
"""`[qualified_name, name, type_name]`, as the discovery returns it."""

TABLE_TYPES = ("Table", "View", "MaterialisedView")
DATA_EXTENSIONS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".avro", ".orc", ".xml"}
COMPRESSIONS = {".gz", ".gzip", ".bz2", ".zst", ".snappy", ".lz4", ".deflate", ".br", ".xz", ".zip"}


@dataclass(frozen=True)
class Verdict:
    """What one S3 key was found to be: a table's qualified name or None, the rule that said so, and the rivals."""

    key: str
    table_qualified_name: str | None
    rule: str
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class TablePair:
    """A source table and the target table that it lands in; `target` is None where none, or no single one, fits."""

    source: str
    target: str | None
    rule: str
    rivals: tuple[str, ...] = ()


def parent_of(qualified_name: str, name: str) -> str:
    """The parent's qualified name: the own one less `/` and the name, which may itself hold slashes."""
    return qualified_name[: -len(name) - 1]


def schema_of(row: AssetRow) -> str:
    """The name of the schema that a table stands in, lower-case."""
    return parent_of(row[0], row[1]).rpartition("/")[2].casefold()


def tables_in(assets: Iterable[AssetRow], types: Iterable[str] = TABLE_TYPES) -> list[AssetRow]:
    wanted = frozenset(types)
    return [row for row in assets if row[2] in wanted]


def columns_by_parent(assets: Iterable[AssetRow]) -> dict[str, list[AssetRow]]:
    """Columns by the qualified name of the table that they belong to."""
    columns: dict[str, list[AssetRow]] = defaultdict(list)
    for row in assets:
        if row[2] == "Column":
            columns[parent_of(row[0], row[1])].append(row)
    return columns


def match_s3_objects(keys: Iterable[str], tables: Iterable[AssetRow]) -> list[Verdict]:
    """One verdict for each key, in their order: the file's name, less its extensions, is the table's name."""
    by_name: dict[str, list[AssetRow]] = defaultdict(list)
    for row in tables:
        by_name[row[1].casefold()].append(row)
    return [_match_key(key, by_name) for key in keys]


def _match_key(key: str, by_name: dict[str, list[AssetRow]]) -> Verdict:
    folder, file_name = posixpath.split(key)
    stem = _data_stem(file_name)
    if stem is None:
        return Verdict(key, None, "not data")
    candidates = by_name.get(stem.casefold(), [])
    exact = [row for row in candidates if row[1] == stem]
    if len(candidates) > 1 and len(exact) == 1:
        candidates = exact
    if len(candidates) > 1:
        folders = {part.casefold() for part in folder.split("/")}
        candidates = [row for row in candidates if schema_of(row) in folders] or candidates
    if not candidates:
        return Verdict(key, None, "names no table")
    if len(candidates) > 1:
        return Verdict(key, None, "ambiguous", tuple(sorted(row[0] for row in candidates)))
    return Verdict(key, candidates[0][0], "file name")


def _data_stem(file_name: str) -> str | None:
    """The file's name without its data and compression extensions; None for what is no data."""
    if not file_name or file_name.startswith((".", "_")):
        return None
    stem, extension = posixpath.splitext(file_name)
    if extension.lower() in COMPRESSIONS:
        stem, extension = posixpath.splitext(stem)
    if not extension:
        return stem
    return stem if extension.lower() in DATA_EXTENSIONS else None


def match_tables(sources: Iterable[AssetRow], targets: Iterable[AssetRow]) -> list[TablePair]:
    """Pair each source table with the target of its name; the same schema decides between several."""
    by_name: dict[str, list[AssetRow]] = defaultdict(list)
    for row in targets:
        by_name[row[1].casefold()].append(row)
    pairs = [_match_table(row, by_name) for row in sources]
    claims: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        if pair.target:
            claims[pair.target].append(pair.source)
    return [_settle(pair, claims) for pair in pairs]


def _match_table(source: AssetRow, by_name: dict[str, list[AssetRow]]) -> TablePair:
    candidates = by_name.get(source[1].casefold(), [])
    for decide in (lambda row: schema_of(row) == schema_of(source), lambda row: row[1] == source[1]):
        if len(candidates) > 1:
            candidates = [row for row in candidates if decide(row)] or candidates
    if not candidates:
        return TablePair(source[0], None, "no table of that name")
    if len(candidates) > 1:
        return TablePair(source[0], None, "ambiguous", tuple(sorted(row[0] for row in candidates)))
    return TablePair(source[0], candidates[0][0], "same name")


def _settle(pair: TablePair, claims: dict[str, list[str]]) -> TablePair:
    """A target that several sources claim goes to the one in the schema of the same name, else to none."""
    rivals = claims.get(pair.target or "", [])
    if len(rivals) < 2:
        return pair
    schema = _schema_name(pair.target or "")
    fitting = [source for source in rivals if _schema_name(source) == schema]
    if fitting == [pair.source]:
        return TablePair(pair.source, pair.target, "same name and schema")
    return TablePair(pair.source, None, "ambiguous", tuple(sorted(set(rivals) - {pair.source})))


def _schema_name(table_qualified_name: str) -> str:
    return table_qualified_name.rpartition("/")[0].rpartition("/")[2].casefold()


def match_columns(sources: Iterable[AssetRow], targets: Iterable[AssetRow]) -> list[tuple[AssetRow, AssetRow]]:
    """Pairs of columns with the same name (the same case first); one column is in at most one pair."""
    left = list(targets)
    pairs = []
    remaining = []
    by_exact_name = {row[1]: row for row in left}
    for source in sources:
        target = by_exact_name.pop(source[1], None)
        if target:
            pairs.append((source, target))
        else:
            remaining.append(source)
    by_folded_name: dict[str, list[AssetRow]] = defaultdict(list)
    for row in by_exact_name.values():
        by_folded_name[row[1].casefold()].append(row)
    wanted: dict[str, list[AssetRow]] = defaultdict(list)
    for source in remaining:
        wanted[source[1].casefold()].append(source)
    for name, candidates in wanted.items():
        if len(candidates) == 1 and len(by_folded_name.get(name, [])) == 1:
            pairs.append((candidates[0], by_folded_name[name][0]))
    return sorted(pairs, key=lambda pair: pair[0][0])
