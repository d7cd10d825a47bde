"""Which S3 object carries which table: pure functions.

A key is read in its parts. The file's name names the table, or the nearest folder that is no partition does; dates,
counters and other marks that jobs add to a name are taken off where the whole name is no table. The schema decides
between tables of one name. Names compare case-insensitively. Where two candidates fit and nothing tells them apart,
there is no match and both are named: a missing edge in lineage beats a wrong one.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from delta_arc.keys import (
    CACHED,
    LONGEST_NAME,
    Directory,
    FolderReading,
    fold,
    parse_key,
    plain,
    read_name,
    says_something_else,
    shape_of,
    words_to_keep,
)

AssetRow = Sequence[str]
"""`[qualified_name, name, type_name]`, as the discovery returns it."""

TABLE_TYPES = ("Table", "View", "MaterialisedView")
TARGET_TYPES = ("Table",)


class MatchOutcome(Enum):
    """What became of a key or of a source table. Behaviour asks this, never the wording of a rule."""

    MATCHED = "matched"
    NOT_DATA = "not data"
    """A marker, a checksum, a log, a table format's own file."""
    SET_ASIDE = "set aside"
    """A table's name, but in a folder of other content (`rejected`), or of another system or schema (`mysql`)."""
    DOUBTFUL = "doubtful"
    """A table's name, but in a folder of which nobody knows what it holds; the table is its one candidate."""
    OUT_OF_SCOPE = "out of scope"
    """A table's that is out of scope; see `delta_arc.scope`."""
    NO_TABLE = "no table"
    AMBIGUOUS = "ambiguous"
    OVERRIDDEN = "overridden"
    """A line of the overrides decided, for a table or for none."""
    TOLD = "told"
    """The job that moved the data said so."""


@dataclass(frozen=True, slots=True)
class ObjectMatch:
    """What one S3 key was found to be: a table's qualified name or None, and the rule that said so, for people.

    `candidates` are the qualified names of the tables between which nothing decides, or of the one that is in doubt.
    """

    key: str
    table_qualified_name: str | None
    rule: str
    outcome: MatchOutcome
    candidates: tuple[str, ...] = ()


NOT_DATA = "not data"
NO_TABLE = "names no table"
AMBIGUOUS = "ambiguous"

# =====================================================================================================================
# Assets
# =====================================================================================================================


def parent_of(qualified_name: str, name: str) -> str:
    """The parent's qualified name: the own one less `/` and the name, which may itself hold slashes."""
    return qualified_name[: -len(name) - 1]


def places_of(assets: Iterable[AssetRow]) -> dict[str, tuple[str, str]]:
    """The names of the database and the schema of each table, which may hold slashes where their own rows are given."""
    rows = {row[0]: row for row in assets}
    places = {}
    for row in rows.values():
        if row[2] not in ("Database", "Schema", "Column"):
            schema = parent_of(row[0], row[1])
            schema_name = rows[schema][1] if schema in rows else schema.rpartition("/")[2]
            database = parent_of(schema, schema_name)
            places[row[0]] = (rows[database][1] if database in rows else database.rpartition("/")[2], schema_name)
    return places


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


# =====================================================================================================================
# Objects and tables
# =====================================================================================================================


class _Table(NamedTuple):
    """A table as it is looked for: its row, its (folded) name, and its schema's and database's as they are compared."""

    row: AssetRow
    name: str
    schema: str
    database: str


@dataclass
class TableIndex:
    """Tables by their names as keys write them, and the schemas and databases that there are."""

    by_name: dict[str, list[_Table]] = field(default_factory=lambda: defaultdict(list))
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    schemas: set[str] = field(default_factory=set)
    databases: set[str] = field(default_factory=set)
    first_words: set[str] = field(default_factory=set)
    longest_path: int = 1
    has_dots: bool = False

    @classmethod
    def of(cls, assets: Iterable[AssetRow]) -> TableIndex:
        assets = list(assets)
        index = cls(places=places_of(assets))
        forms: dict[str, str] = {}
        for row in assets:
            if row[0] not in index.places:
                continue
            place = index.places[row[0]]
            database, schema = (forms.get(name) or forms.setdefault(name, plain(fold(name))) for name in place)
            name = fold(row[1])
            index.by_name[plain(name)].append(_Table(row, name, schema, database))
            index.schemas.add(schema)
            index.databases.add(database)
            index.has_dots = index.has_dots or "." in name
            if "/" in name:
                index.longest_path = max(index.longest_path, name.count("/") + 1)
        index.first_words = {_first_word(name) for name in index.schemas | index.databases}
        return index

    def named(self, name: str) -> list[_Table]:
        """The tables that have this (folded) name as it is written."""
        return [table for table in self.by_name.get(plain(name), ()) if table.name == name]

    def find(self, name: str) -> tuple[list[_Table], bool]:
        """The tables that a (folded) name names, and whether it names their schema, too.

        The name as it is written comes first; then, both alike, the name in kebab-case or with spaces (file names avoid
        `_`), and the name after its schema (and its database), with `.`, `-`, `_` or `__` between them.
        """
        form = plain(name)
        alike = self.by_name.get(form, [])
        if alike and (exact := [table for table in alike if table.name == name]):
            return exact, False
        qualified = self._with_schema(form)
        if not qualified and name.count(".") > 1:
            # Topics and exports of whole databases: `server.schema.table`.
            server, schema, table = name.rsplit(".", 2)
            qualified = [] if says_something_else(server) else self._with_schema(plain(f"{schema}.{table}"))
        return ([*alike, *qualified], not alike) if qualified else (alike, False)

    def _with_schema(self, form: str, database: str = "") -> list[_Table]:
        if len(form) > LONGEST_NAME or _first_word(form) not in self.first_words:
            return []
        found: list[_Table] = []
        for gap in _GAP.finditer(form):
            front = form[: gap.start()]
            if front in self.schemas:
                tables = self.by_name.get(form[gap.end() :], ())
                found += [table for table in tables if table.schema == front and database in ("", table.database)]
            if not database and front in self.databases:
                found += self._with_schema(form[gap.end() :], front)
        return found

    def find_topic(self, name: str) -> list[_Table]:
        """The tables of a Kafka topic `server-schema-table`, whose parts `-` or `_` may separate as well as `.`."""
        for gap in re.finditer("[-_]", name):
            if found := self._with_schema(plain(name[gap.end() :])):
                return [] if says_something_else(name[: gap.start()]) else found
        return []


_GAP = re.compile(r"\.|_+")


def _first_word(form: str) -> str:
    return form.partition(".")[0].partition("_")[0]


def match_s3_objects(keys: Iterable[str], tables: Iterable[AssetRow], prefix: str = "") -> list[ObjectMatch]:
    """One match for each key, in their order; their order and that of the tables changes none of them.

    `tables` are rows of tables and views; rows of schemas and databases among them tell the names of these where they
    hold slashes. What the folders of `prefix` say (`dev/`, `test/`) is what the user chose, and no reason against.
    """
    index = TableIndex.of(tables)
    chosen = len([part for part in prefix.split("/")[:-1] if part])
    kept = words_to_keep(itertools.chain(index.by_name, index.schemas, index.databases))
    judged: dict[tuple[str, int], ObjectMatch] = {}
    matches = []
    for key in keys:
        around = chosen if key.startswith(prefix) else 0
        shape = shape_of(key, kept)
        like = judged.get((shape, around)) if shape else None
        if like:
            matches.append(ObjectMatch(key, like.table_qualified_name, like.rule, like.outcome, like.candidates))
            continue
        matches.append(match := _match_key(key, index, around))
        if shape and not _HAS_DIGIT.search(match.rule):  # it may quote what is blanked in the shape
            if len(judged) == CACHED:
                judged.clear()
            judged[shape, around] = match
    return matches


_HAS_DIGIT = re.compile(r"\d")


class _Naming(NamedTuple):
    """The tables that a part of a key names, by which rule, and where.

    `position` counts the folders before that part. `qualified` tells that it names their schema, too; `parted`, that
    partitions of a dataset follow it; `generic`, that the part may as well be a folder of any table (`data`, `daily`).
    """

    tables: list[_Table]
    rule: str = ""
    position: int = 0
    qualified: bool = False
    parted: bool = False
    generic: bool = False


_NOTHING = _Naming([])


def _match_key(key: str, index: TableIndex, chosen: int) -> ObjectMatch:
    directory, names = (parts := parse_key(key)).directory, parts.names
    if not names:
        return ObjectMatch(key, None, NOT_DATA, MatchOutcome.NOT_DATA)
    stem = fold(names[-1])
    reading = read_name(stem)
    unsure = directory.false_date or reading.false_date
    anonymous = reading.anonymous and not unsure
    by_file = _named_by_file(names, stem, directory, index, unsure)
    if not by_file.tables and stem.startswith("_"):
        return ObjectMatch(key, None, NOT_DATA, MatchOutcome.NOT_DATA)
    folders = directory.folders
    by_folder = _NOTHING
    if not unsure and (anonymous or (by_file.tables and folders and folders[-1].transparent)):
        by_folder = _named_by_folder(folders, index)
        if reading.text and (others := _tables_within(reading.text, by_folder.tables, index)):
            named, qualified = index.find(reading.text)
            if by_folder.tables or len(named) != 1:
                return _ambiguous(key, [*by_folder.tables, *others])
            by_file = _Naming(named, "file name without marks", len(folders), qualified)
        if by_file.tables and by_folder.tables and _disagree(by_file, by_folder, anonymous, folders):
            return _ambiguous(key, [*by_file.tables, *by_folder.tables])
    found = by_file if by_file.tables else by_folder
    if not found.tables:
        return ObjectMatch(key, None, NO_TABLE, MatchOutcome.NO_TABLE)
    reason = _reason_against(found, stem, directory, chosen, index)
    if reason:
        return ObjectMatch(key, None, reason, MatchOutcome.SET_ASIDE)
    match = _decide(key, found, names if found is by_file else (directory.written[found.position],), directory, index)
    if match.table_qualified_name and (folder := _unknown_folder(found, directory, chosen, index)):
        tables = (match.table_qualified_name,)
        return ObjectMatch(key, None, f"unknown folder: {folder}", MatchOutcome.DOUBTFUL, tables)
    return match


def _named_by_file(names: Sequence[str], stem: str, directory: Directory, index: TableIndex, unsure: bool) -> _Naming:
    """What the file's name names: as it is, with its schema, and at last without marks."""
    folders = directory.folders
    for count in range(min(index.longest_path, len(folders) + 1), 1, -1):
        start = len(folders) - count + 1
        for name in names:
            path = "/".join((*(folder.folder for folder in folders[start:]), fold(name)))
            if found := index.named(path):
                return _Naming(found, "file name", start)
    if index.has_dots:
        for name in names[:-1]:
            if found := index.named(fold(name)):
                return _Naming(found, "file name", len(folders))
    tables, qualified = index.find(stem)
    if tables:
        return _Naming(tables, "file name", len(folders), qualified)
    if unsure:
        return _NOTHING
    if topic := _TOPIC.fullmatch(stem):
        tables, qualified = index.find(topic.group(1))
        if not tables:
            tables, qualified = index.find_topic(topic.group(1)), True
        return _Naming(tables, "topic", len(folders), qualified)
    tables, qualified = _longest(read_name(stem).rests, index)
    return _Naming(tables, "file name without marks", len(folders), qualified)


# Confluent's S3 sink and Amazon MSK: `<topic>+<partition>+<offset>`, MSK with a counter and an id behind it.
# Kafka's names of topics have 249 characters at most.
_TOPIC = re.compile(r"([^+]{1,249})\+\d+\+\d+(?:-\d+-[0-9a-f]+)?")


def _longest(rests: Sequence[str], index: TableIndex) -> tuple[list[_Table], bool]:
    """The tables named by the longest rest of a name; several rests of one length that name tables all count."""
    found: list[_Table] = []
    all_qualified, length = True, 0
    for rest in rests:
        if len(rest) < length:
            break
        tables, qualified = index.find(rest)
        if tables:
            length = len(rest)
            found += tables
            all_qualified = all_qualified and qualified
    return found, bool(found) and all_qualified


def _named_by_folder(folders: Sequence[FolderReading], index: TableIndex) -> _Naming:
    """What the nearest folder names that is neither a partition nor a word of jobs.

    A folder such as `data` or `errors` may be a table, or just a folder of the one around it: it counts where the one
    around it is none.
    """
    parted = False
    passed: list[_Table] = []
    passed_at, passed_qualified = 0, False
    for position in range(len(folders) - 1, -1, -1):
        folder = folders[position]
        tables, qualified = ([], False) if folder.is_pair and folder.transparent else index.find(folder.name)
        doubtful = folder.transparent or bool(folder.other)
        if tables and doubtful:
            passed, passed_at, passed_qualified = [*passed, *tables], position, qualified
        elif not tables and not folder.transparent:
            tables, qualified = _longest(folder.reading.rests, index)
        if tables and not doubtful:
            outer = _tables_around(folders[:position], index)
            return _Naming([*passed, *tables, *outer], "folder", position, qualified and not passed, parted)
        if not folder.transparent and not tables:
            break
        parted = parted or folder.parting
    return _Naming(passed, "folder", passed_at, passed_qualified, parted, True)


def _tables_around(folders: Sequence[FolderReading], index: TableIndex) -> list[_Table]:
    """The tables of a folder in whose partitions a folder lies: `orders/2025/customers/` may be of either."""
    position = len(folders) - 1
    while position >= 0 and folders[position].parting:
        position -= 1
    if position < 0 or position == len(folders) - 1 or folders[position].transparent:
        return []
    return index.named(folders[position].name)


def _tables_within(text: str, tables: Sequence[_Table], index: TableIndex) -> list[_Table]:
    """Other tables, or `tables` themselves for words of other content, that a text names which a user chose."""
    if says_something_else(text):
        return list(tables)
    own = {table.row[0] for table in tables}
    named = [table for word in (text, *re.split(r"[-_. ]+", text)) for table in index.named(word)]
    return [table for table in named if table.row[0] not in own]


def _disagree(by_file: _Naming, by_folder: _Naming, anonymous: bool, folders: Sequence[FolderReading]) -> bool:
    """Whether a file names a table within another table's partitions, or by a name that files of any table have."""
    if {table.row[0] for table in by_file.tables} == {table.row[0] for table in by_folder.tables}:
        return False
    if by_file.rule == "file name" and not by_folder.parted and by_file.position:
        around = folders[by_file.position - 1].schema
        if any(table.schema == around for table in by_file.tables):
            return False
    return anonymous or (by_folder.parted and not by_folder.generic)


def _is_named_by(folder: FolderReading, tables: Sequence[_Table], index: TableIndex) -> bool:
    """Whether a folder is called like one of these tables, so that its words are the table's: `order_status/…`."""
    own = {table.row[0] for table in tables}
    return any(table.row[0] in own for table in index.find(folder.name)[0])


_DMS_LOAD = re.compile(r"load[0-9a-f]{8}")


def _reason_against(found: _Naming, stem: str, directory: Directory, chosen: int, index: TableIndex) -> str:
    """Why the object is none of the table's rows: other content, another system, a schema that is told and not there."""
    own_folder = found.position if found.rule == "folder" else -1
    folders = directory.folders
    for position in range(chosen, len(folders)) if directory.suspect else ():
        folder = folders[position]
        if folder.told_schema and folder.schema not in index.schemas:
            return f"another schema: {folder.told_schema}"
        if position == own_folder or folder.schema in index.schemas or folder.schema in index.databases:
            continue
        if (folder.other or folder.system) and _is_named_by(folder, found.tables, index):
            continue
        if folder.system:
            return f"another system: {folder.system}"
        is_partition = folder.is_pair and -1 < own_folder < position
        if folder.other and not is_partition:
            return f"other content: {folder.other}"
    if (
        own_folder > 0
        and not found.qualified
        and _DMS_LOAD.fullmatch(stem)
        and folders[own_folder - 1].schema not in index.schemas
    ):
        # AWS DMS writes schema/table/LOAD….csv (user guide, "Using Amazon S3 as a target").
        return f"another schema: {folders[own_folder - 1].folder}"
    return ""


def _unknown_folder(found: _Naming, directory: Directory, chosen: int, index: TableIndex) -> str:
    """The first folder of which nobody knows whether the table's rows are put there.

    Names of the source are known, and so is a folder that is laid out by schemas or named after them.
    """
    if not directory.unsure:
        return ""
    folders, places = directory.folders, (index.schemas, index.databases)
    own_folder = found.position if found.rule == "folder" else len(folders)
    for position in range(chosen, own_folder):
        folder = folders[position]
        below = folders[position + 1].schema if position + 1 < own_folder else ""
        if not any(folder.schema in names or below in names for names in places):
            # RDS exports to name/database/schema.table or database.schema.table (user guide, "Exporting DB snapshot data").
            is_export = found.qualified and chosen < position == own_folder - 1
            words = [word for word in folder.unknown if not any(word in names for names in places)]
            if words and not is_export and not _names_a_table(folder, index):
                return folder.folder
    return ""


def _names_a_table(folder: FolderReading, index: TableIndex) -> bool:
    name = folder.name
    return bool(index.find(name)[0] or _longest(folder.reading.rests, index)[0] or index.find_topic(name))


def _decide(key: str, found: _Naming, names: Sequence[str], directory: Directory, index: TableIndex) -> ObjectMatch:
    """One of the tables that a name names: by its schema, wherever the key tells it, then by the case of its name."""
    told = [folder.schema for folder in directory.folders[: found.position]]
    candidates = found.tables
    if len(candidates) > 1:
        candidates = list({table.row[0]: table for table in candidates}.values())
        if not found.qualified:
            evidence = [_schema_evidence(table, told, directory.written, index) for table in candidates]
            best = max(evidence)
            candidates = [table for table, own in zip(candidates, evidence, strict=True) if own == best]
        if len({(table.database, table.schema, table.name) for table in candidates}) == 1:
            exact = [table for table in candidates if any(table.row[1] in name for name in names)]
            candidates = exact if len(exact) == 1 else candidates
    if len(candidates) > 1 or (
        not found.qualified and _other_schema_told(candidates[0], directory.folders[: found.position], index)
    ):
        return _ambiguous(key, candidates)
    return ObjectMatch(key, candidates[0].row[0], found.rule, MatchOutcome.MATCHED)


def _schema_evidence(table: _Table, told: Sequence[str], written: Sequence[str], index: TableIndex) -> tuple[int, bool]:
    """How well the folders before a name tell a table's schema, in its case or in another, and its database."""
    as_folder = 0
    if table.schema in told:
        as_folder = 2 if index.places[table.row[0]][1] in written[: len(told)] else 1
    return as_folder, table.database in told


def _other_schema_told(table: _Table, folders: Sequence[FolderReading], index: TableIndex) -> bool:
    """Whether a folder is another schema's name: then it is that schema's table, which is not there.

    Around the folder of its own schema, a database may be, or a zone that is called like a schema (`raw/sales/orders`).
    """
    named = [folder for folder in folders if folder.schema in index.schemas]
    others = [folder for folder in named if folder.schema != table.schema]
    if not others or named[-1].schema != table.schema:
        return bool(others)
    return not all(folder.transparent or folder.schema in index.databases for folder in others)


def _ambiguous(key: str, tables: Iterable[_Table]) -> ObjectMatch:
    return ObjectMatch(key, None, AMBIGUOUS, MatchOutcome.AMBIGUOUS, tuple(sorted({table.row[0] for table in tables})))
